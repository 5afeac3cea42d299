"""History of one instrument in pages through ccxt, to fill a look-back before the first forecast."""

from decimal import Decimal
from itertools import count
from typing import Any

import numpy as np
from nautilus_trader.model.data import FundingRateUpdate
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_adapters import normalise
from oi_hedge_adapters.connection import RefusedError, VenueConnection
from oi_hedge_adapters.normalise import Reading
from oi_hedge_adapters.settlements import settled_minutes
from oi_hedge_adapters.venues import Feed, History, Unit, VenueRow
from oi_hedge_catalog.types import LongShortRatio, OpenInterestUpdate

TIMEFRAME = "1h"
_MINUTES = {"5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "12h": 720, "1d": 1440}
_STEPS_MS = {name: minutes * 60_000 for name, minutes in _MINUTES.items()}
_MILLISECOND_NS = 1_000_000
_MINUTE_NS = 60 * 10**9
_HOUR_MS = 3_600_000
_DAY_NS = 86_400 * 10**9
_FUNDING_PAGE = 100


async def open_interest_history(
    connection: VenueConnection,
    row: VenueRow,
    instrument_id: InstrumentId,
    start_ns: int,
    end_ns: int,
    timeframe: str = TIMEFRAME,
) -> list[OpenInterestUpdate]:
    """
    Return the open interest with `start_ns` <= `ts_event` and `ts_init` <= `end_ns`, in order of time.

    Raises
    ------
    RefusedError
        If the venue has no history, or not in steps of `timeframe`.
    UnreachableError, PayloadError
        If a page cannot be had or is not what the venue documents.
    """
    history = require_history(row, Feed.OPEN_INTEREST, timeframe)
    symbol = row.ccxt_symbol(instrument_id)
    market = await connection.market(symbol)
    size = market.get("contractSize")
    shift = _STEPS_MS[timeframe] * _MILLISECOND_NS if history.labels_start else 0
    found: dict[int, OpenInterestUpdate] = {}
    for since, until in _pages(row, timeframe, start_ns - shift, end_ns):
        bounds: dict[str, Any] = {} if history.pages_backward else {"until": until}
        first = None if history.pages_backward else since
        page = await connection.call_patiently(
            "fetch_open_interest_history", symbol, timeframe, first, history.page_size, bounds
        )
        prices = await _opens(connection, row, symbol, timeframe, since)
        for entry in page:
            time_ns = int(entry["timestamp"]) * _MILLISECOND_NS
            known = time_ns + shift + round(row.publication_lag_secs * 1e9)
            reading = Reading(
                row,
                instrument_id,
                entry["info"],
                known,
                contract_size=float(size) if size else None,
                price=prices.get(time_ns),
                time_ns=time_ns,
            )
            update = normalise.open_interest(reading)
            if shift:
                event = update.ts_event + shift
                update = OpenInterestUpdate(instrument_id, update.quantity, update.notional_usd, event, known)
            if start_ns <= update.ts_event and update.ts_init <= end_ns:
                found[update.ts_event] = update
    return [found[time] for time in sorted(found)]


def require_history(row: VenueRow, feed: Feed, timeframe: str) -> History:
    """Return the venue's history, or raise `RefusedError` where it has no `feed` in steps of `timeframe`."""
    if row.history is None or feed not in row.history_of:
        raise RefusedError(f"{row.title} has no history of {feed}")
    if timeframe not in row.history.timeframes:
        steps = ", ".join(row.history.timeframes)
        raise RefusedError(f"{row.title} has no history in steps of {timeframe!r}, only of {steps}")
    return row.history


async def long_short_history(
    connection: VenueConnection,
    row: VenueRow,
    instrument_id: InstrumentId,
    start_ns: int,
    end_ns: int,
    timeframe: str = TIMEFRAME,
) -> list[LongShortRatio]:
    """
    Return the long/short ratios with `start_ns` <= `ts_event` and `ts_init` <= `end_ns`, in order of time.

    Raises
    ------
    RefusedError
        If the venue has no history of them, or not in steps of `timeframe`.
    UnreachableError, PayloadError
        If a page cannot be had or is not what the venue documents.
    """
    history, field = require_history(row, Feed.LONG_SHORT, timeframe), row.long_short
    assert field is not None
    symbol = row.ccxt_symbol(instrument_id)
    await connection.market(symbol)
    shift = _STEPS_MS[timeframe] * _MILLISECOND_NS if history.labels_start else 0
    lag = round(row.publication_lag_secs * 1e9)
    step, found = field.steps.get(timeframe, timeframe), {}
    for since, until in _pages(row, timeframe, start_ns - shift, end_ns):
        bounds = dict(zip(field.bounds, (since, until), strict=True)) if field.bounds else {"until": until}
        page = await connection.call_patiently(
            ratio_method(row), symbol, step, since, history.page_size, bounds
        )
        for entry in page:
            ratio = normalise.long_short_ratio(Reading(row, instrument_id, entry["info"], end_ns))
            event = ratio.ts_event + shift
            if start_ns <= event and event + lag <= end_ns:
                found[event] = LongShortRatio(instrument_id, ratio.long_share, event, event + lag)
    return [found[time] for time in sorted(found)]


def ratio_method(row: VenueRow) -> str:
    """Return the ccxt method that gives long/short ratios; Gate has them among its open interest."""
    return "fetch_open_interest_history" if row.ccxt_id == "gate" else "fetch_long_short_ratio_history"


async def funding_history(
    connection: VenueConnection, row: VenueRow, instrument_id: InstrumentId, start_ns: int, end_ns: int
) -> list[FundingRateUpdate]:
    """
    Return the funding that was settled with `start_ns` <= `ts_event` and `ts_init` <= `end_ns`, by time.

    The interval of a rate is found from its distance to its neighbours, see `settled_minutes`.

    Raises
    ------
    RefusedError
        If the venue has no history.
    UnreachableError, PayloadError
        If a page cannot be had or is not what the venue documents.
    """
    if Feed.FUNDING not in row.history_of:
        raise RefusedError(f"{row.title} has no history of funding rates")
    symbol = row.ccxt_symbol(instrument_id)
    await connection.market(symbol)
    rates = await _settlements(connection, row, symbol, start_ns, end_ns)
    times = np.array(sorted(rates), np.int64)
    lag_ns = round(row.publication_lag_secs * 1e9)
    return [
        FundingRateUpdate(
            instrument_id, rates[time], time, time + lag_ns, minutes, time + minutes * _MINUTE_NS
        )
        for time, minutes in zip(times.tolist(), settled_minutes(times, row.funding).tolist(), strict=True)
        if start_ns <= time and time + lag_ns <= end_ns
    ]


async def _settlements(
    connection: VenueConnection, row: VenueRow, symbol: str, start_ns: int, end_ns: int
) -> dict[int, Decimal]:
    """Return the rates by the time of their settlement, UNIX nanoseconds."""
    rates: dict[int, Decimal] = {}

    def keep(page: list[dict[str, Any]]) -> None:
        for entry in page:
            field = row.funding.settled_rate
            rate = entry["info"][field] if field else entry["fundingRate"]
            rates[int(entry["timestamp"]) * _MILLISECOND_NS] = Decimal(str(rate))

    method, size = "fetch_funding_rate_history", _FUNDING_PAGE
    if row.funding.numbers_pages:
        for number in count(1):
            page = await connection.call_patiently(method, symbol, None, size, {"pageNo": number})
            before = len(rates)
            keep(page)
            if len(page) < size or len(rates) == before or min(rates) < start_ns:
                break
        return rates
    for since, until in windows(start_ns, end_ns, (size - 1) * _HOUR_MS):
        bounds = {row.funding.until: until + 1}  # a millisecond more, since some venues leave the ends out
        keep(await connection.call_patiently(method, symbol, since - 1, size, bounds))
    return rates


async def _opens(
    connection: VenueConnection, row: VenueRow, symbol: str, timeframe: str, since: int
) -> dict[int, float]:
    """Return the price at the start of every step, known then, where open interest in USD needs one."""
    if row.history is None or row.open_interest[0].unit is not Unit.USD:
        return {}
    bars = await connection.call_patiently("fetch_ohlcv", symbol, timeframe, since, row.history.page_size)
    return {int(bar[0]) * _MILLISECOND_NS: float(bar[1]) for bar in bars}


def _pages(row: VenueRow, timeframe: str, start_ns: int, end_ns: int) -> list[tuple[int, int]]:
    """Return first and last millisecond of every page, the oldest first."""
    assert row.history is not None
    if row.history.depth_days is not None:
        start_ns = max(start_ns, end_ns - row.history.depth_days * _DAY_NS)
    if row.history.pages_backward:
        return [(start_ns // _MILLISECOND_NS, end_ns // _MILLISECOND_NS)]
    return windows(start_ns, end_ns, _STEPS_MS[timeframe] * row.history.page_size)


def windows(start_ns: int, end_ns: int, length_ms: int) -> list[tuple[int, int]]:
    """Cut a range into windows of `length_ms`; first and last millisecond of each, the oldest first."""
    first, last = start_ns // _MILLISECOND_NS, end_ns // _MILLISECOND_NS
    return [(at, min(at + length_ms - 1, last)) for at in range(first, last + 1, length_ms)]
