"""The parts of a result that judge: differences, netting, parts of the period, cascades."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap, Estimate
from oi_hedge_strategy.evaluation.daily import Calendar, bar_step, rows_ending
from oi_hedge_strategy.evaluation.effectiveness import judge
from oi_hedge_strategy.evaluation.headline import Headlines, headlines
from oi_hedge_strategy.evaluation.netting import (
    EPISODE,
    daily_closes,
    episode_starts,
    regimes,
    week_starts,
)
from oi_hedge_strategy.evaluation.records import BacktestRecord, Floats

HOUR_NS = 3_600_000_000_000
TREND_RULE = "trend_28d"
TUNED, TUNED_CONSTANT = "tuned", "constant at the tuned ratio"
ORACLE = "oracle"


def all_runs(record: BacktestRecord, days: Calendar) -> dict[str, Floats]:
    """Return the net P&L by day of every run, of trials and of the tuned one, by name."""
    runs = dict(record.runs) | {each.run.name: each.run for each in record.trials}
    if record.operating is not None:
        runs |= {TUNED: record.operating.run, TUNED_CONSTANT: record.operating.constant}
    return {name: days.net(run.total_pnl) for name, run in runs.items()}


def differences_section(record: BacktestRecord, found: Headlines) -> list[dict[str, Any]]:
    """Return the paired differences, hedged less each other run of the record."""
    rows = []
    for name in record.runs:
        if name == "hedged":
            continue
        other = "no_hedge" if name == "unhedged" else name
        estimates = found.difference("hedged", name)
        rows.append({"baseline": other, **plain(estimates), "words": judge(estimates["skill"], other)})
    return rows


def netting_section(
    record: BacktestRecord, days: Calendar, daily: Mapping[str, Floats], found: Headlines
) -> list[dict[str, Any]]:
    """Return the figures with losses and gains netted by day, by week and by drawdown episode."""
    legs = episode_starts(daily_closes(record.market, days))
    units = {"week": week_starts(days), "episode": legs}
    rows = [_netted("day", found)]
    for unit, starts in units.items():
        sums = {name: np.add.reduceat(daily[name], starts) for name in _compared(record)}
        bootstrap = BlockBootstrap(min_block_days=2 if unit == "episode" else 4)
        rows.append(_netted(unit, headlines(sums, sums["unhedged"], bootstrap)))
    return rows


def years_section(
    days: Calendar, daily: Mapping[str, Floats], record: BacktestRecord, bootstrap: BlockBootstrap
) -> list[dict[str, Any]]:
    """Return the figures of each calendar year."""
    return _parts("year", days.days.astype("datetime64[Y]").astype(str), daily, record, bootstrap)


def regimes_section(
    days: Calendar, daily: Mapping[str, Floats], record: BacktestRecord, bootstrap: BlockBootstrap
) -> list[dict[str, Any]]:
    """Return the figures of the days of each regime, by what was known when a day began."""
    return _parts("regime", regimes(daily_closes(record.market, days)), daily, record, bootstrap)


def cascade_windows(record: BacktestRecord, bootstrap: BlockBootstrap) -> dict[str, Any]:
    """
    Return effectiveness within the cascades: from the horizon before an onset to the cascade's end.

    Windows that overlap are one. Loss avoided is of the windows in which the exposure lost, each netted.
    """
    ts, horizon = record.market.ts, record.event_hours * HOUR_NS
    windows: list[list[int]] = []
    for event in sorted(record.events, key=lambda event: event.onset_ns):
        first, last = event.onset_ns - horizon, event.end_ns
        if windows and first <= windows[-1][1]:
            windows[-1][1] = max(windows[-1][1], last)
        else:
            windows.append([first, last])
    spans = np.array(windows, np.int64).reshape(-1, 2)
    edges = np.minimum(rows_ending(ts, spans), ts.size - 1)
    edges = edges[(spans[:, 0] >= ts[0] - bar_step(ts)) & (edges[:, 1] > edges[:, 0])]
    if not len(edges):
        return {"windows": 0, "words": "there was no cascade to be hedged"}
    names = [name for name in record.runs if name != "unhedged"]
    sums = {name: np.diff(run.total_pnl[edges], axis=1)[:, 0] for name, run in record.runs.items()}
    drawn = BlockBootstrap(bootstrap.resamples, bootstrap.level, bootstrap.seed, min_block_days=1)
    found = headlines(sums, sums["unhedged"], drawn)
    return {
        "windows": len(edges),
        "unhedged_pnl": float(sums["unhedged"].sum()),
        "hedged_pnl": float(sums["hedged"].sum()),
        "loss_avoided": found.of("hedged")["loss_avoided"].to_dict(),
        "baselines": {
            name: {"loss_avoided": found.of(name)["loss_avoided"].to_dict()}
            for name in names
            if name != "hedged"
        },
    }


def independent_events(record: BacktestRecord, days: Calendar) -> dict[str, Any]:
    """Return how many events the verdict rests on that are far enough apart to be separate."""
    apart = record.definition.horizons_hours[-1]
    count, last = 0, None
    for event in sorted(record.events, key=lambda event: event.onset_ns):
        count += last is None or event.onset_ns - last > apart * HOUR_NS
        last = max(last or 0, event.end_ns)
    legs = episode_starts(daily_closes(record.market, days))
    return {
        "cascades": len(record.events),
        "independent_cascades": count,
        "hours_apart": apart,
        "episodes": int(legs.size),
        "words": (
            f"{count} cascades lie more than {apart} hours apart, and the price made {legs.size} falls and "
            f"rises of at least {EPISODE:.0%}: so many independent events the verdict rests on"
        ),
    }


def plain(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    """Return estimates as plain mappings."""
    return {name: estimate.to_dict() for name, estimate in estimates.items()}


def _parts(
    name: str,
    labels: NDArray[np.str_],
    daily: Mapping[str, Floats],
    record: BacktestRecord,
    bootstrap: BlockBootstrap,
) -> list[dict[str, Any]]:
    rows = []
    for label in dict.fromkeys(labels.tolist()):
        chosen = labels == label
        pnl = {each: daily[each][chosen] for each in _compared(record)}
        found = headlines(pnl, pnl["unhedged"], bootstrap)
        row = {name: str(label), "days": int(chosen.sum()), **plain(found.of("hedged"))}
        rows.append(row | _rivals(found))
    return rows


def _netted(unit: str, found: Headlines) -> dict[str, Any]:
    return {"netting": unit, "units": found.units, **plain(found.of("hedged")), **_rivals(found)}


def _rivals(found: Headlines) -> dict[str, Any]:
    return {
        f"skill_of_{name}": found.of(name)["skill"].to_dict()
        for name in (TREND_RULE, TUNED)
        if name in found.names
    }


def _compared(record: BacktestRecord) -> list[str]:
    return [*record.runs, *([TUNED] if record.operating is not None else [])]
