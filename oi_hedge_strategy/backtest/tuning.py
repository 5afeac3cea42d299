"""Find the policy that would have avoided a wanted share of losses at the most gain kept."""

from dataclasses import dataclass

import numpy as np

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.backtest.collect import collect_run
from oi_hedge_strategy.backtest.plan import BacktestPlan
from oi_hedge_strategy.backtest.run import observe
from oi_hedge_strategy.backtest.sweep import AS_CONFIGURED, Sweeps, configurations, tune
from oi_hedge_strategy.backtest.variants import Variant, held_bars, run_variants, scheduled
from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap
from oi_hedge_strategy.evaluation.daily import calendar
from oi_hedge_strategy.evaluation.headline import Headlines, headlines
from oi_hedge_strategy.evaluation.operating import choose
from oi_hedge_strategy.evaluation.records import OperatingPoint, Trial
from oi_hedge_strategy.hedging.config import PolicyConfig

UNHEDGED, WALK_FORWARD = "unhedged", "walk-forward"


@dataclass(frozen=True, slots=True)
class Tuning:
    """
    Hold what was tried, what was chosen, and what choosing that way would have reached before.

    Parameters
    ----------
    found : Headlines
        Of every configuration by label, and of the walk-forward under its name.
    chosen : str
        The label of the configuration for from now on: the best on all of the plan's days.
    policy : PolicyConfig
        It.
    point : OperatingPoint
        The walk-forward: each period of the plan with what was best before it.
    days : int
        How many days the configurations were judged on.

    """

    found: Headlines
    chosen: str
    policy: PolicyConfig
    point: OperatingPoint
    days: int


def tune_policy(plan: BacktestPlan, target: float, sweeps: Sweeps, workers: int | None = None) -> Tuning:
    """
    Try policies on all days of a plan and choose one.

    Parameters
    ----------
    plan : BacktestPlan
        What is taken as the past.
    target : float
        The share of losses to avoid.
    sweeps : str
        How many are tried: "standard" or "full".
    workers : int, optional
        Processes.

    Raises
    ------
    ConfigError
        If the policy sizes by no forecast.
    DataError
        If a run ended early or its account does not add up.

    """
    settings = plan.settings
    tried = configurations(settings.policy, sweeps)
    if not tried:
        raise ConfigError(
            f"policy.kind {settings.policy.kind} sizes by no forecast: there is nothing to tune; set it to "
            "kelly"
        )
    bars = held_bars(plan)
    engine, _, observed = observe(plan)
    hedged = collect_run("hedged", engine, plan, *bars)
    engine.dispose()
    variants = [
        Variant(label, ((0, each.policy),), settings.rails, settings.execution)
        for label, each in tried.items()
    ]
    alone = scheduled(UNHEDGED, np.zeros(len(observed)), settings.policy)
    runs = run_variants(plan, observed, [alone, *variants], workers, "configurations")
    trials = [Trial(each.kind, each.parameter, runs[label]) for label, each in tried.items()]
    close = bars[0].close[bars[0].ts_init >= plan.recorded_from_ns]
    point = tune(plan, observed, runs | {"hedged": hedged}, trials, close, sweeps, target)
    assert point is not None
    days = calendar(hedged.ts)
    records = {AS_CONFIGURED: hedged} | runs | {WALK_FORWARD: point.run}
    daily = {name: days.net(run.total_pnl) for name, run in records.items()}
    found = headlines(daily, daily[UNHEDGED], BlockBootstrap())
    labels = [AS_CONFIGURED, *tried]
    rows = [found.names.index(label) for label in labels]
    chosen = labels[choose(found.values[0, rows], found.values[1, rows], target)]
    policy = settings.policy if chosen == AS_CONFIGURED else tried[chosen].policy
    return Tuning(found, chosen, policy, point, int(days.days.size))
