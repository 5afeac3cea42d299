"""The windows of a walk-forward: what a model may learn from by its date, and what it is judged on after."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.evaluation.breakdown import iso
from oi_hedge_strategy.state.schema import NANOSECONDS_PER_HOUR
from oi_hedge_strategy.training.feature_set import FeatureSet
from oi_hedge_strategy.training.split import EMBARGO_HOURS, purged_split

Rows = NDArray[np.int64]
FREQUENCIES = {"monthly": "MS", "quarterly": "QS", "yearly": "YS"}


@dataclass(frozen=True, slots=True)
class Fold:
    """
    Hold the rows of one model's windows.

    Parameters
    ----------
    until_ns : int
        The model's date: nothing known later has a part in it.
    training, stopping, calibration : int64 array
        Three windows in the order of time, purged of one another: a first fit takes from them when to stop,
        how much to regularise and how to calibrate.
    whole : int64 array
        All rows whose outcome was known by the date, less the embargo: the model itself is fitted on them.
    test : int64 array
        Rows after the date and before that of the next model.

    """

    until_ns: int
    training: Rows
    stopping: Rows
    calibration: Rows
    whole: Rows
    test: Rows

    @property
    def name(self) -> str:
        """Return the date."""
        return iso(self.until_ns)[:10]

    @property
    def key(self) -> str:
        """Return the date and a hash of all rows: what was fitted on one fold is no other's."""
        digest = hashlib.sha256()
        for rows in (self.training, self.stopping, self.calibration, self.whole, self.test):
            digest.update(np.asarray([rows.size, *rows], np.int64).tobytes())
        return f"{self.name}-{digest.hexdigest()[:12]}"

    def windows(self, data: FeatureSet) -> dict[str, tuple[str, str]]:
        """Return first and last decision time of each window that has rows, ISO 8601."""
        found = {}
        for name in ("training", "stopping", "calibration", "whole", "test"):
            rows = getattr(self, name)
            if rows.size:
                found[name] = iso(int(data.ts[rows[0]])), iso(int(data.ts[rows[-1]]))
        return found


def make_fold(data: FeatureSet, until_ns: int, test_until_ns: int | None = None) -> Fold:
    """
    Return the windows of a model of date `until_ns`.

    Parameters
    ----------
    data : FeatureSet
        Samples by time.
    until_ns : int
        The date.
    test_until_ns : int, optional
        The end of the test window; none by default.

    Raises
    ------
    CatalogError
        If a window would be empty.

    """
    ts = np.asarray(data.ts)
    horizon = data.definition.horizons_hours[-1]
    known = np.flatnonzero(ts <= until_ns - horizon * NANOSECONDS_PER_HOUR)
    if not known.size:
        raise CatalogError(f"no outcome was known by {iso(until_ns)}; ingest a longer history or start later")
    split = purged_split(ts[known], horizon, data.schema.offsets_hours[-1])
    embargoed = until_ns - int((horizon + EMBARGO_HOURS) * NANOSECONDS_PER_HOUR)
    end = until_ns if test_until_ns is None else test_until_ns
    return Fold(
        until_ns,
        known[split.training],
        known[split.stopping],
        known[split.calibration],
        known[ts[known] <= embargoed],
        np.flatnonzero((ts >= until_ns) & (ts < end)),
    )


def fold_dates(start_ns: int, end_ns: int, frequency: str) -> Iterator[tuple[int, int]]:
    """Yield each model's date and that of the next, from the first calendar date at or after `start_ns`."""
    dates = pd.date_range(
        pd.Timestamp(start_ns, tz="UTC").ceil("D"),
        pd.Timestamp(end_ns - 1, tz="UTC"),
        freq=FREQUENCIES[frequency],
    )
    moments = [int(each.value) for each in dates.as_unit("ns")]
    yield from zip(moments, [*moments[1:], end_ns], strict=True)
