"""The judgement on a model: figures, drift, verdict."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from oi_hedge_strategy.evaluation.bootstrap import Estimate

Verdict = Literal["healthy", "degraded", "expired"]


@dataclass(frozen=True, slots=True)
class Figure:
    """Hold one metric of one output, or of their mean: on recent data with its interval, and on the card."""

    output: str
    metric: str
    recent: Estimate
    card: float | None


@dataclass(frozen=True, slots=True)
class InputDrift:
    """
    Hold how far one input or output is from its reference.

    Parameters
    ----------
    name : str
        Of the input.
    psi : float
        Population stability index.
    limit : float, optional
        PSI above which the model counts as degraded, None where the input never degrades it.
    ks : float, optional
        Kolmogorov-Smirnov distance, None where nothing is known. No p-value is given: hours are not
        independent.

    """

    name: str
    psi: float
    limit: float | None
    ks: float | None


@dataclass(frozen=True, slots=True)
class Validation:
    """
    Hold the judgement.

    Parameters
    ----------
    model, sha256 : str
        The file.
    asset : str
        The asset judged.
    since, until : str
        First and last day.
    samples : int
        Hours judged.
    verdict : str
        "healthy", "degraded" or "expired".
    reasons : tuple of str
        Why it is not healthy.
    notes : tuple of str
        What could not be judged, and why.
    figures : tuple of Figure
        By output and metric, the mean over outputs last.
    drift : tuple of InputDrift
        The largest first.

    """

    model: str
    sha256: str
    asset: str
    since: str
    until: str
    samples: int
    verdict: Verdict
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    figures: tuple[Figure, ...]
    drift: tuple[InputDrift, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON fields."""
        return asdict(self) | {
            "figures": [asdict(each) | {"recent": each.recent.to_dict()} for each in self.figures]
        }
