"""Run hedged, unhedged and baselines over one plan and gather what the report needs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from tqdm import tqdm

from oi_hedge_catalog import store
from oi_hedge_strategy.backtest.collect import (
    collect_decisions,
    collect_run,
    find_recorder,
    find_strategy,
)
from oi_hedge_strategy.backtest.market import hindsight, market_record
from oi_hedge_strategy.backtest.node_config import run_config
from oi_hedge_strategy.backtest.oracle import run_oracle
from oi_hedge_strategy.backtest.plan import BacktestPlan, iso
from oi_hedge_strategy.backtest.replay import ObservingDesk
from oi_hedge_strategy.backtest.statistics import analyse
from oi_hedge_strategy.backtest.sweep import Sweeps, baselines, trial_variants, tune
from oi_hedge_strategy.backtest.variants import held_bars, run_variants
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.evaluation.records import BacktestRecord, Trial
from oi_hedge_strategy.evaluation.result import to_plain
from oi_hedge_strategy.hedging.observed import Observed

_LEAST_TO_SWEEP_NS = 60 * 86_400_000_000_000


def run_backtest(
    plan: BacktestPlan, out: Path, sweeps: Sweeps | None = None, workers: int | None = None
) -> BacktestRecord:
    """
    Run the strategy, the unhedged exposure, baselines and sweeps; write Nautilus's reports of the hedged run.

    Parameters
    ----------
    plan : BacktestPlan
        What to run.
    out : Path
        Directory of the reports.
    sweeps : str, optional
        How many configurations are tried for frontier, cost sensitivity and tuning: "none", "standard" or
        "full"; by default "standard" for runs of at least 60 days, else "none".
    workers : int, optional
        Processes for the runs after the hedged one.

    Raises
    ------
    DataError
        If a run ended early or its account does not add up.

    """
    settings = plan.settings
    if sweeps is None:
        sweeps = "standard" if plan.end_ns - plan.start_ns >= _LEAST_TO_SWEEP_NS else "none"
    bars = held_bars(plan)
    with tqdm(total=1, desc="hedged", unit="run", disable=None) as progress:
        engine, seconds, observed = observe(plan)
        progress.update()
    runs = {"hedged": collect_run("hedged", engine, plan, *bars)}
    decisions = collect_decisions(engine, plan)
    timing = np.array(find_strategy(engine).decision_ns, np.float64)[-len(decisions) :] / 1e3
    _write_reports(engine, out)
    capital = plan.collateral + plan.start_price * abs(settings.exposure_quantity)
    statistics = analyse(engine.portfolio.analyzer, runs["hedged"], capital)
    write_text(out / "statistics.json", json.dumps(to_plain(statistics), indent=2, allow_nan=False) + "\n")
    engine.dispose()
    compared, choices = baselines(plan, observed, runs["hedged"])
    tried = trial_variants(plan, sweeps, len(observed))
    variants = [*compared, *(variant for _, _, variant in tried)]
    found = run_variants(plan, observed, variants, workers, "baselines and sweeps")
    runs |= {each.name: found[each.name] for each in compared} | run_oracle(plan, observed)
    trials = [Trial(kind, parameter, found[each.name]) for kind, parameter, each in tried]
    if trials and settings.policy.needs_model:
        kind = "strategy" if settings.policy.kind == "kelly" else settings.policy.kind
        trials.insert(0, Trial(kind, settings.policy.loss_aversion, runs["hedged"]))
    market = market_record(plan, bars[0])
    side = "long" if plan.long else "short"
    afterwards = hindsight(plan, decisions["ts"].to_numpy(np.int64))
    return BacktestRecord(
        market=market,
        runs=runs,
        decisions=decisions,
        events=afterwards.events,
        definition=plan.card.cascade,
        event_hours=plan.card.cascade.event_hours,
        asset=plan.asset,
        hedge_instrument=str(settings.hedge_instrument),
        exposure_instrument=str(settings.exposure_instrument),
        exposure=f"{abs(settings.exposure_quantity):g} {plan.asset} {side}",
        cost_note=_cost_note(plan),
        model=_model_summary(plan) | _models_used(plan, decisions),
        simulated=bool(store.read_info(plan.catalog)["simulated"]),
        bars_per_second=_count_bars(plan) / seconds,
        on_bar_us={"p50": float(np.percentile(timing, 50)), "p99": float(np.percentile(timing, 99))},
        notes=_notes(plan),
        quote=plan.hedge.quote_currency.code,
        outcomes=afterwards.outcomes,
        levels=afterwards.levels,
        trials=tuple(trials),
        operating=tune(plan, observed, runs, trials, market.close, sweeps, settings.target_loss_avoided),
        rule_choices=choices,
    )


def observe(plan: BacktestPlan) -> tuple[BacktestEngine, float, dict[int, Observed]]:
    """Run the hedge; return its engine, the seconds that it took, and what it observed."""
    settings = plan.settings
    config = run_config(plan, settings.policy, settings.rails, settings.execution)
    node = BacktestNode([config])
    started = perf_counter()
    node.build()
    engine = node.get_engine(config.id)
    desks: list[ObservingDesk] = []

    def make_desk(*arguments: Any) -> ObservingDesk:
        desks.append(ObservingDesk(*arguments))
        return desks[0]

    find_strategy(engine).make_desk = make_desk
    node.run()
    return engine, perf_counter() - started, desks[0].observed


def _count_bars(plan: BacktestPlan) -> int:
    return sum(
        len(store.read_bars(plan.catalog, kind, start_ns=plan.warm_up_ns, end_ns=plan.end_ns))
        for kind in plan.bar_types.values()
    )


def _write_reports(engine: BacktestEngine, out: Path) -> None:
    """Write Nautilus's order, fill and position reports, and forecasts and decisions as a catalog."""
    out.mkdir(parents=True, exist_ok=True)
    reports: dict[str, Callable[[], object]] = {
        "orders": engine.trader.generate_orders_report,
        "fills": engine.trader.generate_order_fills_report,
        "positions": engine.trader.generate_positions_report,
    }
    for name, generate in reports.items():
        staged = out / f"{name}.csv.tmp"
        generate().to_csv(staged)  # type: ignore[attr-defined]
        staged.replace(out / f"{name}.csv")
    recorder, staged = find_recorder(engine), out / "decisions.tmp"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    ParquetDataCatalog(str(staged)).write_data([*recorder.forecasts, *recorder.decisions])
    shutil.rmtree(out / "decisions", ignore_errors=True)
    staged.replace(out / "decisions")


