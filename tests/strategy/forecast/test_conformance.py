"""The battery that every model file must pass: every architecture, the shipped models, and bad models."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.command import oi_hedge
from support.linear_model import linear_model
from support.models import model_bytes, tiny_card
from support.networks import SEEN, calibrated, random_network, rows, write_network

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.forecast.conformance import check_conformance, made_up_market
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.shipped import shipped_model
from oi_hedge_strategy.state import CHANNELS, StateSchema
from oi_hedge_strategy.training.dataset import tensors

SCHEMA = StateSchema(("BINANCE", "BYBIT", "DERIBIT", "OKX"))
NAMES = tuple(CHANNELS[at].name for at in SEEN)
ALL_NAMES = tuple(channel.name for channel in CHANNELS)


def failures(forecaster):
    return {each.name: each.detail for each in check_conformance(forecaster) if not each.passed}


@pytest.fixture(scope="module", params=[("hybrid", 1), ("hybrid", 2), ("lstm", 1), ("lstm", 2)])
def exported(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    return write_network(path, SCHEMA, *request.param)


def test_every_architecture_conforms(exported):
    assert failures(exported) == {}


@pytest.mark.parametrize("simulated", [True, False])
def test_the_shipped_models_conform(simulated):
    try:
        forecaster = Forecaster.load(shipped_model(simulated))
    except ModelError as error:
        if "expected card version" not in str(error):
            raise
        pytest.skip(f"the shipped model is of an old version and being trained anew: {error}")
    assert failures(forecaster) == {}


def test_a_file_gives_the_same_forecast_wherever_its_venues_and_their_names_lie():
    network = random_network(SCHEMA, "hybrid", 3)
    order = [2, 0, 3, 1]
    moved = random_network(replace(SCHEMA, venues=tuple(SCHEMA.venues[at] for at in order)), "hybrid", 3)
    with torch.no_grad():
        moved.reader.names.copy_(network.reader.names[order])
    market = tensors(rows(made_up_market(SCHEMA, NAMES, np.random.default_rng(0))))
    turned = (*(each[:, order] for each in market[:3]), *market[3:])
    with torch.no_grad():
        expected, found = calibrated(network)(*market), calibrated(moved)(*turned)
        strange = calibrated(network)(*turned)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert (strange[0] - expected[0]).abs().max() > 1e-5


def test_a_venue_that_is_missing_is_one_that_was_never_there(exported):
    rng = np.random.default_rng(4)
    market = made_up_market(SCHEMA, NAMES, rng)
    for name in ("values", "mask", "age"):
        getattr(market, name)[:, 2] = 0.0
    quiet = exported.predict(market)
    later = exported.predict(made_up_market(SCHEMA, NAMES, rng))
    assert not np.array_equal(quiet.probability, later.probability)
    np.testing.assert_array_equal(exported.predict(market).probability, quiet.probability)


def linear(**values):
    card = values.pop("card", tiny_card(SCHEMA, channels_seen=NAMES))
    return Forecaster(linear_model(card, values), "own.onnx")


def grid(channel, weight=1.0, offset=0):
    out = np.zeros(SCHEMA.shape)
    out[:, ALL_NAMES.index(channel), offset] = weight
    return out


def test_an_own_model_conforms():
    assert failures(linear(values=grid("funding_8h", 10.0))) == {}


def test_a_model_that_reads_what_its_card_does_not_name_fails():
    found = failures(linear(values=grid("log_put_call_ratio")))
    assert list(found) == ["channels that it has not seen have no influence"]
    assert "log_put_call_ratio changes the forecast" in found.popitem()[1]


def test_a_model_without_calibration_fails():
    card = tiny_card(SCHEMA, channels_seen=NAMES, calibration={"method": "none"})
    assert "not calibrated" in failures(linear(card=card))["its card is complete"]


def test_a_model_without_an_alert_threshold_fails():
    card = tiny_card(SCHEMA, channels_seen=NAMES, alert_threshold={})
    assert failures(linear(card=card))["its card is complete"].startswith("no alert threshold of down_4h")


def test_probabilities_beyond_one_and_negative_moves_fail():
    card = tiny_card(SCHEMA, channels_seen=NAMES)
    for values in ({"probability": 1.2}, {"favourable": -0.1}):
        found = failures(Forecaster(model_bytes(card, **values), "bad.onnx"))
        assert "probabilities, moves and quantiles are possible" in found
        assert "nothing may be known at all" in found


def test_the_command_says_what_a_model_fails_at(tmp_path):
    good, bad = tmp_path / "good.onnx", tmp_path / "bad.onnx"
    card = tiny_card(SCHEMA, channels_seen=NAMES)
    good.write_bytes(linear_model(card, {}))
    bad.write_bytes(linear_model(card, {"values": grid("basis")}))
    result = oi_hedge("check-model", good)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"CONFORMS: {good}")
    result = oi_hedge("check-model", bad)
    assert result.exit_code == 1
    assert "FAIL  channels that it has not seen have no influence: basis changes" in result.stdout
