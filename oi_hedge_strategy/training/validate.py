"""Judge a model on recent data: its performance against its card, and whether the market drifted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from numpy.typing import NDArray
from scipy import stats

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.evaluation.bootstrap import Estimate, resampled_estimate
from oi_hedge_strategy.forecast.card import ModelCard, day, outputs
from oi_hedge_strategy.forecast.drift import DriftReference
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.hedging.config import DriftConfig
from oi_hedge_strategy.history import AssetHistory, load_history
from oi_hedge_strategy.state import Stream
from oi_hedge_strategy.training.metrics import DayWeights, forecast_metrics
from oi_hedge_strategy.training.recent import RECENT, RecentForecasts, recent_forecasts
from oi_hedge_strategy.training.validation import Figure, InputDrift, Validation, Verdict

Floats = NDArray[np.float64]
JUDGED, MEAN = "ETH", "mean"
METRICS = {
    "roc_auc": ("roc_auc",),
    "pr_auc": ("pr_auc",),
    "brier_skill": ("brier_skill",),
    "log_loss": ("log_loss",),
    "calibration_error": ("calibration_error", "expected_calibration_error"),
}
"""Each with the names it may have in a card."""
_SKILL_MARGIN, _ECE_MARGIN = 0.01, 0.05
_ALIVE_NS = 7 * 86_400_000_000_000


@dataclass(slots=True)
class _Findings:
    ranked: bool = False
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def validate(
    forecaster: Forecaster,
    catalog: ParquetDataCatalog,
    since_ns: int,
    until_ns: int,
    limits: DriftConfig | None = None,
    asset: str | None = None,
) -> Validation:
    """
    Judge a model on that part of a period that it has not seen.

    It is degraded where the interval of the mean ROC-AUC over outputs lies below the card's, where that of
    the mean Brier skill against the card's base rates lies below -0.01, where that of the mean calibration
    error lies above the card's by more than 0.05, where an input or output has drifted beyond its limit, or
    where a venue has died or appeared. It is expired from its expiry on.

    Parameters
    ----------
    forecaster : Forecaster
        The model.
    catalog : ParquetDataCatalog
        The data, which must reach back before `since_ns` by the look-back.
    since_ns, until_ns : int
        The period.
    limits : DriftConfig, optional
        The limits of the drift monitor; its defaults by default.
    asset : str, optional
        Base coin; ETH by default, or the model's first.

    Raises
    ------
    CatalogError
        If the period is too short, or the asset is not in the catalog.
    ModelError
        If the model knows no such asset, or neither its ranking nor drift can be judged.

    """
    card = forecaster.card
    asset = asset or (JUDGED if JUDGED in card.assets else card.assets[0])
    if asset not in card.assets:
        raise ModelError(f"{forecaster.source}: no asset {asset}; trained on {', '.join(card.assets)}")
    history = load_history(catalog, asset, end_ns=until_ns)
    begin = max(since_ns, card.trained_until)
    recent = recent_forecasts(forecaster, history, begin, until_ns, card.cascade)
    found = _Findings()
    if begin > since_ns:
        found.notes.append(f"judged from {day(begin)} on: the model has seen what came before in training")
    figures = _figures(recent, card, asset)
    drift = _drift(recent, card, forecaster.source, limits or DriftConfig(), found)
    _judge_performance(figures, found)
    _judge_venues(history, card, until_ns, found)
    verdict: Verdict = "degraded" if found.reasons else "healthy"
    if until_ns >= card.expires:
        verdict = "expired"
        found.reasons.insert(0, f"expired on {day(card.expires)}")
    if verdict == "healthy" and not (drift or found.ranked):
        raise ModelError(f"{forecaster.source} cannot be judged: {'; '.join(found.notes)}")
    return Validation(
        forecaster.source, forecaster.sha256, asset, day(begin), day(until_ns), int(recent.ts.size),
        verdict, tuple(found.reasons), tuple(found.notes), figures, drift,
    )  # fmt: skip


def _figures(recent: RecentForecasts, card: ModelCard, asset: str) -> tuple[Figure, ...]:
    known = card.metrics.get(asset) or card.metrics.get("pooled", {})
    weights = DayWeights.of(recent.ts, RECENT)
    day_of = weights.day_of(recent.ts)
    found: dict[str, dict[str, Floats]] = {}
    rows = []
    for key, index in outputs(card.cascade.horizons_hours):
        y = recent.cascade[:, *index]
        judged = np.isfinite(y)
        if not judged.any():
            continue
        base = known.get(key, {}).get("prevalence")
        rate = None if base is None else np.full(int(judged.sum()), float(base))
        found[key] = forecast_metrics(
            recent.probability[judged][:, *index], y[judged], day_of[judged], weights, rate
        )
        rows += [_figure(key, m, found[key].get(m), _carded(known, key, m), weights.days) for m in METRICS]
    return (*rows, *(_mean_figure(found, known, metric, weights.days) for metric in METRICS))


def _mean_figure(
    found: Mapping[str, Mapping[str, Floats]], known: Mapping[str, Any], metric: str, days: int
) -> Figure:
    """Return the mean over the outputs with enough cascades for an interval, on the card over the same."""
    defined = [
        key
        for key, each in found.items()
        if metric in each
        and np.isfinite(each[metric][0])
        and np.isfinite(each[metric][1:]).mean() >= RECENT.level
    ]
    carded = [_carded(known, key, metric) for key in defined]
    values = np.mean([found[key][metric] for key in defined], axis=0) if defined else None
    complete = [each for each in carded if each is not None]
    mean = float(np.mean(complete)) if complete and len(complete) == len(carded) else None
    return _figure(MEAN, metric, values, mean, days)


def _figure(output: str, metric: str, values: Floats | None, card: float | None, days: int) -> Figure:
    undefined = "too few cascades in the period"
    if values is None:
        return Figure(
            output, metric, Estimate(None, reason=f"{undefined}, or no base rate on the card"), card
        )
    return Figure(
        output, metric, resampled_estimate(float(values[0]), values[1:], days, RECENT, undefined), card
    )


def _carded(known: Mapping[str, Any], key: str, metric: str) -> float | None:
    return next((float(known[key][name]) for name in METRICS[metric] if name in known.get(key, {})), None)


def _judge_performance(figures: Sequence[Figure], found: _Findings) -> None:
    mean = {each.metric: each for each in figures if each.output == MEAN}
    ranking, skill, error = mean["roc_auc"], mean["brier_skill"], mean["calibration_error"]
    found.ranked = ranking.recent.high is not None and ranking.card is not None
    if ranking.recent.high is None or ranking.card is None:
        why = ranking.recent.reason or "the card has no such figures"
        found.notes.append(f"ranking is not judged: {why}")
    elif ranking.recent.high < ranking.card:
        found.reasons.append(f"ranks worse than on its card: mean ROC-AUC {_against(ranking)}")
    if skill.recent.high is not None and skill.recent.high < -_SKILL_MARGIN:
        found.reasons.append(f"worse than the base rate alone: mean Brier skill {_against(skill)}")
    if (
        error.recent.low is not None
        and error.card is not None
        and error.recent.low > error.card + _ECE_MARGIN
    ):
        found.reasons.append(f"no longer calibrated: mean calibration error {_against(error)}")


def _against(figure: Figure) -> str:
    recent = figure.recent
    card = "" if figure.card is None else f", {figure.card:.3f} on the card"
    return f"{recent.value:.3f} ({recent.low:.3f} to {recent.high:.3f}){card}"


def _drift(
    recent: RecentForecasts, card: ModelCard, source: str, limits: DriftConfig, found: _Findings
) -> tuple[InputDrift, ...]:
    reference = DriftReference.from_card(card, source)
    if reference is None:
        found.notes.append("drift is not judged: the card carries no reference of the training data")
        return ()
    rows = []
    for name, psi in reference.psi(recent.inputs).items():
        limit, values = limits.limit(name), recent.inputs[name]
        known = values[np.isfinite(values)]
        ks = float(stats.ks_1samp(known, reference.inputs[name].cdf).statistic) if known.size else None
        rows.append(InputDrift(name, psi, limit if np.isfinite(limit) else None, ks))
        if psi > limit:
            found.reasons.append(f"drift of {name}: PSI {psi:.2f} above {limit:.2f}")
    return tuple(sorted(rows, key=lambda each: each.psi, reverse=True))


def _judge_venues(history: AssetHistory, card: ModelCard, until_ns: int, found: _Findings) -> None:
    """Note venues that brought data when training ended and do not now, and those that are new."""
    end = int(history.ts[-1])
    if end < until_ns - _ALIVE_NS:
        found.notes.append(f"the data end on {day(end)}: what came after is not judged")
    alive, known = _alive(history, end), set(card.schema.venues)
    for venue in sorted(_alive(history, card.trained_until) & known - alive):
        found.reasons.append(f"venue {venue} has brought nothing for a week; retrain without it")
    for venue in sorted(alive - known):
        found.reasons.append(f"venue {venue} is new and unknown to the model; retrain with it")


def _alive(history: AssetHistory, at: int) -> set[str]:
    """Return the venues with perpetual bars or open interest within the week before a time."""
    week = (history.ts > at - _ALIVE_NS) & (history.ts <= at)
    traded = np.isin(history.stream, (Stream.PERPETUAL, Stream.OPEN_INTEREST))
    return {history.venues[each] for each in np.unique(history.venue[week & traded])}
