"""What all charts share: colours that read on light and dark, traces, axes and marks."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, TypedDict

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.downsample import extremes
from oi_hedge_strategy.evaluation.records import Floats, Times

HEDGED = "#3b82f6"
UNHEDGED = "#868e98"
OTHERS = ("#d17300", "#00a37a", "#920bff", "#846038", "#e0366b", "#1593b8", "#7d7a1c", "#b305be")
"""Each stands out from white and from the dark page by 3 to 1; the first five from one another, and from the
two above, in red-green blindness too. The others come with a dash."""
DASH_FROM = 5
GOOD = "#00a37a"
BAD = "#d93a1a"
ALERT = "rgba(209,115,0,0.28)"
MARK = "rgba(217,58,26,0.40)"
HEIGHT = 330
INK = {"ink": True}
"""Meta of a trace that takes the colour of the page's text."""


def label(text: object) -> str:
    """Return text that plotly shows as it is, markup included."""
    return escape(str(text), quote=False)


def milliseconds(ts: Times) -> Floats:
    """Return times as plotly's date axis takes them."""
    return ts.astype(np.float64) / 1e6


class Style(TypedDict):
    """How a line is drawn."""

    color: str
    dash: str


def series_style(at: int) -> Style:
    """Return colour and dash of the series at a position, which differ in one or the other."""
    dashes = ("solid", "dash", "dot", "dashdot")
    turn, place = divmod(at, len(OTHERS))
    return Style(color=OTHERS[place], dash=dashes[(2 * turn + (place >= DASH_FROM)) % len(dashes)])


def line(
    ts: Times, values: Floats, name: str, color: str, width: float = 1.4, dash: str = "solid", **settings: Any
) -> go.Scatter:
    """Return a line with gaps where values are NaN; of long ones the extremes (see `extremes`)."""
    kept = extremes(values)
    return _trace(ts[kept], values[kept], name, {"color": color, "width": width, "dash": dash}, settings)


def steps(
    ts: Times, values: Floats, name: str, color: str, width: float = 1.4, dash: str = "solid", **settings: Any
) -> go.Scatter:
    """Return a line that stays until the next change; rows that repeat a value are left out."""
    rows = extremes(values, stepped=True)
    ts, values = ts[rows], values[rows]
    same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    keep = np.concatenate([[True], ~same])
    keep[-1] = True
    pen = {"color": color, "width": width, "dash": dash, "shape": "hv"}
    return _trace(ts[keep], values[keep], name, pen, settings)


def _trace(
    ts: Times, values: Floats, name: str, pen: dict[str, Any], settings: Mapping[str, Any]
) -> go.Scatter:
    return go.Scatter(
        x=milliseconds(ts),
        y=values.astype(np.float32),
        name=label(name),
        mode="lines",
        line=pen,
        **settings,
    )


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


def plain_layout(figure: go.Figure, y_title: str, height: int) -> go.Figure:
    """Set what charts have in common whose horizontal axis is not the time of the run."""
    figure.update_layout(
        template=None,
        height=height,
        margin={"l": 66, "r": 18, "t": 60, "b": 36},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        font={"family": "system-ui, sans-serif", "size": 12},
        meta={"linked": False},
    )
    figure.update_xaxes(zeroline=False, automargin=True)
    return figure.update_yaxes(zeroline=False, automargin=True, title_text=label(y_title))


def whiskers(estimates: Sequence[Mapping[str, Any]], scale: float) -> dict[str, Any]:
    """Return error bars from low to high times `scale`, of no length where there is no interval."""

    def reach(estimate: Mapping[str, Any], end: str, sign: float) -> float:
        if estimate[end] is None or estimate["value"] is None:
            return 0.0
        return max(0.0, scale * sign * (float(estimate[end]) - float(estimate["value"])))

    return {
        "type": "data",
        "symmetric": False,
        "array": [reach(each, "high", 1.0) for each in estimates],
        "arrayminus": [reach(each, "low", -1.0) for each in estimates],
        "thickness": 1.2,
        "width": 4,
    }
