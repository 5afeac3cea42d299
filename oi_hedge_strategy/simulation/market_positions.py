"""Leveraged positions as cohorts of entry time, side, venue and leverage, each with its liquidation price."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.margin import liquidation_price

Array = NDArray[np.float64]
LONG, SHORT = 0, 1
SIDES = np.array([1.0, -1.0])


def liquidation_factors(leverage: Array, mmr: float) -> Array:
    """
    Return liquidation price over entry price for isolated linear positions.

    Parameters
    ----------
    leverage : Array, shape (leverages,)
        Effective leverage (entry value over posted margin).
    mmr : float
        Maintenance margin rate.

    Returns
    -------
    Array, shape (2, leverages)
        Longs, shorts; see `oi_hedge_strategy.margin.liquidation_price`.

    """
    return np.array([[liquidation_price(1.0, float(x), mmr, side) for x in leverage] for side in (1, -1)])


@dataclass(frozen=True, eq=False)
class BookState:
    """
    Hold a copy of a position book.

    Parameters
    ----------
    quantity, signed_level : Array, shape (cohorts, 2, venues, leverages)
        Open quantity and liquidation price times the side's sign.
    frontier, total : Array, shape (2, venues)
        No signed level lies above the frontier; open quantity.
    slot : int
        The cohort that is being filled.
    factors : Array, shape (2, 1, leverages)
        Signed liquidation price over entry price.
    shares : Array, shape (leverages,)
        How entries divide over the leverages.

    """

    quantity: Array
    signed_level: Array
    frontier: Array
    total: Array
    slot: int
    factors: Array
    shares: Array


class PositionBook:
    """
    Hold open leveraged positions of every venue and find those a price liquidates.

    Entries of one cohort (the same side, venue, leverage and entry window) are pooled at their average
    price, as an exchange averages up a position. The oldest cohort is dropped when a new one begins.

    Parameters
    ----------
    venues : int
        Number of venues.
    leverage : Array, shape (leverages,)
        Effective leverage.
    shares : Array, shape (leverages,)
        How entries divide over the leverages; sums to 1.
    mmr : float
        Maintenance margin rate.
    cohorts : int
        Number of entry windows that are kept.

    """

    def __init__(self, venues: int, leverage: Array, shares: Array, mmr: float, cohorts: int) -> None:
        shape = (cohorts, 2, venues, len(leverage))
        self._raw = np.zeros(shape)
        self._signed_level = np.zeros(shape)
        self._factors = liquidation_factors(leverage, mmr)[:, None, :] * SIDES[:, None, None]
        self._nearest = self._factors.max(axis=2)
        self._shares = shares
        self._scale = np.ones((2, venues))
        self._frontier = np.full((2, venues), -np.inf)
        self._slot = 0
        self.total = np.zeros((2, venues))
        """Open quantity, shape (2, venues): longs, shorts."""
        self.liquidated = np.zeros(len(leverage))
        """Quantity liquidated so far, shape (leverages,)."""
        self.hit_value = np.zeros((2, venues))
        """Quantity times liquidation price of what was liquidated last, shape (2, venues)."""

    def open(self, quantity: Array, price: Array) -> None:
        """Add `quantity`, shape (2, venues), entered at `price`, shape (venues,)."""
        added = (quantity / self._scale)[:, :, None] * self._shares
        raw, level = self._raw[self._slot], self._signed_level[self._slot]
        pooled = raw + added
        weight = added / np.maximum(pooled, 1e-300)
        level += weight * (self._factors * price[:, None] - level)
        raw[...] = pooled
        self.total += quantity
        np.maximum(self._frontier, self._nearest * price, out=self._frontier)

    def close(self, rate: Array) -> Array:
        """Close the fraction `rate`, shape (2, venues), of every position; return the quantities closed."""
        closed: Array = self.total * rate
        self._scale *= 1.0 - rate
        self.total -= closed
        return closed

    def begin_cohort(self) -> Array:
        """Start the next entry window; return the quantity of the dropped cohort, shape (2, venues)."""
        self._raw *= self._scale[:, :, None]
        self._scale[...] = 1.0
        self._slot = (self._slot + 1) % len(self._raw)
        dropped: Array = self._raw[self._slot].sum(axis=2)
        self._raw[self._slot] = 0.0
        self._signed_level[self._slot] = 0.0
        self.total = self._raw.sum(axis=(0, 3))
        return dropped

    def liquidate(self, mark: Array) -> Array | None:
        """
        Take out every position whose liquidation price the mark price has reached.

        Parameters
        ----------
        mark : Array, shape (venues,)
            Mark price by venue.

        Returns
        -------
        Array, shape (2, venues), or None
            Quantity liquidated, longs and shorts; None when there is none.

        """
        signed_mark = SIDES[:, None] * mark
        if not (self._frontier >= signed_mark).any():
            return None
        hit = (self._signed_level >= signed_mark[:, :, None]) & (self._raw > 0.0)
        taken = np.where(hit, self._raw, 0.0)
        quantity: Array = taken.sum(axis=(0, 3)) * self._scale
        self.hit_value = (taken * np.abs(self._signed_level)).sum(axis=(0, 3)) * self._scale
        self._raw[hit] = 0.0
        self._frontier = np.where(self._raw > 0.0, self._signed_level, -np.inf).max(axis=(0, 3))
        if not quantity.any():
            return None
        self.total -= quantity
        self.liquidated += (taken.sum(axis=0) * self._scale[:, :, None]).sum(axis=(0, 1))
        return quantity

    def state(self) -> BookState:
        """Return a copy of all positions."""
        return BookState(
            quantity=self._raw * self._scale[:, :, None],
            signed_level=self._signed_level.copy(),
            frontier=self._frontier.copy(),
            total=self.total.copy(),
            slot=self._slot,
            factors=self._factors,
            shares=self._shares,
        )

    def levels(self, price: float, edges: Array) -> Array:
        """
        Return the open quantity by distance of its liquidation price from `price`.

        Parameters
        ----------
        price : float
            Reference price.
        edges : Array, shape (bands + 1,)
            Increasing distances as fractions of the price.

        Returns
        -------
        Array, shape (2, bands)
            Longs (liquidated below) and shorts (liquidated above), summed over venues.

        """
        quantity = self._raw * self._scale[:, :, None]
        distance = SIDES[:, None, None] - self._signed_level / price
        bands = len(edges) - 1
        found = np.empty((2, bands))
        for side in (LONG, SHORT):
            band = np.searchsorted(edges, distance[:, side].ravel(), side="right")
            found[side] = np.bincount(band, weights=quantity[:, side].ravel(), minlength=bands + 2)[1:-1]
        return found
