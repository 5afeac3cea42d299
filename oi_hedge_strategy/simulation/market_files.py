"""A simulated market as the files that its venues would leave, with the manifest that ingests them."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from oi_hedge_strategy.simulation.market_catalog import (
    BAR_LAG_NS,
    FUNDING_LAG_NS,
    HEDGE_BAR_LAG_NS,
    HEDGE_VENUE,
    SECOND_NS,
    instrument_specs,
    perpetual_id,
    spot_id,
)
from oi_hedge_strategy.simulation.market_config import FUNDING_HOURS, VenueReport
from oi_hedge_strategy.simulation.market_result import Floats, PriceBars, SimulatedMarket, VenueSeries

MANIFEST = "manifest.toml"


@dataclass(frozen=True)
class _File:
    """One file: its columns, and its table in the manifest."""

    name: str
    columns: dict[str, Any]
    series: dict[str, Any]


def write_files(market: SimulatedMarket, directory: str | os.PathLike[str]) -> Path:
    """
    Write prices, open interest and funding of `market` as Parquet files, each in its venue's own units.

    Parameters
    ----------
    market : SimulatedMarket
        What `simulate_market` returned.
    directory : str or PathLike
        Where to; made when it is not there.

    Returns
    -------
    Path
        The manifest for ``oi-hedge ingest files``.

    """
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    tables = [("instrument", msgspec.to_builtins(each)) for each in instrument_specs(market.config)]
    for file in _files(market):
        staged = root / f"{file.name}.tmp"
        pq.write_table(pa.table(file.columns), staged)
        staged.replace(root / file.name)
        tables.append(("series", {"file": file.name, "time": "ts", "time_unit": "ns", **file.series}))
    path = root / MANIFEST
    staged = root / f"{MANIFEST}.tmp"
    staged.write_text("\n".join(_toml(name, fields) for name, fields in tables), encoding="utf-8")
    return staged.replace(path)


def reported(report: VenueReport, quantity: Floats, price: Floats) -> Floats:
    """Return one-sided open interest in base coin as the venue reports it."""
    if report.unit == "contracts":
        found: Floats = np.round(quantity / report.contract_size)
    else:
        found = quantity * price if report.unit == "usd" else quantity.copy()
    return 2.0 * found if report.sides == "both" else found


def _files(market: SimulatedMarket) -> Iterator[_File]:
    every = np.ones(len(market.times), bool)
    for base, asset in market.assets.items():
        yield _bars(market, f"{base}-spot.parquet", spot_id(base), asset.spot, every, BAR_LAG_NS)
        for venue, series in asset.venues.items():
            name, prefix = perpetual_id(base, venue), f"{base}-{venue.lower()}"
            lag = HEDGE_BAR_LAG_NS if venue == HEDGE_VENUE else BAR_LAG_NS
            yield _bars(market, f"{prefix}-bars.parquet", name, series.bars, series.traded, lag)
            yield _open_interest(market, f"{prefix}-open-interest.parquet", name, venue, series)
            yield _File(
                f"{prefix}-funding.parquet",
                {"ts": market.funding_times, "rate": series.funding},
                {
                    "kind": "funding",
                    "instrument": name,
                    "columns": {"rate": "rate"},
                    "interval": f"{FUNDING_HOURS}h",
                    "style": "settlements",
                    "publication_lag": _seconds(FUNDING_LAG_NS),
                },
            )


def _bars(
    market: SimulatedMarket, file: str, name: str, bars: PriceBars, rows: np.ndarray, lag_ns: int
) -> _File:
    fields = ("open", "high", "low", "close", "volume")
    return _File(
        file,
        {"ts": market.times[rows], **{field: getattr(bars, field)[rows] for field in fields}},
        {
            "kind": "bars",
            "instrument": name,
            "columns": {field: field for field in fields},
            "unit": "coin",
            "label": "end",
            "period": f"{market.config.bar_minutes}min",
            "publication_lag": _seconds(lag_ns),
        },
    )


def _open_interest(market: SimulatedMarket, file: str, name: str, venue: str, series: VenueSeries) -> _File:
    report, rows = market.config.venues[venue].report, series.reports
    price = series.bars.close[rows]
    contract = {"contract_size": report.contract_size} if report.unit == "contracts" else {}
    return _File(
        file,
        {
            "ts": market.times[rows],
            "value": reported(report, series.open_interest[rows], price),
            "price": price,
        },
        {
            "kind": "open_interest",
            "instrument": name,
            "columns": {"value": "value", "price": "price"},
            "unit": report.unit,
            "sides": report.sides,
            "label": "snapshot",
            "publication_lag": _seconds(round(report.lag_seconds * SECOND_NS)),
            **contract,
        },
    )


def _seconds(ns: int) -> str:
    """Return a lag as the manifest writes it; a part of a second is rounded up."""
    return f"{-(-ns // SECOND_NS)}s"


def _toml(name: str, fields: dict[str, Any]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in fields.items() if value is not None]
    return "\n".join([f"[[{name}]]", *lines, ""])


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)
