"""The tables of the training report, as HTML."""

from collections.abc import Mapping, Sequence
from html import escape

from oi_hedge_strategy.evaluation.tables import Cell as TableCell
from oi_hedge_strategy.evaluation.tables import table
from oi_hedge_strategy.evaluation.wording import percent
from oi_hedge_strategy.training.metrics import Reliability
from oi_hedge_strategy.training.predictions import FoldRecord
from oi_hedge_strategy.training.score import Scores
from oi_hedge_strategy.training.score_words import (
    UNKNOWN,
    cell_metrics,
    shown,
    shown_interval,
    shown_with_spread,
    title,
)
from oi_hedge_strategy.training.scores import Cell, Metric, Score


def score_table(scores: Scores, cell: Cell) -> str:
    """Return a cell's forecasters in rows: figures with intervals, how each stands, and below its alerts."""
    forecast = [each for each in cell_metrics(cell) if each.averaged]
    alerts = [each for each in cell_metrics(cell) if not each.averaged]
    against = [_against(found["roc_auc"]) for found in cell.forecasters.values()]
    rows = [[*row, words] for row, words in zip(_rows(cell, forecast), against, strict=True)]
    headers = ["", *(each.title for each in forecast), f"ROC-AUC against {title(scores.reference)}"]
    parts = [table(headers, rows, words=(0, len(headers) - 1))]
    if alerts:
        parts.append(table(["alerts", *(each.title for each in alerts)], _rows(cell, alerts)))
    return "".join(parts)


def reliability_table(curve: Reliability) -> str:
    """Return the bins of a reliability curve."""
    columns = zip(curve.forecast, curve.observed, curve.low, curve.high, curve.samples, strict=True)
    rows: list[list[TableCell]] = [
        [percent(forecast), (percent(observed), f"{percent(low)} to {percent(high)}"), f"{samples:,}"]
        for forecast, observed, low, high, samples in columns
    ]
    return table(["forecast", "observed", "samples"], rows, words=())


def speed_table(
    scores: Scores, folds: Sequence[FoldRecord], parameters: Mapping[str, int], sizes: Mapping[str, int]
) -> str:
    """Return how long each forecaster took to fit, and how large it is."""
    rows: list[list[TableCell]] = []
    for name in scores.forecasters:
        seconds = [fold.seconds[name] for fold in folds if name in fold.seconds]
        rows.append(
            [
                title(name),
                f"{sum(seconds):,.1f} s" if seconds else UNKNOWN,
                f"{sum(seconds) / len(seconds):,.1f} s" if seconds else UNKNOWN,
                f"{parameters[name]:,}" if name in parameters else UNKNOWN,
                f"{sizes[name] / 1e6:.2f} MB" if name in sizes else UNKNOWN,
            ]
        )
    return table(["", "time to fit, all folds", "a fold", "parameters", "size of the file"], rows)


def details(summary: str, content: str) -> str:
    """Return content that is folded away until it is asked for; `content` is HTML, `summary` text."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def _rows(cell: Cell, metrics: Sequence[Metric]) -> list[list[TableCell]]:
    return [
        [title(name), *(_figure(found, each.key) for each in metrics)]
        for name, found in cell.forecasters.items()
    ]


def _figure(found: Mapping[str, Score], metric: str) -> TableCell:
    if metric not in found:
        return UNKNOWN
    return shown_with_spread(metric, found[metric]), shown_interval(metric, found[metric].estimate)


def _against(score: Score) -> TableCell:
    if score.difference is None:
        return "the reference"
    words = title(score.words)
    if score.difference.value is None:
        return words
    difference = shown("roc_auc", score.difference.value, signed=True)
    return words, f"{difference}, {shown_interval('roc_auc', score.difference, signed=True)}"
