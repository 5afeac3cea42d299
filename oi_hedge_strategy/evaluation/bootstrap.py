"""Intervals from a paired circular block bootstrap over days."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.records import Floats

Statistic = Callable[..., Floats]


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    Hold a figure with its interval.

    Parameters
    ----------
    value, low, high : float, optional
        The figure and the ends of its interval, None where they are not defined.
    reason : str
        Why something is None, empty otherwise.

    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, float | str | None]:
        """Return the fields, the reason only where there is one."""
        fields: dict[str, float | str | None] = {"value": self.value, "low": self.low, "high": self.high}
        return {**fields, "reason": self.reason} if self.reason else fields


@dataclass(frozen=True, slots=True)
class BlockBootstrap:
    """
    Draw days in circular blocks (Politis and Romano, 1992), the same days for every series.

    Parameters
    ----------
    resamples : int
        How many resamples to draw.
    level : float
        Coverage of the percentile interval.
    seed : int
        Seed of the draw.
    min_block_days : int
        The shortest block.
    min_days : int
        With fewer days no interval is given.

    """

    resamples: int = 2_000
    level: float = 0.95
    seed: int = 20_231_109
    min_block_days: int = 5
    min_days: int = 10

    def block_days(self, days: int) -> int:
        """Return the block length: the cube root of the number of days, at least `min_block_days`."""
        return min(days, max(self.min_block_days, math.ceil(round(math.cbrt(days), 9))))

    def draw(self, days: int) -> NDArray[np.int64]:
        """Return the drawn days, shape (resamples, days)."""
        block = self.block_days(days)
        starts = np.random.default_rng(self.seed).integers(0, days, (self.resamples, math.ceil(days / block)))
        drawn = (starts[:, :, None] + np.arange(block)) % days
        return drawn.reshape(self.resamples, -1)[:, :days]

    def interval(self, values: Floats) -> tuple[float, float]:
        """Return the percentile interval of resampled values, those that are not defined left out."""
        tail = 50.0 * (1.0 - self.level)
        low, high = np.percentile(values[np.isfinite(values)], [tail, 100.0 - tail])
        return float(low), float(high)


def estimate(
    statistic: Statistic,
    series: tuple[Floats, ...],
    bootstrap: BlockBootstrap,
    drawn: NDArray[np.int64],
    undefined: str,
) -> Estimate:
    """
    Return a statistic of daily series with its interval.

    Parameters
    ----------
    statistic : callable
        Takes arrays of shape (..., days) and returns shape (...), NaN where it is not defined.
    series : tuple of float64 array
        The daily series, each of shape (days,).
    bootstrap : BlockBootstrap
        How the interval is made.
    drawn : int64 array, shape (resamples, days)
        Of `BlockBootstrap.draw`.
    undefined : str
        Why the statistic may not be defined, in words.

    """
    resampled = statistic(*(values[drawn] for values in series))
    return resampled_estimate(float(statistic(*series)), resampled, series[0].size, bootstrap, undefined)


def resampled_estimate(
    value: float, resampled: Floats, days: int, bootstrap: BlockBootstrap, undefined: str
) -> Estimate:
    """
    Return a figure with the interval of its resampled values.

    Parameters
    ----------
    value : float
        The figure, NaN where it is not defined.
    resampled : float64 array, shape (resamples,)
        The same figure of each resample, NaN where it is not defined.
    days : int
        How many days there were to draw from.
    bootstrap : BlockBootstrap
        How the interval is made.
    undefined : str
        Why the figure may not be defined, in words.

    """
    if not math.isfinite(value):
        return Estimate(None, reason=undefined)
    if days < bootstrap.min_days:
        return Estimate(value, reason=f"an interval needs at least {bootstrap.min_days} days, found {days}")
    if np.isfinite(resampled).mean() < bootstrap.level:
        return Estimate(value, reason=f"no interval, as too many resamples are not defined: {undefined}")
    return Estimate(value, *bootstrap.interval(resampled))
