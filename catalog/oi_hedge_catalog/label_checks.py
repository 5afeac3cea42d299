"""What can be wrong with the times of open interest, judged by the instrument's own bars."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd

from oi_hedge_catalog.findings import Finding, Severity, when
from oi_hedge_catalog.series import BarSeries, Floats, OpenInterestSeries, Times

LABEL_ROWS = 1000
"""Rows whose changes are compared with volume at a time."""
LAGS = (-2, -1, 0, 1, 2)
MARGIN = 0.08
"""How much better than at its own time a change must fit volume at another."""
PRICE_ROWS = 48
CLEARER = 0.5
DAY_NS = 86_400 * 10**9


def check_against_bars(interest: OpenInterestSeries, bars: BarSeries) -> Iterator[Finding]:
    """
    Compare open interest with bars whose length is its step.

    Open interest changes by trades, so its changes from one row to the next go with the volume between the
    two; where they go with that of the step after, rows are stamped before they were true.
    """
    yield from _check_coverage(interest, bars)
    step = int(bars.bar_type.spec.timedelta.total_seconds()) * 10**9
    yield from _check_volume_lag(interest, bars, step)
    yield from _check_price_lag(interest, bars, step)


def _check_coverage(interest: OpenInterestSeries, bars: BarSeries) -> Iterator[Finding]:
    start, first = int(interest.ts_event[0]), int(bars.ts_event[0])
    if first - start > DAY_NS:
        text = (
            f"open interest begins at {when(start)} but bars at {when(first)}: "
            f"{(first - start) // DAY_NS} days without a price"
        )
        yield Finding(Severity.WARNING, "coverage", interest.identifier, "ts_event", text, 0, start)


def _check_volume_lag(interest: OpenInterestSeries, bars: BarSeries, step: int) -> Iterator[Finding]:
    """Find spans in which changes fit the volume of another step better than that of their own."""
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.abs(np.diff(np.log(np.where(interest.quantity > 0, interest.quantity, np.nan))))
    regular = (np.diff(interest.ts_event) == step) & np.isfinite(change)
    times, change = interest.ts_event[1:][regular], change[regular]
    lags = np.array(
        [_best_lag(times[part], change[part], bars, step) for part in _parts(len(times))], np.int64
    )
    for start, end in _runs(lags):
        parts = _parts(len(times))
        first, last = int(times[parts[start].start]), int(times[parts[end - 1].stop - 1])
        text = _lag_text(int(lags[start])) + f" from {when(first)} to {when(last)} (correlation with volume)"
        yield _label_finding(interest, first, text, parts[end - 1].stop - parts[start].start)


def _parts(rows: int) -> list[slice]:
    """Return slices of at least `LABEL_ROWS` rows, none if there are fewer."""
    count = rows // LABEL_ROWS
    edges = [number * LABEL_ROWS for number in range(count)]
    return [slice(start, end) for start, end in zip(edges, [*edges[1:], rows], strict=True)]


def _best_lag(times: Times, change: Floats, bars: BarSeries, step: int) -> int:
    """Return the lag in steps whose volume the changes fit clearly better than that of their own, or 0."""
    fits = {}
    rank = pd.Series(change).rank()
    for lag in LAGS:
        place = np.searchsorted(bars.ts_event, times + lag * step)
        place = np.minimum(place, len(bars) - 1)
        found = bars.ts_event[place] == times + lag * step
        if found.sum() < LABEL_ROWS // 2:
            return 0
        volume = pd.Series(np.where(found, bars.volume[place], np.nan))
        fits[lag] = float(rank.where(volume.notna()).corr(volume.rank()))
    best = max(LAGS, key=lambda lag: fits[lag] if np.isfinite(fits[lag]) else -1.0)
    return best if fits[best] - fits[0] > MARGIN else 0


def _runs(lags: Times) -> Iterator[tuple[int, int]]:
    """Yield the bounds of runs of one lag other than 0."""
    edges = [0, *(np.flatnonzero(np.diff(lags)) + 1).tolist(), len(lags)]
    for start, end in pairwise(edges):
        if start < end and lags[start]:
            yield start, end


def _check_price_lag(interest: OpenInterestSeries, bars: BarSeries, step: int) -> Iterator[Finding]:
    """Find that the price within open interest, notional over quantity, is that of another time."""
    with np.errstate(divide="ignore", invalid="ignore"):
        price = np.log(interest.notional_usd / interest.quantity)
    for part in _parts(len(price)) or [slice(0, len(price))]:
        spread = {lag: _spread(interest.ts_event[part] + lag * step, price[part], bars) for lag in (-1, 0, 1)}
        best = min(spread, key=lambda lag: spread[lag])
        if best and spread[best] < CLEARER * spread[0]:
            first = int(interest.ts_event[part.start])
            text = _lag_text(best) + f" from {when(first)} on (price within it)"
            yield _label_finding(interest, first, text, part.stop - part.start)
            return


def _spread(times: Times, price: Floats, bars: BarSeries) -> float:
    """Return how far `price` scatters around the closes at `times`, infinite where too few are known."""
    place = np.minimum(np.searchsorted(bars.ts_event, times), len(bars) - 1)
    with np.errstate(divide="ignore"):
        ratio = price - np.log(bars.close[place])
    known = (bars.ts_event[place] == times) & np.isfinite(ratio)
    if known.sum() < PRICE_ROWS:
        return np.inf
    return float(np.median(np.abs(ratio[known] - np.median(ratio[known]))))


def _lag_text(lag: int) -> str:
    steps = "one step" if abs(lag) == 1 else f"{abs(lag)} steps"
    if lag > 0:
        return f"rows are stamped {steps} before they were true, a look-ahead,"
    return f"rows are stamped {steps} after they were true"


def _label_finding(interest: OpenInterestSeries, time_ns: int, text: str, count: int) -> Finding:
    row = int(np.searchsorted(interest.ts_event, time_ns))
    return Finding(
        Severity.WARNING, "label_shift", interest.identifier, "ts_event", text, row, time_ns, count
    )
