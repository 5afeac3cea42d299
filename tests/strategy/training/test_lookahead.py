"""`oi-hedge check-lookahead`: clean where nothing leaks, and it finds leaks that are planted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.command import oi_hedge, refuse
from support.models import SHORT_SCHEMA, tiny_card, write_model

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.history import load_history
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig
from oi_hedge_strategy.state import Stream
from oi_hedge_strategy.training import lookahead, lookahead_scores
from oi_hedge_strategy.training.recent import recent_forecasts

DAY = 86_400_000_000_000
SINCE = pd.Timestamp("2024-02-01", tz="UTC").value
DEFINITION = CascadeDefinition(
    horizons_hours=(4, 18), sigma_multiple=0.7, floor=0.01, open_interest_fall=0.002
)
SCHEMA = replace(
    SHORT_SCHEMA,
    venues=("BINANCE", "BYBIT", "GATE", "OKX"),
    offsets_hours=(0.0, 1.0, 2.0, 4.0, 12.0, 24.0),
)
SAYS = {"probability": 0.2, "sensitivity": 0.15}
"""Every change of any input changes the forecast."""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("lookahead") / "catalog"
    write_market(simulate_market(SimulatedMarketConfig(seed=5, days=120), lambda _: None), path)
    return path


@pytest.fixture(scope="module")
def catalog(path):
    return store.open_catalog(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    card = tiny_card(SCHEMA, trained_until=SINCE, cascade=DEFINITION)
    return write_model(tmp_path_factory.mktemp("model") / "m.onnx", card, **SAYS)


@pytest.fixture(scope="module")
def recent(model, catalog):
    history = load_history(catalog, "ETH")
    return recent_forecasts(Forecaster.load(model), history, SINCE, int(history.ts[-1]), DEFINITION)


def hunt(model, catalog, samples=6):
    return lookahead.check_lookahead(Forecaster.load(model), catalog, samples=samples)


def test_nothing_leaks_from_a_catalog_to_the_decisions(model, path):
    result = oi_hedge("check-lookahead", model, "--catalog", path, "--samples", 8)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("NO LEAK FOUND: ")
    assert "0 of 8" in result.stdout
    assert result.stdout.count("\nok ") == 4


def differences(model, catalog, samples=6):
    forecaster = Forecaster.load(model)
    history = lookahead.load_history(catalog, "ETH")
    rng = np.random.default_rng(1)
    times = lookahead.random_times(history, SINCE, int(history.ts[-1]) - 2 * DAY, samples, rng)
    return lookahead.truncation_differences(forecaster, catalog, history, times)


def test_open_interest_that_is_there_a_day_too_early_is_found(model, catalog, monkeypatch):
    def early(*args, **kwargs):
        history = load_history(*args, **kwargs)
        ts = np.where(history.stream == Stream.OPEN_INTEREST, history.ts - DAY, history.ts)
        order = np.argsort(ts, kind="stable")
        columns = {name: getattr(history, name)[order] for name in ("stream", "venue", "fields")}
        return replace(history, ts=ts[order], **columns)

    assert differences(model, catalog) == []
    monkeypatch.setattr(lookahead, "load_history", early)
    found = differences(model, catalog)
    assert len(found) == 6
    assert all(each.endswith("the forecast changes") for each in found)


def test_history_that_is_scaled_by_its_whole_span_is_found(model, catalog, monkeypatch):
    def scaled(*args, **kwargs):
        history = load_history(*args, **kwargs)
        interest = (history.stream == Stream.OPEN_INTEREST)[:, None]
        return replace(
            history, fields=np.where(interest, history.fields / history.fields.mean(), history.fields)
        )

    monkeypatch.setattr(lookahead, "load_history", scaled)
    assert len(differences(model, catalog)) == 6


def test_training_data_that_see_an_hour_more_than_the_desk_are_found(model, catalog, monkeypatch):
    recorded = lookahead.record
    monkeypatch.setattr(
        lookahead, "record", lambda history, schema, times: recorded(history, schema, times + DAY // 24)
    )
    found = differences(model, catalog)
    assert len(found) == 6
    assert all("the training data show the model something else" in each for each in found)


def test_a_leak_ends_the_command_with_1(model, path, monkeypatch):
    recorded = lookahead.record
    monkeypatch.setattr(
        lookahead, "record", lambda history, schema, times: recorded(history, schema, times + DAY)
    )
    result = oi_hedge("check-lookahead", model, "--catalog", path, "--samples", 4)
    assert result.exit_code == 1
    assert result.stdout.startswith("LEAK: ")
    assert "4 of 4" in result.stdout


def test_shuffled_labels_score_like_chance_and_true_ones_of_an_oracle_do_not(recent):
    rows = lookahead_scores.known_rows(recent)
    oracle = recent.cascade + 0.1 * np.random.default_rng(0).random(recent.cascade.shape)
    knows = replace(recent, probability=oracle)
    assert lookahead_scores.roc_auc(
        oracle[rows].reshape(rows.size, -1), recent.cascade[rows].reshape(rows.size, -1)
    ) == pytest.approx(1.0)
    found = lookahead_scores.model_on_shuffled(knows, 0)
    assert found.low < 0.5 < found.high
    assert found.value == pytest.approx(0.5, abs=0.05)


def test_a_regression_that_is_judged_on_what_it_was_fitted_on_is_found(recent, monkeypatch):
    clean = lookahead_scores.refit_on_shuffled(recent, 18, 0)
    assert clean.low < 0.5 < clean.high
    monkeypatch.setattr(lookahead_scores, "windows", lambda ts, gap: (np.arange(ts.size), np.arange(ts.size)))
    leaky = lookahead_scores.refit_on_shuffled(recent, 18, 0)
    assert leaky.low > 0.5


def test_inputs_of_the_future_score_better_and_inputs_that_know_it_gain_nothing(recent):
    before, after, gain = lookahead_scores.shifted_gain(recent, DEFINITION.horizons_hours)
    assert gain.low > 0.05
    assert gain.value == pytest.approx(after - before)
    leaky = replace(
        recent, inputs=recent.inputs | {"knows": np.nan_to_num(recent.cascade[:, 0].mean(axis=1))}
    )
    assert not lookahead_scores.shifted_gain(leaky, DEFINITION.horizons_hours)[2].low > 0.0


def test_a_shuffle_keeps_every_row_and_neighbours_together():
    rows = lookahead_scores.shuffle(2400, np.random.default_rng(3))
    assert sorted(rows.tolist()) == list(range(2400))
    assert (np.diff(rows) == 1).mean() > 0.98
    assert (rows != np.arange(2400)).mean() > 0.5


def test_the_area_under_the_curve_is_that_of_all_pairs():
    rng = np.random.default_rng(2)
    score, outcome = rng.integers(0, 5, (40, 1)).astype(float), rng.integers(0, 2, (40, 1)).astype(float)
    pairs = [(a > b) + 0.5 * (a == b) for a in score[outcome == 1] for b in score[outcome == 0]]
    assert lookahead_scores.roc_auc(score, outcome) == pytest.approx(np.mean(pairs))


def test_a_model_newer_than_the_data_is_refused(path, tmp_path):
    card = tiny_card(SCHEMA, trained_until=SINCE + 1000 * DAY, cascade=DEFINITION)
    late = write_model(tmp_path / "late.onnx", card)
    assert "nothing is left to look at" in refuse("check-lookahead", late, "--catalog", path)


def test_a_model_of_other_venues_is_refused(catalog, tmp_path):
    card = tiny_card(replace(SCHEMA, venues=("KRAKEN",)), trained_until=SINCE, cascade=DEFINITION)
    other = write_model(tmp_path / "other.onnx", card)
    with pytest.raises(
        CatalogError, match="no linear ETH perpetual with hourly bars at a venue that the mod"
    ):
        hunt(other, catalog)
