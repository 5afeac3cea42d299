"""Fewer points for the same picture."""

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.records import Floats

LINE_POINTS = 2_400


def thinning_sentence(rows: int) -> str:
    """Return what `extremes` does to lines of so many rows, for captions; nothing where they stay whole."""
    if rows <= LINE_POINTS:
        return ""
    stretches = f"{LINE_POINTS // 2:,} equal stretches of time"
    return f" Of each of {stretches} the lowest and the highest value are drawn."


def extremes(values: Floats, most: int = LINE_POINTS, stepped: bool = False) -> NDArray[np.int64]:
    """
    Return the rows that a line through `values` may not do without.

    The rows are cut into bins of equal length, of each of which the lowest and the highest value stay, so
    that no peak is lost; so do the first and the last row, and the rows where NaN begin or end.

    Parameters
    ----------
    values : float64 array, shape (n,)
        The line, with NaN for gaps.
    most : int
        About how many rows to return; lines no longer than that stay whole.
    stepped : bool
        Whether a value holds until the next: then the first row of each bin stays too, so that no value seems
        to hold beyond its bin.

    Returns
    -------
    int64 array, shape (m,)
        Ascending.

    """
    n = values.size
    if n <= most:
        return np.arange(n)
    starts = np.unique(np.linspace(0, n, max(1, most // 2), endpoint=False).astype(np.int64))
    stops = np.append(starts[1:], n)
    missing = np.isnan(values)
    turns = np.flatnonzero(np.diff(missing))
    kept = [np.array([0, n - 1]), turns, turns + 1]
    if stepped:
        kept.append(starts)
    for padding, pick in ((np.inf, np.argmin), (-np.inf, np.argmax)):
        filled = np.where(missing, padding, values)
        width = int((stops - starts).max())
        padded = np.append(filled, np.full(width, padding))
        windows = np.lib.stride_tricks.sliding_window_view(padded, width)[starts]
        inside = np.arange(width) < (stops - starts)[:, None]
        kept.append(starts + pick(np.where(inside, windows, padding), axis=1))
    return np.unique(np.concatenate(kept))
