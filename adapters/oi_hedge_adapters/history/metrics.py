"""Daily ``metrics`` files of Binance's archive: open interest every five minutes, and what its labels mean.

A file does not say whether ``create_time`` is the start or the end of the five minutes at whose end the
snapshot was taken, and the archive has had both. Where five-minute bars of the day are at hand, the price in
the snapshot (value over quantity) decides: it was the market's at one of the two times. Otherwise the span
of the labels does: a day from 00:05 to 00:00 of the next is labelled by the end. What is left is taken as the
start, with which no snapshot is known before it was taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
import pyarrow as pa

from oi_hedge_adapters.history.archive_csv import read_zip, to_ns
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.series import BarSeries, Floats, Times

STEP_NS = 300 * 10**9
DAY_NS = 86_400 * 10**9
ROWS = DAY_NS // STEP_NS
LATEST_NS = 60 * 10**9
"""Labels up to this late are late stamps of the right five minutes, as on 2024-04-03."""
_NUMBERS = ("sum_open_interest", "sum_open_interest_value", "count_long_short_ratio")
_CLEARER = 0.7
"""How much smaller the price error of one reading must be than the other's to decide."""
_ENOUGH = 24


class Label(StrEnum):
    """What ``create_time`` is of the five minutes at whose end the snapshot was taken."""

    START = "start"
    END = "end"


class Reason(StrEnum):
    """How a file's label was found out."""

    GIVEN = "as given"
    PRICE = "verified by price"
    SPAN = "from the span of the labels"
    NEIGHBOUR = "as the day before"
    CAUTION = "by caution"


@dataclass(frozen=True)
class Day:
    """
    One file, rows on the five-minute grid in the order of time, with their labels as they are.

    Attributes
    ----------
    date : date
        The day in the file's name.
    label_ns : ndarray of int64, shape (rows,)
        UNIX nanoseconds, whole five minutes.
    quantity, value : ndarray of float64, shape (rows,)
        ``sum_open_interest`` and ``sum_open_interest_value``.
    ratio : ndarray of float64, shape (rows,)
        ``count_long_short_ratio``, long over short accounts; NaN where empty.
    left_out : dict of str to int
        Rows that were not taken, by reason.
    last : str
        Time of the last label.
    """

    date: date
    label_ns: Times
    quantity: Floats
    value: Floats
    ratio: Floats
    left_out: dict[str, int] = field(default_factory=dict)
    last: str = ""

    @property
    def start_ns(self) -> int:
        """UNIX nanoseconds of the day's beginning."""
        return day_ns(self.date)


