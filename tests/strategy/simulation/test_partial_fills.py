"""Orders take at most a share of a bar's volume, and nothing at a halted venue."""

from typing import Any

import pytest
from nautilus_trader.model.data import InstrumentStatus
from nautilus_trader.model.enums import MarketStatusAction, OrderSide, OrderStatus, TimeInForce

from oi_hedge_catalog.errors import ConfigError

HALF = {"impact_coefficient": 0.0, "half_spread_bps": 0.0, "min_half_spread_bps": 0.0, "participation": 0.5}


def fills_of(script: Any) -> list[tuple[float, float]]:
    return [(float(f.last_qty), float(f.last_px)) for f in script.fills]


def status(market: Any, action: MarketStatusAction, hours: float) -> InstrumentStatus:
    ts = market.START + int(hours * market.HOUR)
    return InstrumentStatus(market.instrument.id, action, ts, ts)


def halt(market: Any, start: float, end: float) -> list[InstrumentStatus]:
    return [
        status(market, MarketStatusAction.HALT, start),
        status(market, MarketStatusAction.TRADING, end),
    ]


def test_market_order_beyond_the_volume_is_filled_over_the_next_bars(market: Any) -> None:
    bars = market.bars(2000.0, 2010.0, 2020.0, 2030.0, volume=10.0)
    script = market.run(bars, {0: lambda s: s.market(12.0)}, impact=HALF)
    # half of 10 a bar: 5 after the first close, 5 at the second, 2 at the third
    assert fills_of(script) == [(5.0, 2000.0), (5.0, 2010.0), (2.0, 2020.0)]
    assert script.fills[1].ts_event == market.START + 2 * market.HOUR + market.LAG
    (order,) = script.cache.orders()
    assert order.status == OrderStatus.FILLED
    assert [cost.quantity for cost in market.ledger.fill_costs] == [5.0, 5.0, 2.0]


def test_each_slice_pays_the_impact_of_its_own_size(market: Any) -> None:
    impact = {
        "default_volatility": 0.04,
        "default_volume": 10_000.0,
        "warmup_days": 1e3,
        "participation": 0.1,
    }
    script = market.run(
        market.bars(2000.0, 2000.0, volume=1000.0), {0: lambda s: s.market(150.0)}, impact=impact
    )
    first, second = market.ledger.fill_costs
    # 1e4 * 0.04 * sqrt(100 / 10000) and sqrt(50 / 10000)
    assert (first.quantity, first.impact_bps) == (100.0, pytest.approx(40.0))
    assert (second.quantity, second.impact_bps) == (50.0, pytest.approx(28.2842712))
    assert float(script.fills[0].last_px) == 2008.20


def test_orders_of_one_bar_share_its_volume(market: Any) -> None:
    def both(s: Any) -> None:
        s.market(4.0)
        s.market(4.0)

    script = market.run(market.bars(2000.0, 2010.0, volume=10.0), {0: both}, impact=HALF)
    assert fills_of(script) == [(4.0, 2000.0), (1.0, 2000.0), (3.0, 2010.0)]


def test_immediate_or_cancel_gets_what_there_is(market: Any) -> None:
    def order(s: Any) -> None:
        instrument_id = s.bar_type.instrument_id
        quantity = market.instrument.make_qty(12.0)
        buy = OrderSide.BUY
        s.submit_order(s.order_factory.market(instrument_id, buy, quantity, time_in_force=TimeInForce.IOC))

    script = market.run(market.bars(2000.0, 2010.0, 2020.0, volume=10.0), {0: order}, impact=HALF)
    assert fills_of(script) == [(5.0, 2000.0)]
    assert script.cache.orders()[0].status == OrderStatus.CANCELED


def test_stop_beyond_the_volume_goes_on_from_the_next_open(market: Any) -> None:
    bars = market.bars(
        2000.0,
        2000.0,
        2000.0,
        (1990.0, 1990.0, 1900.0, 1950.0),
        (1940.0, 1940.0, 1930.0, 1935.0),
        volume=10.0,
    )
    script = market.run(
        bars, {0: lambda s: s.market(8.0), 2: lambda s: s.stop_market(-8.0, "1960.00")}, impact=HALF
    )
    assert fills_of(script) == [(5.0, 2000.0), (3.0, 2000.0), (5.0, 1960.0), (3.0, 1940.0)]


