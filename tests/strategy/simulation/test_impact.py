"""Spread and square-root impact, by hand and in the engine."""

import math
import random
from decimal import Decimal

import pytest
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide, TrailingOffsetType, TriggerType
from nautilus_trader.model.objects import Price, Quantity

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.fills import ImpactFillModel, ImpactFillModelConfig
from oi_hedge_strategy.simulation.impact import (
    ImpactParameters,
    MarketEstimator,
    execution_cost,
    worse_price,
)

DAY = 86_400_000_000_000
PARAMETERS = ImpactParameters(
    coefficient=1.0, half_spread_bps=1.0, reference_volatility=0.04, min_half_spread_bps=0.5
)
DEFAULTS = {
    "default_volatility": 0.04,
    "default_volume": 10_000.0,
    "warmup_days": 1000.0,
    "participation": 1.0,
}


def test_cost_by_hand() -> None:
    # sqrt(100 / 10000) = 0.1; 0.04 * 0.1 = 0.004 = 40 bps; spread at the reference volatility 1 bps
    cost = execution_cost(PARAMETERS, quantity=100.0, volatility=0.04, volume=10_000.0)
    assert cost.impact_bps == pytest.approx(40.0)
    assert cost.half_spread_bps == pytest.approx(1.0)
    assert cost.total_bps == pytest.approx(41.0)
    assert not cost.capped


def test_four_times_the_size_costs_twice_the_impact() -> None:
    small, large = (execution_cost(PARAMETERS, q, 0.04, 10_000.0).impact_bps for q in (50.0, 200.0))
    assert large == pytest.approx(2.0 * small)


def test_half_spread_widens_with_volatility_and_has_a_floor() -> None:
    assert execution_cost(PARAMETERS, 0.0, 0.12, 1e4).half_spread_bps == pytest.approx(3.0)
    assert execution_cost(PARAMETERS, 0.0, 0.001, 1e4).half_spread_bps == pytest.approx(0.5)
    assert execution_cost(PARAMETERS, 0.0, 0.04, 1e4, 7.0).half_spread_bps == pytest.approx(7.0)


@pytest.mark.parametrize("volume", [1.0, 0.0])
def test_cap_is_marked(volume: float) -> None:
    cost = execution_cost(PARAMETERS, 100.0, 0.04 + 10.0 * volume, volume)
    assert cost.capped
    assert cost.total_bps == pytest.approx(500.0)


def test_rounding_goes_against_the_order() -> None:
    assert worse_price(2000.0, 0.01, 1, 0.01) == pytest.approx(2000.01)
    assert worse_price(2000.0, 0.01, -1, 0.01) == pytest.approx(1999.99)
    assert worse_price(2000.0, 0.0, 1, 0.01) == pytest.approx(2000.0)
    assert worse_price(2000.0, 0.0, -1, 0.01) == pytest.approx(2000.0)
    assert worse_price(0.011, 400.0, -1, 0.01) == pytest.approx(0.01)


def test_estimator_by_hand() -> None:
    estimator = MarketEstimator(half_life_days=1.0, warmup_days=1.0)
    estimator.update(0, 100.0, 10.0, DAY)
    estimator.update(DAY, 110.0, 40.0, DAY)
    assert estimator.volatility == pytest.approx(math.log(1.1))
    assert estimator.volume == pytest.approx((10.0 * 0.5 + 40.0) / 1.5)
    estimator.update(2 * DAY, 110.0, 40.0, DAY)
    assert estimator.volatility == pytest.approx(math.sqrt(0.5 * math.log(1.1) ** 2 / 1.5))


