"""Charts of what the hedge brought and cost."""

import numpy as np
import plotly.graph_objects as go

from oi_hedge_strategy.evaluation.charts import onsets
from oi_hedge_strategy.evaluation.daily import calendar
from oi_hedge_strategy.evaluation.figures import (
    HEDGED,
    OTHERS,
    UNHEDGED,
    Style,
    layout,
    line,
    mark_onsets,
    series_style,
    steps,
)
from oi_hedge_strategy.evaluation.records import BacktestRecord, RunRecord
from oi_hedge_strategy.evaluation.wording import spoken

RANKS = {"hedged": 1, "unhedged": 2}
SHOWN_BASELINES = 4


def styles(record: BacktestRecord) -> dict[str, Style]:
    """Return each run's colour and dash, the same in every chart, the hedged run last to be drawn on top."""
    others = [name for name in record.runs if name not in RANKS]
    chosen = {name: series_style(at) for at, name in enumerate(others)}
    own = {"unhedged": UNHEDGED, "hedged": HEDGED}
    return {**chosen, **{name: Style(color=color, dash="solid") for name, color in own.items()}}


def equity_chart(record: BacktestRecord) -> go.Figure:
    """Draw the P&L of exposure and hedge together for every run; all but the first baselines hidden."""
    figure = go.Figure()
    for at, (name, style) in enumerate(styles(record).items()):
        run = record.runs[name]
        visible = True if name in RANKS or at < SHOWN_BASELINES else "legendonly"
        figure.add_trace(
            line(
                run.ts, run.total_pnl, spoken(name), **style, width=_width(name), legendrank=_rank(name),
                visible=visible,
            )
        )  # fmt: skip
    return mark_onsets(
        layout(figure, f"P&L of exposure and hedge, {record.quote}", record.market.ts), onsets(record)
    )


def drawdown_chart(record: BacktestRecord) -> go.Figure:
    """Draw how far every run stood below its peak; baselines, hidden at first, by the deepest of each day."""
    figure = go.Figure()
    for name, style in styles(record).items():
        run = record.runs[name]
        equity = run.total_pnl
        below = equity - np.maximum(np.maximum.accumulate(equity), 0.0)
        if name in RANKS:
            figure.add_trace(line(run.ts, below, name, **style, width=_width(name), legendrank=_rank(name)))
            continue
        days = calendar(run.ts).starts
        deepest = np.minimum.reduceat(below, days)
        figure.add_trace(
            steps(run.ts[days], deepest, spoken(name), **style, legendrank=_rank(name), visible="legendonly")
        )
    return layout(figure, f"below the peak, {record.quote}", record.market.ts)


def cost_chart(record: BacktestRecord) -> go.Figure:
    """Draw the hedge's costs as they added up."""
    run = record.runs["hedged"]
    parts = (("fees", OTHERS[0]), ("slippage", OTHERS[1]), ("funding", OTHERS[2]))
    figure = go.Figure([steps(run.ts, getattr(run, name), name, color) for name, color in parts])
    figure.add_trace(steps(run.ts, _total(run), "total", HEDGED, width=2.2))
    return layout(figure, f"paid so far, {record.quote}", run.ts)


def account_chart(record: BacktestRecord) -> go.Figure:
    """Draw the hedge account's equity beside the notional of the exposure that it has to carry."""
    run = record.runs["hedged"]
    notional = np.abs(run.exposure_quantity) * record.market.close
    figure = go.Figure(
        [
            line(run.ts, notional, "notional of the exposure", UNHEDGED),
            line(run.ts, run.hedge_equity, "equity of the hedge account", HEDGED, 2.0),
        ]
    )
    return layout(figure, record.quote, run.ts, rangemode="tozero")


def _total(run: RunRecord) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return run.fees + run.slippage + run.funding


def _rank(name: str) -> int:
    return RANKS.get(name, len(RANKS) + 1)


def _width(name: str) -> float:
    return {"hedged": 2.2, "unhedged": 1.6}.get(name, 1.1)
