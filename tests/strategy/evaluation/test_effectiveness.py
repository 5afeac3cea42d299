import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap
from oi_hedge_strategy.evaluation.daily import DailyRun
from oi_hedge_strategy.evaluation.effectiveness import (
    NO_LOSS,
    cvar,
    gain_kept,
    loss_avoided,
    max_drawdown,
    measure,
    skill,
    variance_reduction,
)

UNHEDGED = np.array([-100.0, 50.0, -300.0, 150.0, 0.0, 200.0])
HEDGED = np.array([-80.0, 45.0, -100.0, 120.0, -5.0, 195.0])


def daily(pnl: np.ndarray, costs: float = 0.0) -> DailyRun:
    ones = np.ones(pnl.size)
    return DailyRun(pnl, ones * costs, ones * 1000.0, ones * 6.0, ones * 24.0)


def test_six_days_give_the_figures_computed_by_hand() -> None:
    assert loss_avoided(HEDGED, UNHEDGED) == pytest.approx((20 + 200) / 400)
    assert gain_kept(HEDGED, UNHEDGED) == pytest.approx((45 + 120 + 195) / 400)
    assert skill(HEDGED, UNHEDGED) == pytest.approx(0.55 + 0.90 - 1.0)


def test_a_hedge_that_adds_to_losses_avoids_less_than_nothing() -> None:
    assert loss_avoided(UNHEDGED - 40.0, UNHEDGED) == pytest.approx(-80 / 400)


def test_six_days_give_drawdown_tail_and_variance_computed_by_hand() -> None:
    assert max_drawdown(UNHEDGED) == pytest.approx(350.0)  # start 0, then -100, -50, -350
    assert max_drawdown(HEDGED) == pytest.approx(135.0)  # start 0, then -80, -35, -135
    assert cvar(UNHEDGED) == pytest.approx(300.0)
    assert variance_reduction(0.5 * UNHEDGED, UNHEDGED) == pytest.approx(0.75)


def test_tail_of_forty_days_is_the_mean_of_the_two_worst() -> None:
    assert cvar(np.arange(40.0) - 20.0) == pytest.approx(19.5)


def test_drawdown_measures_each_row_of_many_paths() -> None:
    assert max_drawdown(np.array([[1.0, -3.0], [-1.0, 2.0]])).tolist() == [3.0, 1.0]


@given(
    ratio=st.floats(-0.5, 1.5),
    pnl=arrays(np.float64, st.integers(2, 40), elements=st.floats(-1e6, 1e6).map(lambda x: round(x, 3))),
)
def test_a_constant_costless_hedge_has_no_skill(ratio: float, pnl: np.ndarray) -> None:
    pnl = np.concatenate([pnl, [-1.0, 1.0]])
    assert loss_avoided((1 - ratio) * pnl, pnl) == pytest.approx(ratio, abs=1e-9)
    assert gain_kept((1 - ratio) * pnl, pnl) == pytest.approx(1 - ratio, abs=1e-9)
    assert skill((1 - ratio) * pnl, pnl) == pytest.approx(0.0, abs=1e-9)


def test_costs_lower_skill_and_are_given_back_before_costs() -> None:
    pnl = np.tile(UNHEDGED, 4)
    figures = measure(daily(0.5 * pnl - 4.0, costs=4.0), daily(pnl), BlockBootstrap(resamples=200))
    assert figures.skill.value == pytest.approx(-(4 * 2 / 400 + 4 * 3 / 400))
    assert figures.skill_before_costs.value == pytest.approx(0.0)


def test_hedge_ratio_and_turnover_are_means_over_bars_and_weeks() -> None:
    pnl = np.tile(UNHEDGED, 4)
    figures = measure(daily(pnl), daily(pnl), BlockBootstrap(resamples=200))
    assert figures.mean_hedge_ratio.value == pytest.approx(0.25)
    assert figures.turnover_per_week.value == pytest.approx(7000.0)


def test_no_losing_day_leaves_loss_avoided_undefined_with_a_reason() -> None:
    pnl = np.arange(1.0, 31.0)
    figures = measure(daily(pnl), daily(pnl), BlockBootstrap(resamples=200))
    assert figures.loss_avoided.value is None
    assert figures.loss_avoided.reason == NO_LOSS
    assert figures.skill.value is None
    assert figures.gain_kept.value == pytest.approx(1.0)


def test_few_days_give_a_figure_but_no_interval() -> None:
    figures = measure(daily(HEDGED), daily(UNHEDGED), BlockBootstrap())
    assert figures.skill.value == pytest.approx(0.45)
    assert (figures.skill.low, figures.skill.high) == (None, None)
    assert "at least 10 days, found 6" in figures.skill.reason


def test_one_losing_day_among_many_gives_no_interval() -> None:
    pnl = np.concatenate([[-1.0], np.ones(29)])
    figures = measure(daily(0.5 * pnl), daily(pnl), BlockBootstrap())
    assert figures.loss_avoided.value == pytest.approx(0.5)
    assert figures.loss_avoided.low is None
    assert "too many resamples" in figures.loss_avoided.reason


def test_cost_of_carry_is_the_year_s_costs_over_the_notional() -> None:
    pnl = np.tile(UNHEDGED, 4)
    figures = measure(daily(pnl, costs=4.0), daily(pnl), BlockBootstrap(resamples=200), notional=10_000.0)
    assert figures.cost_of_carry.value == pytest.approx(365.25 * 4.0 / 10_000.0)
