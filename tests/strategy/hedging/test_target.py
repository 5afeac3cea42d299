"""When a change of the hedge ratio is worth an order, and how it is rounded."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oi_hedge_strategy.hedging.config import ExecutionConfig
from oi_hedge_strategy.hedging.rails import ratio_to_quantity
from oi_hedge_strategy.hedging.target import with_hysteresis, worth_trading

CONFIG = ExecutionConfig(min_adjustment=0.05, release_ratio=0.5)


@pytest.mark.parametrize(
    ("wanted", "held", "result"),
    [(0.6, 0.4, 0.6), (0.4, 0.4, 0.4), (0.3, 0.4, 0.4), (0.2, 0.4, 0.2), (0.0, 0.4, 0.0), (0.21, 0.4, 0.4)],
)
def test_a_hedge_is_let_go_of_only_at_the_release_ratio(wanted, held, result):
    assert with_hysteresis(wanted, held, CONFIG) == result


def test_a_flickering_wish_trades_once():
    held, orders = 0.0, 0
    for wanted in [0.5, 0.3, 0.5, 0.28, 0.45, 0.3] * 5:
        allowed = with_hysteresis(wanted, held, CONFIG)
        if worth_trading(allowed, held, False, CONFIG):
            held, orders = allowed, orders + 1
    assert (held, orders) == (0.5, 1)


@pytest.mark.parametrize(
    ("allowed", "held", "forced", "worth"),
    [
        (0.5, 0.5, True, False),
        (0.54, 0.5, False, False),
        (0.56, 0.5, False, True),
        (0.54, 0.5, True, False),  # a rail's increase waits for the least adjustment like any other
        (0.49, 0.5, False, False),
        (0.49, 0.5, True, True),  # a rail's reduction does not
        (0.0, 0.01, False, True),  # closing is always done
    ],
)
def test_small_changes_wait_unless_they_reduce_by_force(allowed, held, forced, worth):
    assert worth_trading(allowed, held, forced, CONFIG) is worth


@pytest.mark.parametrize(
    ("ratio", "exposure", "quantity"),
    [(0.5, 10.0, -5.0), (0.5, -10.0, 5.0), (0.3333, 1.0, -0.333), (1.0, 0.0004, 0.0), (0.1, 0.43, -0.043)],
)
def test_the_hedge_opposes_the_exposure_in_whole_steps(ratio, exposure, quantity):
    assert ratio_to_quantity(ratio, exposure, 0.001) == pytest.approx(quantity)


@given(st.floats(0.0, 1.0), st.floats(-1e4, 1e4), st.sampled_from([1.0, 0.01, 0.001]))
def test_rounding_never_hedges_more_than_asked(ratio, exposure, step):
    quantity = ratio_to_quantity(ratio, exposure, step)
    assert abs(quantity) <= abs(ratio * exposure) + 1e-8 * step
    assert abs(quantity) > abs(ratio * exposure) - step
    assert quantity * exposure <= 0.0
    assert isclose(quantity / step, round(quantity / step), abs_tol=1e-6)
