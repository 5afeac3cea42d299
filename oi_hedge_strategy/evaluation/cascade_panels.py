"""The cascades one by one: price, open interest, probability and hedge of each."""

from collections.abc import Iterable
from html import escape

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.cascades import CascadeEvent
from oi_hedge_strategy.evaluation.daily import hedge_ratio, rows_ending
from oi_hedge_strategy.evaluation.figures import span_lines
from oi_hedge_strategy.evaluation.records import BacktestRecord, Floats, Times
from oi_hedge_strategy.evaluation.small_multiples import HOUR_NS, Drawing, Track, scaled
from oi_hedge_strategy.evaluation.wording import Result, amount, hours, moment, percent

BEFORE_HOURS = 48
AFTER_HOURS = 24
SHOWN = 24
PRICE_HEIGHT = 74.0
SCALES = (0.05, 0.1, 0.25, 0.5, 1.0)


def cascade_gallery(record: BacktestRecord, result: Result) -> str:
    """Return a drawing for each cascade as HTML: the deepest at once, the others folded away."""
    events, outcomes = record.events, result["cascades"]["events"]
    if not events:
        return "<p>There was no cascade in the period.</p>"
    total = total_interest(record)
    cards = [_card(record, event, outcome, total) for event, outcome in zip(events, outcomes, strict=True)]
    deepest = set(sorted(range(len(events)), key=lambda i: -events[i].depth)[:SHOWN])
    shown = _grid(card for i, card in enumerate(cards) if i in deepest)
    if len(cards) <= SHOWN:
        return shown
    rest = _grid(card for i, card in enumerate(cards) if i not in deepest)
    return f"{shown}<details><summary>The {len(cards) - SHOWN} less deep ones</summary>{rest}</details>"


def total_interest(record: BacktestRecord) -> Floats:
    """Return the open interest of all venues known at each bar, shape (n,), NaN where none is."""
    series = np.array(list(record.market.open_interest.values()))
    if not series.size:
        return np.full(record.market.ts.size, np.nan)
    known = np.isfinite(series)
    return np.where(known.any(axis=0), np.where(known, series, 0.0).sum(axis=0), np.nan)


def money(record: BacktestRecord, event: CascadeEvent) -> tuple[float, float]:
    """Return what exposure and hedge made from one horizon before the onset to the cascade's end."""
    run = record.runs["hedged"]
    begin = event.onset_ns - record.event_hours * HOUR_NS
    rows = np.minimum(rows_ending(run.ts, np.array([begin, event.end_ns])), run.ts.size - 1)
    exposure, hedge = np.diff(run.exposure_pnl[rows]), np.diff(run.hedge_pnl[rows])
    return float(exposure[0]), float(hedge[0])


def _card(record: BacktestRecord, event: CascadeEvent, outcome: Result, total: Floats) -> str:
    if not outcome["judged"]:
        seen, kind = "no decision before it", "unjudged"
    elif outcome["caught"]:
        seen, kind = f"alert {hours(outcome['lead_hours'])} before", "caught"
    else:
        seen, kind = "missed", "missed"
    exposure, hedge = money(record, event)
    when, sign = moment(event.onset_ns), "-" if event.side == "down" else "+"
    drawing = Drawing(event.onset_ns, event.end_ns, BEFORE_HOURS, AFTER_HOURS)
    picture = drawing.svg(_tracks(record, event.side, total, drawing.window), f"Cascade of {when} UTC")
    return (
        f'<article class="cascade"><h4>{when}</h4><p><strong>{sign}{percent(event.depth)}</strong>, '
        f'<span class="{kind}">{escape(seen)}</span><br>exposure {amount(exposure)}, hedge {amount(hedge)} '
        f"{escape(record.quote)}</p>{picture}</article>"
    )


def _tracks(record: BacktestRecord, side: str, total: Floats, window: tuple[int, int]) -> list[Track]:
    market, run = record.market, record.runs["hedged"]
    rows, held_rows = _within(market.ts, window), _within(run.ts, window)
    decided = record.decisions["ts"].to_numpy(np.int64)
    chosen = _within(decided, window)
    interest = total[rows]
    known = interest[np.isfinite(interest)]
    change = 100.0 * (interest / known[0] - 1.0) if known.size else interest
    held, probability = hedge_ratio(run)[held_rows], _probability(record, side)[chosen]
    full = max(1.0, float(np.nanmax(held, initial=0.0)))
    top = _scale(probability)
    alerts = tuple(span_lines(decided[chosen], record.decisions["alert"].to_numpy(np.bool_)[chosen]))
    return [
        scaled("price", market.ts[rows], market.close[rows], "{:,.0f}", height=PRICE_HEIGHT),
        scaled("OI", market.ts[rows], change, "{:+.1f} %"),
        Track(
            "forecast", decided[chosen], probability, 0.0, top, "0 %", f"{100 * top:g} %", shaded=alerts,
        ),
        Track("hedge", run.ts[held_rows], held, 0.0, full, "0 %", f"{100 * full:.0f} %", stepped=True),
    ]  # fmt: skip


def _grid(cards: Iterable[str]) -> str:
    return f'<div class="cascades">{"".join(cards)}</div>'


def _within(ts: Times, window: tuple[int, int]) -> slice:
    first, stop = np.searchsorted(ts, window)
    return slice(int(first), int(stop))


def _probability(record: BacktestRecord, side: str) -> NDArray[np.float64]:
    column = f"p_{side}_{record.event_hours}h"
    if column not in record.decisions:
        return np.full(len(record.decisions), np.nan)
    return record.decisions[column].to_numpy(np.float64)


def _scale(probability: Floats) -> float:
    """Return the least usual scale that holds every probability."""
    highest = float(np.nanmax(probability, initial=0.0))
    return next(scale for scale in SCALES if highest <= scale)
