"""The training room on a small simulated market: splits, data set, fit, calibration, export."""

import os
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import tiny_card

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError, ModelError
from oi_hedge_strategy.cascades import CascadeDefinition, label_cascades
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.history import DECISION_LAG_NS, load_history
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig
from oi_hedge_strategy.state import StateSchema
from oi_hedge_strategy.training import dataset, export
from oi_hedge_strategy.training import fit as fit_module
from oi_hedge_strategy.training.calibrate import cross_fitted, fit_calibration
from oi_hedge_strategy.training.dataset import build_dataset, fingerprint
from oi_hedge_strategy.training.feature_set import HEAD, VIEWS
from oi_hedge_strategy.training.fit import FitConfig, fit, predict_logits
from oi_hedge_strategy.training.folds import make_fold
from oi_hedge_strategy.training.forecasters import fit_forecaster, make_network
from oi_hedge_strategy.training.judge import calibration_error
from oi_hedge_strategy.training.network import QUANTILE_LEVELS, CalibratedForecast
from oi_hedge_strategy.training.recording import Snapshots, record
from oi_hedge_strategy.training.split import EMBARGO_HOURS, purged_split
from oi_hedge_strategy.training.train import TrainConfig, train

HOUR = 3_600_000_000_000
DEFINITION = CascadeDefinition(
    horizons_hours=(4, 18), sigma_multiple=0.7, floor=0.01, open_interest_fall=0.002
)
OFFSETS = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 24.0, 48.0)
KEYS = ("ts", "asset", "cascade", "change", "onset_hours", "auxiliary", "drift")
SMALL = FitConfig(epochs=3, passes=1, batch_size=128)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    path = tmp_path_factory.mktemp("training") / "catalog"
    write_market(simulate_market(SimulatedMarketConfig(seed=5, days=70), lambda _: None), path)
    return store.open_catalog(path)


@pytest.fixture(scope="module")
def history(catalog):
    return load_history(catalog, "ETH")


@pytest.fixture(scope="module")
def schema(history):
    return StateSchema(tuple(sorted(history.live_venues(int(history.ts[-1])))), offsets_hours=OFFSETS)


