"""One reading of one kind of data of one instrument, through ccxt, as normalised values."""

from collections.abc import Callable, Sequence
from typing import Any

from nautilus_trader.core.data import Data
from nautilus_trader.model.data import InstrumentStatus
from nautilus_trader.model.enums import MarketStatusAction
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_adapters import normalise
from oi_hedge_adapters.connection import RefusedError, UnreachableError, VenueConnection
from oi_hedge_adapters.normalise import Reading
from oi_hedge_adapters.venues import Feed, VenueRow
from oi_hedge_adapters.warmup import ratio_method
from oi_hedge_catalog.types import LiquidationRecord

_STREAM_METHODS = ("watch_ticker",)
_MILLISECOND_NS = 1_000_000
_RECENT = 100
"""Liquidations asked at a time where they are polled."""


class InstrumentReader:
    """
    Read what a venue has of one instrument.

    Parameters
    ----------
    row : VenueRow
        The venue.
    instrument_id : InstrumentId
        The instrument.
    connection : VenueConnection
        The exchange.
    now_ns : callable
        The clock, for the time of receipt.
    silence_secs : float
        How long a stream may be silent before it is connected again.

    Raises
    ------
    VenueError
        If the instrument is not one of the venue's.
    """

    def __init__(
        self,
        row: VenueRow,
        instrument_id: InstrumentId,
        connection: VenueConnection,
        now_ns: Callable[[], int],
        silence_secs: float,
    ) -> None:
        self._row, self._id, self._connection = row, instrument_id, connection
        self._now_ns, self._silence_secs = now_ns, silence_secs
        self.symbol = row.ccxt_symbol(instrument_id)
        self._price: float | None = None
        self._action: MarketStatusAction | None = None

    @property
    def streams(self) -> bool:
        """Whether open interest comes as a stream."""
        return self._row.method in _STREAM_METHODS

    @property
    def streams_liquidations(self) -> bool:
        """Whether liquidations come as a stream."""
        return bool(self._connection.exchange.has.get("watchLiquidations"))

    def offers(self, feed: Feed) -> None:
        """Raise `RefusedError` if the venue has no live `feed`."""
        if feed not in self._row.live:
            kinds = ", ".join(sorted(self._row.live)) or "nothing live"
            raise RefusedError(f"{self._row.title} has no live {feed}; it has {kinds}")

    async def open_interest(self) -> Sequence[Data]:
        """Return open interest and, where the payload has it, funding."""
        market = await self._connection.market(self.symbol)
        price = await self._mark_price()
        reading = self._reading(market, *await self._payload(market), price)
        found: list[Data] = [normalise.open_interest(reading)]
        if (funding := normalise.funding_rate(reading)) is not None:
            found.append(funding)
        return found

    async def funding(self) -> Sequence[Data]:
        """Return the funding rate of a venue that has it by itself."""
        market = await self._connection.market(self.symbol)
        structure = await self._connection.call("fetch_funding_rate", self.symbol)
        if method := self._row.funding.intervals_method:
            listed = await self._connection.call(method, [self.symbol])
            structure = {**structure, "interval": listed.get(self.symbol, {}).get("interval")}
        return [normalise.unified_funding_rate(self._reading(market, structure))]

    async def long_short(self) -> Sequence[Data]:
        """Return the latest long/short ratio."""
        market = await self._connection.market(self.symbol)
        step = self._row.long_short.steps.get("5m", "5m") if self._row.long_short else ""
        rows = await self._connection.call(ratio_method(self._row), self.symbol, step, None, 1)
        if not rows:
            raise UnreachableError(f"{self._row.title}: {self._id}: no long/short ratio was sent")
        latest = max(rows, key=lambda row: row["timestamp"] or 0)
        return [normalise.long_short_ratio(self._reading(market, latest["info"]))]

    async def liquidations(self) -> Sequence[Data]:
        """Return the liquidations since the last reading, of a stream, or the latest of a list."""
        market = await self._connection.market(self.symbol)
        if self.streams_liquidations:
            await self._connection.watch_events("watch_liquidations", self.symbol, self._silence_secs / 2)
            rows = self._drain()
        else:
            rows = await self._connection.call("fetch_liquidations", self.symbol, None, _RECENT)
        found: list[LiquidationRecord] = []
        for row in rows:
            found += normalise.liquidations(self._reading(market, row["info"]))
        return sorted(found, key=lambda record: record.ts_event)

    async def status(self) -> Sequence[Data]:
        """Return whether the instrument trades, where that has changed."""
        await self._connection.reload()
        market = await self._connection.market(self.symbol)
        halted = market.get("active") is False
        action = MarketStatusAction.HALT if halted else MarketStatusAction.TRADING
        if action is self._action:
            return []
        self._action = action
        now = self._now_ns()
        reason = f"{self._row.title} lists it as {'not ' if halted else ''}trading"
        return [InstrumentStatus(self._id, action, now, now, reason, None, not halted, not halted, None)]

    def _drain(self) -> list[dict[str, Any]]:
        """
        Take the instrument's liquidations out of ccxt's cache, leaving those of others.

        ccxt wakes a reader with one liquidation of a message only; the cache has them all.
        """
        cache = self._connection.exchange.liquidations
        if cache is None:
            return []
        rows = list(cache)
        cache.clear()
        others = [row for row in rows if row["symbol"] != self.symbol]
        for row in others:
            cache.append(row)
        return [row for row in rows if row["symbol"] == self.symbol]

    async def _payload(self, market: dict[str, Any]) -> tuple[normalise.Payload, int | None]:
        """Return the venue's payload and the time that stands outside it."""
        method = self._row.method
        if method == "indexer_get_perpetualmarkets":
            answer = await self._connection.call(method, {"ticker": market["id"]})
            return answer["markets"][market["id"]], None
        if self.streams:
            structure = await self._connection.watch(method, self.symbol, self._silence_secs)
        else:
            structure = await self._connection.call(method, self.symbol)
        if not isinstance(structure, dict) or "info" not in structure:
            raise UnreachableError(f"{self._row.title}: {self._id}: no open interest was sent")
        time = structure.get("timestamp")
        return structure["info"], int(time) * _MILLISECOND_NS if time else None

    async def _mark_price(self) -> float | None:
        """Return the mark price where open interest comes without one."""
        if not self._row.price_method:
            return None
        structure = await self._connection.call(self._row.price_method, self.symbol)
        price = structure.get("markPrice")
        return float(price) if price else None

    def _reading(
        self,
        market: dict[str, Any],
        payload: normalise.Payload,
        time_ns: int | None = None,
        price: float | None = None,
    ) -> Reading:
        size = market.get("contractSize")
        return Reading(
            self._row,
            self._id,
            payload,
            self._now_ns(),
            contract_size=float(size) if size else None,
            price=price,
            time_ns=time_ns,
        )
