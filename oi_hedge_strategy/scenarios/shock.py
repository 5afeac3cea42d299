"""What a scenario does to a market, as functions of the hours since its onset; knows no framework."""

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Knots = tuple[tuple[float, float], ...]
Span = tuple[float, float]
DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class Shock:
    """
    Describe a shock by knots (hours since the onset, value) with straight lines between them.

    Before the first knot and after the last one the value of the nearest knot holds. Factors are relative to
    what the market would have done without the shock.

    Parameters
    ----------
    price : Knots
        Factor of the price in US dollars, at every venue.
    venue_price : Knots
        Further factor of last prices of the hedge instrument alone, not of its mark price.
    quote : Knots
        Price of the quote currency in US dollars: prices in it are divided by that.
    open_interest : Knots
        Factor of open interest in coins, at every venue.
    hedge_pays : tuple of (from, to, rate)
        Funding per eight hours, at the hedge venue: what a hedge of the exposure pays.
    silent_interest : (from, to), optional
        Hours in which no open interest is published.
    halt : (from, to), optional
        Hours in which the hedge venue is down: no bars, no fills, and stops do not fire.

    """

    price: Knots = ((0.0, 1.0),)
    venue_price: Knots = ((0.0, 1.0),)
    quote: Knots = ((0.0, 1.0),)
    open_interest: Knots = ((0.0, 1.0),)
    hedge_pays: tuple[tuple[float, float, float], ...] = ()
    silent_interest: Span | None = None
    halt: Span | None = None


def at(knots: Knots, hours: Floats) -> Floats:
    """Return the value of `knots` at each hour, shape of `hours`."""
    x, y = np.array(knots).T
    return np.interp(hours, x, y)


def extremes(knots: Knots, start: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Return the least and the greatest value between each start and end, both included, shape (n,)."""
    low = np.minimum(at(knots, start), at(knots, end))
    high = np.maximum(at(knots, start), at(knots, end))
    for hour, value in knots:
        inside = (start <= hour) & (hour <= end)
        low = np.where(inside, np.minimum(low, value), low)
        high = np.where(inside, np.maximum(high, value), high)
    return low, high


def within(span: Span | None, hours: Floats) -> NDArray[np.bool_]:
    """Return which hours lie in the span, its start left out and its end included."""
    if span is None:
        return np.zeros(hours.shape, np.bool_)
    return np.asarray((hours > span[0]) & (hours <= span[1]))


def worst_moves(shock: Shock, hours: int = DAY_HOURS) -> tuple[float, float]:
    """
    Return the worst rise and the worst fall of the mark price within `hours` of any full hour.

    The price is in the quote currency; what only the last prices of one venue did is left out, since venues
    liquidate by the mark.

    Returns
    -------
    tuple of (float, float)
        Both positive, as fractions of the price at that full hour.

    """
    knots = _in_quote(shock)
    begin = np.arange(floor(knots[0][0]), ceil(knots[-1][0]) + 1.0)
    value = at(knots, begin)
    low, high = extremes(knots, begin, begin + hours)
    return float((high / value).max() - 1.0), float(1.0 - (low / value).min())


def _in_quote(shock: Shock) -> Knots:
    """Return the price in the quote currency at all knots of either."""
    hours = np.array(sorted({hour for hour, _ in (*shock.price, *shock.quote)}))
    values = at(shock.price, hours) / at(shock.quote, hours)
    return tuple(zip(hours.tolist(), values.tolist(), strict=True))


def worst_carry(shock: Shock, hours: int = DAY_HOURS) -> float:
    """Return the funding that a hedge pays within `hours` at the shock's worst rate, over the notional."""
    return max((rate for _, _, rate in shock.hedge_pays), default=0.0) * hours / 8.0
