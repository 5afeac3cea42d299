"""What can be wrong with the level of open interest, judged by what was traded."""

from collections.abc import Iterator

import numpy as np

from oi_hedge_catalog.findings import Finding, Severity, when
from oi_hedge_catalog.series import BarSeries, OpenInterestSeries

BEYOND_SHARE = 0.005
"""Part of the rows that may change by more than the volume, for snapshots a little early or late."""


def check_turnover(interest: OpenInterestSeries, bars: BarSeries) -> Iterator[Finding]:
    """
    Find open interest that changes by more than was traded, with bars whose length is its step.

    Each contract that is opened or closed is traded, so no change of one side can exceed the volume. Where
    many do, both sides are counted, or contracts of another size, or the volume is not all of it. No
    comparison with other venues can tell, since none knows what this one ought to have.
    """
    step = int(bars.bar_type.spec.timedelta.total_seconds()) * 10**9
    regular = np.diff(interest.ts_event) == step
    times, change = interest.ts_event[1:][regular], np.abs(np.diff(interest.quantity))[regular]
    place = np.minimum(np.searchsorted(bars.ts_event, times), len(bars) - 1)
    traded = (bars.ts_event[place] == times) & (bars.volume[place] > 0.0) & np.isfinite(change)
    if not traded.any():
        return
    times, ratio = times[traded], change[traded] / bars.volume[place[traded]]
    beyond = np.flatnonzero(ratio > 1.0)
    if len(beyond) <= BEYOND_SHARE * len(ratio):
        return
    most = int(np.argmax(ratio))
    text = (
        f"quantity changes by more than the whole volume of the step in {len(beyond):,} of {len(ratio):,} "
        f"rows, {ratio[most]:.1f} times at {when(int(times[most]))}: both sides counted, another size of a "
        "contract, or positions that are not in the volume"
    )
    first = int(times[beyond[0]])
    row = int(np.searchsorted(interest.ts_event, first))
    yield Finding(
        Severity.WARNING, "beyond_volume", interest.identifier, "quantity", text, row, first, len(beyond)
    )
