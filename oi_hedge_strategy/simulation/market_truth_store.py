"""The truth of a simulated market as Parquet tables in its catalog's directory, which no strategy reads."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.cascades import SIDES, CascadeDefinition
from oi_hedge_strategy.simulation.market_config import BANDS
from oi_hedge_strategy.simulation.market_result import AssetSeries, CascadeOutlook, SimulatedMarket

DIRECTORY = "truth"
_META = b"oi_hedge"
_HELD = ("long", "short")


def truth_file(catalog_path: str | os.PathLike[str], asset: str, table: str) -> Path:
    """
    Return where a table of the truth is kept.

    Parameters
    ----------
    catalog_path : str or PathLike
        Directory of the catalog.
    asset : str
        Base coin.
    table : str
        ``levels`` (columns ts, side, nearest, furthest, quantity: leveraged base coin whose liquidation price
        lies in that band of distance from spot at the bar's close), ``positions`` (ts, leverage, opened,
        liquidated: base coin within the bar, by nominal leverage), ``insurance`` (ts, venue, balance: USDT;
        only where funds are limited), ``cascades`` (ts, side, share) or
        ``probabilities`` (ts, side, horizon_hours, probability, adverse, favourable). Each ``ts`` is when the
        state was so, UNIX nanoseconds; nobody could have known it.

    """
    return Path(catalog_path) / DIRECTORY / f"{asset}-{table}.parquet"


def write_truth(market: SimulatedMarket, catalog_path: str | os.PathLike[str]) -> None:
    """Write the truth of every asset of `market` beside its catalog."""
    (Path(catalog_path) / DIRECTORY).mkdir(parents=True, exist_ok=True)
    meta = {"seed": market.config.seed}
    for asset, series in market.assets.items():
        tables = {
            "levels": _levels(market, series),
            "positions": _positions(market, series),
            "cascades": _cascades(series),
        }
        if np.isfinite(series.truth.insurance).all():
            tables["insurance"] = _insurance(market, series)
        for name, table in tables.items():
            _write(table, truth_file(catalog_path, asset, name), meta)
        if (outlook := series.truth.outlook) is not None:
            found = meta | {"paths": outlook.paths, "definition": asdict(outlook.definition)}
            _write(_probabilities(outlook), truth_file(catalog_path, asset, "probabilities"), found)


def read_outlook(path: str | os.PathLike[str]) -> CascadeOutlook:
    """
    Read a table ``probabilities``.

    Raises
    ------
    CatalogError
        If the file is missing or is not such a table.

    """
    try:
        table = pq.read_table(path)
        meta = json.loads((table.schema.metadata or {})[_META])
        fields = meta["definition"]
        definition = CascadeDefinition(**{**fields, "horizons_hours": tuple(fields["horizons_hours"])})
        shape = (-1, len(SIDES), len(definition.horizons_hours))
        times = table["ts"].to_numpy().reshape(shape)[:, 0, 0]
        columns = [table[name].to_numpy().reshape(shape) for name in ("probability", "adverse", "favourable")]
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise CatalogError(
            f"{path} holds no true probabilities of a simulated market ({type(error).__name__}); make them "
            "with: oi-hedge simulate --truth-paths"
        ) from error
    return CascadeOutlook(definition, int(meta["paths"]), times, *columns)


def read_levels(path: str | os.PathLike[str]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return a table ``levels`` as times, shape (bars,), and quantities, shape (bars, 2, bands)."""
    table = pq.read_table(path, columns=["ts", "quantity"])
    shape = (-1, len(_HELD), len(BANDS))
    return table["ts"].to_numpy().reshape(shape)[:, 0, 0], table["quantity"].to_numpy().reshape(shape)


def _levels(market: SimulatedMarket, series: AssetSeries) -> pa.Table:
    quantity = series.truth.levels
    bars, sides, bands = quantity.shape
    nearest, furthest = np.array(BANDS).T
    return pa.table(
        {
            "ts": np.repeat(market.times, sides * bands),
            "side": np.tile(np.repeat(_HELD, bands), bars),
            "nearest": np.tile(nearest, bars * sides),
            "furthest": np.tile(furthest, bars * sides),
            "quantity": quantity.ravel(),
        }
    )


def _positions(market: SimulatedMarket, series: AssetSeries) -> pa.Table:
    leverage = market.config.agents.leverage
    return pa.table(
        {
            "ts": np.repeat(market.times, len(leverage)),
            "leverage": np.tile(leverage, len(market.times)),
            "opened": series.truth.entered.ravel(),
            "liquidated": series.truth.forced.ravel(),
        }
    )


def _insurance(market: SimulatedMarket, series: AssetSeries) -> pa.Table:
    venues = list(market.config.venues)
    return pa.table(
        {
            "ts": np.repeat(market.times, len(venues)),
            "venue": np.tile(venues, len(market.times)),
            "balance": series.truth.insurance.ravel(),
        }
    )


def _cascades(series: AssetSeries) -> pa.Table:
    found = series.truth.cascades
    return pa.table(
        {
            "ts": pa.array([each.ts for each in found], pa.int64()),
            "side": pa.array([each.side for each in found], pa.string()),
            "share": pa.array([each.share for each in found], pa.float64()),
        }
    )


def _probabilities(outlook: CascadeOutlook) -> pa.Table:
    moments, sides, horizons = outlook.probability.shape
    return pa.table(
        {
            "ts": np.repeat(outlook.times, sides * horizons),
            "side": np.tile(np.repeat(SIDES, horizons), moments),
            "horizon_hours": np.tile(outlook.definition.horizons_hours, moments * sides),
            "probability": outlook.probability.ravel(),
            "adverse": outlook.adverse.ravel(),
            "favourable": outlook.favourable.ravel(),
        }
    )


def _write(table: pa.Table, path: Path, meta: dict[str, Any]) -> None:
    staged = path.with_suffix(".tmp")
    pq.write_table(table.replace_schema_metadata({_META: json.dumps(meta, sort_keys=True)}), staged)
    os.replace(staged, path)
