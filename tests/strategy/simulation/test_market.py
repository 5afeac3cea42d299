"""The simulated market: determinism, accounting, causality of cascades, and what it hides or shows."""

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_agents import AgentMarket
from oi_hedge_strategy.simulation.market_config import (
    STEPS_PER_DAY,
    AgentBehaviour,
    SimulatedMarketConfig,
    VenueHalt,
    default_venues,
)
from oi_hedge_strategy.simulation.market_news import DayInputs
from oi_hedge_strategy.simulation.market_record import StepRecord
from oi_hedge_strategy.simulation.market_result import SimulatedMarket

CONFIG = SimulatedMarketConfig(seed=11, days=6)


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return simulate_market(CONFIG)


def arrays(market: SimulatedMarket, asset: str = "ETH") -> dict[str, np.ndarray]:
    series = market.assets[asset]
    found = {f"spot.{field}": values for field, values in vars(series.spot).items()}
    for name, venue in series.venues.items():
        found |= {f"{name}.{field}": values for field, values in vars(venue.bars).items()}
        found |= {
            f"{name}.oi": venue.open_interest,
            f"{name}.usd": venue.notional,
            f"{name}.funding": venue.funding,
        }
    truth = {name: values for name, values in vars(series.truth).items() if isinstance(values, np.ndarray)}
    return found | truth


def test_same_seed_gives_the_same_market(market: SimulatedMarket) -> None:
    again = arrays(simulate_market(CONFIG))
    for name, values in arrays(market).items():
        np.testing.assert_array_equal(values, again[name], err_msg=name)


def test_other_seed_gives_another_market(market: SimulatedMarket) -> None:
    other = simulate_market(dataclasses.replace(CONFIG, seed=12))
    assert np.abs(other.assets["ETH"].spot.close / market.assets["ETH"].spot.close - 1.0).max() > 0.001


def test_longer_run_begins_with_the_shorter_one(market: SimulatedMarket) -> None:
    longer = arrays(simulate_market(dataclasses.replace(CONFIG, days=9)))
    for name, values in arrays(market).items():
        np.testing.assert_array_equal(values, longer[name][: len(values)], err_msg=name)


def test_asset_does_not_depend_on_which_others_are_simulated(market: SimulatedMarket) -> None:
    both = simulate_market(dataclasses.replace(CONFIG, assets=("BTC", "ETH")))
    for name, values in arrays(market).items():
        np.testing.assert_array_equal(values, arrays(both)[name], err_msg=name)


def test_bar_length_changes_the_bars_and_not_the_market(market: SimulatedMarket) -> None:
    fine = simulate_market(dataclasses.replace(CONFIG, bar_minutes=15)).assets["ETH"].venues["OKX"]
    coarse = market.assets["ETH"].venues["OKX"]
    np.testing.assert_array_equal(fine.bars.close[3::4], coarse.bars.close)
    np.testing.assert_array_equal(fine.bars.high.reshape(-1, 4).max(axis=1), coarse.bars.high)
    np.testing.assert_array_equal(fine.open_interest[3::4], coarse.open_interest)


def test_longs_equal_shorts_at_every_venue(market: SimulatedMarket) -> None:
    open_interest = market.assets["ETH"].truth.open_interest
    np.testing.assert_allclose(open_interest[:, 0], open_interest[:, 1], rtol=1e-12)


def test_reported_open_interest_is_the_true_one(market: SimulatedMarket) -> None:
    series = market.assets["ETH"]
    for column, venue in enumerate(series.venues.values()):
        np.testing.assert_allclose(venue.open_interest, series.truth.open_interest[:, 0, column], atol=0.001)
        np.testing.assert_allclose(venue.notional, venue.open_interest * venue.bars.close)


@pytest.mark.parametrize("side", [0, 1])
def test_open_interest_changes_by_opened_less_closed_less_liquidated(
    market: SimulatedMarket, side: int
) -> None:
    truth = market.assets["ETH"].truth
    before = np.concatenate([truth.initial_open_interest[None], truth.open_interest[:-1, side]])
    change = truth.opened[:, side] - truth.closed[:, side] - truth.liquidated[:, side]
    np.testing.assert_allclose(truth.open_interest[:, side] - before, change, atol=1e-3)


def test_no_more_is_closed_or_liquidated_than_was_open(market: SimulatedMarket) -> None:
    truth = market.assets["ETH"].truth
    before = np.concatenate([np.stack([truth.initial_open_interest] * 2)[None], truth.open_interest[:-1]])
    assert (truth.closed + truth.liquidated <= before + truth.opened + 1e-3).all()
    assert (truth.liquidated >= 0.0).all()
    assert (truth.levels.sum(axis=2) <= truth.open_interest.sum(axis=2) + 1e-3).all()


def test_bars_hold_together(market: SimulatedMarket) -> None:
    for venue in market.assets["ETH"].venues.values():
        bars = venue.bars
        assert (bars.low <= np.minimum(bars.open, bars.close)).all()
        assert (bars.high >= np.maximum(bars.open, bars.close)).all()
        assert (bars.low > 0.0).all()
        assert (bars.volume > 0.0).all()
        np.testing.assert_array_equal(bars.open[1:], bars.close[:-1])


