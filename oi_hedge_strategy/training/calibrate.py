"""Calibrate probabilities on a window that the network has not seen."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.cascades import SIDES

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Hold Platt scaling ``sigmoid(slope * logit + intercept)``; arrays have shape (sides, horizons)."""

    slope: Floats
    intercept: Floats

    def apply(self, logits: Floats) -> Floats:
        """Return probabilities for logits of shape (..., sides, horizons)."""
        return 1.0 / (1.0 + np.exp(-(self.slope * logits + self.intercept)))


def fit_calibration(logits: Floats, cascade: Floats) -> Calibration:
    """
    Fit Platt scaling to each output by logistic regression on its logit.

    The slope is kept from falling below zero: a window in which the ranking was wrong says that the output
    knows nothing, not that it should be turned round.

    Raises
    ------
    CatalogError
        If an output saw no cascade, or nothing else, in the window.

    """
    sides, horizons = logits.shape[1:]
    slope, intercept = np.zeros((sides, horizons)), np.zeros((sides, horizons))
    for index in itertools.product(range(sides), range(horizons)):
        x, y = known_rows(logits, cascade, index)
        if y.min() == y.max():
            raise CatalogError(
                f"calibration window: output {SIDES[index[0]]}, horizon {index[1] + 1}, saw {int(y.sum())} "
                f"cascades in {y.size} samples; ingest a longer history, train on more assets or lower the "
                "cascade threshold"
            )
        fitted = LogisticRegression(C=1e6).fit(x[:, None], y)
        slope[index], intercept[index] = fitted.coef_[0, 0], fitted.intercept_[0]
        if slope[index] < 0.0:
            rate = y.mean()
            slope[index], intercept[index] = 0.0, np.log(rate / (1.0 - rate))
    return Calibration(slope, intercept)


def cross_fitted(logits: Floats, cascade: Floats) -> Floats:
    """Return probabilities of which each half in time is calibrated on the other half."""
    half = logits.shape[0] // 2
    first, second = slice(None, half), slice(half, None)
    return np.concatenate(
        [
            fit_calibration(logits[second], cascade[second]).apply(logits[first]),
            fit_calibration(logits[first], cascade[first]).apply(logits[second]),
        ]
    )


def known_rows(values: Floats, cascade: Floats, index: tuple[int, int]) -> tuple[Floats, Floats]:
    """Return an output's values and outcomes where the outcome is known."""
    side, horizon = index
    x, y = values[:, side, horizon], cascade[:, side, horizon]
    known = np.isfinite(y)
    return x[known], y[known]
