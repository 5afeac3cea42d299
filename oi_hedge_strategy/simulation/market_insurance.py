"""Insurance funds of the simulated venues, and what happens when one is used up."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.simulation.market_positions import SIDES

Array = NDArray[np.float64]


class Book(Protocol):
    """Positions by side and venue, as `PositionBook` and `PathBooks` hold them."""

    total: Array

    def close(self, rate: Array) -> Array:
        """Close the fraction `rate` of every position; return what was closed."""
        ...


class InsuranceFunds:
    """
    Take over liquidated positions at their bankruptcy price and keep the gain or bear the loss.

    A fund that falls below zero has its venue deleverage: what is left of the liquidated positions is closed
    against the winners of the other side, pro rata and without a trade, and the fund starts again from zero.
    Arrays may have leading axes, such as paths.

    Parameters
    ----------
    balance : Array, shape (..., venues)
        Of each fund: quantity in units of normal open interest, times price.
    owed : Array, shape (..., 2, venues)
        Bankruptcy value of the liquidated positions that are not yet executed.
    mmr : float
        Maintenance margin rate: the liquidation price lies so far before the bankruptcy price.

    """

    def __init__(self, balance: Array, owed: Array, mmr: float) -> None:
        self.balance, self.owed = balance.copy(), owed.copy()
        self._bankrupt = 1.0 - SIDES[:, None] * mmr

    def take_over(self, value: Array) -> None:
        """Take positions over, `value` being quantity times liquidation price, shape (..., 2, venues)."""
        self.owed = self.owed + value * self._bankrupt

    def execute(self, left: Array, forced: Array, mark: Array) -> None:
        """Settle what was executed at `mark`, shape (..., venues), `left` being what is still to be."""
        released = self.owed * (forced / np.maximum(left + forced, 1e-300))
        self.owed = self.owed - released
        gain = SIDES[:, None] * (forced * mark[..., None, :] - released)
        self.balance = self.balance + gain.sum(axis=-2)

    def deleverage(self, book: Book, left: Array) -> tuple[Array, Array] | None:
        """
        Close what is left at venues whose fund is used up against the other side.

        Returns
        -------
        tuple of Array, shape (..., 2, venues), or None
            Winners' positions closed, and liquidated ones closed against them; None where no fund is used up.

        """
        empty = self.balance < 0.0
        if not empty.any():
            return None
        self.balance = np.where(empty, 0.0, self.balance)
        wanted = np.where(empty[..., None, :], left, 0.0)[..., ::-1, :]
        closed = book.close(np.minimum(wanted / np.maximum(book.total, 1e-300), 1.0))
        matched = closed[..., ::-1, :]
        self.owed = self.owed * (1.0 - matched / np.maximum(left, 1e-300))
        return closed, matched
