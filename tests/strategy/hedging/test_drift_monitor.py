"""The drift monitor: what demotes a model, what does not, and what survives a swap and a restart."""

from dataclasses import replace

import numpy as np
import pytest
from support.engine import HEDGE, START, bar_type, specs
from support.models import SHORT_SCHEMA, model_bytes, tiny_card

from oi_hedge_catalog import store
from oi_hedge_catalog.instruments import build_instrument
from oi_hedge_strategy.cascades import SIDES
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.forecast.drift import DriftReference, drift_inputs, drift_outputs
from oi_hedge_strategy.forecast.model import Forecast, Forecaster
from oi_hedge_strategy.hedging.config import DriftConfig, ExposureConfig, PolicyConfig
from oi_hedge_strategy.hedging.desk import HedgeDesk
from oi_hedge_strategy.hedging.drift_monitor import DriftMonitor
from oi_hedge_strategy.history import load_history
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig
from oi_hedge_strategy.state import CHANNELS, MarketState, Snapshot

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
WINDOW = DriftConfig(window_days=28.0)
FUNDING = next(at for at, each in enumerate(CHANNELS) if each.name == "funding_8h")
SHAPE = SHORT_SCHEMA.shape
CALM = (0.05, 0.2)


class Market:
    """Draw snapshots of independent noise; a shift of one channel's newest value is planted drift."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)

    def snapshot(self, shift=0.0, n=1):
        values = self.rng.normal(0.0, 0.01, (n, *SHAPE)).astype(np.float32)
        values[:, :, FUNDING, 0] += np.float32(shift)
        ones = np.ones_like(values)
        levels = self.rng.random((n, 2, 6)).astype(np.float32)
        return Snapshot(values, ones, 0 * ones, levels, np.zeros((n, 2), np.float32))

    def forecast(self, low=CALM[0], high=CALM[1]):
        shape = len(SIDES), 2
        moves = np.full(shape, 0.01, np.float32)
        return Forecast(
            self.rng.uniform(low, high, shape).astype(np.float32), moves, moves, moves[None, None]
        )

    def reference(self):
        many = self.snapshot(n=4000)
        found = drift_inputs(many.values, many.mask, many.age, many.liquidation_map, SHORT_SCHEMA)
        likely = self.rng.uniform(*CALM, (4000, len(SIDES), 2))
        return DriftReference.fit(found | drift_outputs(likely, (4, 18)))


def model(reference=None, **card):
    reference = reference or Market(99).reference()
    return Forecaster(model_bytes(tiny_card(reference={"drift": reference.to_dict()}, **card)), "m.onnx")


@pytest.fixture(scope="module")
def forecaster():
    return model()


def observe(monitor, market, days, first=0, shift=0.0, forecast=CALM):
    for hour in range(first * 24, (first + days) * 24):
        monitor.observe(START + hour * HOUR, market.snapshot(shift), market.forecast(*forecast))
    return monitor


def test_a_healthy_quarter_is_not_demoted(forecaster):
    monitor = observe(DriftMonitor(WINDOW, forecaster), Market(), 91)
    assert (monitor.demoted, monitor.notices) == ("", [])
    assert max(monitor.psi().values()) < 0.5
    assert len(monitor.psi()) == len(DriftReference.from_card(forecaster.card, "m").inputs)


def test_drift_planted_in_one_input_demotes_once_and_by_name_and_heals(forecaster):
    monitor = observe(DriftMonitor(WINDOW, forecaster), market := Market(), 40)
    observe(monitor, market, 28, first=40, shift=0.03)
    assert monitor.demoted.startswith("drift of funding_8h: PSI ")
    assert "," not in monitor.demoted
    (notice,) = monitor.notices
    assert (
        notice == f"model demoted (rule): {monitor.demoted}" or "model demoted (rule): drift of f" in notice
    )
    observe(monitor, market, 40, first=68)
    assert monitor.demoted == ""
    assert monitor.notices[1:] == ["no drift any more: the model is in use"]


def test_drift_of_the_output_demotes(forecaster):
    monitor = observe(DriftMonitor(WINDOW, forecaster), Market(), 30, forecast=(0.6, 0.9))
    assert "drift of p_down_4h: PSI" in monitor.demoted


def test_nothing_is_judged_before_the_window_is_full(forecaster):
    monitor = observe(DriftMonitor(WINDOW, forecaster), market := Market(), 25, shift=0.03)
    assert (monitor.psi(), monitor.demoted) == ({}, "")
    assert observe(monitor, market, 3, first=25, shift=0.03).demoted


def test_an_ignored_input_and_a_higher_limit_do_not_demote(forecaster):
    for config in (
        DriftConfig(window_days=28.0, ignored=("funding_8h",)),
        DriftConfig(window_days=28.0, max_input_psi=50.0),
    ):
        assert observe(DriftMonitor(config, forecaster), Market(), 30, shift=0.03).demoted == ""


def test_a_restart_goes_on_where_it_stopped(forecaster):
    whole, market = DriftMonitor(WINDOW, forecaster), Market()
    observe(whole, market, 40, shift=0.03)
    saved = whole.save()
    again = DriftMonitor(WINDOW, forecaster)
    again.restore(saved)
    assert again.demoted == whole.demoted != ""
    assert again.notices == []
    assert again.psi() == pytest.approx(whole.psi(), rel=1e-3)
    assert again.save() == saved


def test_missing_values_survive_a_restart(forecaster):
    monitor, market = DriftMonitor(WINDOW, forecaster), Market()
    for hour in range(29 * 24):
        snapshot = market.snapshot()
        snapshot.mask[:, :, FUNDING] = 0.0
        monitor.observe(START + hour * HOUR, snapshot, market.forecast())
    again = DriftMonitor(WINDOW, forecaster)
    again.restore(monitor.save())
    assert again.psi() == pytest.approx(monitor.psi(), rel=1e-3)
    assert again.psi()["funding_8h"] > 3.0


def test_another_model_keeps_the_market_but_not_what_the_old_one_said(forecaster):
    monitor = observe(DriftMonitor(WINDOW, forecaster), market := Market(), 30, forecast=(0.6, 0.9))
    saved = monitor.save()
    other = model(name="other")
    monitor.follow(other)
    assert monitor.demoted == ""
    assert {name for name in monitor.psi() if name.startswith("p_")} == set()
    assert "funding_8h" in monitor.psi()
    restarted = DriftMonitor(WINDOW, other)
    restarted.restore(saved)
    assert restarted.demoted == ""
    assert "funding_8h" in restarted.psi() and "p_down_4h" not in restarted.psi()
    assert observe(monitor, market, 5, first=30).demoted == ""


def test_retraining_on_the_new_market_cures_drift(forecaster):
    market = Market()
    monitor = observe(DriftMonitor(WINDOW, forecaster), market, 30, shift=0.03)
    assert monitor.demoted
    seen = market.snapshot(0.03, n=4000)
    found = drift_inputs(seen.values, seen.mask, seen.age, seen.liquidation_map, SHORT_SCHEMA)
    monitor.follow(model(DriftReference.fit(found)))
    assert monitor.demoted == ""


def test_a_card_without_reference_is_not_watched_and_says_so_once():
    monitor = DriftMonitor(WINDOW, Forecaster(model_bytes(), "old.onnx"))
    observe(monitor, Market(), 3)
    assert monitor.notices == ["old.onnx carries no reference for drift: it is not watched"]
    assert monitor.psi() == {}


@pytest.fixture
def desk(tmp_path, forecaster):
    def build(on_drift, saved):
        path = tmp_path / "model.onnx"
        path.write_bytes(model_bytes(forecaster.card))
        config = OIHedgeConfig(
            bar_type=bar_type(HEDGE),
            model=str(path),
            exposure=ExposureConfig(quantity=10.0),
            policy=PolicyConfig(rule_open_interest_rise=0.05),
            drift=DriftConfig(window_days=28.0, on_drift=on_drift),
        )
        found = HedgeDesk(config, build_instrument(specs()[0]), SHORT_SCHEMA.venues, START)
        found.restore_drift(saved)
        return found

    return build


@pytest.fixture(scope="module")
def demoted(forecaster):
    """Return the memory of a monitor that has demoted its model."""
    monitor = observe(DriftMonitor(WINDOW, forecaster), Market(), 40, shift=0.03)
    return monitor.save()


@pytest.mark.parametrize(
    ("on_drift", "rise", "ratio", "reason"),
    [
        ("rule", 1.10, 1.0, "; open_interest_rule"),
        ("rule", 1.00, 0.0, "; no open_interest_rule"),
        ("flatten", 1.10, 0.0, "; flatten"),
        ("ignore", 1.00, 1.0, ""),
    ],
)
def test_a_demoted_model_hands_over_as_configured_and_the_record_says_why(
    desk, demoted, on_drift, rise, ratio, reason
):
    found, end = desk(on_drift, demoted), START + 40 * DAY
    for hour in range(10):
        ts = end + hour * HOUR
        found.on_bar("BINANCE", False, ts, 2000.0, 2000.0, 2000.0, 1.0)
        found.on_open_interest("BINANCE", ts, 1000.0 * (rise if hour == 9 else 1.0))
        found.on_funding("BINANCE", ts, 0.0001, 480)
    decision = found.decide(ts, 10.0, 0.0, 1e6)
    assert decision.wish.ratio == ratio
    record = decision.record(HEDGE, 0.0, ts, ts)
    if on_drift == "ignore":
        assert "demoted" not in record.reason
    else:
        assert record.reason.startswith("model demoted, drift of funding_8h: PSI ")
        assert reason in record.reason
    assert decision.forecast is not None and record.model_sha256


@pytest.mark.slow
def test_a_simulated_market_is_healthy_until_a_feed_dies(tmp_path):
    catalog = tmp_path / "catalog"
    write_market(simulate_market(SimulatedMarketConfig(seed=5, days=240), lambda _: None), catalog)
    history = load_history(store.open_catalog(catalog), "ETH")
    schema = replace(
        SHORT_SCHEMA, venues=history.venues, offsets_hours=(0.0, 1.0, 4.0, 12.0, 24.0, 72.0, 336.0)
    )
    hours = history.hourly().ts[400:]
    train, live = hours[:2400:3], hours[2400:]
    samples = [each.copy() for each in history.replay(MarketState(schema), train)]
    joined = (np.concatenate([getattr(s, n) for s in samples]) for n in ("values", "mask", "age"))
    levels = np.concatenate([s.liquidation_map for s in samples])
    reference = DriftReference.fit(drift_inputs(*joined, levels, schema))
    watched = Forecaster(model_bytes(tiny_card(schema, reference={"drift": reference.to_dict()})), "m.onnx")

    def run(spot):
        kept = replace(history) if spot else _without_spot(history)
        monitor, market = DriftMonitor(DriftConfig(), watched), Market()
        for now, snapshot in zip(live.tolist(), kept.replay(MarketState(schema), live), strict=True):
            monitor.observe(now, snapshot, market.forecast())
        return monitor

    healthy = run(spot=True)
    assert healthy.psi() and healthy.demoted == "" and healthy.notices == []
    dead = run(spot=False)
    assert "drift of log_spot_price" in dead.demoted or "drift of basis" in dead.demoted


def _without_spot(history):
    rows = history.stream != 0
    return replace(
        history, **{name: getattr(history, name)[rows] for name in ("ts", "stream", "venue", "fields")}
    )
