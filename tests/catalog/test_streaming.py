"""One catalog through ``BacktestNode``, whole and in chunks, must give a strategy the same events."""

from decimal import Decimal

import pytest
from nautilus_trader.backtest.config import (
    BacktestDataConfig,
    BacktestEngineConfig,
    BacktestRunConfig,
    BacktestVenueConfig,
)
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.data import Bar, BarType, DataType, FundingRateUpdate
from nautilus_trader.model.identifiers import ClientId
from nautilus_trader.trading.strategy import Strategy

from oi_hedge_catalog import OpenInterestUpdate, store
from oi_hedge_catalog.instruments import InstrumentSpec, build_instrument

HOUR = 3_600_000_000_000
SECOND = 1_000_000_000
ROWS = 120


def perpetual(symbol, base):
    return build_instrument(
        InstrumentSpec(
            id=f"{symbol}-PERP.BINANCE",
            market="perp",
            base=base,
            quote="USDT",
            price_precision=2,
            size_precision=3,
            maker_fee="0.0002",
            taker_fee="0.0005",
        )
    )


ETH, BTC = perpetual("ETHUSDT", "ETH"), perpetual("BTCUSDT", "BTC")
BAR_TYPE = BarType.from_str(f"{ETH.id}-1-HOUR-LAST-EXTERNAL")


@pytest.fixture
def catalog(tmp_path):
    catalog = store.open_catalog(tmp_path / "catalog", create=True)
    price, size = ETH.make_price(2000), ETH.make_qty(5)
    hours = range(1, ROWS + 1)
    bars = [Bar(BAR_TYPE, price, price, price, price, size, n * HOUR, n * HOUR + 10 * SECOND) for n in hours]
    interest = [OpenInterestUpdate(ETH.id, float(n), None, n * HOUR, n * HOUR + 5 * SECOND) for n in hours]
    rates = {
        instrument.id: [
            FundingRateUpdate(
                instrument.id, Decimal(n) / 10**7, n * HOUR, n * HOUR + lag, 480, (n + 8) * HOUR
            )
            for n in range(8, ROWS, 8)
        ]
        for instrument, lag in ((ETH, 2 * SECOND), (BTC, 3 * SECOND))
    }
    for data in ([ETH], [BTC], bars, interest, *rates.values()):
        catalog.write_data(data)
    return catalog, rates


class Recorder(Strategy):
    def __init__(self):
        super().__init__()
        self.events = []

    def on_start(self):
        self.subscribe_bars(BAR_TYPE)
        self.subscribe_data(DataType(OpenInterestUpdate), client_id=ClientId("OI"), instrument_id=ETH.id)
        for instrument in (ETH, BTC):
            self.subscribe_funding_rates(instrument.id)

    def on_bar(self, bar):
        self.events.append(bar)

    def on_data(self, data):
        self.events.append(data)

    def on_funding_rate(self, rate):
        assert self.cache.funding_rate(rate.instrument_id) is rate
        self.events.append(rate)


def run(catalog, chunk_size):
    def data(cls, **kwargs):
        return BacktestDataConfig(catalog_path=catalog.path, data_cls=cls, **kwargs)

    config = BacktestRunConfig(
        venues=[
            BacktestVenueConfig(
                name="BINANCE", oms_type="NETTING", account_type="MARGIN", starting_balances=["1000 USDT"]
            )
        ],
        data=[
            data(Bar, bar_types=[str(BAR_TYPE)]),
            data("oi_hedge_catalog.types:OpenInterestUpdate", client_id="OI", instrument_id=ETH.id),
            data("nautilus_trader.model.data:FundingRateUpdate", instrument_id=ETH.id),
            data("nautilus_trader.model.data:FundingRateUpdate", instrument_id=BTC.id),
        ],
        chunk_size=chunk_size,
        engine=BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)),
        raise_exception=True,
        dispose_on_completion=False,
    )
    node = BacktestNode([config])
    node.build()
    recorder = Recorder()
    node.get_engine(config.id).add_strategy(recorder)
    node.run()
    node.dispose()
    return recorder.events


def described(events):
    """Values with their times, which Nautilus's own ``==`` leaves out."""
    return [(type(event).__name__, event.ts_event, event.ts_init, repr(event)) for event in events]


def test_funding_rates_of_two_instruments_keep_id_and_decimal(catalog):
    catalog, rates = catalog

    stored = catalog.query(FundingRateUpdate, identifiers=[str(ETH.id), str(BTC.id)])

    assert sorted(described(stored)) == sorted(described(rates[ETH.id] + rates[BTC.id]))
    assert {type(rate.rate) for rate in stored} == {Decimal}


@pytest.mark.parametrize("chunk_size", [7, 100, 10_000])
def test_chunks_deliver_the_same_events_as_the_whole(catalog, chunk_size):
    catalog, rates = catalog

    whole, chunked = run(catalog, None), run(catalog, chunk_size)

    assert described(chunked) == described(whole)
    assert len(whole) == 2 * ROWS + sum(map(len, rates.values()))
    received = [event for event in chunked if isinstance(event, FundingRateUpdate)]
    assert [event for event in received if event.instrument_id == BTC.id] == rates[BTC.id]
    assert {type(event.rate) for event in received} == {Decimal}
