"""What can be wrong with a series, one function a defect; `quality` runs them."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from oi_hedge_catalog.findings import Finding, Severity, duration, when
from oi_hedge_catalog.input_series import OptionsSeries, WalletSeries
from oi_hedge_catalog.positioning import LiquidationSeries, LongShortSeries
from oi_hedge_catalog.premium import PremiumSeries
from oi_hedge_catalog.series import BarSeries, Floats, FundingSeries, OpenInterestSeries, Series, Times

LEVEL_WINDOW = 12
"""Rows before and after a jump whose medians tell a lasting change from a spike."""
VOLUME_WINDOW = 168
VOLUME_FACTOR = 20.0
JUMP = 0.5
FLIP_TOLERANCE = 0.03
STALE_ROWS = 24
ABSURD_FUNDING = 0.05
ABSURD_PREMIUM = 0.05
_FLIPS = (2.0, *(10.0**power for power in range(1, 9)))


def check_times(series: Series, now_ns: int) -> Iterator[Finding]:
    """Find times out of order, in the future, or known before they happened."""
    disorder = np.flatnonzero(np.diff(series.ts_init) <= 0) + 1
    if len(disorder):
        yield _at(
            series, disorder, Severity.ERROR, "order", "ts_init", "does not increase from the row before"
        )
    early = np.flatnonzero(series.ts_init < series.ts_event)
    if len(early):
        yield _at(series, early, Severity.ERROR, "look_ahead", "ts_init", "is before the value was true")
    future = np.flatnonzero(series.ts_event > now_ns)
    if len(future):
        yield _at(series, future, Severity.ERROR, "future", "ts_event", "lies in the future")


def gaps(times: Times, step_ns: int) -> npt.NDArray[np.intp]:
    """Return the rows after which at least one step is missing."""
    return np.flatnonzero(np.diff(times) >= 2 * step_ns)


def check_gaps(series: Series, step_ns: int) -> Iterator[Finding]:
    """Find missing rows, given the regular step."""
    rows = gaps(series.ts_event, step_ns)
    if not len(rows):
        return
    missing = np.diff(series.ts_event)[rows] // step_ns - 1
    longest = rows[np.argsort(missing, kind="stable")[::-1][:5]]
    spans = ", ".join(
        f"{duration(int(gap) * step_ns)} after {when(int(series.ts_event[row]))}"
        for row, gap in zip(longest, np.sort(missing)[::-1][:5], strict=True)
    )
    number = "1 gap" if len(rows) == 1 else f"{len(rows)} gaps"
    yield Finding(
        Severity.WARNING,
        "gap",
        series.identifier,
        "ts_event",
        f"{number}, {int(missing.sum())} rows missing; longest: {spans}",
        int(longest[0]),
        int(series.ts_event[longest[0]]),
        len(rows),
    )


def check_finite(series: Series) -> Iterator[Finding]:
    """Find values that are no numbers, other than a notional that was not known."""
    for name, values in series.values().items():
        rows = np.flatnonzero(np.isinf(values) | (np.isnan(values) & (name != "notional_usd")))
        if len(rows):
            yield _at(series, rows, Severity.ERROR, "not_a_number", name, "is not a number")


def check_open_interest(series: OpenInterestSeries) -> Iterator[Finding]:
    """Find open interest that is zero, negative, frozen, or of another unit or side than before."""
    negative = np.flatnonzero(series.quantity < 0)
    if len(negative):
        yield _at(series, negative, Severity.ERROR, "negative", "quantity", "is negative")
    zero = np.flatnonzero(series.quantity == 0)
    if len(zero):
        yield _at(series, zero, Severity.WARNING, "zero", "quantity", "is zero")
    yield from _check_stale(series, "quantity", series.quantity)
    yield from _check_jumps(series, "quantity", series.quantity)


def check_funding(series: FundingSeries) -> Iterator[Finding]:
    """Find rates beyond any venue's cap."""
    rows = np.flatnonzero(np.abs(series.rate) > ABSURD_FUNDING)
    if len(rows):
        text = f"is beyond ±{ABSURD_FUNDING:.0%} an interval ({series.rate[rows[0]]:.4%})"
        yield _at(series, rows, Severity.WARNING, "absurd_funding", "rate", text)


