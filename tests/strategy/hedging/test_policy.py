"""From forecast or rule to the wanted ratio."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oi_hedge_strategy.forecast.model import Forecast
from oi_hedge_strategy.hedging.config import PolicyConfig
from oi_hedge_strategy.hedging.policy import KellyPolicy, LogGrowthPolicy, RulePolicy, forecast_policy
from oi_hedge_strategy.state import MarketState, StateSchema

HOUR = 3_600_000_000_000
SCHEMA = StateSchema(("BINANCE", "BYBIT"))
units = st.floats(0.0, 1.0)


def forecast(down, up=(0.0, 0.0), adverse=0.08, favourable=0.02):
    moves = [np.full((2, 2), value, np.float32) for value in (adverse, favourable)]
    return Forecast(np.array([down, up], np.float32), *moves, np.stack(moves)[:, None])


def kelly(taker_fee=0.0005, **values):
    return KellyPolicy(PolicyConfig(**values), (4, 18), taker_fee)


def test_ratio_by_hand():
    # cost 0.05 + 2 (0.002 + 0.003) = 0.06; f = 0.5 / 0.06 - 0.5 / 0.08 = 2.0833; m = 0.25; h = 0.5208
    policy = kelly(taker_fee=0.002, slippage=0.003, max_kelly=5.0)
    wish = policy.wish(forecast((0.5, 0.0), favourable=0.05), True, 0.0)
    assert wish.ratio == pytest.approx(0.25 * (0.5 / 0.06 - 0.5 / 0.08), rel=1e-5)
    assert wish.reason == "p=0.500 in 4 h, gain 8.00% against cost 6.00%, f=2.08"


def test_loss_aversion_sizes_by_the_probability_of_multiplied_odds():
    # odds 1:9 times 9 are even; f = 0.5 / 0.06 - 0.5 / 0.08; m = 0.25
    averse = kelly(slippage=0.0045, max_kelly=5.0, loss_aversion=9.0)
    wish = averse.wish(forecast((0.1, 0.0), favourable=0.05), True, 0.0)
    assert wish.ratio == pytest.approx(0.25 * (0.5 / 0.06 - 0.5 / 0.08), rel=1e-5)
    assert wish.reason.startswith("p=0.100 taken as 0.500 in 4 h")


@pytest.mark.parametrize(
    ("p", "over_equity", "ratio"),
    [
        (0.40, 2.0, 0.5833),  # f* = 0.40 / 0.06 - 0.60 / 0.08 = -0.8333 of equity: h = 1 - 0.8333 / 2
        (0.40, 0.5, 0.0),  # the book may grow to more than its exposure: no hedge
        (0.50, 2.0, 1.0),  # f* = 2.0833 short: more than the whole exposure, cut to it
    ],
)
def test_log_growth_hedges_down_to_the_net_exposure_that_kelly_wants(p, over_equity, ratio):
    config = PolicyConfig(kind="log_growth", slippage=0.0045, exposure_over_equity=over_equity)
    policy = forecast_policy(config, (4, 18), 0.0005)
    assert isinstance(policy, LogGrowthPolicy)
    wish = policy.wish(forecast((p, 0.0), favourable=0.05), True, 0.0)
    assert wish.ratio == pytest.approx(ratio, abs=1e-4)


def test_the_kelly_cap_and_the_largest_ratio_bound_the_wish():
    certain = forecast((0.9, 0.9))
    assert kelly(max_kelly=1.0).wish(certain, True, 0.0).ratio == pytest.approx(0.60)
    assert kelly(max_hedge_ratio=0.3).wish(certain, True, 0.0).ratio == pytest.approx(0.3)


def test_the_horizon_with_the_largest_ratio_is_wanted():
    wish = kelly(max_kelly=1.0).wish(forecast((0.5, 0.8)), True, 0.0)
    assert wish.ratio == pytest.approx(0.60)
    assert "in 18 h" in wish.reason


def test_a_long_exposure_fears_the_fall_and_a_short_one_the_rise():
    falling = forecast((0.9, 0.9), up=(0.0, 0.0))
    assert kelly().wish(falling, True, 0.0).ratio > 0.0
    assert kelly().wish(falling, False, 0.0).ratio == 0.0


def test_carry_of_the_horizon_counts_as_cost_but_never_as_gain():
    # 18 h at 0.4 % per 8 h are 0.9 %: cost 0.02 + 0.009 = 0.029
    policy, p = kelly(taker_fee=0.0, slippage=0.0, max_kelly=50.0), forecast((0.0, 0.4), favourable=0.02)
    expected = 0.2 * (0.4 / 0.029 - 0.6 / 0.08)
    assert policy.wish(p, True, 0.004).ratio == pytest.approx(min(1.0, expected), rel=1e-5)
    assert policy.wish(p, True, -0.004) == policy.wish(p, True, 0.0)


def test_without_an_edge_nothing_is_wanted():
    wish = kelly().wish(forecast((0.1, 0.1)), True, 0.0)
    assert (wish.ratio, wish.reason) == (0.0, "no horizon has an edge after costs")


def test_a_forecast_without_an_adverse_move_is_no_reason_to_hedge():
    assert kelly().wish(forecast((0.9, 0.9), adverse=0.0), True, 0.0).ratio == 0.0


@given(units, units, units, st.floats(0.0, 0.5), st.floats(0.001, 0.5), st.floats(-0.01, 0.02), units)
def test_the_ratio_is_bounded_and_grows_with_probability(p, q, other, adverse, favourable, carry, most):
    low, high = sorted((p, q))
    policy = kelly(max_hedge_ratio=most)
    small, large = (
        policy.wish(forecast((each, other), adverse=adverse, favourable=favourable), True, carry).ratio
        for each in (low, high)
    )
    assert 0.0 <= small <= large <= most


@given(units, st.floats(0.0, 0.02), st.floats(0.0, 0.02))
def test_a_higher_carry_never_raises_the_ratio(p, one, two):
    low, high = sorted((one, two))
    wishes = [kelly().wish(forecast((p, p)), True, pays).ratio for pays in (low, high)]
    assert wishes[0] >= wishes[1]


def snapshot(prices, interest=(), funding=None):
    """Return the state after hourly prices, with open interest (then, now) a day apart."""
    state = MarketState(SCHEMA)
    for hour, price in enumerate(prices):
        if interest and hour in (len(prices) - 25, len(prices) - 1):
            quantity = interest[0] if hour == len(prices) - 25 else interest[1]
            state.update_open_interest("BINANCE", hour * HOUR, quantity)
        state.update_bar("BINANCE", False, hour * HOUR, price, price, price, 1.0)
        if funding is not None:
            state.update_funding("BYBIT", hour * HOUR, funding, 480)
    return state.sample((len(prices) - 1) * HOUR)


def rule(kind, **values):
    return RulePolicy(PolicyConfig(kind=kind, **values), SCHEMA, "BINANCE")


@pytest.mark.parametrize(("last", "acts"), [(95.1, False), (94.9, True)])
def test_stop_loss_hedges_a_long_exposure_below_its_best_of_three_days(last, acts):
    assert rule("stop_loss").wish(snapshot([90, 100, 99, last]), True).ratio == (1.0 if acts else 0.0)


@pytest.mark.parametrize(("last", "acts"), [(104.9, False), (105.1, True)])
def test_stop_loss_hedges_a_short_exposure_above_its_best_of_three_days(last, acts):
    assert rule("stop_loss").wish(snapshot([110, 100, 101, last]), False).ratio == (1.0 if acts else 0.0)


def test_stop_loss_forgets_prices_older_than_three_days():
    assert rule("stop_loss").wish(snapshot([200.0] + [100.0] * 73), True).ratio == 0.0
    assert rule("stop_loss").wish(snapshot([200.0] + [100.0] * 72), True).ratio == 1.0


def test_stop_loss_needs_two_prices():
    assert rule("stop_loss").wish(snapshot([100.0]), True).ratio == 0.0


@pytest.mark.parametrize(
    ("interest", "funding", "long", "acts"),
    [
        ((1000.0, 1060.0), 0.0001, True, True),
        ((1000.0, 1040.0), 0.0001, True, False),  # has not risen by 5 %
        ((1000.0, 1060.0), -0.0001, True, False),  # shorts are crowded
        ((1000.0, 1060.0), -0.0001, False, True),
        ((1000.0, 1060.0), None, True, False),  # funding unknown
    ],
)
def test_the_open_interest_rule_wants_a_rise_and_a_crowded_side(interest, funding, long, acts):
    found = rule("open_interest_rule", max_hedge_ratio=0.8).wish(
        snapshot([100.0] * 30, interest, funding), long
    )
    assert found.ratio == (0.8 if acts else 0.0)


def test_the_constant_policy_wants_its_ratio_whatever_happens():
    assert rule("constant", constant_ratio=0.4).wish(snapshot([100.0]), True).ratio == 0.4
