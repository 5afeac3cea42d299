"""Insurance funds of the simulated venues, by hand-computed cases, and a market that deleverages."""

import dataclasses

import numpy as np
import pytest

from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig
from oi_hedge_strategy.simulation.market_insurance import InsuranceFunds
from oi_hedge_strategy.simulation.market_positions import PositionBook


def funds(balance: float) -> InsuranceFunds:
    return InsuranceFunds(np.array([balance]), np.zeros((2, 1)), 0.005)


def side(long: float, short: float) -> np.ndarray:
    return np.array([[long], [short]])


def test_fund_gains_what_is_sold_above_the_bankruptcy_price() -> None:
    one = funds(10.0)
    one.take_over(side(2.0 * 1_809.0, 0.0))  # 2 long at a liquidation price of 1809, bankrupt at 1799.955
    one.execute(side(0.5, 0.0), side(1.5, 0.0), np.array([1_805.0]))
    assert one.balance[0] == pytest.approx(10.0 + 1.5 * (1_805.0 - 1_799.955))
    assert one.owed[0, 0] == pytest.approx(0.5 * 1_799.955)


def test_fund_bears_what_is_bought_back_above_the_bankruptcy_price() -> None:
    one = funds(10.0)
    one.take_over(side(0.0, 1.0 * 2_189.0))  # short, bankrupt at 2199.945
    one.execute(side(0.0, 0.0), side(0.0, 1.0), np.array([2_205.0]))
    assert one.balance[0] == pytest.approx(10.0 - (2_205.0 - 2_199.945))
    assert one.deleverage(book(1.0), side(0.0, 0.0)) is None


def book(short: float) -> PositionBook:
    one = PositionBook(1, np.array([10.0]), np.array([1.0]), 0.005, 3)
    one.open(side(0.0, short), np.array([2_000.0]))
    return one


@pytest.mark.parametrize(("short", "matched"), [(8.0, 3.0), (2.0, 2.0)])
def test_used_up_fund_closes_what_is_left_against_the_winners(short: float, matched: float) -> None:
    one, winners = funds(1.0), book(short)
    one.take_over(side(4.0 * 1_809.0, 0.0))
    one.execute(side(3.0, 0.0), side(1.0, 0.0), np.array([1_700.0]))
    found = one.deleverage(winners, side(3.0, 0.0))
    assert found is not None
    np.testing.assert_allclose(found[0], side(0.0, matched))
    np.testing.assert_allclose(found[1], side(matched, 0.0))
    assert winners.total[1, 0] == pytest.approx(short - matched)
    assert one.balance[0] == 0.0
    assert one.owed[0, 0] == pytest.approx((3.0 - matched) * 1_799.955)


def test_market_with_small_funds_adds_up() -> None:
    config = SimulatedMarketConfig(seed=13, days=12)
    unlimited = simulate_market(config).assets["ETH"].truth
    series = simulate_market(dataclasses.replace(config, insurance=0.0)).assets["ETH"]
    assert np.isinf(unlimited.insurance).all()
    truth = series.truth
    assert (truth.insurance >= 0.0).all()
    assert truth.insurance.max() > 0.0
    np.testing.assert_allclose(truth.open_interest[:, 0], truth.open_interest[:, 1], rtol=1e-12)
    for column in (0, 1):
        before = np.concatenate([truth.initial_open_interest[None], truth.open_interest[:-1, column]])
        change = truth.opened[:, column] - truth.closed[:, column] - truth.liquidated[:, column]
        np.testing.assert_allclose(truth.open_interest[:, column] - before, change, atol=1e-3)
