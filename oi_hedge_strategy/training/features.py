"""Turn raw as-of samples into scale-free features, inside the graph."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from oi_hedge_strategy.state.schema import CHANNELS, StateSchema

_LAGS_HOURS = (0, 1, 4, 12, 24, 72, 168, 720)
_VOLATILITY_HOURS = (336, 24)
_EPSILON = 1e-6
_CLIP = 8.0
_PRICED = ("log_price", "log_spot_price", "log_range")
_UNIT = {"log_open_interest": 100.0, "funding_8h": 5e3, "basis": 5e2}
_LEVELS = ("log_range", "funding_8h", "basis")
_AGE_UNIT_HOURS = 8.0


class MarketFeatures(nn.Module):
    """
    Compute features from raw samples: differences, ratios to volatility, masks and ages.

    Log levels never reach the network as such: each channel is differenced between neighbouring offsets and
    against the same venue's newest value, and prices and ranges are divided by realised volatility, so that
    assets, venues and years look alike. The work is done for all channels at once, as few large operations,
    since a small graph's time is the number of its nodes. Masked samples are zero, as a `Snapshot` has them.

    Parameters
    ----------
    schema : StateSchema
        The inputs.
    channels : sequence of int
        Indices into `CHANNELS` that the training data contained; the others are ignored whatever they hold.

    """

    pairs: Tensor
    fixed_scale: Tensor
    priced_scale: Tensor
    fixed_level: Tensor
    priced_level: Tensor
    variance_weights: Tensor
    within: Tensor
    pooled: Tensor
    lags: Tensor

    def __init__(self, schema: StateSchema, channels: Sequence[int]) -> None:
        super().__init__()
        names = [CHANNELS[at].name for at in channels]
        offsets = np.asarray(schema.offsets_hours, np.float32)
        gaps = np.diff(offsets, append=offsets[-1] + 1.0)
        self._offsets = offsets.size
        self._price = names.index("log_price")
        unit = np.array([[_UNIT.get(name, 1.0)] for name in names])
        priced = np.array([[name in _PRICED] for name in names])
        scale = unit * np.concatenate([1.0 / np.sqrt(gaps), 1.0 / np.sqrt(np.maximum(offsets, 1.0))])
        level = unit * np.array([[name in _LEVELS] for name in names])
        variance = np.stack([np.where(offsets < hours, gaps, 0.0) for hours in _VOLATILITY_HOURS], axis=1)
        self._buffer("pairs", _pairs(offsets.size))
        self._buffer("fixed_scale", np.where(priced, 0.0, scale))
        self._buffer("priced_scale", np.where(priced, scale, 0.0))
        self._buffer("fixed_level", np.where(priced, 0.0, level))
        self._buffer("priced_level", np.where(priced, level, 0.0))
        self._buffer("variance_weights", variance)
        self._buffer("within", variance > 0.0)
        since = [2 * at + 1 for at in range(len(names))]
        levels = [2 * len(names) + names.index(name) for name in _LEVELS]
        self.register_buffer("pooled", torch.tensor(since + levels))
        lags = [int(np.abs(offsets - lag).argmin()) for lag in _LAGS_HOURS]
        self.register_buffer("lags", torch.tensor(lags))
        self.steps = 5 * len(names)
        bands = len(schema.liquidation_map.bands) - 1
        self.scalars = (len(since) + len(levels)) * len(lags) + len(_VOLATILITY_HOURS) + 2 * bands

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
        raw = (values @ self.pairs) * known
        volatility = self._volatility(raw[:, :, self._price], known[:, :, self._price])
        per_volatility = (1.0 / volatility[:, :1]).view(-1, 1, 1, 1)
        scaled = raw * (self.fixed_scale + self.priced_scale * per_volatility)
        levels = values * (self.fixed_level + self.priced_level * per_volatility)
        shape = (*values.shape[:2], -1, self._offsets)
        changes = torch.cat([scaled.reshape(shape), levels], 2).clamp(-_CLIP, _CLIP)
        seen = torch.cat([known.reshape(shape), mask], 2)
        steps = torch.cat([changes, mask, age * (1.0 / _AGE_UNIT_HOURS)], 2)
        total, count = (each[:, :, self.pooled][..., self.lags].sum(1) for each in (changes, seen))
        scalars = [
            (total / count.clamp(min=1.0)).flatten(1),
            torch.log(volatility),
            (10.0 * liquidation_map).flatten(1),
        ]
        return steps, torch.cat(scalars, 1), volatility[:, 0]

    def _volatility(self, raw: Tensor, known: Tensor) -> Tensor:
        """Return realised volatility per square-root hour over each of the spans, shape (batch, spans)."""
        moved = raw[..., : self._offsets].square().sum(1) @ self.within
        hours = known[..., : self._offsets].sum(1) @ self.variance_weights
        return (moved / hours.clamp(min=1.0) + _EPSILON).sqrt()


def _pairs(offsets: int) -> np.ndarray:
    """Return the matrix from samples to neighbouring differences and to differences from the newest."""
    pairs = np.zeros((offsets, 2 * offsets), np.float32)
    for at in range(offsets - 1):
        pairs[at, at], pairs[at + 1, at] = 1.0, -1.0
        pairs[0, offsets + at + 1], pairs[at + 1, offsets + at + 1] = 1.0, -1.0
    return pairs


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
