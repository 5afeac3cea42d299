"""A paper node with four loopback venues, driven as fast as it goes until so many events have passed."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from nautilus_trader.core.data import Data
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.identifiers import InstrumentId
from support.models import tiny_card, write_model
from support.paper_run import SECOND_SCHEMA, paper_fields
from support.recorded_node import Ticker, TickerConfig, TickerFactory
from support.soak_judge import ADAPTER_BARS, BALANCE, NAMES, OTHER_BARS, REAL, Ran, Soak, judge
from support.soak_rotation import EXCHANGES, EXPOSURE, FaultRotation
from support.soak_venues import SoakVenues

from oi_hedge_adapters.client import OpenInterestDataClient
from oi_hedge_adapters.factories import OpenInterestDataClientFactory
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.live.config import SESSIONS
from oi_hedge_strategy.live.node import OI_CLIENT, directory_of, node_config
from oi_hedge_strategy.live.observe import observed
from oi_hedge_strategy.live.sandbox import SandboxLiveExecClientFactory
from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.live.venues import find_venue
from oi_hedge_strategy.records import HedgeDecision

_SLOWEST, _FASTEST, _FIRST = 0.5, 0.004, 0.03
_BACKLOG = 100
_DRAIN_SECS, _STEP_SECS = 1.5, 0.05
_CADENCE = dict.fromkeys(("binance-linear", "bybit-linear", "okx-linear", "hyperliquid"), 0.05)
_INTEREST = {
    "cadence_secs": _CADENCE,
    "status_secs": 0.5,
    "stale_after_secs": 2.0,
    "frozen_after_secs": 2.0,
    "timeout_secs": 1.0,
    "backoff_initial_secs": 0.05,
    "backoff_max_secs": 0.5,
}
_RAILS = {
    "max_daily_orders": 1_000_000,
    "max_daily_turnover": 1e9,
    "cooldown_hours": 6.0 / 3600.0,
    "drawdown_tiers": [{"name": "red", "drawdown": 0.3, "scale": 0.0}],
}
"""A day's orders pass within minutes, and so does a cooldown."""
_MEMORY_DAYS = 1.0 / 1440.0
"""The liquidation map remembers a minute of bars that stand for hours, so that it is full early."""


def run_soak(root: Path, events: int, progress: Callable[[str], None], fault_secs: float = 3.0) -> Soak:
    """
    Run the node until so many events and every fault have passed; compare what it left with its input.

    Parameters
    ----------
    root : Path
        Where the run's files go.
    events : int
        Bars, quotes, open interest, funding and status together.
    progress : callable
        Is told now and then how far it is.
    fault_secs : float
        How long each fault of a venue lasts.

    Raises
    ------
    AssertionError
        If a venue does not recover from a fault, or the node ends before it is told to.

    """
    venues = SoakVenues(_FIRST)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    uncaught: list[str] = []
    loop.set_exception_handler(lambda _, context: uncaught.append(str(context)))
    nodes: list[TradingNode] = []
    try:
        ran = loop.run_until_complete(_soak(root, venues, events, progress, fault_secs, nodes, uncaught))
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        venues.stop()
        for node in nodes:
            node.dispose()
        asyncio.set_event_loop(None)
    return judge(root / "paper", ran)


async def _soak(
    root: Path,
    venues: SoakVenues,
    events: int,
    progress: Callable[[str], None],
    fault_secs: float,
    nodes: list[TradingNode],
    uncaught: list[str],
) -> Ran:
    node, session = _build(root, venues)
    nodes.append(node)
    counted, rotation = _Counted(node), FaultRotation(node, venues, fault_secs)
    running = asyncio.create_task(node.run_async())
    try:
        (strategy,) = node.trader.strategies()
        while not strategy.is_running:
            await asyncio.sleep(_STEP_SECS)
        faults = rotation.start()
        samples, pace = await _drive(node, rotation, events, progress, (running, faults))
        rotation.end()
        await faults
        bars = await rotation.ask(venues.silence)
        tickers = _tickers(node)
        for ticker in tickers:
            await ticker._disconnect()
        counted.open = False
        await asyncio.sleep(_DRAIN_SECS)
    finally:
        await node.stop_async()
        await asyncio.wait_for(running, 30.0)
    session.finish()
    served = {**counted.seen, ADAPTER_BARS: bars, OTHER_BARS: sum(each.sent for each in tickers)}
    return Ran(session, served, samples, pace, rotation.outcomes, uncaught)


