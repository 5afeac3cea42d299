"""The official execution clients, with what NautilusTrader 1.231 gets wrong in three of them put right."""

import asyncio
from asyncio import AbstractEventLoop

from nautilus_trader.adapters.binance.config import BinanceExecClientConfig
from nautilus_trader.adapters.binance.execution import BinanceCommonExecutionClient
from nautilus_trader.adapters.binance.factories import BinanceLiveExecClientFactory
from nautilus_trader.adapters.kraken.config import KrakenExecClientConfig
from nautilus_trader.adapters.kraken.execution import KrakenExecutionClient
from nautilus_trader.adapters.kraken.factories import KrakenLiveExecClientFactory
from nautilus_trader.adapters.okx.config import OKXExecClientConfig
from nautilus_trader.adapters.okx.execution import OKXExecutionClient
from nautilus_trader.adapters.okx.factories import OKXLiveExecClientFactory
from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import LiveClock, MessageBus
from nautilus_trader.core import nautilus_pyo3
from nautilus_trader.execution.messages import (
    GenerateFillReports,
    GenerateOrderStatusReports,
    GeneratePositionStatusReports,
    SubmitOrder,
)
from nautilus_trader.execution.reports import FillReport, OrderStatusReport, PositionStatusReport
from nautilus_trader.model.identifiers import InstrumentId


class BinanceExecClientFactory(BinanceLiveExecClientFactory):
    """
    Make Binance's client report each fill once.

    It asks for the trades of ``ETHUSDT`` and of ``ETHUSDT-PERP``, which are the same at Binance. With a
    position open, each reconciliation after a lost stream then counts its fills twice, makes up an opposite
    one to agree with the venue, and leaves the node flat: the hedge would be opened a second time.
    """

    @staticmethod
    def create(  # type: ignore[override]
        loop: AbstractEventLoop,
        name: str,
        config: BinanceExecClientConfig,
        msgbus: MessageBus,
        cache: Cache,
        clock: LiveClock,
    ) -> BinanceCommonExecutionClient:
        """Return the client."""
        client = BinanceLiveExecClientFactory.create(loop, name, config, msgbus, cache, clock)
        reported = client.generate_fill_reports

        async def each_once(command: GenerateFillReports) -> list[FillReport]:
            fills = await reported(command)
            return list({(fill.venue_order_id, fill.trade_id): fill for fill in fills}.values())

        client.generate_fill_reports = each_once  # type: ignore[method-assign]
        return client


class OKXExecClientFactory(OKXLiveExecClientFactory):
    """
    Make OKX's client report the stops that rest, and send reduce-only orders as such.

    It reports orders but not algo orders, which stops are there: a start would not find the hard stop of the
    run before, and rest a second one beside it. And it leaves ``reduceOnly`` out of orders on swaps that go
    by stream, not by request: an order that meets a position just closed by its stop would open the other
    side.
    """

    @staticmethod
    def create(  # type: ignore[override]
        loop: AbstractEventLoop,
        name: str,
        config: OKXExecClientConfig,
        msgbus: MessageBus,
        cache: Cache,
        clock: LiveClock,
    ) -> OKXExecutionClient:
        """Return the client."""
        client = OKXLiveExecClientFactory.create(loop, name, config, msgbus, cache, clock)
        reported = client.generate_order_status_reports

        async def with_stops(command: GenerateOrderStatusReports) -> list[OrderStatusReport]:
            found = await reported(command)
            task = asyncio.current_task()
            ending = task is not None and task.cancelling()
            return found if ending else found + await _resting_stops(client, config)

        by_stream = client._submit_order_websocket

        async def reducing_by_request(command: SubmitOrder) -> None:
            submit = client._submit_order_http if command.order.is_reduce_only else by_stream
            await submit(command)

        client.generate_order_status_reports = with_stops  # type: ignore[method-assign]
        client._submit_order_websocket = reducing_by_request  # type: ignore[method-assign]
        return client


class KrakenExecClientFactory(KrakenLiveExecClientFactory):
    """
    Make Kraken's client report that nothing is held.

    It reports positions that there are, and nothing both where there is none and where Kraken does not
    answer: a hedge that was closed unheard would never be noticed.
    """

    @staticmethod
    def create(  # type: ignore[override]
        loop: AbstractEventLoop,
        name: str,
        config: KrakenExecClientConfig,
        msgbus: MessageBus,
        cache: Cache,
        clock: LiveClock,
    ) -> KrakenExecutionClient:
        """Return the client."""
        client = KrakenLiveExecClientFactory.create(loop, name, config, msgbus, cache, clock)
        reported = client.generate_position_status_reports

        async def or_flat(command: GeneratePositionStatusReports) -> list[PositionStatusReport]:
            instrument = cache.instrument(command.instrument_id) if command.instrument_id else None
            found = await reported(command)
            if found or instrument is None or not await _holds_nothing(client, instrument.id):
                return found
            return [
                PositionStatusReport.create_flat(
                    client.account_id, instrument.id, instrument.size_precision, clock.timestamp_ns()
                )
            ]

        client.generate_position_status_reports = or_flat  # type: ignore[method-assign]
        return client


async def _holds_nothing(client: KrakenExecutionClient, instrument_id: InstrumentId) -> bool:
    """Return whether Kraken says so, False where it says nothing."""
    futures = client._http_client_futures
    assert futures is not None
    try:
        reports = await futures.request_position_status_reports(
            account_id=client.pyo3_account_id,
            instrument_id=nautilus_pyo3.InstrumentId.from_str(instrument_id.value),
        )
    except Exception as error:
        client._log.warning(f"{instrument_id}: position not known: {error!r}")
        return False
    return not reports


async def _resting_stops(client: OKXExecutionClient, config: OKXExecClientConfig) -> list[OrderStatusReport]:
    found: list[OrderStatusReport] = []
    for kind in config.instrument_types:
        if kind != nautilus_pyo3.OKXInstrumentType.OPTION:
            reports = await client._http_client.request_algo_order_status_reports(
                account_id=client.pyo3_account_id, instrument_type=kind
            )
            found += [OrderStatusReport.from_pyo3(each) for each in reports]
    return found
