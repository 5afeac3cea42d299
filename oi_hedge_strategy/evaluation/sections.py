"""The parts of a result that describe a run, its costs, its alerts and its setting."""

from dataclasses import asdict
from typing import Any

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap
from oi_hedge_strategy.evaluation.breakdown import iso
from oi_hedge_strategy.evaluation.daily import YEAR_NS, Calendar, bar_step, mean_notional
from oi_hedge_strategy.evaluation.detection import Detection, EventOutcome
from oi_hedge_strategy.evaluation.records import BacktestRecord, RunRecord

SIGNIFICANCE = 0.05
COSTS = ("fees", "slippage", "funding")


def costs_section(run: RunRecord, record: BacktestRecord, days: Calendar) -> dict[str, Any]:
    """Return what a run paid, in quote currency and as a share of the mean notional a year."""
    amounts = {name: float(getattr(run, name)[-1]) for name in COSTS}
    amounts["total"] = sum(amounts.values())
    notional = mean_notional(record.runs["unhedged"], record.market.close) * days.span_ns / YEAR_NS
    return {
        name: {"amount": amount, "share_per_year": amount / notional if notional > 0 else None}
        for name, amount in amounts.items()
    }


def cascades_section(record: BacktestRecord, detection: Detection) -> dict[str, Any]:
    """Return how the alerts met the cascades."""
    return {
        "count": len(detection.outcomes),
        "judged": detection.judged,
        "caught": detection.caught,
        "recall": detection.recall.to_dict(),
        "chance_recall": detection.chance_recall,
        "p_value": detection.p_value,
        "words": _chance_words(detection.p_value),
        "median_lead_hours": detection.median_lead_hours,
        "alert_episodes": detection.episodes,
        "false_alarms": detection.false_alarms,
        "undecided_episodes": detection.undecided,
        "false_alarms_per_week": detection.false_alarms_per_week,
        "share_of_time_in_alert": detection.share_of_time_in_alert,
        "event_hours": record.event_hours,
        "side": adverse_side(record),
        "definition": asdict(record.definition),
        "events": [_event(outcome) for outcome in detection.outcomes],
    }


def adverse_side(record: BacktestRecord) -> str:
    """Return the side that hurts the exposure: "down", "up", or "adverse" where the exposure changes sign."""
    quantity = record.runs["unhedged"].exposure_quantity
    if (quantity >= 0).all():
        return "down"
    return "up" if (quantity <= 0).all() else "adverse"


def _chance_words(p_value: float | None) -> str:
    if p_value is None:
        return "there was no cascade to catch"
    return "better than chance" if p_value < SIGNIFICANCE else "not distinguishable from chance"


def _event(outcome: EventOutcome) -> dict[str, Any]:
    event = outcome.event
    return {
        "side": event.side,
        "onset": iso(event.onset_ns),
        "end": iso(event.end_ns),
        "depth": event.depth,
        "judged": outcome.judged,
        "caught": outcome.caught,
        "lead_hours": outcome.lead_hours,
    }


def run_section(run: RunRecord) -> dict[str, Any]:
    """Return the final figures of one run."""
    return {
        "exposure_pnl": run.exposure_pnl[-1],
        "hedge_pnl": run.hedge_pnl[-1],
        "total_pnl": run.total_pnl[-1],
        "orders": run.orders,
        "fills": run.fills,
        "liquidations": run.liquidations,
    }


def period_section(record: BacktestRecord, days: Calendar) -> dict[str, Any]:
    """Return what time the record covers."""
    ts = record.market.ts
    return {
        "start": iso(int(ts[-1]) - days.span_ns),
        "end": iso(int(ts[-1])),
        "days": int(days.days.size),
        "bars": int(ts.size),
        "bar_minutes": bar_step(ts) / 60e9,
    }


def exposure_section(record: BacktestRecord) -> dict[str, Any]:
    """Return what was hedged."""
    return {
        "description": record.exposure,
        "asset": record.asset,
        "instrument": record.exposure_instrument,
        "mean_notional": mean_notional(record.runs["unhedged"], record.market.close),
        "quote": record.quote,
    }


def intervals_section(bootstrap: BlockBootstrap, days: int) -> dict[str, Any]:
    """Return how the intervals were made."""
    return {
        "method": "paired circular block bootstrap over UTC days, percentile",
        "level": bootstrap.level,
        "resamples": bootstrap.resamples,
        "block_days": bootstrap.block_days(days),
        "seed": bootstrap.seed,
        "recall": "Wilson",
    }
