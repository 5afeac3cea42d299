"""How much of the best configuration's skill is luck of having tried several."""

from typing import Any

import numpy as np

from oi_hedge_strategy.evaluation.bootstrap import Estimate
from oi_hedge_strategy.evaluation.headline import Headlines

METHOD = "reality check: bootstrap of the largest skill over all configurations, each centred on its own"
SOURCE = "White (2000), A Reality Check for Data Snooping, Econometrica 68 (5)"
SKILL = 2


def deflate(found: Headlines, tried: list[str], against: str | None = None) -> dict[str, Any]:
    """
    Return how sure the best of the tried configurations is, once it counts that it was picked.

    ``p = P(max_k (s*_k - s_k) >= max_k s_k)`` over the resamples, where ``s_k`` is the skill of configuration
    k, or its difference to that of `against`, and ``s*_k`` the same of a resample: the chance that the best
    of so many without any skill looks as good (White, 2000). All are resampled with the same blocks, so that
    configurations that behave alike count as hardly more than one.

    Parameters
    ----------
    found : Headlines
        All runs.
    tried : list of str
        The configurations among them.
    against : str, optional
        The run that is to be beaten; zero skill without.

    """
    rows = [found.names.index(name) for name in tried]
    values, resampled = found.values[SKILL, rows], found.resampled[SKILL][:, rows]
    if against is not None:
        other = found.names.index(against)
        values = values - found.values[SKILL, other]
        resampled = resampled - found.resampled[SKILL][:, [other]]
    best = int(np.argmax(np.nan_to_num(values, nan=-np.inf)))
    spread = (resampled - values)[np.isfinite(resampled).all(axis=1)]
    top = float(values[best])
    if not np.isfinite(top) or not len(spread) or found.units < found.bootstrap.min_days:
        reason = "too few days to tell skill from luck"
        return {"best": tried[best], "skill": Estimate(None, reason=reason).to_dict(), "words": reason}
    largest = spread.max(axis=1)
    single = float(np.mean(spread[:, best] >= top))
    p_value = float(np.mean(largest >= top))
    by_luck = float(np.quantile(largest, found.bootstrap.level))
    goal = "zero skill" if against is None else against
    sure = p_value < 1.0 - found.bootstrap.level
    return {
        "best": tried[best],
        "skill": Estimate(top).to_dict(),
        "p_value_alone": single,
        "p_value_deflated": p_value,
        "skill_by_luck": by_luck,
        "words": f"better than {goal}" if sure else f"not distinguishable from {goal}",
    }
