"""Turn raw as-of samples into scale-free features, inside the graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from oi_hedge_strategy.state.schema import CHANNELS, StateSchema

_STEP_HOURS = (0, 1, 2, 3, 4, 6, 8, 12, 18, 24, 36, 48, 72, 120, 168, 336, 720, 1440, 2160)
_SINCE_HOURS = (1, 4, 8, 12, 24, 48, 72, 168, 336, 720, 1440)
_WINDOW_HOURS = (4, 12, 24, 72, 168, 336, 720)
_PATH_HOURS = (24, 168, 720)
_SCALE_HOURS = 336
_EPSILON = 1e-8
_CLIP = 8.0
_FRESH_HOURS = 4.0
_PARKINSON = 1.0 / (4.0 * np.log(2.0))
_DAILY, _WEEKLY = (1, 2), (1, 2, 3)

_PRICED = ("log_price", "log_spot_price", "log_range")
"""Divided by volatility."""
_WALKS = ("log_price", "log_spot_price", "log_open_interest")
"""Changes grow with the square root of time; their level means nothing across venues and years."""
_NO_LEVEL = (*_WALKS, "log_volume", "wallet_concentration")
_UNIT = {"log_open_interest": 100.0, "funding_8h": 1e4, "basis": 1e3, "wallet_concentration": 100.0}
_AVERAGED = ("funding_8h", "basis")
_STREAMS = ("log_price", "log_open_interest", "funding_8h")


@dataclass(frozen=True, slots=True)
class Features:
    """
    Hold what the network reads.

    Parameters
    ----------
    steps : Tensor, shape (batch, venues, features, steps)
        By venue and time step, newest first.
    weights : Tensor, shape (batch, 2, venues)
        Over venues, each row summing to one or being zero: equal over those present; by open interest.
    market : Tensor, shape (batch, names)
        Of the whole market.
    volatility : Tensor, shape (batch, 1)
        Of the price per square-root hour.

    """

    steps: Tensor
    weights: Tensor
    market: Tensor
    volatility: Tensor


class MarketFeatures(nn.Module):
    """
    Compute features from raw samples: differences, ratios to volatility, freshness and the calendar.

    Log levels never reach the network as such: each venue's channels are differenced over steps and against
    the venue's own newest value; prices and ranges are divided by realised volatility. So assets, venues and
    years look alike, and a venue that is missing, stale or new is a mask. Few large operations do the work,
    since a small graph's time is the number of its nodes.

    Parameters
    ----------
    schema : StateSchema
        The inputs.
    channels : sequence of int
        Indices into `CHANNELS` that the training data contained; the others are ignored whatever they hold.

    Attributes
    ----------
    names : tuple of str
        Of the market features.
    step_features, steps : int
        Sizes of `Features.steps`.

    """

    channels: Tensor
    pairs: Tensor
    both: Tensor
    surplus: Tensor
    change_unit: Tensor
    change_priced: Tensor
    moves: Tensor
    moved: Tensor
    windows: Tensor
    averaged: Tensor
    average_unit: Tensor
    paths: Tensor
    path_unit: Tensor
    streams: Tensor
    lags: Tensor
    frequency: Tensor

    def __init__(self, schema: StateSchema, channels: Sequence[int]) -> None:
        super().__init__()
        names = [CHANNELS[at].name for at in channels]
        offsets = np.asarray(schema.offsets_hours, np.float64)
        steps, since = nearest(offsets, _STEP_HOURS), nearest(offsets, _SINCE_HOURS)
        since = since[since > 0]
        windows = _within(_WINDOW_HOURS, offsets)
        self.steps, self._since = steps.size - 1, since.size
        self._averaged = [name for name in _AVERAGED if name in names]
        self._price, self._range = names.index("log_price"), names.index("log_range")
        self._interest = names.index("log_open_interest")
        self.step_features = 2 * len(names) + len(_STREAMS)
        pairs, both, surplus, gaps = _pairs(offsets, steps, since)
        self._keep("pairs", pairs)
        self._keep("both", both)
        self._keep("surplus", surplus)
        self._keep("change_unit", _change_unit(names, gaps, self.steps))
        self._keep("change_priced", [[float(name in _PRICED)] for name in names])
        moves = _neighbours(offsets)
        self._keep("moves", moves)
        self._keep("moved", moves != 0.0)
        gap = np.diff(offsets, append=offsets[-1] + 1.0)
        self._keep("windows", np.stack([np.where(offsets < hours, gap, 0.0) for hours in windows], axis=1))
        self._keep("average_unit", [[_UNIT[name]] for name in self._averaged])
        paths = _within(_PATH_HOURS, offsets)
        self._keep("paths", np.stack([offsets <= hours for hours in paths]))
        self._keep("path_unit", [1.0 / np.sqrt(hours) for hours in paths])
        self._indices("channels", list(channels))
        self._indices("averaged", [names.index(name) for name in self._averaged])
        self._indices("streams", [names.index(name) for name in _STREAMS])
        self._indices("lags", steps[:-1])
        self._scale = windows.index(min(windows, key=lambda hours: abs(hours - _SCALE_HOURS)))
        turns = [[2 * pi * k / 24, 0.0] for k in _DAILY] + [[0.0, 2 * pi * k / 168] for k in _WEEKLY]
        self._keep("frequency", np.transpose(turns))
        bands = schema.liquidation_map.bands
        self.names = (
            *(f"log_{kind}_{hours:g}h" for kind in ("volatility", "range") for hours in windows),
            *(f"{name}_mean_{hours:g}h" for name in self._averaged for hours in windows),
            *(f"{name}_since_{offsets[at]:g}h" for name in names for at in since),
            *(f"{name}_{hours:g}h" for name in ("rise_to", "fall_to") for hours in paths),
            *(f"{side}_within_{edge:g}" for side in ("longs", "shorts") for edge in bands[1:]),
            *(f"{wave}_{at}" for wave in ("sin", "cos") for at in range(len(turns))),
        )

    def _keep(self, name: str, values: ArrayLike) -> None:
        self.register_buffer(name, torch.from_numpy(np.asarray(values, np.float32)))

    def _indices(self, name: str, values: Sequence[int] | NDArray[np.int64]) -> None:
        self.register_buffer(name, torch.tensor(np.asarray(values), dtype=torch.int64))

    def forward(
        self, values: Tensor, mask: Tensor, age: Tensor, liquidation_map: Tensor, clock: Tensor
    ) -> Features:
        """
        Return the features of snapshots.

        Parameters
        ----------
        values, mask, age : Tensor, shape (batch, venues, channels, offsets)
            All of the schema's channels.
        liquidation_map : Tensor, shape (batch, 2, bands)
            Where leverage would be liquidated.
        clock : Tensor, shape (batch, 2)
            Hours since midnight and since Monday.

        """
        known = mask.index_select(2, self.channels)
        raw = values.index_select(2, self.channels)
        counts = known.sum(1)
        levels, seen = raw.sum(1) / counts.clamp(min=1.0), counts.clamp(max=1.0)
        averages, deviations = self._windows(levels, seen)
        scale = torch.exp(-deviations[:, :1, self._scale : self._scale + 1])
        pair_known = torch.relu(known @ self.both - self.surplus)
        unit = self.change_unit * (1.0 + self.change_priced * (scale - 1.0))
        changes = ((raw @ self.pairs) * pair_known * unit[:, None]).clamp(-_CLIP, _CLIP)
        since = changes[..., 2 * self.steps :].sum(1)
        since = since / pair_known[..., 2 * self.steps :].sum(1).clamp(min=1.0)
        market = [
            deviations.flatten(1),
            averages.flatten(1),
            since.flatten(1),
            self._path(levels, seen, scale[:, 0]),
            torch.log1p(100.0 * liquidation_map).flatten(1),
            *self._calendar(clock),
        ]
        return Features(
            self._steps(changes, known, age),
            self._weights(raw, known),
            torch.cat(market, 1),
            1.0 / scale[:, 0],
        )

    def _windows(self, levels: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return averages over the windows, and log volatility by squared changes and by squared ranges."""
        price, price_seen = self._row(levels, self._price), self._row(seen, self._price)
        moved = torch.relu(price_seen @ self.moved - 1.0)
        squares = (price @ self.moves).square() * moved
        ranges = self._row(levels, self._range).square() * _PARKINSON
        averaged, known = levels.index_select(1, self.averaged), seen.index_select(1, self.averaged)
        hours = (torch.cat([moved, price_seen, known], 1) @ self.windows).clamp(min=1.0)
        means = (torch.cat([squares, ranges, averaged], 1) @ self.windows) / hours
        averages = (means[:, 2:] * self.average_unit).clamp(-_CLIP, _CLIP)
        return averages, 0.5 * torch.log(means[:, :2] + _EPSILON)

    def _path(self, levels: Tensor, seen: Tensor, scale: Tensor) -> Tensor:
        """Return how far each window's extremes lie above and below the price, shape (batch, n)."""
        price, known = self._row(levels, self._price), self._row(seen, self._price)
        inside = ((price - price[..., :1]) * known * known[..., :1]) * self.paths
        extremes = torch.cat([inside.amax(2) * self.path_unit, inside.amin(2) * self.path_unit], 1)
        return (extremes * scale).clamp(-_CLIP, _CLIP)

    def _steps(self, changes: Tensor, known: Tensor, age: Tensor) -> Tensor:
        """Return changes and levels by step, and how fresh each stream was, newest step first."""
        batch, venues, channels, _ = changes.shape
        flat = changes[..., : 2 * self.steps].reshape(batch, venues, 2 * channels, self.steps)
        at = self.streams
        old = age.index_select(2, self.channels.index_select(0, at)).index_select(3, self.lags)
        seen = known.index_select(2, at).index_select(3, self.lags)
        return torch.cat([flat, seen / (1.0 + old / _FRESH_HOURS)], 2)

    def _weights(self, raw: Tensor, known: Tensor) -> Tensor:
        """Return each venue's weight among those present, and its share of open interest."""
        present = known[..., 0].amax(2, keepdim=True)
        interest = known[:, :, self._interest, :1] * torch.exp(raw[:, :, self._interest, :1])
        both = torch.cat([present, interest], 2).transpose(1, 2)
        return both / both.sum(2, keepdim=True).clamp(min=_EPSILON)

    def _calendar(self, clock: Tensor) -> tuple[Tensor, Tensor]:
        angle = clock @ self.frequency
        return torch.sin(angle), torch.cos(angle)

    @staticmethod
    def _row(values: Tensor, at: int) -> Tensor:
        return values[:, at : at + 1]


