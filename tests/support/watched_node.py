"""A recorded session that is watched, in a process of its own: the first node of a process owns its log."""

import asyncio
import os
import socket
import threading
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from support.recorded_node import run_recorded, status_of

from oi_hedge_strategy.live.metrics import MetricsServer
from oi_hedge_strategy.live.observe import ObserveConfig


@dataclass(frozen=True, slots=True)
class Watched:
    """Hold where a session was recorded, its page of metrics, and in which threads its model ran."""

    directory: Path
    metrics: str
    host: str
    in_main_thread_alone: bool


def watch(root: Path, environment: dict[str, str]) -> Watched:
    """Record a session below `root` with metrics and impossible budgets; return what was seen of it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_watch, root, environment).result()


def _watch(root: Path, environment: dict[str, str]) -> Watched:
    os.environ.update(environment)
    seen: dict[str, Any] = {}

    async def until(node: Any, session: Any, exchanges: Any) -> None:
        (strategy,) = node.trader.strategies()
        while not strategy.is_running:
            await asyncio.sleep(0.05)
        forecaster = strategy._desk._model._source.forecaster
        predict, threads = forecaster.predict, set()

        def noted(snapshot: Any) -> Any:
            threads.add(threading.current_thread())
            return predict(snapshot)

        forecaster.predict = noted
        for _ in range(400):
            status = status_of(session)
            if len(status.get("orders", ())) >= 6 and status["timing"]["receive"]["count"] >= 25:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(f"too few orders or decisions: {status_of(session)}")
        exchanges["binanceusdm"].state.halted = True
        server = next(each for each in node.trader.actors() if isinstance(each, MetricsServer))
        page = await asyncio.to_thread(
            lambda: urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10).read()
        )
        seen.update(metrics=page.decode(), host=server.config.host, threads=threads)

    observe = ObserveConfig(inference_ms=1e-6, metrics_port=_free_port())
    session = run_recorded(root, until, observe)
    alone = seen["threads"] == {threading.main_thread()}
    return Watched(session.directory, seen["metrics"], seen["host"], alone)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
