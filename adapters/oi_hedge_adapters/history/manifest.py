"""The TOML manifest that says what recorded files hold."""

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from nautilus_trader.model.instruments import Instrument

from oi_hedge_adapters.history.spec import CatalogSpec, Kind, SeriesSpec, parse_duration
from oi_hedge_catalog.errors import ManifestError
from oi_hedge_catalog.instruments import InstrumentSpec, build_instrument

_COLUMNS: dict[Kind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "bars": (("open", "high", "low", "close", "volume"), ()),
    "open_interest": (("value",), ("price",)),
    "funding": (("rate",), ()),
}
"""Required and optional columns of each kind."""

_KEYS: dict[Kind, tuple[set[str], set[str]]] = {
    "bars": ({"period", "unit"}, {"label", "contract_size"}),
    "open_interest": ({"unit", "sides", "label"}, {"period", "contract_size"}),
    "funding": ({"interval"}, {"style"}),
}
"""Required and optional keys of each kind, beyond those that every kind has."""


class Manifest(msgspec.Struct, frozen=True):
    """A checked manifest: instruments by id, and the series in their order."""

    path: str
    catalog: CatalogSpec
    instruments: dict[str, Instrument]
    series: tuple[SeriesSpec, ...]


def load_manifest(path: str | os.PathLike[str]) -> Manifest:
    """
    Read and check the manifest at `path`.

    Raises
    ------
    ManifestError
        Naming every table that is wrong, by its number and its key.
    """
    raw = _read(path)
    problems: list[str] = []
    if unknown := sorted(raw.keys() - {"catalog", "instrument", "series"}):
        problems.append(f"unknown table {unknown[0]!r}, expected catalog, instrument or series")
    catalog = _convert(raw.get("catalog", {}), CatalogSpec, "[catalog]", problems) or CatalogSpec()
    instruments = _instruments(_tables(raw, "instrument", problems), problems)
    series = _series(_tables(raw, "series", problems), instruments, problems)
    if not series and not problems:
        problems.append("there is no [[series]] table, nothing would be ingested")
    if problems:
        raise ManifestError("\n".join(f"manifest {path}: {problem}" for problem in problems))
    return Manifest(str(path), catalog, instruments, tuple(series))


def load_instruments(path: str | os.PathLike[str]) -> dict[str, Instrument]:
    """
    Read the ``[[instrument]]`` tables of the manifest at `path`, by id.

    Raises
    ------
    ManifestError
        Naming every table that is wrong.
    """
    problems: list[str] = []
    instruments = _instruments(_tables(_read(path), "instrument", problems), problems)
    if problems:
        raise ManifestError("\n".join(f"manifest {path}: {problem}" for problem in problems))
    return instruments


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise ManifestError(f"manifest {path} does not exist") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"manifest {path} is not valid TOML: {error}") from error


def _tables(raw: dict[str, Any], key: str, problems: list[str]) -> list[Any]:
    tables = raw.get(key, [])
    if isinstance(tables, list):
        return tables
    problems.append(f"{key} is one table, write [[{key}]] with double brackets")
    return []


def _convert[T](raw: Any, kind: type[T], where: str, problems: list[str]) -> T | None:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        problems.append(f"{where}: {error}")
        return None


def _instruments(tables: list[Any], problems: list[str]) -> dict[str, Instrument]:
    found: dict[str, Instrument] = {}
    for number, raw in enumerate(tables, start=1):
        where = _where("instrument", number, raw, "id")
        spec = _convert(raw, InstrumentSpec, where, problems)
        if spec is None:
            continue
        if spec.id in found:
            problems.append(f"{where}: id is there twice")
            continue
        try:
            found[spec.id] = build_instrument(spec)
        except ManifestError as error:
            problems.append(f"{where}: {error}")
    return found


def _series(tables: list[Any], instruments: dict[str, Instrument], problems: list[str]) -> list[SeriesSpec]:
    found = {}
    for number, raw in enumerate(tables, start=1):
        where = _where("series", number, raw, "file")
        spec = _convert(raw, SeriesSpec, where, problems)
        if spec is not None:
            problems += [f"{where}: {problem}" for problem in _series_problems(spec, instruments)]
            found[where] = spec
    problems += _look_ahead_problems(found)
    return list(found.values())


def _look_ahead_problems(found: dict[str, SeriesSpec]) -> list[str]:
    """Find open interest that would be valued at the close of a bar that had not ended."""
    closes = {(spec.file, spec.columns.get("close")) for spec in found.values() if spec.kind == "bars"}
    return [
        f"{where}: price column {spec.columns['price']!r} is the close of the bar, not known yet at the time "
        "of the value; use the open"
        for where, spec in found.items()
        if spec.kind == "open_interest"
        and spec.delay_ns == 0
        and "price" in spec.columns
        and (spec.file, spec.columns["price"]) in closes
    ]


def _where(table: str, number: int, raw: Any, key: str) -> str:
    name = raw.get(key) if isinstance(raw, dict) else None
    return f"[[{table}]] {number}" + (f" ({name})" if name else "")


def _series_problems(spec: SeriesSpec, instruments: dict[str, Instrument]) -> list[str]:
    problems = []
    if spec.instrument not in instruments:
        problems.append(f"instrument {spec.instrument!r} is not defined by an [[instrument]] without errors")
    required, optional = _COLUMNS[spec.kind]
    problems += [f"columns lacks {role!r}" for role in required if role not in spec.columns]
    expected = ", ".join((*required, *optional))
    extra = (role for role in spec.columns if role not in (*required, *optional))
    problems += [f"columns has {role!r}, expected {expected}" for role in extra]
    problems += _key_problems(spec)
    for key in ("period", "publication_lag", "interval"):
        text = getattr(spec, key)
        try:
            if text is not None and not parse_duration(text) and key != "publication_lag":
                problems.append(f"{key} must not be zero")
        except ManifestError as error:
            problems.append(f"{key}: {error}")
    for name, bound in (("from", spec.from_), ("until", spec.until)):
        if bound is not None and bound.tzinfo is None:
            problems.append(f"{name} has no time zone, write for example 2024-01-01T00:00:00Z")
    return problems


def _key_problems(spec: SeriesSpec) -> list[str]:
    required, optional = _KEYS[spec.kind]
    every = set().union(*(keys for pair in _KEYS.values() for keys in pair))
    given = {key for key in every if getattr(spec, key) is not None}
    problems = [f"{key} is required for {spec.kind}" for key in sorted(required - given)]
    extra = sorted(given - required - optional)
    problems += [f"{key} has no meaning for {spec.kind}, remove it" for key in extra]
    if (spec.unit == "contracts") != (spec.contract_size is not None):
        problems.append("contract_size is needed with unit = 'contracts' and only then")
    if spec.contract_size is not None and not spec.contract_size > 0:
        problems.append(f"contract_size {spec.contract_size} must be positive")
    if spec.kind == "open_interest" and spec.unit == "usd" and "price" not in spec.columns:
        problems.append("columns lacks 'price', which turns USD into coins")
    if spec.kind == "bars" and spec.label == "snapshot":
        problems.append("label of bars is 'start' or 'end'")
    if spec.kind == "open_interest" and spec.label == "start" and spec.period is None:
        problems.append("period is required with label = 'start'")
    return problems
