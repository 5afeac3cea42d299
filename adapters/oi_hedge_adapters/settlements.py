"""How long the interval of each settled funding rate was, which no venue's history says."""

import numpy as np

from oi_hedge_adapters.venues import FundingRule
from oi_hedge_catalog.series import Times

_MINUTE_NS = 60 * 10**9


def settled_minutes(settled_ns: Times, rule: FundingRule) -> Times:
    """
    Return the minutes that each settled rate is for: its distance from the settlement before.

    A distance that is longer than those on both sides of it, or than usual, means that settlements are
    missing, not that the interval was so long.

    Parameters
    ----------
    settled_ns : ndarray of int64, shape (rows,)
        Times of settlements in order, UNIX nanoseconds.
    rule : FundingRule
        The venue's, for the usual interval.
    """
    usual = rule.settled_minutes or rule.interval_minutes
    if len(settled_ns) < 2:
        return np.full(len(settled_ns), usual, np.int64)
    distance = np.round(np.diff(settled_ns) / _MINUTE_NS).astype(np.int64)
    distance = np.concatenate([distance[:1], distance])
    before = np.concatenate([distance[:1], distance[:-1]])
    after = np.concatenate([distance[1:], distance[-1:]])
    return np.minimum(np.minimum(distance, np.maximum(before, after)), usual)
