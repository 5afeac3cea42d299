"""The training room on a small simulated market: splits, data set, calibration, export."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError, ModelError
from oi_hedge_strategy.cascades import CascadeDefinition, label_cascades
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.history import load_history
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig
from oi_hedge_strategy.state import StateSchema
from oi_hedge_strategy.training import export
from oi_hedge_strategy.training.calibrate import cross_fitted, fit_calibration
from oi_hedge_strategy.training.dataset import build_dataset
from oi_hedge_strategy.training.fit import FitConfig, fit, predict_logits, to_batch
from oi_hedge_strategy.training.judge import calibration_error
from oi_hedge_strategy.training.network import CalibratedForecast, CascadeNetwork
from oi_hedge_strategy.training.split import purged_split
from oi_hedge_strategy.training.train import TrainConfig, train

HOUR = 3_600_000_000_000
DEFINITION = CascadeDefinition(sigma_multiple=0.7, floor=0.01, open_interest_fall=0.002)
OFFSETS = (0.0, 1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    path = tmp_path_factory.mktemp("training") / "catalog"
    write_market(simulate_market(SimulatedMarketConfig(seed=5, days=70)), path)
    return store.open_catalog(path)


@pytest.fixture(scope="module")
def history(catalog):
    return load_history(catalog, "ETH")


@pytest.fixture(scope="module")
def schema(history):
    return StateSchema(tuple(sorted(history.live_venues())), offsets_hours=OFFSETS)


@pytest.fixture(scope="module")
def data(history, schema):
    return build_dataset([history], schema, DEFINITION, every_hours=2)


@settings(max_examples=50, deadline=None)
@given(st.integers(300, 3000), st.floats(1, 48), st.floats(0, 100), st.floats(0, 48))
def test_no_look_back_of_a_judged_sample_reaches_a_training_outcome(n, horizon, look_back, embargo):
    ts = np.arange(n) * HOUR
    try:
        split = purged_split(ts, horizon, look_back, embargo)
    except CatalogError:
        return
    gap = (ts[split.stopping[0]] - ts[split.training[-1]]) / HOUR
    assert gap >= horizon + look_back + embargo
    assert (ts[split.calibration[0]] - ts[split.stopping[-1]]) / HOUR >= horizon + embargo
    assert split.calibration[-1] == n - 1


def test_a_history_shorter_than_the_purge_is_refused():
    with pytest.raises(CatalogError, match="days of labelled samples are too few"):
        purged_split(np.arange(100) * HOUR, 18, 2160)


def test_samples_do_not_change_when_the_future_is_cut_off(catalog, history, schema, data):
    cut = int(data.samples.ts[len(data.samples) // 2])
    shorter = load_history(catalog, "ETH", end_ns=cut)
    early = build_dataset([shorter], schema, DEFINITION, every_hours=2).samples
    longest = DEFINITION.horizons_hours[-1] * HOUR
    kept = early.ts <= cut - longest - HOUR
    assert kept.sum() > 100
    whole = data.samples.take(np.isin(data.samples.ts, early.ts[kept]))
    for name in ("ts", "values", "mask", "age", "liquidation_map", "cascade", "change"):
        np.testing.assert_array_equal(getattr(early, name)[kept], getattr(whole, name), err_msg=name)


def test_the_samples_are_what_the_labels_say_about_their_hours(history, data):
    market = history.hourly()
    labels = label_cascades(market, DEFINITION)
    rows = np.searchsorted(market.ts, data.samples.ts - 10_000_000_000)
    np.testing.assert_array_equal(data.samples.cascade, labels.cascade[rows].astype(np.float32))


def test_another_definition_of_nothing_in_the_data_keeps_the_fingerprint(history, schema, data):
    again = build_dataset([history], schema, DEFINITION, every_hours=5)
    assert again.fingerprint == data.fingerprint
    other = replace(schema, max_age_hours=24.0)
    assert build_dataset([history], other, DEFINITION, every_hours=5).fingerprint != data.fingerprint


def test_platt_scaling_recovers_a_known_distortion():
    rng = np.random.default_rng(0)
    logits = rng.normal(-2, 1.5, (20_000, 2, 2))
    cascade = (rng.random(logits.shape) < 1 / (1 + np.exp(-(0.5 * logits - 0.3)))).astype(float)
    found = fit_calibration(logits, cascade)
    assert found.slope == pytest.approx(np.full((2, 2), 0.5), abs=0.06)
    assert found.intercept == pytest.approx(np.full((2, 2), -0.3), abs=0.12)
    honest = cross_fitted(logits, cascade)
    assert calibration_error(honest[:, 0, 0], cascade[:, 0, 0]) < 0.01
    assert calibration_error(1 / (1 + np.exp(-logits[:, 0, 0])), cascade[:, 0, 0]) > 0.02


def test_an_output_that_ranks_the_wrong_way_round_falls_back_to_its_base_rate():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1, (5000, 1, 1))
    cascade = (rng.random(logits.shape) < 1 / (1 + np.exp(logits + 2))).astype(float)
    found = fit_calibration(logits, cascade)
    assert found.slope[0, 0] == 0.0
    assert found.apply(logits).mean() == pytest.approx(cascade.mean())


def test_a_window_without_cascades_cannot_calibrate():
    with pytest.raises(CatalogError, match="saw 0 cascades in 10 samples"):
        fit_calibration(np.zeros((10, 1, 1)), np.zeros((10, 1, 1)))


def fitted(data, schema, seed=0):
    torch.manual_seed(seed)
    network = CascadeNetwork(schema, data.channels, DEFINITION.horizons_hours)
    split = purged_split(data.samples.ts, 18, 48, embargo_hours=2)
    fit(network, data, split.training, split.stopping, FitConfig(epochs=2, seed=seed))
    return network, split


def test_the_same_seed_gives_the_same_network_and_another_seed_another(data, schema):
    (one, split), (two, _), (three, _) = (fitted(data, schema, seed) for seed in (0, 0, 1))
    logits = [predict_logits(each, data.samples, split.calibration) for each in (one, two, three)]
    np.testing.assert_array_equal(logits[0], logits[1])
    assert np.abs(logits[0] - logits[2]).max() > 1e-3


def test_a_masked_venue_has_no_influence_whatever_it_holds(data, schema):
    network, split = fitted(data, schema)
    values, mask, age, levels = to_batch(data.samples, split.calibration[:8])
    mask, age = mask.clone(), age.clone()
    mask[:, 1], age[:, 1] = 0.0, 0.0
    quiet, wild = values.clone(), values.clone()
    quiet[:, 1], wild[:, 1] = 0.0, 7.0
    with torch.no_grad():
        expected, found = (network(v, mask, age, levels)[0] for v in (quiet, wild))
        nothing = network(quiet * 0, mask * 0, age * 0, levels * 0)
    torch.testing.assert_close(expected, found)
    assert all(torch.isfinite(each).all() for each in nothing)


def exported(data, schema, path):
    network, split = fitted(data, schema)
    graph = CalibratedForecast(network, data.channels, torch.ones(2, 2), torch.zeros(2, 2))
    judged = data.samples.take(split.calibration[:10])
    return graph, judged


def test_an_exported_graph_that_differs_is_refused_and_leaves_no_file(data, schema, tmp_path, monkeypatch):
    from support.models import tiny_card

    graph, judged = exported(data, schema, tmp_path)
    card = tiny_card(schema)
    monkeypatch.setattr(export, "_PARITY", -1.0)
    with pytest.raises(ModelError, match="the exported graph differs from the network by"):
        export.export_model(graph, card, judged, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_training_refuses_a_short_history_and_says_why(catalog, tmp_path):
    until = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
    with pytest.raises(CatalogError, match="of open interest, training needs 730: a shorter history"):
        train(catalog, None, until, tmp_path / "model.onnx", TrainConfig(cascade=DEFINITION))
    assert not (tmp_path / "model.onnx").exists()


def test_onnx_and_torch_agree_and_the_card_comes_back(data, schema, tmp_path):
    from support.models import tiny_card

    graph, judged = exported(data, schema, tmp_path)
    card = export.export_model(graph, tiny_card(schema), judged, tmp_path / "model.onnx")
    assert 0.0 <= card.parity <= 1e-5
    loaded = Forecaster.load(tmp_path / "model.onnx")
    assert loaded.card.schema == schema
    assert loaded.card.parity == card.parity
