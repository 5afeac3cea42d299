"""A paper node with four loopback venues, driven as fast as it goes until so many events have passed."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from nautilus_trader.cache.config import CacheConfig
from nautilus_trader.core.data import Data
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import FundingRateUpdate
from nautilus_trader.model.identifiers import InstrumentId
from support.models import tiny_card, write_model
from support.paper_run import SECOND_SCHEMA, paper_fields
from support.recorded_node import Ticker, TickerConfig, TickerFactory
from support.soak_venues import SoakVenues

from oi_hedge_adapters.client import OpenInterestDataClient
from oi_hedge_adapters.factories import OpenInterestDataClientFactory
from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.live.config import ACCOUNT_FILE, LEDGER, SESSIONS
from oi_hedge_strategy.live.ledger import read_ledger
from oi_hedge_strategy.live.ledger_records import LedgerFill
from oi_hedge_strategy.live.node import OI_CLIENT, directory_of, node_config
from oi_hedge_strategy.live.observe import observed
from oi_hedge_strategy.live.recording import read_recorded
from oi_hedge_strategy.live.sandbox import SandboxLiveExecClientFactory
from oi_hedge_strategy.live.sandbox_account import read_account
from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.live.venues import find_venue
from oi_hedge_strategy.records import Alert, SessionEntry
from oi_hedge_strategy.simulation.records import FundingPayment

VENUES = ("BINANCE", "BYBIT", "OKX", "HYPERLIQUID")
_REAL = ("BINANCE", "BINANCE_SPOT")
_SLOWEST, _FASTEST, _FIRST = 0.5, 0.004, 0.03
_BACKLOG = 100
KEPT = 10_000
"""Nautilus's own default."""
_DRAIN_SECS = 1.5
_CADENCE = dict.fromkeys(("binance-linear", "bybit-linear", "okx-linear", "hyperliquid"), 0.05)
_NAMES: dict[type, str] = {OpenInterestUpdate: "open interest", FundingRateUpdate: "funding"}


@dataclass(frozen=True, slots=True)
class Soak:
    """
    Hold what a soak found.

    Parameters
    ----------
    served, recorded : dict of str to int
        Bars, open interest and funding that were handed to the node, and that its recording holds.
    samples : array of shape (samples, 3)
        Seconds since the start, events so far, resident memory in MiB.
    bar_secs : float
        Time between two bars of each instrument, as it was in the end.
    balance, balance_of_ledger : float
        Of the simulated account, and by the ledger's fills, fees and funding.
    position, position_of_ledger : float
        Of the hedge, likewise.
    fills, payments : int
        In the ledger.
    alerts : dict of str to int
        How often each condition began.

    """

    served: dict[str, int]
    recorded: dict[str, int]
    samples: np.ndarray
    bar_secs: float
    balance: float
    balance_of_ledger: float
    position: float
    position_of_ledger: float
    fills: int
    payments: int
    alerts: dict[str, int]


def run_soak(root: Path, events: int, progress: Callable[[str], None], kept: int = KEPT) -> Soak:
    """
    Run the node until so many events have passed, and compare what it left with what it was given.

    Parameters
    ----------
    root : Path
        Where the run's files go.
    events : int
        Bars, quotes, open interest, funding and status together.
    progress : callable
        Is told now and then how far it is.
    kept : int
        How many bars and quotes of each instrument Nautilus's cache keeps: memory grows until it is full.

    """
    venues = SoakVenues(_FIRST)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    nodes: list[TradingNode] = []
    try:
        session, served, samples, pace = loop.run_until_complete(
            _soak(root, venues, events, progress, nodes, kept)
        )
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        venues.stop()
        for node in nodes:
            node.dispose()
        asyncio.set_event_loop(None)
    return _judge(root / "paper", session, served, samples, pace)


async def _soak(
    root: Path,
    venues: SoakVenues,
    events: int,
    progress: Callable[[str], None],
    nodes: list[TradingNode],
    kept: int,
) -> tuple[Session, dict[str, int], np.ndarray, float]:
    node, session = _build(root, venues, kept)
    nodes.append(node)
    counted = _Counted(node)
    running = asyncio.create_task(node.run_async())
    try:
        (strategy,) = node.trader.strategies()
        while not strategy.is_running:
            await asyncio.sleep(0.05)
        samples, pace = await _drive(node, venues, events, progress)
        bars = venues.silence()
        clients = node.kernel.data_engine._clients.values()
        tickers = [each for each in clients if isinstance(each, Ticker)]
        for ticker in tickers:
            await ticker._disconnect()
        counted.open = False
        await asyncio.sleep(_DRAIN_SECS)
        served = {
            **counted.seen,
            "bars of Binance's adapter": bars,
            "bars of the others": sum(each.sent for each in tickers),
        }
    finally:
        await node.stop_async()
        await asyncio.wait_for(running, 30.0)
    session.finish()
    return session, served, samples, pace


