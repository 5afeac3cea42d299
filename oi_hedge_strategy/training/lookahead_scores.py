"""Scores that must be those of chance, and scores that must not."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.evaluation.bootstrap import Estimate, resampled_estimate
from oi_hedge_strategy.evaluation.detection import HOUR_NS
from oi_hedge_strategy.training.metrics import DayWeights, ranking_metrics
from oi_hedge_strategy.training.recent import RECENT, RecentForecasts

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
_BLOCK_ROWS = 120
"""Five days of hours are shuffled together, so that neighbours stay neighbours."""
_SHUFFLES, _REFITS = 400, 40
_TRAINING_SHARE = 0.6
_STRENGTH = 5e-3
_TAILS = (2.5, 97.5)
_UNDEFINED = "too few cascades to score"


def model_on_shuffled(recent: RecentForecasts, seed: int) -> Estimate:
    """Return the model's mean ROC-AUC over outputs when labels are shuffled by blocks, over many shuffles."""
    rows = known_rows(recent)
    outcome, likely = (each[rows].reshape(rows.size, -1) for each in (recent.cascade, recent.probability))
    rng = np.random.default_rng(seed)
    return _spread([roc_auc(likely, outcome[shuffle(rows.size, rng)]) for _ in range(_SHUFFLES)])


def refit_on_shuffled(recent: RecentForecasts, gap_hours: int, seed: int) -> Estimate:
    """Return the mean ROC-AUC of a logistic regression that is fitted and judged on shuffled labels."""
    rows = known_rows(recent)
    table, outcome = input_table(recent)[rows], recent.cascade[rows].reshape(rows.size, -1)
    training, test = windows(recent.ts[rows], gap_hours)
    rng = np.random.default_rng(seed)
    return _spread(
        [
            refit_roc_auc(table, outcome[shuffle(rows.size, rng)], training, test)
            for _ in range(_REFITS)
        ]
    )  # fmt: skip


def refit_roc_auc(table: Floats, outcome: Floats, training: Rows, test: Rows) -> float:
    """Fit a logistic regression on some rows and return its mean ROC-AUC over outputs on others."""
    logits = refit_logits(table, outcome, training, test)
    return roc_auc(logits, outcome[test])


def shifted_gain(recent: RecentForecasts, horizons_hours: Sequence[int]) -> tuple[float, float, Estimate]:
    """
    Score a logistic regression on the inputs of the decision and on those of the end of each horizon.

    Returns
    -------
    as_it_is, shifted : float
        Mean ROC-AUC over outputs.
    gain : Estimate
        The difference with its interval, of blocks of days.

    """
    rows = known_rows(recent)
    table = input_table(recent)
    training, test = windows(recent.ts[rows], horizons_hours[-1])
    weights = DayWeights.of(recent.ts[rows][test], RECENT)
    found: tuple[list[Floats], list[Floats]] = ([], [])
    for horizon, hours in enumerate(horizons_hours):
        later, there = rows_later(recent.ts, rows, hours)
        fit, judged = training[there[training]], test[there[test]]
        outcome = recent.cascade[rows][:, :, horizon]
        day = weights.day_of(recent.ts[rows][judged])
        for inputs, scores in zip((table[rows], table[later]), found, strict=True):
            logits = refit_logits(inputs, outcome, fit, judged)
            for side in range(outcome.shape[1]):
                if np.isfinite(logits[:, side]).all():
                    metrics = ranking_metrics(logits[:, side], outcome[judged, side], day, weights)
                    scores.append(metrics["roc_auc"])
    if not found[0]:
        raise CatalogError(f"{recent.asset}: {_UNDEFINED} in the period; ingest a longer history")
    before, after = (np.mean(each, axis=0) for each in found)
    gain = after - before
    estimate = resampled_estimate(float(gain[0]), gain[1:], weights.days, RECENT, _UNDEFINED)
    return float(before[0]), float(after[0]), estimate


def known_rows(recent: RecentForecasts) -> Rows:
    """Return the rows of which every outcome is known."""
    return np.flatnonzero(np.isfinite(recent.cascade).all(axis=(1, 2)))


def input_table(recent: RecentForecasts) -> Floats:
    """Return the model's inputs as drift is judged by them, standardised, zero where not known."""
    columns = [values for name, values in recent.inputs.items() if not name.startswith("p_")]
    table = np.stack(columns, axis=1)
    known = np.isfinite(table)
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, table - np.where(known, table, 0.0).sum(axis=0) / count, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=0) / count)
    return np.clip(centred / np.where(deviation > 0.0, deviation, 1.0), -10.0, 10.0)


def windows(ts: Rows, gap_hours: int) -> tuple[Rows, Rows]:
    """Return the rows to fit on and, after a gap, those to judge on."""
    split = int(ts[0] + _TRAINING_SHARE * (ts[-1] - ts[0]))
    training = np.flatnonzero(ts < split)
    return training, np.flatnonzero(ts >= split + gap_hours * HOUR_NS)


def shuffle(rows: int, rng: np.random.Generator) -> Rows:
    """Return the rows with blocks of days in random order, the first block beginning anywhere."""
    start = int(rng.integers(rows))
    blocks = np.array_split(np.roll(np.arange(rows), -start), max(2, rows // _BLOCK_ROWS))
    return np.concatenate([blocks[at] for at in rng.permutation(len(blocks))])


def rows_later(ts: Rows, rows: Rows, hours: int) -> tuple[Rows, NDArray[np.bool_]]:
    """Return the row `hours` after each of `rows`, and whether there is one."""
    wanted = ts[rows] + hours * HOUR_NS
    later = np.minimum(np.searchsorted(ts, wanted), ts.size - 1)
    return later, ts[later] == wanted


def refit_logits(table: Floats, outcome: Floats, training: Rows, test: Rows) -> Floats:
    """Return logits of shape (test, outputs), NaN for outputs of which a window lacks one of the classes."""
    from oi_hedge_strategy.training.baselines import coefficients

    logits = np.full((test.size, outcome.shape[1]), np.nan)
    x = table.astype(np.float32)
    for at in _usable(outcome, training, test):
        y = outcome[training, at : at + 1, None].astype(np.float32)
        slope, intercept = coefficients(x[training], y, np.full((1, 1), _STRENGTH))
        logits[:, at] = x[test] @ slope[:, 0, 0] + intercept[0, 0]
    return logits


def roc_auc(score: Floats, outcome: Floats) -> float:
    """Return the mean over outputs of the area under the ROC curve, NaN where none has both classes."""
    found = []
    for at in range(outcome.shape[1]):
        came = outcome[:, at] == 1.0
        hits, misses = int(came.sum()), int((~came).sum())
        if hits and misses and np.isfinite(score[:, at]).all():
            ranks = rankdata(score[:, at])
            found.append((ranks[came].sum() - hits * (hits + 1) / 2) / (hits * misses))
    return float(np.mean(found)) if found else float("nan")


def _usable(outcome: Floats, *parts: Rows) -> Iterator[int]:
    for at in range(outcome.shape[1]):
        if all(part.size and outcome[part, at].min() < outcome[part, at].max() for part in parts):
            yield at


def _spread(scores: Sequence[float]) -> Estimate:
    """Return the mean of scores and the range that holds 95 % of them."""
    values = np.asarray(scores)
    values = values[np.isfinite(values)]
    if not values.size:
        return Estimate(None, reason=_UNDEFINED)
    low, high = np.percentile(values, _TAILS)
    return Estimate(float(values.mean()), float(low), float(high))
