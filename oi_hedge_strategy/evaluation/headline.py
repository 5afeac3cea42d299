"""Loss avoided, gain kept and skill of many runs at once, all resampled with the same blocks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap, Estimate, resampled_estimate
from oi_hedge_strategy.evaluation.effectiveness import (
    NO_GAIN,
    NO_LOSS,
    NO_LOSS_OR_GAIN,
    gain_kept,
    loss_avoided,
)
from oi_hedge_strategy.evaluation.records import Floats

DIGITS = 12
"""Digits of resampled figures; equal runs then differ by nothing, however their sums were rounded."""
MEASURES = {"loss_avoided": NO_LOSS, "gain_kept": NO_GAIN, "skill": NO_LOSS_OR_GAIN}


@dataclass(frozen=True, slots=True)
class Headlines:
    """
    Hold the three figures of several runs over the same units of time, and of each resample.

    Parameters
    ----------
    names : tuple of str
        The runs.
    values : float64 array, shape (3, runs)
        Loss avoided, gain kept and skill.
    resampled : float64 array, shape (3, resamples, runs)
        The same of each resample; the rows of one resample belong to the same draw for all runs.
    units : int
        How many units of time there are.
    bootstrap : BlockBootstrap
        How the intervals are made.

    """

    names: tuple[str, ...]
    values: Floats
    resampled: Floats
    units: int
    bootstrap: BlockBootstrap

    def of(self, name: str) -> dict[str, Estimate]:
        """Return the figures of one run with their intervals."""
        at = self.names.index(name)
        return self._estimates(self.values[:, at], self.resampled[:, :, at])

    def difference(self, name: str, other: str) -> dict[str, Estimate]:
        """Return the paired differences, `name` less `other`."""
        one, two = self.names.index(name), self.names.index(other)
        values = self.values[:, one] - self.values[:, two]
        return self._estimates(values, self.resampled[:, :, one] - self.resampled[:, :, two])

    def _estimates(self, values: Floats, resampled: Floats) -> dict[str, Estimate]:
        return {
            measure: resampled_estimate(float(value), row, self.units, self.bootstrap, undefined)
            for (measure, undefined), value, row in zip(MEASURES.items(), values, resampled, strict=True)
        }


def headlines(runs: dict[str, Floats], unhedged: Floats, bootstrap: BlockBootstrap) -> Headlines:
    """
    Measure runs against the unhedged one.

    A resample is drawn as how often each unit occurs in it, so that its sums over the losing and the gaining
    units are one product of matrices for all runs.

    Parameters
    ----------
    runs : dict of str to float64 array, shape (units,)
        Net P&L of each run in each unit of time.
    unhedged : float64 array, shape (units,)
        That of the exposure alone.
    bootstrap : BlockBootstrap
        How the intervals are made.

    """
    pnl = np.stack(list(runs.values()))
    weights = counts(bootstrap, unhedged.size)
    losing, gaining = unhedged < 0, unhedged > 0
    lost, gained = np.where(losing, -unhedged, 0.0), np.where(gaining, unhedged, 0.0)
    saved, kept = np.where(losing, pnl - unhedged, 0.0), np.where(gaining, pnl, 0.0)
    avoided = _shares(weights @ saved.T, weights @ lost)
    left = _shares(weights @ kept.T, weights @ gained)
    values = np.stack([loss_avoided(pnl, unhedged), gain_kept(pnl, unhedged)])
    return Headlines(
        tuple(runs),
        np.concatenate([values, values.sum(axis=0, keepdims=True) - 1.0]),
        np.stack([avoided, left, avoided + left - 1.0]),
        unhedged.size,
        bootstrap,
    )


def counts(bootstrap: BlockBootstrap, units: int) -> NDArray[np.float64]:
    """Return how often each unit occurs in each resample, shape (resamples, units)."""
    drawn = bootstrap.draw(units)
    rows = np.arange(drawn.shape[0])[:, None] * units
    found = np.bincount((drawn + rows).ravel(), minlength=drawn.shape[0] * units)
    return found.reshape(drawn.shape[0], units).astype(np.float64)


def _shares(parts: Floats, wholes: Floats) -> Floats:
    """Return parts, shape (resamples, runs), over wholes, shape (resamples,), NaN where these are zero."""
    wide = np.broadcast_to(wholes[:, None], parts.shape)
    shares = np.divide(parts, wide, out=np.full(parts.shape, np.nan), where=wide > 0)
    return np.round(shares, DIGITS)