def test_venues_trade_near_each_other(market: SimulatedMarket) -> None:
    venues = market.assets["ETH"].venues
    apart = np.log(venues["GATE"].bars.close / venues["BINANCE"].bars.close)
    assert 1e-5 < np.median(np.abs(apart)) < 1e-3


def test_times_are_closes_and_settlements_are_eight_hours_apart(market: SimulatedMarket) -> None:
    start = 1_704_067_200_000_000_000
    assert market.times[0] == start + 3_600_000_000_000
    assert len(market.times) == 144
    np.testing.assert_array_equal(
        market.funding_times[:2], [start + 8 * 3_600_000_000_000, start + 16 * 3_600_000_000_000]
    )
    assert len(market.funding_times) == 18


def test_uninformative_market_keeps_prices_and_reports_another_positioning(market: SimulatedMarket) -> None:
    hidden = simulate_market(dataclasses.replace(CONFIG, informative=False))
    shown, other = market.assets["ETH"], hidden.assets["ETH"]
    np.testing.assert_array_equal(other.spot.close, shown.spot.close)
    np.testing.assert_array_equal(other.truth.open_interest, shown.truth.open_interest)
    for name, venue in other.venues.items():
        np.testing.assert_array_equal(venue.bars.close, shown.venues[name].bars.close)
        assert np.abs(venue.open_interest / shown.venues[name].open_interest - 1.0).max() > 0.01
        assert (venue.funding != shown.venues[name].funding).any()


def test_halted_venue_trades_and_liquidates_nothing_and_publishes_nothing(market: SimulatedMarket) -> None:
    halted = simulate_market(dataclasses.replace(CONFIG, halts=(VenueHalt("BYBIT", 50.5, 10.0),)))
    shown, column = halted.assets["ETH"].venues["BYBIT"], list(CONFIG.venues).index("BYBIT")
    np.testing.assert_array_equal(np.flatnonzero(~shown.traded), np.arange(51, 60))
    np.testing.assert_array_equal(np.flatnonzero(~shown.reports), np.arange(50, 60))
    np.testing.assert_array_equal(shown.bars.close[51:60], shown.bars.close[50])
    assert (shown.bars.volume[51:60] == 0.0).all()
    assert (halted.assets["ETH"].truth.liquidated[51:60, :, column] == 0.0).all()
    before = market.assets["ETH"].venues["BYBIT"]
    np.testing.assert_array_equal(shown.bars.close[:50], before.bars.close[:50])
    assert halted.assets["ETH"].venues["OKX"].traded.all()
    assert np.abs(np.log(shown.bars.close[62] / halted.assets["ETH"].venues["OKX"].bars.close[62])) < 0.01


def quiet_day(venues: int) -> DayInputs:
    zeros = np.zeros(STEPS_PER_DAY)
    shares = np.array([venue.share for venue in default_venues().values()])
    return DayInputs(
        diffusion=zeros,
        jumps=zeros.copy(),
        sentiment=np.full(STEPS_PER_DAY, 1.0),
        premium_noise=zeros,
        volume_noise=zeros,
        hedged=np.ones((STEPS_PER_DAY, venues)),
        activity=np.tile(shares, (STEPS_PER_DAY, 1)),
        venue_noise=np.zeros((STEPS_PER_DAY, venues)),
        trading=np.ones((STEPS_PER_DAY, venues)),
    )


def fall_after_shock(agents: AgentBehaviour, shock: float) -> tuple[float, float]:
    """Return the largest fall within a day of a shock to a quiet crowded market, and the share liquidated."""
    config = SimulatedMarketConfig(agents=agents)
    market = AgentMarket(config, "ETH")
    record = StepRecord.empty(1, 4, 12)
    for _ in range(10):
        market.run_day(quiet_day(4), record, 0)
    before = record.index[-1]
    day = quiet_day(4)
    day.jumps[0] = shock
    market.run_day(day, record, 0)
    return float(before - record.index.min()), float(record.liquidated[:, 0].sum())


def test_same_shock_falls_much_deeper_where_leveraged_longs_are_crowded() -> None:
    crowded, liquidated = fall_after_shock(AgentBehaviour(), -0.04)
    empty, nothing = fall_after_shock(AgentBehaviour(long_capacity=0.0, short_capacity=0.0), -0.04)
    assert empty == pytest.approx(0.04, abs=0.002)
    assert nothing == 0.0
    assert liquidated > 0.05
    assert crowded > 1.4 * empty


def test_small_shock_does_not_reach_the_liquidation_prices() -> None:
    fall, liquidated = fall_after_shock(AgentBehaviour(), -0.004)
    assert liquidated < 0.002
    assert fall < 0.008


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"days": 0}, "days must be at least 1, was 0"),
        ({"assets": ("PEPE",)}, "found \\['PEPE'\\]"),
        ({"assets": ("ETH", "ETH")}, "must differ"),
        ({"bar_minutes": 7}, "bar_minutes must be"),
        ({"start": datetime(2024, 1, 1, 5, tzinfo=UTC)}, "midnight in UTC"),
        ({"venues": {}}, "must contain BINANCE"),
        ({"halts": (VenueHalt("FTX", 1.0, 1.0),)}, "halts must name a venue, was 'FTX'"),
        ({"halts": (VenueHalt("OKX", 1.01, 1.0),)}, "whole steps of 5 minutes"),
    ],
)
def test_wrong_configuration_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(CONFIG, **change)
