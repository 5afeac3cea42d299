"""From signal to order in a real node on the loopback interface: ``python -m benchmarks.latency``."""

import asyncio
import gc
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns, thread_time_ns
from typing import Any

import click
import numpy as np
from nautilus_trader.adapters.binance.http.client import BinanceHttpClient
from nautilus_trader.trading.strategy import Strategy

from oi_hedge_strategy.live.collector import collect_in_turn
from oi_hedge_strategy.live.timing import STAGES
from oi_hedge_strategy.records import StageTiming

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.live_hedge import LiveHedge
from support.live_node import run_live, until

from benchmarks.latency_node import OrderAtOnce, at_once_bar, build_hedge
from oi_hedge_strategy.strategy import OIHedgeStrategy

_WARM = 20
_PAUSE_SECS = 0.1, 0.2
_ORDER_PATH = "/fapi/v1/order"
_AT_ONCE_MARK = "ATONCE"
Moment = tuple[int, int]


@dataclass(slots=True)
class Departures:
    """
    Note when a strategy is given a bar and when the execution client hands the request to the socket.

    Parameters
    ----------
    hedge, at_once : list of (int, int)
        Wall time and the node's own processor time from the bar to the request, nanoseconds.

    """

    hedge: list[Moment] = field(default_factory=list)
    at_once: list[Moment] = field(default_factory=list)
    _began: dict[type, Moment] = field(default_factory=dict)

    def watch(self) -> None:
        """Watch both strategies and the adapter's HTTP client, in the node's thread."""
        for kind in (OIHedgeStrategy, OrderAtOnce):
            kind.on_bar = self._noting(kind, kind.on_bar)  # type: ignore[method-assign]
        send = BinanceHttpClient.send_request

        async def noted(client: Any, http_method: Any, url_path: str, **rest: Any) -> Any:
            payload = rest.get("payload") or {}
            if url_path == _ORDER_PATH and payload.get("type") == "MARKET":
                at_once = _AT_ONCE_MARK in payload["newClientOrderId"]
                wall, own = self._began[OrderAtOnce if at_once else OIHedgeStrategy]
                took = perf_counter_ns() - wall, thread_time_ns() - own
                (self.at_once if at_once else self.hedge).append(took)
            return await send(client, http_method, url_path, **rest)

        BinanceHttpClient.send_request = noted

    def _noting(self, kind: type, handle: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def on_bar(strategy: Strategy, bar: Any) -> None:
            self._began[kind] = perf_counter_ns(), thread_time_ns()
            handle(strategy, bar)

        return on_bar


@dataclass(frozen=True, slots=True)
class Latency:
    """
    Hold what was measured, nanoseconds.

    Parameters
    ----------
    stages : dict of array
        By stage, of every decision that sent an order; ``total`` is from the bar's receipt to the order's
        departure, ``venue`` to its arrival at the venue.
    departures : Departures
        Of the hedge and of a strategy that orders at once, in turn.
    threads : set of str
        Names of the threads that ran inference.
    collection : int
        What a full garbage collection of the process takes.

    """

    stages: dict[str, np.ndarray]
    departures: Departures
    threads: frozenset[str]
    collection: int


def measure_latency(orders: int, recorded: bool) -> Latency:
    """Hedge until so many orders were sent through the official adapter, a bar for each."""
    threads: set[str] = set()
    departures = Departures()
    departures.watch()
    collection = 0
    with tempfile.TemporaryDirectory() as scratch, _venue() as venue:
        timings: list[StageTiming] = []
        assert venue.stdin is not None and venue.stdout is not None
        base = venue.stdout.readline().strip()

        async def scenario() -> None:
            nonlocal collection
            hedge, session = build_hedge(base, Path(scratch), recorded)
            async with hedge:
                await until(lambda: hedge.strategy.is_running, 30.0)
                hedge.node.trader._msgbus.subscribe("data.StageTiming*", timings.append)
                _watch_inference(hedge, threads)
                gc.collect()
                started = perf_counter_ns()
                gc.collect()
                collection = perf_counter_ns() - started
                collecting = asyncio.create_task(collect_in_turn())
                await _send(hedge, departures, orders + _WARM)
                collecting.cancel()
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
    return Latency(stages, departures, frozenset(threads), collection)


async def _send(hedge: LiveHedge, departures: Departures, orders: int) -> None:
    """Give a bar to one strategy and then to the other, until the hedge has sent so many orders."""
    rng = np.random.default_rng(0)
    for _ in range(4 * orders):
        if len(departures.hedge) >= orders:
            return
        hedge.bar(round(float(rng.uniform(1700.0, 2300.0)), 2))
        await asyncio.sleep(float(rng.uniform(*_PAUSE_SECS)))
        hedge.feed.push(at_once_bar())
        await asyncio.sleep(float(rng.uniform(*_PAUSE_SECS)))
    raise RuntimeError(f"too few orders were sent: {hedge.recorder.decisions[-1:]}")


def _venue() -> subprocess.Popen[str]:
    """Start the venue in a process of its own, so that its work does not count as ours."""
    command = [sys.executable, "-m", "benchmarks.loopback_venue"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _watch_inference(hedge: LiveHedge, threads: set[str]) -> None:
    """Note which thread runs the model."""
    forecaster = hedge.strategy._desk._model._source.forecaster
    predict = forecaster.predict

    def noted(snapshot: Any) -> Any:
        threads.add(threading.current_thread().name)
        return predict(snapshot)

    forecaster.predict = noted


def table(latency: Latency) -> str:
    """Return what each stage and the whole way took, in milliseconds."""
    lines = [f"{'':<10}{'least':>9}{'p50':>9}{'p99':>9}{'max':>9}  ms, {latency.stages['total'].size} orders"]
    lines += [_row(name, took) for name, took in latency.stages.items()]
    lines.append("from the bar in the strategy to the request: wall time, then the node's own processor time")
    for name, found in (("hedge", latency.departures.hedge), ("at once", latency.departures.at_once)):
        wall, own = np.array(found[_WARM:]).T
        lines += [_row(name, wall), _row("  own", own)]
    return "\n".join(lines)


def _row(name: str, took: np.ndarray) -> str:
    p50, p99 = np.percentile(took, [50, 99]) / 1e6
    return f"{name:<10}{took.min() / 1e6:9.3f}{p50:9.3f}{p99:9.3f}{took.max() / 1e6:9.3f}"


@click.command()
@click.option("--orders", type=click.IntRange(20), default=300, show_default=True, help="How many to send.")
@click.option("--recorded/--bare", default=True, show_default=True, help="Record the session meanwhile.")
def main(orders: int, recorded: bool) -> None:
    """Print what each stage takes from the receipt of a bar to the order's departure and arrival."""
    latency = measure_latency(orders, recorded)
    click.echo(table(latency))
    click.echo(f"inference ran in: {', '.join(sorted(latency.threads))}")
    click.echo(f"a full garbage collection, of which there was none: {latency.collection / 1e6:.0f} ms")


if __name__ == "__main__":
    main()
