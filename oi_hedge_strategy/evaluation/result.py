"""The figures of a backtest as plain data, and as `result.json`."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap
from oi_hedge_strategy.evaluation.breakdown import by_month, by_rail
from oi_hedge_strategy.evaluation.daily import Calendar, DailyRun, calendar, mean_notional, net_daily
from oi_hedge_strategy.evaluation.detection import Detection, judge_alerts
from oi_hedge_strategy.evaluation.effectiveness import (
    Effectiveness,
    judge,
    max_drawdown,
    measure,
    measure_book,
)
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.evaluation.headline import Headlines, headlines
from oi_hedge_strategy.evaluation.records import BacktestRecord, Floats
from oi_hedge_strategy.evaluation.reliability import reliability
from oi_hedge_strategy.evaluation.sections import (
    adverse_side,
    cascades_section,
    costs_section,
    exposure_section,
    intervals_section,
    period_section,
    run_section,
)
from oi_hedge_strategy.evaluation.sweep_sections import (
    costs_sweep_section,
    frontier_section,
    multiplicity_section,
    operating_section,
    rules_section,
)
from oi_hedge_strategy.evaluation.validation import check_record, exposure_differences
from oi_hedge_strategy.evaluation.verdict_sections import (
    ORACLE,
    all_runs,
    cascade_windows,
    differences_section,
    independent_events,
    netting_section,
    plain,
    regimes_section,
    years_section,
)

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class _Context:
    record: BacktestRecord
    days: Calendar
    daily: Mapping[str, DailyRun]
    measures: Mapping[str, Effectiveness]
    pnl: Mapping[str, Floats]
    found: Headlines
    bootstrap: BlockBootstrap

    @property
    def baselines(self) -> list[str]:
        return [name for name in self.record.runs if name not in ("hedged", "unhedged", ORACLE)]


def build_result(record: BacktestRecord, bootstrap: BlockBootstrap | None = None) -> dict[str, Any]:
    """
    Compute every figure of a backtest.

    Parameters
    ----------
    record : BacktestRecord
        The runs, the market and the decisions.
    bootstrap : BlockBootstrap, optional
        How the intervals are made.

    Returns
    -------
    dict
        Plain data without NaN. Figures with an interval are mappings of ``value``, ``low`` and ``high``, and
        ``reason`` where one of them is None.

    Raises
    ------
    DataError
        If the record cannot be judged.

    """
    check_record(record)
    context = _context(record, bootstrap or BlockBootstrap())
    detection = _detect(record)
    hedged, daily = context.measures["hedged"], context.daily
    result: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "simulated": record.simulated,
        "verdict": {**plain(context.found.of("hedged")), "words": judge(hedged.skill, "zero")},
        "effectiveness": {**hedged.to_dict(), **_drawdowns(context)},
        "baselines": _baselines(context),
        "costs": costs_section(record.runs["hedged"], record, context.days),
        **_judgements(context),
        "cascades": {
            **cascades_section(record, detection),
            "effectiveness": cascade_windows(record, context.bootstrap),
        },
        "calibration": reliability(record, context.bootstrap),
        "rails": by_rail(record.decisions),
        "months": by_month(context.days, daily["hedged"], daily["unhedged"], detection.outcomes),
        "runs": {name: run_section(run) for name, run in record.runs.items()},
        "bars_per_second": record.bars_per_second,
        "on_bar_us": {name: record.on_bar_us[name] for name in ("p50", "p99")},
        "period": period_section(record, context.days),
        "exposure": exposure_section(record),
        "hedge_instrument": record.hedge_instrument,
        "cost_note": record.cost_note,
        "model": dict(record.model),
        "intervals": intervals_section(context.bootstrap, context.days.days.size),
        "notes": [*record.notes, *_own_notes(record, context)],
    }
    found: dict[str, Any] = to_plain(result)
    return found


def write_result(path: Path, result: Mapping[str, Any]) -> Path:
    """Write a result as JSON, atomically, refusing NaN."""
    return write_text(path, json.dumps(result, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def to_plain(value: Any) -> Any:
    """Return a value as JSON knows it: NaN and infinity become None, numpy numbers Python's."""
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Sequence | set | frozenset):
        return [to_plain(item) for item in value]
    return str(value)


