"""History from the venues' own interfaces, page by page through ccxt, kept so that a stopped run goes on."""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from nautilus_trader.model.identifiers import InstrumentId
from tqdm import tqdm

from oi_hedge_adapters.connection import RefusedError, UnreachableError, VenueConnection
from oi_hedge_adapters.history.spec import parse_duration
from oi_hedge_adapters.venues import Feed, VenueRow, row_of
from oi_hedge_adapters.warmup import (
    funding_history,
    long_short_history,
    open_interest_history,
    require_history,
)
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.findings import when

_MILLISECOND_NS = 1_000_000
_HOUR_NS = 3600 * 10**9
_DAY_NS = 24 * _HOUR_NS
_FUNDING_WINDOW_NS = 1000 * _HOUR_NS
_BARS = 200
"""Bars a request: no venue gives fewer."""
_EMPTY_ANSWERS = 3
_PATIENCE_SECS = 300.0
"""A venue that asks to wait longer, as for a ban, is not waited for."""

_COIN_VOLUME = (
    *("binance-linear", "binance-inverse", "bybit-linear", "bybit-inverse", "okx-linear", "okx-inverse"),
    *("bitget", "htx", "hyperliquid", "dydx"),
)
"""Rows whose bars ccxt gives with volume in coin, by its source."""
CONTRACT_VOLUME = ("gate",)
"""Rows whose bars ccxt gives with volume in contracts."""

Row = list[Any]


class Kind(StrEnum):
    """What to take."""

    OPEN_INTEREST = "open-interest"
    FUNDING = "funding"
    LONG_SHORT = "long-short"
    BARS = "bars"


_STEPPED = {Kind.OPEN_INTEREST: Feed.OPEN_INTEREST, Kind.LONG_SHORT: Feed.LONG_SHORT}
"""Kinds that come in steps and pages as `VenueRow.history` says."""


@dataclass(frozen=True, kw_only=True)
class RestRequest:
    """
    What to take of one instrument.

    Parameters
    ----------
    instrument_id : InstrumentId
        An instrument of a venue of the table.
    start_ns, end_ns : int
        UNIX nanoseconds; `end_ns` itself is not taken.
    timeframe : str, default "1h"
        Step of open interest and bars, as ccxt names it.
    base_url : str, optional
        Asked in place of the venue's own hosts.
    cache : Path
        Directory of the pages that are complete.
    attempts : int, default 6
        Tries of a page that the venue does not give for the moment.
    backoff_secs : float, default 1
        Pause before the second try, doubled before each further one, with jitter.
    timeout_secs : float, default 30
        Longest time for one request.
    """

    instrument_id: InstrumentId
    start_ns: int
    end_ns: int
    cache: Path
    timeframe: str = "1h"
    base_url: str | None = None
    attempts: int = 6
    backoff_secs: float = 1.0
    timeout_secs: float = 30.0

    @property
    def row(self) -> VenueRow:
        """The venue."""
        return row_of(self.instrument_id)

    @property
    def step_ns(self) -> int:
        """Length of `timeframe`."""
        return parse_duration(self.timeframe.replace("m", "min"))

    @property
    def lag_ns(self) -> int:
        """Publication lag."""
        return round(self.row.publication_lag_secs * 1e9)


@dataclass(frozen=True)
class Pages:
    """Rows of one kind in order of time, the market they are of, and what could not be had."""

    kind: Kind
    rows: list[Row]
    market: dict[str, Any]
    remarks: tuple[str, ...]


def fetch_pages(request: RestRequest, kinds: tuple[Kind, ...]) -> list[Pages]:
    """
    Return the rows of `kinds`, from the cache where pages are complete there, else from the venue.

    A row of open interest is ``[ts_event, ts_init, coins, USD or None]``, of funding ``[ts_event, rate]``, of
    long/short ratios ``[ts_event, ts_init, long share]``, of
    bars ``[open time, open, high, low, close, volume]``; times are UNIX nanoseconds.

    Raises
    ------
    VenueError
        If the venue does not have the kind, the symbol or the step.
    DataError
        If it does not answer, or a page cannot be written.
    """
    return asyncio.run(_fetch(request, kinds))


async def _fetch(request: RestRequest, kinds: tuple[Kind, ...]) -> list[Pages]:
    for kind in kinds:
        _require(request, kind)
    connection = VenueConnection(request.row, request.timeout_secs, request.base_url)
    try:
        symbol = request.row.ccxt_symbol(request.instrument_id)
        market = await _retry(request, lambda: connection.market(symbol))
        return [await _kind(request, kind, connection, market) for kind in kinds]
    finally:
        await connection.close()


def _require(request: RestRequest, kind: Kind) -> None:
    """Raise `RefusedError` if the venue does not have what is asked."""
    row = request.row
    if kind in _STEPPED:
        require_history(row, _STEPPED[kind], request.timeframe)
    if kind is Kind.FUNDING and Feed.FUNDING not in row.history_of:
        raise RefusedError(f"{row.title} has no history of funding rates")
    if kind is Kind.BARS and row.key not in (*_COIN_VOLUME, *CONTRACT_VOLUME):
        raise RefusedError(f"{row.title}: what the volume of its bars counts is not known, so none are taken")


