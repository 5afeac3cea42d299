"""The training set: features of replayed market states beside what followed, kept on disk."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.state import StateSchema
from oi_hedge_strategy.training.features import MarketFeatures

ArraySpec = tuple[tuple[int, ...], type[np.generic]]
Singles = NDArray[np.float32]
VIEWS = ("recorded", "disturbed")
"""Samples as they were recorded, and with venues missing or late at random."""
_OUTCOMES = ("cascade", "change", "onset_hours", "auxiliary")
_KEYS = ("ts", "asset")
HEAD = "head.json"
"""Written last: a set that has it is complete."""


@dataclass(frozen=True, slots=True)
class View:
    """
    Hold the features of all samples; see `Features`.

    Parameters
    ----------
    steps : float16 array, shape (n, venues, features, steps)
        By venue and step.
    weights : float32 array, shape (n, 2, venues)
        Over venues.
    market : float32 array, shape (n, names)
        Of the whole market.
    volatility : float32 array, shape (n, 1)
        Per square-root hour.

    """

    steps: NDArray[np.float16]
    weights: Singles
    market: Singles
    volatility: Singles

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Return what a network reads of `rows`."""
        return (
            torch.from_numpy(self.steps[rows].astype(np.float32)),
            torch.from_numpy(np.asarray(self.weights[rows])),
            torch.from_numpy(np.asarray(self.market[rows])),
        )


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """
    Hold all assets' samples in the order of time; arrays are mapped from files, not held in memory.

    Parameters
    ----------
    path : Path
        The directory.
    ts : int64 array, shape (n,)
        Decision times, ascending.
    asset : int8 array, shape (n,)
        Index into `assets`.
    views : tuple of View
        As in `VIEWS`.
    cascade : float32 array, shape (n, sides, horizons)
        Whether a cascade followed, NaN where not known.
    change : float32 array, shape (n, horizons)
        The price change over the horizon, NaN where not known.
    onset_hours : float32 array, shape (n, sides, horizons)
        Hours until a cascade's move reached its threshold.
    auxiliary : float32 array, shape (n, 4, horizons)
        See `auxiliary_targets`.
    drift : float32 array, shape (n, inputs)
        What drift is judged by.
    assets : tuple of str
        Base coins.
    names : tuple of str
        Of the market features.
    drift_names : tuple of str
        Of the drift inputs.
    channels : tuple of int
        Indices into the schema's channels that the data contain.
    schema : StateSchema
        The inputs.
    definition : CascadeDefinition
        The outcome.
    fingerprint : str
        SHA-256 of everything that it was made from.

    """

    path: Path
    ts: NDArray[np.int64]
    asset: NDArray[np.int8]
    views: tuple[View, ...]
    cascade: Singles
    change: Singles
    onset_hours: Singles
    auxiliary: Singles
    drift: Singles
    assets: tuple[str, ...]
    names: tuple[str, ...]
    drift_names: tuple[str, ...]
    channels: tuple[int, ...]
    schema: StateSchema
    definition: CascadeDefinition
    fingerprint: str

    def __len__(self) -> int:
        return int(self.ts.size)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map the files of a finished set."""
        head = json.loads((path / HEAD).read_text())
        arrays = {name: load(path, name) for name in (*_KEYS, *_OUTCOMES, "drift")}
        views = tuple(View(*(load(path, f"{view}_{name}") for name in View.__slots__)) for view in VIEWS)
        cascade = head["definition"] | {"horizons_hours": tuple(head["definition"]["horizons_hours"])}
        return cls(
            path=path,
            views=views,
            assets=tuple(head["assets"]),
            names=tuple(head["names"]),
            drift_names=tuple(head["drift_names"]),
            channels=tuple(head["channels"]),
            schema=StateSchema.from_json(head["schema"]),
            definition=CascadeDefinition(**cascade),
            fingerprint=head["fingerprint"],
            **arrays,
        )

    def seen_venues(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which venue slots any of `rows` has data of, shape (venues,)."""
        every = rows[:: max(1, rows.size // 4096)]
        return np.asarray(self.views[0].weights[every][:, 0].max(axis=0) > 0.0)


def load(path: Path, name: str, mode: Literal["r", "r+"] = "r") -> NDArray[Any]:
    """Map one array of a set."""
    array: NDArray[Any] = np.load(path / f"{name}.npy", mmap_mode=mode, allow_pickle=False)
    return array


def allocate(path: Path, arrays: Mapping[str, ArraySpec]) -> None:
    """Make the files of a set, so that workers can fill their rows."""
    for name, (shape, dtype) in arrays.items():
        np.lib.format.open_memmap(path / f"{name}.npy", mode="w+", dtype=dtype, shape=shape).flush()


def view_arrays(n: int, venues: int, extractor: MarketFeatures) -> dict[str, ArraySpec]:
    """Return shape and type of the arrays of one view of `n` samples."""
    return {
        "steps": ((n, venues, extractor.step_features, extractor.steps), np.float16),
        "weights": ((n, 2, venues), np.float32),
        "market": ((n, len(extractor.names)), np.float32),
        "volatility": ((n, 1), np.float32),
    }
