"""The model for now: a registry's newest usable one, and the former one where it cannot be used."""

from dataclasses import replace

import pytest
from support.models import SHORT_SCHEMA, model_bytes, tiny_card, write_model

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.forecast.registry import LOG_NAME, Registry
from oi_hedge_strategy.forecast.source import ModelSource
from oi_hedge_strategy.state import MarketState

DAY = 86_400_000_000_000
START = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z
SNAPSHOT = MarketState(SHORT_SCHEMA).sample(START)


def content(at=0, card=None, **values):
    """Return a model trained until `at` days after START."""
    return model_bytes(tiny_card(trained_until=START + at * DAY, **(card or {})), **values)


@pytest.fixture
def registry(tmp_path):
    found = Registry.create(tmp_path / "models")
    found.add(content(), START, "first")
    return found


@pytest.fixture
def source(registry):
    found = ModelSource.from_registry(str(registry.path), START)
    assert not found.refresh(START, SNAPSHOT)
    assert found.notices == []
    return found


def test_a_promotion_is_taken_up_at_the_next_look_and_said_once(registry, source):
    old = source.forecaster
    entry = registry.add(content(1), START + DAY, "quarterly retraining")
    assert source.refresh(START + DAY, SNAPSHOT)
    assert source.forecaster.sha256 == entry.sha256
    (notice,) = source.notices
    assert entry.model in notice and old.source in notice and "quarterly retraining" in notice
    assert not source.refresh(START + 2 * DAY, SNAPSHOT)
    assert len(source.notices) == 1


def test_a_promotion_waits_for_its_time(registry, source):
    registry.add(content(), START + 5 * DAY, "the same again")
    entry = registry.add(content(1), START + 9 * DAY, "later")
    assert not source.refresh(START + 5 * DAY, SNAPSHOT)
    assert not source.refresh(START + 9 * DAY - 1, SNAPSHOT)
    assert source.refresh(START + 9 * DAY, SNAPSHOT)
    assert source.forecaster.sha256 == entry.sha256


def test_a_file_is_never_swapped(tmp_path):
    path = write_model(tmp_path / "model.onnx", tiny_card(trained_until=START))
    source = ModelSource.from_file(str(path), START)
    write_model(path, tiny_card(trained_until=START), probability=0.1)
    assert not source.refresh(START + DAY, SNAPSHOT)


def corrupt(registry, entry):
    (registry.path / entry.model).write_bytes(b"half a model")


def absent(registry, entry):
    (registry.path / entry.model).unlink()


def unchanged(registry, entry):
    pass


@pytest.mark.parametrize(
    ("values", "damage", "message"),
    [
        ({}, corrupt, "expected SHA-256"),
        ({}, absent, "cannot read the model"),
        ({"card": {"schema": replace(SHORT_SCHEMA, max_age_hours=1.0)}}, unchanged, "restart the strategy"),
        ({"card": {"reference": {"drift": {"x": 1}}}}, unchanged, "drift reference is damaged"),
        ({"card": {"alert_threshold": {"up_4h": 0.5}}}, unchanged, "no alert threshold of down_4h"),
        ({"card": {"expires": START + 2 * DAY}}, unchanged, "from 2024-01-02 to 2024-01-03 only"),
        ({"probability": float("nan")}, unchanged, "impossible number"),
        ({"probability": 1.5}, unchanged, "impossible number"),
        ({"probability": (0.0, 1.0)}, unchanged, "every probability as 0 or 1"),
        ({"probability": 0.0}, unchanged, "every probability as 0 or 1"),
    ],
)
def test_a_model_that_cannot_be_used_leaves_the_former_one_and_says_so_once(
    registry, source, values, damage, message
):
    old = source.forecaster
    entry = registry.add(content(1, **values), START + DAY, "second")
    damage(registry, entry)
    for hours in range(5):
        assert not source.refresh(START + 3 * DAY + hours, SNAPSHOT)
    assert source.forecaster is old
    (notice,) = source.notices
    assert entry.model in notice and message in notice
    assert source.problem == ""
    better = registry.add(content(2), START + 3 * DAY + 10, "third")
    assert source.refresh(START + 3 * DAY + 10, SNAPSHOT)
    assert source.forecaster.sha256 == better.sha256


def test_a_restart_on_an_absurd_model_goes_back_to_the_former_one(registry):
    first = registry.entries[0]
    registry.add(content(1, probability=1.0), START + DAY, "absurd")
    source = ModelSource.from_registry(str(registry.path), START + 2 * DAY)
    assert source.refresh(START + 2 * DAY, SNAPSHOT)
    assert source.forecaster.sha256 == first.sha256
    assert source.problem == ""
    assert ["is not used" in source.notices[0], "takes over" in source.notices[1]] == [True, True]


def test_no_usable_model_at_all_is_a_problem_until_one_is_promoted(tmp_path):
    registry = Registry.create(tmp_path / "models")
    registry.add(content(probability=1.0), START, "absurd")
    source = ModelSource.from_registry(str(registry.path), START)
    for hours in range(3):
        assert not source.refresh(START + hours, SNAPSHOT)
        assert source.problem == "no model of the registry can be used"
    assert len(source.notices) == 1
    registry.add(content(1), START + DAY, "usable")
    assert source.refresh(START + DAY, SNAPSHOT)
    assert source.problem == ""


def test_a_log_damaged_while_running_changes_nothing_and_is_said_once(registry, source):
    whole = (registry.path / LOG_NAME).read_text()
    (registry.path / LOG_NAME).write_text(whole[: len(whole) // 2])
    for hours in range(3):
        assert not source.refresh(START + hours, SNAPSHOT)
    (notice,) = source.notices
    assert "is damaged" in notice and "stays in use" in notice
    (registry.path / LOG_NAME).write_text(whole)
    registry.add(content(1), START + DAY, "second")
    assert source.refresh(START + DAY, SNAPSHOT)


def test_a_start_before_the_first_model_or_after_expiry_is_refused(registry):
    with pytest.raises(ModelError, match="no model by 2023-12-31: its first model is valid from 2024-01-01"):
        ModelSource.from_registry(str(registry.path), START - DAY)
    registry.add(content(1, {"expires": START + 2 * DAY}), START + DAY, "short-lived")
    with pytest.raises(ModelError, match="expired on 2024-01-03"):
        ModelSource.from_registry(str(registry.path), START + 5 * DAY)


@pytest.mark.parametrize("calibration", [{}, {"method": ""}, {"method": "none"}])
def test_an_uncalibrated_file_is_refused(tmp_path, calibration):
    path = write_model(tmp_path / "model.onnx", tiny_card(calibration=calibration))
    with pytest.raises(ModelError, match="probabilities are not calibrated"):
        ModelSource.from_file(str(path), START)