def _context(record: BacktestRecord, bootstrap: BlockBootstrap) -> _Context:
    days = calendar(record.market.ts)
    daily = {name: net_daily(run, record.market.close, days) for name, run in record.runs.items()}
    notional = mean_notional(record.runs["unhedged"], record.market.close)
    measures = {
        name: measure(daily[name], daily["unhedged"], bootstrap, notional) for name in ("hedged", "unhedged")
    }
    pnl = all_runs(record, days)
    found = headlines(dict(pnl), pnl["unhedged"], bootstrap)
    return _Context(record, days, daily, measures, pnl, found, bootstrap)


def _detect(record: BacktestRecord) -> Detection:
    decisions = record.decisions
    return judge_alerts(
        decisions["ts"].to_numpy(np.int64),
        decisions["alert"].to_numpy(np.bool_),
        record.events,
        record.event_hours,
        (_known_from(record), int(record.market.ts[-1])),
    )


def _known_from(record: BacktestRecord) -> int:
    """Return when the first decision was made of which it is known what followed: volatility takes days."""
    ts = record.decisions["ts"].to_numpy(np.int64)
    name = f"{adverse_side(record)}_{record.event_hours}h"
    if record.outcomes is None or name not in record.outcomes:
        return int(ts[0])
    known = np.isfinite(record.outcomes[name].to_numpy(np.float64))
    return int(ts[known.argmax()]) if known.any() else int(record.market.ts[-1]) + 1


def _judgements(context: _Context) -> dict[str, Any]:
    """Return the sections that judge; those of sweeps only where there was one."""
    record, days, found, pnl = context.record, context.days, context.found, context.pnl
    sections = {
        "differences": differences_section(record, found),
        "netting": netting_section(record, days, pnl, found),
        "years": years_section(days, pnl, record, context.bootstrap),
        "regimes": regimes_section(days, pnl, record, context.bootstrap),
        "frontier": frontier_section(record, found),
        "cost_sensitivity": costs_sweep_section(record, found),
        "operating_point": operating_section(record, days, pnl, found),
        "multiplicity": multiplicity_section(record, found),
        "independent_events": independent_events(record, days),
        "rule_parameters": rules_section(record),
    }
    return {name: section for name, section in sections.items() if section}


def _drawdowns(context: _Context) -> dict[str, Any]:
    """Return the largest drawdowns at bar closes, deeper than those at daily closes."""
    runs = context.record.runs
    at_bars = {
        name: max_drawdown(np.diff(runs[name].total_pnl, prepend=0.0)) for name in ("hedged", "unhedged")
    }
    return {
        "max_drawdown_unhedged": context.measures["unhedged"].max_drawdown.to_dict(),
        "max_drawdown_at_bars": at_bars,
    }


def _baselines(context: _Context) -> dict[str, Any]:
    found = {}
    for name in context.baselines:
        difference = context.found.difference("hedged", name)["skill"]
        found[name] = {
            **plain(context.found.of(name)),
            "difference": difference.to_dict(),
            "words": judge(difference, name),
            **plain(measure_book(context.daily[name], context.bootstrap)),
            "costs": costs_section(context.record.runs[name], context.record, context.days),
        }
    return found


def _own_notes(record: BacktestRecord, context: _Context) -> list[str]:
    notes = [
        f"The exposure of run {name!r} earned up to {gap:,.2f} other than that of the unhedged run, so that "
        "their comparison is not of the hedge alone."
        for name, gap in exposure_differences(record).items()
    ]
    still = context.daily["unhedged"].pnl == 0
    if still.any():
        lost = float(context.daily["hedged"].pnl[still].sum())
        notes.append(
            f"On {int(still.sum())} days the unhedged exposure neither gained nor lost; the {lost:,.2f} "
            "that the hedge made on them are in neither loss avoided nor gain kept."
        )
    return notes
