"""Whether the market still looks as it did in training: named inputs, their reference, their distance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.cascades import SIDES
from oi_hedge_strategy.forecast.card import ModelCard, head
from oi_hedge_strategy.state.schema import CHANNELS, StateSchema

Floats = NDArray[np.float64]
BINS = 10
_CHUNK = 512
_FLOOR = 1e-3
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
        f"p_{head(side, hours)}": np.asarray(probability[:, s, h], np.float64)
        for s, side in enumerate(SIDES)
        for h, hours in enumerate(horizons_hours)
    }


@dataclass(frozen=True, slots=True)
class InputReference:
    """
    Hold how one input was distributed in training.

    Parameters
    ----------
    edges : tuple of float
        Deciles with least and largest value, equal ones once; the first lies just below the least value.
    shares : tuple of float
        Shares of the known values: at or below the first edge, between two edges, above the last.
    missing : float
        Share of samples in which it was not known.

    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    missing: float

    @classmethod
    def fit(cls, values: Floats) -> Self:
        """Return the reference of values of which at least one is known."""
        known = _singles(values[np.isfinite(values)])
        edges = _singles(np.quantile(known, np.linspace(0.0, 1.0, BINS + 1)))
        edges[0] = np.nextafter(edges[0], -np.inf)
        edges = np.unique(edges)
        shares = _count(known, edges) / known.size
        return cls(tuple(edges.tolist()), tuple(shares.tolist()), 1.0 - known.size / values.size)

    def psi(self, values: Floats) -> float:
        """
        Return the population stability index of `values` against the reference.

        ``sum((q - p) * log(q / p))`` over the bins, `p` the reference's shares, at least 1e-3, and `q` those
        of the known values, with half a value added to each bin, so that an empty one stays finite. Values
        that are missing more often than in training add their own term. NaN where there are no values.
        """
        if not values.size:
            return float("nan")
        known = values[np.isfinite(values)]
        found = _terms(np.asarray(self.shares), _count(known, np.asarray(self.edges)))
        gone = np.array([known.size, values.size - known.size])
        lost = _terms(np.array([1.0 - self.missing, self.missing]), gone)
        more = values.size - known.size > self.missing * values.size
        return float((found.sum() if known.size else 0.0) + (lost.sum() if more else 0.0))

    def cdf(self, values: Floats) -> Floats:
        """Return the reference's distribution function, linear between its edges."""
        edges = np.asarray(self.edges)
        below = np.cumsum(self.shares)[: edges.size]
        return np.interp(values, edges, below, left=0.0, right=1.0)


@dataclass(frozen=True, slots=True)
class DriftReference:
    """
    Hold how inputs and outputs were distributed in training; stored as ``reference["drift"]`` of a card.

    Parameters
    ----------
    inputs : mapping of str to InputReference
        By the names that `drift_inputs` and `drift_outputs` give.

    """

    inputs: Mapping[str, InputReference]

    @classmethod
    def fit(cls, values: Mapping[str, Floats]) -> Self:
        """Return the reference of training samples, without inputs that were never known."""
        known = {name: each for name, each in values.items() if np.isfinite(each).any()}
        return cls({name: InputReference.fit(each) for name, each in known.items()})

    def psi(self, values: Mapping[str, Floats]) -> dict[str, float]:
        """Return the population stability index of each input that both know."""
        return {name: each.psi(values[name]) for name, each in self.inputs.items() if name in values}

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain JSON fields."""
        return {
            name: {"edges": list(each.edges), "shares": list(each.shares), "missing": each.missing}
            for name, each in self.inputs.items()
        }

    @classmethod
    def from_card(cls, card: ModelCard, source: str) -> Self | None:
        """
        Return the reference of a card, None where it has none.

        Raises
        ------
        ModelError
            If the card's reference is damaged.

        """
        fields = card.reference.get("drift")
        return cls.from_dict(fields, source) if fields else None

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], source: str) -> Self:
        """
        Return the reference that `to_dict` wrote.

        Raises
        ------
        ModelError
            If it is damaged; the message names `source`.

        """
        try:
            inputs = {
                name: InputReference(tuple(each["edges"]), tuple(each["shares"]), float(each["missing"]))
                for name, each in fields.items()
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{source}: its drift reference is damaged ({error}); train it anew") from error
        for name, each in inputs.items():
            if len(each.shares) != len(each.edges) + 1:
                raise ModelError(
                    f"{source}: its drift reference of {name} has {len(each.edges)} edges and "
                    f"{len(each.shares)} shares, expected one share more; train it anew"
                )
        return cls(inputs)


def _count(known: Floats, edges: Floats) -> NDArray[np.int64]:
    """Return how many values lie at or below the first edge, between two edges, above the last."""
    at = np.searchsorted(edges, _singles(known), side="left")
    return np.bincount(at, minlength=edges.size + 1)


def _singles(values: Floats) -> Floats:
    """Round to single precision, so that what training stored lies in the bin of what is computed anew."""
    return values.astype(np.float32).astype(np.float64)


def _terms(shares: Floats, counts: NDArray[np.int64]) -> Floats:
    reference = np.maximum(shares, _FLOOR)
    reference = reference / reference.sum()
    found = (counts + 0.5) / (counts.sum() + 0.5 * counts.size)
    return (found - reference) * np.log(found / reference)


def _mean(values: NDArray[Any], known: NDArray[np.bool_], axis: int) -> Floats:
    """Return the mean along an axis where known, NaN where nothing is."""
    total = np.where(known, values, 0.0).sum(axis=axis, dtype=np.float64)
    return _ratio(total, known.sum(axis=axis))


def _ratio(part: Floats, whole: NDArray[Any]) -> Floats:
    """Return `part` over `whole`, NaN where there is no whole."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _chunks(rows: int) -> Iterator[slice]:
    yield from (slice(at, at + _CHUNK) for at in range(0, max(rows, 1), _CHUNK))
