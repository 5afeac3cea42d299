"""Bars per second of the hedged backtest beside the same engine and data with an idle strategy."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np
from nautilus_trader.backtest.config import BacktestRunConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.trading.config import ImportableStrategyConfig

from oi_hedge_catalog import store
from oi_hedge_strategy.backtest.collect import find_strategy
from oi_hedge_strategy.backtest.node_config import HEDGE_TAG, run_config
from oi_hedge_strategy.backtest.plan import BacktestPlan, make_plan
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.forecast.model import Forecaster


@dataclass(frozen=True, slots=True)
class EngineSpeed:
    """Hold both speeds in bars of all venues per second, and `on_bar` percentiles in microseconds."""

    hedged: float
    idle: float
    on_bar_p50: float
    on_bar_p99: float


def measure_engine(catalog: Path, model: Path, rounds: int) -> EngineSpeed:
    """Run both in turn, `rounds` times, and return the medians."""
    opened = store.open_catalog(catalog)
    plan = make_plan(opened, BacktestSettings(), model, Forecaster.load(model).card, None, None)
    hedged = run_config(plan, plan.settings.policy, plan.settings.rails, plan.settings.execution)
    idle = _idle(plan, hedged)
    bars = sum(
        len(store.read_bars(opened, kind, start_ns=plan.warm_up_ns, end_ns=plan.end_ns))
        for kind in plan.bar_types.values()
    )
    seconds: dict[str, list[float]] = {"hedged": [], "idle": []}
    on_bar: list[int] = []
    for _ in range(rounds):
        for name, config in (("hedged", hedged), ("idle", idle)):
            engine, taken = _run(config)
            seconds[name].append(taken)
            if name == "hedged":
                decided = list(find_strategy(engine).decision_ns)
                on_bar += decided[len(decided) // 3 :]
            engine.dispose()
    p50, p99 = np.percentile(np.array(on_bar) / 1e3, [50, 99])
    speed = {name: bars / float(np.median(each)) for name, each in seconds.items()}
    return EngineSpeed(speed["hedged"], speed["idle"], float(p50), float(p99))


def _run(config: BacktestRunConfig) -> tuple[BacktestEngine, float]:
    """Return the engine and the seconds between the first and the last event."""
    node = BacktestNode([config])
    node.build()
    engine = node.get_engine(config.id)
    started = perf_counter()
    node.run()
    total = perf_counter() - started
    result = engine.get_result()
    run_ns = (result.run_finished or 0) - (result.run_started or 0)
    return engine, run_ns / 1e9 if run_ns else total


def _idle(plan: BacktestPlan, hedged: BacktestRunConfig) -> BacktestRunConfig:
    """Return the hedged run with the idle strategy in place of the hedging one."""
    _, holder = hedged.engine.strategies
    strategy = ImportableStrategyConfig(
        strategy_path="benchmarks.idle:IdleStrategy",
        config_path="benchmarks.idle:IdleConfig",
        config={
            "bar_type": str(plan.bar_types[plan.settings.hedge_instrument]),
            "instrument_ids": [str(i) for i in plan.bar_types],
            "order_id_tag": HEDGE_TAG,
        },
    )
    engine = msgspec.structs.replace(hedged.engine, strategies=[strategy, holder])
    return msgspec.structs.replace(hedged, engine=engine)
