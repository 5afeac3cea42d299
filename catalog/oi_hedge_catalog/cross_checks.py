"""What can be wrong with a series although it looks right alone: venues of one coin against one another."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from oi_hedge_catalog.checks import JUMP, LEVEL_WINDOW
from oi_hedge_catalog.findings import Finding, Severity, when
from oi_hedge_catalog.series import BarSeries, Floats, OpenInterestSeries, Times

FLIPS = (2.0, *(10.0**power for power in range(1, 9)))
FLIP_TOLERANCE = 0.1
"""How far from a factor of `FLIPS` a change against other venues, which move too, may lie."""
FROZEN_ROWS = 4
SHARE_WINDOW = 24
APART = 0.05


def check_venues(
    coin: str, interest: Sequence[OpenInterestSeries], bars: Sequence[BarSeries]
) -> Iterator[Finding]:
    """
    Compare what several venues report of one coin.

    Parameters
    ----------
    coin : str
        The coin, for the messages.
    interest : sequence of OpenInterestSeries
        Open interest of its perpetuals.
    bars : sequence of BarSeries
        Bars of its instruments; those of one length are compared.
    """
    if len(interest) > 1:
        times, values = align(interest)
        for venue, series in enumerate(interest):
            yield from _check_jumps_alone(series, times, values, venue)
            yield from _check_frozen(series, times, values, venue)
        yield from _check_shares(coin, interest, times, values)
    for period in {series.bar_type.spec for series in bars}:
        yield from _check_prices([series for series in bars if series.bar_type.spec == period])


def align(interest: Sequence[OpenInterestSeries]) -> tuple[Times, Floats]:
    """
    Put several series on the grid of the coarsest.

    Returns
    -------
    times : ndarray of int64, shape (rows,)
        UNIX nanoseconds, regular.
    values : ndarray of float64, shape (rows, series)
        The last quantity within a step up to each time; NaN where there was none, or it was not positive.
    """
    step = max(_step(series.ts_event) for series in interest)
    first = min(int(series.ts_event[0]) for series in interest) // step
    last = max(int(series.ts_event[-1]) for series in interest) // step
    times = np.arange(first, last + 2, dtype=np.int64) * step
    values = np.full((len(times), len(interest)), np.nan)
    for column, series in enumerate(interest):
        row = np.searchsorted(series.ts_event, times, side="right") - 1
        fresh = (row >= 0) & (times - series.ts_event[np.maximum(row, 0)] < step)
        quantity = series.quantity[row[fresh]]
        values[fresh, column] = np.where(quantity > 0, quantity, np.nan)
    return times, values


def _step(times: Times) -> int:
    """Return the most frequent distance of rows."""
    if len(times) < 2:
        return 1
    steps, counts = np.unique(np.diff(times), return_counts=True)
    return max(int(steps[np.argmax(counts)]), 1)


def _check_jumps_alone(
    series: OpenInterestSeries, times: Times, values: Floats, venue: int
) -> Iterator[Finding]:
    """Find steps of one venue that the others do not make, over gaps too."""
    rows = np.flatnonzero(np.isfinite(values[:, venue]))
    if len(rows) < 2:
        return
    log = np.log(values[rows])
    others = np.delete(np.diff(log, axis=0), venue, axis=1)
    own = np.diff(log[:, venue])
    known = np.isfinite(others).any(axis=1)
    market = np.zeros(len(own))
    market[known] = np.nanmedian(others[known], axis=1)
    alone = known & (np.abs(own - market) > np.log(1 + JUMP)) & (np.abs(market) < np.abs(own) / 2)
    for at in np.flatnonzero(alone).tolist():
        factor = _lasting_factor(log, venue, at + 1)
        change = (
            f"moves by {np.expm1(own[at]):+.0%} while the other venues move by {np.expm1(market[at]):+.0%}"
        )
        if flip := _nearest_flip(factor):
            text = f"{change}, and stays {factor:.3g} times as high: as if unit or side had changed"
        elif max(factor, 1 / factor) > 1 + JUMP:
            text = f"{change}, and stays {factor:.3g} times as high"
        else:
            text = f"{change}, and comes back"
        yield _finding(
            series, "venue_flip" if flip else "venue_jump", "quantity", text, int(times[rows[at + 1]])
        )


def _lasting_factor(log: Floats, venue: int, row: int) -> float:
    """Return the change at `row` of a venue's level against the others', by medians of the rows around it."""
    split = min(row, LEVEL_WINDOW)
    near = log[row - split : row + LEVEL_WINDOW]
    against = near[:, [venue]] - np.delete(near, venue, axis=1)
    change = _medians(against[split:].T) - _medians(against[:split].T)
    return float(np.exp(_medians(change[None, :])[0]))


def _medians(rows: Floats) -> Floats:
    """Return the median of the finite values of each row, NaN where there is none."""
    medians = np.full(len(rows), np.nan)
    known = np.isfinite(rows).any(axis=1)
    medians[known] = np.nanmedian(rows[known], axis=1)
    return medians


def _nearest_flip(factor: float) -> float | None:
    """Return the factor of a unit or side that `factor`, or its inverse, comes near to."""
    size = max(factor, 1.0 / factor)
    return next((flip for flip in FLIPS if abs(size / flip - 1.0) < FLIP_TOLERANCE), None)


def _check_frozen(series: OpenInterestSeries, times: Times, values: Floats, venue: int) -> Iterator[Finding]:
    """Find runs of one value while every other venue's changes with each row."""
    changed = np.diff(values, axis=0) != 0
    valid = np.isfinite(values[1:]) & np.isfinite(values[:-1])
    others = np.delete(changed & valid, venue, axis=1).all(axis=1)
    frozen = ~changed[:, venue] & valid[:, venue] & others
    edges = np.flatnonzero(np.diff(np.concatenate([[False], frozen, [False]])))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    long = lengths + 1 >= FROZEN_ROWS
    if not long.any():
        return
    longest = int(np.argmax(lengths))
    text = (
        f"does not change for {lengths[longest] + 1} rows from {when(int(times[starts[longest]]))} on "
        f"while every other venue's does ({int(long.sum())} such runs)"
    )
    rows = int((lengths[long] + 1).sum())
    yield _finding(series, "frozen", "quantity", text, int(times[starts[longest]]), rows)