def test_bar_without_volume_fills_nothing(market: Any) -> None:
    bars = [*market.bars(2000.0, volume=0.0), *market.bars(2000.0, 2010.0, volume=10.0)[1:]]
    script = market.run(bars, {0: lambda s: s.market(1.0), 1: lambda s: s.market(2.0)}, impact=HALF)
    assert script.cache.orders()[0].status == OrderStatus.REJECTED
    assert fills_of(script) == [(2.0, 2010.0)]


def test_participation_must_be_positive(market: Any) -> None:
    with pytest.raises(ConfigError, match="participation"):
        market.run(market.bars(2000.0), {}, impact={"participation": 0.0})


def test_halted_venue_rejects_market_orders_and_takes_them_again_afterwards(market: Any) -> None:
    bars = market.bars(2000.0, 2010.0, 2020.0, 2030.0)
    actions = {1: lambda s: s.market(1.0), 3: lambda s: s.market(2.0)}
    script = market.run(bars, actions, data=halt(market, 1.5, 3.5))
    assert fills_of(script) == [(2.0, 2030.0)]
    assert script.cache.orders()[0].status == OrderStatus.REJECTED
    assert script.seen == 3


def test_order_on_its_way_when_the_venue_halts_is_rejected(market: Any) -> None:
    late = market.LAG / market.HOUR
    data = halt(market, 1.0 + late + 0.1 / 3600.0, 3.5)
    script = market.run(
        market.bars(2000.0, 2010.0), {0: lambda s: s.market(1.0)}, data=data, latency_ms=200.0
    )
    assert script.fills == []
    assert script.cache.orders()[0].status == OrderStatus.REJECTED


def test_stop_does_not_fire_during_a_halt_and_fills_at_the_first_open_after_it(market: Any) -> None:
    bars = market.bars(
        2000.0, 2000.0, (2000.0, 2000.0, 1900.0, 1920.0), 1910.0, (1905.0, 1915.0, 1880.0, 1890.0)
    )
    script = market.run(
        bars,
        {0: lambda s: s.market(1.0), 1: lambda s: s.stop_market(-1.0, "1960.00")},
        data=halt(market, 2.5, 4.5),
    )
    assert fills_of(script) == [(1.0, 2000.0), (1.0, 1905.0)]
    assert script.fills[1].ts_event == market.START + 5 * market.HOUR + market.LAG


def test_stop_that_the_market_passed_only_during_the_halt_stays(market: Any) -> None:
    bars = market.bars(2000.0, 2000.0, (2000.0, 2000.0, 1900.0, 2000.0), 2000.0, 2000.0)
    script = market.run(
        bars,
        {0: lambda s: s.market(1.0), 1: lambda s: s.stop_market(-1.0, "1960.00")},
        data=halt(market, 2.5, 3.5),
    )
    assert len(script.fills) == 1
    assert script.resting[0].status == OrderStatus.ACCEPTED


def test_resting_limit_is_not_filled_during_a_halt(market: Any) -> None:
    bars = market.bars(2000.0, (2000.0, 2000.0, 1950.0, 1990.0), (1990.0, 1990.0, 1960.0, 1980.0))
    script = market.run(bars, {0: lambda s: s.limit(1.0, "1970.00")}, data=halt(market, 1.5, 2.5))
    assert fills_of(script) == [(1.0, 1970.0)]
    assert script.fills[0].ts_event == market.START + 3 * market.HOUR + market.LAG


def test_halted_venue_does_not_liquidate_until_it_trades_again(market: Any) -> None:
    # 10 ETH at 2000 on 2000 USDT: gone at 1800 + 0.4 %
    bars = market.bars(
        2000.0,
        (2000.0, 2000.0, 1700.0, 1750.0),
        (1750.0, 1760.0, 1740.0, 1755.0),
        (1745.0, 1750.0, 1740.0, 1748.0),
    )
    market.run(
        bars,
        {0: lambda s: s.market(10.0)},
        data=halt(market, 1.5, 3.5),
        balance="2000 USDT",
        leverage=10.0,
    )
    (liquidation,) = market.ledger.liquidations
    assert liquidation.ts_event == market.START + 4 * market.HOUR + market.LAG
    assert liquidation.reference_price == 1745.0
    assert liquidation.insurance == pytest.approx(10.0 * (1800.0 - 1745.0))
    assert market.balance() == 0.0
