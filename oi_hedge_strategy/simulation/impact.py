"""What an order costs beyond the price it sees: spread and square-root market impact; knows no framework.

The cost of taking `q` from the market, in basis points of the price, is

    half_spread(sigma) + 1e4 * Y * sigma * sqrt(q / V)

with `sigma` the daily volatility and `V` the daily volume. The square-root law holds over four decades of
order size on a million bitcoin metaorders with Y of order 1 (Donier and Bonart 2014, arXiv 1412.4503). No
value of Y has been published for ETH perpetuals: calibrate it on own fills where there are any.
"""

import math
from dataclasses import dataclass, replace

from oi_hedge_catalog.errors import ConfigError

NS_PER_DAY = 86_400_000_000_000
BPS = 1e-4
_TICK_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class ImpactParameters:
    """
    Parametrise spread and impact.

    Parameters
    ----------
    coefficient : float
        Y of the square-root law.
    half_spread_bps : float
        Half the quoted spread when daily volatility is `reference_volatility`; it widens in proportion.
    reference_volatility : float
        Daily volatility as a fraction.
    min_half_spread_bps : float
        The least half-spread.
    max_cost_bps : float
        Cap on half-spread and impact together; every use of it is marked in the result.

    """

    coefficient: float = 1.0
    half_spread_bps: float = 1.0
    reference_volatility: float = 0.04
    min_half_spread_bps: float = 0.5
    max_cost_bps: float = 500.0

    def __post_init__(self) -> None:
        if min(self.coefficient, self.half_spread_bps, self.min_half_spread_bps) < 0.0:
            raise ConfigError(f"market impact: coefficient and spreads must not be negative, found {self}.")
        if self.reference_volatility <= 0.0:
            raise ConfigError(
                f"market impact: reference_volatility must be positive, was {self.reference_volatility}."
            )
        if not self.min_half_spread_bps <= self.max_cost_bps < 1.0 / BPS:
            raise ConfigError(
                "market impact: max_cost_bps must be at least min_half_spread_bps and below 10000, "
                f"was {self.max_cost_bps}."
            )

    def times(self, multiplier: float) -> "ImpactParameters":
        """Return these parameters with spread and impact times `multiplier`, below the same cap."""
        return replace(
            self,
            coefficient=self.coefficient * multiplier,
            half_spread_bps=self.half_spread_bps * multiplier,
            min_half_spread_bps=min(self.min_half_spread_bps * multiplier, self.max_cost_bps),
        )


@dataclass(frozen=True, slots=True)
class ExecutionCost:
    """Hold the cost of one execution in basis points of its reference price."""

    half_spread_bps: float
    impact_bps: float
    capped: bool = False

    @property
    def total_bps(self) -> float:
        """Return half-spread and impact together."""
        return self.half_spread_bps + self.impact_bps


def execution_cost(
    parameters: ImpactParameters,
    quantity: float,
    volatility: float,
    volume: float,
    quoted_half_spread_bps: float = 0.0,
    book_cost_bps: float = 0.0,
) -> ExecutionCost:
    """
    Return what taking `quantity` from the market costs.

    Parameters
    ----------
    parameters : ImpactParameters
        The model's parameters.
    quantity, volume : float
        Order quantity and daily volume, in the same unit (base coin).
    volatility : float
        Daily volatility, a fraction.
    quoted_half_spread_bps : float
        Half the spread actually quoted, where quotes are known; the wider of it and the model's counts.
    book_cost_bps : float
        What the quantity would have cost in the last order book, where one is known; the least that it costs.

    Returns
    -------
    ExecutionCost
        With the impact cut so that the total does not exceed the cap, and marked if it was.

    """
    modelled = parameters.half_spread_bps * volatility / parameters.reference_volatility
    spread = max(modelled, parameters.min_half_spread_bps, quoted_half_spread_bps)
    share = quantity / volume if volume > 0.0 else math.inf
    impact = parameters.coefficient * volatility * math.sqrt(share) / BPS if quantity > 0.0 else 0.0
    impact = max(impact, book_cost_bps - spread)
    if not spread + impact <= parameters.max_cost_bps:
        spread = min(spread, parameters.max_cost_bps)
        return ExecutionCost(spread, parameters.max_cost_bps - spread, capped=True)
    return ExecutionCost(spread, impact)


