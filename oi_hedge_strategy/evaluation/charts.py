"""Charts of the market, the forecast and the hedge."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from oi_hedge_strategy.evaluation.daily import hedge_ratio
from oi_hedge_strategy.evaluation.figures import (
    ALERT,
    BAD,
    GOOD,
    HEDGED,
    HEIGHT,
    OTHERS,
    UNHEDGED,
    Style,
    label,
    layout,
    line,
    mark_onsets,
    milliseconds,
    series_style,
    span_lines,
    steps,
)
from oi_hedge_strategy.evaluation.records import BacktestRecord, Times
from oi_hedge_strategy.evaluation.wording import Result, hours, percent

PROBABILITY = re.compile(r"p_(down|up)_(\d+)h")


def onsets(record: BacktestRecord) -> Times:
    """Return the onsets of the cascades."""
    return np.array([event.onset_ns for event in record.events], dtype=np.int64)


def price_chart(record: BacktestRecord, result: Result) -> go.Figure:
    """Draw the hedge instrument's closes with every cascade at its onset."""
    market, found = record.market, result["cascades"]["events"]
    figure = go.Figure(line(market.ts, market.close, "close", UNHEDGED, width=1.2))
    groups: tuple[tuple[str, str, str, Callable[[Result], bool]], ...] = (
        ("cascade, caught", GOOD, "triangle-down", lambda event: bool(event["caught"])),
        ("cascade, missed", BAD, "x", lambda event: event["judged"] and not event["caught"]),
        ("cascade, no decision before it", UNHEDGED, "circle-open", lambda event: not event["judged"]),
    )
    at = np.clip(np.searchsorted(market.ts, onsets(record)), 0, market.ts.size - 1)
    for name, color, symbol, belongs in groups:
        rows = [i for i, event in enumerate(found) if belongs(event)]
        if rows:
            figure.add_scatter(
                x=milliseconds(onsets(record)[rows]),
                y=market.close[at[rows]],
                name=name,
                mode="markers",
                marker={"color": color, "symbol": symbol, "size": 10},
                text=[_event_text(found[i]) for i in rows],
                hovertemplate="%{text}<extra></extra>",
            )
    return layout(figure, f"{record.asset} price, {record.quote}", market.ts)


def open_interest_chart(record: BacktestRecord) -> go.Figure:
    """Draw open interest by venue."""
    market = record.market
    figure = go.Figure(
        [
            line(market.ts, values, venue, **series_style(i))
            for i, (venue, values) in enumerate(market.open_interest.items())
        ]
    )
    figure.update_layout(showlegend=True)
    layout(figure, f"open interest, {record.asset}, one-sided", market.ts, rangemode="tozero")
    return mark_onsets(figure, onsets(record))


def funding_chart(record: BacktestRecord) -> go.Figure:
    """Draw the last settled funding rate by venue."""
    market = record.market
    figure = go.Figure(
        [
            steps(market.ts, 100.0 * values, venue, **series_style(i), width=1.1)
            for i, (venue, values) in enumerate(market.funding.items())
        ]
    )
    figure.update_layout(showlegend=True)
    return mark_onsets(layout(figure, "funding rate, % per 8 h", market.ts), onsets(record))


def forecast_chart(record: BacktestRecord) -> go.Figure:
    """Draw the forecast probabilities, shading the hours in alert."""
    decisions = record.decisions
    ts = decisions["ts"].to_numpy(np.int64)
    alert = np.where(decisions["alert"].to_numpy(np.bool_), 100.0, 0.0)
    figure = go.Figure(
        steps(ts, alert, "alert", ALERT, width=0, fill="tozeroy", fillcolor=ALERT, hoverinfo="skip")
    )
    columns = [match for match in map(PROBABILITY.fullmatch, map(str, decisions.columns)) if match]
    sides = {event.side for event in record.events} or {"down", "up"}
    for at, match in enumerate(columns):
        values = 100.0 * decisions[match[0]].to_numpy(np.float64)
        style = Style(color=HEDGED, dash="solid") if at == 0 else series_style(at)
        visible = True if match[1] in sides else "legendonly"
        name = f"cascade {match[1]} within {match[2]} h"
        figure.add_trace(line(ts, values, name, **style, visible=visible))
    layout(figure, "probability, %", record.market.ts, range=[0, 100])
    return mark_onsets(figure, onsets(record))


def hedge_chart(record: BacktestRecord) -> go.Figure:
    """Draw the hedge ratio wanted, allowed and held, and below it which rail decided when."""
    decisions, held = record.decisions, record.runs["hedged"]
    ts = decisions["ts"].to_numpy(np.int64)
    rails = decisions["rail"].astype(str).to_numpy()
    names = sorted(set(rails) - {""})
    strip = 40 + 24 * len(names)
    figure = make_subplots(
        rows=2, shared_xaxes=True, vertical_spacing=0.04, row_heights=[HEIGHT - 60, strip]
    ) if names else make_subplots(rows=1)  # fmt: skip
    figure.add_trace(
        steps(held.ts, 100.0 * hedge_ratio(held), "held", HEDGED, width=4, opacity=0.5), row=1, col=1
    )
    for column, color in (("wanted", OTHERS[0]), ("allowed", OTHERS[1])):
        values = 100.0 * decisions[column].to_numpy(np.float64)
        figure.add_trace(steps(ts, values, column, color), row=1, col=1)
    for i, name in enumerate(names):
        figure.add_trace(_rail_trace(ts, rails == name, name, OTHERS[i % len(OTHERS)]), row=2, col=1)
    layout(figure, "hedge ratio, %", held.ts, HEIGHT + strip if names else HEIGHT)
    if names:
        figure.update_yaxes(title_text="rail", type="category", row=2, col=1, autorange="reversed")
    return mark_onsets(figure, onsets(record))


def _rail_trace(ts: Times, chosen: Any, name: str, color: str) -> go.Scatter:
    spans = list(span_lines(ts, chosen))
    x = [at for start, end in spans for at in (start / 1e6, end / 1e6, None)]
    return go.Scatter(
        x=x,
        y=[label(name) if at is not None else None for at in x],
        mode="lines+markers",
        line={"color": color, "width": 12},
        marker={"symbol": "line-ns-open", "color": color, "size": 12, "line": {"width": 1.5, "color": color}},
        showlegend=False,
        name=label(name),
        hoverinfo="skip",
        connectgaps=False,
    )


def _event_text(event: Result) -> str:
    seen = f"caught {hours(event['lead_hours'])} before" if event["caught"] else "missed"
    return f"cascade {event['side']} {percent(event['depth'])}, {seen}"
