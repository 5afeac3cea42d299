"""Turn raw as-of samples into scale-free features, inside the graph."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import torch
from torch import Tensor, nn

from oi_hedge_strategy.state.schema import CHANNELS, StateSchema

_LAGS_HOURS = (1, 4, 12, 24, 72, 168, 720)
_VOLATILITY_HOURS = 336
_EPSILON = 1e-6
_CLIP = 8.0


def _masked_mean(values: Tensor, mask: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    return (values * mask).sum(dim) / mask.sum(dim).clamp(min=1.0)


class MarketFeatures(nn.Module):
    """
    Compute features from raw samples: differences, ratios to volatility, masks and ages.

    Log levels never reach the network as such: each is differenced against the same venue's newest value
    and between neighbouring offsets, and price changes are divided by realised volatility, so that assets,
    venues and years look alike.

    Parameters
    ----------
    schema : StateSchema
        The inputs.
    channels : sequence of int
        Indices into `CHANNELS` that the training data contained; the others are ignored whatever they hold.

    """

    offsets: Tensor
    gaps: Tensor
    channels: Tensor
    lags: Tensor

    def __init__(self, schema: StateSchema, channels: Sequence[int]) -> None:
        super().__init__()
        self.names = [CHANNELS[at].name for at in channels]
        offsets = torch.tensor(schema.offsets_hours, dtype=torch.float32)
        self.register_buffer("offsets", offsets)
        self.register_buffer("gaps", torch.diff(offsets, append=offsets[-1:] + 1.0))
        self.register_buffer("channels", torch.tensor(list(channels)))
        grid = np.asarray(schema.offsets_hours)
        lags = [int(np.abs(grid - lag).argmin()) for lag in _LAGS_HOURS]
        self.register_buffer("lags", torch.tensor(lags))
        self._recent = int((grid < 24).sum())
        self._day = lags[_LAGS_HOURS.index(24)]
        self._volatility_span = int((grid < _VOLATILITY_HOURS).sum())
        self._extra = [n for n in self.names if n not in _KNOWN]
        self.steps = 16 + 2 * len(self._extra)
        self.scalars = 2 + 2 * len(_LAGS_HOURS) + 7 + 2 * (len(schema.liquidation_map.bands) - 1)

    def forward(
        self, values: Tensor, mask: Tensor, age: Tensor, liquidation_map: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """
        Return features by step, their venue mask, features of the whole market, and hourly volatility.

        Parameters
        ----------
        values, mask, age : Tensor, shape (batch, venues, channels, offsets)
            A `Snapshot`.
        liquidation_map : Tensor, shape (batch, 2, bands)
            A `Snapshot`'s liquidation map.

        Returns
        -------
        steps : Tensor, shape (batch, venues, features, offsets)
        present : Tensor, shape (batch, venues, offsets)
        scalars : Tensor, shape (batch, features)
        volatility : Tensor, shape (batch,)

        """
        value = {n: values[:, :, at] for n, at in zip(self.names, self._at(), strict=True)}
        known = {n: mask[:, :, at] for n, at in zip(self.names, self._at(), strict=True)}
        ages = {n: age[:, :, at] for n, at in zip(self.names, self._at(), strict=True)}
        price, price_known = value["log_price"], known["log_price"]
        change, change_known = self._increments(price, price_known)
        volatility = self._volatility(change, change_known, self._volatility_span)
        recent = self._volatility(change, change_known, self._recent)
        scale = volatility[:, None, None]
        root_gap, root_lag = self.gaps.sqrt(), self.offsets.clamp(min=1.0).sqrt()

        to_now, to_now_known = self._to_now(price, price_known)
        returns = (to_now / (scale * root_lag)).clamp(-_CLIP, _CLIP) * to_now_known
        steps_returns = (change / (scale * root_gap)).clamp(-_CLIP, _CLIP) * change_known

        interest, interest_known = value["log_open_interest"], known["log_open_interest"]
        built, built_known = self._to_now(interest, interest_known)
        flow, flow_known = self._increments(interest, interest_known)
        built_scaled = (built / (0.01 * root_lag)).clamp(-_CLIP, _CLIP) * built_known
        flow_scaled = (flow / (0.01 * root_gap)).clamp(-_CLIP, _CLIP) * flow_known

        range_known = known["log_range"]
        ranges = torch.log((value["log_range"].clamp(min=0.0) + _EPSILON) / scale).clamp(-_CLIP, _CLIP)
        volume, volume_known = value["log_volume"], known["log_volume"]
        usual = _masked_mean(volume, volume_known, -1)[..., None]
        activity = (volume - usual).clamp(-_CLIP, _CLIP) * volume_known
        funding, funding_known = torch.asinh(value["funding_8h"] * 1e4), known["funding_8h"]
        basis, basis_known = torch.asinh(value["basis"] * 1e3), known["basis"]

        fresh = [torch.log1p(ages[n]) for n in ("log_price", "log_open_interest", "funding_8h")]
        position = torch.log1p(self.offsets).expand_as(price)
        parts = [
            returns, steps_returns, ranges * range_known, activity, built_scaled, flow_scaled,
            funding * funding_known, basis * basis_known,
            price_known, interest_known, funding_known, basis_known, *fresh, position,
        ]  # fmt: skip
        for name in self._extra:
            parts += [value[name] * known[name], known[name]]
        present = torch.maximum(torch.maximum(price_known, interest_known), funding_known)

        scalars = [
            torch.log(volatility)[:, None],
            torch.log(recent / volatility)[:, None],
            self._at_lags(returns, to_now_known),
            self._at_lags(built_scaled, built_known),
            self._pooled(funding[..., 0], funding_known[..., 0]),
            _masked_mean(funding, funding_known, (1, 2))[:, None],
            self._spread(built_scaled[..., self._day], built_known[..., self._day]),
            _masked_mean(activity[..., : self._recent], volume_known[..., : self._recent], (1, 2))[:, None],
            self._pooled(basis[..., 0], basis_known[..., 0]),
            torch.log1p(100.0 * liquidation_map.clamp(min=0.0)).flatten(1),
        ]
        return torch.stack(parts, 2), present, torch.cat(scalars, 1), volatility

    def _at(self) -> range:
        return range(len(self.names))

    def _increments(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return each offset's value less the one before it in time, and where both are known."""
        both = nn.functional.pad(mask[..., :-1] * mask[..., 1:], (0, 1))
        return nn.functional.pad(values[..., :-1] - values[..., 1:], (0, 1)) * both, both

    def _to_now(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the newest value less each offset's, and where both are known."""
        both = mask * mask[..., :1]
        return (values[..., :1] - values) * both, both

    def _volatility(self, change: Tensor, known: Tensor, span: int) -> Tensor:
        """Return realised volatility per square-root hour over the first `span` offsets, all venues."""
        squares = (change.square() * known)[..., :span].sum((1, 2))
        hours = (self.gaps * known)[..., :span].sum((1, 2))
        return (squares / hours.clamp(min=1.0) + _EPSILON).sqrt()

    def _at_lags(self, values: Tensor, mask: Tensor) -> Tensor:
        """Return the mean over venues at each of the lags, shape (batch, lags)."""
        return _masked_mean(values[..., self.lags], mask[..., self.lags], 1)

    def _pooled(self, values: Tensor, mask: Tensor) -> Tensor:
        """Return mean and spread over venues, shape (batch, 2)."""
        return torch.cat([_masked_mean(values, mask, 1)[:, None], self._spread(values, mask)], 1)

    def _spread(self, values: Tensor, mask: Tensor) -> Tensor:
        mean = _masked_mean(values, mask, 1)[:, None]
        return (_masked_mean((values - mean).square(), mask, 1) + _EPSILON).sqrt()[:, None]


_KNOWN = {
    "log_price", "log_range", "log_volume", "basis", "log_open_interest", "funding_8h", "log_spot_price",
}  # fmt: skip


class Standardiser(nn.Module):
    """Shift and scale features by the training data's mean and deviation, kept in the graph."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))

    def fit(self, values: Tensor) -> None:
        """Take mean and deviation from `values`, shape (samples, features)."""
        self.mean.copy_(values.mean(0))
        self.deviation.copy_(values.std(0).clamp(min=1e-3))

    def forward(self, values: Tensor, dim: int) -> Tensor:
        """Standardise along `dim`, clipped to ten deviations."""
        shape = [1] * values.dim()
        shape[dim] = -1
        scaled = (values - self.mean.view(shape)) / self.deviation.view(shape)
        return scaled.clamp(-10.0, 10.0)


def horizon_roots(horizons: Sequence[int]) -> list[float]:
    """Return the square root of each horizon in hours."""
    return [sqrt(hours) for hours in horizons]
