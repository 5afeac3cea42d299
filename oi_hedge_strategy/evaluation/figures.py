"""What all charts share: colours that read on light and dark, traces, axes and marks."""

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.records import Floats, Times

HEDGED = "#3b82f6"
UNHEDGED = "#8b949e"
OTHERS = ("#e08a1e", "#a855f7", "#0fa37f", "#e5567a", "#9a8c1f", "#14a0c4", "#b4693c", "#6d7fd8")
GOOD = "#16a34a"
BAD = "#dc2626"
ALERT = "rgba(224,138,30,0.28)"
MARK = "rgba(220,38,38,0.40)"
HEIGHT = 330


def label(text: object) -> str:
    """Return text that plotly shows as it is, markup included."""
    return escape(str(text), quote=False)


def milliseconds(ts: Times) -> Floats:
    """Return times as plotly's date axis takes them."""
    return ts.astype(np.float64) / 1e6


def line(ts: Times, values: Floats, name: str, color: str, width: float = 1.4, **settings: Any) -> go.Scatter:
    """Return a line through every value, with gaps where values are NaN."""
    return go.Scatter(
        x=milliseconds(ts),
        y=values.astype(np.float32),
        name=label(name),
        mode="lines",
        line={"color": color, "width": width},
        **settings,
    )


def steps(ts: Times, values: Floats, name: str, color: str, **settings: Any) -> go.Scatter:
    """Return a line that stays until the next change; rows that repeat a value are left out."""
    same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    keep = np.concatenate([[True], ~same])
    keep[-1] = True
    trace = line(ts[keep], values[keep], name, color, **settings)
    return trace.update(line_shape="hv")


def span_lines(ts: Times, chosen: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each run of chosen rows, the end being the next row's time."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]])))
    step = int(np.median(np.diff(ts))) if ts.size > 1 else 0
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        yield int(ts[first]), int(ts[after]) if after < ts.size else int(ts[-1]) + step


def layout(figure: go.Figure, y_title: str, ts: Times, height: int = HEIGHT, **y_axis: Any) -> go.Figure:
    """Set what every chart over the times `ts` has in common."""
    ends = milliseconds(ts[[0, -1]]).tolist()
    figure.update_layout(
        template=None,
        height=height,
        margin={"l": 74, "r": 18, "t": 44, "b": 34},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="x unified",
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 12},
        },
        font={"family": "system-ui, sans-serif", "size": 12},
        meta={"linked": True},
    )
    figure.update_xaxes(
        type="date", range=ends, showgrid=True, zeroline=False, hoverformat="%d %b %Y %H:%M UTC"
    )
    figure.update_yaxes(zeroline=False, automargin=True)
    return figure.update_layout(yaxis={"title": {"text": label(y_title), "standoff": 10}, **y_axis})


def mark_onsets(figure: go.Figure, onsets_ns: Times) -> go.Figure:
    """Draw a thin vertical line through the chart at each cascade's onset."""
    pen = {"color": MARK, "width": 1, "dash": "dot"}
    figure.update_layout(
        shapes=[
            {
                "type": "line",
                "x0": at,
                "x1": at,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": pen,
                "layer": "below",
            }
            for at in milliseconds(onsets_ns).tolist()
        ]
    )
    return figure
