"""How long messages between trader and venue take; knows no framework.

Three delays, as hftbacktest tells them apart: of the feed (until the strategy sees what happened), of order
entry (until the venue has the order) and of the response (until the strategy sees its fill). Each is

    typical * max(1, s) ** exponent * exp(jitter * z),    z ~ N(0, 1),    at most the cap

with `s` the bar's own volatility over its usual one. Queues in front of a matching engine grow with the load,
and load comes with moves: venues document delayed and rejected orders in just the hours that matter. No
measurement of the exponent is published; 1 says that a move five times the usual takes five times as long.
The log-normal jitter has the usual shape of network delays. Measure your own and set the typical values.
"""

import math
from dataclasses import dataclass
from random import Random

from oi_hedge_catalog.errors import ConfigError

NS_PER_MS = 1_000_000
_PARKINSON = 2.0 * math.sqrt(math.log(2.0))
_SECONDS_PER_DAY = 86_400.0
_ONE_SIDED = 1.0 / math.sqrt(2.0 * math.pi)


@dataclass(frozen=True, slots=True)
class DelayParameters:
    """
    Parametrise the three delays.

    Parameters
    ----------
    feed_ms, entry_ms, response_ms : float
        Medians in ordinary conditions.
    exponent : float
        Of their growth with volatility; 0 for none.
    jitter : float
        Standard deviation of the logarithm; 0 for none.
    cap_ms : float
        The longest delay of one message.

    """

    feed_ms: float
    entry_ms: float
    response_ms: float
    exponent: float
    jitter: float
    cap_ms: float

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ConfigError(
                    f"latency: {name} must be finite and not negative, was {getattr(self, name)}."
                )

    def sample(self, typical_ms: float, stress: float, random: Random) -> int:
        """
        Return one delay in nanoseconds.

        Parameters
        ----------
        typical_ms : float
            Its median in ordinary conditions.
        stress : float
            Volatility over the usual one.
        random : Random
            Source of the jitter; one normal number is drawn.

        """
        factor = max(1.0, stress) ** self.exponent * math.exp(self.jitter * random.gauss(0.0, 1.0))
        return round(min(typical_ms * factor, self.cap_ms) * NS_PER_MS)


def range_volatility(high: float, low: float, days: float) -> float:
    """
    Return the daily volatility that a bar's range implies, a fraction (Parkinson 1980).

    Parameters
    ----------
    high, low : float
        Of the bar.
    days : float
        Its duration.

    """
    return math.log(high / low) / (_PARKINSON * math.sqrt(days))


def adverse_move(volatility: float, stress: float, delay_ns: int) -> float:
    """
    Return by how much the price moves against an order on its way, a fraction of the price.

    ``E[max(0, X)] = s / sqrt(2 pi)`` for a normal move of standard deviation ``s`` over the delay. The half
    that would be in the order's favour is not credited: who is late in a fast market is late in one
    direction.

    Parameters
    ----------
    volatility : float
        Usual daily volatility.
    stress : float
        The bar's volatility over it; at least 1 counts.
    delay_ns : int
        Time between what the strategy saw and the order's arrival.

    """
    days = delay_ns / (_SECONDS_PER_DAY * 1e9)
    return _ONE_SIDED * volatility * max(1.0, stress) * math.sqrt(days)