def _cost_note(plan: BacktestPlan) -> str:
    settings, costs = plan.settings, plan.settings.costs
    scaled = [
        f"{what} times {factor:g}"
        for what, factor in (("impact", costs.impact_multiplier), ("latency", costs.latency_multiplier))
        if factor != 1.0
    ]
    moved = (
        "which moves the price seen afterwards" if costs.moves_market else "which leaves the price as it was"
    )
    return ", ".join(
        [
            f"taker fee {plan.taker_fee:.3%}",
            f"square-root impact, {moved}",
            "half-spread and latency that grow with volatility",
            f"order entry in {settings.latency_ms:g} ms",
            *scaled,
            "funding as settled",
        ]
    )


def _model_summary(plan: BacktestPlan) -> dict[str, object]:
    card = plan.card
    return {
        "name": card.name,
        "file": plan.model.name,
        "trained on": "simulated market" if card.simulated else "recorded data",
        "assets": ", ".join(card.assets),
        "venues": ", ".join(card.schema.venues),
        "training data": f"{iso(card.trained_from)[:10]} to {iso(card.trained_until)[:10]}",
        "expires": iso(card.expires)[:10],
        "parameters": card.parameters,
        "metrics": card.metrics.get(plan.asset) or card.metrics.get("pooled", {}),
    }


def _models_used(plan: BacktestPlan, decisions: pd.DataFrame) -> dict[str, object]:
    """Return which model of a registry decided from when on; nothing for a single file."""
    if plan.registry is None:
        return {}
    names = {entry.sha256: entry.model for entry in plan.registry.entries}
    changes = decisions[decisions["model"] != decisions["model"].shift()]
    used = [
        f"{iso(ts)[:16]} {names.get(sha, 'no model')}"
        for ts, sha in zip(changes["ts"], changes["model"], strict=True)
    ]
    return {"models in use from": "; ".join(used)}


def _notes(plan: BacktestPlan) -> tuple[str, ...]:
    info = store.read_info(plan.catalog)
    notes = [str(info["description"])] if info.get("description") else []
    if plan.card.simulated and not info["simulated"]:
        notes.append("The model was trained on a simulated market: its probabilities mean nothing here.")
    return tuple(notes)