def test_estimator_scales_to_a_day_whatever_the_bar() -> None:
    hourly, minutely = (MarketEstimator(warmup_days=0.5) for _ in range(2))
    for step, estimator in ((24, hourly), (1440, minutely)):
        for i in range(2 * step + 1):
            close = 100.0 * (1.0 + (i % 2) * 0.04 / math.sqrt(step))
            estimator.update(i * DAY // step, close, 2400.0 / step, DAY // step)
    assert hourly.volume == pytest.approx(2400.0)
    assert minutely.volume == pytest.approx(2400.0)
    assert hourly.volatility == pytest.approx(0.04, rel=0.02)
    assert minutely.volatility == pytest.approx(0.04, rel=0.02)


def test_estimator_stands_on_defaults_until_warm() -> None:
    estimator = MarketEstimator(warmup_days=2.0, default_volatility=0.05, default_volume=77.0)
    estimator.update(0, 100.0, 10.0, DAY)
    estimator.update(DAY, 110.0, 10.0, DAY)
    assert (estimator.volatility, estimator.volume, estimator.is_warm) == (0.05, 77.0, False)


@pytest.mark.parametrize(
    "values", [{"coefficient": -1.0}, {"reference_volatility": 0.0}, {"max_cost_bps": 10_000.0}]
)
def test_parameters_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        ImpactParameters(**values)


def test_fill_model_leaves_the_global_random_state_alone() -> None:
    random.seed(7)
    expected = random.random()
    random.seed(7)
    ImpactFillModel(ImpactFillModelConfig())
    assert random.random() == expected


def test_market_order_fills_at_close_with_cost(market) -> None:
    script = market.run(market.bars(1990.0, 2000.0, 2100.0), {1: lambda s: s.market(100.0)}, impact=DEFAULTS)
    # 41 bps of 2000 is 8.20
    assert [float(f.last_px) for f in script.fills] == [2008.20]
    (cost,) = market.ledger.fill_costs
    assert cost.reference_price == 2000.0
    assert cost.client_order_id == script.fills[0].client_order_id.value
    assert cost.strategy_id == script.id.value
    assert cost.amount == pytest.approx(8.20 * 100.0)
    assert (cost.side, cost.estimated, cost.capped, cost.currency) == (1, False, False, "USDT")


def test_sale_of_four_times_the_size_has_twice_the_impact(market) -> None:
    script = market.run(market.bars(2000.0, 2000.0), {0: lambda s: s.market(-400.0)}, impact=DEFAULTS)
    assert float(script.fills[0].last_px) == pytest.approx(2000.0 * (1.0 - 81e-4))


def test_inverse_order_counts_coins_not_contracts(market) -> None:
    market.use(inverse=True)
    # 200,000 USD at 2000 are 100 ETH: the same 41 bps
    script = market.run(
        market.bars(2000.0, 2000.0), {0: lambda s: s.market(200_000.0)}, impact=DEFAULTS, balance="1000 ETH"
    )
    assert float(script.fills[0].last_px) == 2008.20
    (cost,) = market.ledger.fill_costs
    assert cost.amount == pytest.approx(200_000.0 / 2000.0 - 200_000.0 / 2008.20)
    assert cost.currency == "ETH"


def test_stop_fills_from_its_trigger_not_from_the_low(market) -> None:
    bars = market.bars(2000.0, 2000.0, (1995.0, 1996.0, 1900.0, 1950.0))
    script = market.run(
        bars, {0: lambda s: s.market(100.0), 1: lambda s: s.stop_market(-100.0, "1980.00")}, impact=DEFAULTS
    )
    # 1980 less 41 bps is 1971.882
    assert float(script.fills[1].last_px) == 1971.88
    assert market.ledger.fill_costs[1].reference_price == 1980.0


def test_stop_fills_from_the_open_when_the_market_gaps_beyond_it(market) -> None:
    bars = market.bars(2000.0, 2000.0, (1950.0, 1960.0, 1900.0, 1955.0))
    script = market.run(
        bars, {0: lambda s: s.market(100.0), 1: lambda s: s.stop_market(-100.0, "1980.00")}, impact=DEFAULTS
    )
    assert market.ledger.fill_costs[1].reference_price == 1950.0
    assert float(script.fills[1].last_px) == pytest.approx(math.floor(195000.0 * (1 - 41e-4)) / 100)


def test_buy_stop_fills_from_its_trigger(market) -> None:
    bars = market.bars(2000.0, 2000.0, (2005.0, 2100.0, 2000.0, 2050.0))
    script = market.run(
        bars, {0: lambda s: s.market(-100.0), 1: lambda s: s.stop_market(100.0, "2020.00")}, impact=DEFAULTS
    )
    assert market.ledger.fill_costs[1].reference_price == 2020.0
    assert float(script.fills[1].last_px) == pytest.approx(math.ceil(202000.0 * (1 + 41e-4)) / 100)


def test_limit_order_fills_at_its_own_price(market) -> None:
    bars = market.bars(2000.0, (2000.0, 2000.0, 1950.0, 1980.0), 1980.0)
    script = market.run(bars, {0: lambda s: s.limit(1.0, "1970.00")}, impact=DEFAULTS)
    assert [float(f.last_px) for f in script.fills] == [1970.0]
    assert market.ledger.fill_costs == []


def test_stop_inside_a_bar_does_not_know_that_bar_but_an_order_after_its_close_does(market) -> None:
    calm = [2000.0 + (i % 2) for i in range(30)]
    crash = (1999.0, 1999.0, 1500.0, 1600.0)
    bars = market.bars(*calm, crash, 1600.0)
    script = market.run(
        bars,
        {
            0: lambda s: s.market(100.0),
            29: lambda s: s.stop_market(-100.0, "1990.00"),
            30: lambda s: s.market(100.0),
        },
        impact={"warmup_days": 1.0, "half_life_days": 1.0, "participation": 1.0},
    )
    first, stop, after = market.ledger.fill_costs
    expected = MarketEstimator(1.0, 1.0)
    for bar in bars[:30]:
        expected.update(bar.ts_event, float(bar.close), 1000.0, market.HOUR)
    calm_impact = 1e4 * expected.volatility * math.sqrt(100.0 / expected.volume)
    assert not first.estimated
    assert stop.estimated
    assert stop.impact_bps == pytest.approx(calm_impact)
    expected.update(bars[30].ts_event, 1600.0, 1000.0, market.HOUR)
    assert after.impact_bps == pytest.approx(1e4 * expected.volatility * math.sqrt(100.0 / expected.volume))
    assert len(script.fills) == 3


def test_cutting_off_later_bars_leaves_earlier_fills_unchanged(market) -> None:
    prices = [2000.0 + 15.0 * math.sin(i) - 4.0 * i for i in range(60)]
    rows = [(p, p + 12.0, p - 12.0, p + 3.0) for p in prices]
    actions = {i: (lambda s, i=i: s.market(10.0 * (1 if i % 14 else -2))) for i in range(0, 60, 7)}
    actions[5] = lambda s: s.stop_market(-5.0, "1850.00")
    runs = []
    for end in (60, 40):
        script = market.run(market.bars(*rows)[:end], actions, impact={"warmup_days": 0.5}, latency_ms=200.0)
        last = script.seen * market.HOUR + market.START + market.HOUR
        runs.append(
            [(f.ts_event, str(f.last_px), str(f.last_qty)) for f in script.fills if f.ts_event <= last]
        )
    whole, cut = runs
    assert len(cut) >= 6
    assert whole[: len(cut)] == cut


def test_bars_that_are_not_of_time_are_refused(market) -> None:
    ticks = BarType.from_str(f"{market.instrument.id}-100-TICK-LAST-EXTERNAL")
    bars = [
        Bar(ticks, b.open, b.high, b.low, b.close, b.volume, b.ts_event, b.ts_init)
        for b in market.bars(2000.0, 2000.0)
    ]
    with pytest.raises(ConfigError, match="time bars"):
        market.run(bars, {})


def test_trailing_stop_fills_from_where_it_had_trailed_to(market) -> None:
    def trail(s) -> None:
        instrument_id = s.bar_type.instrument_id
        s.submit_order(
            s.order_factory.trailing_stop_market(
                instrument_id,
                OrderSide.SELL,
                Quantity.from_str("10.000"),
                trailing_offset=Decimal(20),
                trigger_type=TriggerType.LAST_PRICE,
                trailing_offset_type=TrailingOffsetType.PRICE,
                trigger_price=Price.from_str("1980.00"),
            )
        )

    bars = market.bars(2000.0, (2001.0, 2100.0, 1900.0, 1950.0), 1950.0)
    script = market.run(bars, {0: lambda s: (s.market(10.0), trail(s))})
    assert len(script.fills) == 2
    assert float(script.fills[1].last_px) > 1980.0
    assert market.ledger.fill_costs[1].reference_price == float(script.fills[1].last_px)
