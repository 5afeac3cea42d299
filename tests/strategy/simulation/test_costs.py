"""Multipliers of impact and latency, and fees by tier."""

from typing import Any

import pytest

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.simulation.costs import CostsConfig
from oi_hedge_strategy.simulation.fees import FEE_TIERS, fee_rates
from oi_hedge_strategy.simulation.venue import hedge_venue_config

IMPACT = {"default_volatility": 0.04, "default_volume": 100_000.0, "warmup_days": 1000.0}


@pytest.mark.parametrize(("multiplier", "price"), [(0.0, 2000.0), (1.0, 2001.0), (4.0, 2004.0)])
def test_impact_multiplier_scales_spread_and_impact(market: Any, multiplier: float, price: float) -> None:
    # 10 of 100,000 ETH at 4 % a day: 4 bps and 1 bp of half-spread, 5 bps of 2000 are 1.00
    venue = hedge_venue_config(
        "BINANCE",
        ["100000 USDT"],
        latency_ms=0.0,
        impact=IMPACT,
        costs=CostsConfig(impact_multiplier=multiplier),
    )
    script = market.run(market.bars(2000.0, 2000.0), {0: lambda s: s.market(10.0)}, venue=venue)
    assert float(script.fills[0].last_px) == price


@pytest.mark.parametrize(("multiplier", "ms"), [(0.0, 0), (1.0, 200), (2.0, 400)])
def test_latency_multiplier_scales_the_arrival(market: Any, multiplier: float, ms: int) -> None:
    costs = CostsConfig(
        latency_multiplier=multiplier, feed_ms=0.0, response_ms=0.0, latency_jitter=0.0, latency_exponent=0.0
    )
    script = market.run(
        market.bars(2000.0, 2000.0), {0: lambda s: s.market(1.0)}, latency_ms=200.0, costs=costs
    )
    assert script.fills[0].ts_event == market.START + market.HOUR + market.LAG + ms * 1_000_000


def test_fee_of_a_tier_is_charged_in_place_of_the_instruments(market: Any) -> None:
    market.use(fee="0.001")
    rates = CostsConfig(fee_tier="vip3").fees("BINANCE")
    script = market.run(market.bars(2000.0, 2000.0), {0: lambda s: s.market(10.0)}, fee_rates=rates)
    # 10 ETH at 2000 and 0.032 %
    assert float(script.fills[0].commission) == pytest.approx(6.4)
    assert market.balance() == pytest.approx(1_000_000.0 - 6.4)


def test_resting_limit_order_pays_the_maker_fee(market: Any) -> None:
    rates = CostsConfig(maker_fee=-0.0001, taker_fee=0.0004).fees("BINANCE")
    script = market.run(
        market.bars(2000.0, (2000.0, 2000.0, 1980.0, 1990.0)),
        {0: lambda s: s.limit(10.0, "1990")},
        fee_rates=rates,
    )
    # a rebate of 0.01 % on 10 ETH at 1990
    assert float(script.fills[0].commission) == pytest.approx(-1.99)


def test_inverse_contract_pays_its_fee_in_coin(market: Any) -> None:
    market.use(inverse=True)
    script = market.run(
        market.bars(2000.0, 2000.0),
        {0: lambda s: s.market(1000.0)},
        balance="10 ETH",
        fee_rates=CostsConfig(taker_fee=0.0005).fees("BINANCE"),
    )
    # 1000 USD at 2000 are 0.5 ETH
    assert str(script.fills[0].commission) == "0.00025000 ETH"


def test_instruments_own_fee_stands_where_only_the_other_is_given(market: Any) -> None:
    market.use(fee="0.001")
    rates = CostsConfig(maker_fee=0.0).fees("BINANCE")
    script = market.run(market.bars(2000.0, 2000.0), {0: lambda s: s.market(1.0)}, fee_rates=rates)
    assert float(script.fills[0].commission) == pytest.approx(2.0)


def test_own_fee_goes_before_the_tiers() -> None:
    assert CostsConfig(fee_tier="vip9", taker_fee=0.0003).fees("BINANCE") == (0.0, 0.0003)
    assert CostsConfig().fees("ANY") == (None, None)


def test_fees_fall_with_the_tier() -> None:
    for tiers in FEE_TIERS.values():
        for (maker, taker), (lower_maker, lower_taker) in zip(
            list(tiers.values())[:-1], list(tiers.values())[1:], strict=True
        ):
            assert lower_maker <= maker
            assert lower_taker < taker


@pytest.mark.parametrize(("venue", "tier", "words"), [("FTX", "vip0", "FTX"), ("BINANCE", "gold", "vip0")])
def test_unknown_tier_is_refused(venue: str, tier: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        fee_rates(venue, tier)


@pytest.mark.parametrize(
    "values",
    [
        {"impact_multiplier": -1.0},
        {"latency_multiplier": -0.5},
        {"taker_fee": -0.1},
        {"maker_fee": 1.0},
        {"feed_ms": -1.0},
        {"latency_exponent": 50.0},
        {"latency_jitter": 6.0},
        {"relaxation_minutes": 0.0},
        {"cross_impact": 1.5},
        {"liquidation_fee": 2.0},
    ],
)
def test_costs_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        BacktestSettings(costs=CostsConfig(**values)).check()


def test_tier_of_another_venue_is_refused_with_the_settings() -> None:
    with pytest.raises(ConfigError, match="regular"):
        BacktestSettings(costs=CostsConfig(fee_tier="regular")).check()


def test_multipliers_of_impact_and_costs_multiply() -> None:
    costs = CostsConfig(impact_multiplier=2.0)
    venue = hedge_venue_config("BINANCE", ["1 USDT"], impact={"multiplier": 3.0}, costs=costs)
    assert venue.fill_model is not None
    assert venue.fill_model.config["multiplier"] == 6.0
