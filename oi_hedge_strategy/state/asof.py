"""As-of sampling of many series over a fixed grid of look-back offsets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NEVER = np.iinfo(np.int64).max
_SINGLE_STEPS = 4
_ALWAYS = -(2**61)
"""Time of the empty event that every row begins with, so that each offset always finds one."""


class AsOfSampler:
    """
    Sample, for each row, the last values known at fixed offsets before now.

    A row is one series whose fields arrive together. Each offset has a cursor into each row; cursors only
    move forward, so an event costs amortised constant time (a constant number of cursors passes it once).

    Parameters
    ----------
    fields : int
        How many fields an event has; absent ones are NaN.
    offsets_ns : int64 array, shape (offsets,)
        Look-back offsets, ascending from zero, nanoseconds.
    resolution_ns : int
        Events of a row within one such interval keep only the last; not more than the second offset.

    """

    def __init__(self, fields: int, offsets_ns: NDArray[np.int64], resolution_ns: int) -> None:
        self._offsets = offsets_ns
        self._resolution = resolution_ns
        self._times = np.full((0, 256), _NEVER)
        self._data = np.full((0, 256, fields), np.nan)
        self._next = np.zeros((0, offsets_ns.size), dtype=np.int64)
        self._count: list[int] = []
        self._last: list[int] = []
        self._now = self._newest = -1

    def add_row(self) -> int:
        """Add an empty series and return its row."""
        rows, capacity = self._times.shape
        self._times = np.pad(self._times, ((0, 1), (0, 0)), constant_values=_NEVER)
        self._times[rows, 0] = _ALWAYS
        self._data = np.pad(self._data, ((0, 1), (0, 0), (0, 0)), constant_values=np.nan)
        self._next = np.pad(self._next, ((0, 1), (0, 0)), constant_values=rows * capacity + 1)
        self._count.append(1)
        self._last.append(-1)
        return rows

    def append(self, row: int, ts: int, fields: tuple[float, ...]) -> None:
        """
        Add an event that became known at `ts`.

        Raises
        ------
        ValueError
            If `ts` is before the last event of any row or the last sample.

        """
        last = self._last[row]
        if ts < self._newest or ts < self._now:
            raise ValueError(
                f"expected events in the order of time, was {ts} after {max(self._newest, self._now)}"
            )
        at = self._count[row]
        if at > 1 and ts // self._resolution == last // self._resolution:
            at -= 1
        elif at == self._times.shape[1] - 1:
            at = self._make_room(row, ts)
        self._times[row, at] = ts
        self._data[row, at, : len(fields)] = fields
        self._count[row] = at + 1
        self._last[row] = self._newest = ts

    def forget(self, row: int) -> None:
        """Let no sample find what the row had so far."""
        self._data[row, : self._count[row]] = np.nan

    def sample(
        self, now: int, rows: NDArray[np.int64], fields: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """
        Return chosen fields as last known at ``now - offsets``, and their ages.

        Parameters
        ----------
        now : int
            Nanoseconds since the epoch.
        rows, fields : int64 array, shape (n,)
            Which field of which row.

        Returns
        -------
        values : float64 array, shape (n, offsets)
            NaN where nothing was known.
        ages : int64 array, shape (n, offsets)
            Nanoseconds from the event to ``now - offset``; meaningless where nothing was known.

        Raises
        ------
        ValueError
            If `now` is before the last event or the last sample.

        """
        if now < self._now or now < self._newest:
            raise ValueError(f"expected samples in the order of time, was {now}")
        self._now = now
        target = now - self._offsets
        times, following = self._times.reshape(-1), self._next
        self._advance(times, following, target)
        cells = following[rows]
        cells -= 1
        ages = target - times.take(cells)
        cells *= self._data.shape[2]
        cells += fields[:, None]
        return self._data.reshape(-1).take(cells), ages

    def save(self) -> dict[str, NDArray[Any]]:
        """Return copies of everything known, for `restore`."""
        rows, capacity = self._times.shape
        counts = np.array(self._count, np.int64)
        kept = np.arange(capacity) < counts[:, None]
        return {
            "times": self._times[kept],
            "data": self._data[kept],
            "counts": counts,
            "last": np.array(self._last, np.int64),
            "next": self._next - np.arange(rows)[:, None] * capacity,
            "clock": np.array([self._now, self._newest, capacity], np.int64),
        }

    def restore(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Become the sampler that `save` was called on; fields and offsets must be the same."""
        self._now, self._newest, capacity = (int(each) for each in saved["clock"])
        counts = saved["counts"]
        kept = np.arange(capacity) < counts[:, None]
        self._times = np.full(kept.shape, _NEVER)
        self._times[kept] = saved["times"]
        self._data = np.full((*kept.shape, self._data.shape[2]), np.nan)
        self._data[kept] = saved["data"]
        self._next = saved["next"] + np.arange(counts.size)[:, None] * capacity
        self._count, self._last = counts.tolist(), saved["last"].tolist()

    def _advance(
        self, times: NDArray[np.int64], following: NDArray[np.int64], target: NDArray[np.int64]
    ) -> None:
        """
        Move the cursors `following` past all events up to `target`.

        A few events are passed one by one; where there are more, in strides that double until none can be
        taken and then halve.
        """
        for _ in range(_SINGLE_STEPS):
            ahead = times.take(following) <= target
            if not ahead.any():
                return
            following += ahead
        rows, capacity = self._times.shape
        last = np.arange(1, rows + 1)[:, None] * capacity - 1
        stride = 2
        while True:
            ahead = times.take(np.minimum(following + (stride - 1), last)) <= target
            if not ahead.any():
                break
            following += stride * ahead
            stride *= 2
        while stride > 1:
            stride //= 2
            ahead = times.take(np.minimum(following + (stride - 1), last)) <= target
            following += stride * ahead

    def _make_room(self, row: int, ts: int) -> int:
        """Drop what no offset can reach any more, double the capacity if that is little; return the count."""
        rows, capacity = self._times.shape
        count = self._count[row]
        oldest = ts - int(self._offsets[-1])
        drop = int(np.searchsorted(self._times[row, :count], oldest, side="right")) - 1
        if drop > count // 4:
            kept = count - drop
            self._times[row, :kept] = self._times[row, drop:count].copy()
            self._times[row, kept:] = _NEVER
            self._data[row, :kept] = self._data[row, drop:count].copy()
            self._data[row, kept:] = np.nan
            self._next[row] = np.maximum(self._next[row] - drop, row * capacity + 1)
            self._count[row] = kept
            return kept
        self._times = np.pad(self._times, ((0, 0), (0, capacity)), constant_values=_NEVER)
        self._data = np.pad(self._data, ((0, 0), (0, capacity), (0, 0)), constant_values=np.nan)
        self._next += np.arange(rows)[:, None] * capacity
        return count