def worse_price(reference: float, cost_bps: float, side: int, tick: float) -> float:
    """
    Return `reference` moved by `cost_bps` against the order and rounded against it to a `tick`.

    Parameters
    ----------
    reference : float
        The price before costs.
    cost_bps : float
        Basis points of the reference.
    side : int
        1 to buy, -1 to sell.
    tick : float
        Price increment; a sale is never priced below one tick.

    """
    ticks = reference * (1.0 + side * cost_bps * BPS) / tick
    if side > 0:
        return math.ceil(ticks - _TICK_TOLERANCE) * tick
    return max(math.floor(ticks + _TICK_TOLERANCE), 1) * tick


class MarketEstimator:
    """
    Estimate daily volatility and daily volume from completed bars, exponentially weighted in time.

    Both are ratios of decayed sums, ``sum(r**2) / sum(days)`` and ``sum(volume) / sum(days)``, so that gaps
    and changes of the bar size need no special case and no start value biases them. Until `warmup_days` of
    bars have been seen the defaults stand.

    Parameters
    ----------
    half_life_days : float
        A bar this old has half the weight of the latest.
    warmup_days : float
        Days of bars before the estimates replace the defaults.
    default_volatility : float
        Daily volatility, a fraction.
    default_volume : float
        Daily volume in base coin.

    """

    def __init__(
        self,
        half_life_days: float = 7.0,
        warmup_days: float = 1.0,
        default_volatility: float = 0.04,
        default_volume: float = 1_000_000.0,
    ) -> None:
        for name, value in (("half_life_days", half_life_days), ("default_volume", default_volume)):
            if not 0.0 < value < math.inf:
                raise ConfigError(f"market estimator: {name} must be positive, was {value}.")
        if warmup_days < 0.0 or default_volatility < 0.0:
            raise ConfigError(
                "market estimator: warmup_days and default_volatility must not be negative, "
                f"found {warmup_days} and {default_volatility}."
            )
        self._decay_rate = math.log(2.0) / half_life_days
        self._warmup_days = warmup_days
        self._defaults = (default_volatility, default_volume)
        self._last: tuple[int, float] | None = None
        self._squares = self._square_days = self._volume = self._volume_days = self._seen_days = 0.0

    def update(self, ts: int, close: float, volume: float, duration_ns: int) -> None:
        """
        Take in a completed bar: its close time (UNIX ns), close, base-coin volume and duration.

        A bar that is not newer than the last one is a revision and changes nothing.
        """
        days = duration_ns / NS_PER_DAY
        if self._last is not None:
            last_ts, last_close = self._last
            elapsed = (ts - last_ts) / NS_PER_DAY
            if elapsed <= 0.0:
                return
            decay = math.exp(-self._decay_rate * elapsed)
            self._squares = self._squares * decay + math.log(close / last_close) ** 2
            self._square_days = self._square_days * decay + elapsed
            self._volume *= decay
            self._volume_days *= decay
            self._seen_days += days
        self._volume += volume
        self._volume_days += days
        self._last = (ts, close)

    @property
    def is_warm(self) -> bool:
        """Return whether the estimates have replaced the defaults."""
        return self._square_days > 0.0 and self._seen_days >= self._warmup_days

    @property
    def volatility(self) -> float:
        """Return daily volatility, a fraction."""
        return math.sqrt(self._squares / self._square_days) if self.is_warm else self._defaults[0]

    @property
    def volume(self) -> float:
        """Return daily volume in base coin."""
        return self._volume / self._volume_days if self.is_warm else self._defaults[1]
