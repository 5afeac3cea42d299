"""Run hedged, unhedged and baselines over one plan and gather what the report needs."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from tqdm import tqdm

from oi_hedge_catalog import store
from oi_hedge_catalog.series import BarSeries
from oi_hedge_strategy.backtest.collect import (
    collect_decisions,
    collect_run,
    find_recorder,
    find_strategy,
)
from oi_hedge_strategy.backtest.market import hindsight, market_record
from oi_hedge_strategy.backtest.node_config import run_config
from oi_hedge_strategy.backtest.plan import BacktestPlan, iso
from oi_hedge_strategy.evaluation.records import BacktestRecord, RunRecord
from oi_hedge_strategy.hedging.config import ExecutionConfig, PolicyConfig, RailsConfig

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


def run_backtest(plan: BacktestPlan, out: Path) -> BacktestRecord:
    """
    Run the strategy, the unhedged exposure and the baselines; write Nautilus's reports of the hedged run.

    Parameters
    ----------
    plan : BacktestPlan
        What to run.
    out : Path
        Directory of the reports.

    Raises
    ------
    DataError
        If a run ended early or its account does not add up.

    """
    settings = plan.settings
    bars = _bars(plan, settings.hedge_instrument), _bars(plan, settings.exposure_instrument)
    runs: dict[str, RunRecord] = {}
    progress = tqdm(total=5, desc="backtest", unit="run", disable=None)
    progress.set_postfix_str("hedged")
    engine, seconds = _execute(plan, settings.policy, settings.rails, settings.execution)
    runs["hedged"] = collect_run("hedged", engine, plan, *bars)
    decisions = collect_decisions(engine, plan)
    timing = np.array(find_strategy(engine).decision_ns, np.float64)[-len(decisions) :] / 1e3
    _write_reports(engine, out)
    engine.dispose()
    progress.update()
    for name, policy in _baselines(plan, runs["hedged"]):
        progress.set_postfix_str(name)
        engine, _ = _execute(plan, policy, WITHOUT_RAILS, AT_ONCE)
        runs[name] = collect_run(name, engine, plan, *bars)
        engine.dispose()
        progress.update()
    progress.close()
    side = "long" if plan.long else "short"
    afterwards = hindsight(plan, decisions["ts"].to_numpy(np.int64))
    return BacktestRecord(
        market=market_record(plan, bars[0]),
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
    )


def _execute(
    plan: BacktestPlan, policy: PolicyConfig, rails: RailsConfig, execution: ExecutionConfig
) -> tuple[BacktestEngine, float]:
    """Run one configuration; return its engine and the seconds that it took."""
    config = run_config(plan, policy, rails, execution)
    node = BacktestNode([config])
    started = perf_counter()
    node.run()
    return node.get_engine(config.id), perf_counter() - started


def _baselines(plan: BacktestPlan, hedged: RunRecord) -> Iterator[tuple[str, PolicyConfig]]:
    """Yield the runs that the hedge is compared with; the constant one has the same average ratio."""
    ratio = np.divide(
        -hedged.hedge_quantity,
        hedged.exposure_quantity,
        out=np.zeros(hedged.ts.size),
        where=hedged.exposure_quantity != 0.0,
    )
    policy = plan.settings.policy
    average = min(max(float(ratio.mean()), 0.0), policy.max_hedge_ratio)
    yield "unhedged", msgspec.structs.replace(policy, kind="constant", constant_ratio=0.0)
    yield "constant", msgspec.structs.replace(policy, kind="constant", constant_ratio=average)
    yield "open_interest_rule", msgspec.structs.replace(policy, kind="open_interest_rule")
    yield "stop_loss", msgspec.structs.replace(policy, kind="stop_loss")


def _bars(plan: BacktestPlan, instrument_id: object) -> BarSeries:
    bar_type = next(t for i, t in plan.bar_types.items() if i == instrument_id)
    return store.read_bars(plan.catalog, bar_type, start_ns=plan.warm_up_ns, end_ns=plan.end_ns)


def _count_bars(plan: BacktestPlan) -> int:
    return sum(len(_bars(plan, instrument_id)) for instrument_id in plan.bar_types)


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
    return (
        f"taker fee {float(plan.hedge.taker_fee):.3%}, square-root impact and half-spread by volatility, "
        f"latency {plan.settings.latency_ms:g} ms, funding as settled"
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
