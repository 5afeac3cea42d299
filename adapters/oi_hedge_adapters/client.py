"""The live data client: open interest, funding, ratios, liquidations and status of every venue."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import LiveClock, MessageBus
from nautilus_trader.common.providers import InstrumentProvider
from nautilus_trader.core.data import Data
from nautilus_trader.core.datetime import dt_to_unix_nanos
from nautilus_trader.data.messages import (
    RequestData,
    RequestFundingRates,
    SubscribeData,
    SubscribeFundingRates,
    SubscribeInstrumentStatus,
    UnsubscribeData,
    UnsubscribeFundingRates,
    UnsubscribeInstrumentStatus,
)
from nautilus_trader.live.data_client import LiveMarketDataClient
from nautilus_trader.model.data import CustomData, DataType, FundingRateUpdate, InstrumentStatus
from nautilus_trader.model.identifiers import ClientId, InstrumentId, Venue

from oi_hedge_adapters.config import OpenInterestClientConfig
from oi_hedge_adapters.connection import UNEXPECTED, VenueConnection
from oi_hedge_adapters.feed import Pace, VenueFeed
from oi_hedge_adapters.feed_status import FeedStatus
from oi_hedge_adapters.readers import InstrumentReader
from oi_hedge_adapters.unlisted import UNLISTED, unlisted_reading
from oi_hedge_adapters.venues import Feed, VenueError, VenueRow, row_of
from oi_hedge_adapters.warmup import (
    TIMEFRAME,
    funding_history,
    long_short_history,
    open_interest_history,
)
from oi_hedge_catalog.types import CatalogData, LiquidationRecord, LongShortRatio, OpenInterestUpdate

STATUS = "status"
_FEEDS: dict[type, str] = {
    OpenInterestUpdate: Feed.OPEN_INTEREST,
    FundingRateUpdate: Feed.FUNDING,
    LongShortRatio: Feed.LONG_SHORT,
    LiquidationRecord: Feed.LIQUIDATIONS,
    InstrumentStatus: STATUS,
}
_HISTORIES: dict[type, Callable[..., Awaitable[list[Any]]]] = {
    OpenInterestUpdate: open_interest_history,
    LongShortRatio: long_short_history,
}
_CHECK_SECS = 1.0
_LOOK_BACK_NS = 30 * 86_400 * 10**9
_SLOW_DATA_SECS = 900.0
"""Ratios are five-minute figures that come minutes late: they are not stale before that."""

Key = tuple[str, InstrumentId]


class OpenInterestDataClient(LiveMarketDataClient):
    """
    Nautilus data client for what the official adapters leave out, one class for all venues.

    It runs beside the official adapter of a venue under a name of its own and is asked by that client id. It
    reads websockets where ccxt has them and polls elsewhere, within ccxt's rate limits.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        The event loop.
    name : str
        Client id, ``OI``.
    msgbus, cache, clock
        Nautilus's.
    config : OpenInterestClientConfig
        The configuration.

    Raises
    ------
    ConfigError
        If `config` is wrong.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        name: str,
        msgbus: MessageBus,
        cache: Cache,
        clock: LiveClock,
        config: OpenInterestClientConfig,
    ) -> None:
        config.check()
        super().__init__(
            loop=loop,
            client_id=ClientId(name),
            venue=Venue(name),
            msgbus=msgbus,
            cache=cache,
            clock=clock,
            instrument_provider=InstrumentProvider(),
            config=config,
        )
        self._settings = config
        self._connections: dict[str, VenueConnection] = {}
        self._readers: dict[InstrumentId, InstrumentReader] = {}
        self._wanted: set[Key] = set()
        self._feeds: dict[Key, VenueFeed] = {}
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._watchdog: asyncio.Task[None] | None = None

    @property
    def feeds(self) -> dict[Key, VenueFeed]:
        """The running feeds by name and instrument, for what they count."""
        return dict(self._feeds)

    async def _connect(self) -> None:
        self._watchdog = self._loop.create_task(self._watch(), name="feed watchdog")

    async def _disconnect(self) -> None:
        tasks = [*self._running.values()] + ([self._watchdog] if self._watchdog else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()
        self._feeds.clear()
        self._readers.clear()
        self._wanted.clear()
        closing = [connection.close() for connection in self._connections.values()]
        self._connections.clear()
        await asyncio.gather(*closing, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(_CHECK_SECS, self._settings.stale_after_secs / 4))
            for feed in list(self._feeds.values()):
                feed.check()

    # Subscriptions

    async def _subscribe(self, command: SubscribeData) -> None:
        kind = command.data_type.type
        if kind is FeedStatus:
            return
        if kind in UNLISTED and command.instrument_id is not None:
            self._open_unlisted(kind, command.instrument_id)
            return
        if kind not in _FEEDS or command.instrument_id is None:
            known = ", ".join(each.__name__ for each in (*_FEEDS, *UNLISTED))
            self._log.error(f"{self.id} has {known} of one instrument each, not {command.data_type}")
            return
        self._open_feed(_FEEDS[kind], command.instrument_id)

    async def _subscribe_funding_rates(self, command: SubscribeFundingRates) -> None:
        self._open_feed(Feed.FUNDING, command.instrument_id)

    async def _subscribe_instrument_status(self, command: SubscribeInstrumentStatus) -> None:
        self._open_feed(STATUS, command.instrument_id)

    async def _unsubscribe(self, command: UnsubscribeData) -> None:
        if command.data_type.type in UNLISTED and command.instrument_id is not None:
            await self._stop_feed((UNLISTED[command.data_type.type], command.instrument_id))
        if command.data_type.type in _FEEDS and command.instrument_id is not None:
            await self._close_feed(_FEEDS[command.data_type.type], command.instrument_id)

    async def _unsubscribe_funding_rates(self, command: UnsubscribeFundingRates) -> None:
        await self._close_feed(Feed.FUNDING, command.instrument_id)

    async def _unsubscribe_instrument_status(self, command: UnsubscribeInstrumentStatus) -> None:
        await self._close_feed(STATUS, command.instrument_id)

    def _open_feed(self, name: str, instrument_id: InstrumentId) -> None:
        try:
            row = row_of(instrument_id)
            reader = self._reader(row, instrument_id)
            if name != STATUS:
                reader.offers(Feed(name))
        except VenueError as error:
            now = self._clock.timestamp_ns()
            self._log.error(str(error))
            self._emit(FeedStatus(instrument_id, name, True, str(error), now, now))
            return
        self._wanted.add((name, instrument_id))
        key = self._source(name, row), instrument_id
        if key in self._running and not self._running[key].done():
            return
        feed = self._make_feed(key, row, reader)
        self._feeds[key] = feed
        self._running[key] = self._loop.create_task(feed.run(), name=f"{key[0]} of {instrument_id}")

    def _open_unlisted(self, kind: type, instrument_id: InstrumentId) -> None:
        """Poll what is about no listed instrument."""
        name, settings = UNLISTED[kind], self._settings
        key = name, instrument_id
        if key in self._running and not self._running[key].done():
            return
        try:
            reading = unlisted_reading(kind, instrument_id, settings, self._clock.timestamp_ns)
        except VenueError as error:
            now = self._clock.timestamp_ns()
            self._log.error(str(error))
            self._emit(FeedStatus(instrument_id, name, True, str(error), now, now))
            return
        pace = Pace(
            interval=reading.interval_secs,
            streams=False,
            stale_after=max(settings.stale_after_secs, 3.0 * reading.interval_secs),
            frozen_after=math.inf,
            max_skew=settings.max_clock_skew_secs,
            backoff_initial=settings.backoff_initial_secs,
            backoff_max=settings.backoff_max_secs,
        )
        feed = VenueFeed(
            name,
            instrument_id,
            reading.read,
            self._publish,
            self._clock.timestamp_ns,
            pace,
            self._log.warning,
        )
        self._feeds[key] = feed
        self._running[key] = self._loop.create_task(feed.run(), name=f"{name} of {instrument_id}")

    async def _close_feed(self, name: str, instrument_id: InstrumentId) -> None:
        if (name, instrument_id) not in self._wanted:
            return
        self._wanted.discard((name, instrument_id))
        row = row_of(instrument_id)
        key = self._source(name, row), instrument_id
        if any((other, instrument_id) in self._wanted for other in self._served(key[0], row)):
            return
        await self._stop_feed(key)
        if all(wanted != instrument_id for _, wanted in self._wanted):
            self._readers.pop(instrument_id, None)

    async def _stop_feed(self, key: Key) -> None:
        self._feeds.pop(key, None)
        task = self._running.pop(key, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _source(self, name: str, row: VenueRow) -> str:
        """Return the feed whose payload carries `name`."""
        return Feed.OPEN_INTEREST if name == Feed.FUNDING and row.funding_fields else name

    def _served(self, source: str, row: VenueRow) -> list[str]:
        return [name for name in _FEEDS.values() if self._source(name, row) == source]

    def _reader(self, row: VenueRow, instrument_id: InstrumentId) -> InstrumentReader:
        if instrument_id not in self._readers:
            connection = self._connection(row)
            self._readers[instrument_id] = InstrumentReader(
                row, instrument_id, connection, self._clock.timestamp_ns, self._settings.stale_after_secs / 2
            )
        return self._readers[instrument_id]

    def _connection(self, row: VenueRow) -> VenueConnection:
        name = row.ccxt_id or row.key
        if name not in self._connections:
            settings = self._settings
            url = settings.base_urls.get(name)
            self._connections[name] = VenueConnection(row, settings.timeout_secs, url)
        return self._connections[name]

    def _make_feed(self, key: Key, row: VenueRow, reader: InstrumentReader) -> VenueFeed:
        name, instrument_id = key
        settings = self._settings
        reads: dict[str, tuple[Callable[[], Awaitable[Sequence[Data]]], float]] = {
            Feed.OPEN_INTEREST: (reader.open_interest, settings.cadence_secs.get(row.key, row.cadence_secs)),
            Feed.FUNDING: (reader.funding, settings.funding_secs),
            Feed.LONG_SHORT: (reader.long_short, settings.long_short_secs),
            Feed.LIQUIDATIONS: (reader.liquidations, settings.liquidation_secs),
            STATUS: (reader.status, settings.status_secs),
        }
        read, interval = reads[name]
        is_oi = name == Feed.OPEN_INTEREST
        pace = Pace(
            interval=interval,
            streams=(is_oi and reader.streams) or (name == Feed.LIQUIDATIONS and reader.streams_liquidations),
            stale_after=max(
                settings.stale_after_secs,
                3.0 * interval,
                _SLOW_DATA_SECS if name == Feed.LONG_SHORT else 0.0,
            ),
            frozen_after=settings.frozen_after_secs if is_oi else math.inf,
            max_skew=settings.max_clock_skew_secs,
            backoff_initial=settings.backoff_initial_secs,
            backoff_max=settings.backoff_max_secs,
            event_driven=name in (Feed.LIQUIDATIONS, STATUS),
        )
        return VenueFeed(
            name, instrument_id, read, self._publish, self._clock.timestamp_ns, pace, self._log.warning
        )

    def _publish(self, value: Data) -> None:
        name = _FEEDS.get(type(value))
        if name is None or (name, value.instrument_id) in self._wanted:
            self._emit(value)

    def _emit(self, value: Data) -> None:
        custom = isinstance(value, CatalogData)
        self._handle_data(CustomData(DataType(type(value)), value) if custom else value)

    # Requests

    async def _request(self, request: RequestData) -> None:
        kind, data = request.data_type.type, []
        if kind in _HISTORIES and request.instrument_id is not None:
            timeframe = str((request.params or {}).get("timeframe", TIMEFRAME))
            found = await self._history(request, _HISTORIES[kind], timeframe)
            data = [CustomData(DataType(kind), update) for update in found]
        else:
            known = " and ".join(each.__name__ for each in _HISTORIES)
            self._log.error(f"{self.id} has a history of {known} of one instrument, not {kind}")
        self._handle_data_response(
            request.data_type, data, request.id, request.start, request.end, request.params
        )

    async def _request_funding_rates(self, request: RequestFundingRates) -> None:
        found = await self._history(request, funding_history)
        self._handle_funding_rates(
            request.instrument_id, found, request.id, request.start, request.end, request.params
        )

    async def _history(
        self, request: Any, load: Callable[..., Awaitable[list[Any]]], *more: Any
    ) -> list[Any]:
        """Return what `load` gives for a request's range; nothing, and an error in the log, if it fails."""
        now = self._clock.timestamp_ns()
        end = min(dt_to_unix_nanos(request.end), now) if request.end is not None else now
        start = dt_to_unix_nanos(request.start) if request.start is not None else end - _LOOK_BACK_NS
        try:
            row = row_of(request.instrument_id)
            found = await load(self._connection(row), row, request.instrument_id, start, end, *more)
        except (VenueError, *UNEXPECTED) as error:
            self._log.error(f"no history of {request.instrument_id}: {error}")
            return []
        return found[-request.limit :] if request.limit else found
