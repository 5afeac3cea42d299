"""Whether the market still looks as it did in training: named inputs, their reference, their distance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.cascades import SIDES
from oi_hedge_strategy.forecast.card import ModelCard, head
from oi_hedge_strategy.state.schema import CHANNELS, StateSchema

Floats = NDArray[np.float64]
BINS = 10
_CHUNK = 2048
_FLOOR = 1e-3
_NEAR = 0.10
_USUAL_HOURS, _RECENT_HOURS = 336.0, 24.0
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
    inputs = _Inputs(schema, names)
    parts = [
        inputs.of(values[rows], mask[rows], age[rows], liquidation_map[rows])
        for rows in _chunks(values.shape[0])
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class _Inputs:
    """Compute the inputs of samples of one schema."""

    def __init__(self, schema: StateSchema, names: list[str]) -> None:
        offsets = np.asarray(schema.offsets_hours)
        self._names = names
        self._price = names.index("log_price")
        self._day = int(np.abs(offsets - 24.0).argmin())
        self._day_root = float(np.sqrt(offsets[self._day]))
        self._gaps = np.diff(offsets)
        self._near = sum(1 for edge in schema.liquidation_map.bands[1:] if edge <= _NEAR + 1e-12)
        self._recent, self._usual = (offsets[:-1] < hours for hours in (_RECENT_HOURS, _USUAL_HOURS))

    def of(
        self, values: NDArray[Any], mask: NDArray[Any], age: NDArray[Any], levels: NDArray[Any]
    ) -> dict[str, Floats]:
        known = mask > 0
        prices, priced = values[:, :, self._price], known[:, :, self._price]
        recent, usual = (self._volatility(prices, priced, span) for span in (self._recent, self._usual))
        out = {}
        for at, name in enumerate(self._names):
            series, there = values[:, :, at], known[:, :, at]
            if name in _CHANGES:
                both = there[..., 0] & there[..., self._day]
                change = _mean(series[..., 0].astype(np.float64) - series[..., self._day], both)
                out[name] = change / (self._volatility(series, there, self._usual) * self._day_root)
            elif name == "log_range":
                out[name] = _mean(series[..., 0], there[..., 0]) / usual
            else:
                out[name] = _mean(*_against_look_back(series, there))
        out["volatility"] = np.log(recent / usual)
        now = known[..., 0]
        out["venues_present"] = now.any(axis=2).mean(axis=1)
        out["mean_age"] = _mean(age[..., 0].reshape(len(age), -1), now.reshape(len(age), -1))
        near = levels[:, :, : self._near].astype(np.float64).sum(axis=2)
        both_sides = near.sum(axis=1)
        out["liquidations_below"] = _ratio(near[:, 0], both_sides)
        out["liquidations_near"] = _ratio(both_sides, levels.astype(np.float64).sum(axis=(1, 2)))
        return out

    def _volatility(self, series: NDArray[Any], known: NDArray[np.bool_], span: NDArray[np.bool_]) -> Floats:
        """Return a log series' volatility per square-root hour over a span, NaN where it did not move."""
        before, after = series[..., 1:][..., span], series[..., :-1][..., span]
        both = known[..., 1:][..., span] & known[..., :-1][..., span]
        moved = np.where(both, after.astype(np.float64) - before, 0.0) ** 2
        hours = (both * self._gaps[span]).sum(axis=(1, 2))
        found = np.sqrt(_ratio(moved.sum(axis=(1, 2)), hours))
        return np.where(found > 0.0, found, np.nan)


def _against_look_back(series: NDArray[Any], known: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """Return each venue's newest value less the mean of its look-back, in deviations, and where known."""
    mean = _mean(series, known)
    centred = np.where(known, series - mean[..., None], 0.0)
    deviation = np.sqrt(_mean(centred**2, known))
    usable = known[..., 0] & (deviation > 0.0)
    return _ratio(centred[..., 0], deviation), usable


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
        known = values[np.isfinite(values)]
        edges = np.quantile(known, np.linspace(0.0, 1.0, BINS + 1))
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
    return np.bincount(np.searchsorted(edges, known, side="left"), minlength=edges.size + 1)


def _terms(shares: Floats, counts: NDArray[np.int64]) -> Floats:
    reference = np.maximum(shares, _FLOOR)
    reference = reference / reference.sum()
    found = (counts + 0.5) / (counts.sum() + 0.5 * counts.size)
    return (found - reference) * np.log(found / reference)


def _mean(values: NDArray[Any], known: NDArray[np.bool_]) -> Floats:
    """Return the mean over the last axis where known, NaN where nothing is."""
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1, dtype=np.float64)
    return _ratio(total, count)


def _ratio(part: Floats, whole: NDArray[Any]) -> Floats:
    """Return `part` over `whole`, NaN where there is no whole."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _chunks(rows: int) -> Iterator[slice]:
    yield from (slice(at, at + _CHUNK) for at in range(0, max(rows, 1), _CHUNK))