def check_bars(series: BarSeries) -> Iterator[Finding]:
    """Find impossible bars, violent moves, dead stretches and changes of the unit of price or volume."""
    prices = np.stack([series.open, series.high, series.low, series.close])
    lowest = prices.min(axis=0)
    rows = np.flatnonzero(lowest <= 0)
    if len(rows):
        yield _at(series, rows, Severity.ERROR, "price", "low", "has a price that is not positive")
    rows = np.flatnonzero(prices.max(axis=0) > series.high)
    if len(rows):
        yield _at(series, rows, Severity.ERROR, "high", "high", "is below the open, low or close")
    rows = np.flatnonzero(lowest < series.low)
    if len(rows):
        yield _at(series, rows, Severity.ERROR, "low", "low", "is above the open, high or close")
    rows = np.flatnonzero(series.volume < 0)
    if len(rows):
        yield _at(series, rows, Severity.ERROR, "negative", "volume", "is negative")
    rows = np.flatnonzero(series.volume == 0)
    if len(rows):
        yield _at(series, rows, Severity.WARNING, "no_trade", "volume", "is zero: a halt, or nothing traded")
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.flatnonzero(series.high > series.low * (1 + JUMP))
    if len(spread):
        text = f"is more than {JUMP:.0%} above the low of the same bar"
        yield _at(series, spread, Severity.WARNING, "violent_bar", "high", text)
    yield from _check_jumps(series, "close", series.close)
    yield from _check_stale(series, "close", np.where(series.high == series.low, series.close, np.nan))
    yield from _check_volume_level(series)


def check_options(series: OptionsSeries) -> Iterator[Finding]:
    """Find prices and options that cannot be, moments without options, and changes of unit."""
    rows = np.flatnonzero(series.underlying_price <= 0)
    if len(rows):
        yield _at(series, rows, Severity.ERROR, "price", "underlying_price", "is not positive")
    for name, zero in (("strike", True), ("quantity", False)):
        lowest = np.array([options[name].min(initial=np.inf) for options in series.chain], np.float64)
        rows = np.flatnonzero(lowest <= 0.0 if zero else lowest < 0.0)
        if len(rows):
            text = "is not positive" if zero else "is negative"
            yield _at(series, rows, Severity.ERROR, "negative", name, text)
    total = series.call_quantity + series.put_quantity
    rows = np.flatnonzero(total == 0)
    if len(rows):
        yield _at(series, rows, Severity.WARNING, "zero", "quantity", "is zero for all options")
    yield from _check_jumps(series, "quantity", total)
    yield from _check_stale(series, "quantity", total)


def check_wallets(series: WalletSeries) -> Iterator[Finding]:
    """Find shares outside their range and changes of the unit of the balances."""
    rows = np.flatnonzero(series.total <= 0)
    if len(rows):
        yield _at(series, rows, Severity.ERROR, "negative", "total", "is not positive")
    for name in ("top_share", "herfindahl", "gini"):
        values = getattr(series, name)
        rows = np.flatnonzero((values < 0.0) | (values > 1.0 + 1e-9))
        if len(rows):
            yield _at(series, rows, Severity.ERROR, "share", name, "is not between 0 and 1")
    rows = np.flatnonzero(np.diff(series.addresses) != 0) + 1
    if len(rows):
        text = "changes: the set of addresses is another one, so the figures do not compare"
        yield _at(series, rows, Severity.WARNING, "address_set", "addresses", text)
    yield from _check_jumps(series, "total", series.total)


def check_long_short(series: LongShortSeries) -> Iterator[Finding]:
    """Find shares outside their range."""
    rows = np.flatnonzero((series.long_share < 0.0) | (series.long_share > 1.0))
    if len(rows):
        yield _at(series, rows, Severity.ERROR, "share", "long_share", "is not between 0 and 1")


def check_premium(series: PremiumSeries) -> Iterator[Finding]:
    """Find premiums beyond anything that arbitrage would leave, and a venue that repeats one."""
    rows = np.flatnonzero(np.abs(series.premium) > ABSURD_PREMIUM)
    if len(rows):
        text = f"is beyond ±{ABSURD_PREMIUM:.0%} ({series.premium[rows[0]]:.2%})"
        yield _at(series, rows, Severity.WARNING, "absurd_premium", "premium", text)
    yield from _check_stale(series, "premium", series.premium)


def check_liquidations(series: LiquidationSeries) -> Iterator[Finding]:
    """Find quantities below zero and prices that are none."""
    for name in ("long_quantity", "short_quantity"):
        rows = np.flatnonzero(getattr(series, name) < 0.0)
        if len(rows):
            yield _at(series, rows, Severity.ERROR, "negative", name, "is below zero")
    rows = np.flatnonzero(series.price <= 0.0)
    if len(rows):
        yield _at(series, rows, Severity.ERROR, "negative", "price", "is not positive")


