"""What drift is judged by: named numbers without scale, of one snapshot or of many samples."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.forecast.card import outputs
from oi_hedge_strategy.state.schema import CHANNELS, StateSchema

Floats = NDArray[np.float64]
_CHUNK = 512
_NEAR = 0.10
_USUAL_HOURS, _RECENT_HOURS = 336.0, 24.0
_RANGE = "log_range"
_CHANGES = ("log_price", "log_spot_price", "log_open_interest")


def drift_inputs(
    values: NDArray[Any],
    mask: NDArray[Any],
    age: NDArray[Any],
    liquidation_map: NDArray[Any],
    schema: StateSchema,
    channels: Sequence[int] | None = None,
) -> dict[str, Floats]:
    """
    Return what drift is judged by, each a number without scale for each sample, NaN where not known.

    Each channel is averaged over the venues that know it: prices and open interest by their change over a
    day in units of their own volatility over two weeks, the range in units of the price's, all others by the
    newest value less the mean of the venue's look-back, in deviations of it. Besides: the log ratio of one
    day's volatility to that of two weeks, the share of venues that are there, the mean age of what they
    brought last (hours), and of the liquidations within 10 % of the price the share of longs and the share
    of the whole map.

    Parameters
    ----------
    values, mask, age : array, shape (n, venues, channels, offsets)
        Of a `Snapshot` (n is 1) or of training samples.
    liquidation_map : array, shape (n, sides, bands)
        Beside them.
    schema : StateSchema
        Of the samples.
    channels : sequence of int, optional
        Indices into `CHANNELS` that axis 2 holds; all of them by default.

    Returns
    -------
    dict of str to float64 array, shape (n,)

    """
    names = [CHANNELS[at].name for at in (range(len(CHANNELS)) if channels is None else channels)]
    expected = (len(schema.venues), len(names), len(schema.offsets_hours))
    if values.shape[1:] != expected:
        raise ValueError(f"expected samples of shape {expected}, was {values.shape[1:]}")
    inputs = _inputs(schema, tuple(names))
    parts = [
        inputs.of(values[rows], mask[rows], age[rows], liquidation_map[rows])
        for rows in _chunks(values.shape[0])
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class _Inputs:
    """Compute the inputs of samples of one schema, all channels of a kind at once."""

    def __init__(self, schema: StateSchema, names: tuple[str, ...]) -> None:
        offsets = np.asarray(schema.offsets_hours)
        self._changed = [name for name in names if name in _CHANGES]
        self._compared = [name for name in names if name not in (*_CHANGES, _RANGE)]
        self._moving, self._levels = (
            np.array([names.index(each) for each in kind], np.int64)
            for kind in (self._changed, self._compared)
        )
        self._price = self._changed.index("log_price")
        self._range = names.index(_RANGE) if _RANGE in names else None
        self._day = int(np.abs(offsets - 24.0).argmin())
        self._day_root = float(np.sqrt(offsets[self._day]))
        self._gaps = np.diff(offsets)
        self._near = sum(1 for edge in schema.liquidation_map.bands[1:] if edge <= _NEAR + 1e-12)
        self._recent, self._usual = (
            int((offsets[:-1] < hours).sum()) for hours in (_RECENT_HOURS, _USUAL_HOURS)
        )

    def of(
        self, values: NDArray[Any], mask: NDArray[Any], age: NDArray[Any], levels: NDArray[Any]
    ) -> dict[str, Floats]:
        known = mask > 0
        series, there = values[:, :, self._moving], known[:, :, self._moving]
        recent, usual = self._volatility(series, there)
        both = there[..., 0] & there[..., self._day]
        change = _mean(series[..., 0] - series[..., self._day], both, axis=1) / (usual * self._day_root)
        out = dict(zip(self._changed, change.T, strict=True))
        compared = _against_look_back(values[:, :, self._levels], known[:, :, self._levels])
        out |= dict(zip(self._compared, compared.T, strict=True))
        price_volatility = usual[:, self._price]
        if self._range is not None:
            spread = _mean(values[:, :, self._range, 0], known[:, :, self._range, 0], axis=1)
            out[_RANGE] = spread / price_volatility
        out["volatility"] = np.log(recent[:, self._price] / price_volatility)
        now = known[..., 0]
        out["venues_present"] = now.any(axis=2).mean(axis=1)
        out["mean_age"] = _mean(age[..., 0].reshape(len(age), -1), now.reshape(len(age), -1), axis=1)
        near = levels[:, :, : self._near].sum(axis=2, dtype=np.float64)
        both_sides = near.sum(axis=1)
        out["liquidations_below"] = _ratio(near[:, 0], both_sides)
        out["liquidations_near"] = _ratio(both_sides, levels.sum(axis=(1, 2), dtype=np.float64))
        return out

    def _volatility(self, series: NDArray[Any], known: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """
        Return the volatility of log series per square-root hour, pooled over venues.

        Returns
        -------
        recent, usual : float64 array, shape (n, series)
            Over a day and over two weeks, NaN where nothing moved.

        """
        last = max(self._recent, self._usual)
        both = known[..., 1 : last + 1] & known[..., :last]
        moves = np.where(both, series[..., :last] - series[..., 1 : last + 1], 0.0).astype(np.float64)
        moved = np.einsum("nvco,nvco->nco", moves, moves)
        hours = both.sum(axis=1) * self._gaps[:last]
        found = [
            _ratio(moved[..., :s].sum(axis=2), hours[..., :s].sum(axis=2))
            for s in (self._recent, self._usual)
        ]
        recent, usual = (np.sqrt(np.where(each > 0.0, each, np.nan)) for each in found)
        return recent, usual


@lru_cache(maxsize=8)
def _inputs(schema: StateSchema, names: tuple[str, ...]) -> _Inputs:
    return _Inputs(schema, names)


def _against_look_back(series: NDArray[Any], known: NDArray[np.bool_]) -> Floats:
    """
    Return the newest value less the mean of the venue's look-back, in deviations, mean over venues.

    Parameters
    ----------
    series, known : array, shape (n, venues, series, offsets)
        Values and where they are known.

    Returns
    -------
    float64 array, shape (n, series)

    """
    mean = _mean(series, known, axis=3)
    centred = np.where(known, series - mean[..., None], 0.0)
    deviation = np.sqrt(_mean(centred**2, known, axis=3))
    usable = known[..., 0] & (deviation > 0.0)
    return _mean(_ratio(centred[..., 0], deviation), usable, axis=1)


def drift_outputs(probability: NDArray[Any], horizons_hours: Sequence[int]) -> dict[str, Floats]:
    """Return probabilities of shape (n, sides, horizons) by name: ``p_down_4h`` and so on."""
    return {
        f"p_{key}": np.asarray(probability[:, *index], np.float64) for key, index in outputs(horizons_hours)
    }


def _mean(values: NDArray[Any], known: NDArray[np.bool_], axis: int) -> Floats:
    """Return the mean along an axis where known, NaN where nothing is."""
    total = np.where(known, values, 0.0).sum(axis=axis, dtype=np.float64)
    return _ratio(total, known.sum(axis=axis))


def _ratio(part: Floats, whole: NDArray[Any]) -> Floats:
    """Return `part` over `whole`, NaN where there is no whole."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _chunks(rows: int) -> Iterator[slice]:
    yield from (slice(at, at + _CHUNK) for at in range(0, max(rows, 1), _CHUNK))
