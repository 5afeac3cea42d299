"""Cohorts of leveraged positions, against hand-computed liquidation prices."""

import numpy as np
import pytest

from oi_hedge_strategy.simulation.market_positions import PositionBook, liquidation_factors


def book(
    leverage: tuple[float, ...] = (10.0,), shares: tuple[float, ...] = (1.0,), cohorts: int = 3
) -> PositionBook:
    return PositionBook(1, np.array(leverage), np.array(shares), 0.005, cohorts)


def quantities(long: float, short: float) -> np.ndarray:
    return np.array([[long], [short]])


def test_liquidation_factors_match_the_isolated_margin_formula() -> None:
    longs, shorts = liquidation_factors(np.array([25.0]), 0.005)
    assert longs[0] == pytest.approx(0.96 / 0.995)
    assert shorts[0] == pytest.approx(1.04 / 1.005)


def test_single_long_cohort_is_liquidated_at_its_liquidation_price_and_not_before() -> None:
    one = book()
    one.open(quantities(5.0, 0.0), np.array([2_000.0]))
    level = 1_809.0452261306532  # 2000 * 0.9 / 0.995
    assert one.liquidate(np.array([level + 1e-6])) is None
    hit = one.liquidate(np.array([level - 1e-6]))
    assert hit is not None
    np.testing.assert_allclose(hit, quantities(5.0, 0.0))
    np.testing.assert_allclose(one.total, 0.0, atol=1e-12)
    assert one.liquidate(np.array([1.0])) is None


def test_single_short_cohort_is_liquidated_above_its_entry() -> None:
    one = book()
    one.open(quantities(0.0, 2.0), np.array([2_000.0]))
    level = 2_189.0547263681595  # 2000 * 1.1 / 1.005
    assert one.liquidate(np.array([level - 1e-6])) is None
    hit = one.liquidate(np.array([level + 1e-6]))
    assert hit is not None
    np.testing.assert_allclose(hit, quantities(0.0, 2.0))


def test_entries_of_one_window_are_pooled_at_their_average_price() -> None:
    one = book()
    one.open(quantities(3.0, 0.0), np.array([2_000.0]))
    one.open(quantities(1.0, 0.0), np.array([2_100.0]))
    level = 2_025.0 * 0.9 / 0.995
    assert one.liquidate(np.array([level + 1e-6])) is None
    hit = one.liquidate(np.array([level - 1e-6]))
    assert hit is not None
    assert hit[0, 0] == pytest.approx(4.0)


def test_entries_of_separate_windows_keep_their_own_liquidation_price() -> None:
    one = book()
    one.open(quantities(3.0, 0.0), np.array([2_000.0]))
    one.begin_cohort()
    one.open(quantities(1.0, 0.0), np.array([2_100.0]))
    hit = one.liquidate(np.array([2_100.0 * 0.9 / 0.995 - 1e-6]))
    assert hit is not None
    assert hit[0, 0] == pytest.approx(1.0)
    assert one.total[0, 0] == pytest.approx(3.0)


def test_highest_leverage_is_liquidated_first_and_only_its_share() -> None:
    one = book((10.0, 50.0), (0.75, 0.25))
    one.open(quantities(8.0, 0.0), np.array([2_000.0]))
    hit = one.liquidate(np.array([2_000.0 * 0.98 / 0.995 - 1e-6]))
    assert hit is not None
    assert hit[0, 0] == pytest.approx(2.0)
    assert one.total[0, 0] == pytest.approx(6.0)


def test_voluntary_closing_reduces_what_can_be_liquidated() -> None:
    one = book()
    one.open(quantities(4.0, 2.0), np.array([2_000.0]))
    closed = one.close(np.array([[0.25], [0.5]]))
    np.testing.assert_allclose(closed, quantities(1.0, 1.0))
    hit = one.liquidate(np.array([1_000.0]))
    assert hit is not None
    np.testing.assert_allclose(hit, quantities(3.0, 0.0))
    assert one.total[1, 0] == pytest.approx(1.0)


def test_oldest_cohort_is_dropped_when_the_windows_are_used_up() -> None:
    one = book(cohorts=2)
    one.open(quantities(4.0, 0.0), np.array([2_000.0]))
    one.close(np.array([[0.5], [0.0]]))
    np.testing.assert_allclose(one.begin_cohort(), 0.0)
    one.open(quantities(1.0, 0.0), np.array([2_000.0]))
    np.testing.assert_allclose(one.begin_cohort(), quantities(2.0, 0.0))
    assert one.total[0, 0] == pytest.approx(1.0)


def test_levels_count_quantity_by_distance_of_its_liquidation_price() -> None:
    one = book((10.0, 50.0), (0.75, 0.25))
    one.open(quantities(8.0, 4.0), np.array([2_000.0]))
    # longs: 50x at 1.51 % and 10x at 9.55 % below; shorts: 50x at 1.49 % and 10x at 9.45 % above
    np.testing.assert_allclose(one.levels(2_000.0, np.array([0.0, 0.02, 0.05, 0.1])), [[2, 0, 6], [1, 0, 3]])
    # from 2100: longs 6.20 % and 13.86 % below; of the shorts the 10x is 4.24 % above, the 50x already passed
    np.testing.assert_allclose(one.levels(2_100.0, np.array([0.0, 0.02, 0.05, 0.1])), [[0, 0, 2], [0, 3, 0]])
