"""The leveraged positions of many continuations of one market at once."""

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.simulation.market_positions import SIDES, BookState

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


class SharedBook:
    """
    Hold the positions that all paths begin with; a path is a count of how many have been liquidated.

    All paths close at the same rate across a venue's side, so what is left of the positions depends on the
    path's scale and on the furthest price that it has seen.

    Parameters
    ----------
    quantity, signed_level : Array, shape (cohorts, 2, venues, leverages)
        As of `BookState`.
    paths : int
        Number of paths.

    """

    def __init__(self, quantity: Array, signed_level: Array, paths: int) -> None:
        sides, venues = quantity.shape[1:3]
        groups = sides * venues
        levels, amounts = (
            each.transpose(1, 2, 0, 3).reshape(groups, -1) for each in (signed_level, quantity)
        )
        order = np.argsort(-levels, axis=1)
        levels, amounts = np.take_along_axis(levels, order, 1), np.take_along_axis(amounts, order, 1)
        size = levels.shape[1]
        self._spread = 8.0 * float(np.abs(levels).max())
        self._offset = (self._spread * np.arange(groups)).reshape(sides, venues)
        self._keys = (self._spread * np.arange(groups)[:, None] - levels).ravel()
        self._gone_total, self._gone_value = (
            np.concatenate([np.zeros((groups, 1)), np.cumsum(each, axis=1)], axis=1).ravel()
            for each in (amounts, amounts * np.abs(levels))
        )
        self._levels = np.concatenate([levels, np.full((groups, 1), -np.inf)], axis=1).ravel()
        group = np.arange(groups).reshape(sides, venues)
        self._group = group
        self._first, self._row = group * size, group * (size + 1)
        self._gone = np.zeros((paths, sides, venues), np.int64)

    def frontier(self, at: tuple[Ints, ...]) -> Array:
        """Return the next signed level of the chosen paths, sides and venues."""
        nearest: Array = self._levels[self._row[at[1:]] + self._gone[at]]
        return nearest

    def liquidate(self, at: tuple[Ints, ...], signed_mark: Array) -> tuple[Array, Array]:
        """Take out all whose level lies at or above `signed_mark`; return unscaled quantities and values."""
        group = at[1:]
        key = np.minimum(self._offset[group] - signed_mark, self._offset[group] + 0.5 * self._spread)
        reached = np.searchsorted(self._keys, key, side="right") - self._first[group]
        before = self._gone[at]
        after = np.maximum(before, reached)
        self._gone[at] = after
        row = self._row[group]
        quantity = self._gone_total[row + after] - self._gone_total[row + before]
        return quantity, self._gone_value[row + after] - self._gone_value[row + before]


class PathBooks:
    """
    Hold one position book per path, all beginning as copies of one; the same rules as `PositionBook`.

    Cohorts of the shared beginning are not dropped for age: over a few days they hold less than a millionth.

    Parameters
    ----------
    state : BookState
        The book that all paths share at first.
    paths : int
        Number of paths.
    cohorts : int
        Number of entry windows to come, the one under way included.

    """

    def __init__(self, state: BookState, paths: int, cohorts: int) -> None:
        quantity = state.quantity.copy()
        shape = (cohorts, paths, *quantity.shape[1:])
        self._raw, self._signed_level = np.zeros(shape), np.zeros(shape)
        self._raw[0] = quantity[state.slot]
        self._signed_level[0] = state.signed_level[state.slot]
        quantity[state.slot] = 0.0
        self._shared = SharedBook(quantity, state.signed_level, paths)
        self._factors = state.factors
        self._nearest = state.factors.max(axis=2)
        self._shares = state.shares
        self._frontier = np.tile(state.frontier, (paths, 1, 1))
        self._scale = np.ones_like(self._frontier)
        self._slot = 0
        self.total = np.tile(state.total, (paths, 1, 1))
        """Open quantity, shape (paths, 2, venues): longs, shorts."""
        self.hit_value = np.zeros_like(self.total)
        """Quantity times liquidation price of what was liquidated last, shape (paths, 2, venues)."""

    def open(self, quantity: Array, price: Array) -> None:
        """Add `quantity`, shape (paths, 2, venues), entered at `price`, shape (paths, venues)."""
        added = (quantity / self._scale)[..., None] * self._shares
        raw, level = self._raw[self._slot], self._signed_level[self._slot]
        raw += added
        level += added / np.maximum(raw, 1e-300) * (self._factors * price[:, None, :, None] - level)
        self.total += quantity
        np.maximum(self._frontier, self._nearest * price[:, None], out=self._frontier)

    def close(self, rate: Array) -> Array:
        """Close the fraction `rate`, shape (paths, 2, venues), of every position; return what was closed."""
        closed: Array = self.total * rate
        self._scale *= 1.0 - rate
        self.total -= closed
        return closed

    def begin_cohort(self) -> None:
        """Start the next entry window."""
        self._slot += 1

    def liquidate(self, mark: Array) -> Array | None:
        """Take out what `mark`, shape (paths, venues), has reached; return it, shape (paths, 2, venues)."""
        signed_mark = SIDES[:, None] * mark[:, None]
        at = np.nonzero(self._frontier >= signed_mark)
        if not at[0].size:
            return None
        path, side, venue = at
        reached = signed_mark[at]
        raw, level = self._raw[:, path, side, venue], self._signed_level[:, path, side, venue]
        hit = (level >= reached[:, None]) & (raw > 0.0)
        taken = np.where(hit, raw, 0.0)
        quantity, value = self._shared.liquidate(at, reached)
        found = np.zeros_like(self.total)
        self.hit_value = np.zeros_like(self.total)
        found[at] = (taken.sum(axis=(0, 2)) + quantity) * self._scale[at]
        self.hit_value[at] = ((taken * np.abs(level)).sum(axis=(0, 2)) + value) * self._scale[at]
        raw[hit] = 0.0
        self._raw[:, path, side, venue] = raw
        nearest = np.where(raw > 0.0, level, -np.inf).max(axis=(0, 2))
        self._frontier[at] = np.maximum(nearest, self._shared.frontier(at))
        self.total -= found
        return found
