"""Metrics of probabilities, of the sample and of all its block resamples at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap
from oi_hedge_strategy.evaluation.daily import DAY_NS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Reals = NDArray[np.float64] | NDArray[np.float32]
RECALL = 0.5
BINS = 10
COLUMNS_AT_ONCE = 64
_LEAST = 1e-7


@dataclass(frozen=True, slots=True)
class DayWeights:
    """
    Hold how often each UTC day counts: once in the sample, as often as drawn in each resample.

    Every metric is computed for all columns at once, so that figures and intervals come from one piece of
    code and forecasters are compared on the same days.

    Parameters
    ----------
    first_day : int
        Days since the epoch of the first row.
    counts : float64 array, shape (days, 1 + resamples)
        The first column is one everywhere: the sample itself.

    """

    first_day: int
    counts: Floats

    @classmethod
    def of(cls, ts: Ints, bootstrap: BlockBootstrap) -> Self:
        """Draw from the calendar days that the times `ts` span, those without a sample included."""
        first, last = int(ts.min() // DAY_NS), int(ts.max() // DAY_NS)
        days = last - first + 1
        drawn = bootstrap.draw(days)
        counts = np.ones((days, 1 + bootstrap.resamples))
        for at, row in enumerate(drawn, start=1):
            counts[:, at] = np.bincount(row, minlength=days)
        return cls(first, counts)

    def parts(self) -> Iterator[Self]:
        """Yield a few columns at a time, so that memory stays bounded."""
        for first in range(0, self.counts.shape[1], COLUMNS_AT_ONCE):
            counts = self.counts[:, first : first + COLUMNS_AT_ONCE]
            yield type(self)(self.first_day, np.ascontiguousarray(counts))

    @property
    def days(self) -> int:
        """Return the number of days drawn from."""
        return self.counts.shape[0]

    def day_of(self, ts: Ints) -> Ints:
        """Return the row of each time's day."""
        return ts // DAY_NS - self.first_day

    def total(self, values: Floats, day: Ints) -> Floats:
        """Return the weighted sum of `values`, shape (1 + resamples,)."""
        return np.bincount(day, values, minlength=self.days) @ self.counts

    def totals(self, group: Ints, day: Ints, groups: int, values: Floats | None = None) -> Floats:
        """Return the weighted sum of `values`, one by default, by group, shape (groups, 1 + resamples)."""
        amounts = np.ones(group.size) if values is None else values
        return csr_array((amounts, (group, day)), shape=(groups, self.days)) @ self.counts


def ranking_metrics(
    probability: Floats, outcome: Floats, day: Ints, weights: DayWeights
) -> dict[str, Floats]:
    """
    Return average precision, area under the ROC curve and precision at a recall of one half.

    Average precision is the mean over cascades of the precision at their probability, tied samples taken
    together; precision at recall is that of the highest threshold which reaches the recall.

    Parameters
    ----------
    probability, outcome : float64 array, shape (n,)
        Forecasts and outcomes 0 or 1, without NaN.
    day : int64 array, shape (n,)
        Of `DayWeights.day_of`.
    weights : DayWeights
        The sample and its resamples.

    Returns
    -------
    dict of str to float64 array, shape (1 + resamples,)
        ``pr_auc``, ``roc_auc`` and ``precision_at_recall``, NaN where a resample lacks one of the classes.

    """
    names = ("pr_auc", "roc_auc", "precision_at_recall")
    came = outcome == 1.0
    levels, level = np.unique(-probability[came], return_inverse=True)
    if not levels.size or came.all():
        return dict.fromkeys(names, np.full(weights.counts.shape[1], np.nan))
    missed, missed_day = -probability[~came], day[~came]
    above = np.searchsorted(levels, missed)
    equal = levels[np.minimum(above, levels.size - 1)] == missed
    parts = [
        _ranking(
            part.totals(level, day[came], levels.size),
            part.totals(above, missed_day, levels.size + 1),
            part.totals(above[equal], missed_day[equal], levels.size),
        )
        for part in weights.parts()
    ]
    return dict(zip(names, np.concatenate(parts, axis=1), strict=True))


