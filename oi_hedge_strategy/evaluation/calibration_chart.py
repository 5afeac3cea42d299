"""The reliability curves of a backtest."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from oi_hedge_strategy.evaluation.figures import HEDGED, UNHEDGED, plain_layout, whiskers
from oi_hedge_strategy.evaluation.records import BacktestRecord
from oi_hedge_strategy.evaluation.wording import Result

STRIPS = 40


def calibration_chart(record: BacktestRecord, curves: list[Result]) -> go.Figure:
    """
    Draw for each curve what was observed against what was forecast, and how often each was forecast.

    Parameters
    ----------
    record : BacktestRecord
        Whose decisions are counted.
    curves : list of dict
        Of `reliability`, at least one.

    """
    titles = [f"{each['side']} within {each['hours']} h" for each in curves]
    figure = make_subplots(
        2, len(curves), subplot_titles=titles, row_heights=[0.76, 0.24], vertical_spacing=0.14,
        horizontal_spacing=0.06,
    )  # fmt: skip
    for column, curve in enumerate(curves, start=1):
        bins = curve["bins"]
        observed = [100 * each["observed"]["value"] for each in bins]
        top = 100 * max(max(each["observed"]["high"] or 0.0, each["forecast"]) for each in bins)
        top = max(top, *observed)
        place: dict[str, Any] = {"row": 1, "col": column}
        figure.add_scatter(
            x=[0, top], y=[0, top], mode="lines", line={"color": UNHEDGED, "dash": "dash", "width": 1.2},
            name="as forecast", showlegend=column == 1, hoverinfo="skip", **place,
        )  # fmt: skip
        figure.add_scatter(
            x=[100 * each["forecast"] for each in bins], y=observed, mode="lines+markers",
            error_y=whiskers([each["observed"] for each in bins], 100.0),
            name="observed", showlegend=column == 1, line={"color": HEDGED, "width": 1.6},
            marker={"color": HEDGED, "size": 7}, customdata=[each["samples"] for each in bins],
            hovertemplate="forecast %{x:.1f} %, observed %{y:.1f} %, %{customdata:,} decisions"
            "<extra></extra>", **place,
        )  # fmt: skip
        figure.add_trace(_counts(record, curve), row=2, col=column)
        figure.update_xaxes(range=[0, 1.05 * top], **place)
        figure.update_xaxes(title={"text": "forecast, %", "standoff": 4}, row=2, col=column)
        figure.update_yaxes(type="log", dtick=1, tickformat="~s", row=2, col=column)
    plain_layout(figure, "", 430)
    figure.update_yaxes(rangemode="tozero", row=1)
    figure.update_yaxes(title_text="observed, %", row=1, col=1)
    figure.update_yaxes(title_text="decisions", row=2, col=1)
    return figure.update_layout(margin_b=52, margin_t=84, legend_y=1.09, bargap=0.05)


def _counts(record: BacktestRecord, curve: Result) -> go.Bar:
    forecast = record.decisions[f"p_{curve['side']}_{curve['hours']}h"].to_numpy(np.float64)
    forecast = 100 * forecast[np.isfinite(forecast)]
    count, edges = np.histogram(forecast, bins=STRIPS)
    filled = count > 0
    return go.Bar(
        x=((edges[1:] + edges[:-1]) / 2)[filled].round(3).tolist(),
        y=count[filled].tolist(),
        width=float(edges[1] - edges[0]),
        marker={"color": UNHEDGED, "line": {"width": 0}},
        name="decisions",
        showlegend=False,
        hovertemplate="%{y:,} decisions at about %{x:.1f} %<extra></extra>",
    )
