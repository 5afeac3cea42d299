"""The charts of the training report."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from oi_hedge_strategy.evaluation.figures import HEDGED, OTHERS, UNHEDGED, label, plain_layout
from oi_hedge_strategy.training.metrics import Reliability
from oi_hedge_strategy.training.predictions import FoldRecord
from oi_hedge_strategy.training.score import Scores
from oi_hedge_strategy.training.score_words import output_title, shown, shown_interval, title
from oi_hedge_strategy.training.scores import MEAN, METRIC, OVERALL

WINDOWS = {"training": OTHERS[7], "stopping": OTHERS[0], "calibration": OTHERS[1], "test": OTHERS[2]}
GAP = "rgba(139,148,158,0.30)"
SPREAD = 0.7
LEGEND_ROW = 24


def forecaster_colors(scores: Scores) -> dict[str, str]:
    """Return a colour for each forecaster: the reference's is the hedge's."""
    others = [name for name in scores.forecasters if name not in (scores.reference, "prevalence")]
    found = {name: OTHERS[i % len(OTHERS)] for i, name in enumerate(others)}
    return {**found, "prevalence": UNHEDGED, scores.reference: HEDGED}


def year_chart(scores: Scores, group: str, metric: str) -> go.Figure:
    """Draw a metric's mean over outputs by year, with intervals, one mark for each forecaster."""
    periods, names = (*scores.years, OVERALL), scores.forecasters
    colors, figure = forecaster_colors(scores), go.Figure()
    for i, name in enumerate(names):
        offset = SPREAD * ((i + 0.5) / len(names) - 0.5)
        found = [scores.cells[group, period, MEAN].forecasters[name].get(metric) for period in periods]
        marks = [(at + offset, each.estimate) for at, each in enumerate(found) if each is not None]
        marks = [(x, estimate) for x, estimate in marks if estimate.value is not None]
        figure.add_scatter(
            x=[x for x, _ in marks],
            y=[estimate.value for _, estimate in marks],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [max(0.0, (e.high or e.value or 0.0) - (e.value or 0.0)) for _, e in marks],
                "arrayminus": [max(0.0, (e.value or 0.0) - (e.low or e.value or 0.0)) for _, e in marks],
                "thickness": 1.4,
                "width": 3,
            },
            name=label(title(name)),
            mode="markers",
            marker={"color": colors[name], "size": 10 if name == scores.reference else 8},
            text=[f"{shown(metric, e.value)} ({shown_interval(metric, e)})" for _, e in marks],
            hovertemplate="%{fullData.name}: %{text}<extra></extra>",
        )
    plain_layout(figure, METRIC[metric].title, 400)
    figure.update_xaxes(
        tickvals=list(range(len(periods))),
        ticktext=[label(each) for each in periods],
        range=[-0.5, len(periods) - 0.5],
        showgrid=False,
    )
    return figure


