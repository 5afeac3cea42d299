"""Time-ordered splits with purge and embargo."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oi_hedge_catalog.errors import CatalogError

EMBARGO_HOURS = 24.0
_HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class Split:
    """Hold row indices of the training, early-stopping and calibration windows, in the order of time."""

    training: NDArray[np.int64]
    stopping: NDArray[np.int64]
    calibration: NDArray[np.int64]


def purged_split(
    ts: NDArray[np.int64],
    horizon_hours: float,
    look_back_hours: float,
    embargo_hours: float = EMBARGO_HOURS,
    stopping_share: float = 0.12,
    calibration_share: float = 0.18,
) -> Split:
    """
    Split samples into training, early stopping and calibration, in this order of time.

    Between training and what follows lies a gap of horizon + look-back + embargo, so that no look-back
    window of a judged sample overlaps a training outcome. Early stopping only picks an epoch; a gap of
    horizon + embargo parts it from calibration.

    Parameters
    ----------
    ts : int64 array, shape (n,)
        Ascending decision times, nanoseconds.
    horizon_hours, look_back_hours, embargo_hours : float
        The parts of the gap.
    stopping_share, calibration_share : float
        Shares of the span, without the gaps.

    Raises
    ------
    CatalogError
        If a window would be empty.

    """
    purge = int((horizon_hours + look_back_hours + embargo_hours) * _HOUR_NS)
    gap = int((horizon_hours + embargo_hours) * _HOUR_NS)
    span = int(ts[-1]) - int(ts[0]) - purge - gap
    calibration_from = int(ts[-1]) - int(span * calibration_share)
    stopping_to = calibration_from - gap
    stopping_from = stopping_to - int(span * stopping_share)
    rows = (
        np.flatnonzero(ts < stopping_from - purge),
        np.flatnonzero((ts >= stopping_from) & (ts < stopping_to)),
        np.flatnonzero(ts >= calibration_from),
    )
    if span <= 0 or not all(each.size for each in rows):
        days = (int(ts[-1]) - int(ts[0])) / (24 * _HOUR_NS)
        raise CatalogError(
            f"{days:.0f} days of labelled samples are too few: {purge / (24 * _HOUR_NS):.0f} days "
            "are purged between training and validation; ingest a longer history"
        )
    return Split(*rows)