def _build(root: Path, venues: SoakVenues, kept: int) -> tuple[TradingNode, Session]:
    """
    Build the node of a paper run, the bars of three venues made in its process.

    Nautilus's adapters of those have no exchange on the loopback interface; Binance's has.
    """
    card = tiny_card(replace(SECOND_SCHEMA, venues=VENUES))
    write_model(root / "second.onnx", card, probability=0.5, sensitivity=0.45)
    fields = paper_fields(root, venues.feed, venues.exchanges)  # type: ignore[arg-type]
    fields["node"]["open_interest"]["cadence_secs"] = _CADENCE
    settings = BacktestSettings.parse(json.dumps(fields))
    config = node_config(settings, "paper")
    clients = config.data_clients
    instruments = config.strategies[0].config["instrument_ids"]
    for at, each in enumerate(instruments):
        instrument_id = InstrumentId.from_str(each)
        if instrument_id.venue.value not in _REAL:
            clients[instrument_id.venue.value] = TickerConfig(
                instrument_id=instrument_id, every_secs=_FIRST, seed=at
            )
    config, session = observed(
        config, directory_of(settings, "paper") / SESSIONS, "paper", settings.observe, {}
    )
    cache = CacheConfig(tick_capacity=kept, bar_capacity=kept)
    config = msgspec.structs.replace(config, cache=cache)
    node = TradingNode(config=config, loop=asyncio.get_running_loop())
    for venue in clients:
        if venue in _REAL:
            node.add_data_client_factory(venue, find_venue(venue).data_factory)
        else:
            node.add_data_client_factory(
                venue, OpenInterestDataClientFactory if venue == OI_CLIENT else TickerFactory
            )
    node.add_exec_client_factory("BINANCE", SandboxLiveExecClientFactory)
    node.build()
    return node, session


async def _drive(
    node: TradingNode, venues: SoakVenues, events: int, progress: Callable[[str], None]
) -> tuple[np.ndarray, float]:
    """Serve faster while the node's queue stays short, slower when it grows; sample memory each second."""
    engine, pace, started = node.kernel.data_engine, _FIRST, time.monotonic()
    tickers = [each for each in engine._clients.values() if isinstance(each, Ticker)]
    samples = []
    while True:
        before = time.monotonic()
        await asyncio.sleep(1.0)
        late = time.monotonic() - before - 1.0
        passed = engine.data_count
        samples.append((time.monotonic() - started, passed, _resident()))
        if len(samples) % 10 == 0 or passed >= events:
            progress(f"{passed:>9,} events, {samples[-1][2]:7.1f} MiB, a bar each {1e3 * pace:.0f} ms")
        if passed >= events:
            return np.array(samples), pace
        busy = engine.data_qsize() > _BACKLOG or late > 0.1
        pace = min(max(pace * (1.4 if busy else 0.95), _FASTEST), _SLOWEST)
        venues.set_pace(pace)
        for ticker in tickers:
            ticker.every_secs = pace


class _Counted:
    """Count what our client hands to the node, until it is closed and hands over nothing more."""

    def __init__(self, node: TradingNode) -> None:
        self.open = True
        self.seen: Counter[str] = Counter()
        client = next(
            each
            for each in node.kernel.data_engine._clients.values()
            if isinstance(each, OpenInterestDataClient)
        )
        self._emit, client._emit = client._emit, self._count  # type: ignore[method-assign]

    def _count(self, value: Data) -> None:
        if self.open:
            if type(value) in _NAMES:
                self.seen[_NAMES[type(value)]] += 1
            self._emit(value)


def _resident() -> float:
    """Return the resident memory of this process in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1]) / 1024.0
    raise RuntimeError("this system does not say how much memory a process holds")


def _judge(
    directory: Path, session: Session, served: dict[str, int], samples: np.ndarray, pace: float
) -> Soak:
    entries = read_recorded(session, SessionEntry).rows
    recorded: Counter[str] = Counter()
    for entry in entries:
        if entry.kind == "Bar":
            real = any(f".{venue}-1-" in entry.payload for venue in _REAL)
            recorded["bars of Binance's adapter" if real else "bars of the others"] += 1
        for kind, name in _NAMES.items():
            recorded[name] += entry.kind == kind.__name__
    fills = read_ledger(directory / LEDGER, LedgerFill)
    payments = read_ledger(directory / LEDGER, FundingPayment)
    account = read_account(directory / ACCOUNT_FILE)
    assert account is not None
    balance, position = _booked(50_000.0, fills, payments)
    alerts = Counter(each.condition for each in read_recorded(session, Alert).rows if each.active)
    return Soak(
        served={name: served.get(name, 0) for name in recorded},
        recorded=dict(recorded),
        samples=samples,
        bar_secs=pace,
        balance=float(account.balances[0].split()[0]),
        balance_of_ledger=balance,
        position=sum(float(each.quantity) for each in account.positions),
        position_of_ledger=position,
        fills=len(fills),
        payments=len(payments),
        alerts=dict(alerts),
    )


def _booked(balance: float, fills: list[LedgerFill], payments: list[FundingPayment]) -> tuple[float, float]:
    """Return balance and position by the books: gains at average cost, fees and funding."""
    position = average = 0.0
    for fill in fills:
        signed = fill.side * fill.quantity
        balance -= fill.commission
        if position * signed >= 0.0:
            average = (average * abs(position) + fill.price * fill.quantity) / (abs(position) + fill.quantity)
        else:
            closed = min(abs(position), fill.quantity)
            balance += closed * (fill.price - average) * (1.0 if position > 0.0 else -1.0)
            if fill.quantity > abs(position):
                average = fill.price
        position = round(position + signed, 9)
    return balance + sum(each.amount for each in payments), position
