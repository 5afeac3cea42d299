"""Measure calibrated probabilities out of sample."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, log_loss, precision_recall_curve, roc_auc_score

from oi_hedge_strategy.cascades import SIDES, CascadeDefinition
from oi_hedge_strategy.forecast.card import head
from oi_hedge_strategy.training.calibrate import known_rows
from oi_hedge_strategy.training.dataset import Samples

Floats = NDArray[np.float64]
_WEEK_NS = 7 * 86_400_000_000_000


def heads(definition: CascadeDefinition) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the name and the index of each of the model's outputs."""
    for s, side in enumerate(SIDES):
        for h, hours in enumerate(definition.horizons_hours):
            yield head(side, hours), (s, h)


def judge(
    probability: Floats, samples: Samples, assets: tuple[str, ...], definition: CascadeDefinition
) -> tuple[dict[str, Any], dict[str, float]]:
    """
    Return each output's metrics, pooled and by asset, and its alert threshold.

    Parameters
    ----------
    probability : float64 array, shape (n, sides, horizons)
        Out-of-sample calibrated probabilities of `samples`.
    samples : Samples
        The judged samples.
    assets : tuple of str
        Names that `Samples.asset` indexes.
    definition : CascadeDefinition
        What was forecast.

    """
    cascade = samples.cascade.astype(np.float64)
    weeks = float(samples.ts[-1] - samples.ts[0]) / _WEEK_NS
    groups = {"pooled": np.ones(len(samples), np.bool_)}
    groups |= {name: samples.asset == at for at, name in enumerate(assets)}
    metrics: dict[str, Any] = {}
    thresholds = {}
    for key, index in heads(definition):
        thresholds[key] = best_threshold(*known_rows(probability, cascade, index))
        for group, rows in groups.items():
            p, y = known_rows(probability[rows], cascade[rows], index)
            if y.size and y.min() != y.max():
                metrics.setdefault(group, {})[key] = forecast_metrics(p, y, weeks)
    return metrics, thresholds


def forecast_metrics(probability: Floats, cascade: Floats, weeks: float) -> dict[str, Any]:
    """
    Return metrics of one output.

    Parameters
    ----------
    probability, cascade : float64 array, shape (n,)
        Calibrated probabilities and outcomes, without NaN.
    weeks : float
        The span of the samples.

    """
    rate = float(cascade.mean())
    brier = float(np.mean((probability - cascade) ** 2))
    return {
        "samples": int(cascade.size),
        "weeks": weeks,
        "prevalence": rate,
        "pr_auc": float(average_precision_score(cascade, probability)),
        "roc_auc": float(roc_auc_score(cascade, probability)),
        "brier": brier,
        "brier_skill": 1.0 - brier / (rate * (1.0 - rate)),
        "log_loss": float(log_loss(cascade, probability, labels=[0, 1])),
        "expected_calibration_error": calibration_error(probability, cascade),
    }


def calibration_error(probability: Floats, cascade: Floats, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal count."""
    parts = np.array_split(np.argsort(probability, kind="stable"), bins)
    gaps = [p.size * abs(probability[p].mean() - cascade[p].mean()) for p in parts if p.size]
    return float(sum(gaps) / cascade.size)


def best_threshold(probability: Floats, cascade: Floats) -> float:
    """Return the probability threshold with the highest F1 score."""
    precision, recall, thresholds = precision_recall_curve(cascade, probability)
    score = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[int(np.argmax(score[:-1]))])
