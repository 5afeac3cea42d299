"""Confidence-weighted Kelly sizing of a hedge."""

from bisect import bisect_right
from collections.abc import Sequence

Knots = Sequence[tuple[float, float]]


def kelly_fraction(probability: float, gain: float, cost: float) -> float:
    """
    Return the Kelly fraction of a bet that gains `gain` with `probability` and costs `cost` otherwise.

    ``p / cost - (1 - p) / gain`` (Kelly, 1956, for a two-outcome bet with returns per unit stake).

    Parameters
    ----------
    probability : float
        Calibrated probability of the gain.
    gain, cost : float
        Returns per unit hedged, both positive.

    Returns
    -------
    float
        In units of the stake's base, not capped; negative where the other side of the bet has the edge.

    """
    if gain <= 0.0 or cost <= 0.0:
        raise ValueError(f"expected positive gain and cost, was {gain} and {cost}")
    return probability / cost - (1.0 - probability) / gain


def averse_probability(probability: float, loss_aversion: float) -> float:
    """
    Return the probability whose odds are `loss_aversion` times those of `probability`.

    A trader to whom an avoided loss is worth that many times a kept gain bets as if the loss were so much
    more likely: both scale the ratio of what the two outcomes are worth (marginal utility as a change of
    measure; Cochrane, Asset Pricing, 2005, section 3.2).

    Parameters
    ----------
    probability : float
        Calibrated, within [0, 1].
    loss_aversion : float
        At least 1, which changes nothing.

    """
    if loss_aversion == 1.0:
        return probability
    return loss_aversion * probability / (1.0 + (loss_aversion - 1.0) * probability)


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
