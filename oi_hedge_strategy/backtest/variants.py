"""Many runs of one plan on all cores: what the first run observed is replayed, no forecast is made twice.

A replay needs only the bars and the funding of the two instruments that are held: fills come at an order's
arrival, whatever other data there are, so that the run of the same configuration is equal bit by bit.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.node import BacktestNode
from tqdm import tqdm

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.series import BarSeries
from oi_hedge_strategy.backtest.collect import collect_run, find_strategy
from oi_hedge_strategy.backtest.node_config import replay_config
from oi_hedge_strategy.backtest.plan import BacktestPlan
from oi_hedge_strategy.backtest.replay import Policies, ReplayDesk
from oi_hedge_strategy.evaluation.records import Floats, RunRecord
from oi_hedge_strategy.hedging.config import ExecutionConfig, PolicyConfig, RailsConfig
from oi_hedge_strategy.hedging.observed import Observed
from oi_hedge_strategy.hedging.policy import Wish

_NEVER = 1e9
WITHOUT_RAILS = RailsConfig(
    imbalance_least_share=_NEVER,
    funding_spike=_NEVER,
    stress_rise=0.0,
    stress_fall=0.0,
    stress_carry=0.0,
    drawdown_tiers=(),
    hard_stop=0.0,
    max_daily_turnover=_NEVER,
    max_daily_orders=1_000_000,
)
AT_ONCE = ExecutionConfig(min_adjustment=0.001, release_ratio=1.0)
_WORTH_A_POOL = 20_000
"""Decisions of all runs together, below which starting processes takes longer than it saves."""


@dataclass(frozen=True, slots=True)
class Variant:
    """
    Say what one run does otherwise than the hedged one.

    Parameters
    ----------
    name : str
        The run's name.
    policies : sequence of (int, PolicyConfig)
        Which policy sizes from which moment on, ascending; the first from the start.
    rails, execution
        As for the strategy.
    schedule : float64 array, shape (decisions,), optional
        The wanted hedge ratio at each decision in place of a policy.
    impact, latency : float
        Multipliers of spread and impact, and of latency.

    """

    name: str
    policies: Policies
    rails: RailsConfig
    execution: ExecutionConfig
    schedule: Floats | None = None
    impact: float = 1.0
    latency: float = 1.0


def scheduled(name: str, schedule: Floats, policy: PolicyConfig) -> Variant:
    """Return a baseline: the given ratios at once, without rails."""
    return Variant(name, ((0, policy),), WITHOUT_RAILS, AT_ONCE, schedule)


def run_variants(
    plan: BacktestPlan,
    observed: Mapping[int, Observed],
    variants: Sequence[Variant],
    workers: int | None = None,
    description: str = "variants",
) -> dict[str, RunRecord]:
    """
    Run variants of a plan in a process pool.

    Parameters
    ----------
    plan : BacktestPlan
        The plan.
    observed : mapping of int to Observed
        Of the hedged run.
    variants : sequence of Variant
        What to run, each under a name of its own.
    workers : int, optional
        Processes; by default one for each core, or this one alone where there is little to run.
    description : str
        Title of the progress bar.

    Returns
    -------
    dict of str to RunRecord
        By name, in the order of `variants`.

    Raises
    ------
    ValueError
        If two variants have one name.
    DataError
        If a run ended early or its account does not add up.

    """
    names = [each.name for each in variants]
    if len(set(names)) != len(names):
        raise ValueError(f"names of variants must differ, was {names}")
    workers = min(workers or _useful_workers(len(observed) * len(variants)), len(variants))
    found: dict[str, RunRecord] = {}
    with tqdm(total=len(variants), desc=description, unit="run", disable=None) as progress:
        if workers <= 1:
            bars = held_bars(plan)
            for variant in variants:
                found[variant.name] = _run(plan, observed, bars, variant)
                progress.update()
            return found
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _prepare, (plan, dict(observed)))
        try:
            for future in as_completed([pool.submit(_run_prepared, variant) for variant in variants]):
                record = future.result()
                found[record.name] = record
                progress.update()
        finally:
            pool.shutdown(cancel_futures=True)
    return {name: found[name] for name in names}


def execute(plan: BacktestPlan, observed: Mapping[int, Observed], variant: Variant) -> BacktestEngine:
    """
    Run one variant and return its engine, which the caller disposes of.

    Raises
    ------
    DataError
        If the run did not decide exactly when something was observed.

    """
    if variant.schedule is not None:
        observed = _as_scheduled(observed, variant)
    first = variant.policies[0][1]
    config = replay_config(
        plan, first, variant.rails, variant.execution, impact=variant.impact, latency=variant.latency
    )
    node = BacktestNode([config])
    node.build()
    engine = node.get_engine(config.id)
    desks: list[ReplayDesk] = []

    def make_desk(*arguments: Any) -> ReplayDesk:
        desks.append(ReplayDesk(observed, variant.policies, *arguments))
        return desks[0]

    find_strategy(engine).make_desk = make_desk
    node.run()
    decided = desks[0].decided
    if decided != len(observed):
        raise DataError(
            f"run {variant.name!r} decided {decided} times, but there are {len(observed)} observations; the "
            "replayed run must have the same bars of the hedge instrument"
        )
    return engine


def held_bars(plan: BacktestPlan) -> tuple[BarSeries, BarSeries]:
    """Return the bars of hedge and exposure from warm-up to end."""
    hedge, exposure = plan.settings.hedge_instrument, plan.settings.exposure_instrument
    found = (
        store.read_bars(plan.catalog, plan.bar_types[i], start_ns=plan.warm_up_ns, end_ns=plan.end_ns)
        for i in (hedge, exposure)
    )
    return next(found), next(found)


def _useful_workers(decisions: int) -> int:
    return len(os.sched_getaffinity(0)) if decisions >= _WORTH_A_POOL else 1


def _run(
    plan: BacktestPlan,
    observed: Mapping[int, Observed],
    bars: tuple[BarSeries, BarSeries],
    variant: Variant,
) -> RunRecord:
    engine = execute(plan, observed, variant)
    try:
        return collect_run(variant.name, engine, plan, *bars)
    finally:
        engine.dispose()


def _as_scheduled(observed: Mapping[int, Observed], variant: Variant) -> dict[int, Observed]:
    """Return observations in which a rule wants the scheduled ratio, and nothing is left of the model."""
    assert variant.schedule is not None
    return {
        ts: replace(
            seen, rule=Wish(ratio, variant.name), forecast=None, problem="", demoted="", model_sha256=""
        )
        for (ts, seen), ratio in zip(observed.items(), variant.schedule.tolist(), strict=True)
    }


_work: tuple[BacktestPlan, Mapping[int, Observed], tuple[BarSeries, BarSeries]]


def _prepare(plan: BacktestPlan, observed: Mapping[int, Observed]) -> None:
    """Keep in a worker what all of its runs share."""
    global _work
    _work = plan, observed, held_bars(plan)


def _run_prepared(variant: Variant) -> RunRecord:
    return _run(*_work, variant)
