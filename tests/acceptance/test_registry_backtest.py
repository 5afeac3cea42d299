"""`oi-hedge backtest --models`: at each moment the newest model that existed then."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from support.command import refuse, succeed
from support.models import SHORT_SCHEMA, model_bytes, tiny_card

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision

VENUES = ("BINANCE", "BYBIT", "GATE", "OKX")
SCHEMA = replace(SHORT_SCHEMA, venues=VENUES)
HEDGE = "ETHUSDT-PERP.BINANCE"
PERIOD = ("--start", "2024-04-01", "--end", "2024-04-04")


def ns(text):
    return pd.Timestamp(text, tz="UTC").value


def model(trained_until, schema=SCHEMA, **values):
    return model_bytes(tiny_card(schema, trained_until=ns(trained_until)), **values)


@pytest.fixture
def registry(tmp_path):
    """Return a registry of two models, the second of which comes into use within the period."""
    found = Registry.create(tmp_path / "models")
    found.add(model("2024-03-31", probability=0.4), ns("2024-03-31"), "walk-forward")
    found.add(model("2024-04-02", probability=0.8), ns("2024-04-02 12:30"), "walk-forward")
    return found


def run(registry, market, tmp_path, *more):
    out = tmp_path / "out"
    succeed("backtest", "--catalog", market, "--models", registry.path, *PERIOD, "--out", out, *more)
    stored = ParquetDataCatalog(str(out / "decisions"))
    decisions, forecasts = (
        [each.data for each in stored.query(kind, identifiers=[HEDGE])]
        for kind in (HedgeDecision, CascadeForecast)
    )
    return json.loads((out / "result.json").read_text()), decisions, forecasts


def test_a_model_takes_over_between_two_bars_once_it_exists(registry, market, tmp_path):
    result, decisions, forecasts = run(registry, market, tmp_path)
    first, second = registry.entries
    swap = ns("2024-04-02 12:30")
    assert [d.model_sha256 for d in decisions] == [
        second.sha256 if d.ts_init >= swap else first.sha256 for d in decisions
    ]
    spoken = np.array([f.down[0] for f in forecasts])
    after = np.array([f.ts_init >= swap for f in forecasts])
    np.testing.assert_allclose(spoken, np.where(after, 0.8, 0.4), rtol=1e-6)
    assert 30 < after.sum() < len(after) - 30
    used = result["model"]["models in use from"].split("; ")
    assert used == [f"2024-04-01T00:00 {first.model}", f"2024-04-02T13:00 {second.model}"]


def test_a_run_before_the_first_model_is_refused(registry, market, tmp_path):
    arguments = ("--catalog", market, "--models", registry.path, "--out", tmp_path / "out")
    sentence = refuse("backtest", *arguments, "--start", "2024-03-30", "--end", "2024-04-03")
    assert "no model by 2024-03-30: its first model is valid from 2024-03-31" in sentence
    assert not (tmp_path / "out").exists()


def test_an_empty_registry_is_refused(market, tmp_path):
    empty = Registry.create(tmp_path / "empty")
    sentence = refuse("backtest", "--catalog", market, "--models", empty.path, *PERIOD)
    assert "it is empty" in sentence


def test_a_file_and_a_registry_exclude_one_another(registry, market, short_model):
    sentence = refuse("backtest", "--catalog", market, "--models", registry.path, "--model", short_model)
    assert "exclude one another" in sentence


def test_models_of_two_schemas_cannot_share_a_run(registry, market, tmp_path):
    other = replace(SCHEMA, max_age_hours=12.0)
    registry.add(model("2024-04-03", other), ns("2024-04-03"), "a venue more")
    sentence = refuse("backtest", "--catalog", market, "--models", registry.path, *PERIOD)
    assert "2024-04-03" in sentence and "one run cannot use both" in sentence
    short = ("--start", "2024-04-01", "--end", "2024-04-02")
    succeed("backtest", "--catalog", market, "--models", registry.path, *short, "--out", tmp_path / "out")


def test_a_changed_model_file_is_found_before_the_first_bar(registry, market):
    path = registry.path / registry.entries[1].model
    path.write_bytes(path.read_bytes() + b"\0")
    sentence = refuse("backtest", "--catalog", market, "--models", registry.path, *PERIOD)
    assert "changed after its promotion" in sentence


def test_an_absurd_model_leaves_the_former_one_in_use(registry, market, tmp_path):
    entry = registry.add(model("2024-04-03", probability=1.0), ns("2024-04-03"), "retrained")
    _, decisions, _ = run(registry, market, tmp_path)
    assert entry.sha256 not in {d.model_sha256 for d in decisions}
    assert decisions[-1].model_sha256 == registry.entries[1].sha256


def test_an_uncalibrated_model_is_refused(market, tmp_path):
    path = tmp_path / "raw.onnx"
    path.write_bytes(model_bytes(tiny_card(SCHEMA, calibration={"method": "none"})))
    sentence = refuse("backtest", "--catalog", market, "--model", path, *PERIOD)
    assert "not calibrated" in sentence
    with pytest.raises(ModelError, match="not calibrated"):
        Registry.create(tmp_path / "models").add(path, ns("2024-04-01"), "raw")
