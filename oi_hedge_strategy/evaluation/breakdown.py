"""Break a backtest down by month and by rail."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.daily import Calendar, DailyRun
from oi_hedge_strategy.evaluation.detection import EventOutcome
from oi_hedge_strategy.evaluation.effectiveness import gain_kept, loss_avoided
from oi_hedge_strategy.evaluation.records import Floats


def by_month(
    days: Calendar, hedged: DailyRun, unhedged: DailyRun, outcomes: Sequence[EventOutcome]
) -> list[dict[str, Any]]:
    """
    Return one row for each UTC month.

    Each row holds ``month``, ``days``, the P&L ``unhedged`` and ``hedged``, ``costs``, ``loss_avoided`` and
    ``gain_kept`` (None without a losing or gaining day), ``mean_hedge_ratio``, ``cascades`` and ``caught``.
    """
    months = days.days.astype("datetime64[M]")
    onsets = np.array([outcome.event.onset_ns for outcome in outcomes], dtype="datetime64[ns]")
    onset_months = onsets.astype("datetime64[M]")
    caught = np.array([outcome.caught for outcome in outcomes], dtype=bool)
    rows = []
    for month in np.unique(months):
        chosen = months == month
        pair = hedged.pnl[chosen], unhedged.pnl[chosen]
        ratios, exposed = hedged.hedge_ratio_sum[chosen].sum(), hedged.exposed_bars[chosen].sum()
        rows.append(
            {
                "month": str(month),
                "days": int(chosen.sum()),
                "unhedged": float(pair[1].sum()),
                "hedged": float(pair[0].sum()),
                "costs": float(hedged.costs[chosen].sum()),
                "loss_avoided": _number(loss_avoided(*pair)),
                "gain_kept": _number(gain_kept(*pair)),
                "mean_hedge_ratio": float(ratios / exposed) if exposed else None,
                "cascades": int((onset_months == month).sum()),
                "caught": int((caught & (onset_months == month)).sum()),
            }
        )
    return rows


def by_rail(decisions: pd.DataFrame) -> list[dict[str, Any]]:
    """
    Return one row for each rail that decided, most frequent first.

    Each row holds ``rail``, ``decisions``, ``share`` of all decisions, the mean ratio ``wanted`` and
    ``allowed``, the most common ``reason``, and the ``first`` and ``last`` time.
    """
    decided = decisions[decisions["rail"].astype(str) != ""]
    rows = []
    for rail, group in decided.groupby("rail", sort=True):
        ts = group["ts"].to_numpy(np.int64)
        rows.append(
            {
                "rail": str(rail),
                "decisions": len(group),
                "share": len(group) / len(decisions),
                "wanted": _mean(group["wanted"].to_numpy(np.float64)),
                "allowed": _mean(group["allowed"].to_numpy(np.float64)),
                "reason": str(group["reason"].mode().iloc[0]),
                "first": iso(int(ts[0])),
                "last": iso(int(ts[-1])),
            }
        )
    return sorted(rows, key=lambda row: -row["decisions"])


def iso(ns: int) -> str:
    """Return a time as ISO 8601 with seconds, UTC."""
    return f"{np.datetime64(ns, 'ns').astype('datetime64[s]')}Z"


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def _number(value: Floats) -> float | None:
    return float(value) if np.isfinite(value) else None