class Standardiser(nn.Module):
    """Shift and scale features by the training data's mean and deviation, kept in the graph."""

    shift: Tensor
    scale: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def fit(self, values: Tensor) -> None:
        """Take mean and deviation from `values`, shape (samples, features)."""
        self.shift.copy_(values.mean(0))
        self.scale.copy_(1.0 / values.std(0).clamp(min=1e-3))

    def forward(self, values: Tensor) -> Tensor:
        """Standardise, clipped to five deviations."""
        return ((values - self.shift) * self.scale).clamp(-5.0, 5.0)


def nearest(offsets: NDArray[np.float64], hours: Sequence[float]) -> NDArray[np.int64]:
    """Return the indices of the offsets nearest to `hours`, each once, ascending."""
    return np.unique(np.abs(offsets[:, None] - np.asarray(hours)).argmin(axis=0))


def _within(hours: Sequence[float], offsets: NDArray[np.float64]) -> list[float]:
    """Return the windows that the look-back reaches, at least the shortest."""
    return [each for each in hours if each <= offsets[-1]] or [float(offsets[-1])]


def _pairs(
    offsets: NDArray[np.float64], steps: NDArray[np.int64], since: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """
    Return the matrix from samples to differences and levels, and what tells whether they are known.

    Columns are the changes over each step, the level at each step and the changes since `since`.

    Returns
    -------
    pairs, both : float64 array, shape (offsets, columns)
        Weights of the samples; where a sample takes part.
    surplus : float64 array, shape (columns,)
        A column is known when more than this many of its samples are.
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
    return pairs, np.abs(pairs), np.where(single, 0.0, 1.0), gaps


def _change_unit(names: Sequence[str], gaps: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Return the factor of each channel and column, zero for levels that mean nothing by themselves."""
    unit = np.array([_UNIT.get(name, 1.0) for name in names])[:, None]
    walks = np.array([name in _WALKS for name in names])[:, None]
    factor = unit * np.where(walks, 1.0 / np.sqrt(gaps), 1.0)
    bare = np.array([name in _NO_LEVEL for name in names])
    factor[bare, steps : 2 * steps] = 0.0
    return factor


def _neighbours(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix from samples to changes between neighbours per square-root hour; the last is none."""
    out = np.zeros((offsets.size, offsets.size))
    for at, gap in enumerate(np.diff(offsets)):
        out[at, at], out[at + 1, at] = 1.0 / np.sqrt(gap), -1.0 / np.sqrt(gap)
    return out
