"""Whether the market still looks as it did in training: the reference of a card, and the distance to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.forecast.card import ModelCard
from oi_hedge_strategy.forecast.drift_inputs import Floats, drift_inputs, drift_outputs

__all__ = ["DriftReference", "InputReference", "drift_inputs", "drift_outputs"]

BINS = 10
_FLOOR = 1e-3


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
