"""What the simulated market's next step depends on: its state, and the pace at which things change."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.simulation.market_config import (
    STEP_MINUTES,
    STEPS_PER_DAY,
    STEPS_PER_HOUR,
    SimulatedMarketConfig,
    half_life_decay,
)
from oi_hedge_strategy.simulation.market_positions import BookState

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pace:
    """
    Hold the market's rates per 5-minute step.

    Parameters
    ----------
    hold : float
        Share of positions that is closed, and of the capacity that enters.
    arbitrage : Array, shape (venues,)
        What remains of a price difference to the other venues.
    trend, hour, fear, stress, recovery : float
        What remains of each.
    pull : float
        Share of the distance to the anchor by which the fundamental value moves.
    drift : float
        Log drift of the anchor.

    """

    hold: float
    arbitrage: Array
    trend: float
    hour: float
    fear: float
    stress: float
    recovery: float
    pull: float
    drift: float

    @classmethod
    def of(cls, config: SimulatedMarketConfig) -> Self:
        """Return the rates of a market."""
        agents, prices = config.agents, config.prices
        minutes = [venue.arbitrage_minutes for venue in config.venues.values()]
        return cls(
            hold=1.0 / (agents.hold_days * STEPS_PER_DAY),
            arbitrage=np.array([half_life_decay(each / STEP_MINUTES) for each in minutes]),
            trend=half_life_decay(agents.trend_days * STEPS_PER_DAY),
            hour=half_life_decay(STEPS_PER_HOUR),
            fear=half_life_decay(agents.fear_hours * STEPS_PER_HOUR),
            stress=half_life_decay(prices.stress_hours * STEPS_PER_HOUR),
            recovery=half_life_decay(prices.recovery_hours * STEPS_PER_HOUR),
            pull=1.0 - half_life_decay(prices.anchor_days * STEPS_PER_DAY),
            drift=prices.drift / (365 * STEPS_PER_DAY),
        )


@dataclass(frozen=True, eq=False)
class AgentState:
    """
    Hold a copy of one asset's market between two steps.

    Parameters
    ----------
    step : int
        The next step, counted from a midnight.
    book : BookState
        All leveraged positions.
    backlog, exits : Array, shape (2, venues)
        Liquidated quantity not yet executed; what left at the last settlement and still has to trade.
    basis, mark, premium_sum : Array, shape (venues,)
        Own price difference of each venue, mark price, sum of the premium since the last settlement.
    anchor, fundamental, log_price, dislocation : float
        Log prices: long-run anchor, fundamental value, spot, and its part that will revert.
    trend, hour_return, fear, stress, lead : float
        Decaying sums of returns, of the liquidated share, and of the flow by which the perpetual leads.
    insurance : Array, shape (venues,)
        Balances of the insurance funds.
    owed : Array, shape (2, venues)
        Bankruptcy value of the backlog.

    """

    step: int
    book: BookState
    backlog: Array
    exits: Array
    basis: Array
    mark: Array
    premium_sum: Array
    anchor: float
    fundamental: float
    log_price: float
    dislocation: float
    trend: float
    hour_return: float
    fear: float
    stress: float
    lead: float
    insurance: Array
    owed: Array