def reliability_chart(curves: Mapping[str, Mapping[str, Reliability]], scores: Scores) -> go.Figure:
    """
    Draw reliability curves, one panel for each output.

    Parameters
    ----------
    curves : mapping of str to mapping of str to Reliability
        By output and forecaster.
    scores : Scores
        Whose reference is drawn with its intervals; the others can be switched on in the legend.

    """
    outputs, colors = list(curves), forecaster_colors(scores)
    columns = max(1, len(outputs) // 2) if len(outputs) > 1 else 1
    rows = -(-len(outputs) // columns)
    figure = make_subplots(rows, columns, subplot_titles=[label(output_title(each)) for each in outputs])
    for at, output in enumerate(outputs):
        place: dict[str, Any] = {"row": at // columns + 1, "col": at % columns + 1}
        top = max(float(max(each.forecast.max(), each.observed.max())) for each in curves[output].values())
        diagonal = {"color": UNHEDGED, "dash": "dash", "width": 1}
        figure.add_scatter(
            x=[0, 100 * top], y=[0, 100 * top], mode="lines", line=diagonal, name="as forecast",
            showlegend=at == 0, hoverinfo="skip", **place,
        )  # fmt: skip
        for name, curve in curves[output].items():
            figure.add_trace(_curve(name, curve, colors[name], at == 0, name == scores.reference), **place)
    plain_layout(figure, "", 300 * rows + LEGEND_ROW)
    figure.update_xaxes(title={"text": "forecast, %", "standoff": 4}, rangemode="tozero")
    figure.update_yaxes(rangemode="tozero")
    figure.update_yaxes(title_text="observed, %", col=1)
    return figure.update_layout(margin_t=90, margin_b=50, legend_y=1.08)


def _curve(name: str, curve: Reliability, color: str, first: bool, reference: bool) -> go.Scatter:
    whiskers = {
        "type": "data",
        "symmetric": False,
        "array": 100 * (curve.high - curve.observed).clip(min=0),
        "arrayminus": 100 * (curve.observed - curve.low).clip(min=0),
        "thickness": 1,
        "width": 3,
    }
    return go.Scatter(
        x=100 * curve.forecast,
        y=100 * curve.observed,
        error_y=whiskers if reference else None,
        mode="lines+markers",
        name=label(title(name)),
        legendgroup=name,
        showlegend=first,
        visible=True if reference else "legendonly",
        line={"color": color, "width": 1.6},
        marker={"color": color, "size": 6},
        customdata=curve.samples,
        hovertemplate="forecast %{x:.1f} %, observed %{y:.1f} %, %{customdata:,} samples",
    )


def loss_chart(folds: Sequence[FoldRecord], forecaster: str) -> go.Figure:
    """Draw a forecaster's losses by epoch or round: one colour for each fold, dotted in training."""
    figure = go.Figure()
    for at, fold in enumerate(folds):
        color, first = OTHERS[at % len(OTHERS)], True
        for kind, losses, dash in (
            ("stopping", fold.stopping_loss, "solid"),
            ("training", fold.training_loss, "dot"),
        ):
            for seed, values in enumerate(losses.get(forecaster, [])):
                figure.add_scatter(
                    x=list(range(1, len(values) + 1)),
                    y=values,
                    mode="lines+markers" if len(values) < 3 else "lines",
                    name=label(fold.name),
                    legendgroup=fold.name,
                    showlegend=first,
                    line={"color": color, "dash": dash, "width": 1.3},
                    hovertemplate=f"{label(fold.name)}, {kind}, seed {seed}, "
                    "epoch %{x}: %{y:.4f}<extra></extra>",
                )
                first = False
    plain_layout(figure, "loss", 360 + LEGEND_ROW * (len(folds) // 10))
    figure.update_xaxes(title={"text": "epoch", "standoff": 6})
    return figure.update_layout(margin_b=54)


def fold_chart(folds: Sequence[FoldRecord]) -> go.Figure:
    """Draw each fold's windows over time; the gaps between them are purge and embargo."""
    figure, named = go.Figure(), set()
    for fold in folds:
        ends = [
            (name, datetime.fromisoformat(a), datetime.fromisoformat(b))
            for name, (a, b) in fold.windows.items()
        ]
        gaps = [("purge and embargo", before, after) for (_, _, before), (_, after, _) in pairwise(ends)]
        for name, start, end in sorted([*ends, *gaps], key=lambda each: each[1]):
            figure.add_bar(
                x=[(end - start).total_seconds() * 1e3],
                base=[start.timestamp() * 1e3],
                y=[label(fold.name)],
                orientation="h",
                name=label(name),
                legendgroup=name,
                showlegend=name not in named,
                marker={"color": WINDOWS.get(name, GAP), "line": {"width": 0}},
                hovertemplate=f"{label(fold.name)}, {label(name)}: {start:%d %b %Y} to {end:%d %b %Y}"
                "<extra></extra>",
            )
            named.add(name)
    plain_layout(figure, "", 110 + 24 * len(folds))
    figure.update_xaxes(type="date")
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    return figure.update_layout(barmode="overlay", bargap=0.3)
