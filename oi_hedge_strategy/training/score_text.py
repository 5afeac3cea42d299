"""The table of scores as text for the terminal and as Markdown for the documentation."""

from collections.abc import Mapping, Sequence

from oi_hedge_strategy.training.score import Scores
from oi_hedge_strategy.training.score_words import (
    UNKNOWN,
    VERDICT_METRICS,
    cell_metrics,
    cell_summary,
    group_title,
    interval_sentence,
    output_title,
    shown_interval,
    shown_with_spread,
    span,
    title,
    verdict_sentences,
)
from oi_hedge_strategy.training.scores import MEAN, METRIC, OVERALL, POOLED, Score


def score_text(scores: Scores) -> str:
    """
    Return the table for the terminal.

    The verdict comes first, then every output of the judged asset and the pool's mean over the whole period,
    then means over outputs by year. The report holds every output of every asset in every year.
    """
    cells = [(scores.judged, output) for output in (*scores.outputs, MEAN)]
    if POOLED in scores.groups:
        cells.append((POOLED, MEAN))
    parts = ["\n".join([*verdict_sentences(scores), interval_sentence(scores)])]
    parts += [_cell_text(scores, group, output) for group, output in cells]
    parts += [_year_text(scores, group, key) for group in _shown_groups(scores) for key in VERDICT_METRICS]
    return "\n\n".join(parts) + "\n"


def markdown_tables(scores: Scores) -> str:
    """Return the verdict and the tables of the judged asset and the pool, as Markdown."""
    parts = [*verdict_sentences(scores), interval_sentence(scores)]
    for group in _shown_groups(scores):
        for key in VERDICT_METRICS:
            rows = [
                [name, *(f"{figure} ({ends})" if ends else figure for figure, ends in cells)]
                for name, cells in _year_rows(scores, group, key, " to ")
            ]
            parts.append(f"{_year_heading(group, key)}:\n\n{_markdown(_year_headers(scores), rows)}")
    for output in scores.outputs:
        cell = scores.cells[scores.judged, OVERALL, output]
        metrics = cell_metrics(cell)
        rows = [
            [title(name), *(" ".join(_pair(found, each.key, " to ")).strip() for each in metrics)]
            for name, found in cell.forecasters.items()
        ]
        headers = ["", *(metric.title for metric in metrics)]
        parts.append(f"{_heading(scores, scores.judged, output)}:\n\n{_markdown(headers, rows)}")
    return "\n\n".join(parts) + "\n"


def _cell_text(scores: Scores, group: str, output: str) -> str:
    cell = scores.cells[group, OVERALL, output]
    metrics = cell_metrics(cell)
    rows = [
        (title(name), [_pair(found, metric.key, "..") for metric in metrics])
        for name, found in cell.forecasters.items()
    ]
    return f"{_heading(scores, group, output)}\n{_aligned(['', *(each.title for each in metrics)], rows)}"


def _year_text(scores: Scores, group: str, metric: str) -> str:
    return (
        f"{_year_heading(group, metric)}\n"
        f"{_aligned(_year_headers(scores), _year_rows(scores, group, metric, '..'))}"
    )


def _year_heading(group: str, metric: str) -> str:
    return f"{METRIC[metric].title} by year, {group_title(group)}, {output_title(MEAN)}"


def _year_headers(scores: Scores) -> list[str]:
    return ["", *scores.years, OVERALL]


def _year_rows(
    scores: Scores, group: str, metric: str, between: str
) -> list[tuple[str, list[tuple[str, str]]]]:
    periods = (*scores.years, OVERALL)
    return [
        (
            title(name),
            [_pair(scores.cells[group, each, MEAN].forecasters[name], metric, between) for each in periods],
        )
        for name in scores.forecasters
    ]


def _pair(found: Mapping[str, Score], metric: str, between: str) -> tuple[str, str]:
    """Return a figure and its interval."""
    if metric not in found:
        return UNKNOWN, ""
    score = found[metric]
    return shown_with_spread(metric, score), shown_interval(metric, score.estimate, between)


def _heading(scores: Scores, group: str, output: str) -> str:
    summary = cell_summary(scores.cells[group, OVERALL, output])
    return f"{group_title(group)}, {output_title(output)}, {span(scores)}: {summary}"


def _shown_groups(scores: Scores) -> list[str]:
    return [group for group in (scores.judged, POOLED) if group in scores.groups]


def _aligned(headers: Sequence[str], rows: Sequence[tuple[str, list[tuple[str, str]]]]) -> str:
    """Return columns for a terminal, each interval below its figure."""
    lines = [list(headers)]
    for name, cells in rows:
        lines += [[name, *(figure for figure, _ in cells)], ["", *(ends for _, ends in cells)]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headers))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        ).rstrip()
        for line in lines
    )


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headers, ["---", *("---:" for _ in headers[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
