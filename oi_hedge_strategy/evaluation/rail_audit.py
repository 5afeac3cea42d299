"""When each rail decided, and what it did."""

from typing import Any

import numpy as np
import pandas as pd

from oi_hedge_strategy.evaluation.daily import hedge_ratio
from oi_hedge_strategy.evaluation.records import BacktestRecord
from oi_hedge_strategy.evaluation.tables import table
from oi_hedge_strategy.evaluation.wording import amount, moment, percent

LONGEST = 150


def rail_episodes(record: BacktestRecord) -> list[dict[str, Any]]:
    """
    Return each run of decisions that one rail decided, in order.

    Each holds ``rail``, ``start`` and ``end`` (nanoseconds; `end` is the run's last decision), ``decisions``,
    the mean ratio ``wanted`` and ``allowed``, ``held`` at its end, ``hedge_pnl`` (what the hedge book made
    from its start to the decision after it) and the ``reason`` of its first decision.
    """
    decisions, run = record.decisions, record.runs["hedged"]
    rails = decisions["rail"].astype(str).to_numpy()
    ts = decisions["ts"].to_numpy(np.int64)
    breaks = np.flatnonzero(rails[1:] != rails[:-1]) + 1
    firsts, stops = np.append(0, breaks), np.append(breaks, rails.size)
    ratio, last = hedge_ratio(run), run.ts.size - 1
    found = []
    for first, stop in zip(firsts, stops, strict=True):
        if not rails[first]:
            continue
        group = decisions.iloc[first:stop]
        begin = int(np.clip(np.searchsorted(run.ts, ts[first], side="right") - 1, 0, last))
        end = int(np.clip(np.searchsorted(run.ts, ts[min(stop, ts.size - 1)], side="right") - 1, 0, last))
        found.append(
            {
                "rail": str(rails[first]),
                "start": int(ts[first]),
                "end": int(ts[stop - 1]),
                "decisions": int(stop - first),
                "wanted": _mean(group["wanted"]),
                "allowed": _mean(group["allowed"]),
                "held": float(ratio[end]) if np.isfinite(ratio[end]) else None,
                "hedge_pnl": float(run.hedge_pnl[end] - run.hedge_pnl[begin]),
                "reason": str(group["reason"].iloc[0]),
            }
        )
    return found


def rail_audit_table(record: BacktestRecord) -> str:
    """Return every episode of a rail as an HTML table; of very many the longest."""
    found = rail_episodes(record)
    shown = sorted(
        sorted(found, key=lambda each: -each["decisions"])[:LONGEST], key=lambda each: each["start"]
    )
    rows = [
        (
            moment(each["start"]),
            moment(each["end"]),
            each["rail"],
            f"{each['decisions']:,}",
            percent(each["wanted"]),
            percent(each["allowed"]),
            percent(each["held"]),
            amount(each["hedge_pnl"]),
            each["reason"],
        )
        for each in shown
    ]
    headers = ["from, UTC", "to, UTC", "rail", "decisions", "mean ratio wanted", "mean ratio allowed",
               "held at the end", f"the hedge made, {record.quote}", "reason at its start"]  # fmt: skip
    left_out = len(found) - len(shown)
    note = f"<p class='lead'>The {LONGEST} longest of {len(found):,} episodes.</p>" if left_out else ""
    return note + table(headers, rows, words=(0, 1, 2, 8))


def _mean(values: "pd.Series[float]") -> float | None:
    known = values.to_numpy(np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else None
