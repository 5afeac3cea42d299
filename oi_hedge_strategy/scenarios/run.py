"""Run the scenarios in Nautilus's BacktestNode, as configured and with a full hedge already on."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.model.enums import OrderStatus
from nautilus_trader.model.identifiers import StrategyId
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from tqdm import tqdm

from oi_hedge_catalog import store
from oi_hedge_strategy.backtest.collect import collect_decisions, collect_run
from oi_hedge_strategy.backtest.node_config import HEDGE_ID, run_config
from oi_hedge_strategy.backtest.plan import BacktestPlan, iso
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.backtest.variants import held_bars
from oi_hedge_strategy.hedging.book import STOP_TAG
from oi_hedge_strategy.hedging.config import PolicyConfig, RailsConfig
from oi_hedge_strategy.scenarios.definitions import HOURS_BEFORE, Scenario
from oi_hedge_strategy.scenarios.measures import Outcome, measure
from oi_hedge_strategy.scenarios.replay import HOUR_NS, BaseMarket, read_base, write_replay
from oi_hedge_strategy.scenarios.shock import Shock, at
from oi_hedge_strategy.scenarios.windows import Models, calmest_window, plan_window, recorded_window

VARIANTS = ("configured", "full")
UNTOUCHED = Shock()


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """
    Hold a scenario with its two outcomes.

    Parameters
    ----------
    scenario : Scenario
        What was run.
    recorded : bool
        Whether on recorded data; a parametric replay otherwise.
    start_ns, end_ns, onset_ns : int
        The window, and when the shock began.
    configured, full : Outcome
        The strategy as configured, and with a full hedge on before the shock.

    """

    scenario: Scenario
    recorded: bool
    start_ns: int
    end_ns: int
    onset_ns: int
    configured: Outcome
    full: Outcome


def run_scenarios(
    catalog: ParquetDataCatalog, settings: BacktestSettings, models: Models, scenarios: Sequence[Scenario]
) -> Iterator[ScenarioRun]:
    """
    Run each scenario on what the catalog recorded of it, else as a replay over its calmest stretch.

    Parameters
    ----------
    catalog : ParquetDataCatalog
        The data; not changed.
    settings : BacktestSettings
        Exposure, hedge, costs, policy and rails.
    models : Models
        What the policy sizes by; where no model may be used, the open-interest rule decides.
    scenarios : sequence of Scenario
        What to run.

    Raises
    ------
    OIHedgeError
        If the catalog cannot carry a scenario, or a run failed.

    """
    windows = {each.key: recorded_window(catalog, settings, models.card, each) for each in scenarios}
    replayed = [each for each in scenarios if windows[each.key] is None]
    base = _base(catalog, settings, models, max(each.hours for each in replayed)) if replayed else None
    progress = tqdm(total=len(VARIANTS) * len(scenarios), desc="scenarios", unit="run", disable=None)
    with progress, tempfile.TemporaryDirectory() as scratch:
        for scenario in scenarios:
            window = windows[scenario.key]
            progress.set_postfix_str(scenario.key)
            if window is not None:
                onset = window[0] + HOURS_BEFORE * HOUR_NS
                plan, shock = plan_window(catalog, settings, models, *window), UNTOUCHED
            else:
                assert base is not None
                onset, shock = base.onset_ns, scenario.shock
                plan = _replay_plan(base, settings, models, scenario, Path(scratch))
            outcomes = []
            for variant in VARIANTS:
                outcomes.append(_run(plan, settings, variant, shock, onset))
                progress.update()
            yield ScenarioRun(scenario, window is not None, plan.start_ns, plan.end_ns, onset, *outcomes)


def _base(catalog: ParquetDataCatalog, settings: BacktestSettings, models: Models, hours: int) -> BaseMarket:
    start, end = calmest_window(catalog, settings, models, HOURS_BEFORE + hours)
    plan = plan_window(catalog, settings, models, start, end)
    return read_base(plan, start + HOURS_BEFORE * HOUR_NS)


def _replay_plan(
    base: BaseMarket, settings: BacktestSettings, models: Models, scenario: Scenario, scratch: Path
) -> BacktestPlan:
    description = (
        f"{scenario.title}: parametric replay over a calm stretch from {iso(base.start_ns)[:10]} on."
    )
    catalog = write_replay(base, scenario.shock, scratch / scenario.key, description)
    end = base.onset_ns + scenario.hours * HOUR_NS
    return plan_window(catalog, settings, models, base.start_ns, end)


def _run(
    plan: BacktestPlan, settings: BacktestSettings, variant: str, shock: Shock, onset_ns: int
) -> Outcome:
    """Execute one variant of a plan and measure it."""
    policy, rails = plan.settings.policy, plan.settings.rails
    if variant == "full":
        policy, rails = full_hedge(policy), _able_to_open(rails, plan)
    config = run_config(plan, policy, rails, plan.settings.execution)
    node = BacktestNode([config])
    node.run()
    engine: BacktestEngine = node.get_engine(config.id)
    try:
        hedge, exposure = held_bars(plan)
        run = collect_run(variant, engine, plan, hedge, exposure)
        hours = np.asarray((run.ts - onset_ns) / HOUR_NS, np.float64)
        return measure(
            run,
            hedge.take(hedge.ts_init >= plan.recorded_from_ns),
            collect_decisions(engine, plan),
            _stops(engine),
            onset_ns=onset_ns,
            start_price=plan.start_price,
            collateral=plan.collateral,
            quote=at(shock.quote, hours),
            policy=_words(plan, settings, policy, rails),
        )
    finally:
        engine.dispose()


def full_hedge(policy: PolicyConfig) -> PolicyConfig:
    """Return the policy that always wants the largest hedge ratio."""
    return msgspec.structs.replace(policy, kind="constant", constant_ratio=policy.max_hedge_ratio)


def _able_to_open(rails: RailsConfig, plan: BacktestPlan) -> RailsConfig:
    """Return the rails; where no open interest was recorded, its age does not keep the hedge from opening."""
    ids = {each.id for each in plan.instruments} & set(store.open_interest_ids(plan.catalog))
    known = (store.read_open_interest(plan.catalog, i, plan.warm_up_ns, plan.start_ns) for i in ids)
    return rails if any(map(len, known)) else msgspec.structs.replace(rails, on_stale_data="full")


def _words(plan: BacktestPlan, settings: BacktestSettings, policy: PolicyConfig, rails: RailsConfig) -> str:
    """Say what decided, and why not what was configured."""
    if policy.kind == "constant":
        aged = rails.on_stale_data != settings.rails.on_stale_data
        note = ", whatever the age of open interest, as none was recorded before" if aged else ""
        return f"constant ratio {policy.constant_ratio:.0%}{note}"
    if policy.needs_model:
        return f"{policy.kind} by {plan.model.name}"
    note = ", as no model given may be used at that time" if settings.policy.needs_model else ""
    return f"{policy.kind.replace('_', ' ')}{note}"


def _stops(engine: BacktestEngine) -> int:
    orders = engine.cache.orders(strategy_id=StrategyId(HEDGE_ID))
    return sum(1 for each in orders if STOP_TAG in (each.tags or ()) and each.status == OrderStatus.FILLED)