@pytest.fixture(scope="module")
def data(history, schema, tmp_path_factory):
    return build_dataset([history], schema, DEFINITION, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def split(data):
    return purged_split(np.asarray(data.ts), 18, 48, embargo_hours=2)


def arrays(data):
    """Return all arrays of a set by name."""
    found = {name: getattr(data, name) for name in KEYS}
    for name, view in zip(VIEWS, data.views, strict=True):
        found |= {f"{name} {each}": getattr(view, each) for each in view.__slots__}
    return found


def assert_equal_sets(one, other):
    expected, found = arrays(one), arrays(other)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


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


def test_a_set_that_is_complete_is_opened_as_it_is(history, schema, data, monkeypatch):
    monkeypatch.setattr(dataset, "_build", None)
    again = build_dataset([history], schema, DEFINITION, data.path.parent)
    assert again.path == data.path
    assert_equal_sets(data, again)
    with pytest.raises(TypeError):
        build_dataset([history], schema, replace(DEFINITION, floor=0.02), data.path.parent)


def test_anything_that_a_set_is_made_from_changes_its_fingerprint(history, schema, data):
    found = {data.fingerprint}
    assert fingerprint([history], schema, DEFINITION) in found
    fields = history.fields.copy()
    fields[1000, 0] *= 1.0000001
    for made in (
        ([history], replace(schema, max_age_hours=24.0), DEFINITION),
        ([history], schema, replace(DEFINITION, floor=0.02)),
        ([replace(history, fields=fields)], schema, DEFINITION),
        ([replace(history, asset="BTC")], schema, DEFINITION),
    ):
        found.add(fingerprint(*made))
    assert len(found) == 5


def test_a_build_that_was_killed_goes_on_to_the_same_set(history, schema, data, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "_BLOCK_HOURS", 500)
    whole = build_dataset([history], schema, DEFINITION, tmp_path)
    done = sorted((whole.path / "done").iterdir())
    assert len(done) >= 3
    expected = {name: np.array(values) for name, values in arrays(whole).items()}
    (whole.path / HEAD).unlink()
    for block in done[1:3]:
        block.unlink()
        for view in VIEWS:
            market = np.load(whole.path / f"{view}_market.npy", mmap_mode="r+")
            ts = np.asarray(whole.ts)
            market[ts // (500 * HOUR) == int(block.name.split("-")[1])] = np.nan
            market.flush()
    kept = os.stat(done[0]).st_mtime_ns
    again = build_dataset([history], schema, DEFINITION, tmp_path)
    assert os.stat(done[0]).st_mtime_ns == kept
    for name, values in arrays(again).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


@pytest.mark.slow
def test_a_ray_cluster_builds_the_same_set(history, schema, data, tmp_path):
    pytest.importorskip("ray")
    assert_equal_sets(data, build_dataset([history], schema, DEFINITION, tmp_path, "ray"))


def test_samples_do_not_change_when_the_future_is_cut_off(catalog, history, schema, data, tmp_path):
    cut = int(data.ts[len(data) // 2])
    early = build_dataset([load_history(catalog, "ETH", end_ns=cut)], schema, DEFINITION, tmp_path)
    whole = arrays(data)
    kept = np.asarray(early.ts) <= cut - DEFINITION.horizons_hours[-1] * HOUR - HOUR
    assert kept.sum() > 400
    rows = np.isin(data.ts, np.asarray(early.ts)[kept])
    for name, values in arrays(early).items():
        if not name.startswith("disturbed"):
            np.testing.assert_array_equal(values[kept], whole[name][rows], err_msg=name)


def test_a_sample_is_labelled_with_what_followed_its_hour(history, data):
    market = history.hourly()
    labels = label_cascades(market, DEFINITION)
    hour = -(-(np.asarray(data.ts) - DECISION_LAG_NS - market.ts[0]) // HOUR)
    np.testing.assert_array_equal(data.cascade, labels.cascade[hour].astype(np.float32))
    np.testing.assert_array_equal(data.change, labels.change[hour].astype(np.float32))


def test_what_reaches_beyond_the_data_has_no_label(history, data):
    last = int(history.bar_ts[-1])
    hour = np.asarray(data.ts) - DECISION_LAG_NS
    for at, hours in enumerate(DEFINITION.horizons_hours):
        beyond = hour + hours * HOUR > last
        assert np.isnan(data.cascade[beyond][:, :, at]).all()
        assert np.isnan(data.change[beyond][:, at]).all()
        assert np.isfinite(data.cascade[~beyond][:, :, at]).mean() > 0.99


def test_no_window_of_a_fold_knows_more_than_it_may(data):
    until = int(data.ts[-300])
    fold = make_fold(data, until, until + 100 * HOUR)
    ts, horizon = np.asarray(data.ts), DEFINITION.horizons_hours[-1] * HOUR
    assert (ts[fold.whole] + horizon + EMBARGO_HOURS * HOUR <= until).all()
    for window in (fold.training, fold.stopping, fold.calibration):
        assert (ts[window] + horizon <= until).all()
    assert ts[fold.test].min() >= until and ts[fold.test].max() < until + 100 * HOUR
    purge = horizon + (OFFSETS[-1] + EMBARGO_HOURS) * HOUR
    assert ts[fold.stopping[0]] - ts[fold.training[-1]] >= purge
    assert ts[fold.calibration[0]] - ts[fold.stopping[-1]] >= horizon + EMBARGO_HOURS * HOUR


def test_what_was_fitted_for_one_test_window_is_not_taken_for_another(data, tmp_path):
    until = int(data.ts[-300])
    for hours in (100, 30):
        fold = make_fold(data, until, until + hours * HOUR)
        found = fit_forecaster(data.path, fold, "lstm", 0, SMALL, tmp_path)
        assert len(found.test) == fold.test.size
        again = fit_forecaster(data.path, fold, "lstm", 0, SMALL, tmp_path)
        np.testing.assert_array_equal(again.test, found.test)


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


def fitted(data, split, config=SMALL, seed=0, checkpoint=None):
    make = lambda: make_network(data, "hybrid")  # noqa: E731
    return fit(make, data, split.training, split.stopping, config, seed, checkpoint)


def test_the_same_seed_gives_the_same_network_and_another_seed_another(data, split):
    one, two, three = (fitted(data, split, replace(SMALL, epochs=1), seed) for seed in (0, 0, 1))
    logits = [predict_logits(each.network, data, split.calibration) for each in (one, two, three)]
    np.testing.assert_array_equal(logits[0], logits[1])
    assert (one.training_loss, one.stopping_loss) == (two.training_loss, two.stopping_loss)
    assert np.abs(logits[0] - logits[2]).max() > 1e-3


def test_a_fit_that_was_killed_goes_on_to_the_same_network(data, split, tmp_path, monkeypatch):
    whole = fitted(data, split)
    save = fit_module._save

    def killed(*args):
        save(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(fit_module, "_save", killed)
    with pytest.raises(KeyboardInterrupt):
        fitted(data, split, checkpoint=tmp_path / "fit.pt")
    monkeypatch.setattr(fit_module, "_save", save)
    resumed = fitted(data, split, checkpoint=tmp_path / "fit.pt")
    assert len(whole.training_loss) > 1
    assert resumed.training_loss == whole.training_loss
    assert resumed.stopping_loss == whole.stopping_loss
    for name, weight in whole.network.state_dict().items():
        torch.testing.assert_close(resumed.network.state_dict()[name], weight, rtol=0, atol=0)


def test_training_finds_a_planted_signal(data, split):
    signal = np.asarray(data.views[0].market)[:, data.names.index("log_range_24h")]
    came = (signal > np.median(signal)).astype(np.float32)
    planted = replace(data, cascade=np.broadcast_to(came[:, None, None], data.cascade.shape).copy())
    config = replace(SMALL, epochs=6, regression=False, patience=6)
    found = fitted(planted, split, config)
    rate = came[split.training].mean()
    stop = came[split.stopping]
    base = -np.mean(stop * np.log(rate) + (1 - stop) * np.log(1 - rate))
    assert min(found.stopping_loss) < 0.85 * base
    logits = predict_logits(found.network, planted, split.calibration)[:, 0, 0]
    assert ((logits > 0) == (came[split.calibration] == 1)).mean() > 0.75


@pytest.fixture(scope="module")
def exportable(data, split, history, schema):
    network = fitted(data, split, replace(SMALL, epochs=1)).network
    graph = CalibratedForecast(network, torch.ones(2, 2), torch.zeros(2, 2))
    times = np.asarray(data.ts)[split.calibration[:10]]
    card = tiny_card(schema, DEFINITION.horizons_hours, quantile_levels=QUANTILE_LEVELS)
    return graph, card, Snapshots.joined([each.copy() for each in record(history, schema, times)])


def test_an_exported_graph_that_differs_is_refused_and_leaves_no_file(exportable, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_PARITY", -1.0)
    with pytest.raises(ModelError, match="the exported graph differs from the network by"):
        export.export_model(*exportable, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_onnx_and_torch_agree_and_the_card_comes_back(exportable, schema, tmp_path):
    card = export.export_model(*exportable, tmp_path / "model.onnx")
    assert 0.0 <= card.parity <= 1e-5
    loaded = Forecaster.load(tmp_path / "model.onnx")
    assert loaded.card.schema == schema
    assert loaded.card.parity == card.parity


def test_training_refuses_a_short_history_and_says_why(catalog, history, tmp_path):
    until = int(history.ts[-1])
    with pytest.raises(CatalogError, match="training needs 730: a shorter history"):
        train(catalog, None, until, tmp_path / "model.onnx", TrainConfig(cascade=DEFINITION))
    assert not (tmp_path / "model.onnx").exists()


def test_a_date_long_after_the_data_is_refused(catalog, tmp_path):
    config = TrainConfig(cascade=DEFINITION, allow_short_history=True)
    until = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
    with pytest.raises(CatalogError, match="no venue has data of the 90 days before 2030-01-01"):
        train(catalog, None, until, tmp_path / "model.onnx", config)
