"""Step-by-step record of one simulated asset."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.simulation.market_config import BANDS, FUNDING_STEPS, STEPS_PER_DAY

Array = NDArray[np.float64]


@dataclass
class StepRecord:
    """What each 5-minute step did; quantities are fractions of the asset's normal open interest.

    Parameters
    ----------
    index : Array, shape (steps,)
        Log price of spot.
    premium : Array, shape (steps, venues)
        Log price of each venue's perpetual over spot.
    opened, closed, liquidated : Array, shape (steps, 2, venues)
        Speculators' entries, voluntary exits and executed liquidations, longs and shorts.
    speculative : Array, shape (steps, 2, venues)
        Speculators' open quantity after the step, with what the liquidation engine still has to close.
    hedged : Array, shape (steps, venues)
        Unleveraged two-sided open interest.
    funding : Array, shape (settlements, venues)
        Rates settled at 00, 08 and 16 UTC, at the end of the step that ends there.
    levels : Array, shape (bars, 2, bands)
        Open quantity by distance of its liquidation price at each bar's close.
    liquidated_by_leverage : Array, shape (bars, leverages)
        What the mark price has liquidated since the first step.
    insurance : Array, shape (bars, venues)
        Balance of each venue's insurance fund at each bar's close, quantity times price.
    volume_noise : Array, shape (steps,)
        Standard normal.
    first_index : float
        Log price of spot before the first step.
    first_premium : Array, shape (venues,)
        Premium before the first step.

    """

    index: Array
    premium: Array
    opened: Array
    closed: Array
    liquidated: Array
    speculative: Array
    hedged: Array
    funding: Array
    levels: Array
    liquidated_by_leverage: Array
    insurance: Array
    volume_noise: Array
    first_index: float
    first_premium: Array

    @classmethod
    def empty(cls, days: int, venues: int, bar_steps: int, leverages: int = 5) -> "StepRecord":
        """Return a record with room for `days`."""
        steps = days * STEPS_PER_DAY
        flows = [np.zeros((steps, 2, venues)) for _ in range(4)]
        return cls(
            index=np.zeros(steps),
            premium=np.zeros((steps, venues)),
            opened=flows[0],
            closed=flows[1],
            liquidated=flows[2],
            speculative=flows[3],
            hedged=np.zeros((steps, venues)),
            funding=np.zeros((steps // FUNDING_STEPS, venues)),
            levels=np.zeros((steps // bar_steps, 2, len(BANDS))),
            liquidated_by_leverage=np.zeros((steps // bar_steps, leverages)),
            insurance=np.zeros((steps // bar_steps, venues)),
            volume_noise=np.zeros(steps),
            first_index=0.0,
            first_premium=np.zeros(venues),
        )
