"""The training report: one HTML file that opens offline."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from plotly.offline import get_plotlyjs

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.evaluation.figure_store import FigureStore
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.evaluation.page import BANNER, PAGE, SCRIPT, SECTION, STYLE
from oi_hedge_strategy.evaluation.tables import mapping_table
from oi_hedge_strategy.evaluation.wording import SIMULATED, SIMULATED_SENTENCE, percent
from oi_hedge_strategy.training.predictions import FoldRecord, Predictions
from oi_hedge_strategy.training.reliability import reliability_curves
from oi_hedge_strategy.training.report_charts import fold_chart, loss_chart, reliability_chart, year_chart
from oi_hedge_strategy.training.report_tables import details, reliability_table, score_table, speed_table
from oi_hedge_strategy.training.score import Scores, score
from oi_hedge_strategy.training.score_words import (
    cell_summary,
    group_title,
    interval_sentence,
    output_sentences,
    output_title,
    span,
    title,
    verdict_sentences,
)
from oi_hedge_strategy.training.scores import MEAN, METRIC, OVERALL, POOLED

REQUIRED = (
    "simulated",
    "definition",
    "data_from",
    "data_until",
    "purge_hours",
    "embargo_hours",
    "calibration",
)

LEAD_TIME = "Lead time: from the first alert at a sample that the cascade followed to its move's completion."


class TrainingFacts(TypedDict):
    """
    What the report says of a run beside its predictions and folds.

    `definition` holds the fields of `CascadeDefinition`; times are ISO 8601; `calibration` names the method
    and the window it was fit on; `parameters` and `bytes` are by forecaster; `inference_us` holds ``p50`` and
    ``p99``; `seconds` is the wall time of the run; `notes` are sentences; `settings` is anything else.
    """

    simulated: bool
    definition: Mapping[str, Any]
    data_from: str
    data_until: str
    purge_hours: float
    embargo_hours: float
    calibration: str
    parameters: NotRequired[Mapping[str, int]]
    bytes: NotRequired[Mapping[str, int]]
    inference_us: NotRequired[Mapping[str, float]]
    seconds: NotRequired[float]
    notes: NotRequired[Sequence[str]]
    settings: NotRequired[Mapping[str, Any]]


def write_training_report(
    predictions: Predictions,
    folds: Sequence[FoldRecord],
    facts: TrainingFacts,
    path: Path,
    scores: Scores | None = None,
) -> Path:
    """
    Write the report of a walk-forward, atomically.

    Parameters
    ----------
    predictions : Predictions
        The out-of-sample probabilities.
    folds : sequence of FoldRecord
        How each fold was fit.
    facts : TrainingFacts
        What else there is to say.
    path : Path
        The HTML file.
    scores : Scores, optional
        Of `score`; computed where it is not given.

    Raises
    ------
    ConfigError
        If a fact is missing.

    """
    return write_text(path, render_training_report(predictions, folds, facts, scores or score(predictions)))


def render_training_report(
    predictions: Predictions, folds: Sequence[FoldRecord], facts: TrainingFacts, scores: Scores
) -> str:
    """Return the report as HTML without any reference to another file or address."""
    if missing := [name for name in REQUIRED if name not in facts]:
        raise ConfigError(f"training report: expected the fact {missing[0]!r}, found {', '.join(facts)}")
    figures = FigureStore()
    body = "".join(
        SECTION.substitute(heading=heading, content=content)
        for heading, content in (
            ("Verdict", _verdict(scores)),
            ("By year", _years(figures, scores)),
            ("By output", _outputs(scores)),
            ("Calibration", _calibration(figures, predictions, scores)),
            ("Training", _training(figures, folds, facts, scores)),
            ("Every figure", _every_figure(scores)),
            ("Assumptions", _assumptions(facts, scores)),
        )
    )
    heading = f"Forecast of liquidation cascades: {', '.join(predictions.assets)}"
    simulated = facts["simulated"]
    return PAGE.substitute(
        title=escape(f"SIMULATED: {heading}" if simulated else heading),
        heading=escape(heading),
        subtitle=escape(f"Out of sample, walk-forward, {len(folds)} folds; tested on {span(scores)}."),
        banner=BANNER.substitute(word=SIMULATED, sentence=SIMULATED_SENTENCE) if simulated else "",
        body=body,
        style=STYLE,
        script=SCRIPT,
        plotly=get_plotlyjs(),
        figures=figures.to_json(),
    )


def _verdict(scores: Scores) -> str:
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in verdict_sentences(scores))
    cell = scores.cells[scores.judged, OVERALL, MEAN]
    return (
        f'<div class="verdict">{sentences}</div>'
        f"<h3>{escape(scores.judged)}, {output_title(MEAN)}</h3>{score_table(scores, cell)}"
        f"<p class='lead'>{escape(interval_sentence(scores))}</p>"
    )


def _years(figures: FigureStore, scores: Scores) -> str:
    return "".join(
        figures.add(
            f"{metric}_{at}",
            f"{METRIC[metric].title} by year, {group_title(group)}",
            f"Mean over the {len(scores.outputs)} outputs; whiskers: {100 * scores.bootstrap.level:g} % "
            "intervals. A year without a cascade of some output has no mean.",
            year_chart(scores, group, metric),
        )
        for at, group in enumerate(_main_groups(scores))
        for metric in ("roc_auc", "pr_auc", "brier_skill")
    )


def _outputs(scores: Scores) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in output_sentences(scores))
    parts = [f"<ul>{items}</ul>"]
    for output in scores.outputs:
        cell = scores.cells[scores.judged, OVERALL, output]
        heading = f"{scores.judged}, {output_title(output)}"
        parts.append(f"<h3>{escape(heading)}</h3><p class='lead'>{escape(cell_summary(cell))}.</p>")
        parts.append(score_table(scores, cell))
    return "".join(parts)


def _calibration(figures: FigureStore, predictions: Predictions, scores: Scores) -> str:
    curves = reliability_curves(predictions, scores)
    chart = figures.add(
        "reliability",
        "Reliability, all assets pooled",
        "Share of samples that a cascade followed against the forecast probability, in ten bins of equal "
        "count; on the dashed line forecasts are as good as their word. Whiskers: intervals. Other "
        "forecasters can be switched on in the legend; of several seeds the first is drawn.",
        reliability_chart(curves, scores),
    )
    tables = "".join(
        details(
            f"{title(scores.reference)}, {output_title(output)}: bins",
            reliability_table(found[scores.reference]),
        )
        for output, found in curves.items()
        if scores.reference in found
    )
    return chart + tables


def _training(figures: FigureStore, folds: Sequence[FoldRecord], facts: TrainingFacts, scores: Scores) -> str:
    parts = [speed_table(scores, folds, facts.get("parameters", {}), facts.get("bytes", {}))]
    if folds:
        caption = (
            "Every fold's windows by decision time. The gaps: purge of "
            f"{facts['purge_hours']:g} h (longest horizon and look-back) and embargo of "
            f"{facts['embargo_hours']:g} h."
        )
        parts.append(figures.add("folds", "Folds", caption, fold_chart(folds)))
    fitted = dict.fromkeys(name for fold in folds for name in (*fold.stopping_loss, *fold.training_loss))
    for at, name in enumerate(fitted):
        parts.append(
            figures.add(
                f"loss_{at}",
                f"Loss of {title(name)}",
                "Solid: on the early-stopping window. Dotted: in training. One line for each seed.",
                loss_chart(folds, name),
            )
        )
    return "".join(parts)


def _every_figure(scores: Scores) -> str:
    parts = []
    for group in scores.groups:
        periods = (*scores.years, OVERALL) if group in _main_groups(scores) else (OVERALL,)
        for period in periods:
            content = "".join(
                f"<h3>{output_title(output)}</h3><p class='lead'>"
                f"{escape(cell_summary(scores.cells[group, period, output]))}.</p>"
                f"{score_table(scores, scores.cells[group, period, output])}"
                for output in (*scores.outputs, MEAN)
            )
            parts.append(details(f"{group_title(group)}, {period}", content))
    return "".join(parts)


def _assumptions(facts: TrainingFacts, scores: Scores) -> str:
    rule = facts["definition"]
    statements = [
        f"Data: {facts['data_from']} to {facts['data_until']}, "
        f"{'of a simulated market' if facts['simulated'] else 'recorded'}.",
        "A cascade follows a decision when within the horizon the price moves by at least "
        f"{percent(rule['floor'])} or {rule['sigma_multiple']:g} standard deviations of the horizon, "
        "whichever is more, and aggregate open interest falls by at least "
        f"{percent(rule['open_interest_fall'])}.",
        f"Between training and what follows lie a purge of {facts['purge_hours']:g} h and an embargo of "
        f"{facts['embargo_hours']:g} h, so that no look-back of a judged sample reaches a training outcome.",
        f"Calibration: {facts['calibration']}.",
        "Every forecaster has the same folds, samples and calibration; alert thresholds were chosen before "
        "each test period.",
        "A false alarm is an episode of alerts with no cascade within the horizon of any of its samples; "
        "figures are for an asset and a week. An alert that is always on has no false alarm, hence the share "
        "of time in alert.",
        "Separate cascades are labelled samples merged within one horizon; of the pool, those of the whole "
        "market.",
        LEAD_TIME if scores.has_onsets else "Lead times are missing, as the predictions hold no onsets.",
    ]
    if "inference_us" in facts:
        p50, p99 = (facts["inference_us"][name] for name in ("p50", "p99"))
        statements.append(f"Inference: {p50:.0f} us at the median, {p99:.0f} us at the 99th percentile.")
    if "seconds" in facts:
        statements.append(f"The whole run took {facts['seconds'] / 60:.1f} minutes.")
    statements += facts.get("notes", ())
    items = "".join(f"<li>{escape(statement)}</li>" for statement in statements)
    settings = facts.get("settings", {})
    return f"<ul>{items}</ul>{mapping_table(settings, 'settings') if settings else ''}"


def _main_groups(scores: Scores) -> list[str]:
    return [group for group in (scores.judged, POOLED) if group in scores.groups]
