"""The table of scores: what it holds, and how one row of it is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap, Estimate, resampled_estimate
from oi_hedge_strategy.training.metrics import DayWeights, Floats, Ints, Reals, forecast_metrics

POOLED = "pooled"
OVERALL = "overall"
MEAN = "mean"
PREVALENCE = "prevalence"
SCORING = BlockBootstrap(resamples=300)
COLUMNS = ("value", "low", "high", "seed_sd", "difference", "difference_low", "difference_high")
RawMetrics = dict[str, Floats]


@dataclass(frozen=True, slots=True)
class Metric:
    """
    Name a metric.

    Parameters
    ----------
    key, title : str
        Its name in dictionaries and in tables.
    better : int
        1 where more is better, -1 where less is, 0 where neither is so by itself.
    averaged : bool
        Whether its mean over outputs is given.

    """

    key: str
    title: str
    better: int
    averaged: bool = True


METRICS = (
    Metric("pr_auc", "PR-AUC", 1),
    Metric("roc_auc", "ROC-AUC", 1),
    Metric("brier_skill", "Brier skill", 1),
    Metric("log_loss", "log loss", -1),
    Metric("precision_at_recall", "precision at recall 0.5", 1),
    Metric("calibration_error", "ECE", -1),
    Metric("caught_share", "cascades caught", 0, averaged=False),
    Metric("median_lead_hours", "median lead, h", 0, averaged=False),
    Metric("false_alarms_per_week", "false alarms a week", 0, averaged=False),
    Metric("share_of_time_in_alert", "time in alert", 0, averaged=False),
)
METRIC = {each.key: each for each in METRICS}


@dataclass(frozen=True, slots=True)
class Score:
    """
    Hold one metric of one forecaster.

    Parameters
    ----------
    estimate : Estimate
        The mean over seeds with its interval.
    seed_sd : float, optional
        Standard deviation over seeds, None where there is one.
    difference : Estimate, optional
        The forecaster's less the reference's, from the same resamples; None for the reference.
    words : str
        What the difference says; empty for the reference and where no side is better.

    """

    estimate: Estimate
    seed_sd: float | None
    difference: Estimate | None
    words: str

    def to_list(self) -> list[float | None]:
        """Return the figures in the order of `COLUMNS`, to four significant digits."""
        other = self.difference or Estimate(None)
        figures = (
            self.estimate.value, self.estimate.low, self.estimate.high, self.seed_sd,
            other.value, other.low, other.high,
        )  # fmt: skip
        return [None if each is None else float(f"{each:.4g}") for each in figures]


@dataclass(frozen=True, slots=True)
class Cell:
    """
    Hold the scores of one group of assets, one period and one output.

    Parameters
    ----------
    samples, left_out : int
        Samples scored, and those with an outcome that some forecaster gave no probability for.
    events : int
        Separate cascades among them; of the whole market where assets are pooled.
    prevalence : Estimate
        Share of samples that a cascade followed.
    forecasters : mapping of str to mapping of str to Score
        Scores by forecaster and metric.

    """

    samples: int
    left_out: int
    events: int
    prevalence: Estimate
    forecasters: Mapping[str, Mapping[str, Score]]

    def to_dict(self, columns: int = len(COLUMNS)) -> dict[str, Any]:
        """Return the figures, of each score the first `columns` of `COLUMNS`."""
        share = self.prevalence
        return {
            "samples": self.samples,
            "left_out": self.left_out,
            "events": self.events,
            "prevalence": Score(share, None, None, "").to_list()[:3],
            "forecasters": {
                name: {key: score.to_list()[:columns] for key, score in scores.items()}
                for name, scores in self.forecasters.items()
            },
        }


def score_forecasts(
    ts: Ints,
    outcome: Floats,
    probability: Mapping[str, Reals],
    reference: str,
    bootstrap: BlockBootstrap = SCORING,
) -> dict[str, dict[str, Score]]:
    """
    Score forecasts of any outcome, such as a fall of the low by 5 % within a day.

    Parameters
    ----------
    ts : int64 array, shape (n,)
        Decision times in nanoseconds; times of several assets may be given together.
    outcome : float64 array, shape (n,)
        0 or 1; samples with NaN, here or in any probability, are left out.
    probability : mapping of str to float array, shape (n,) or (seeds, n)
        Probabilities by forecaster. Brier skill is given where ``prevalence`` is among them.
    reference : str
        The forecaster that the others are compared with.
    bootstrap : BlockBootstrap
        How intervals are made.

    Returns
    -------
    dict of str to dict of str to Score
        By forecaster and metric.

    Raises
    ------
    ConfigError
        If the reference is not among the forecasters, or no sample is left.

    """
    seeds = {name: np.atleast_2d(values) for name, values in probability.items()}
    known = np.isfinite(outcome)
    for values in seeds.values():
        known &= np.isfinite(values).all(axis=0)
    if not known.any():
        raise ConfigError("scores: no sample has an outcome and a probability of every forecaster")
    weights = DayWeights.of(ts[known], bootstrap)
    raw = raw_metrics(
        ts[known], outcome[known], {name: each[:, known] for name, each in seeds.items()}, weights
    )
    return compare(raw, reference, weights.days, bootstrap)


def raw_metrics(
    ts: Ints, outcome: Floats, probability: Mapping[str, Reals], weights: DayWeights
) -> dict[str, RawMetrics]:
    """
    Return every metric by forecaster, of each seed, the sample and its resamples.

    Parameters
    ----------
    ts, outcome : array, shape (n,)
        Decision times and outcomes, without NaN.
    probability : mapping of str to float array, shape (seeds, n)
        Probabilities by forecaster, without NaN.
    weights : DayWeights
        The sample and its resamples.

    Returns
    -------
    dict of str to dict of str to float64 array, shape (seeds, 1 + resamples)

    """
    day = weights.day_of(ts)
    base = probability[PREVALENCE][0].astype(np.float64) if PREVALENCE in probability else None
    found = {}
    for name, seeds in probability.items():
        each = [forecast_metrics(p.astype(np.float64), outcome, day, weights, base) for p in seeds]
        found[name] = stack_seeds(each)
    return found


def stack_seeds(each: list[RawMetrics]) -> RawMetrics:
    """Return the metrics of all seeds, shape (seeds, ...), from those of each."""
    return {key: np.stack([metrics[key] for metrics in each]) for key in each[0]}


def mean_over_outputs(raws: list[dict[str, RawMetrics]]) -> dict[str, RawMetrics]:
    """Return the mean over outputs of every metric for which it makes sense, by forecaster."""
    return {
        name: {
            metric.key: np.mean([raw[name][metric.key] for raw in raws], axis=0)
            for metric in METRICS
            if metric.averaged and metric.key in raws[0][name]
        }
        for name in raws[0]
    }


def compare(
    raw: dict[str, RawMetrics], reference: str, days: int, bootstrap: BlockBootstrap
) -> dict[str, dict[str, Score]]:
    """
    Return each forecaster's scores beside those of the reference.

    Parameters
    ----------
    raw : dict of str to dict of str to float64 array, shape (seeds, 1 + resamples)
        Of `raw_metrics`.
    reference : str
        The forecaster that the others are compared with.
    days : int
        Days drawn from.
    bootstrap : BlockBootstrap
        How intervals are made.

    """
    if reference not in raw:
        raise ConfigError(f"scores: no forecaster {reference!r} to compare with; there are {', '.join(raw)}")
    return {
        name: {
            metric.key: _score(
                metric,
                metrics[metric.key],
                None if name == reference else raw[reference].get(metric.key),
                reference,
                days,
                bootstrap,
            )
            for metric in METRICS
            if metric.key in metrics
        }
        for name, metrics in raw.items()
    }


def estimate_of(values: Floats, days: int, bootstrap: BlockBootstrap, undefined: str) -> Estimate:
    """Return a figure with its interval from values of shape (1 + resamples,), the figure itself first."""
    return resampled_estimate(float(values[0]), values[1:], days, bootstrap, undefined)


def _score(
    metric: Metric, seeds: Floats, other: Floats | None, reference: str, days: int, bootstrap: BlockBootstrap
) -> Score:
    mean = seeds.mean(axis=0)
    undefined = f"{metric.title} is not defined for these samples"
    estimate = estimate_of(mean, days, bootstrap, undefined)
    spread = float(seeds[:, 0].std(ddof=1)) if seeds.shape[0] > 1 and estimate.value is not None else None
    if other is None:
        return Score(estimate, spread, None, "")
    difference = estimate_of(mean - other.mean(axis=0), days, bootstrap, undefined)
    return Score(estimate, spread, difference, difference_words(difference, metric.better, reference))


def difference_words(difference: Estimate, better: int, reference: str) -> str:
    """Say whether a forecaster is better than the reference; nothing where no side is better."""
    if not better:
        return ""
    if difference.low is None or difference.high is None:
        return f"cannot be compared with {reference}"
    if difference.low <= 0.0 <= difference.high:
        return f"not distinguishable from {reference}"
    return f"{'better' if (difference.low > 0.0) == (better > 0) else 'worse'} than {reference}"
