"""Turn raw as-of samples into scale-free features, inside the graph."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from oi_hedge_strategy.state.schema import CHANNELS, StateSchema

_LAGS_HOURS = (0, 1, 4, 12, 24, 72, 168, 720)
_SPREAD_LAGS = 2
_VOLATILITY_HOURS = (336, 24)
_EPSILON = 1e-6
_CLIP = 8.0
_PRICED = ("log_price", "log_spot_price", "log_range")
_UNIT = {"log_open_interest": 100.0, "funding_8h": 1e4, "basis": 1e3}
_LEVELS = ("log_range", "funding_8h", "basis")
_STREAMS = ("log_price", "log_open_interest", "funding_8h")


class MarketFeatures(nn.Module):
    """
    Compute features from raw samples: differences, ratios to volatility, masks and ages.

    Log levels never reach the network as such: each channel is differenced between neighbouring offsets and
    against the same venue's newest value, prices and ranges are divided by realised volatility, and volume
    by the venue's usual volume, so that assets, venues and years look alike. The work is done for all
    channels at once, as few large operations, since a small graph's time is the number of its nodes.

    Parameters
    ----------
    schema : StateSchema
        The inputs.
    channels : sequence of int
        Indices into `CHANNELS` that the training data contained; the others are ignored whatever they hold.

    """

    pairs: Tensor
    time_scale: Tensor
    variance_weights: Tensor
    within: Tensor
    priced: Tensor
    level_unit: Tensor
    level_priced: Tensor
    levels: Tensor
    streams: Tensor
    lags: Tensor

    def __init__(self, schema: StateSchema, channels: Sequence[int]) -> None:
        super().__init__()
        names = [CHANNELS[at].name for at in channels]
        offsets = np.asarray(schema.offsets_hours, np.float32)
        gaps = np.diff(offsets, append=offsets[-1] + 1.0)
        self._offsets = offsets.size
        self._price = names.index("log_price")
        self._interest = names.index("log_open_interest")
        self._volume = names.index("log_volume")
        scale = np.concatenate([1.0 / np.sqrt(gaps), 1.0 / np.sqrt(np.maximum(offsets, 1.0))])
        unit = np.array([_UNIT.get(name, 1.0) for name in names], np.float32)
        variance = np.stack([np.where(offsets < hours, gaps, 0.0) for hours in _VOLATILITY_HOURS], axis=1)
        lags = [int(np.abs(offsets - lag).argmin()) for lag in _LAGS_HOURS]
        self._buffer("pairs", _pairs(offsets.size))
        self._buffer("time_scale", scale[None] * unit[:, None])
        self._buffer("variance_weights", variance)
        self._buffer("within", variance > 0.0)
        self._buffer("priced", [[float(name in _PRICED)] for name in names])
        self._buffer("level_unit", [[_UNIT.get(name, 1.0)] for name in _LEVELS])
        self._buffer("level_priced", [[float(name in _PRICED)] for name in _LEVELS])
        self.register_buffer("levels", torch.tensor([names.index(name) for name in _LEVELS]))
        self.register_buffer("streams", torch.tensor([names.index(name) for name in _STREAMS]))
        self.register_buffer("lags", torch.tensor(lags))
        pooled = 2 + len(_LEVELS) + 1
        self.steps = 2 * len(names) + len(_LEVELS) + 1 + 2 * len(_STREAMS)
        bands = len(schema.liquidation_map.bands) - 1
        self.scalars = pooled * (len(lags) + _SPREAD_LAGS) + len(_VOLATILITY_HOURS) + 2 * bands

    def _buffer(self, name: str, values: ArrayLike) -> None:
        self.register_buffer(name, torch.from_numpy(np.asarray(values, np.float32)))

    def forward(
        self, values: Tensor, mask: Tensor, age: Tensor, liquidation_map: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """
        Return features by step, features of the whole market, and hourly volatility.

        Parameters
        ----------
        values, mask, age : Tensor, shape (batch, venues, channels, offsets)
            A `Snapshot`'s channels that were seen in training.
        liquidation_map : Tensor, shape (batch, 2, bands)
            A `Snapshot`'s liquidation map.

        Returns
        -------
        steps : Tensor, shape (batch, venues, features, offsets)
        scalars : Tensor, shape (batch, features)
        volatility : Tensor, shape (batch,)

        """
        known = torch.relu(mask @ self.pairs.abs() - 1.0)
        raw = values @ self.pairs
        volatility = self._volatility(raw[:, :, self._price], known[:, :, self._price])
        per_volatility = 1.0 / volatility[:, None, None, :1] - 1.0
        scale = self.time_scale * (1.0 + self.priced * per_volatility)
        changes = (raw * known * scale).clamp(-_CLIP, _CLIP)
        levels_known = mask[:, :, self.levels]
        level_scale = self.level_unit * (1.0 + self.level_priced * per_volatility)
        levels = _signed_log(values[:, :, self.levels] * level_scale) * levels_known
        activity, traded = self._activity(values, mask)
        changes = changes.reshape(*changes.shape[:2], -1, self._offsets)
        fresh = torch.log1p(age[:, :, self.streams])
        steps = torch.cat([changes, levels, activity, mask[:, :, self.streams], fresh], 2)
        ends = [2 * self._price + 1, 2 * self._interest + 1]
        since_known = known[:, :, [self._price, self._interest], self._offsets :]
        pooled = torch.cat([changes[:, :, ends], levels, activity], 2)[..., self.lags]
        pooled_known = torch.cat([since_known, levels_known, traded], 2)[..., self.lags]
        scalars = [
            *_over_venues(pooled, pooled_known),
            torch.log(volatility),
            torch.log1p(100.0 * liquidation_map).flatten(1),
        ]
        return steps, torch.cat(scalars, 1), volatility[:, 0]

    def _volatility(self, raw: Tensor, known: Tensor) -> Tensor:
        """Return realised volatility per square-root hour over each of the spans, shape (batch, spans)."""
        squares, both = raw[..., : self._offsets].square(), known[..., : self._offsets]
        moved = (squares * both).sum(1) @ self.within
        hours = both.sum(1) @ self.variance_weights
        return (moved / hours.clamp(min=1.0) + _EPSILON).sqrt()

    def _activity(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return log volume over the venue's mean log volume, and where it is known."""
        at = slice(self._volume, self._volume + 1)
        volume, known = values[:, :, at], mask[:, :, at]
        usual = (volume * known).sum(3, keepdim=True) / known.sum(3, keepdim=True).clamp(min=1.0)
        return (volume - usual).clamp(-_CLIP, _CLIP) * known, known


