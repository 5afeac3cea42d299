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
from oi_hedge_strategy.training.scores import Cell, Score


def score_table(scores: Scores, cell: Cell) -> str:
    """Return a cell's forecasters in rows: figures with intervals, and how each stands to the reference."""
    metrics = cell_metrics(cell)
    rows: list[list[TableCell]] = []
    for name, found in cell.forecasters.items():
        row: list[TableCell] = [title(name)]
        row += [
            (shown_with_spread(each.key, found[each.key]), shown_interval(each.key, found[each.key].estimate))
            if each.key in found
            else UNKNOWN
            for each in metrics
        ]
        rows.append([*row, _against(found["roc_auc"])])
    headers = ["", *(each.title for each in metrics), f"ROC-AUC against {title(scores.reference)}"]
    return table(headers, rows, words=(0, len(headers) - 1))


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


def _against(score: Score) -> TableCell:
    if score.difference is None:
        return "the reference"
    words = title(score.words)
    if score.difference.value is None:
        return words
    difference = shown("roc_auc", score.difference.value, signed=True)
    return words, f"{difference}, {shown_interval('roc_auc', score.difference, signed=True)}"
