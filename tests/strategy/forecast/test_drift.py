"""Drift: the named inputs, computed by hand, and the index that compares them with training."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import SHORT_SCHEMA, tiny_card

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.forecast.drift import DriftReference, InputReference, drift_inputs, drift_outputs
from oi_hedge_strategy.state import CHANNELS, MarketState

HOUR = 3_600_000_000_000
AT = {channel.name: at for at, channel in enumerate(CHANNELS)}
SHAPE = SHORT_SCHEMA.shape
BANDS = len(SHORT_SCHEMA.liquidation_map.bands) - 1


def arrays(n=1):
    """Return samples in which nothing is known."""
    grid = np.zeros((3, n, *SHAPE), np.float32)
    return [*grid, np.zeros((n, 2, BANDS), np.float32)]


def inputs(*samples):
    return drift_inputs(*samples, SHORT_SCHEMA)


def test_where_nothing_is_known_every_input_is_missing_but_the_share_of_venues():
    found = inputs(*arrays())
    assert found.pop("venues_present") == [0.0]
    assert all(np.isnan(each).all() for each in found.values())
    assert found.keys() == {channel.name for channel in CHANNELS} | {
        "volatility", "mean_age", "liquidations_below", "liquidations_near",
    }  # fmt: skip


def test_a_price_change_is_measured_in_its_own_volatility():
    values, mask, age, levels = arrays()
    price = 0, 0, AT["log_price"]
    values[price] = [7.04, 7.03, 7.03, 7.01, 7.00]  # now and 1, 2, 4, 8 hours ago
    mask[price] = 1.0
    found = inputs(values, mask, age, levels)
    squares = np.array([0.01, 0.0, 0.02, 0.01]) ** 2
    volatility = np.sqrt(squares.sum() / 8.0)
    assert found["log_price"] == pytest.approx([0.04 / (volatility * np.sqrt(8.0))], rel=1e-3)
    assert found["volatility"] == pytest.approx([0.0], abs=1e-9)  # one span: the look-back is short
    assert found["venues_present"] == [0.5]


def test_other_channels_are_measured_against_the_venues_own_look_back():
    values, mask, age, levels = arrays()
    for venue, level in enumerate((1e-4, 5e-2)):  # one pays 500 times as much, in the same pattern
        values[0, venue, AT["funding_8h"]] = level * np.array([3.0, 1.0, 1.0, 1.0, 1.0])
    mask[0, :, AT["funding_8h"]] = 1.0
    found = inputs(values, mask, age, levels)
    deviations = (3.0 - 1.4) / np.std([3.0, 1.0, 1.0, 1.0, 1.0])
    assert found["funding_8h"] == pytest.approx([deviations], rel=1e-5)
    mask[0, 1, AT["funding_8h"], 0] = 0.0  # the other venue's newest value is not known
    assert inputs(values, mask, age, levels)["funding_8h"] == pytest.approx([deviations], rel=1e-5)


def test_age_and_liquidations_are_means_and_shares():
    values, mask, age, levels = arrays()
    mask[0, 0, :2, 0], age[0, 0, :2, 0] = 1.0, [1.0, 4.0]
    levels[0, 0], levels[0, 1] = [3, 0, 0, 6, 0, 0], [1, 0, 0, 0, 0, 0]  # bands end at 2, 5, 10, 15, 20, 30 %
    found = inputs(values, mask, age, levels)
    assert found["mean_age"] == [2.5]
    assert found["liquidations_below"] == [0.75]
    assert found["liquidations_near"] == [0.4]


def test_many_samples_give_what_each_gives_alone():
    rng = np.random.default_rng(0)
    n = 1100  # more than are computed at once
    mask = rng.random((n, *SHAPE)) < 0.8
    values = np.where(mask, rng.normal(0.0, 1.0, mask.shape), 0.0).astype(np.float32)
    age = np.where(mask, rng.random(mask.shape), 0.0).astype(np.float16)
    levels = rng.random((n, 2, BANDS)).astype(np.float32)
    together = inputs(values, mask, age, levels)
    for row in (0, 511, 512, 1099):
        one = slice(row, row + 1)
        alone = inputs(values[one], mask[one].astype(np.float32), age[one].astype(np.float32), levels[one])
        for name, each in together.items():
            np.testing.assert_allclose(alone[name], each[one], rtol=1e-12, err_msg=name)


def test_samples_of_some_channels_give_their_inputs():
    values, mask, age, levels = arrays()
    rng = np.random.default_rng(1)
    values[:], mask[:] = rng.normal(0.0, 1.0, values.shape), 1.0
    picked = [AT["log_price"], AT["funding_8h"]]
    parts = [each[:, :, picked] for each in (values, mask, age)]
    found = drift_inputs(*parts, levels, SHORT_SCHEMA, picked)
    whole = inputs(values, mask, age, levels)
    assert "log_volume" not in found
    assert found["funding_8h"] == whole["funding_8h"]
    with pytest.raises(ValueError, match="expected samples of shape"):
        inputs(*parts, levels)


def test_the_scale_of_a_coin_changes_nothing():
    found = []
    for scale in (1.0, 1000.0):
        state, rng = MarketState(SHORT_SCHEMA), np.random.default_rng(2)
        for hour in range(1, 30):
            close = scale * 2000.0 * (1 + 0.01 * rng.normal())
            state.update_bar("BINANCE", False, hour * HOUR, close * 1.01, close * 0.99, close, 50.0 / scale)
            state.update_open_interest("BINANCE", hour * HOUR, (1000.0 + 50 * rng.random()) / scale)
        sample = state.sample(30 * HOUR)
        found.append(inputs(sample.values, sample.mask, sample.age, sample.liquidation_map))
    for name, each in found[0].items():
        np.testing.assert_allclose(found[1][name], each, rtol=2e-3, atol=2e-3, err_msg=name)


def test_probabilities_are_named_by_side_and_horizon():
    found = drift_outputs(np.arange(8.0).reshape(2, 2, 2), (4, 18))
    assert {name: each.tolist() for name, each in found.items()} == {
        "p_down_4h": [0.0, 4.0], "p_down_18h": [1.0, 5.0], "p_up_4h": [2.0, 6.0], "p_up_18h": [3.0, 7.0],
    }  # fmt: skip


def test_the_index_is_that_of_its_formula():
    reference = InputReference(edges=(0.0, 1.0, 2.0), shares=(0.0, 0.5, 0.5, 0.0), missing=0.0)
    counts = np.array([0, 30, 68, 2]) + 0.5  # at or below 0, to 1, to 2, above
    values = np.concatenate([np.full(30, 1.0), np.full(68, 2.0), np.full(2, 5.0)])
    q, p = counts / counts.sum(), np.array([0.001, 0.5, 0.5, 0.001]) / 1.002
    assert reference.psi(values) == pytest.approx(((q - p) * np.log(q / p)).sum(), rel=1e-12)


def test_a_feed_that_is_lost_is_drift_and_one_that_is_found_is_none():
    rng = np.random.default_rng(3)
    values = rng.normal(size=5000)
    half = np.where(rng.random(5000) < 0.5, np.nan, values)
    window = values[:200]
    lost = np.where(np.arange(200) < 80, np.nan, window)
    assert InputReference.fit(values).psi(lost) > 1.0
    assert InputReference.fit(values).psi(np.full(200, np.nan)) > 3.0
    assert InputReference.fit(half).psi(window) < 0.1
    assert np.isnan(InputReference.fit(values).psi(np.array([])))


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_a_constant_that_moves_either_way_is_drift(precision):
    reference = InputReference.fit(np.full(1000, 2.0 / 3.0, precision))
    assert reference.psi(np.full(100, 2.0 / 3.0)) < 0.05
    assert reference.psi(np.full(100, 1.0 / 3.0)) > 3.0
    reference = InputReference.fit(np.full(1000, 0.75, precision))
    assert reference.psi(np.full(100, 0.75)) < 0.05
    assert reference.psi(np.full(100, 0.5)) > 3.0
    assert reference.psi(np.full(100, 1.0)) > 3.0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1.0, 1e-6, 1e6]), st.floats(1.5, 5.0))
def test_the_same_distribution_is_no_drift_and_a_shifted_one_is(seed, scale, shift):
    rng = np.random.default_rng(seed)
    reference = InputReference.fit(scale * rng.normal(size=4000))
    window = rng.normal(size=400)
    assert 0.0 <= reference.psi(scale * window) < 0.15
    assert reference.psi(scale * (window + shift)) > 1.0


def test_the_distribution_function_meets_the_deciles():
    values = np.random.default_rng(4).normal(size=10_000)
    reference = InputReference.fit(values)
    np.testing.assert_allclose(
        reference.cdf(np.quantile(values, [0.1, 0.5, 0.9])), [0.1, 0.5, 0.9], atol=1e-3
    )
    np.testing.assert_allclose(reference.cdf(np.array([-99.0, 99.0])), [0.0, 1.0])


def test_a_reference_survives_the_json_of_a_card_and_leaves_out_what_was_never_known():
    rng = np.random.default_rng(5)
    values = {"funding_8h": rng.normal(size=500), "log_volume": np.full(500, np.nan)}
    reference = DriftReference.fit(values)
    assert reference.inputs.keys() == {"funding_8h"}
    card = tiny_card(reference=json.loads(json.dumps({"drift": reference.to_dict()})))
    assert DriftReference.from_card(card, "m.onnx") == reference
    assert DriftReference.from_card(tiny_card(), "m.onnx") is None
    assert reference.psi(values | {"other": values["funding_8h"]}).keys() == {"funding_8h"}


@pytest.mark.parametrize(
    "fields",
    [{"x": 1}, {"x": {"edges": [1.0]}}, {"x": {"edges": [1.0], "shares": [1.0], "missing": 0.0}}, [1]],
)
def test_a_damaged_reference_is_a_clear_error(fields):
    with pytest.raises(ModelError, match="m.onnx: its drift reference"):
        DriftReference.from_card(tiny_card(reference={"drift": fields}), "m.onnx")
