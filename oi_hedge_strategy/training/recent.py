"""What a model file says about recent data, and what followed: the strategy's own state, replayed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.cascades import CascadeDefinition, label_cascades
from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap, Estimate, resampled_estimate
from oi_hedge_strategy.forecast.drift import drift_inputs, drift_outputs
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.history import DECISION_LAG_NS, AssetHistory
from oi_hedge_strategy.training.metrics import DayWeights
from oi_hedge_strategy.training.recording import Snapshots, record

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST_DAYS = 28
RECENT = BlockBootstrap(resamples=1_000)


@dataclass(frozen=True, slots=True)
class RecentForecasts:
    """
    Hold one asset's hourly forecasts and what followed; arrays have one row for each hour.

    Parameters
    ----------
    asset : str
        Base coin.
    ts : int64 array, shape (n,)
        Decision times.
    probability : float64 array, shape (n, sides, horizons)
        Calibrated probabilities.
    cascade : float64 array, shape (n, sides, horizons)
        Whether a cascade followed, NaN where not known.
    inputs : mapping of str to float64 array, shape (n,)
        Of `drift_inputs` and `drift_outputs`.

    """

    asset: str
    ts: Ints
    probability: Floats
    cascade: Floats
    inputs: dict[str, Floats]


def recent_forecasts(
    forecaster: Forecaster, history: AssetHistory, since_ns: int, until_ns: int, definition: CascadeDefinition
) -> RecentForecasts:
    """
    Replay a history through the model at every hour with open interest within a period.

    Parameters
    ----------
    forecaster : Forecaster
        The model.
    history : AssetHistory
        Read up to `until_ns`.
    since_ns, until_ns : int
        First and last decision.
    definition : CascadeDefinition
        What counts as a cascade; the horizons may be some of the model's.

    Raises
    ------
    CatalogError
        If the period holds less than 28 days of hours with open interest.

    """
    market = history.hourly()
    ts = market.ts + DECISION_LAG_NS
    known = np.isfinite(market.open_interest).any(axis=1) & np.isfinite(market.close)
    rows = np.flatnonzero(known & (ts >= since_ns) & (ts <= until_ns))
    if rows.size < LEAST_DAYS * 24:
        raise CatalogError(
            f"{history.asset}: {rows.size / 24:.0f} days with open interest in the period are too few to "
            f"judge by, at least {LEAST_DAYS} are needed; begin earlier or ingest more"
        )
    horizons = forecaster.card.cascade.horizons_hours
    at = [horizons.index(hours) for hours in definition.horizons_hours]
    likely, inputs = [], []
    progress = tqdm(total=rows.size, desc=history.asset, unit="hour", leave=False, disable=None)
    for part in record(history, forecaster.card.schema, ts[rows]):
        said = forecast_snapshots(forecaster, part)
        found = drift_inputs(*part.grids(), part.liquidation_map, forecaster.card.schema)
        inputs.append(found | drift_outputs(said, horizons))
        likely.append(said[:, :, at])
        progress.update(len(part))
    progress.close()
    return RecentForecasts(
        history.asset,
        ts[rows],
        np.concatenate(likely),
        label_cascades(market, definition).cascade[rows],
        {name: np.concatenate([part[name] for part in inputs]) for name in inputs[0]},
    )


def forecast_snapshots(forecaster: Forecaster, snapshots: Snapshots) -> Floats:
    """Return the probabilities for many snapshots, shape (n, sides, horizons)."""
    said = [forecaster.predict(snapshots.snapshot(row)).probability for row in range(len(snapshots))]
    return np.array(said, np.float64)


def mean_loss_difference(
    first: Sequence[RecentForecasts], second: Sequence[RecentForecasts], bootstrap: BlockBootstrap = RECENT
) -> tuple[Estimate, float]:
    """
    Compare two models on the same hours by their mean log loss over outputs.

    Parameters
    ----------
    first, second : sequence of RecentForecasts
        One for each asset, of the same definition and period; hours that only one of them has are left out.
    bootstrap : BlockBootstrap
        Blocks of days, the same for both and for all assets.

    Returns
    -------
    difference : Estimate
        Of the first less the second: below zero where the first is better.
    worse : float
        Share of resamples in which the first is worse.

    """
    ts, losses = [], []
    for one, other in zip(first, second, strict=True):
        shared, left, right = np.intersect1d(one.ts, other.ts, assume_unique=True, return_indices=True)
        ts.append(shared)
        losses.append(
            log_loss(one.probability[left], one.cascade[left])
            - log_loss(other.probability[right], other.cascade[right])
        )
    times, difference = np.concatenate(ts), np.concatenate(losses)
    kept = np.isfinite(difference).all(axis=(1, 2))
    if not kept.any():
        raise CatalogError("no hour of the period has a known outcome; ingest a longer history")
    weights = DayWeights.of(times[kept], bootstrap)
    day = weights.day_of(times[kept])
    mean = difference[kept].mean(axis=(1, 2))
    samples = weights.total(np.ones(mean.size), day)
    values = weights.total(mean, day) / samples
    found = resampled_estimate(float(values[0]), values[1:], weights.days, bootstrap, "no outcome is known")
    return found, float((values[1:] > 0.0).mean())


def log_loss(probability: Floats, cascade: Floats) -> Floats:
    """Return the negative log-likelihood of each outcome, NaN where it is not known."""
    p = np.clip(probability, 1e-7, 1.0 - 1e-7)
    return np.where(np.isnan(cascade), np.nan, -np.where(cascade == 1.0, np.log(p), np.log1p(-p)))
