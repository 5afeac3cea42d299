"""The JSON schema of the settings file, by which editors complete and check it."""

import inspect
import re
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from nautilus_trader.common.config import NautilusConfig, msgspec_encoding_hook

from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.simulation.fills import ImpactFillModelConfig

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SIMPLE = {float: "number", int: "integer", str: "string", bool: "boolean"}


def settings_schema() -> dict[str, Any]:
    """Return the JSON schema of the settings file: every field, its default, its meaning."""
    found = _of_config(BacktestSettings)
    impact = _of_config(ImpactFillModelConfig)
    found["properties"]["impact"] |= {
        "properties": impact["properties"],
        "additionalProperties": False,
    }
    return {"$schema": DIALECT, "title": "Settings of oi-hedge", **found}


def _of_config(kind: type[NautilusConfig]) -> dict[str, Any]:
    meanings = _meanings(kind)
    properties = {}
    for field in msgspec.structs.fields(kind):
        found = _of_type(field.type)
        if field.default is not msgspec.NODEFAULT:
            default = msgspec.to_builtins(field.default, enc_hook=msgspec_encoding_hook)
            found |= {} if default is None or isinstance(default, dict) else {"default": default}
        if field.name in meanings:
            found["description"] = meanings[field.name]
        properties[field.name] = found
    required = [field.name for field in msgspec.structs.fields(kind) if field.required]
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _of_type(kind: Any) -> dict[str, Any]:
    if kind in _SIMPLE:
        return {"type": _SIMPLE[kind]}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        found = _of_type(arguments[0])
        for each in arguments[1:]:
            if isinstance(each, msgspec.Meta) and each.gt is not None:
                found["exclusiveMinimum"] = each.gt
        return found
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of_type(arguments[1])}
    if origin in (tuple, frozenset, list):
        if origin is tuple and Ellipsis not in arguments:
            return {
                "type": "array",
                "prefixItems": [_of_type(each) for each in arguments],
                "minItems": len(arguments),
                "maxItems": len(arguments),
            }
        return {"type": "array", "items": _of_type(arguments[0])}
    if arguments and NoneType in arguments:
        return _of_type(next(each for each in arguments if each is not NoneType))
    if isinstance(kind, type) and issubclass(kind, NautilusConfig):
        return _of_config(kind)
    return {"type": "string"} if isinstance(kind, type) else {}


def _meanings(kind: type) -> dict[str, str]:
    """Return what a docstring's parameters say, by name."""
    found: dict[str, list[str]] = {}
    names: list[str] = []
    text = inspect.cleandoc(kind.__doc__ or "").partition("Parameters\n----------\n")[2]
    for line in text.splitlines():
        match = re.match(r"^(\w+(?:, \w+)*)(?: :.*)?$", line)
        if match is not None:
            names = match.group(1).split(", ")
        elif line.startswith("    "):
            for name in names:
                found.setdefault(name, []).append(line.strip())
    return {name: " ".join(lines) for name, lines in found.items()}
