"""Ask the venue whether the hedge's stops still rest, and book what became of one that does not."""

from nautilus_trader.common.enums import LogLevel
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.messages import (
    GenerateFillReports,
    GenerateOrderStatusReport,
    GenerateOrderStatusReports,
)
from nautilus_trader.execution.reports import OrderStatusReport
from nautilus_trader.live.execution_client import LiveExecutionClient
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.enums import OrderStatus, OrderType
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.orders import Order

_GONE = (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.FILLED)


class StopCheck:
    """
    Ask the venue for every stop that the node believes to rest.

    A stop that went while the stream was down is told of by nobody: of the adapters only Binance's asks for
    orders on reconnecting, and Nautilus 1.231 gives up on one that is missing among those that are open
    (`LiveExecutionEngine._check_orders_consistency`). The hedge would go on without a stop.

    Parameters
    ----------
    node : TradingNode
        The node, built.
    instrument_id : InstrumentId
        The hedge instrument, or one that is hedged.

    """

    def __init__(self, node: TradingNode, instrument_id: InstrumentId) -> None:
        self._node = node
        self._instrument_id = instrument_id

    async def check(self, client: LiveExecutionClient) -> None:
        """
        Ask once for what rests, and for each stop that is not among it.

        No answer, which is all that an adapter tells of an error, changes nothing.
        """
        believed = self._believed()
        resting = await client.generate_order_status_reports(self._all()) if believed else []
        named = {report.client_order_id for report in resting} | {each.venue_order_id for each in resting}
        for order in believed:
            if order.client_order_id in named or order.venue_order_id in named or not order.is_open:
                continue
            report = await client.generate_order_status_report(self._question(order))
            if order.is_open and report is not None and report.order_status in _GONE:
                await self._settle(client, order, report)

    async def _settle(self, client: LiveExecutionClient, order: Order, report: OrderStatusReport) -> None:
        """
        Book what became of a stop.

        Binance and OKX give the order that a stop becomes an id of its own, without which no fill is booked:
        the id is told first, the fill with the next check.
        """
        self._say(order, report.order_status.name)
        if report.venue_order_id != order.venue_order_id:
            client.generate_order_updated(
                order.strategy_id, order.instrument_id, order.client_order_id, report.venue_order_id,
                order.quantity, None, order.trigger_price, report.ts_last, venue_order_id_modified=True,
            )  # fmt: skip
            return
        engine = self._node.kernel.exec_engine
        if report.order_status == OrderStatus.FILLED:
            for fill in await client.generate_fill_reports(self._fills(order)):
                if fill.venue_order_id == order.venue_order_id:
                    fill.client_order_id = order.client_order_id
                    engine.reconcile_execution_report(fill)
        if order.is_open and (report.order_status != OrderStatus.FILLED or report.filled_qty):
            engine.reconcile_execution_report(report)

    def _believed(self) -> list[Order]:
        """Return the stops that the node believes to rest."""
        resting = self._node.kernel.cache.orders_open(instrument_id=self._instrument_id)
        return [order for order in resting if order.order_type == OrderType.STOP_MARKET]

    def _all(self) -> GenerateOrderStatusReports:
        return GenerateOrderStatusReports(
            instrument_id=self._instrument_id, start=None, end=None, open_only=True, command_id=UUID4(),
            ts_init=self._node.kernel.clock.timestamp_ns(), log_receipt_level=LogLevel.DEBUG,
        )  # fmt: skip

    def _question(self, order: Order) -> GenerateOrderStatusReport:
        return GenerateOrderStatusReport(
            instrument_id=self._instrument_id, client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id, command_id=UUID4(),
            ts_init=self._node.kernel.clock.timestamp_ns(),
        )  # fmt: skip

    def _fills(self, order: Order) -> GenerateFillReports:
        return GenerateFillReports(
            instrument_id=self._instrument_id, venue_order_id=order.venue_order_id, start=None, end=None,
            command_id=UUID4(), ts_init=self._node.kernel.clock.timestamp_ns(),
        )  # fmt: skip

    def _say(self, order: Order, found: str) -> None:
        self._node.kernel.logger.warning(
            f"{order.client_order_id}: the node believed this stop to rest, the venue says that it is {found}"
        )
