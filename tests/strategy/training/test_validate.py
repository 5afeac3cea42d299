"""`oi-hedge validate`: its verdicts and exit codes, and the replay that they rest on."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.command import oi_hedge, refuse
from support.models import SHORT_SCHEMA, model_bytes, tiny_card

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.cascades import SIDES, CascadeDefinition, label_cascades
from oi_hedge_strategy.forecast.card import head
from oi_hedge_strategy.forecast.drift import DriftReference
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.history import load_history
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig
from oi_hedge_strategy.state import MarketState
from oi_hedge_strategy.training.recent import mean_loss_difference, recent_forecasts

VENUES = ("BINANCE", "BYBIT", "GATE", "OKX")
DEFINITION = CascadeDefinition(
    horizons_hours=(4, 18), sigma_multiple=0.7, floor=0.01, open_interest_fall=0.002
)
HEADS = [head(side, hours) for side in SIDES for hours in DEFINITION.horizons_hours]
HOUR = 3_600_000_000_000
OFFSETS = (0.0, 1.0, 2.0, 4.0, 12.0, 24.0)
SINCE, UNTIL = "2024-03-01", "2024-05-10"
SAYS = {"probability": 0.2, "sensitivity": 0.005}
"""A model that knows nothing: the base rate of its card, and noise."""
PERIOD = ("--since", SINCE, "--until", UNTIL)


def ns(text):
    return pd.Timestamp(text, tz="UTC").value


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    path = tmp_path_factory.mktemp("validate") / "catalog"
    write_market(simulate_market(SimulatedMarketConfig(seed=5, days=140), lambda _: None), path)
    return path


@pytest.fixture(scope="module")
def history(market):
    return load_history(store.open_catalog(market), "ETH")


def card(**changes):
    schema = replace(SHORT_SCHEMA, venues=VENUES, offsets_hours=OFFSETS)
    changes = {"schema": schema, "trained_until": ns(SINCE), "cascade": DEFINITION} | changes
    return tiny_card(**changes)


def forecaster(**values):
    return Forecaster(model_bytes(card(), **values), "m.onnx")


@pytest.fixture(scope="module")
def seen(history):
    """Return what a model that says nothing in particular saw before and in the period."""
    model = forecaster(**SAYS)
    spans = (("2024-01-15", SINCE), (SINCE, UNTIL))
    return [recent_forecasts(model, history, ns(a), ns(b), DEFINITION) for a, b in spans]


def metrics(**changes):
    """Return card metrics, the same for all outputs."""
    return {"ETH": {key: {"prevalence": 0.2} | changes for key in HEADS}}


@pytest.fixture
def model(seen, tmp_path):
    """Return a function that writes a model whose card holds what it saw before, or what is given."""

    def write(reference=None, figures=None, **changes):
        reference = (
            {"drift": DriftReference.fit(seen[0].inputs).to_dict()} if reference is None else reference
        )
        figures = metrics(roc_auc=0.4, expected_calibration_error=0.1) if figures is None else figures
        path = tmp_path / "model.onnx"
        content = card(reference=reference, metrics=figures, **changes)
        path.write_bytes(model_bytes(content, **SAYS))
        return path

    return write


@pytest.fixture
def run(market, tmp_path):
    def validate(path, *more, code):
        result = oi_hedge(
            "validate", path, "--catalog", market, *PERIOD, "--json", tmp_path / "v.json", *more
        )
        assert result.exit_code == code, result.output
        return result.stdout, json.loads((tmp_path / "v.json").read_text())

    return validate


def test_a_replay_says_what_the_model_says_to_the_state_itself(history, seen):
    model = forecaster(**SAYS)
    recent, rows = seen[1], [0, 7, 500, 1000]
    state = MarketState(model.card.schema)
    snapshots = (each.copy() for each in history.replay(state, recent.ts[rows]))
    for row, snapshot in zip(rows, snapshots, strict=True):
        np.testing.assert_array_equal(recent.probability[row], model.predict(snapshot).probability)
    market = history.hourly()
    labels = label_cascades(market, DEFINITION).cascade[
        np.searchsorted(market.ts, recent.ts - 10_000_000_000)
    ]
    np.testing.assert_array_equal(recent.cascade, labels)
    assert recent.ts[0] >= ns(SINCE) and recent.ts[-1] <= ns(UNTIL)
    assert (np.diff(recent.ts) == HOUR).all()


def test_a_healthy_model_exits_with_0(model, run):
    printed, found = run(model(), code=0)
    assert printed.startswith("HEALTHY: ")
    assert (found["verdict"], found["reasons"], found["asset"]) == ("healthy", [], "ETH")
    mean = next(f for f in found["figures"] if (f["output"], f["metric"]) == ("mean", "roc_auc"))
    assert mean["card"] == pytest.approx(0.4)
    assert mean["recent"]["low"] < mean["recent"]["value"] < mean["recent"]["high"]
    assert {f["output"] for f in found["figures"]} == {*HEADS, "mean"}
    names = {each["name"]: each for each in found["drift"]}
    assert names["log_price"]["limit"] == 1.0 and names["p_down_4h"]["limit"] == 3.0
    assert names["mean_age"]["limit"] is None
    assert 0.0 < names["log_price"]["ks"] < 0.3


def test_a_model_that_ranks_worse_than_on_its_card_exits_with_3(model, seen, run):
    printed, found = run(model(figures=metrics(roc_auc=0.9)), code=3)
    assert printed.startswith("DEGRADED: ")
    (reason,) = found["reasons"]
    assert "ranks worse than on its card: mean ROC-AUC" in reason and "0.900 on the card" in reason


def test_a_model_that_is_no_longer_calibrated_exits_with_3(market, seen, run, tmp_path):
    path = tmp_path / "bold.onnx"
    figures = metrics(roc_auc=0.4, expected_calibration_error=0.01)
    path.write_bytes(model_bytes(card(metrics=figures), probability=0.9, sensitivity=0.005))
    _, found = run(path, code=3)
    assert any("worse than the base rate alone" in reason for reason in found["reasons"])
    assert any("no longer calibrated" in reason for reason in found["reasons"])
    assert "no reference" in found["notes"][0]


def test_drift_exits_with_3_and_names_the_input(model, seen, run):
    inputs = seen[0].inputs | {"log_volume": seen[0].inputs["log_volume"] + 5.0}
    _, found = run(model(reference={"drift": DriftReference.fit(inputs).to_dict()}), code=3)
    assert [reason.split(":")[0] for reason in found["reasons"]] == ["drift of log_volume"]
    assert found["drift"][0]["name"] == "log_volume"
    assert found["drift"][0]["ks"] > 0.9


def test_an_expired_model_exits_with_4(model, run):
    printed, found = run(model(expires=ns(UNTIL)), code=4)
    assert printed.startswith("EXPIRED: ")
    assert found["reasons"] == ["expired on 2024-05-10"]


def test_a_venue_that_is_new_calls_for_retraining(model, run, seen):
    schema = replace(SHORT_SCHEMA, venues=VENUES[:3], offsets_hours=OFFSETS)
    _, found = run(model(schema=schema, reference={}), code=3)
    assert found["reasons"] == ["venue OKX is new and unknown to the model; retrain with it"]


def test_a_venue_that_died_calls_for_retraining(model, market, tmp_path, run):
    from oi_hedge_strategy.training import validate as module

    path = model(reference={})
    history = load_history(store.open_catalog(market), "ETH", end_ns=ns(UNTIL))
    gone = (history.venue == history.venues.index("GATE")) & (history.ts > ns("2024-04-20"))
    columns = {name: getattr(history, name)[~gone] for name in ("ts", "stream", "venue", "fields")}
    found = module._Findings()
    module._judge_venues(replace(history, **columns), Forecaster.load(path).card, ns(UNTIL), found)
    assert found.reasons == ["venue GATE has brought nothing for a week; retrain without it"]


def test_a_model_of_which_nothing_can_be_judged_is_not_called_healthy(model, market):
    path = model(reference={}, figures={})
    sentence = refuse("validate", path, "--catalog", market, *PERIOD)
    assert "cannot be judged: drift is not judged: the card carries no reference" in sentence
    assert "ranking is not judged: the card has no such figures" in sentence


def test_a_registry_is_judged_by_its_current_model(model, run, tmp_path):
    registry = Registry.create(tmp_path / "models")
    entry = registry.add(model(), ns(SINCE), "first")
    printed, found = run(registry.path, code=0)
    assert entry.model in printed
    assert found["sha256"] == entry.sha256


def test_what_the_model_has_seen_in_training_is_not_judged(model, run):
    _, expected = run(model(), code=0)
    _, found = run(model(), "--since", "2024-01-15", code=0)
    assert found.pop("notes") == [
        "judged from 2024-03-01 on: the model has seen what came before in training"
    ]
    assert expected.pop("notes") == []
    assert found == expected


def test_a_period_too_short_to_judge_by_is_refused(model, market):
    sentence = refuse("validate", model(), "--catalog", market, "--since", SINCE, "--until", "2024-03-15")
    assert "14 days with open interest in the period are too few" in sentence


def test_an_asset_that_the_model_does_not_know_is_refused(model, market):
    sentence = refuse("validate", model(), "--catalog", market, *PERIOD, "--asset", "SOL")
    assert "no asset SOL; trained on ETH" in sentence


def test_data_that_end_early_are_said(model, market):
    result = oi_hedge("validate", model(), "--catalog", market, "--since", SINCE, "--until", "2024-09-01")
    assert "note: the data end on 2024-05-" in result.stdout


def test_losses_of_two_models_are_compared_on_the_same_hours(seen):
    recent = seen[1]
    rate = np.broadcast_to(np.nanmean(recent.cascade, axis=0), recent.cascade.shape)
    good, bad = (replace(recent, probability=p) for p in (rate, np.full_like(rate, 0.9)))
    difference, worse = mean_loss_difference([good], [bad])
    y = recent.cascade[np.isfinite(recent.cascade).all(axis=(1, 2))]
    loss = [-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean() for p in (rate[: len(y)], 0.9)]
    assert difference.value == pytest.approx(loss[0] - loss[1], rel=1e-9)
    assert difference.high < 0.0 and worse == 0.0
    swapped, share = mean_loss_difference([bad], [good])
    assert (swapped.value, share) == (pytest.approx(-difference.value), 1.0)
    part = replace(good, **{n: getattr(good, n)[::2] for n in ("ts", "probability", "cascade")})
    assert mean_loss_difference([part], [bad])[0].high < 0.0
    unknown = replace(good, cascade=np.full_like(rate, np.nan))
    with pytest.raises(CatalogError, match="no hour of the period has a known outcome"):
        mean_loss_difference([unknown], [unknown])
