"""Charts of a session's last week: price, hedge ratio, forecast and account."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.figure_store import FigureStore
from oi_hedge_strategy.evaluation.figures import (
    BAD,
    GOOD,
    HEDGED,
    UNHEDGED,
    layout,
    line,
    series_style,
    steps,
)
from oi_hedge_strategy.live.entries import unpack
from oi_hedge_strategy.live.recording import read_recorded
from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision, SessionEntry

_WEEK_NS = 7 * 86_400 * 10**9
_SHOWN = {HedgeDecision.__name__, CascadeForecast.__name__}


def week_of(session: Session, until_ns: int) -> tuple[list[HedgeDecision], list[CascadeForecast]]:
    """Return the decisions and forecasts of the week before a time, or before the session's end."""
    entries = read_recorded(session, SessionEntry, start_ns=max(until_ns - _WEEK_NS, 0)).rows
    values = [unpack(entry) for entry in entries if entry.kind in _SHOWN]
    decisions = [value for value in values if isinstance(value, HedgeDecision)]
    return decisions, [value for value in values if isinstance(value, CascadeForecast)]


def add_charts(
    store: FigureStore, decisions: list[HedgeDecision], forecasts: list[CascadeForecast]
) -> list[str]:
    """Put the charts into a store and return their places in the page; none before two decisions."""
    if len(decisions) < 2:
        return []
    ts = np.array([each.ts_init for each in decisions], np.int64)
    places = [
        store.add("price", "Price", "At each decision.", _price(ts, decisions)),
        store.add(
            "ratio",
            "Hedge ratio",
            "What the policy wanted, what the rails allowed, and what was held.",
            _ratio(ts, decisions),
        ),
        store.add(
            "equity",
            "Equity of the hedge account",
            "As the account said at each decision.",
            layout(go.Figure(line(ts, _column(decisions, "equity"), "equity", HEDGED)), "quote currency", ts),
        ),
    ]
    if len(forecasts) > 1:
        places.insert(
            2,
            store.add(
                "forecast",
                "Forecast",
                "Calibrated probability of a cascade within each horizon; down solid, up dashed.",
                _forecast(forecasts),
            ),
        )
    return places


def _price(ts: NDArray[np.int64], decisions: list[HedgeDecision]) -> go.Figure:
    price, ordered = _column(decisions, "price"), _column(decisions, "order_quantity")
    figure = go.Figure(line(ts, price, "price", UNHEDGED))
    for name, chosen, color, symbol in (
        ("hedge sold", ordered < 0.0, BAD, "triangle-down"),
        ("hedge bought", ordered > 0.0, GOOD, "triangle-up"),
    ):
        figure.add_scatter(
            x=ts[chosen] / 1e6,
            y=price[chosen],
            name=name,
            mode="markers",
            marker={"color": color, "symbol": symbol, "size": 9},
        )
    return layout(figure, "quote currency", ts)


def _ratio(ts: NDArray[np.int64], decisions: list[HedgeDecision]) -> go.Figure:
    figure = go.Figure(
        [
            steps(ts, 100.0 * _column(decisions, "wanted"), "wanted", UNHEDGED),
            steps(ts, 100.0 * _column(decisions, "allowed"), "allowed", series_style(0)["color"]),
            steps(ts, 100.0 * _column(decisions, "held"), "held", HEDGED, width=2.0),
        ]
    )
    return layout(figure, "% of the exposure", ts, rangemode="tozero")


def _forecast(forecasts: list[CascadeForecast]) -> go.Figure:
    ts = np.array([each.ts_init for each in forecasts], np.int64)
    figure = go.Figure()
    for at, hours in enumerate(forecasts[-1].horizons_hours):
        for side, dash in (("down", "solid"), ("up", "dash")):
            values = np.array([100.0 * getattr(each, side)[at] for each in forecasts], np.float64)
            figure.add_trace(line(ts, values, f"{side}, {hours:g} h", series_style(at)["color"], dash=dash))
    return layout(figure, "probability, %", ts, rangemode="tozero")


def _column(decisions: list[Any], name: str) -> NDArray[np.float64]:
    return np.array([getattr(each, name) for each in decisions], np.float64)
