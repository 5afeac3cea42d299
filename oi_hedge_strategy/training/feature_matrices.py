"""The constant matrices by which samples on a grid of look-backs become changes, levels and windows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def nearest(offsets: NDArray[np.float64], hours: Sequence[float]) -> NDArray[np.int64]:
    """Return the indices of the offsets nearest to `hours`, each once, ascending."""
    return np.unique(np.abs(offsets[:, None] - np.asarray(hours)).argmin(axis=0))


def pair_matrices(
    offsets: NDArray[np.float64], steps: NDArray[np.int64], since: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return the matrix from samples to differences and levels.

    Columns are the changes over each step, the level at each step and the changes since `since`.

    Returns
    -------
    pairs : float64 array, shape (offsets, columns)
        Weights of the samples.
    gaps : float64 array, shape (columns,)
        Hours between the two samples, one for a level.

    """
    newer = np.concatenate([steps[:-1], steps[:-1], np.zeros_like(since)])
    older = np.concatenate([steps[1:], steps[:-1], since])
    columns = np.arange(newer.size)
    single = newer == older
    pairs = np.zeros((offsets.size, newer.size))
    pairs[newer, columns] = 1.0
    pairs[older[~single], columns[~single]] -= 1.0
    gaps = np.where(single, 1.0, offsets[older] - offsets[newer])
    return pairs, gaps


def shares(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of each sample in its column: a column is known where its known shares reach one."""
    part = matrix != 0.0
    return part / part.sum(axis=0).clip(min=1)


def against_newest(offsets: int) -> NDArray[np.float64]:
    """Return the matrix from samples to their differences from the newest one."""
    out = np.eye(offsets)
    out[0] -= 1.0
    return out


def neighbours(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix from samples to changes between neighbours per square-root hour; the last is none."""
    out = np.zeros((offsets.size, offsets.size))
    for at, gap in enumerate(np.diff(offsets)):
        out[at, at], out[at + 1, at] = 1.0 / np.sqrt(gap), -1.0 / np.sqrt(gap)
    return out
