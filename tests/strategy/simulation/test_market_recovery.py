"""Recovery of a known edge: the shipped model finds it, and not where open interest says nothing."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.shipped import shipped_model
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig
from oi_hedge_strategy.simulation.market_result import CascadeOutlook
from oi_hedge_strategy.simulation.market_truth import TruthConfig
from oi_hedge_strategy.simulation.recovery import Recovery, compare, expected_roc_auc, measure_recovery


def test_expected_roc_auc_weighs_each_moment_by_its_truth() -> None:
    # cascades 0.8 at the high score and 0.3 at the low, quiet 0.2 and 0.7:
    # (0.8 * 0.7 + 0.5 * (0.8 * 0.2 + 0.3 * 0.7)) / (1.1 * 0.9) = 0.745 / 0.99
    truth = np.array([0.8, 0.3])
    assert expected_roc_auc(np.array([0.9, 0.1]), truth) == pytest.approx(0.745 / 0.99)
    assert expected_roc_auc(np.array([0.1, 0.9]), truth) == pytest.approx(1.0 - 0.745 / 0.99)
    assert expected_roc_auc(np.array([0.5, 0.5]), truth) == pytest.approx(0.5)


def test_skill_of_truth_constant_and_reverse() -> None:
    truth = np.array([0.8, 0.3])
    outlook = CascadeOutlook(
        CascadeDefinition(horizons_hours=(4,)),
        101,
        np.array([0, 1]),
        np.stack([truth, truth], axis=1)[:, :, None],
        np.zeros((2, 2, 1)),
        np.zeros((2, 2, 1)),
    )
    forecasts = np.stack([truth, np.full(2, 0.55)], axis=1)[:, :, None]
    known, constant, mean = compare(forecasts, outlook, np.array([True, True]))
    # noise p (1 - p): mean of 0.16 and 0.21; the constant's score is 0.55 * 0.45
    assert known.brier_skill == pytest.approx(1.0 - 0.185 / 0.2475)
    assert known.oracle_brier_skill == pytest.approx(1.0 - 1.01 * 0.185 / 0.2475)
    assert known.ranking_recovered == pytest.approx(1.0)
    assert constant.brier_skill == pytest.approx(0.0)
    assert constant.ranking_recovered == pytest.approx(0.0)
    assert mean.roc_auc == pytest.approx((known.roc_auc + 0.5) / 2.0)
    assert (known.output, constant.output, mean.moments) == ("down 4 h", "up 4 h", 2)


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recovery]:
    """Return the mean recovery where open interest is that of the market, and where it is another's."""
    directory = tmp_path_factory.mktemp("recovery")
    config = SimulatedMarketConfig(seed=77, days=106)
    shown = simulate_market(config, truth=TruthConfig(every_hours=8, paths=40, after_days=91))
    hidden = simulate_market(dataclasses.replace(config, informative=False))
    truth = dataclasses.replace(hidden.assets["ETH"].truth, outlook=shown.assets["ETH"].truth.outlook)
    foreign = dataclasses.replace(
        hidden, assets={"ETH": dataclasses.replace(hidden.assets["ETH"], truth=truth)}
    )
    forecaster = Forecaster.load(shipped_model(simulated=True))
    found = {}
    for name, market in (("own", shown), ("foreign", foreign)):
        write_market(market, directory / name)
        found[name] = measure_recovery(store.open_catalog(directory / name), "ETH", forecaster)[-1]
    return found


@pytest.mark.slow
def test_shipped_model_recovers_much_of_the_truth(recovered: dict[str, Recovery]) -> None:
    assert recovered["own"].moments == 46
    assert recovered["own"].ranking_recovered > 0.5
    assert recovered["own"].roc_auc < recovered["own"].oracle_roc_auc


@pytest.mark.slow
def test_open_interest_of_another_market_recovers_much_less(recovered: dict[str, Recovery]) -> None:
    assert recovered["foreign"].oracle_roc_auc == recovered["own"].oracle_roc_auc
    assert recovered["foreign"].ranking_recovered < recovered["own"].ranking_recovered - 0.08


def test_catalog_without_truth_cannot_be_measured(tmp_path: Path) -> None:
    write_market(simulate_market(SimulatedMarketConfig(days=1)), tmp_path / "catalog")
    with pytest.raises(CatalogError, match="--truth-paths"):
        measure_recovery(
            store.open_catalog(tmp_path / "catalog"), "ETH", Forecaster.load(shipped_model(simulated=True))
        )
