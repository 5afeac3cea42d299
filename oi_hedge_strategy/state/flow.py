"""Sums of sparse events over the last hour, known at every moment."""

from collections import deque
from math import fsum

import numpy as np
from numpy.typing import NDArray

_MINUTE_NS = 60_000_000_000
NEVER = 2**63 - 1


class HourlyFlow:
    """
    Sum two quantities over the last sixty clock minutes, the running one included.

    Events are gathered by clock minute, so that a burst costs no more than sixty sums, and the sum changes
    only at an event and when a minute leaves the hour. Nothing older than an hour has any influence.

    """

    MINUTES = 60

    def __init__(self) -> None:
        self._minutes: deque[tuple[int, list[float], list[float]]] = deque()

    def add(self, ts: int, first: float, second: float) -> None:
        """Add an event known at `ts`, not before the last one."""
        minute = ts // _MINUTE_NS
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append((minute, [0.0], [0.0]))
        _, firsts, seconds = self._minutes[-1]
        firsts[0] += first
        seconds[0] += second

    @property
    def expires(self) -> int:
        """When the oldest minute leaves the hour, nanoseconds since the epoch; `NEVER` where none is held."""
        return (self._minutes[0][0] + self.MINUTES) * _MINUTE_NS if self._minutes else NEVER

    def expire(self) -> None:
        """Drop the oldest minute."""
        self._minutes.popleft()

    @property
    def sums(self) -> tuple[float, float]:
        """What the minutes held add up to."""
        firsts = fsum(first for _, (first,), _ in self._minutes)
        return firsts, fsum(second for _, _, (second,) in self._minutes)

    def save(self) -> NDArray[np.float64]:
        """Return minute and both sums of each minute held, shape (minutes, 3), for `restore`."""
        found = [(minute, first, second) for minute, (first,), (second,) in self._minutes]
        return np.array(found, np.float64).reshape(-1, 3)

    def restore(self, saved: NDArray[np.float64]) -> None:
        """Hold the minutes that `save` returned."""
        self._minutes = deque((int(minute), [first], [second]) for minute, first, second in saved.tolist())
