"""A value remembered by time for a limited while; knows no framework."""

from collections import deque


class History:
    """
    Remember a value by time for a limited while.

    Parameters
    ----------
    window_ns : int
        How far back `before` and `at` can be asked.
    resolution_ns : int
        Values within the same span of this length replace each other.

    """

    def __init__(self, window_ns: int, resolution_ns: int = 1) -> None:
        self._window = window_ns
        self._resolution = resolution_ns
        self._items: deque[tuple[int, float]] = deque()

    def append(self, ts: int, value: float) -> None:
        """Add a value that is true from `ts` on; one older than the last is late and changes nothing."""
        items = self._items
        if items and ts < items[-1][0]:
            return
        if items and ts // self._resolution == items[-1][0] // self._resolution:
            items.pop()
        items.append((ts, value))
        while len(items) > 1 and items[1][0] < ts - self._window:
            items.popleft()

    def at(self, ts: int) -> float | None:
        """Return the value true at `ts`, ``None`` before the first."""
        return next((value for then, value in reversed(self._items) if then <= ts), None)

    def before(self, ts: int) -> float | None:
        """Return the value true just before `ts`, ``None`` before the first."""
        return self.at(ts - 1)