async def _kind(
    request: RestRequest, kind: Kind, connection: VenueConnection, market: dict[str, Any]
) -> Pages:
    """Take one kind, window by window."""
    oldest, remarks = _oldest(request, kind)
    read = {
        Kind.OPEN_INTEREST: _open_interest,
        Kind.FUNDING: _funding,
        Kind.LONG_SHORT: _long_short,
        Kind.BARS: _bars,
    }[kind]
    windows = _windows(request, kind, max(request.start_ns, oldest))

    async def read_page(since: int, until: int) -> list[Row]:
        """Believe that a page is empty when it is so again and again: a broken answer looks the same."""
        for attempt in range(_EMPTY_ANSWERS):
            if attempt:
                await asyncio.sleep(request.backoff_secs)
            if page := await _retry(request, lambda: read(request, connection, since, until)):
                return page
        return []

    rows: dict[int, Row] = {}
    name = f"{request.instrument_id} {kind}"
    for first, last in tqdm(windows, desc=name, unit="page", file=sys.stderr, disable=None, leave=False):
        path = _page_path(request, kind, first, last)
        kept = _load(path)
        page = await read_page(max(first, oldest), last) if kept is None else kept
        over = last + request.step_ns + request.lag_ns < time.time_ns()
        if kept is None and page and over and first >= oldest:
            _save(path, page)
        rows |= {row[0]: row for row in page if request.start_ns <= row[0] < request.end_ns}
    if rows and not remarks and (begin := min(rows)) - request.start_ns > _DAY_NS:
        remarks = (f"{request.row.title} has no {kind} before {when(begin)}",)
    return Pages(kind, [rows[at] for at in sorted(rows)], market, remarks)


def _oldest(request: RestRequest, kind: Kind) -> tuple[int, tuple[str, ...]]:
    """Return the first time that the venue still has, and a remark where that is later than asked."""
    history = request.row.history
    if kind not in _STEPPED or history is None:
        return 0, ()
    if history.pages_backward:
        text = f"{request.row.title} gives its latest {history.page_size} rows of {_STEPPED[kind]} only"
        return 0, (text,)
    if history.depth_days is None:
        return 0, ()
    kept = time.time_ns() - history.depth_days * _DAY_NS
    if kept <= request.start_ns:
        return kept, ()
    text = (
        f"{request.row.title} keeps {history.depth_days} days of {_STEPPED[kind]}: taken from {when(kept)} on"
    )
    return kept, (text,)


def _windows(request: RestRequest, kind: Kind, start: int) -> list[tuple[int, int]]:
    """Return first and last nanosecond of every page, on bounds that do not depend on what was asked."""
    history = request.row.history
    if kind in _STEPPED and history is not None:
        if history.pages_backward:
            return [(request.start_ns, request.end_ns - 1)]
        length = request.step_ns * (history.page_size - 1)
    else:
        length = _FUNDING_WINDOW_NS if kind is Kind.FUNDING else request.step_ns * _BARS
    end = min(request.end_ns, time.time_ns())
    return [(first, first + length - 1) for first in range(start // length * length, end, length)]


async def _open_interest(
    request: RestRequest, connection: VenueConnection, first: int, last: int
) -> list[Row]:
    end = last + request.lag_ns
    identifier, row = request.instrument_id, request.row
    found = await open_interest_history(connection, row, identifier, first, end, request.timeframe)
    return [[each.ts_event, each.ts_init, each.quantity, each.notional_usd] for each in found]


async def _long_short(request: RestRequest, connection: VenueConnection, first: int, last: int) -> list[Row]:
    end = last + request.lag_ns
    identifier, row = request.instrument_id, request.row
    found = await long_short_history(connection, row, identifier, first, end, request.timeframe)
    return [[each.ts_event, each.ts_init, each.long_share] for each in found]


async def _funding(request: RestRequest, connection: VenueConnection, first: int, last: int) -> list[Row]:
    end = min(last, time.time_ns()) + request.lag_ns
    found = await funding_history(connection, request.row, request.instrument_id, first, end)
    return [[each.ts_event, str(each.rate)] for each in found]


async def _bars(request: RestRequest, connection: VenueConnection, first: int, last: int) -> list[Row]:
    symbol = request.row.ccxt_symbol(request.instrument_id)
    since = first // _MILLISECOND_NS
    found = await connection.call("fetch_ohlcv", symbol, request.timeframe, since, _BARS)
    now = time.time_ns()
    rows = [[int(row[0]) * _MILLISECOND_NS, *row[1:6]] for row in found]
    return [row for row in rows if first <= row[0] <= last and row[0] + request.step_ns < now]


async def _retry[T](request: RestRequest, call: Callable[[], Awaitable[T]]) -> T:
    """Call until the venue answers, at most `RestRequest.attempts` times."""
    for attempt in range(request.attempts):
        try:
            return await call()
        except UnreachableError as error:
            if attempt + 1 == request.attempts or error.retry_after > _PATIENCE_SECS:
                times = f"{attempt + 1} attempt" + ("s" if attempt else "")
                raise DataError(
                    f"{error}; gave up after {times}, pages that are complete are kept, run again to go on"
                ) from error
            pause = max(error.retry_after, request.backoff_secs * 2**attempt)
        await asyncio.sleep(pause * random.uniform(1.0, 1.25))
    raise AssertionError("attempts is at least 1")


def _page_path(request: RestRequest, kind: Kind, first: int, last: int) -> Path:
    step = "" if kind is Kind.FUNDING else f"-{request.timeframe}"
    directory = request.cache / request.row.key / str(request.instrument_id) / f"{kind}{step}"
    return directory / f"{first // 10**9}-{last // 10**9}.json"


def _load(path: Path) -> list[Row] | None:
    try:
        return list(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(f"{path} is not a page that was kept ({error}), delete it") from error


def _save(path: Path, page: list[Row]) -> None:
    staged = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged.write_text(json.dumps(page))
        os.replace(staged, path)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise DataError(f"cannot write {path}: {error.strerror}; pages that are complete are kept") from error
