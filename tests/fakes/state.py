"""What is true of ETH at a loopback exchange; each exchange says it in its own units."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

HOUR_MS = 3_600_000


@dataclass
class FakeState:
    """
    What is true of ETH at an exchange.

    Attributes
    ----------
    coins : float
        Open interest, one-sided.
    price, rate, long_share : float
        Mark price, funding rate of the running interval, long share of the accounts.
    funding_hours : int
        The interval that venues with an interval per contract say.
    listed_ms : int
        The time before which there is no funding.
    skew_ms : int
        How far the exchange's clock is ahead.
    frozen_ms : int
        The time at which open interest stands still; 0 while it moves.
    halted, silent : bool
        Whether the instrument is halted, and whether streams send nothing.
    liquidations : list of (is_long, coins, price, ms)
        Sent with every push or poll.
    reorder : bool
        Whether every third time is a minute old.
    """

    coins: float = 1000.0
    price: float = 2000.0
    rate: float = 0.0001
    funding_hours: int = 8
    listed_ms: int = 0
    long_share: float = 0.6
    skew_ms: int = 0
    frozen_ms: int = 0
    halted: bool = False
    silent: bool = False
    reorder: bool = False
    liquidations: list[tuple[bool, float, float, int]] = field(default_factory=list)
    sent: int = 0

    def now(self) -> int:
        """Return the exchange's time."""
        real = time.time_ns() // 1_000_000 + self.skew_ms
        self.sent += 1
        if self.reorder and self.sent % 3 == 0:
            real -= 60_000
        return self.frozen_ms or real

    def due(self) -> int:
        """Return the next full eighth hour."""
        return (time.time_ns() // 1_000_000 // (8 * HOUR_MS) + 1) * 8 * HOUR_MS


Answer = Callable[[FakeState, dict[str, Any]], Any]


@dataclass(frozen=True)
class FakeVenue:
    """Answers by path, and the messages of the streams that were asked for."""

    rest: dict[str, Answer]
    push: Callable[[FakeState, str, str], Iterator[Any]] = lambda state, asked, path: iter(())
    acknowledge: Callable[[str], list[Any]] = lambda asked: []


def steps(query: dict[str, Any], since: str, until: str, limit: str, step_ms: int, size: int) -> list[int]:
    """Return the times of the rows that a page of history has, the oldest first."""
    last = int(query.get(until) or time.time_ns() // 1_000_000)
    last = min(last, time.time_ns() // 1_000_000)
    count = min(int(query.get(limit) or size), size)
    first = int(query[since]) if query.get(since) else last - count * step_ms
    start = -(-first // step_ms) * step_ms
    return list(range(start, last + 1, step_ms))[:count]


def newest(query: dict[str, Any], after: str, before: str, limit: str, step_ms: int, size: int) -> list[int]:
    """Return the newest times between two that are left out themselves, the oldest first."""
    now = time.time_ns() // 1_000_000
    last = min(int(query.get(before) or now + 1), now + 1)
    first = int(query.get(after) or 0)
    count = min(int(query.get(limit) or size), size)
    ends = range((last - 1) // step_ms * step_ms, first, -step_ms)
    return sorted(ends[:count])


def level(time_ms: int) -> float:
    """Return open interest in coins at a past full hour: a thousand and the hour of the day."""
    return 1000.0 + time_ms // HOUR_MS % 24


def iso(time_ms: int) -> str:
    """Return a time as ``2026-01-01T00:00:00.000Z``."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
