"""From signal to order in a real node on the loopback interface: ``python -m benchmarks.latency``."""

import asyncio
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
from nautilus_trader.model.identifiers import StrategyId

from oi_hedge_strategy.backtest.variants import AT_ONCE
from oi_hedge_strategy.hedging.config import RailsConfig
from oi_hedge_strategy.live.alerts import AlertMonitor, AlertMonitorConfig
from oi_hedge_strategy.live.recorder import SessionRecorder, SessionRecorderConfig
from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.live.status import StatusWriter, StatusWriterConfig
from oi_hedge_strategy.live.timing import STAGES
from oi_hedge_strategy.records import StageTiming

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.engine import HEDGE
from support.live_hedge import LiveHedge
from support.live_node import run_live, until
from support.models import SHORT_SCHEMA, tiny_card, write_model

_WARM = 20
_PAUSE_SECS = 0.15


@dataclass(frozen=True, slots=True)
class Latency:
    """
    Hold what was measured, nanoseconds.

    Parameters
    ----------
    stages : dict of array
        By stage, of every decision that sent an order; ``total`` is from the bar's receipt to the order's
        departure, ``venue`` to its arrival at the venue.
    threads : set of str
        Names of the threads that ran inference.

    """

    stages: dict[str, np.ndarray]
    threads: frozenset[str]


def measure_latency(orders: int, recorded: bool) -> Latency:
    """Hedge until so many orders were sent through the official adapter, a bar for each."""
    threads: set[str] = set()
    with tempfile.TemporaryDirectory() as scratch, _venue() as venue:
        root = Path(scratch)
        model = root / "model.onnx"
        write_model(model, tiny_card(SHORT_SCHEMA), probability=0.3, sensitivity=0.25)
        timings: list[StageTiming] = []
        assert venue.stdin is not None and venue.stdout is not None
        base = venue.stdout.readline().strip()

        async def scenario() -> None:
            rails = RailsConfig(
                hard_stop=0.5, drawdown_tiers=(), max_daily_orders=1_000_000, max_daily_turnover=1e9
            )
            hedge = LiveHedge(base, str(model), root / "state", rails=rails, execution=AT_ONCE)
            session = _record(hedge, root) if recorded else None
            async with hedge:
                await until(lambda: hedge.strategy.is_running, 30.0)
                hedge.node.trader._msgbus.subscribe("data.StageTiming*", timings.append)
                _watch_inference(hedge, threads)
                rng = np.random.default_rng(0)
                for _ in range(4 * (orders + _WARM)):
                    if len([each for each in timings if each.order is not None]) >= orders + _WARM:
                        break
                    hedge.bar(round(float(rng.uniform(1700.0, 2300.0)), 2))
                    await asyncio.sleep(_PAUSE_SECS)
                else:
                    raise RuntimeError(f"too few orders were sent: {hedge.recorder.decisions[-1:]}")
            if session is not None:
                session.finish()

        run_live(scenario)
        venue.stdin.close()
        arrived = np.array([int(line) for line in venue.stdout])
    sent = [each for each in timings if each.order is not None][_WARM:]
    stages = {name: np.array([getattr(each, name) for each in sent]) for name in STAGES}
    stages["total"] = sum(stages.values())
    departed = [each.ts_init for each in sent]
    at = np.searchsorted(arrived, departed)
    known = at < arrived.size
    stages["venue"] = arrived[at[known]] - np.array(departed)[known]
    return Latency(stages, frozenset(threads))


def _venue() -> subprocess.Popen[str]:
    """Start the venue in a process of its own, so that its work does not count as ours."""
    command = [sys.executable, "-m", "benchmarks.loopback_venue"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _record(hedge: LiveHedge, root: Path) -> Session:
    """Let the node record, watch and write its status as a paper or live run does."""
    session = Session.create(root / "sessions", "live", hedge.strategy.config, {})
    hedge._config = msgspec.structs.replace(hedge._config, streaming=session.streaming())
    ids: dict[str, Any] = {"instrument_id": HEDGE, "strategy_id": StrategyId("OIHedgeStrategy-HEDGE")}
    hedge.watchers = [
        SessionRecorder(SessionRecorderConfig(directory=str(session.directory), **ids)),
        AlertMonitor(AlertMonitorConfig(**ids)),
        StatusWriter(StatusWriterConfig(directory=str(session.directory), **ids)),
    ]
    return session


def _watch_inference(hedge: LiveHedge, threads: set[str]) -> None:
    """Note which thread runs the model."""
    forecaster = hedge.strategy._desk._model._source.forecaster
    predict = forecaster.predict

    def noted(snapshot: Any) -> Any:
        threads.add(threading.current_thread().name)
        return predict(snapshot)

    forecaster.predict = noted


def table(latency: Latency) -> str:
    """Return p50, p99 and maximum of each stage in milliseconds."""
    lines = [f"{'stage':<10}{'p50':>9}{'p99':>9}{'max':>9}  ms, {latency.stages['total'].size} orders"]
    for name, took in latency.stages.items():
        p50, p99 = np.percentile(took, [50, 99]) / 1e6
        lines.append(f"{name:<10}{p50:9.3f}{p99:9.3f}{took.max() / 1e6:9.3f}")
    return "\n".join(lines)


@click.command()
@click.option("--orders", type=click.IntRange(20), default=300, show_default=True, help="How many to send.")
@click.option("--recorded/--bare", default=True, show_default=True, help="Record the session meanwhile.")
def main(orders: int, recorded: bool) -> None:
    """Print what each stage takes from the receipt of a bar to the order's departure and arrival."""
    latency = measure_latency(orders, recorded)
    click.echo(table(latency))
    click.echo(f"inference ran in: {', '.join(sorted(latency.threads))}")


if __name__ == "__main__":
    main()
