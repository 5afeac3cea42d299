"""Choose how much to hedge on the past only: the wanted share of losses avoided, at the most gain kept."""

from collections.abc import Mapping, Sequence

import numpy as np

from oi_hedge_strategy.evaluation.daily import calendar, net_daily
from oi_hedge_strategy.evaluation.effectiveness import gain_kept, loss_avoided
from oi_hedge_strategy.evaluation.periods import LEAST_PAST_DAYS
from oi_hedge_strategy.evaluation.records import Floats, RunRecord, TunedPeriod


def choose(loss: Floats, gain: Floats, target: float) -> int:
    """
    Return which configuration to take: of those that reach the target the one that keeps the most gain.

    Where none reaches it, the one that avoids the most loss; of equals the first.

    Parameters
    ----------
    loss, gain : float64 array, shape (configurations,)
        Loss avoided and gain kept of each on the past.
    target : float
        The share of losses to avoid.

    """
    reached = loss >= target
    if reached.any():
        return int(np.argmax(np.where(reached, gain, -np.inf)))
    return int(np.argmax(np.where(np.isfinite(loss), loss, -np.inf)))


def tune_periods(
    runs: Mapping[str, RunRecord],
    unhedged: RunRecord,
    close: Floats,
    periods: Sequence[tuple[int, int]],
    target: float,
    default: str,
) -> tuple[TunedPeriod, ...]:
    """
    Choose a configuration for each period on the days of the run before it.

    Every run is causal: what it earned before a period does not depend on what came later, so that judging
    its prefix is judging what was known.

    Parameters
    ----------
    runs : mapping of str to RunRecord
        The configurations by label, over the whole time.
    unhedged : RunRecord
        The exposure alone.
    close : float64 array, shape (n,)
        The hedge instrument's closes.
    periods : sequence of (int, int)
        Start and end of each.
    target : float
        The share of losses to avoid.
    default : str
        The label that is used with fewer than 84 days of past.

    """
    days = calendar(unhedged.ts)
    labels = list(runs)
    hedged = np.stack([net_daily(runs[label], close, days).pnl for label in labels])
    alone = net_daily(unhedged, close, days).pnl
    found = []
    for start, end in periods:
        past = int(np.searchsorted(days.days, np.datetime64(int(start), "ns").astype("datetime64[D]")))
        loss, gain = loss_avoided(hedged[:, :past], alone[:past]), gain_kept(hedged[:, :past], alone[:past])
        if past < LEAST_PAST_DAYS or not np.isfinite(loss).any():
            found.append(TunedPeriod(start, end, default, 0, np.nan, np.nan))
            continue
        at = choose(loss, gain, target)
        found.append(TunedPeriod(start, end, labels[at], past, float(loss[at]), float(gain[at])))
    return tuple(found)
