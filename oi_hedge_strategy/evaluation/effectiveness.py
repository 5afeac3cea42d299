"""
How well a hedge hedged.

The measures are functions of daily profit and loss, shape (..., days), so that one call serves the sample and
all its resamples; they return NaN where they are not defined.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap, Estimate, Statistic, estimate
from oi_hedge_strategy.evaluation.daily import DailyRun
from oi_hedge_strategy.evaluation.records import Floats

TAIL = 0.05
DAYS_A_YEAR = 365.25
NO_LOSS = "no day of the unhedged exposure lost money"
NO_GAIN = "no day of the unhedged exposure gained money"
NO_LOSS_OR_GAIN = "the unhedged exposure had no losing day or no gaining day"


@dataclass(frozen=True, slots=True)
class Effectiveness:
    """
    Hold the measures of one run against the unhedged one, net of fees, slippage and funding.

    Parameters
    ----------
    loss_avoided : Estimate
        Share of the losses of the unhedged losing days that the hedge saved.
    gain_kept : Estimate
        Share of the gains of the unhedged gaining days that the hedge left.
    skill : Estimate
        ``loss_avoided + gain_kept - 1``; zero for any constant hedge ratio without costs.
    skill_before_costs : Estimate
        The same with fees, slippage and funding given back.
    variance_reduction : Estimate
        ``1 - var(hedged) / var(unhedged)`` of daily P&L (Ederington, 1979).
    cvar_reduction : Estimate
        Reduction of the mean loss of the worst 5 % of days.
    max_drawdown : Estimate
        Largest fall of total equity from its peak at daily closes, quote currency.
    drawdown_reduction : Estimate
        Reduction of the largest drawdown against the unhedged one.
    mean_hedge_ratio : Estimate
        Mean held hedge ratio over the bars with an exposure.
    turnover_per_week : Estimate
        Notional the hedge traded in a week, quote currency.
    cost_of_carry : Estimate
        Fees, slippage and funding of a year over the exposure's mean notional.

    """

    loss_avoided: Estimate
    gain_kept: Estimate
    skill: Estimate
    skill_before_costs: Estimate
    variance_reduction: Estimate
    cvar_reduction: Estimate
    max_drawdown: Estimate
    drawdown_reduction: Estimate
    mean_hedge_ratio: Estimate
    turnover_per_week: Estimate
    cost_of_carry: Estimate

    def to_dict(self) -> dict[str, dict[str, float | str | None]]:
        """Return every measure as a plain mapping."""
        return {field.name: getattr(self, field.name).to_dict() for field in fields(self)}


def loss_avoided(hedged: Floats, unhedged: Floats) -> Floats:
    """Return the share of the losses of unhedged losing days that the hedge saved."""
    losing = unhedged < 0
    saved = np.where(losing, hedged - unhedged, 0.0).sum(axis=-1)
    return _ratio(saved, np.where(losing, -unhedged, 0.0).sum(axis=-1))


def gain_kept(hedged: Floats, unhedged: Floats) -> Floats:
    """Return the share of the gains of unhedged gaining days that the hedge left."""
    gaining = unhedged > 0
    kept = np.where(gaining, hedged, 0.0).sum(axis=-1)
    return _ratio(kept, np.where(gaining, unhedged, 0.0).sum(axis=-1))


def skill(hedged: Floats, unhedged: Floats) -> Floats:
    """Return loss avoided plus gain kept less one."""
    return loss_avoided(hedged, unhedged) + gain_kept(hedged, unhedged) - 1.0


def variance_reduction(hedged: Floats, unhedged: Floats) -> Floats:
    """Return Ederington's hedge effectiveness."""
    return 1.0 - _ratio(hedged.var(axis=-1), unhedged.var(axis=-1))


def cvar(pnl: Floats) -> Floats:
    """Return the mean loss of the worst 5 % of days, at least one day; positive is a loss."""
    count = max(1, int(np.ceil(round(TAIL * pnl.shape[-1], 9))))
    return -np.partition(pnl, count - 1, axis=-1)[..., :count].mean(axis=-1)