def _ranking(hits: Floats, false: Floats, tied: Floats) -> Floats:
    """
    Return the three ranking metrics, shape (3, columns).

    Parameters
    ----------
    hits : float64 array, shape (levels, columns)
        Weight of the cascades at each of their probabilities, the highest first.
    false : float64 array, shape (levels + 1, columns)
        Weight of the other samples at or above each level and below the one before; below all levels last.
    tied : float64 array, shape (levels, columns)
        Weight of the other samples exactly at each level.

    """
    false = np.cumsum(false, axis=0)
    negatives, false = false[-1], false[:-1]
    reached = np.cumsum(hits, axis=0)
    positives = reached[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = reached / (reached + false)
        average = np.where(hits > 0, hits * precision, 0.0).sum(axis=0) / positives
        beaten = (hits * (negatives - false + 0.5 * tied)).sum(axis=0) / (positives * negatives)
    half = (reached >= RECALL * positives).argmax(axis=0)
    at_recall = precision[half, np.arange(half.size)]
    defined = (positives > 0) & (negatives > 0)
    return np.where(defined, np.stack([average, beaten, at_recall]), np.nan)


def probability_metrics(
    probability: Floats, outcome: Floats, day: Ints, weights: DayWeights, base_rate: Floats | None = None
) -> dict[str, Floats]:
    """
    Return prevalence, Brier score, Brier skill, log loss and expected calibration error.

    Parameters
    ----------
    probability, outcome, day, weights
        As in `ranking_metrics`.
    base_rate : float64 array, shape (n,), optional
        What was forecast by the rate known before, against which Brier skill is measured.

    Returns
    -------
    dict of str to float64 array, shape (1 + resamples,)
        ``prevalence``, ``brier``, ``log_loss``, ``calibration_error``, and ``brier_skill`` with a base rate.

    """
    p = np.clip(probability, _LEAST, 1.0 - _LEAST)
    loss = -np.where(outcome == 1.0, np.log(p), np.log1p(-p))
    sums = {
        "prevalence": outcome,
        "brier": (probability - outcome) ** 2,
        "log_loss": loss,
    }
    gap = np.abs(_bin_totals(probability, probability - outcome, day, weights)).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        samples = weights.total(np.ones(outcome.size), day)
        found = {name: weights.total(values, day) / samples for name, values in sums.items()}
        found["calibration_error"] = gap / samples
        if base_rate is not None:
            reference = weights.total((base_rate - outcome) ** 2, day) / samples
            found["brier_skill"] = 1.0 - found["brier"] / reference
    return found


def forecast_metrics(
    probability: Floats, outcome: Floats, day: Ints, weights: DayWeights, base_rate: Floats | None = None
) -> dict[str, Floats]:
    """Return `ranking_metrics` and `probability_metrics` together."""
    return {
        **ranking_metrics(probability, outcome, day, weights),
        **probability_metrics(probability, outcome, day, weights, base_rate),
    }


@dataclass(frozen=True, slots=True)
class Reliability:
    """
    Hold a reliability curve; arrays have shape (bins,).

    Parameters
    ----------
    forecast, observed : float64 array
        Mean probability and share of cascades in each bin of equal count.
    low, high : float64 array
        The interval of `observed`.
    samples : int64 array
        Samples in each bin.

    """

    forecast: Floats
    observed: Floats
    low: Floats
    high: Floats
    samples: Ints


def reliability(
    probability: Floats, outcome: Floats, ts: Ints, bootstrap: BlockBootstrap, bins: int = BINS
) -> Reliability:
    """Return the reliability curve of forecasts without NaN, made at the times `ts`."""
    weights = DayWeights.of(ts, bootstrap)
    day = weights.day_of(ts)
    samples = _bin_totals(probability, np.ones(outcome.size), day, weights, bins)
    came = _bin_totals(probability, outcome, day, weights, bins)
    forecast = _bin_totals(probability, probability, day, weights, bins)[:, 0] / samples[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = came / samples
    ends = np.array([bootstrap.interval(each[1:]) for each in observed])
    return Reliability(forecast, observed[:, 0], ends[:, 0], ends[:, 1], samples[:, 0].astype(np.int64))


def _bin_totals(
    probability: Floats, values: Floats, day: Ints, weights: DayWeights, bins: int = BINS
) -> Floats:
    """Return weighted sums over bins of equal count by probability, shape (bins, 1 + resamples)."""
    bins = max(1, min(bins, probability.size))
    bin_of = np.empty(probability.size, np.int64)
    for at, rows in enumerate(np.array_split(np.argsort(probability, kind="stable"), bins)):
        bin_of[rows] = at
    return weights.totals(bin_of, day, bins, values)
