"""Retrain on all data to date and promote the new model only when it is not worse than the one in use."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nautilus_trader.persistence.catalog import ParquetDataCatalog

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.evaluation.bootstrap import Estimate
from oi_hedge_strategy.evaluation.daily import DAY_NS
from oi_hedge_strategy.forecast.card import day
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.registry import Promotion, Registry
from oi_hedge_strategy.history import load_history
from oi_hedge_strategy.training.recent import mean_loss_difference, recent_forecasts

Fit = Callable[[Sequence[str] | None, int, Path, CascadeDefinition | None], object]
"""Train on assets (all by default) until a time, write the file, forecasting a cascade (the usual one)."""

LEAST_HELD_DAYS = 28
MOST_WORSE = 0.8
"""Share of resamples in which a challenger may be worse and still be promoted."""


@dataclass(frozen=True, slots=True)
class Retraining:
    """
    Hold what came of a retraining.

    Parameters
    ----------
    promoted : Promotion, optional
        The new entry of the registry, None where the champion was kept.
    champion : str
        The model in use before, empty where there was none.
    held_from, held_until : int
        The window that champion and challenger were compared on; equal where they were not.
    difference : Estimate, optional
        Mean log loss of the challenger less that of the champion; below zero where the challenger is better.
    worse : float, optional
        Share of resamples in which the challenger is worse.
    reason : str
        Why it was promoted, or why not.
    restart : bool
        Whether its inputs differ, or may, from the champion's, so that running strategies must be restarted.

    """

    promoted: Promotion | None
    champion: str
    held_from: int
    held_until: int
    difference: Estimate | None
    worse: float | None
    reason: str
    restart: bool


def retrain(
    registry: Registry,
    catalog: ParquetDataCatalog,
    until_ns: int,
    now_ns: int,
    fit: Fit,
    valid_days: int,
    assets: Sequence[str] | None = None,
    held_days: int = 90,
    event: str = "",
) -> Retraining:
    """
    Fit a challenger, compare it with the current model, and promote its refit where it is not worse.

    The challenger is first fitted without the last `held_days`, which the champion has not seen either. It is
    worse where its mean log loss over outputs and assets is higher in at least 80 % of the block resamples of
    that window. Where it is not, it is refitted on all data and promoted as of now.

    Parameters
    ----------
    registry : Registry
        Where the models are.
    catalog : ParquetDataCatalog
        The data.
    until_ns : int
        Nothing known later is read.
    now_ns : int
        The time of a promotion.
    fit : callable
        Trains a model; what counts as a cascade is taken from the champion.
    valid_days : int
        Days until a model that `fit` has trained expires.
    assets : sequence of str, optional
        Base coins; those of the champion by default, or all with open interest.
    held_days : int
        Length of the window that both are compared on; shorter where the champion has seen a part of it.
    event : str
        What happened that makes the champion's record worthless: the challenger is promoted without a
        comparison, and the registry keeps the name.

    Raises
    ------
    ModelError
        If the new model would be expired at once or is to know the future, or the champion has seen too
        much of the window.

    """
    if until_ns > now_ns:
        raise ModelError(f"nothing is known yet of {day(until_ns)}: name a day that is over, or leave it out")
    if until_ns + valid_days * DAY_NS <= now_ns:
        raise ModelError(
            f"a model trained until {day(until_ns)} and valid for {valid_days} days would have expired "
            f"by {day(now_ns)}: ingest newer data or raise --valid-days"
        )
    entry = registry.current
    champion = _champion(registry, entry, event) if entry is not None else None
    cascade = champion.card.cascade if champion is not None else None
    assets = assets or (champion.card.assets if champion is not None else None)
    with tempfile.TemporaryDirectory() as scratch:
        held_from, difference, worse = until_ns, None, None
        reason = f"event: {event}" if event else "first model"
        if champion is not None and not event:
            held_from = _held_from(champion, until_ns, held_days)
            path = Path(scratch) / "challenger.onnx"
            fit(assets, held_from, path, cascade)
            challenger = Forecaster.load(path)
            difference, worse = _compare(challenger, champion, catalog, held_from, until_ns)
            reason = _words(difference, worse, champion, held_from, until_ns)
        promoted, restart = None, False
        if worse is None or worse < MOST_WORSE:
            path = Path(scratch) / "candidate.onnx"
            fit(assets, until_ns, path, cascade)
            promoted = registry.add(path, now_ns, reason)
            schema = Forecaster.load(path).card.schema
            restart = entry is not None and (champion is None or schema != champion.card.schema)
    name = entry.model if entry is not None else ""
    return Retraining(promoted, name, held_from, until_ns, difference, worse, reason, restart)


def _champion(registry: Registry, entry: Promotion, event: str) -> Forecaster | None:
    """Return the current model; where an event forces a new one, None if its file is damaged."""
    try:
        return registry.load(entry)
    except ModelError:
        if event:
            return None
        raise


def _held_from(champion: Forecaster, until_ns: int, held_days: int) -> int:
    start = max(until_ns - held_days * DAY_NS, champion.card.trained_until)
    if until_ns - start < LEAST_HELD_DAYS * DAY_NS:
        raise ModelError(
            f"{champion.source}: trained until {day(champion.card.trained_until)}, it has seen all but "
            f"{(until_ns - start) / DAY_NS:.0f} days of the data, and a comparison needs {LEAST_HELD_DAYS}; "
            "wait, or name with --force-after-event what happened"
        )
    return start


def _compare(
    challenger: Forecaster,
    champion: Forecaster,
    catalog: ParquetDataCatalog,
    since_ns: int,
    until_ns: int,
) -> tuple[Estimate, float]:
    """Compare two models on the assets that both know."""
    definition = champion.card.cascade
    shared = [name for name in challenger.card.assets if name in champion.card.assets]
    if not shared:
        raise ModelError(f"{champion.source} knows none of {', '.join(challenger.card.assets)}")
    histories = [load_history(catalog, name, end_ns=until_ns) for name in shared]
    ours, theirs = (
        [recent_forecasts(model, each, since_ns, until_ns, definition) for each in histories]
        for model in (challenger, champion)
    )
    return mean_loss_difference(ours, theirs)


def _words(difference: Estimate, worse: float, champion: Forecaster, since: int, until: int) -> str:
    verdict = "worse" if worse >= MOST_WORSE else "not worse"
    return (
        f"{verdict} than {Path(champion.source).name} on {day(since)} to {day(until)}: log loss "
        f"{difference.value:+.4f} ({difference.low:+.4f} to {difference.high:+.4f}), worse in {worse:.0%} of "
        "resamples"
    )
