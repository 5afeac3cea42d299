"""How much of a simulated market's true probabilities a forecast recovers."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from numpy.typing import NDArray

from oi_hedge_catalog.errors import CatalogError, ConfigError
from oi_hedge_strategy.cascades import SIDES
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.history import DECISION_LAG_NS, AssetHistory, load_history
from oi_hedge_strategy.simulation.market_result import CascadeOutlook
from oi_hedge_strategy.simulation.market_truth_store import read_outlook, truth_file
from oi_hedge_strategy.state import MarketState

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recovery:
    """
    Hold how a forecast of one side and horizon stands to the truth.

    All figures are expectations under the true probabilities, so no luck of what came enters them: a moment
    of true probability p counts as p cascades and 1 - p quiet ones.

    Parameters
    ----------
    output : str
        Side and horizon, or "mean".
    moments : int
        How many.
    prevalence : float
        Mean true probability.
    roc_auc, oracle_roc_auc : float
        Expected area under the ROC curve of the forecast, and of the truth itself, the highest possible.
    brier_skill, oracle_brier_skill : float
        One less the expected Brier score over that of the mean true probability, of the forecast and of the
        truth. The oracle's is corrected for the noise of a finite number of paths.

    """

    output: str
    moments: int
    prevalence: float
    roc_auc: float
    oracle_roc_auc: float
    brier_skill: float
    oracle_brier_skill: float

    @property
    def ranking_recovered(self) -> float:
        """Return the share of the oracle's distance from chance, in ROC-AUC."""
        return (self.roc_auc - 0.5) / (self.oracle_roc_auc - 0.5)


def forecast_at(history: AssetHistory, forecaster: Forecaster, times: NDArray[np.int64]) -> Floats:
    """
    Return the model's probabilities as of moments, by the very state that the strategy keeps.

    Parameters
    ----------
    history : AssetHistory
        The data.
    forecaster : Forecaster
        The model.
    times : int64 array, shape (moments,)
        Closes of hourly bars; each forecast is made when that bar is known.

    Returns
    -------
    float64 array, shape (moments, sides, horizons)

    """
    snapshots = history.replay(MarketState(forecaster.card.schema), times + DECISION_LAG_NS)
    return np.array([forecaster.predict(each).probability for each in snapshots], np.float64)


def measure_recovery(catalog: ParquetDataCatalog, asset: str, forecaster: Forecaster) -> list[Recovery]:
    """
    Measure a model on a simulated catalog from the moment on at which its look-back is filled.

    Returns
    -------
    list of Recovery
        One for each side and horizon, and their mean last.

    Raises
    ------
    CatalogError
        If the catalog holds no true probabilities, or none after the look-back.
    ConfigError
        If the model has other horizons than the truth.

    """
    path = truth_file(catalog.path, asset, "probabilities")
    outlook = read_outlook(path)
    horizons = forecaster.card.cascade.horizons_hours
    if outlook.definition.horizons_hours != horizons:
        raise ConfigError(
            f"{forecaster.source} forecasts {horizons} hours, {path} holds the truth of "
            f"{outlook.definition.horizons_hours}; simulate the truth of the model's horizons"
        )
    history = load_history(catalog, asset)
    usable = outlook.times >= int(history.ts[0]) + forecaster.card.schema.look_back_ns
    if not usable.any():
        raise CatalogError(
            f"{path} has no moment after the model's look-back of "
            f"{forecaster.card.schema.look_back_ns / 86_400e9:.0f} days; simulate a longer market"
        )
    return compare(forecast_at(history, forecaster, outlook.times[usable]), outlook, usable)


def compare(forecast: Floats, outlook: CascadeOutlook, usable: NDArray[np.bool_]) -> list[Recovery]:
    """Return how `forecast`, shape (usable moments, sides, horizons), stands to their truth."""
    truth = outlook.probability[usable]
    found = [
        _recovery(f"{name} {hours} h", forecast[:, side, h], truth[:, side, h], outlook.paths)
        for side, name in enumerate(SIDES)
        for h, hours in enumerate(outlook.definition.horizons_hours)
    ]
    return [*found, _mean(found)]


def expected_roc_auc(score: Floats, truth: Floats) -> float:
    """
    Return the expected area under the ROC curve of `score` where `truth` is the probability of a cascade.

    The chance that a cascade's score is above that of a quiet moment, ties counting half.
    """
    levels, level = np.unique(score, return_inverse=True)
    came = np.bincount(level, truth, levels.size)
    quiet = np.bincount(level, 1.0 - truth, levels.size)
    below = np.cumsum(quiet) - quiet
    return float((came * (below + 0.5 * quiet)).sum() / (came.sum() * quiet.sum()))


def _recovery(output: str, forecast: Floats, truth: Floats, paths: int) -> Recovery:
    usual = truth.mean()
    spread = truth * (1.0 - truth)
    constant = usual * (1.0 - usual)
    reached = ((forecast - truth) ** 2 + spread).mean()
    least = spread.mean() * paths / (paths - 1)
    return Recovery(
        output,
        forecast.size,
        float(usual),
        expected_roc_auc(forecast, truth),
        expected_roc_auc(truth, truth),
        float(1.0 - reached / constant),
        float(1.0 - least / constant),
    )


def _mean(found: Iterable[Recovery]) -> Recovery:
    rows = list(found)
    names = ("prevalence", "roc_auc", "oracle_roc_auc", "brier_skill", "oracle_brier_skill")
    means = (float(np.mean([getattr(row, name) for row in rows])) for name in names)
    return Recovery("mean", rows[0].moments, *means)
