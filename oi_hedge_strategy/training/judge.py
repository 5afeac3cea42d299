"""Measure calibrated probabilities out of sample."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, log_loss, precision_recall_curve, roc_auc_score

from oi_hedge_strategy.evaluation.daily import WEEK_NS
from oi_hedge_strategy.forecast.card import outputs
from oi_hedge_strategy.training.calibrate import known_rows
from oi_hedge_strategy.training.feature_set import FeatureSet

Floats = NDArray[np.float64]


def judge(
    probability: Floats,
    cascade: Floats,
    asset: NDArray[np.int8],
    ts: NDArray[np.int64],
    data: FeatureSet,
) -> dict[str, Any]:
    """
    Return each output's metrics, pooled and by asset, for the card.

    Parameters
    ----------
    probability, cascade : float64 array, shape (n, sides, horizons)
        Out-of-sample calibrated probabilities, and outcomes.
    asset : int8 array, shape (n,)
        Index into the data set's assets.
    ts : int64 array, shape (n,)
        Decision times.
    data : FeatureSet
        Names of assets and horizons.

    """
    weeks = float(ts[-1] - ts[0]) / WEEK_NS
    groups = {"pooled": np.ones(ts.size, np.bool_)}
    groups |= {name: asset == at for at, name in enumerate(data.assets)}
    metrics: dict[str, Any] = {}
    for key, index in outputs(data.definition.horizons_hours):
        for group, rows in groups.items():
            p, y = known_rows(probability[rows], cascade[rows], index)
            if y.size and y.min() != y.max():
                metrics.setdefault(group, {})[key] = forecast_metrics(p, y, weeks)
    return metrics


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
        "reliability": reliability_curve(probability, cascade),
    }


def reliability_curve(probability: Floats, cascade: Floats, bins: int = 10) -> list[tuple[float, float, int]]:
    """Return mean probability, share of cascades and samples of bins of equal count, ascending."""
    parts = np.array_split(np.argsort(probability, kind="stable"), bins)
    return [(float(probability[p].mean()), float(cascade[p].mean()), int(p.size)) for p in parts if p.size]


def calibration_error(probability: Floats, cascade: Floats, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal count."""
    curve = reliability_curve(probability, cascade, bins)
    return sum(size * abs(mean - share) for mean, share, size in curve) / cascade.size


def best_threshold(probability: Floats, cascade: Floats) -> float:
    """Return the probability threshold with the highest F1 score."""
    precision, recall, thresholds = precision_recall_curve(cascade, probability)
    score = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[int(np.argmax(score[:-1]))])
