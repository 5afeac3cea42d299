"""Net the runs to UTC days."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.records import Floats, RunRecord, Times

DAY_NS = 86_400_000_000_000
WEEK_NS = 7 * DAY_NS
YEAR_NS = 31_557_600_000_000_000


@dataclass(frozen=True, slots=True)
class Calendar:
    """
    Group bars by UTC day.

    Parameters
    ----------
    days : datetime64[D] array, shape (days,)
        The days that have a bar.
    starts : int64 array, shape (days,)
        Row of each day's first bar.
    span_ns : int
        Length of the whole period, the first bar's own length included.

    """

    days: NDArray[np.datetime64]
    starts: NDArray[np.int64]
    span_ns: int

    def sum(self, per_bar: Floats) -> Floats:
        """Return the sum over each day of values given for each bar."""
        return np.add.reduceat(per_bar, self.starts)

    def net(self, cumulative: Floats) -> Floats:
        """Return each day's change of a value that accumulates from zero."""
        return self.sum(np.diff(cumulative, prepend=0.0))


@dataclass(frozen=True, slots=True)
class DailyRun:
    """
    Hold one run by UTC day; arrays have shape (days,).

    Parameters
    ----------
    pnl : float64 array
        Profit and loss of exposure and hedge together, net of all costs, quote currency.
    costs : float64 array
        Fees, slippage and funding paid.
    turnover : float64 array
        Notional by which the hedge position changed from bar to bar, quote currency.
    hedge_ratio_sum, exposed_bars : float64 array
        Sum of the held hedge ratio over the bars with an exposure, and their number.

    """

    pnl: Floats
    costs: Floats
    turnover: Floats
    hedge_ratio_sum: Floats
    exposed_bars: Floats


def bar_step(ts: Times) -> int:
    """Return the usual time between two bars, nanoseconds."""
    return int(np.median(np.diff(ts)))


def rows_ending(ts: Times, ends: Times) -> NDArray[np.int64]:
    """
    Return the row of the bar that ended at each time, or of the first after it; `ts.size` beyond the last.

    A bar is known after its end, so that the last one known at an end is the bar before.
    """
    return np.searchsorted(ts, np.asarray(ends) - bar_step(ts) // 2).astype(np.int64)


def calendar(ts: Times) -> Calendar:
    """
    Group bars by the UTC day they lie in.

    A bar is known after its end, so that the last bar of a day carries a time of the next day: what counts is
    the middle of the bar.
    """
    step = bar_step(ts)
    day = (ts - step // 2) // DAY_NS
    starts = np.concatenate([[0], np.flatnonzero(np.diff(day)) + 1]).astype(np.int64)
    return Calendar(day[starts].astype("datetime64[D]"), starts, int(ts[-1] - ts[0]) + step)


def hedge_ratio(run: RunRecord) -> Floats:
    """Return the held hedge ratio for each bar, shape (n,), NaN without exposure."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(run.exposure_quantity != 0, -run.hedge_quantity / run.exposure_quantity, np.nan)


def mean_notional(run: RunRecord, close: Floats) -> float:
    """Return the mean absolute notional of the exposure, quote currency."""
    return float(np.mean(np.abs(run.exposure_quantity) * close))


def net_daily(run: RunRecord, close: Floats, days: Calendar) -> DailyRun:
    """Net one run to days."""
    ratio = hedge_ratio(run)
    return DailyRun(
        pnl=days.net(run.total_pnl),
        costs=days.net(run.fees + run.slippage + run.funding),
        turnover=days.sum(np.abs(np.diff(run.hedge_quantity, prepend=0.0)) * close),
        hedge_ratio_sum=days.sum(np.nan_to_num(ratio)),
        exposed_bars=days.sum(np.isfinite(ratio).astype(np.float64)),
    )
