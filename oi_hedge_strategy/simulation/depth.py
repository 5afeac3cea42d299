"""What an order would pay in the order book that was last seen; knows no framework.

A snapshot shows what was on display at one moment: less than what is there (hidden and latent orders), more
than what stays when the price runs. So it does not replace the square-root law but bounds its cost from
below: where the book was thinner than the law supposes, the book counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_BPS = 1e-4
Level = tuple[float, float]
"""Price and quantity in base coin."""


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """
    Hold the best levels of both sides.

    Parameters
    ----------
    ts : int
        Time, UNIX ns.
    bids, asks : sequence of Level
        Best first; neither is empty.

    """

    ts: int
    bids: Sequence[Level]
    asks: Sequence[Level]

    def cost_bps(self, side: int, quantity: float) -> float:
        """
        Return by how much the average price of taking `quantity` is worse than the middle.

        Beyond the last level the cost goes on with the square root of the quantity.

        Parameters
        ----------
        side : int
            1 to buy, -1 to sell.
        quantity : float
            Base coin, above 0.

        """
        middle = 0.5 * (self.bids[0][0] + self.asks[0][0])
        levels = self.asks if side > 0 else self.bids
        shown = min(quantity, sum(size for _, size in levels))
        left, paid = shown, 0.0
        for price, size in levels:
            taken = min(left, size)
            paid += taken * abs(price - middle)
            left -= taken
        return paid / (shown * middle) / _BPS * math.sqrt(quantity / shown)
