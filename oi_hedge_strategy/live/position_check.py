"""Hold the node's idea of hedge and stop against the venue's, and take the venue's where they differ."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

from nautilus_trader.common.enums import LogLevel
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.messages import GeneratePositionStatusReports
from nautilus_trader.execution.reports import PositionStatusReport
from nautilus_trader.live.execution_client import LiveExecutionClient
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.enums import OrderType
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_strategy.live.stop_check import StopCheck

EVERY_SECS = 5.0
_CERTAIN = 2


class PositionCheck:
    """
    Ask the venue for the hedge's stop and position again and again.

    An order whose acknowledgement was lost may be filled although the adapter took it for refused; where its
    event is lost too, Nautilus 1.231 notes the difference and gives up on a position that it thinks is flat
    (`LiveExecutionEngine._process_venue_reported_positions`). This check hands the venue's report to the
    engine, which then books what is missing, once the same difference was seen twice and no order is on its
    way.

    Parameters
    ----------
    node : TradingNode
        The node, built.
    instrument_id : InstrumentId
        The hedge instrument, which holds nothing but the hedge, or one that is hedged.
    hold : callable, optional
        Keeps orders back for a while; called again and again where Nautilus does not book a difference: it
        does not where an order that it knows is of the same side, size and price.
    every_secs : float
        How often.

    Attributes
    ----------
    mended : int
        How many differences were handed to the engine.

    """

    def __init__(
        self,
        node: TradingNode,
        instrument_id: InstrumentId,
        hold: Callable[[], None] | None = None,
        every_secs: float = EVERY_SECS,
    ) -> None:
        self._node = node
        self._instrument_id = instrument_id
        self._hold = hold
        self._every = every_secs
        self._stops = StopCheck(node, instrument_id)
        self._seen: tuple[Decimal, Decimal] | None = None
        self._times = 0
        self.mended = 0

    async def run(self) -> None:
        """Check until cancelled, also where an adapter (Bybit's, OKX's) keeps the cancellation to itself."""
        task = asyncio.current_task()
        while task is None or not task.cancelling():
            await asyncio.sleep(self._every)
            if self._node.trader.is_running:
                await self.check()

    async def check(self) -> None:
        """Compare once; a venue that does not answer changes nothing."""
        client = self._client()
        if client is None:
            return
        await self._answered(self._stops.check(client), "stops")
        report = await self._answered(self._ask(client), "position")
        if report is None or self._is_moving():
            self._times = 0
            return
        found = self._believed(), report.signed_decimal_qty
        self._times = self._times + 1 if found == self._seen else 1
        self._seen = found
        if found[0] != found[1] and self._times >= _CERTAIN:
            self._node.kernel.logger.warning(
                f"{self._instrument_id}: the venue says {found[1]}, the node believed {found[0]}; the "
                "venue's position is taken"
            )
            self._take(report)
            if self._hold is not None and self._believed() != found[1]:
                self._hold()
            self._times = 0

    async def _answered[T](self, asked: Awaitable[T], what: str) -> T | None:
        """Return the venue's answer, None where it gave an error: the next check asks again."""
        try:
            return await asked
        except Exception as error:
            self._node.kernel.logger.warning(f"{self._instrument_id}: {what} not checked: {error!r}")
            return None

    def _take(self, report: PositionStatusReport) -> None:
        """Have the engine book the venue's report; what it cannot book is tried again, and ends no check."""
        try:
            self._node.kernel.exec_engine.reconcile_execution_report(report)
            self.mended += 1
        except Exception as error:
            self._node.kernel.logger.error(f"{self._instrument_id}: the report was not booked: {error!r}")

    def _client(self) -> LiveExecutionClient | None:
        """Return the client of the hedge venue, None where orders are simulated."""
        for client in self._node.kernel.exec_engine._clients.values():
            if client.venue == self._instrument_id.venue and isinstance(client, LiveExecutionClient):
                return client
        return None

    async def _ask(self, client: LiveExecutionClient) -> PositionStatusReport | None:
        """Return the venue's report, None where it gives none that is unambiguous."""
        command = GeneratePositionStatusReports(
            instrument_id=self._instrument_id, start=None, end=None, command_id=UUID4(),
            ts_init=self._node.kernel.clock.timestamp_ns(), log_receipt_level=LogLevel.DEBUG,
        )  # fmt: skip
        reports = await client.generate_position_status_reports(command)
        return reports[0] if len(reports) == 1 and reports[0].venue_position_id is None else None

    def _is_moving(self) -> bool:
        """Return whether an order of the instrument is on its way or partly filled."""
        cache = self._node.kernel.cache
        moving = cache.orders_inflight(instrument_id=self._instrument_id)
        return bool(moving) or any(
            order.order_type == OrderType.MARKET
            for order in cache.orders_open(instrument_id=self._instrument_id)
        )

    def _believed(self) -> Decimal:
        positions = self._node.kernel.cache.positions_open(instrument_id=self._instrument_id)
        return sum((each.signed_decimal_qty() for each in positions), Decimal(0))
