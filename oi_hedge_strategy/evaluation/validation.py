"""Refuse a record that cannot be judged."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oi_hedge_catalog.errors import DataError
from oi_hedge_strategy.evaluation.records import BacktestRecord, MarketRecord, RunRecord

RUN_FIELDS = (
    "exposure_quantity",
    "hedge_quantity",
    "exposure_pnl",
    "hedge_pnl",
    "fees",
    "slippage",
    "funding",
    "hedge_equity",
)
DECISION_FIELDS = ("ts", "exposure", "wanted", "allowed", "target", "rail", "reason", "alert")


def check_record(record: BacktestRecord) -> None:
    """
    Check that the runs, the market and the decisions of a record fit together.

    Raises
    ------
    DataError
        If a run is missing, arrays differ in length or time, a value is not finite, or no decision was made.

    """
    for name in ("hedged", "unhedged"):
        if name not in record.runs:
            raise DataError(f"the record has no run {name!r}, found {sorted(record.runs)}")
    _check_market(record.market)
    for name, run in record.runs.items():
        _check_run(name, run, record.market.ts)
    _check_decisions(record.decisions)


def exposure_differences(record: BacktestRecord) -> dict[str, float]:
    """
    Return each run's largest difference of exposure P&L from the unhedged run's, where it is more than small.

    Small is a thousandth of the largest P&L: the hedge's own impact moves what the exposure is marked at by
    that little, and a run whose exposure was not held differs by far more.
    """
    reference = record.runs["unhedged"].exposure_pnl
    tolerance = 1e-3 * max(1.0, float(np.abs(reference).max()))
    gaps = {name: float(np.abs(run.exposure_pnl - reference).max()) for name, run in record.runs.items()}
    return {name: gap for name, gap in gaps.items() if gap > tolerance}


def _check_market(market: MarketRecord) -> None:
    if market.ts.size < 2:
        raise DataError(f"the record has {market.ts.size} bars, expected at least 2; choose a longer period")
    _check_ascending("the market", market.ts)
    _check_array("the market", "close", market.close, market.ts)
    if (market.close <= 0).any():
        row = int(np.argmax(market.close <= 0))
        raise DataError(
            f"the market's close must be above 0, was {market.close[row]} at {_at(market.ts, row)}"
        )
    for what, series in (("open interest", market.open_interest), ("funding", market.funding)):
        for venue, values in series.items():
            if values.shape != market.ts.shape:
                raise DataError(
                    f"the market's {what} of {venue} has shape {values.shape}, expected {market.ts.shape}"
                )


def _check_run(name: str, run: RunRecord, ts: NDArray[np.int64]) -> None:
    if not np.array_equal(run.ts, ts):
        raise DataError(
            f"run {name!r} has {run.ts.size} bars that are not the market's {ts.size}; "
            "all runs must see the same bars"
        )
    for field in RUN_FIELDS:
        _check_array(f"run {name!r}", field, getattr(run, field), ts)


def _check_decisions(decisions: pd.DataFrame) -> None:
    missing = [field for field in DECISION_FIELDS if field not in decisions.columns]
    if missing:
        raise DataError(f"the decisions lack the columns {missing}, found {list(decisions.columns)}")
    if decisions.empty:
        raise DataError("the hedged run made no decision; is the period shorter than the model's look-back?")
    _check_ascending("the decisions", decisions["ts"].to_numpy(np.int64))


def _check_ascending(what: str, ts: NDArray[np.int64]) -> None:
    falls = np.flatnonzero(np.diff(ts) <= 0)
    if falls.size:
        row = int(falls[0]) + 1
        raise DataError(
            f"times of {what} must ascend, row {row} at {_at(ts, row)} follows {_at(ts, row - 1)}"
        )


def _check_array(what: str, field: str, values: NDArray[np.float64], ts: NDArray[np.int64]) -> None:
    if values.shape != ts.shape:
        raise DataError(f"{field} of {what} has shape {values.shape}, expected {ts.shape}")
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        row = int(bad[0])
        raise DataError(
            f"{field} of {what} is {values[row]} at row {row} ({_at(ts, row)}), expected a number for "
            f"every bar ({bad.size} such rows)"
        )


def _at(ts: NDArray[np.int64], row: int) -> str:
    return f"{np.datetime64(int(ts[row]), 'ns').astype('datetime64[s]')}Z"
