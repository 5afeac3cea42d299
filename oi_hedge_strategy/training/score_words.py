"""The scores in words and figures, shared by the terminal, the report and the documentation."""

from collections.abc import Iterable

from oi_hedge_strategy.evaluation.bootstrap import Estimate
from oi_hedge_strategy.evaluation.wording import day
from oi_hedge_strategy.training.score import Scores
from oi_hedge_strategy.training.scores import MEAN, METRIC, METRICS, OVERALL, POOLED, Cell, Metric, Score

UNKNOWN = "-"
VERDICT_METRICS = ("roc_auc", "pr_auc", "brier_skill")
_TITLES = {"oi_rule": "OI rule", "lstm": "LSTM", "lstm_member": "LSTM member"}
_SHARES = ("caught_share", "share_of_time_in_alert")


def shown(metric: str, value: float | None, signed: bool = False) -> str:
    """Return a figure with as many decimals as its metric deserves."""
    if value is None:
        return UNKNOWN
    if metric in _SHARES:
        return f"{100 * value:.0f} %"
    digits = {"median_lead_hours": 1, "false_alarms_per_week": 2}.get(metric, 3)
    return f"{value:{'+' if signed or metric == 'brier_skill' else ''}.{digits}f}"


def shown_interval(metric: str, estimate: Estimate, between: str = " to ", signed: bool = False) -> str:
    """Return both ends of an interval, or nothing where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{shown(metric, estimate.low, signed)}{between}{shown(metric, estimate.high, signed)}"


def shown_with_spread(metric: str, score: Score) -> str:
    """Return a figure and, where there are several seeds, its standard deviation over them."""
    figure = shown(metric, score.estimate.value)
    return figure if score.seed_sd is None else f"{figure} ± {shown(metric, score.seed_sd).lstrip('+')}"


def title(name: str) -> str:
    """Return a forecaster's name as text."""
    return _TITLES.get(name, name.replace("_", " "))


def output_title(key: str) -> str:
    """Return an output's name as text, such as "down, 18 h"."""
    if key == MEAN:
        return "mean over outputs"
    side, hours = key.rsplit("_", 1)
    return f"{side}, {hours.removesuffix('h')} h"


def group_title(group: str) -> str:
    """Return a group's name as text."""
    return "all assets pooled" if group == POOLED else group


def span(scores: Scores) -> str:
    """Return the days of the test periods."""
    first, last = scores.periods[OVERALL]
    return f"{day(first)} to {day(last)} UTC"


def verdict_sentences(scores: Scores) -> list[str]:
    """Say which forecaster won, how the reference stands beside each, and what differs by year."""
    sentences = [_winner_sentence(scores, METRIC[key]) for key in VERDICT_METRICS]
    return [*sentences, _years_sentence(scores)]


def output_sentences(scores: Scores) -> list[str]:
    """Say for every output which forecaster ranks best and what the reference is worth beside it."""
    return [
        f"{output_title(output)}: {_best_words(scores, output, OVERALL, METRIC['roc_auc'])}."
        for output in scores.outputs
    ]


def interval_sentence(scores: Scores) -> str:
    """Say how intervals and comparisons were made."""
    made = scores.bootstrap
    return (
        f"Intervals cover {100 * made.level:g} %: {made.resamples:,} resamples of UTC days in blocks of "
        f"{scores.block_days}, the same days and samples for every forecaster. With seeds, a figure is their "
        "mean. Expected calibration error cannot fall below zero, so its interval lies above its figure. "
        "The best of several forecasters looks better than it is: believe the comparison, not the rank."
    )


def best_of(scores: Scores, group: str, period: str, output: str, metric: Metric) -> str | None:
    """Return the forecaster with the best figure, None where none is defined."""
    found = scores.cells[group, period, output].forecasters
    values = {name: each[metric.key].estimate.value for name, each in found.items() if metric.key in each}
    known = {name: metric.better * value for name, value in values.items() if value is not None}
    return max(known, key=known.__getitem__) if known else None


def _winner_sentence(scores: Scores, metric: Metric) -> str:
    where = f"On {scores.judged}, {span(scores)}, mean over the {len(scores.outputs)} outputs"
    words = _best_words(scores, MEAN, OVERALL, metric)
    others = scores.cells[scores.judged, OVERALL, MEAN].forecasters
    verdicts = {name: each[metric.key].words for name, each in others.items() if metric.key in each}
    return f"{where}: {words}. {_reference_words(scores.reference, verdicts)}".rstrip()


def _best_words(scores: Scores, output: str, period: str, metric: Metric) -> str:
    best = best_of(scores, scores.judged, period, output, metric)
    if best is None:
        return f"{metric.title} is not defined"
    score = scores.cells[scores.judged, period, output].forecasters[best][metric.key]
    interval = shown_interval(metric.key, score.estimate) or score.estimate.reason
    figure = shown(metric.key, score.estimate.value)
    words = f"{title(best)} has the best {metric.title}, {figure} ({interval})"
    if score.difference is None or score.difference.value is None:
        return words
    apart = shown(metric.key, score.difference.value, signed=True)
    ends = shown_interval(metric.key, score.difference, signed=True) or score.difference.reason
    return f"{words}, {title(score.words)} ({apart}, {ends})"


def _reference_words(reference: str, verdicts: dict[str, str]) -> str:
    """Turn what is said of each forecaster beside the reference into one sentence about the reference."""
    name = title(reference)
    turned = (
        ("worse than", "is better than"),
        ("better than", "is WORSE than"),
        ("not distinguishable from", "is not distinguishable from"),
        ("cannot be compared with", "cannot be compared with"),
    )
    parts = []
    for start, words in turned:
        names = [title(each) for each, verdict in verdicts.items() if verdict.startswith(start)]
        if names:
            parts.append(f"{words} {_listed(names)}")
    return f"{_sentence_case(name)} {'; it '.join(parts)}." if parts else ""


def _sentence_case(name: str) -> str:
    return name[:1].upper() + name[1:]


def _years_sentence(scores: Scores) -> str:
    parts = [f"{year} {_best_words(scores, MEAN, year, METRIC['roc_auc'])}" for year in scores.years]
    return f"By year: {'; '.join(parts)}."


def _listed(names: Iterable[str]) -> str:
    """Return names as an English list."""
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def cell_summary(cell: Cell) -> str:
    """Say how many samples and cascades a cell rests on."""
    interval = shown_interval("prevalence", cell.prevalence)
    text = (
        f"{cell.samples:,} samples, {cell.events:,} separate cascades, prevalence "
        f"{shown('prevalence', cell.prevalence.value)}{f' ({interval})' if interval else ''}"
    )
    return f"{text}; {cell.left_out:,} samples left out for want of a forecast" if cell.left_out else text


def cell_metrics(cell: Cell) -> list[Metric]:
    """Return the metrics that a cell has, in their order."""
    first = next(iter(cell.forecasters.values()))
    return [metric for metric in METRICS if metric.key in first]
