"""`train` and `walk_forward` from a catalog to models and report, on a small simulated market."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from oi_hedge_catalog import store
from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.forecast.conformance import check_conformance
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig
from oi_hedge_strategy.training.fit import FitConfig
from oi_hedge_strategy.training.train import TrainConfig, train
from oi_hedge_strategy.training.walk_forward import FORECASTERS, PREDICTIONS, walk_forward

pytestmark = pytest.mark.slow
DEFINITION = CascadeDefinition(
    horizons_hours=(4, 18), sigma_multiple=0.7, floor=0.01, open_interest_fall=0.002
)
CONFIG = TrainConfig(
    cascade=DEFINITION,
    fit=FitConfig(epochs=1, least_epochs=1, batch_size=256),
    seeds=2,
    allow_short_history=True,
)


def ns(*date):
    return int(datetime(*date, tzinfo=UTC).timestamp()) * 1_000_000_000


DATES = (ns(2024, 6, 1), ns(2024, 7, 1))
END = ns(2024, 7, 20)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    path = tmp_path_factory.mktemp("walk") / "catalog"
    config = SimulatedMarketConfig(seed=9, days=205, assets=("ETH", "BTC"))
    write_market(simulate_market(config, lambda _: None), path)
    return store.open_catalog(path)


@pytest.fixture(scope="module")
def run(catalog, tmp_path_factory):
    out = tmp_path_factory.mktemp("models")
    return walk_forward(catalog, None, DATES[0], END, "monthly", out, CONFIG)


def test_every_date_leaves_a_model_that_is_valid_from_it(run):
    assert tuple(each.valid_from for each in run.registry.entries) == DATES
    for entry, card in zip(run.registry.entries, run.cards, strict=True):
        found = run.registry.load(entry)
        assert found.card.trained_until == entry.valid_from
        assert (found.card.members, found.card.assets) == (2, ("BTC", "ETH"))
        assert found.card.simulated and card.parity <= 1e-5
        assert [each.detail for each in check_conformance(found) if not each.passed] == []


def test_every_forecaster_is_judged_on_the_same_rows_after_its_date(run):
    said = run.predictions
    assert set(FORECASTERS) <= set(said.probability)
    for each in said.probability.values():
        assert each.shape[1:] == said.cascade.shape
        assert np.isfinite(each).all()
    for fold, (start, end) in enumerate(zip(DATES, (*DATES[1:], END), strict=True)):
        ts = said.ts[said.fold == fold]
        assert start <= ts.min() and ts.max() < end
    assert run.report.exists() and (run.report.parent / PREDICTIONS).exists()


def test_a_second_run_takes_up_what_is_done_and_says_the_same(run, catalog, tmp_path):
    again = walk_forward(catalog, None, DATES[0], END, "monthly", tmp_path, CONFIG)
    assert again.registry.entries[0].sha256 == run.registry.entries[0].sha256
    for name, expected in run.predictions.probability.items():
        np.testing.assert_array_equal(again.predictions.probability[name], expected, err_msg=name)


@pytest.mark.parametrize("architecture", ["hybrid", "lstm"])
def test_a_single_model_knows_nothing_after_its_date(catalog, tmp_path, architecture):
    path = tmp_path / "model.onnx"
    config = replace(CONFIG, architecture=architecture, seeds=1)
    card = train(catalog, None, END, path, config)
    assert Forecaster.load(path).card.to_json() == card.to_json()
    assert (card.trained_until, card.architecture, card.assets) == (END, architecture, ("BTC", "ETH"))
    last = datetime.fromisoformat(card.splits["whole"][1]).timestamp() + 18 * 3600
    assert last * 1e9 <= END
