"""The parts of a result that come from many runs: frontier, cost sensitivity, tuning, multiplicity."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap, Estimate
from oi_hedge_strategy.evaluation.breakdown import iso
from oi_hedge_strategy.evaluation.daily import Calendar, hedge_ratio, mean_notional, net_daily
from oi_hedge_strategy.evaluation.effectiveness import judge, measure
from oi_hedge_strategy.evaluation.headline import Headlines, headlines
from oi_hedge_strategy.evaluation.multiplicity import METHOD, SOURCE, deflate
from oi_hedge_strategy.evaluation.records import BacktestRecord, Floats, OperatingPoint, TunedPeriod
from oi_hedge_strategy.evaluation.verdict_sections import (
    ORACLE,
    TREND_RULE,
    TUNED,
    TUNED_CONSTANT,
    plain,
)

COSTS = ("impact", "latency")
SELDOM = 0.10
POLICIES = ("strategy", "full_stakes", "log_growth")


def frontier_section(record: BacktestRecord, found: Headlines) -> list[dict[str, Any]]:
    """Return every run as a point of loss avoided against gain kept."""
    rows = [
        _point(_label(each.run.name), each.kind, each.parameter, found, each.run.name)
        for each in record.trials
        if each.kind not in COSTS
    ]
    if not rows:
        return []
    if record.operating is not None:
        target = record.operating.target_loss_avoided
        rows.append(_point(_label(TUNED), TUNED, target, found, TUNED))
    for name in record.runs:
        if name not in ("hedged", "unhedged"):
            rows.append(_point(name, ORACLE if name == ORACLE else "baseline", None, found, name))
    return rows


def costs_sweep_section(record: BacktestRecord, found: Headlines) -> list[dict[str, Any]]:
    """Return the hedge at multiplied costs, one cost at a time; nothing where none was tried."""
    swept = [each for each in record.trials if each.kind in COSTS]
    if not swept:
        return []
    rows = [{"impact": 1.0, "latency": 1.0, **plain(found.of("hedged"))}]
    for each in swept:
        times = {kind: each.parameter if kind == each.kind else 1.0 for kind in COSTS}
        rows.append({**times, **plain(found.of(each.run.name))})
    return sorted(rows, key=lambda row: (row["latency"] != 1.0, row["impact"], row["latency"]))


def operating_section(
    record: BacktestRecord, days: Calendar, daily: Mapping[str, Floats], found: Headlines
) -> dict[str, Any] | None:
    """Return target and reached, and what each period used; None where nothing was tuned."""
    point = record.operating
    if point is None:
        return None
    reached = found.of(TUNED)
    apart = ("hedged", "unhedged", "constant", ORACLE)
    rivals = [TUNED_CONSTANT, *(name for name in record.runs if name not in apart)]
    return {
        "target_loss_avoided": point.target_loss_avoided,
        "reached": plain(reached),
        "constant": plain(found.of(TUNED_CONSTANT)),
        "words": _target_words(point.target_loss_avoided, reached["loss_avoided"]),
        "reached_since_tuned": _since_tuned(point, days, daily, found.bootstrap),
        "effectiveness": _measured(record, days, found.bootstrap),
        "as_configured": _seldom(record),
        "periods": [_tuned_period(each) for each in point.periods],
        "differences": [
            {"baseline": name, **plain(gap), "words": judge(gap["skill"], name)}
            for name in rivals
            for gap in [found.difference(TUNED, name)]
        ],
    }


def multiplicity_section(record: BacktestRecord, found: Headlines) -> dict[str, Any]:
    """Return the skill of the best configuration tried, deflated for their number."""
    names = (each.run.name for each in record.trials if each.kind in POLICIES)
    tried = list(dict.fromkeys(["hedged", *names]))
    if record.operating is not None:
        tried.append(TUNED)
    alone = deflate(found, tried)
    section = {"method": METHOD, "source": SOURCE, "configurations": len(tried), **alone}
    if TREND_RULE in found.names:
        against = deflate(found, tried, TREND_RULE)
        section |= {f"{key}_against_{TREND_RULE}": value for key, value in against.items()}
    return section


def rules_section(record: BacktestRecord) -> dict[str, Any]:
    """Return which parameter each rule had when, and on how many days it was chosen."""
    return {
        name: [
            {
                "start": iso(each.start_ns),
                "end": iso(each.end_ns),
                "parameter": each.parameter,
                "past_days": each.past_days,
            }
            for each in choices
        ]
        for name, choices in record.rule_choices.items()
        if any(each.past_days for each in choices)
    }


def _point(label: str, kind: str, parameter: float | None, found: Headlines, name: str) -> dict[str, Any]:
    return {"label": label, "kind": kind, "parameter": parameter, **plain(found.of(name))}


def _label(name: str) -> str:
    """Return a run's name as it is read."""
    return {"hedged": "as configured", TUNED: "tuned on the past"}.get(name, name)


def _tuned_period(period: TunedPeriod) -> dict[str, Any]:
    tuned = period.past_days > 0
    return {
        "start": iso(period.start_ns),
        "end": iso(period.end_ns),
        "parameters": period.label,
        "tuned_on": f"{period.past_days} days" if tuned else "nothing: too short a past",
        "loss_avoided_there": period.past_loss_avoided if tuned else None,
        "gain_kept_there": period.past_gain_kept if tuned else None,
    }


def _since_tuned(
    point: OperatingPoint, days: Calendar, daily: Mapping[str, Floats], bootstrap: BlockBootstrap
) -> dict[str, Any] | None:
    """Return what was reached from the first period on that had a past to be tuned on."""
    since = next((each.start_ns for each in point.periods if each.past_days), None)
    if since is None:
        return None
    rows = days.days >= np.datetime64(int(since), "ns").astype("datetime64[D]")
    later = {name: daily[name][rows] for name in (TUNED, "unhedged")}
    reached = headlines(later, later["unhedged"], bootstrap).of(TUNED)
    words = _target_words(point.target_loss_avoided, reached["loss_avoided"])
    return {"since": iso(since), "days": int(rows.sum()), **plain(reached), "words": words}


def _measured(record: BacktestRecord, days: Calendar, bootstrap: BlockBootstrap) -> dict[str, Any]:
    """Return every measure of the tuned hedge."""
    assert record.operating is not None
    close, alone = record.market.close, record.runs["unhedged"]
    tuned, unhedged = (net_daily(run, close, days) for run in (record.operating.run, alone))
    return measure(tuned, unhedged, bootstrap, mean_notional(alone, close)).to_dict()


def _seldom(record: BacktestRecord) -> dict[str, Any]:
    """Return how much the policy hedges as it is configured, and say so where that is seldom."""
    ratio = hedge_ratio(record.runs["hedged"])
    known = ratio[np.isfinite(ratio)]
    if not known.size:
        return {"words": "there was no exposure to hedge"}
    held = float(np.mean(known > 0.01))
    words = f"As configured the policy held a hedge {held:.0%} of the time, {known.mean():.1%} on average"
    if known.mean() < SELDOM:
        words += (
            ": its probabilities are calibrated and cascades are rare, so that it hedges seldom and leaves "
            "most losses to the trader; a target says how much to hedge"
        )
    return {"mean_hedge_ratio": float(known.mean()), "share_of_time_hedged": held, "words": f"{words}."}


def _target_words(target: float, reached: Estimate) -> str:
    if reached.value is None or reached.low is None or reached.high is None:
        return "whether the target was reached cannot be told"
    if reached.low > target:
        return "above the target"
    return "below the target" if reached.high < target else "not distinguishable from the target"
