"""A model file that runs, and every file that must not."""

import json
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto
from support.models import SHORT_SCHEMA, model_bytes, tiny_card, write_model

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.forecast.card import ModelCard
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.state import MarketState

DAY = 86_400_000_000_000
START = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z


def snapshot(price=2000.0):
    state = MarketState(SHORT_SCHEMA)
    state.update_bar("BINANCE", False, 1, price, price, price, 1.0)
    return state.sample(2)


def test_a_model_loads_and_predicts(tmp_path):
    forecaster = Forecaster.load(write_model(tmp_path / "m.onnx", probability=(0.7, 0.2), adverse=0.08))
    forecast = forecaster.predict(snapshot())
    np.testing.assert_allclose(forecast.probability, [[0.7, 0.7], [0.2, 0.2]], rtol=1e-6)
    np.testing.assert_allclose(forecast.adverse, 0.08, rtol=1e-6)
    assert forecast.is_sane
    assert forecaster.card == tiny_card()
    assert len(forecaster.sha256) == 64


def test_a_forecast_belongs_to_the_caller():
    forecaster = Forecaster(model_bytes(probability=0.5, sensitivity=0.4), "m.onnx")
    first = forecaster.predict(snapshot())
    kept = first.probability.copy()
    assert not np.array_equal(forecaster.predict(snapshot(2100.0)).probability, kept)
    np.testing.assert_array_equal(first.probability, kept)
    np.testing.assert_array_equal(forecaster.predict(snapshot()).probability, kept)


@pytest.mark.parametrize(
    ("values", "sane"),
    [
        ({"probability": float("nan")}, False),
        ({"probability": 1.01}, False),
        ({"probability": -0.01}, False),
        ({"adverse": float("inf")}, False),
        ({"adverse": -0.01}, False),
        ({"favourable": float("nan")}, False),
        ({"favourable": -0.01}, False),
        ({"probability": 0.0}, True),
        ({"probability": 1.0}, True),
    ],
)
def test_impossible_numbers_are_not_sane(values, sane):
    assert Forecaster(model_bytes(**values), "m.onnx").predict(snapshot()).is_sane is sane


def wrong_schema(**fields):
    card = json.loads(tiny_card().to_json())
    card["schema"].update(fields)
    return json.dumps(card)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an ONNX model that can be run"),
        (bytes(range(256)), "is not an ONNX model that can be run"),
        (model_bytes()[:400], "is not an ONNX model that can be run"),
        (model_bytes(card_text=""), "carries no card"),
        (model_bytes(card_text="{"), "its card is not a JSON object"),
        (model_bytes(card_text="3"), "its card is not a JSON object"),
        (model_bytes(card_text='{"card_version": 1}'), "expected card version 2, was 1"),
        (model_bytes(card_text='{"card_version": 2}'), "its input schema does not match"),
        (model_bytes(card_text=wrong_schema(version=9)), "expected input schema version 2 .* was version 9"),
        (model_bytes(card_text=wrong_schema(channels=["log_price"])), r"with \['log_price'\]"),
        (
            model_bytes(graph_schema=replace(SHORT_SCHEMA, venues=("A", "B", "C"))),
            r"expected inputs .*1, 2, 12, 5.* by its card, was .*1, 3, 12, 5",
        ),
        (
            model_bytes(tiny_card(horizons=(4,)), card_text=tiny_card().to_json()),
            r"expected outputs .*\(1, 3, 2, 2\).* by its card, was .*\(1, 3, 2, 1\)",
        ),
        (model_bytes(element=TensorProto.DOUBLE), "expected 32-bit floats only"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_file_that_is_no_fitting_model_is_refused_in_one_sentence(tmp_path, content, message):
    path = tmp_path / "some.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        Forecaster.load(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert "train" in text


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read the model .*none.onnx: No such file"):
        Forecaster.load(tmp_path / "none.onnx")


def test_a_card_survives_its_json():
    card = tiny_card(metrics={"ETH": {"brier": 0.1}}, trained_until=START, parity=1e-6)
    assert ModelCard.from_json(card.to_json(), "m.onnx") == card


@pytest.mark.parametrize("start", [START, START + DAY - 1])
def test_a_model_is_valid_from_the_end_of_training_until_it_expires(start):
    tiny_card(trained_until=START, expires=START + DAY).check_valid_at(start, start + 9 * DAY, "m.onnx")


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (START - DAY, "m.onnx: trained on data until 2024-01-01, but the run starts on 2023-12-31; start"),
        (START + DAY, "m.onnx: expired on 2024-01-02, but the run starts on 2024-01-02 and ends on"),
    ],
)
def test_a_model_is_refused_outside_of_its_validity(start, message):
    with pytest.raises(ModelError) as caught:
        tiny_card(trained_until=START, expires=START + DAY).check_valid_at(start, start, "m.onnx")
    assert str(caught.value).startswith(message)
    assert "train" in str(caught.value)
