"""A node in a process of its own, fed event by event, killed at any moment and started again."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from fakes.binance_venue import BinanceVenue
from fakes.futures_account import FuturesAccount
from support.engine import HOUR, START

_LONGEST = 2**22
"""Of an answer: what a node remembers is one line."""
Event = tuple[int, str, list[float]]


def market(hours: int, seed: int = 7) -> list[Event]:
    """Return hourly bars of the hedge instrument, open interest and funding, each at a time of its own."""
    rng, price, found = np.random.default_rng(seed), 2000.0, []
    for hour in range(hours):
        ts = START + hour * HOUR
        price = round(price * float(np.exp(rng.normal(0.0, 0.012))), 2)
        found.append((ts - 2, "interest", [round(float(rng.uniform(900.0, 1100.0)), 3)]))
        if hour % 8 == 0:
            found.append((ts - 1, "funding", [round(float(rng.normal(0.0, 2e-4)), 6)]))
        bar = [price, round(price * 1.004, 2), round(price * 0.996, 2), price]
        found.append((ts, "bar", bar))
    return found


@dataclass
class Outcome:
    """What a run over a market left: at the venue, in the decisions, in the node's memory."""

    orders: list[tuple[str, float, bool]] = field(default_factory=list)
    stops: list[tuple[str, float, float]] = field(default_factory=list)
    decisions: dict[int, list[Any]] = field(default_factory=dict)
    position: float = 0.0
    largest: float = 0.0
    memory: dict[str, Any] = field(default_factory=dict)
    kills: list[tuple[int, float]] = field(default_factory=list)
    restarts: list[dict[str, Any]] = field(default_factory=list)


class Child:
    """One process with a node."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls, venue: BinanceVenue, model: Path, state: Path | None, exposure: float, redis_port: int = 0
    ) -> "Child":
        """Start a process; it remembers in a directory, in Redis, or both."""
        tests = Path(__file__).parents[1]
        paths = os.pathsep.join([str(tests), *sys.path])
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "support.killed_node", venue.base, str(model),
            str(state) if state is not None else "", str(exposure), str(redis_port),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LONGEST,
            env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip
        return cls(process)

    def send(self, event: Event, venue: BinanceVenue) -> None:
        """Hand over an event, which is taken in once the node knows position and wallet as they are."""
        assert self._process.stdin is not None
        known = float(venue.account.position), float(venue.account.wallet)
        self._process.stdin.write(json.dumps([*event, *known]).encode() + b"\n")

    async def answer(self) -> dict[str, Any]:
        """Return the next answer; raise where the process ended without one."""
        assert self._process.stdout is not None
        while True:
            line = await asyncio.wait_for(self._process.stdout.readline(), 60.0)
            if not line:
                raise AssertionError(f"the node ended with {await self._process.wait()}")
            if line.startswith(b"{"):
                found: dict[str, Any] = json.loads(line)
                return found

    async def kill(self) -> None:
        """Kill it as nothing can prevent."""
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def end(self) -> None:
        """Let it end by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), 30.0)


async def play(
    events: list[Event], model: Path, state: Path, kills: dict[int, float], exposure: float = 10.0
) -> Outcome:
    """
    Feed `events` to a node and kill it where `kills` says.

    Parameters
    ----------
    events : list of Event
        The market.
    model, state : Path
        The model file and the state directory.
    kills : dict of int to float
        By index of the event, how many seconds after it was handed over the process is killed.
    exposure : float
        What is hedged.

    """
    outcome, venue = Outcome(), BinanceVenue(FuturesAccount(wallet="20000"))
    await venue.start()
    child = await Child.start(venue, model, state, exposure)
    try:
        ready, at = await child.answer(), 0
        while at < len(events):
            ts, kind, fields = events[at]
            if kind == "bar":
                venue.account.move_price(str(fields[0]))
            child.send(events[at], venue)
            if at in kills:
                await asyncio.sleep(kills[at])
                await child.kill()
                outcome.kills.append((at, kills.pop(at)))
                child = await Child.start(venue, model, state, exposure)
                ready = await child.answer()
                _note(outcome, ready)
                outcome.restarts.append(ready | {"event": at, "ts": ts})
                at = next((i for i, each in enumerate(events) if each[0] > ready["newest"]), len(events))
                continue
            _note(outcome, await child.answer())
            at += 1
        child.send((0, "memory", []), venue)
        outcome.memory = await child.answer()
        await child.end()
    finally:
        await venue.stop()
    account = venue.account
    outcome.orders = [(o.side, float(o.filled), o.reduce_only) for o in account.orders.values()]
    outcome.stops = [(s.side, float(s.quantity), float(s.trigger)) for s in account.resting()]
    outcome.position, outcome.largest = float(account.position), float(account.largest)
    return outcome


def _note(outcome: Outcome, answer: dict[str, Any]) -> None:
    for ts, *decision in answer["decisions"]:
        outcome.decisions.setdefault(int(ts), decision)


def same_stops(one: Outcome, other: Outcome) -> bool:
    """
    Return whether the same stops rest, to one tick.

    The venue's average entry price has more digits than Nautilus gives a position that it reconciles.
    """
    pairs = list(zip(one.stops, other.stops, strict=False))
    close = all(a[:2] == b[:2] and abs(a[2] - b[2]) < 0.011 for a, b in pairs)
    return len(one.stops) == len(other.stops) and close
