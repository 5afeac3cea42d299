"""The oracle run: on a simulated catalog with its truth, and nowhere else."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.models import SHORT_SCHEMA, tiny_card, write_model

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_catalog.store import open_catalog
from oi_hedge_strategy.backtest.oracle import run_oracle, with_truth
from oi_hedge_strategy.backtest.plan import BacktestPlan, make_plan
from oi_hedge_strategy.backtest.run import observe
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.forecast.card import ModelCard
from oi_hedge_strategy.hedging.observed import Observed
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig, default_venues
from oi_hedge_strategy.simulation.market_result import CascadeOutlook
from oi_hedge_strategy.simulation.market_truth import TruthConfig

HOUR = 3_600_000_000_000
CARD = tiny_card(replace(SHORT_SCHEMA, venues=tuple(sorted(default_venues()))))
CONFIG = SimulatedMarketConfig(seed=13, days=9)
START = CONFIG.start_ns + 174 * HOUR


def plan_of(catalog: Path, model: Path, card: ModelCard = CARD) -> BacktestPlan:
    end = CONFIG.start_ns + 216 * HOUR
    return make_plan(open_catalog(catalog), BacktestSettings(), model, card, START, end)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CascadeOutlook]:
    path = tmp_path_factory.mktemp("market") / "catalog"
    market = simulate_market(CONFIG, truth=TruthConfig(6, 40, CARD.cascade))
    write_market(market, path)
    outlook = market.assets["ETH"].truth.outlook
    assert outlook is not None
    return path, outlook


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "sure.onnx", CARD, probability=0.9)


@pytest.fixture(scope="module")
def observed(truth: tuple[Path, CascadeOutlook], model: Path) -> dict[int, Observed]:
    engine, _, found = observe(plan_of(truth[0], model))
    engine.dispose()
    return found


def test_truth_stands_in_for_every_forecast_as_of_its_moment(
    truth: tuple[Path, CascadeOutlook], model: Path, observed: dict[int, Observed]
) -> None:
    path, outlook = truth
    found = with_truth(plan_of(path, model), observed)
    assert found is not None
    assert list(found) == list(observed)
    for now, seen in found.items():
        row = int(np.searchsorted(outlook.times, now, side="right")) - 1
        assert seen.forecast is not None
        np.testing.assert_array_equal(seen.forecast.probability, outlook.probability[row].astype(np.float32))
        assert seen.price == observed[now].price


def test_oracle_hedges_less_than_a_model_that_always_sees_a_cascade(
    truth: tuple[Path, CascadeOutlook], model: Path, observed: dict[int, Observed]
) -> None:
    plan = plan_of(truth[0], model)
    runs = run_oracle(plan, observed)
    assert list(runs) == ["oracle"]
    oracle = runs["oracle"]
    assert oracle.name == "oracle"
    assert oracle.ts[0] >= START
    assert (oracle.exposure_quantity == 100.0).all()
    assert truth[1].probability.max() < 0.9
    assert np.abs(oracle.hedge_quantity).mean() < 50.0


def test_catalog_without_truth_has_no_oracle(
    truth: tuple[Path, CascadeOutlook], model: Path, observed: dict[int, Observed], tmp_path: Path
) -> None:
    copied = tmp_path / "catalog"
    shutil.copytree(truth[0], copied)
    shutil.rmtree(copied / "truth")
    plan = plan_of(copied, model)
    assert with_truth(plan, observed) is None
    assert run_oracle(plan, observed) == {}


def test_truth_of_another_cascade_is_refused(
    truth: tuple[Path, CascadeOutlook], model: Path, observed: dict[int, Observed]
) -> None:
    other = replace(CARD, cascade=replace(CARD.cascade, floor=0.05))
    with pytest.raises(ConfigError, match="simulate the truth of that definition"):
        run_oracle(plan_of(truth[0], model, other), observed)
