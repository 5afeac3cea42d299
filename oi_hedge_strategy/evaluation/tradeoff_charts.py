"""Charts of what the hedge trades off: losses against gains, skill against costs."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from oi_hedge_strategy.evaluation.figures import (
    HEDGED,
    INK,
    OTHERS,
    UNHEDGED,
    Style,
    label,
    plain_layout,
    series_style,
    whiskers,
)
from oi_hedge_strategy.evaluation.tradeoff_words import (
    COST_KINDS,
    break_even,
    multiplied,
    skill_at_costs,
)
from oi_hedge_strategy.evaluation.wording import Result, percent, signed, spoken

SYMBOLS = ("square", "diamond", "triangle-up", "cross", "pentagon", "hexagram", "bowtie", "hourglass",
           "x", "triangle-down", "triangle-left")  # fmt: skip
PATHS = {
    "constant": ("constant ratios, net of costs", Style(color=UNHEDGED, dash="dot")),
    "strategy": ("strategy, by aggressiveness", Style(color=HEDGED, dash="solid")),
    "full_stakes": ("strategy at full stakes", Style(color=HEDGED, dash="dash")),
    "log_growth": ("strategy for log growth", Style(color=OTHERS[4], dash="solid")),
}
"""What is drawn as a line in the order of its parameter."""
SINGLE: dict[str, dict[str, Any]] = {
    "oracle": {"symbol": "star-open", "size": 15, "line": {"width": 2}},
    "tuned": {"symbol": "circle-open", "size": 15, "line": {"width": 3}},
}
"""Markers of what has a point of its own and is no baseline, in the colour of the text."""
MOST_COSTS = 12.0


def frontier_chart(result: Result) -> go.Figure:
    """
    Draw loss avoided against gain kept.

    The strategy's curve over its aggressiveness, the constant hedge ratios, each baseline and the hedge
    itself, the last two with intervals; the dashed diagonal is every constant ratio without costs.
    """
    entries = result.get("frontier") or []
    figure = go.Figure(_diagonal())
    kinds = dict.fromkeys(str(each["kind"]) for each in entries)
    for at, kind in enumerate(kind for kind in kinds if kind not in ("baseline", *SINGLE)):
        name, style = PATHS.get(kind, (spoken(kind), series_style(at)))
        figure.add_traces(_path(entries, kind, name, style))
    points = [(name, each) for name, each in result["baselines"].items() if _drawn(each)]
    for at, (name, figures) in enumerate(points):
        marker = {"color": series_style(at)["color"], "size": 10, "symbol": SYMBOLS[at % len(SYMBOLS)]}
        figure.add_trace(_point(spoken(name), figures, marker))
    for each in entries:
        if each["kind"] in SINGLE and _drawn(each):
            figure.add_trace(_point(str(each["label"]), each, dict(SINGLE[each["kind"]]), meta=INK))
    if _drawn(result["verdict"]):
        figure.add_trace(_point("the hedge", result["verdict"], {"color": HEDGED, "size": 15}))
    plain_layout(figure, "gain kept, %", 600)
    figure.update_xaxes(title={"text": "loss avoided, %", "standoff": 8})
    figure.update_layout(margin_b=130, legend={"y": -0.12, "yanchor": "top"})
    if (target := _target(result)) is not None:
        pen = {"color": UNHEDGED, "width": 1.4, "dash": "dot"}
        figure.add_vline(100 * target, line=pen, annotation_text=f"target {percent(target)}")
    return figure


def sensitivity_chart(result: Result) -> go.Figure:
    """Draw skill against the costs: impact and latency multiplied, and all costs of the same trades."""
    runs = {kind: found for kind in COST_KINDS if (found := multiplied(result, kind))}
    titles = [COST_KINDS[kind] for kind in runs]
    figure = make_subplots(
        1, len(runs) + 1, subplot_titles=[*titles, "all costs, the same trades"], shared_yaxes=True,
        horizontal_spacing=0.05,
    )  # fmt: skip
    for column, found in enumerate(runs.values(), start=1):
        figure.add_scatter(
            x=[times for times, _ in found],
            y=[skill["value"] for _, skill in found],
            error_y=whiskers([skill for _, skill in found], 1.0),
            mode="lines+markers", line={"color": HEDGED, "width": 1.6}, marker={"size": 9},
            hovertemplate="%{x:g} times: skill %{y:+.3f}<extra></extra>", showlegend=False,
            row=1, col=column,
        )  # fmt: skip
        figure.update_xaxes(type="log", tickvals=[times for times, _ in found], row=1, col=column)
    last = len(runs) + 1
    vanishes = break_even(result)
    most = min(MOST_COSTS, max(4.0, 1.3 * vanishes)) if vanishes is not None else 4.0
    at = [0.0, most]
    figure.add_scatter(
        x=at, y=[skill_at_costs(result, times) for times in at], mode="lines", row=1, col=last,
        line={"color": HEDGED, "width": 1.6}, hovertemplate="%{x:.2g} times: %{y:+.3f}<extra></extra>",
        showlegend=False,
    )  # fmt: skip
    figure.add_scatter(
        x=[0.0, 1.0], y=[skill_at_costs(result, times) for times in (0.0, 1.0)], mode="markers",
        error_y=whiskers([result["effectiveness"][key] for key in ("skill_before_costs", "skill")], 1.0),
        marker={"color": HEDGED, "size": 9}, showlegend=False, row=1, col=last,
        hovertemplate="%{x:g} times: skill %{y:+.3f}<extra></extra>",
    )  # fmt: skip
    plain_layout(figure, "", 380)
    figure.update_yaxes(title_text="skill", row=1, col=1)
    figure.update_xaxes(title={"text": "times the assumed cost", "standoff": 6})
    figure.add_hline(0.0, line={"color": UNHEDGED, "width": 1.4, "dash": "dash"})
    return figure.update_layout(margin_b=56)


def _diagonal() -> go.Scatter:
    return go.Scatter(
        x=[0, 100],
        y=[100, 0],
        name="constant ratios without costs",
        mode="lines",
        line={"color": UNHEDGED, "dash": "dash", "width": 1.4},
        hoverinfo="skip",
    )


def _path(entries: Sequence[Result], kind: str, name: str, style: Style) -> list[go.Scatter]:
    """Return the points of one kind, joined in the order of their parameter."""
    found = [each for each in entries if each["kind"] == kind and _drawn(each)]
    found.sort(key=lambda each: float(each["parameter"]) if each["parameter"] is not None else 0.0)
    if not found:
        return []
    return [
        go.Scatter(
            x=[100 * each["loss_avoided"]["value"] for each in found],
            y=[100 * each["gain_kept"]["value"] for each in found],
            name=name,
            mode="lines+markers",
            line={**style, "width": 1.6},
            marker={"color": style["color"], "size": 6},
            text=[_hover(str(each["label"]), each) for each in found],
            hovertemplate="%{text}<extra></extra>",
        )
    ]


def _point(name: str, figures: Result, marker: dict[str, Any], **settings: Any) -> go.Scatter:
    avoided, kept = figures["loss_avoided"], figures["gain_kept"]
    return go.Scatter(
        x=[100 * avoided["value"]],
        y=[100 * kept["value"]],
        error_x=whiskers([avoided], 100.0),
        error_y=whiskers([kept], 100.0),
        name=label(name),
        mode="markers",
        marker=marker,
        hovertemplate=f"{_hover(name, figures)}<extra></extra>",
        **settings,
    )


def _hover(name: str, figures: Result) -> str:
    return (
        f"<b>{label(name)}</b><br>loss avoided {percent(figures['loss_avoided']['value'])}<br>gain kept "
        f"{percent(figures['gain_kept']['value'])}<br>skill {signed(figures['skill']['value'])}"
    )


def _drawn(figures: Result) -> bool:
    return figures["loss_avoided"]["value"] is not None and figures["gain_kept"]["value"] is not None


def _target(result: Result) -> float | None:
    target = (result.get("operating_point") or {}).get("target_loss_avoided")
    return None if target is None else float(target)