def _pairs(offsets: int) -> np.ndarray:
    """Return the matrix from samples to neighbouring differences and to differences from the newest."""
    pairs = np.zeros((offsets, 2 * offsets), np.float32)
    for at in range(offsets - 1):
        pairs[at, at], pairs[at + 1, at] = 1.0, -1.0
        pairs[0, offsets + at + 1], pairs[at + 1, offsets + at + 1] = 1.0, -1.0
    return pairs


def _signed_log(values: Tensor) -> Tensor:
    """Compress large values of either sign."""
    return torch.sign(values) * torch.log1p(values.abs())


def _over_venues(values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean over venues at each lag and the spread over venues at the first lags, flattened."""
    count = known.sum(1).clamp(min=1.0)
    mean = (values * known).sum(1) / count
    near = values[..., :_SPREAD_LAGS] - mean[:, None, :, :_SPREAD_LAGS]
    squares = (near.square() * known[..., :_SPREAD_LAGS]).sum(1) / count[..., :_SPREAD_LAGS]
    return mean.flatten(1), (squares + _EPSILON).sqrt().flatten(1)


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
        """Standardise, clipped to ten deviations."""
        return ((values - self.shift) * self.scale).clamp(-10.0, 10.0)


def horizon_roots(horizons: Sequence[int]) -> list[float]:
    """Return the square root of each horizon in hours."""
    return [sqrt(hours) for hours in horizons]
