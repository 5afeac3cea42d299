"""Confidence-weighted Kelly sizing of a hedge."""

from bisect import bisect_right
from collections.abc import Sequence

Knots = Sequence[tuple[float, float]]


def kelly_fraction(probability: float, gain: float, cost: float) -> float:
    """
    Return the Kelly fraction of a bet that gains `gain` with `probability` and costs `cost` otherwise.

    ``max(0, p / cost - (1 - p) / gain)`` (Kelly, 1956, for a two-outcome bet with returns per unit stake).

    Parameters
    ----------
    probability : float
        Calibrated probability of the gain.
    gain, cost : float
        Returns per unit hedged, both positive.

    Returns
    -------
    float
        In units of the exposure, not capped; zero where the bet has no edge.

    """
    if gain <= 0.0 or cost <= 0.0:
        raise ValueError(f"expected positive gain and cost, was {gain} and {cost}")
    return max(0.0, probability / cost - (1.0 - probability) / gain)


def confidence_multiplier(probability: float, knots: Knots) -> float:
    """
    Return the piecewise linear multiplier through `knots`, flat beyond the last.

    Parameters
    ----------
    probability : float
        Within [0, 1].
    knots : sequence of (probability, multiplier)
        Ascending from probability zero.

    """
    at = bisect_right(knots, probability, key=lambda knot: knot[0])
    if at == len(knots):
        return knots[-1][1]
    (p0, m0), (p1, m1) = knots[at - 1], knots[at]
    return m0 + (m1 - m0) * (probability - p0) / (p1 - p0)
