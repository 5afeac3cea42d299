"""Turn raw as-of samples into scale-free features, inside the graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from oi_hedge_strategy.state.schema import CHANNELS, StateSchema
from oi_hedge_strategy.training.feature_matrices import (
    against_newest,
    nearest,
    neighbours,
    pair_matrices,
    shares,
)

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
    pair_shares: Tensor
    plain_unit: Tensor
    priced_unit: Tensor
    compared: Tensor
    compared_shares: Tensor
    measured: Tensor
    windows: Tensor
    window_unit: Tensor
    usual: Tensor
    paths: Tensor
    path_side: Tensor
    streams: Tensor
    lags: Tensor
    frequency: Tensor
    phase: Tensor

    def __init__(self, schema: StateSchema, channels: Sequence[int]) -> None:
        super().__init__()
        names = [CHANNELS[at].name for at in channels]
        offsets = np.asarray(schema.offsets_hours, np.float64)
        steps, since = nearest(offsets, _STEP_HOURS), nearest(offsets, _SINCE_HOURS)
        since = since[since > 0]
        windows = _within(_WINDOW_HOURS, offsets)
        self.steps = steps.size - 1
        averaged = [name for name in _AVERAGED if name in names]
        self._interest = names.index("log_open_interest")
        self.step_features = 2 * len(names) + len(_STREAMS)
        self._indices("channels", list(channels))
        self._keep_changes(offsets, names, steps, since)
        measured = ("log_price", "log_range", *averaged)
        self._indices("measured", [channels[names.index(name)] for name in measured])
        self._keep_windows(offsets, averaged, windows)
        paths = _within(_PATH_HOURS, offsets)
        reach = np.stack([(offsets <= hours) / np.sqrt(hours) for hours in paths])
        self._keep("paths", np.concatenate([reach, -reach]))
        self._keep("path_side", np.repeat([1.0, -1.0], len(paths)))
        self._indices("streams", [channels[names.index(name)] for name in _STREAMS])
        self._keep("lags", np.eye(offsets.size)[:, steps[:-1]])
        turns = [[2 * pi * k / 24, 0.0] for k in _DAILY] + [[0.0, 2 * pi * k / 168] for k in _WEEKLY]
        self._keep("frequency", np.transpose(turns + turns))
        self._keep("phase", np.repeat([0.0, pi / 2], len(turns)))
        bands = schema.liquidation_map.bands
        self.names = (
            *(f"log_{kind}_{hours:g}h" for kind in ("volatility", "range") for hours in windows),
            *(f"{name}_mean_{hours:g}h" for name in averaged for hours in windows),
            *(f"{name}_since_{offsets[at]:g}h" for name in names for at in since),
            *(f"{name}_{hours:g}h" for name in ("rise_to", "fall_to") for hours in paths),
            *(f"{side}_within_{edge:g}" for side in ("longs", "shorts") for edge in bands[1:]),
            *(f"{wave}_{at}" for wave in ("sin", "cos") for at in range(len(turns))),
        )

    def _keep(self, name: str, values: ArrayLike) -> None:
        self.register_buffer(name, torch.from_numpy(np.asarray(values, np.float32)))

    def _indices(self, name: str, values: Sequence[int] | NDArray[np.int64]) -> None:
        self.register_buffer(name, torch.tensor(np.asarray(values), dtype=torch.int64))

    def _keep_changes(
        self,
        offsets: NDArray[np.float64],
        names: Sequence[str],
        steps: NDArray[np.int64],
        since: NDArray[np.int64],
    ) -> None:
        pairs, gaps = pair_matrices(offsets, steps, since)
        self._keep("pairs", pairs)
        self._keep("pair_shares", shares(pairs))
        unit = _change_unit(names, gaps, self.steps)
        priced = np.array([[float(name in _PRICED)] for name in names])
        self._keep("plain_unit", unit * (1.0 - priced))
        self._keep("priced_unit", unit * priced)

    def _keep_windows(
        self,
        offsets: NDArray[np.float64],
        averaged: Sequence[str],
        windows: Sequence[float],
    ) -> None:
        compared = np.concatenate([neighbours(offsets), against_newest(offsets.size)], axis=1)
        self._keep("compared", compared)
        self._keep("compared_shares", shares(compared))
        gap = np.diff(offsets, append=offsets[-1] + 1.0)
        self._keep("windows", np.stack([np.where(offsets < hours, gap, 0.0) for hours in windows], axis=1))
        self._keep("window_unit", [[1.0], [_PARKINSON], *([_UNIT[name]] for name in averaged)])
        usual = min(range(len(windows)), key=lambda at: abs(windows[at] - _SCALE_HOURS))
        self._keep("usual", -np.eye(2 * len(windows))[:, [usual]])

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
        deviations, averages, relative = self._windows(
            values.index_select(2, self.measured).sum(1), mask.index_select(2, self.measured).sum(1)
        )
        scale = torch.exp(deviations @ self.usual)
        unit = self.plain_unit + self.priced_unit * scale.reshape(-1, 1, 1, 1)
        pair_known = torch.floor(known @ self.pair_shares)
        changes = ((raw @ self.pairs) * pair_known * unit).clamp(-_CLIP, _CLIP)
        by_step, since = changes[..., : 2 * self.steps], changes[..., 2 * self.steps :].sum(1)
        since = since / pair_known[..., 2 * self.steps :].sum(1).clamp(min=1.0)
        market = [
            deviations,
            averages,
            since.flatten(1),
            self._path(relative, scale),
            torch.log1p(100.0 * liquidation_map).flatten(1),
            torch.sin(torch.addmm(self.phase, clock, self.frequency)),
        ]
        return Features(
            self._steps(by_step, mask, age), self._weights(raw, known), torch.cat(market, 1), 1.0 / scale
        )

    def _windows(self, total: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Return what the windows hold of the means over venues.

        Parameters
        ----------
        total, counts : Tensor, shape (batch, measured, offsets)
            Sum over the venues that know it, and how many do: price, range and what is averaged.

        Returns
        -------
        deviations : Tensor, shape (batch, 2 * windows)
            Log volatility by squared changes and by squared ranges.
        averages : Tensor, shape (batch, averaged * windows)
        relative : Tensor, shape (batch, 1, offsets)
            The price less the newest one, zero where either is not known.

        """
        offsets = total.shape[2]
        levels, seen = total / counts.clamp(min=1.0), counts.clamp(max=1.0)
        known = torch.floor(seen[:, :1] @ self.compared_shares)
        compared = (levels[:, :1] @ self.compared) * known
        moves, relative = compared[..., :offsets], compared[..., offsets:]
        hours = torch.cat([known[..., :offsets], seen[:, 1:]], 1) @ self.windows
        squares = [moves.square(), levels[:, 1:2].square()]
        totals = torch.cat([*squares, levels[:, 2:]], 1) @ self.windows
        means = (totals * self.window_unit) / hours.clamp(min=1.0)
        deviations = 0.5 * torch.log(means[:, :2].flatten(1) + _EPSILON)
        return deviations, means[:, 2:].flatten(1).clamp(-_CLIP, _CLIP), relative

    def _path(self, relative: Tensor, scale: Tensor) -> Tensor:
        """Return how far each window's extremes lie above and below the price, shape (batch, n)."""
        extremes = (relative * self.paths).amax(2) * self.path_side
        return (extremes * scale).clamp(-_CLIP, _CLIP)

    def _steps(self, changes: Tensor, mask: Tensor, age: Tensor) -> Tensor:
        """Return changes and levels by step, and how fresh each stream was, newest step first."""
        batch, venues, channels, _ = changes.shape
        seen, old = mask.index_select(2, self.streams), age.index_select(2, self.streams)
        fresh = (seen / (1.0 + old / _FRESH_HOURS)) @ self.lags
        return torch.cat([changes.reshape(batch, venues, 2 * channels, self.steps), fresh], 2)

    def _weights(self, raw: Tensor, known: Tensor) -> Tensor:
        """Return each venue's weight among those present, and its share of open interest."""
        now, at = known[..., 0], slice(self._interest, self._interest + 1)
        interest = now[:, :, at] * torch.exp(raw[..., 0][:, :, at])
        both = torch.cat([now.amax(2, keepdim=True), interest], 2)
        return (both / both.sum(1, keepdim=True).clamp(min=_EPSILON)).transpose(1, 2)


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


def _within(hours: Sequence[float], offsets: NDArray[np.float64]) -> list[float]:
    """Return the windows that the look-back reaches, at least the shortest."""
    return [each for each in hours if each <= offsets[-1]] or [float(offsets[-1])]


def _change_unit(names: Sequence[str], gaps: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Return the factor of each channel and column, zero for levels that mean nothing by themselves."""
    unit = np.array([_UNIT.get(name, 1.0) for name in names])[:, None]
    walks = np.array([name in _WALKS for name in names])[:, None]
    factor = unit * np.where(walks, 1.0 / np.sqrt(gaps), 1.0)
    bare = np.array([name in _NO_LEVEL for name in names])
    factor[bare, steps : 2 * steps] = 0.0
    return factor
