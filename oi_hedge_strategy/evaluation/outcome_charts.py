"""Charts of what the hedge brought and cost."""

import numpy as np
import plotly.graph_objects as go

from oi_hedge_strategy.evaluation.charts import onsets
from oi_hedge_strategy.evaluation.daily import calendar
from oi_hedge_strategy.evaluation.figures import (
    HEDGED,
    OTHERS,
    UNHEDGED,
    label,
    layout,
    line,
    mark_onsets,
    steps,
)
from oi_hedge_strategy.evaluation.records import BacktestRecord, RunRecord
from oi_hedge_strategy.evaluation.wording import Result, percent, signed

SYMBOLS = ("square", "diamond", "triangle-up", "cross", "pentagon", "hexagram", "bowtie", "hourglass")
RANKS = {"hedged": 1, "unhedged": 2}


def colors(record: BacktestRecord) -> dict[str, str]:
    """Return each run's colour, the same in every chart, the hedged run last so that it is drawn on top."""
    others = [name for name in record.runs if name not in RANKS]
    chosen = {name: OTHERS[i % len(OTHERS)] for i, name in enumerate(others)}
    return {**chosen, "unhedged": UNHEDGED, "hedged": HEDGED}


def equity_chart(record: BacktestRecord) -> go.Figure:
    """Draw the P&L of exposure and hedge together for every run."""
    figure = go.Figure()
    for name, color in colors(record).items():
        run = record.runs[name]
        figure.add_trace(line(run.ts, run.total_pnl, name, color, _width(name), legendrank=_rank(name)))
    return mark_onsets(
        layout(figure, f"P&L of exposure and hedge, {record.quote}", record.market.ts), onsets(record)
    )


def drawdown_chart(record: BacktestRecord) -> go.Figure:
    """Draw how far every run stood below its peak; baselines, hidden at first, by the deepest of each day."""
    figure = go.Figure()
    for name, color in colors(record).items():
        run = record.runs[name]
        equity = run.total_pnl
        below = equity - np.maximum(np.maximum.accumulate(equity), 0.0)
        if name in RANKS:
            figure.add_trace(line(run.ts, below, name, color, _width(name), legendrank=_rank(name)))
            continue
        days = calendar(run.ts).starts
        deepest = np.minimum.reduceat(below, days)
        figure.add_trace(
            steps(run.ts[days], deepest, name, color, legendrank=_rank(name), visible="legendonly")
        )
    return layout(figure, f"below the peak, {record.quote}", record.market.ts)


def cost_chart(record: BacktestRecord) -> go.Figure:
    """Draw the hedge's costs as they added up."""
    run = record.runs["hedged"]
    parts = (("fees", OTHERS[0]), ("slippage", OTHERS[1]), ("funding", OTHERS[2]))
    figure = go.Figure([steps(run.ts, getattr(run, name), name, color) for name, color in parts])
    figure.add_trace(steps(run.ts, _total(run), "total", HEDGED, width=2.2))
    return layout(figure, f"paid so far, {record.quote}", run.ts)


def frontier_chart(record: BacktestRecord, result: Result) -> go.Figure:
    """Draw loss avoided against gain kept, with the line on which every costless constant hedge lies."""
    figure = go.Figure(
        go.Scatter(
            x=[0, 100],
            y=[100, 0],
            name="constant hedge ratios, 0 % to 100 %, without costs",
            mode="lines",
            line={"color": UNHEDGED, "dash": "dash", "width": 1.4},
            hoverinfo="skip",
        )
    )
    palette, points = colors(record), {"hedged": result["verdict"], **result["baselines"]}
    for i, (name, figures) in enumerate(points.items()):
        avoided, kept = figures["loss_avoided"], figures["gain_kept"]
        if avoided["value"] is None or kept["value"] is None:
            continue
        figure.add_scatter(
            x=[100 * avoided["value"]],
            y=[100 * kept["value"]],
            error_x=_whiskers(avoided),
            error_y=_whiskers(kept),
            name=label(name),
            mode="markers",
            marker={
                "color": palette[name],
                "size": 14 if name == "hedged" else 10,
                "symbol": "circle" if name == "hedged" else SYMBOLS[(i - 1) % len(SYMBOLS)],
            },
            hovertemplate=(
                f"<b>{label(name)}</b><br>loss avoided {percent(avoided['value'])}<br>gain kept "
                f"{percent(kept['value'])}<br>skill {signed(figures['skill']['value'])}<extra></extra>"
            ),
        )
    layout(figure, "gain kept, %", record.market.ts, 520)
    figure.update_xaxes(type="linear", range=None, title_text="loss avoided, %", hoverformat=None)
    return figure.update_layout(hovermode="closest", meta={"linked": False}, margin_b=58)


def _whiskers(estimate: Result) -> dict[str, object] | None:
    if estimate["low"] is None:
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, 100 * (estimate["high"] - estimate["value"]))],
        "arrayminus": [max(0.0, 100 * (estimate["value"] - estimate["low"]))],
        "thickness": 1.2,
        "width": 4,
    }


def _total(run: RunRecord) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return run.fees + run.slippage + run.funding


def _rank(name: str) -> int:
    return RANKS.get(name, len(RANKS) + 1)


def _width(name: str) -> float:
    return {"hedged": 2.2, "unhedged": 1.6}.get(name, 1.1)
