"""Hedge effectiveness through Nautilus's own analyzer."""

import numpy as np
import pandas as pd
import pytest
from nautilus_trader.analysis.analyzer import PortfolioAnalyzer

from oi_hedge_strategy.backtest.statistics import LossAvoided, register_statistics

DAYS = pd.date_range("2024-01-01", periods=6, tz="UTC")
UNHEDGED = pd.Series([-100.0, 50.0, -300.0, 150.0, 0.0, 200.0], DAYS) / 10_000.0
HEDGED = pd.Series([-80.0, 45.0, -100.0, 120.0, -5.0, 195.0], DAYS) / 10_000.0


def test_the_analyzer_lists_the_figures_computed_by_hand():
    analyzer = PortfolioAnalyzer()
    register_statistics(analyzer, UNHEDGED)
    for at, value in HEDGED.items():
        analyzer.add_return(at, value)
    found = analyzer.get_performance_stats_returns()
    assert found == pytest.approx(
        {
            "Loss Avoided": 220 / 400,
            "Gain Kept": 360 / 400,
            "Hedge Skill": 0.45,
            "Variance Reduction": 1.0 - np.var(HEDGED) / np.var(UNHEDGED),
            "Cvar Reduction": 1.0 - 100.0 / 300.0,
            "Drawdown Reduction": 1.0 - 135.0 / 350.0,
        }
    )


def test_returns_within_a_day_are_netted_and_foreign_days_left_out():
    halves = HEDGED.repeat(2) / 2.0
    halves.index = halves.index + pd.to_timedelta(np.tile([1, 13], 6), unit="h")
    late = pd.Series([-1.0], [pd.Timestamp("2024-02-01", tz="UTC")])
    value = LossAvoided(UNHEDGED).calculate_from_returns(pd.concat([halves, late]))
    assert value == pytest.approx(220 / 400)


@pytest.mark.parametrize("returns", [pd.Series(dtype=float), HEDGED.shift(60, freq="D")])
def test_without_common_days_there_is_no_figure(returns):
    assert LossAvoided(UNHEDGED).calculate_from_returns(returns) is None


def test_an_exposure_that_never_lost_has_no_loss_avoided():
    assert LossAvoided(UNHEDGED.abs()).calculate_from_returns(HEDGED) is None
