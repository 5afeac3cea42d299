"""Find everything that is wrong with a settings file, not only the first thing."""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
from nautilus_trader.common.config import NautilusConfig, msgspec_decoding_hook

from oi_hedge_adapters.venues import ROWS, row_of
from oi_hedge_catalog.errors import ConfigError, OIHedgeError
from oi_hedge_strategy.backtest.settings import BacktestSettings, finite
from oi_hedge_strategy.simulation.fills import ImpactFillModelConfig

_MAPPED: dict[str, type[NautilusConfig]] = {"impact": ImpactFillModelConfig}
_PART = re.compile(r"[a-z_]+(?:\.[A-Za-z_]+)*")
_ARTICLES = {"float": "a number", "int": "a whole number", "str": "text", "bool": "true or false"}


@dataclass(frozen=True, slots=True)
class Problem:
    """
    Hold one thing that is wrong.

    Parameters
    ----------
    field : str
        Path of the field, ``rails.hard_stop``; empty where the file as a whole is wrong.
    text : str
        What was expected and found, and what to do.

    """

    field: str
    text: str

    def __str__(self) -> str:
        return f"{self.field}: {self.text}" if self.field else self.text


def find_problems(path: Path) -> list[Problem]:
    """
    Return everything that is wrong with a settings file, in the order of the file.

    Unknown fields and wrong types come first; ranges, and what contradicts another value, are judged on what
    is left when those are put back to their defaults.
    """
    try:
        fields = tomllib.loads(path.read_text(), parse_float=finite)
    except OSError as error:
        return [Problem("", f"cannot read it: {error.strerror}")]
    except ValueError as error:
        return [Problem("", f"it is not valid TOML: {error}; mend that first, the rest cannot be read")]
    sound, problems = _judge_table(fields, BacktestSettings, "")
    return [*problems, *_values_out_of_range(sound)]


def _judge_table(
    table: Mapping[str, Any], kind: type[NautilusConfig], path: str
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the fields of a table that are sound, and what is wrong with the others."""
    known = {field.name: field.type for field in msgspec.structs.fields(kind)}
    sound: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in table.items():
        field = f"{path}{name}"
        if name not in known:
            problems.append(Problem(field, _unknown(name, list(known))))
            continue
        found, wrong = _judge(value, _MAPPED.get(name, known[name]) if not path else known[name], field)
        problems += wrong
        if not wrong or isinstance(found, dict):
            sound[name] = found
    missing = [f for f in msgspec.structs.fields(kind) if f.required and f.name not in table]
    problems += [Problem(f"{path}{f.name}", "is missing; it has no default") for f in missing]
    return sound, problems


def _judge(value: Any, kind: Any, field: str) -> tuple[Any, list[Problem]]:
    """Return a value as far as it is sound, and what is wrong with it."""
    if isinstance(kind, type) and issubclass(kind, NautilusConfig):
        if not isinstance(value, dict):
            return None, [Problem(field, f"expected a table, found {value!r}")]
        return _judge_table(value, kind, f"{field}.")
    arguments = get_args(kind)
    if get_origin(kind) is dict and isinstance(value, dict) and _is_config(arguments[1]):
        judged = {name: _judge(each, arguments[1], f"{field}.{name}") for name, each in value.items()}
        return {name: each for name, (each, _) in judged.items()}, [p for _, w in judged.values() for p in w]
    if get_origin(kind) is tuple and isinstance(value, list) and _is_config(arguments[0]):
        rows = [_judge(each, arguments[0], f"{field}[{at}]") for at, each in enumerate(value)]
        return [each for each, _ in rows], [problem for _, wrong in rows for problem in wrong]
    if kind is str and isinstance(value, date | time):
        value = value.isoformat()
    try:
        msgspec.convert(value, kind, dec_hook=msgspec_decoding_hook)
    except msgspec.ValidationError as error:
        return None, [Problem(field, _wrong(value, kind, str(error)))]
    return value, []


def _values_out_of_range(fields: dict[str, Any]) -> Iterator[Problem]:
    """Yield what is out of range, each found by putting back what was found before."""
    seen: set[str] = set()
    while True:
        settings: BacktestSettings = BacktestSettings.parse(msgspec.json.encode(fields))
        try:
            settings.check()
            check_named(settings)
        except OIHedgeError as error:
            text = str(error)
        else:
            return
        match = _PART.match(text)
        field = match.group() if match else ""
        yield Problem(field, text.removeprefix(field).lstrip(" :"))
        if field in seen or not _put_back(fields, field.split(".")):
            return
        seen.add(field)


def check_named(settings: BacktestSettings) -> None:
    """
    Check that instruments, venues and files that are named exist.

    Raises
    ------
    OIHedgeError
        If they are not.

    """
    try:
        row = row_of(settings.hedge_instrument)
    except OIHedgeError as error:
        raise ConfigError(f"hedge_instrument {error}") from error
    if row.inverse or row.option:
        raise ConfigError(
            f"hedge_instrument must be a linear perpetual, was {settings.hedge_instrument}, of {row.title}"
        )
    if settings.exposure_instrument == settings.hedge_instrument:
        raise ConfigError(
            f"exposure_instrument must differ from hedge_instrument, both were {settings.hedge_instrument}: "
            "hedge in another, or orders would move the position that is to be hedged"
        )
    known = sorted({row.venue for row in ROWS})
    for venue in settings.venues:
        if venue not in known:
            raise ConfigError(f"venues must be of {', '.join(known)}, was {venue!r}")
    for field in ("model", "models", "catalog"):
        named = getattr(settings, field)
        if named and not Path(named).exists():
            raise ConfigError(f"{field} must exist, found no {named} from {Path.cwd()}")


def _put_back(fields: dict[str, Any], path: list[str]) -> bool:
    """Remove a field, so that its default stands in; say whether there was one."""
    table = fields
    for name in path[:-1]:
        if not isinstance(table.get(name), dict):
            return False
        table = table[name]
    return table.pop(path[-1], None) is not None


def _is_config(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, NautilusConfig)


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
    return f"is not a field; {advice} Remove it or rename it"


def _wrong(value: Any, kind: Any, message: str) -> str:
    if get_origin(kind) is Literal:
        choices = [str(each) for each in get_args(kind)]
        near = difflib.get_close_matches(str(value), choices, n=1)
        advice = f"; did you mean {near[0]!r}?" if near else ""
        return f"expected one of {', '.join(choices)}, found {value!r}{advice}"
    if isinstance(kind, type) and kind.__name__ in _ARTICLES:
        return f"expected {_ARTICLES[kind.__name__]}, found {value!r}; write it {_form(kind)}"
    return f"{message[0].lower()}{message[1:]}, found {value!r}"


def _form(kind: type) -> str:
    if kind is str:
        return 'in quotes, such as "text"'
    return {bool: "as true or false, without quotes", int: "without quotes and point"}.get(
        kind, "without quotes"
    )
