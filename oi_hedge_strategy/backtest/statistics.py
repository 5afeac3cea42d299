"""Hedge effectiveness as statistics of Nautilus's portfolio analyzer."""

from typing import Any

import numpy as np
import pandas as pd
from nautilus_trader.analysis.analyzer import PortfolioAnalyzer
from nautilus_trader.analysis.statistic import PortfolioStatistic

from oi_hedge_strategy.evaluation import effectiveness
from oi_hedge_strategy.evaluation.daily import calendar
from oi_hedge_strategy.evaluation.records import Floats, RunRecord


class HedgeStatistic(PortfolioStatistic):
    """
    Compare the returns of exposure and hedge together with those of the exposure alone.

    The analyzer hands a statistic one series, so that the other is given at construction. Both are taken as
    P&L of a day over one fixed capital, which cancels out.

    Parameters
    ----------
    unhedged : pd.Series
        Returns of the exposure alone, indexed by ``pd.Timestamp``; days that only one series has are left
        out.

    """

    def __init__(self, unhedged: pd.Series) -> None:
        self._unhedged = unhedged.resample("1D").sum()

    def calculate_from_returns(self, returns: pd.Series) -> float | None:
        """Return the measure, None where it is not defined."""
        if not self._check_valid_returns(returns):
            return None
        both = pd.concat([returns.resample("1D").sum(), self._unhedged], axis=1, join="inner").dropna()
        if both.empty:
            return None
        value = float(self._measure(both.iloc[:, 0].to_numpy(), both.iloc[:, 1].to_numpy()))
        return value if np.isfinite(value) else None

    def _measure(self, hedged: Floats, unhedged: Floats) -> Floats:
        raise NotImplementedError


class LossAvoided(HedgeStatistic):
    """Share of the losses of the exposure's losing days that the hedge saved."""

    def _measure(self, hedged: Floats, unhedged: Floats) -> Floats:
        return effectiveness.loss_avoided(hedged, unhedged)


class GainKept(HedgeStatistic):
    """Share of the gains of the exposure's gaining days that the hedge left."""

    def _measure(self, hedged: Floats, unhedged: Floats) -> Floats:
        return effectiveness.gain_kept(hedged, unhedged)


class HedgeSkill(HedgeStatistic):
    """Loss avoided plus gain kept less one."""

    def _measure(self, hedged: Floats, unhedged: Floats) -> Floats:
        return effectiveness.skill(hedged, unhedged)


class VarianceReduction(HedgeStatistic):
    """Ederington's hedge effectiveness."""

    def _measure(self, hedged: Floats, unhedged: Floats) -> Floats:
        return effectiveness.variance_reduction(hedged, unhedged)


class CvarReduction(HedgeStatistic):
    """Reduction of the mean loss of the worst 5 % of days."""

    def _measure(self, hedged: Floats, unhedged: Floats) -> Floats:
        return effectiveness.cvar_reduction(hedged, unhedged)


class DrawdownReduction(HedgeStatistic):
    """Reduction of the largest drawdown."""

    def _measure(self, hedged: Floats, unhedged: Floats) -> Floats:
        return effectiveness.drawdown_reduction(hedged, unhedged)


STATISTICS = (LossAvoided, GainKept, HedgeSkill, VarianceReduction, CvarReduction, DrawdownReduction)


def register_statistics(analyzer: PortfolioAnalyzer, unhedged: pd.Series) -> None:
    """
    Register every measure with an analyzer, such as ``engine.portfolio.analyzer``.

    Parameters
    ----------
    analyzer : PortfolioAnalyzer
        The analyzer.
    unhedged : pd.Series
        As for `HedgeStatistic`.

    """
    for statistic in STATISTICS:
        analyzer.register_statistic(statistic(unhedged))


def analyse(analyzer: PortfolioAnalyzer, run: RunRecord, capital: float) -> dict[str, Any]:
    """
    Return what Nautilus's analyzer says of a run, hedge effectiveness included.

    Parameters
    ----------
    analyzer : PortfolioAnalyzer
        The engine's; the statistics stay registered with it.
    run : RunRecord
        Exposure and hedge together; the exposure alone is what both are compared with.
    capital : float
        What a day's P&L is divided by, quote currency.

    """
    days = calendar(run.ts)
    index = pd.DatetimeIndex(days.days.astype("datetime64[ns]"), tz="UTC")
    hedged, unhedged = (
        pd.Series(days.net(pnl) / capital, index) for pnl in (run.total_pnl, run.exposure_pnl)
    )
    register_statistics(analyzer, unhedged)
    for day, value in zip(index.to_pydatetime(), hedged, strict=True):
        analyzer.add_return(day, value)
    found: dict[str, Any] = analyzer.get_performance_stats_returns()
    return found