def _check_shares(
    coin: str, interest: Sequence[OpenInterestSeries], times: Times, values: Floats
) -> Iterator[Finding]:
    """Say what part of the total each venue has, and find parts that change within a day for good."""
    rows = np.flatnonzero(np.isfinite(values).all(axis=1))
    if len(rows) < 2 * SHARE_WINDOW:
        return
    shares = values[rows] / values[rows].sum(axis=1, keepdims=True)
    for series, share in zip(interest, shares.T, strict=True):
        span = f"{_percent(share.min())} to {_percent(share.max())}"
        text = f"is {_percent(np.median(share))} of {coin} on {len(interest)} venues (from {span})"
        yield _finding(series, "share", "quantity", text, int(times[rows[0]]), len(rows), Severity.NOTE)
        level = pd.Series(share).rolling(SHARE_WINDOW).median().to_numpy()
        before, after = level[SHARE_WINDOW - 1 : -SHARE_WINDOW], level[2 * SHARE_WINDOW - 1 :]
        odds = np.abs(np.log(after / (1 - after)) - np.log(before / (1 - before)))
        largest = int(np.argmax(odds))
        if odds[largest] > np.log(1 + JUMP):
            at = int(times[rows[largest + SHARE_WINDOW]])
            text = (
                f"moves from {_percent(before[largest])} to {_percent(after[largest])} of {coin} on "
                f"{len(interest)} venues within a day, about {when(at)}"
            )
            yield _finding(series, "share_shift", "quantity", text, at)


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _check_prices(bars: Sequence[BarSeries]) -> Iterator[Finding]:
    """Find prices of one instrument that lie apart from those of two others or more."""
    if len(bars) < 3:
        return
    times = np.unique(np.concatenate([series.ts_event for series in bars]))
    for name in ("low", "high", "close"):
        prices = np.full((len(times), len(bars)), np.nan)
        for column, series in enumerate(bars):
            value = getattr(series, name)
            prices[np.searchsorted(times, series.ts_event), column] = np.where(value > 0, value, np.nan)
        enough = np.isfinite(prices).sum(axis=1) >= 3
        distance = np.log(prices[enough]) - np.log(_medians(prices[enough]))[:, None]
        for column, series in enumerate(bars):
            rows = np.flatnonzero(np.abs(distance[:, column]) > np.log(1 + APART))
            if len(rows):
                largest = rows[np.argmax(np.abs(distance[rows, column]))]
                at = int(times[enough][largest])
                number = "1 bar" if len(rows) == 1 else f"{len(rows)} bars"
                most = f"{when(at)} ({np.expm1(distance[largest, column]):+.0%})"
                text = (
                    f"is more than {APART:.0%} apart from the median of the coin's instruments in {number}, "
                    f"most at {most}"
                )
                yield _finding(series, "apart", name, text, at, len(rows))


def _finding(
    series: OpenInterestSeries | BarSeries,
    code: str,
    field: str,
    text: str,
    time_ns: int,
    count: int = 1,
    severity: Severity = Severity.WARNING,
) -> Finding:
    row = int(np.searchsorted(series.ts_event, time_ns))
    place = f" at {when(time_ns)}," if code in ("venue_flip", "venue_jump") else ""
    return Finding(severity, code, series.identifier, field, f"{field}{place} {text}", row, time_ns, count)
