"""The registry: one rule for which model is in use when, and a log that is never half written."""

import json
import os

import pytest
from support.models import SHORT_SCHEMA, model_bytes, tiny_card, write_model

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.evaluation import files
from oi_hedge_strategy.forecast.registry import LOG_NAME, Registry

DAY = 86_400_000_000_000
START = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z


def content(at=0, **values):
    """Return a model trained until `at` days after START."""
    return model_bytes(tiny_card(trained_until=START + at * DAY), **values)


@pytest.fixture
def registry(tmp_path):
    return Registry.create(tmp_path / "models")


def test_the_model_in_use_is_the_last_one_promoted_by_then(registry):
    first, second = (registry.add(content(at), START + at * DAY, "walk-forward") for at in (0, 90))
    assert registry.at(START - 1) is None
    assert registry.at(START) == registry.at(START + 90 * DAY - 1) == first
    assert registry.at(START + 90 * DAY) == registry.current == second
    assert registry.entries == (first, second)
    assert (second.trained_until, second.reason) == (START + 90 * DAY, "walk-forward")
    assert second.model == f"2024-03-31-{second.sha256[:12]}.onnx"
    assert registry.load(second).sha256 == second.sha256


def test_of_two_promotions_at_one_time_the_later_in_the_log_is_in_use(registry):
    registry.add(content(probability=0.1), START, "one")
    assert registry.add(content(probability=0.2), START, "two") == registry.at(START)


def test_a_registry_comes_back_from_its_directory(registry):
    registry.add(content(), START, "first")
    again = Registry.open(registry.path)
    assert again.entries == registry.entries
    assert Registry.create(registry.path).entries == registry.entries


def test_a_promotion_that_is_there_is_not_repeated(registry, tmp_path):
    path = write_model(tmp_path / "model.onnx", tiny_card(trained_until=START))
    entry = registry.add(path, START, "first")
    registry.add(content(90), START + 90 * DAY, "second")
    assert registry.add(path, START, "first, resumed") == entry
    assert len(Registry.open(registry.path).entries) == 2


def test_another_process_sees_that_the_log_changed(registry):
    running = Registry.open(registry.path)
    assert not running.changed
    registry.add(content(), START, "first")
    assert running.changed
    assert not registry.changed
    (registry.path / LOG_NAME).unlink()
    assert registry.changed


def test_promotions_of_two_processes_both_stay(registry):
    other = Registry.open(registry.path)
    registry.add(content(), START, "one")
    other.add(content(1), START + DAY, "two")
    assert [each.reason for each in Registry.open(registry.path).entries] == ["one", "two"]


@pytest.mark.parametrize("name", [".onnx", LOG_NAME])
def test_a_promotion_killed_in_mid_write_leaves_the_former_log(registry, monkeypatch, name):
    before = registry.add(content(), START, "first")
    replace = os.replace

    def killed(source, target):
        if str(target).endswith(name):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        registry.add(content(90), START + 90 * DAY, "second")
    monkeypatch.undo()
    found = Registry.open(registry.path)
    assert found.entries == (before,)
    assert found.load(before).card.trained_until == START
    assert not list(registry.path.glob("*.tmp"))
    found.add(content(90), START + 90 * DAY, "second")
    assert len(found.entries) == 2


def test_a_model_file_changed_after_its_promotion_is_refused(registry):
    entry = registry.add(content(), START, "first")
    (registry.path / entry.model).write_bytes(content(probability=0.1))
    with pytest.raises(ModelError, match=f"expected SHA-256 {entry.sha256[:12]}…"):
        registry.load(entry)
    (registry.path / entry.model).unlink()
    with pytest.raises(ModelError, match="cannot read the model .* of the registry: No such file"):
        registry.load(entry)


@pytest.mark.parametrize(
    ("card", "valid_from", "message"),
    [
        ({"trained_until": START + DAY}, START, "cannot be in use from 2024-01-01"),
        ({"expires": START}, START, "expiring on 2024-01-01"),
        ({"calibration": {}}, START, "not calibrated"),
        ({"calibration": {"method": "none"}}, START, "not calibrated"),
    ],
)
def test_a_model_that_could_not_be_used_is_not_promoted(registry, card, valid_from, message):
    with pytest.raises(ModelError, match=message):
        registry.add(model_bytes(tiny_card(SHORT_SCHEMA, **card)), valid_from, "first")
    assert list(registry.path.iterdir()) == [registry.path / LOG_NAME]


def test_the_log_only_grows_at_its_end(registry):
    registry.add(content(), START + 2 * DAY, "first")
    with pytest.raises(ModelError, match="the log only grows at its end"):
        registry.add(content(1), START + DAY, "second")


def test_what_is_no_model_is_not_promoted(registry, tmp_path):
    with pytest.raises(ModelError, match="not an ONNX model"):
        registry.add(b"nothing", START, "first")
    with pytest.raises(ModelError, match="cannot read the model"):
        registry.add(tmp_path / "nowhere.onnx", START, "first")


def test_a_directory_without_a_log_is_no_registry(tmp_path):
    with pytest.raises(ModelError, match="is not a registry of models: cannot read registry.json"):
        Registry.open(tmp_path)


def entry(**changes):
    return {"model": "m.onnx", "sha256": "0", "valid_from": 5, "trained_until": 0, "reason": ""} | changes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"version": 1}', "is damaged"),
        (json.dumps({"version": 2, "promotions": []}), "expected version 1, was 2"),
        (json.dumps({"version": 1, "promotions": [{"model": "x"}]}), "is damaged"),
        (json.dumps({"version": 1, "promotions": [entry(), entry(valid_from=4)]}), "in the order"),
        (json.dumps({"version": 1, "promotions": [entry(valid_from="5")]}), "is damaged"),
        (json.dumps({"version": 1, "promotions": [entry(model="../m.onnx")]}), "file of the registry"),
    ],
)
def test_a_damaged_log_is_a_clear_error(registry, text, message):
    (registry.path / LOG_NAME).write_text(text)
    with pytest.raises(ModelError, match=message):
        Registry.open(registry.path)
