"""Other units of time than the day over which losses and gains are netted, and parts of the period."""

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.daily import Calendar
from oi_hedge_strategy.evaluation.records import Floats, MarketRecord

EPISODE = 0.10
"""A drawdown episode is a fall from a peak by at least this fraction, and the rise after it."""
TREND_DAYS, VOLATILITY_DAYS = 28, 14
NO_REGIME = "first 28 days"
Index = NDArray[np.int64]


def week_starts(days: Calendar) -> Index:
    """Return the row of the first day of each calendar week, which begins on Monday."""
    week = (days.days.astype(np.int64) + 3) // 7  # 1970-01-01 was a Thursday
    return np.concatenate([[0], np.flatnonzero(np.diff(week)) + 1]).astype(np.int64)


def episode_starts(closes: Floats, size: float = EPISODE) -> Index:
    """
    Return the row of the first day of each fall and each rise between turning points of the price.

    A turning point is a close from which the price then moves by at least `size` to the other side; what
    is smaller belongs to the leg in which it happens.

    Parameters
    ----------
    closes : float64 array, shape (days,)
        The exposure's price at the end of each day.
    size : float
        Least fall from a peak, and least rise from a trough, as a fraction.

    """
    turns: list[int] = []
    top = bottom = direction = 0
    for row, price in enumerate(closes.tolist()):
        if direction >= 0 and price > closes[top]:
            top = row
        if direction <= 0 and price < closes[bottom]:
            bottom = row
        if direction >= 0 and price <= closes[top] * (1.0 - size):
            turns.append(top)
            direction, bottom = -1, row
        elif direction <= 0 and price >= closes[bottom] * (1.0 + size):
            turns.append(bottom)
            direction, top = 1, row
    return np.array([0, *(turn + 1 for turn in turns if turn > 0)], np.int64)


def daily_closes(market: MarketRecord, days: Calendar) -> Floats:
    """Return the price of each day's last bar, shape (days,)."""
    last = np.concatenate([days.starts[1:], [market.ts.size]]) - 1
    return market.close[last]


def regimes(closes: Floats) -> NDArray[np.str_]:
    """
    Return in which regime each day began, from closes before it.

    "rising" or "falling" by the last close against the mean of 28 days; "calm" or "volatile" by the standard
    deviation of the last 14 daily returns against the median of all such before. The first 28 days belong to
    no regime.

    Parameters
    ----------
    closes : float64 array, shape (days,)
        The exposure's price at the end of each day.

    """
    known = np.full(closes.size, NO_REGIME, dtype="U32")
    returns = np.diff(np.log(closes), prepend=np.log(closes[0]))
    spread = np.array(
        [returns[max(0, at - VOLATILITY_DAYS) : at].std() if at else 0.0 for at in range(closes.size)]
    )
    for day in range(TREND_DAYS, closes.size):
        trend = "rising" if closes[day - 1] >= closes[day - TREND_DAYS : day].mean() else "falling"
        usual = float(np.median(spread[VOLATILITY_DAYS + 1 : day + 1]))
        known[day] = f"{trend}, {'volatile' if spread[day] > usual else 'calm'}"
    return known