def cvar_reduction(hedged: Floats, unhedged: Floats) -> Floats:
    """Return by which share the hedge reduced the mean loss of the worst days."""
    return 1.0 - _ratio(cvar(hedged), cvar(unhedged))


def max_drawdown(pnl: Floats) -> Floats:
    """Return the largest fall of the accumulated P&L from its peak, the start included."""
    equity = np.cumsum(pnl, axis=-1)
    peak = np.maximum(np.maximum.accumulate(equity, axis=-1), 0.0)
    return np.asarray((peak - equity).max(axis=-1))


def drawdown_reduction(hedged: Floats, unhedged: Floats) -> Floats:
    """Return by which share the hedge reduced the largest drawdown."""
    return 1.0 - _ratio(max_drawdown(hedged), max_drawdown(unhedged))


def measure(
    run: DailyRun, unhedged: DailyRun, bootstrap: BlockBootstrap, notional: float = np.nan
) -> Effectiveness:
    """
    Measure a run against the unhedged one.

    Parameters
    ----------
    run, unhedged : DailyRun
        The same days of both.
    bootstrap : BlockBootstrap
        How the intervals are made; all series are resampled with the same days.
    notional : float
        The exposure's mean notional, quote currency.

    """
    drawn = bootstrap.draw(run.pnl.size)

    def of(statistic: Statistic, undefined: str, *series: Floats) -> Estimate:
        return estimate(statistic, series or (run.pnl, unhedged.pnl), bootstrap, drawn, undefined)

    return Effectiveness(
        loss_avoided=of(loss_avoided, NO_LOSS),
        gain_kept=of(gain_kept, NO_GAIN),
        skill=of(skill, NO_LOSS_OR_GAIN),
        skill_before_costs=of(skill, NO_LOSS_OR_GAIN, run.pnl + run.costs, unhedged.pnl + unhedged.costs),
        variance_reduction=of(variance_reduction, "the unhedged exposure's P&L was the same every day"),
        cvar_reduction=of(cvar_reduction, "the unhedged exposure's worst days lost nothing"),
        max_drawdown=of(max_drawdown, "", run.pnl),
        drawdown_reduction=of(drawdown_reduction, "the unhedged exposure never fell below its peak"),
        mean_hedge_ratio=of(_mean_of_sums, "there was no exposure", run.hedge_ratio_sum, run.exposed_bars),
        turnover_per_week=of(lambda traded: 7.0 * traded.mean(axis=-1), "", run.turnover),
        cost_of_carry=of(
            lambda paid: _ratio(DAYS_A_YEAR * paid.mean(axis=-1), notional),
            "there was no exposure",
            run.costs,
        ),
    )


def measure_book(run: DailyRun, bootstrap: BlockBootstrap) -> dict[str, Estimate]:
    """Return the mean hedge ratio and the largest drawdown of a run."""
    drawn = bootstrap.draw(run.pnl.size)
    sums = run.hedge_ratio_sum, run.exposed_bars
    return {
        "mean_hedge_ratio": estimate(_mean_of_sums, sums, bootstrap, drawn, "there was no exposure"),
        "max_drawdown": estimate(max_drawdown, (run.pnl,), bootstrap, drawn, ""),
    }


def judge(difference: Estimate, other: str) -> str:
    """Say in words whether a difference is above, below or not distinguishable from that of `other`."""
    if difference.low is None or difference.high is None:
        return f"cannot be compared with {other}"
    if difference.low > 0:
        return f"better than {other}"
    if difference.high < 0:
        return f"worse than {other}"
    return f"not distinguishable from {other}"


def _mean_of_sums(sums: Floats, counts: Floats) -> Floats:
    return _ratio(sums.sum(axis=-1), counts.sum(axis=-1))


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64] | float) -> Floats:
    whole = np.asarray(whole, dtype=np.float64)
    ratio = np.full(np.broadcast_shapes(np.shape(part), whole.shape), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