def _build(root: Path, venues: SoakVenues) -> tuple[TradingNode, Session]:
    """
    Build the node of a paper run, the bars of three venues made in its process.

    Nautilus's adapters of those have no exchange on the loopback interface; Binance's has.
    """
    levels = replace(SECOND_SCHEMA.liquidation_map, memory_days=_MEMORY_DAYS)
    card = tiny_card(replace(SECOND_SCHEMA, venues=tuple(EXCHANGES), liquidation_map=levels))
    write_model(root / "second.onnx", card, probability=0.9)
    fields = paper_fields(root, venues.feed, venues.exchanges)  # type: ignore[arg-type]
    fields["node"]["open_interest"] |= _INTEREST
    fields["paper"]["balance"], fields["exposure_quantity"] = BALANCE, EXPOSURE
    fields |= {"rails": _RAILS, "policy": {"loss_aversion": 1000.0}}
    settings = BacktestSettings.parse(json.dumps(fields))
    config = node_config(settings, "paper")
    clients = config.data_clients
    instruments = config.strategies[0].config["instrument_ids"]
    for at, each in enumerate(instruments):
        instrument_id = InstrumentId.from_str(each)
        if instrument_id.venue.value not in REAL:
            clients[instrument_id.venue.value] = TickerConfig(
                instrument_id=instrument_id, every_secs=_FIRST, seed=at
            )
    config, session = observed(
        config, directory_of(settings, "paper") / SESSIONS, "paper", settings.observe, {}
    )
    node = TradingNode(config=config, loop=asyncio.get_running_loop())
    for venue in clients:
        if venue in REAL:
            node.add_data_client_factory(venue, find_venue(venue).data_factory)
        else:
            node.add_data_client_factory(
                venue, OpenInterestDataClientFactory if venue == OI_CLIENT else TickerFactory
            )
    node.add_exec_client_factory("BINANCE", SandboxLiveExecClientFactory)
    node.build()
    return node, session


async def _drive(
    node: TradingNode,
    rotation: FaultRotation,
    events: int,
    progress: Callable[[str], None],
    watched: tuple["asyncio.Future[Any]", ...],
) -> tuple[np.ndarray, float]:
    """Serve faster while the node's queue stays short, slower when it grows; sample memory each second."""
    engine, pace, started = node.kernel.data_engine, _FIRST, time.monotonic()
    tickers, samples = _tickers(node), []
    while True:
        before = time.monotonic()
        await asyncio.sleep(1.0)
        late = time.monotonic() - before - 1.0
        passed = engine.data_count
        samples.append((time.monotonic() - started, passed, _resident()))
        for each in watched:
            if each.done():
                raise AssertionError("the soak ended early") from each.exception()
        done = passed >= events and rotation.is_complete
        if len(samples) % 10 == 0 or done:
            progress(f"{passed:>9,} events, {samples[-1][2]:7.1f} MiB, a bar each {1e3 * pace:.0f} ms")
        if done:
            return np.array(samples), pace
        busy = engine.data_qsize() > _BACKLOG or late > 0.1
        pace = min(max(pace * (1.4 if busy else 0.95), _FASTEST), _SLOWEST)
        await rotation.ask(rotation.venues.set_pace, pace)
        for ticker in tickers:
            ticker.every_secs = pace


def _tickers(node: TradingNode) -> list[Ticker]:
    return [each for each in node.kernel.data_engine._clients.values() if isinstance(each, Ticker)]


class _Counted:
    """Count what our client hands to the node and what is decided; once closed, hand over nothing more."""

    def __init__(self, node: TradingNode) -> None:
        self.open = True
        self.seen: Counter[str] = Counter()
        client = next(
            each
            for each in node.kernel.data_engine._clients.values()
            if isinstance(each, OpenInterestDataClient)
        )
        self._emit, client._emit = client._emit, self._count  # type: ignore[method-assign]
        node.trader._msgbus.subscribe("data.HedgeDecision*", self._on_decision)

    def _count(self, value: Data) -> None:
        if self.open:
            if type(value) in NAMES:
                self.seen[NAMES[type(value)]] += 1
            self._emit(value)

    def _on_decision(self, message: Any) -> None:
        self.seen[NAMES[HedgeDecision]] += 1


def _resident() -> float:
    """Return the resident memory of this process in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1]) / 1024.0
    raise RuntimeError("this system does not say how much memory a process holds")
