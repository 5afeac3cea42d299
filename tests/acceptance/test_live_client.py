"""A real trading node with our client receives typed data from every venue, over the loopback interface."""

import time

import pandas as pd
import pytest
from fakes.server import FakeExchanges
from nautilus_trader.model.data import DataType, FundingRateUpdate, InstrumentStatus
from nautilus_trader.model.enums import MarketStatusAction
from nautilus_trader.test_kit.strategies.tester_data import DataTester, DataTesterConfig
from support.live_node import CLIENT, Listener, ListenerConfig, LiveNode, run_live, until

from oi_hedge_adapters.feed_status import FeedStatus
from oi_hedge_adapters.venues import ROWS, Feed, find_row
from oi_hedge_catalog import LiquidationRecord, LongShortRatio, OpenInterestUpdate

pytest.importorskip("ccxt")

LIVE = [row for row in ROWS if row.live]
KINDS = {
    OpenInterestUpdate: Feed.OPEN_INTEREST,
    FundingRateUpdate: Feed.FUNDING,
    LongShortRatio: Feed.LONG_SHORT,
    LiquidationRecord: Feed.LIQUIDATIONS,
}
ALL = (*(kind.__name__ for kind in KINDS), "InstrumentStatus")
BINANCE = find_row("binance-linear").example
BYBIT = find_row("bybit-linear").example


def listen(*instrument_ids, kinds=("OpenInterestUpdate",)):
    return Listener(ListenerConfig(instrument_ids=instrument_ids, kinds=kinds))


def expected(row):
    return [kind for kind, feed in KINDS.items() if feed in row.live] + [InstrumentStatus]


def test_every_venue_sends_every_kind_of_data_that_its_row_promises():
    listener = listen(*(row.example for row in LIVE), kinds=ALL)

    async def scenario():
        exchanges = FakeExchanges()
        await exchanges.start()
        for exchange in exchanges.exchanges.values():
            exchange.state.liquidations = [(True, 3.0, 1990.0, time.time_ns() // 1_000_000)]
        async with LiveNode(exchanges, [listener]):
            wanted = [(kind, row.example) for row in LIVE for kind in expected(row)]
            await until(lambda: all(listener.of(*each) for each in wanted), 30.0)
        await exchanges.stop()

    run_live(scenario)
    for row in LIVE:
        update = listener.of(OpenInterestUpdate, row.example)[0]
        assert update.quantity == pytest.approx(1000.0)
        assert update.ts_event <= update.ts_init
        (status,) = listener.of(InstrumentStatus, row.example)
        assert status.action is MarketStatusAction.TRADING
        refused = {each.feed for each in listener.of(FeedStatus, row.example) if each.stale}
        assert refused == {str(feed) for feed in KINDS.values() if feed not in row.live}
        if Feed.LIQUIDATIONS in row.live:
            assert len(listener.of(LiquidationRecord, row.example)) == 1  # sent again and again


def test_history_fills_the_look_back_before_the_first_forecast():
    listener = listen(BINANCE)

    async def scenario():
        exchanges = FakeExchanges()
        await exchanges.start()
        async with LiveNode(exchanges, [listener]):
            await until(lambda: listener.of(OpenInterestUpdate, BINANCE))
            start = listener.clock.utc_now() - pd.Timedelta(days=3)
            kind = DataType(OpenInterestUpdate)
            listener.request_data(kind, client_id=CLIENT, instrument_id=BINANCE, start=start)
            listener.request_funding_rates(BINANCE, client_id=CLIENT, start=start)
            ratios = DataType(LongShortRatio)
            listener.request_data(ratios, client_id=CLIENT, instrument_id=BINANCE, start=start)
            await until(lambda: len(listener.history) == 2 * 3 * 24 + 3 * 3)
        await exchanges.stop()

    run_live(scenario)
    levels = [each for each in listener.history if isinstance(each, OpenInterestUpdate)]
    now = time.time_ns()
    assert len(levels) == 72
    assert [each.long_share for each in listener.history if isinstance(each, LongShortRatio)] == [0.6] * 72
    assert all(each.ts_init < now for each in levels)


def test_halt_of_an_instrument_reaches_the_strategy():
    listener = listen(BYBIT, kinds=("InstrumentStatus",))

    async def scenario():
        exchanges = FakeExchanges()
        await exchanges.start()
        async with LiveNode(exchanges, [listener], status_secs=0.1):
            await until(lambda: listener.of(InstrumentStatus, BYBIT))
            exchanges["bybit"].state.halted = True
            await until(lambda: len(listener.of(InstrumentStatus, BYBIT)) == 2)
            exchanges["bybit"].state.halted = False
            await until(lambda: len(listener.of(InstrumentStatus, BYBIT)) == 3)
        await exchanges.stop()

    run_live(scenario)
    actions = [status.action for status in listener.of(InstrumentStatus, BYBIT)]
    trading, halt = MarketStatusAction.TRADING, MarketStatusAction.HALT
    assert actions == [trading, halt, trading]


def test_data_tester_of_nautilus_gets_what_it_subscribes_and_requests():
    received = []

    class Tester(DataTester):
        def on_funding_rate(self, funding_rate):
            super().on_funding_rate(funding_rate)
            received.append(funding_rate)

        def on_instrument_status(self, data):
            super().on_instrument_status(data)
            received.append(data)

        def on_historical_data(self, data):
            super().on_historical_data(data)
            received.extend(data if isinstance(data, list) else [data])

    ids = [BINANCE, BYBIT]
    tester = Tester(
        DataTesterConfig(
            instrument_ids=ids,
            client_id=CLIENT,
            subscribe_funding_rates=True,
            subscribe_instrument_status=True,
            request_funding_rates=True,
            log_data=False,
        )
    )

    async def scenario():
        exchanges = FakeExchanges()
        await exchanges.start()
        async with LiveNode(exchanges, [tester]) as live:
            await until(lambda: len(received) >= 2 * (1 + 1 + 21))
            assert not tester.is_degraded
            tester.stop()
            await until(lambda: not live.client.feeds)
        await exchanges.stop()

    run_live(scenario)
    for instrument_id in ids:
        own = [each for each in received if each.instrument_id == instrument_id]
        assert any(isinstance(each, InstrumentStatus) for each in own)
        assert sum(isinstance(each, FundingRateUpdate) for each in own) >= 22


def test_unknown_instrument_and_unlisted_symbol_are_one_sentence_each():
    from nautilus_trader.model.identifiers import InstrumentId

    strange = InstrumentId.from_str("ETHUSDT.BINANCE")
    unlisted = InstrumentId.from_str("XYZUSDT-PERP.BINANCE")
    closed = find_row("ftx").example
    listener = listen(strange, unlisted, closed)

    async def scenario():
        exchanges = FakeExchanges()
        await exchanges.start()
        async with LiveNode(exchanges, [listener]):
            for instrument_id in (strange, unlisted, closed):
                await until(lambda each=instrument_id: listener.of(FeedStatus, each))
        await exchanges.stop()

    run_live(scenario)
    reasons = [listener.of(FeedStatus, each)[0].reason for each in (strange, unlisted, closed)]
    assert reasons[0].startswith("ETHUSDT.BINANCE: BINANCE has no instruments of this form")
    assert reasons[1].startswith("Binance USD-M: XYZ/USDT:USDT is not listed")
    assert reasons[2] == "FTX is closed: it has recorded history only"
