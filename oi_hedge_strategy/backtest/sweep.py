"""Which runs a backtest makes beside the hedged one: baselines, frontier, costs, and the tuned hedge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import msgspec
import numpy as np

from oi_hedge_catalog import store
from oi_hedge_strategy.backtest.market import market_record
from oi_hedge_strategy.backtest.plan import BacktestPlan
from oi_hedge_strategy.backtest.variants import Variant, run_variants, scheduled
from oi_hedge_strategy.evaluation.operating import tune_periods
from oi_hedge_strategy.evaluation.periods import tuning_periods
from oi_hedge_strategy.evaluation.records import Floats, OperatingPoint, RuleChoice, RunRecord, Trial
from oi_hedge_strategy.evaluation.rules import RULES, follow
from oi_hedge_strategy.hedging.config import PolicyConfig
from oi_hedge_strategy.hedging.observed import Observed

Sweeps = Literal["none", "standard", "full"]
MULTIPLIERS = (0.5, 2.0, 4.0)
CONSTANTS = (0.25, 0.5, 0.75, 1.0)
LOSS_AVERSIONS: dict[Sweeps, tuple[float, ...]] = {
    "none": (),
    "standard": (2.0, 4.0, 8.0, 16.0, 32.0),
    "full": (1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0),
}
FULL_STAKES = ((0.0, 1.0), (1.0, 1.0))
"""Knots of a policy that hedges by the whole Kelly fraction, whatever the confidence."""
TUNED = "tuned"
AS_CONFIGURED = "as configured"


@dataclass(frozen=True, slots=True)
class Configuration:
    """Hold a policy that is tried, its kind and its parameter for the frontier."""

    kind: str
    parameter: float
    policy: PolicyConfig


def baselines(
    plan: BacktestPlan, observed: Mapping[int, Observed], hedged: RunRecord
) -> tuple[list[Variant], dict[str, tuple[RuleChoice, ...]]]:
    """
    Return the runs that the hedge is compared with, and which parameters the rules had when.

    The unhedged exposure, a constant hedge of the same average ratio, and rules whose parameters are chosen
    on all data of the catalog before each period.
    """
    policy = plan.settings.policy
    bars = store.read_bars(plan.catalog, plan.bar_types[plan.settings.hedge_instrument], end_ns=plan.end_ns)
    market = market_record(plan, bars, from_ns=0)
    rows = np.searchsorted(market.ts, np.fromiter(observed, np.int64), side="right") - 1
    periods = tuning_periods(plan.start_ns, plan.end_ns)
    count = len(observed)
    found = [
        scheduled("unhedged", np.zeros(count), policy),
        scheduled("constant", np.full(count, _average_ratio(hedged, policy.max_hedge_ratio)), policy),
    ]
    choices = {}
    for rule in RULES:
        wanted, chosen = follow(rule, market, plan.long, periods, plan.taker_fee + policy.slippage)
        found.append(scheduled(rule.name, policy.max_hedge_ratio * wanted[rows], policy))
        choices[rule.name] = tuple(chosen)
    return found, choices


def configurations(policy: PolicyConfig, sweeps: Sweeps) -> dict[str, Configuration]:
    """Return the policies that are tried beside the configured one, by label."""
    if not policy.needs_model:
        return {}

    def changed(**values: object) -> PolicyConfig:
        return msgspec.structs.replace(policy, **values)

    found = {
        f"loss aversion {each:g}": Configuration("strategy", each, changed(kind="kelly", loss_aversion=each))
        for each in LOSS_AVERSIONS[sweeps]
        if each != policy.loss_aversion or policy.kind != "kelly"
    }
    if sweeps != "none":
        weight = changed(kind="log_growth", loss_aversion=1.0)
        found["log growth"] = Configuration("log_growth", 1.0, weight)
    if sweeps == "full":
        for each in (1.0, 2.0, 3.0, 5.0, 8.0):
            full = changed(kind="kelly", loss_aversion=each, knots=FULL_STAKES)
            found[f"full stakes, loss aversion {each:g}"] = Configuration("full_stakes", each, full)
    return found


def trial_variants(plan: BacktestPlan, sweeps: Sweeps, count: int) -> list[tuple[str, float, Variant]]:
    """Return kind, parameter and run of every trial."""
    if sweeps == "none":
        return []
    settings = plan.settings
    run = partial(Variant, rails=settings.rails, execution=settings.execution)
    same = ((0, settings.policy),)
    found: list[tuple[str, float, Variant]] = [
        (each.kind, each.parameter, run(label, ((0, each.policy),)))
        for label, each in configurations(settings.policy, sweeps).items()
    ]
    for ratio in CONSTANTS:
        name = f"constant {ratio:.0%}"
        held = np.full(count, min(ratio, settings.policy.max_hedge_ratio))
        found.append(("constant", ratio, scheduled(name, held, settings.policy)))
    for times in MULTIPLIERS:
        found.append(("impact", times, run(f"impact x{times:g}", same, impact=times)))
        found.append(("latency", times, run(f"latency x{times:g}", same, latency=times)))
    return found


def tune(
    plan: BacktestPlan,
    observed: Mapping[int, Observed],
    runs: Mapping[str, RunRecord],
    trials: Sequence[Trial],
    close: Floats,
    sweeps: Sweeps,
    target: float | None,
) -> OperatingPoint | None:
    """
    Return the hedge with each period's policy chosen on what came before it.

    Parameters
    ----------
    plan, observed
        The plan and what its hedged run observed.
    runs : mapping of str to RunRecord
        "hedged" and "unhedged".
    trials : sequence of Trial
        Of the same sweep.
    close : float64 array, shape (n,)
        The hedge instrument's closes.
    sweeps : str
        Which sweep was made; without one nothing can be tuned.
    target : float, optional
        The share of losses to avoid; without one nothing is tuned.

    """
    settings = plan.settings
    tried = {label: each.policy for label, each in configurations(settings.policy, sweeps).items()}
    if target is None or not tried:
        return None
    candidates = {each.run.name: each.run for each in trials if each.run.name in tried}
    candidates = {AS_CONFIGURED: runs["hedged"]} | candidates
    periods = tuning_periods(plan.start_ns, plan.end_ns)
    chosen = tune_periods(candidates, runs["unhedged"], close, periods, target, AS_CONFIGURED)
    policies = {AS_CONFIGURED: settings.policy} | tried
    switched = tuple((each.start_ns if at else 0, policies[each.label]) for at, each in enumerate(chosen))
    variant = Variant(TUNED, switched, settings.rails, settings.execution)
    found = run_variants(plan, observed, [variant], description=TUNED)
    ratio = _average_ratio(found[TUNED], settings.policy.max_hedge_ratio)
    alike = scheduled(f"constant {ratio:.1%}", np.full(len(observed), ratio), settings.policy)
    constant = run_variants(plan, observed, [alike], description="constant beside it")[alike.name]
    return OperatingPoint(target, chosen, found[TUNED], constant)


def _average_ratio(hedged: RunRecord, most: float) -> float:
    ratio = np.divide(
        -hedged.hedge_quantity,
        hedged.exposure_quantity,
        out=np.zeros(hedged.ts.size),
        where=hedged.exposure_quantity != 0.0,
    )
    return min(max(float(ratio.mean()), 0.0), most)