def day_ns(day: date) -> int:
    """Return UNIX nanoseconds of the beginning of a day, UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 10**9


def read_day(path: Path, day: date, symbol: str) -> Day:
    """
    Read the file of one day.

    Rows are sorted, late stamps are put on the grid, and equal duplicates dropped. Rows of another day, off
    the grid, empty, zero, or there twice with different values are left out and counted.

    Raises
    ------
    DataError
        If the file is damaged or about another symbol.
    """
    table = read_zip(path, ("create_time", "symbol"), _NUMBERS)
    _require_symbol(path, table, symbol)
    time = to_ns(path, table["create_time"])
    quantity, value, ratio = (
        table[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in _NUMBERS
    )
    last = _clock(int(time.max())) if len(time) else ""
    grid = time // STEP_NS * STEP_NS
    first = day_ns(day)
    inside = (grid >= first) & (grid <= first + DAY_NS)
    if (grid == first).any():
        inside &= grid < first + DAY_NS
    reasons = {
        "of another day": ~inside,
        "off the 5-minute grid": time - grid > LATEST_NS,
        "empty": np.isnan(quantity),
        "zero": quantity == 0,
    }
    left_out, keep = {}, np.ones(len(time), bool)
    for reason, rows in reasons.items():
        left_out[reason] = int((keep & rows).sum())
        keep &= ~rows
    order = np.flatnonzero(keep)
    order = order[np.argsort(grid[order], kind="stable")]
    label, quantity, value, ratio = grid[order], quantity[order], value[order], ratio[order]
    unique, conflicts = _settle_duplicates(label, quantity, value)
    left_out["there twice with different values"] = conflicts
    left_out["there twice"] = len(label) - conflicts - int(unique.sum())
    return Day(day, label[unique], quantity[unique], value[unique], ratio[unique], left_out, last)


def _require_symbol(path: Path, table: pa.Table, symbol: str) -> None:
    for found in table["symbol"].unique().to_pylist():
        if found != symbol:
            raise DataError(f"{path}: expected rows of {symbol}, found {found}; delete the file")


def _settle_duplicates(label: Times, quantity: Floats, value: Floats) -> tuple[np.ndarray, int]:
    """Return which rows to keep, one of equal ones, and how many were dropped because they differ."""
    if not len(label):
        return np.zeros(0, bool), 0
    first = np.concatenate([[True], label[1:] != label[:-1]])
    group = np.cumsum(first) - 1
    leader = np.flatnonzero(first)[group]
    differs = (quantity != quantity[leader]) | ((value != value[leader]) & ~np.isnan(value))
    bad = np.isin(group, group[differs])
    return first & ~bad, int(bad.sum())


def _clock(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%H:%M")


def label_days(
    days: Sequence[Day], prices: Sequence[Floats], bars: BarSeries | None, given: Label | None = None
) -> list[tuple[Label, Reason]]:
    """
    Find what the labels of each day mean.

    Parameters
    ----------
    days : sequence of Day
        In the order of time.
    prices : sequence of ndarray, shape (rows,)
        USD a coin in each row of each day, NaN where the file has none.
    bars : BarSeries, optional
        Five-minute bars of the instrument to compare the prices with.
    given : Label, optional
        What the user says they mean.
    """
    found: list[tuple[Label, Reason]] = []
    for day, price in zip(days, prices, strict=True):
        if given is not None:
            found.append((given, Reason.GIVEN))
            continue
        label = label_by_price(day, price, bars) if bars is not None else None
        if label is not None:
            found.append((label, Reason.PRICE))
        elif (label := label_by_span(day)) is not None:
            found.append((label, Reason.SPAN if label is Label.END else Reason.CAUTION))
        elif found:
            found.append((found[-1][0], Reason.NEIGHBOUR))
        else:
            found.append((Label.START, Reason.CAUTION))
    return found


def label_by_span(day: Day) -> Label | None:
    """Return the label that the first and last time allow, none where the file lacks both ends of the day."""
    if day.start_ns in day.label_ns:
        return Label.START
    return Label.END if day.start_ns + DAY_NS in day.label_ns else None


def label_by_price(day: Day, price: Floats, bars: BarSeries) -> Label | None:
    """
    Return the label with which the prices of a day fit the bars, none where neither fits clearly better.

    The snapshot of a row labelled T was taken at T if T is the end, and the market's price was the open of
    the bar that begins at T; five minutes later, the close of that bar, if T is the start. The mark price
    that Binance values open interest with keeps a distance from the traded one, so each reading is judged by
    the spread of the log ratio around its median.
    """
    opened = bars.ts_event - STEP_NS
    near = np.flatnonzero((opened >= day.start_ns) & (opened <= day.start_ns + DAY_NS))
    _, rows, at = np.intersect1d(day.label_ns, opened[near], return_indices=True)
    at = near[at]
    known = np.isfinite(price[rows]) & (price[rows] > 0) & (bars.open[at] > 0) & (bars.close[at] > 0)
    rows, at = rows[known], at[known]
    if len(rows) < _ENOUGH:
        return None
    as_end = _spread(np.log(price[rows] / bars.open[at]))
    as_start = _spread(np.log(price[rows] / bars.close[at]))
    if as_end < _CLEARER * as_start:
        return Label.END
    return Label.START if as_start < _CLEARER * as_end else None


def _spread(values: Floats) -> float:
    return float(np.median(np.abs(values - np.median(values))))