def _check_jumps(series: Series, name: str, values: Floats) -> Iterator[Finding]:
    """Find steps over `JUMP` between neighbours, and say which look like a change of unit or side."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = values[1:] / values[:-1]
    rows = np.flatnonzero((ratio > 1 + JUMP) | (ratio < 1 / (1 + JUMP))) + 1
    rows = rows[np.isfinite(ratio[rows - 1]) & (ratio[rows - 1] > 0)]
    if not len(rows):
        return
    flips = [row for row in rows.tolist() if _is_flip(values, row)]
    for row in flips:
        factor = _level(values, row)
        text = f"changes level by a factor of {factor:.4g} for good, as if unit or side had changed"
        yield _at(series, np.array([row]), Severity.WARNING, "unit_flip", name, text)
    plain = [row for row in rows.tolist() if row not in flips]
    if plain:
        size = np.abs(np.log(ratio[np.array(plain) - 1]))
        largest = np.array(plain)[np.argsort(size, kind="stable")[::-1][:5]]
        text = "; ".join(f"{ratio[row - 1] - 1:+.0%} at {when(int(series.ts_event[row]))}" for row in largest)
        message = f"moves by a factor of more than {1 + JUMP} from one row to the next: {text}"
        yield _at(series, largest[:1], Severity.WARNING, "jump", name, message, len(plain))


def _level(values: Floats, row: int) -> float:
    """Return the median after `row` over the median before it."""
    before = values[max(0, row - LEVEL_WINDOW) : row]
    after = values[row : row + LEVEL_WINDOW]
    return float(np.median(after) / np.median(before))


def _is_flip(values: Floats, row: int) -> bool:
    """Return whether the step at `row` lasts and is near a factor that a unit or side would make."""
    before = values[max(0, row - LEVEL_WINDOW) : row]
    after = values[row : row + LEVEL_WINDOW]
    if min(len(before), len(after)) < LEVEL_WINDOW or before.min() <= 0 or after.min() <= 0:
        return False
    calm = max(np.ptp(np.log(before)), np.ptp(np.log(after))) < np.log(1 + JUMP)
    factor = _level(values, row)
    factor = max(factor, 1 / factor)
    return bool(calm and any(abs(factor / flip - 1) < FLIP_TOLERANCE * np.log2(2 * flip) for flip in _FLIPS))


def _check_stale(series: Series, name: str, values: Floats) -> Iterator[Finding]:
    """Find runs of at least `STALE_ROWS` equal values; NaN ends a run."""
    starts = (
        np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
        if len(values)
        else np.array([], int)
    )
    lengths = np.diff(np.append(starts, len(values)))
    long = lengths >= STALE_ROWS
    if long.any():
        longest = int(np.argmax(lengths))
        text = f"does not change for {lengths[longest]} rows ({int(long.sum())} such runs)"
        yield _at(series, starts[[longest]], Severity.WARNING, "stale", name, text, int(lengths[long].sum()))


def _check_volume_level(series: BarSeries) -> Iterator[Finding]:
    """Find the largest lasting change of volume by `VOLUME_FACTOR`: contracts taken for coins, say."""
    if len(series) < 2 * VOLUME_WINDOW:
        return
    trailing = pd.Series(series.volume).rolling(VOLUME_WINDOW).median().to_numpy()
    before, after = trailing[VOLUME_WINDOW - 1 : -VOLUME_WINDOW], trailing[2 * VOLUME_WINDOW - 1 :]
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.abs(np.log(after / before))
    change[~np.isfinite(change)] = 0.0
    if change.max() > np.log(VOLUME_FACTOR):
        row = int(np.median(np.flatnonzero(change > 0.99 * change.max()))) + VOLUME_WINDOW
        factor = after[row - VOLUME_WINDOW] / before[row - VOLUME_WINDOW]
        text = f"changes level by a factor of {factor:.3g} within a week, as if the unit had changed"
        yield _at(series, np.array([row]), Severity.WARNING, "volume_level", "volume", text)


def _at(
    series: Series,
    rows: npt.NDArray[np.intp],
    severity: Severity,
    code: str,
    field: str,
    text: str,
    count: int | None = None,
) -> Finding:
    row = int(rows[0])
    time_ns = int(series.ts_event[row])
    number = len(rows) if count is None else count
    more = f" ({number} such rows, the first here)" if count is None and number > 1 else ""
    message = f"{field} {text}" if code == "jump" else f"{field} at row {row}, {when(time_ns)}, {text}{more}"
    return Finding(severity, code, series.identifier, field, message, row, time_ns, number)
