"""Models in the real engine: a promotion while the strategy runs, and what a restart keeps."""

import json

import pytest
from nautilus_trader.trading.strategy import Strategy
from support.engine import HEDGE, HELD, HOUR, START, bar_type, events, run
from support.models import model_bytes, tiny_card, write_model

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.backtest.plan import iso
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.forecast.drift import DriftReference, drift_inputs
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.hedging.config import ExposureConfig, PolicyConfig
from oi_hedge_strategy.state import MarketState
from oi_hedge_strategy.strategy import OIHedgeStrategy

LONG = (10.0, iso(START))
CALM = [2000.0] * 12


def config(**values):
    return OIHedgeConfig(bar_type=bar_type(HEDGE), exposure=ExposureConfig(instrument_ids=(HELD,)), **values)


@pytest.fixture
def registry(tmp_path):
    found = Registry.create(tmp_path / "models")
    found.add(model_bytes(probability=0.9), START, "first")
    return found


class Promoter(Strategy):
    """Promote a model at a bar that comes before the hedge instrument's of the same hour."""

    def __init__(self, registry, content, hour):
        super().__init__()
        self._registry, self._content, self._hour = registry, content, hour

    def on_start(self):
        self.subscribe_bars(bar_type(HELD))

    def on_bar(self, bar):
        if bar.ts_event == START + self._hour * HOUR:
            self._registry.add(self._content, bar.ts_init, "retrained while running")


def test_a_model_promoted_while_the_strategy_runs_decides_at_its_next_bar(registry):
    promoter = Promoter(registry, model_bytes(probability=0.01), 6)
    found = run(events(CALM), config(models=str(registry.path)), [LONG], others=[promoter])
    first, second = (each.sha256 for each in Registry.open(registry.path).entries)
    assert [d.model_sha256 for d in found.decisions] == [first] * 5 + [second] * 7
    assert [f.down[0] for f in found.forecasts] == pytest.approx([0.9] * 5 + [0.01] * 7)
    assert found.hedges() == [-10.0, 10.0]
    assert found.position() == 0.0


@pytest.mark.parametrize("content", [{"probability": 1.0}, {"probability": float("nan")}])
def test_an_absurd_model_promoted_while_the_strategy_runs_changes_nothing(registry, content):
    promoter = Promoter(registry, model_bytes(**content), 6)
    found = run(events(CALM), config(models=str(registry.path)), [LONG], others=[promoter])
    assert {d.model_sha256 for d in found.decisions} == {registry.entries[0].sha256}
    assert len(Registry.open(registry.path).entries) == 2
    assert found.hedges() == [-10.0]


def test_a_start_before_the_first_model_is_refused(registry):
    late = Registry.create(registry.path.parent / "late")
    late.add(model_bytes(), START + 100 * HOUR, "first")
    with pytest.raises(ModelError, match="no model by 2024-01-01"):
        run(events(CALM), config(models=str(late.path)), [LONG])


def watched(tmp_path):
    """Write a model whose card holds a reference for drift."""
    card = tiny_card()
    state = MarketState(card.schema)
    state.update_bar("BINANCE", False, 1, 2010.0, 1990.0, 2000.0, 1.0)
    seen = state.sample(2)
    values = drift_inputs(seen.values, seen.mask, seen.age, seen.liquidation_map, card.schema)
    reference = {"drift": DriftReference.fit(values).to_dict()}
    return str(write_model(tmp_path / "model.onnx", tiny_card(reference=reference)))


def test_the_drift_window_survives_a_restart(tmp_path, monkeypatch):
    found = run(events(CALM), config(model=watched(tmp_path)), [LONG])
    saved = found.strategy.on_save()
    assert saved.keys() == {"rails", "drift"}
    noted = [(ts - START) / HOUR for ts, _ in json.loads(saved["drift"])["inputs"]]
    assert noted == pytest.approx([1.0, 6.0, 11.0], abs=0.01)

    begin = OIHedgeStrategy.on_start

    def restarted(strategy):
        strategy.on_load(saved)
        begin(strategy)

    monkeypatch.setattr(OIHedgeStrategy, "on_start", restarted)
    again = run(events(CALM[:3], first=16), config(model=watched(tmp_path)), [LONG])
    assert len(json.loads(again.strategy.on_save()["drift"])["inputs"]) == 4


def test_a_rule_keeps_no_drift_window():
    found = run(events(CALM), config(policy=PolicyConfig(kind="stop_loss")), [LONG])
    assert found.strategy.on_save().keys() == {"rails"}
