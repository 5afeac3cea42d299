"""Each fault ends in the state that the configuration names, with one alert and no order beyond the hedge."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from math import isfinite, nan
from pathlib import Path

import pytest
from nautilus_trader.common.actor import Actor
from nautilus_trader.model.data import Bar, CustomData, DataType, InstrumentStatus
from nautilus_trader.model.enums import MarketStatusAction
from nautilus_trader.model.identifiers import StrategyId
from nautilus_trader.model.objects import Price
from support.engine import HEDGE, HELD, HOUR, SECOND, START, bar_type, events, run
from support.models import model_bytes, tiny_card, write_model

from oi_hedge_catalog.errors import ModelError
from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.backtest.plan import iso
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.hedging.config import ExposureConfig, RailsConfig
from oi_hedge_strategy.hedging.desk import HedgeDesk
from oi_hedge_strategy.hedging.policy import Wish
from oi_hedge_strategy.live import journal as journal_module
from oi_hedge_strategy.live.alerts import AlertMonitor, AlertMonitorConfig
from oi_hedge_strategy.live.journal import Journal, read_journal
from oi_hedge_strategy.simulation.closing import LIQUIDATION_TAG
from oi_hedge_strategy.strategy import OIHedgeStrategy

LONG = (10.0, iso(START))
HOURS = 16
FAULT = 7
STATES = {"hold": "as before", "flatten": 0.0, "full": -10.0}


class Alerts(Actor):
    """Keep the alerts."""

    def __init__(self):
        super().__init__()
        self.began, self.over = [], []

    def on_start(self):
        self.msgbus.subscribe("data.Alert*", self._keep)

    def _keep(self, message):
        alert = message.data if isinstance(message, CustomData) else message
        (self.began if alert.active else self.over).append(alert.condition)


def config(tmp_path, rails=None, card=None, **values):
    if "models" not in values:
        values["model"] = str(write_model(tmp_path / "model.onnx", card or tiny_card(), probability=0.55))
    return OIHedgeConfig(
        bar_type=bar_type(HEDGE),
        exposure=ExposureConfig(instrument_ids=(HELD,)),
        rails=rails or RailsConfig(),
        order_id_tag="HEDGE",
        **values,
    )


def faulty(data, config, **values):
    """Run with alerts watched; see that nothing was ordered beyond the hedge, and no number is none."""
    alerts = Alerts()
    ids = {"instrument_id": HEDGE, "strategy_id": StrategyId("OIHedgeStrategy-HEDGE")}
    monitor = AlertMonitor(AlertMonitorConfig(**ids))
    found = run(data, config, [LONG], actors=[monitor, alerts], **values)
    assert found.strategy.is_stopped
    for each in found.decisions:
        assert -10.0 <= each.hedge_quantity <= 0.0
        assert isfinite(each.order_quantity)
    return found, alerts


def held_before(found):
    """Return the hedge before the fault, neither nothing nor all."""
    before = next(d for d in reversed(found.decisions) if d.ts_init < START + FAULT * HOUR)
    assert -9.0 < before.hedge_quantity < -1.0
    return before.hedge_quantity


def ends_in(found, state):
    """Tell whether the hedge ends in the state that the configuration names."""
    wanted = STATES[state]
    return found.position(HEDGE) == pytest.approx(held_before(found) if wanted == "as before" else wanted)


@pytest.mark.parametrize("state", STATES)
def test_a_model_that_expires_ends_in_the_state_of_a_model_failure(tmp_path, state):
    card = replace(tiny_card(), expires=START + FAULT * HOUR)
    rails = RailsConfig(on_model_failure=state)
    found, alerts = faulty(events([2000.0] * HOURS), config(tmp_path, rails, card))
    assert ends_in(found, state)
    assert alerts.began == ["rail model"]


def test_rubbish_in_place_of_the_current_model_leaves_the_one_in_memory_and_is_alerted_once(tmp_path):
    registry = Registry.create(tmp_path / "models")
    registry.add(model_bytes(probability=0.55), START, "first")

    class Vandal(Actor):
        def on_start(self):
            self.subscribe_bars(bar_type(HELD))

        def on_bar(self, bar):
            if bar.ts_event == START + FAULT * HOUR:
                registry.add(model_bytes(probability=0.9), bar.ts_init, "second")
                newest = max(registry.path.rglob("*.onnx"), key=lambda path: path.stat().st_mtime_ns)
                newest.chmod(0o600)
                newest.write_bytes(b"rubbish")

    data = events([2000.0] * HOURS)
    settings = config(tmp_path, models=str(registry.path))
    alerts = Alerts()
    monitor = AlertMonitor(
        AlertMonitorConfig(instrument_id=HEDGE, strategy_id=StrategyId("OIHedgeStrategy-HEDGE"))
    )
    found = run(data, settings, [LONG], actors=[Vandal(), monitor, alerts])
    assert ends_in(found, "hold")
    assert {d.model_sha256 for d in found.decisions} == {registry.entries[0].sha256}
    assert alerts.began == ["model refused"]


def test_a_start_on_rubbish_is_refused(tmp_path):
    registry = Registry.create(tmp_path / "models")
    registry.add(model_bytes(), START, "first")
    (path,) = registry.path.rglob("*.onnx")
    path.chmod(0o600)
    path.write_bytes(b"rubbish")
    with pytest.raises(ModelError):
        run(events([2000.0] * 4), config(tmp_path, models=str(registry.path)), [LONG])


@pytest.mark.parametrize("state", STATES)
def test_prices_that_are_no_number_age_the_feed_and_end_in_the_state_of_stale_data(
    tmp_path, state, monkeypatch
):
    with pytest.raises(ValueError, match="nan"):
        Price(nan, 2)
    take = HedgeDesk.on_bar

    def broken(desk, venue, spot, ts, *prices):
        if venue == "BINANCE" and not spot and ts > START + FAULT * HOUR:
            prices = (nan,) * 4
        take(desk, venue, spot, ts, *prices)

    monkeypatch.setattr(HedgeDesk, "on_bar", broken)
    found, alerts = faulty(events([2000.0] * HOURS), config(tmp_path, RailsConfig(on_stale_data=state)))
    assert ends_in(found, state)
    assert alerts.began == ["rail freshness"]


@pytest.mark.parametrize("state", STATES)
def test_open_interest_that_is_no_number_ends_in_the_state_of_stale_data(tmp_path, state):
    interest = [1000.0] * FAULT + [nan] * (HOURS - FAULT)
    found, alerts = faulty(
        events([2000.0] * HOURS, interest), config(tmp_path, RailsConfig(on_stale_data=state))
    )
    assert ends_in(found, state)
    assert alerts.began == ["rail freshness"]


@pytest.mark.parametrize("hours", [1, HOURS - FAULT])
def test_open_interest_of_one_venue_times_a_thousand_is_left_out_and_alerted_once(tmp_path, hours):
    faults = range(FAULT + 1, FAULT + hours + 1)
    data = [
        CustomData(DataType(OpenInterestUpdate), OpenInterestUpdate(HEDGE, 1e6, None, ts, ts + 6 * SECOND))
        for ts in (START + hour * HOUR for hour in faults)
    ]
    found, alerts = faulty([*events([2000.0] * HOURS), *data], config(tmp_path))
    assert ends_in(found, "hold")
    assert alerts.began == ["open interest of BINANCE held back"]
    assert alerts.over == (alerts.began if hours == 1 else [])


@pytest.mark.parametrize("state", STATES)
def test_open_interest_of_all_venues_times_a_thousand_ends_in_the_state_of_stale_data(tmp_path, state):
    interest = [1000.0] * FAULT + [1e6] * (HOURS - FAULT)
    found, alerts = faulty(
        events([2000.0] * HOURS, interest), config(tmp_path, RailsConfig(on_stale_data=state))
    )
    assert ends_in(found, state)
    held_back = [f"open interest of {venue} held back" for venue in ("BINANCE", "BYBIT")]
    assert alerts.began == [*held_back, "rail freshness"]


@pytest.mark.parametrize("state", STATES)
def test_a_clock_that_jumps_ahead_makes_what_is_known_stale_until_news_come(tmp_path, state):
    jump = 10 * 24
    before, after = events([2000.0] * FAULT), events([2000.0] * 3, first=FAULT + jump)
    late = [
        each
        for each in after
        if not (isinstance(each, CustomData) and isinstance(each.data, OpenInterestUpdate))
        or each.ts_init > START + (FAULT + jump + 2) * HOUR
    ]
    found, alerts = faulty(before + late, config(tmp_path, RailsConfig(on_stale_data=state)))
    at_once = [d for d in found.decisions if d.ts_init > START + (FAULT + jump) * HOUR][:2]
    wanted = STATES[state]
    assert at_once[1].hedge_quantity == pytest.approx(held_before(found) if wanted == "as before" else wanted)
    assert alerts.began == alerts.over == ["rail freshness"]


@pytest.mark.parametrize("state", STATES)
def test_a_clock_that_jumps_backwards_makes_what_is_known_stale_until_it_is_back(
    tmp_path, state, monkeypatch
):
    jump, hours = 10 * 24 * HOUR, 4
    take = OIHedgeStrategy.on_bar

    def behind(strategy, bar):
        if FAULT * HOUR < bar.ts_event - START <= (FAULT + hours) * HOUR:
            values = Bar.to_dict(bar)
            bar = Bar.from_dict({**values, **{each: values[each] - jump for each in ("ts_event", "ts_init")}})
        take(strategy, bar)

    monkeypatch.setattr(OIHedgeStrategy, "on_bar", behind)
    rails = RailsConfig(on_stale_data=state)
    found, alerts = faulty(events([2000.0] * HOURS), config(tmp_path, rails))
    meanwhile = [d for d in found.decisions if d.ts_init - d.ts_event > 9 * 24 * HOUR]
    assert len(meanwhile) == hours
    assert all("the clock is 14" in d.reason for d in meanwhile)
    wanted = STATES[state]
    last = meanwhile[-1].hedge_quantity
    assert last == pytest.approx(held_before(found) if wanted == "as before" else wanted)
    assert alerts.began == alerts.over == ["rail freshness"]


def test_a_cooldown_is_alerted_once_however_often_a_hedge_is_wished_for_meanwhile(tmp_path):
    wishes = iter([0.9, 0.9, 0.9, *(0.9 * (hour % 2) for hour in range(HOURS))])

    class Fickle(HedgeDesk):
        def _wish(self, *seen):
            return Wish(next(wishes), "fickle")

    rows = [2000.0] * 3 + [2250.0] * (HOURS - 3)
    alerts = Alerts()
    ids = {"instrument_id": HEDGE, "strategy_id": StrategyId("OIHedgeStrategy-HEDGE")}
    settings = config(tmp_path, RailsConfig(cooldown_hours=8.0))
    monitor = AlertMonitor(AlertMonitorConfig(**ids))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oi_hedge_strategy.strategy.HedgeDesk", Fickle)
        found = run(events(rows), settings, [LONG], actors=[monitor, alerts])
    cooling = [d.wanted for d in found.decisions if "cooling down" in d.reason]
    assert len(cooling) == 8 and len(set(cooling)) == 2
    assert alerts.began == alerts.over == ["rail drawdown"]


def test_a_halted_venue_holds_the_hedge_and_is_sent_nothing(tmp_path):
    card = replace(tiny_card(), expires=START + (FAULT + 3) * HOUR)
    ts = START + FAULT * HOUR
    halt = InstrumentStatus(HEDGE, MarketStatusAction.HALT, ts, ts + SECOND)
    data = [*events([2000.0] * HOURS), halt]
    found, alerts = faulty(data, config(tmp_path, RailsConfig(on_model_failure="hold"), card))
    assert ends_in(found, "hold")
    assert not [d for d in found.decisions if d.ts_init > ts and d.order_quantity]
    assert Counter(alerts.began)["rail venue"] == 1


def test_a_hedge_that_the_venue_liquidates_stays_closed_for_the_cooldown(tmp_path):
    rails = RailsConfig(
        hard_stop=0.0, min_liquidation_distance=0.0, stress_rise=0.0, stress_carry=0.0, max_leverage=5.0
    )
    rows = [2000.0] * FAULT + [2900.0] * (HOURS - FAULT)
    found, alerts = faulty(events(rows), config(tmp_path, rails), collateral=3_500.0)
    forced = [
        each
        for each in found.engine.cache.orders(strategy_id=found.strategy.id)
        if LIQUIDATION_TAG in (each.tags or ())
    ]
    assert len(forced) == 1
    assert found.position(HEDGE) == 0.0
    kinds = Counter(each.split(" at ")[0] for each in alerts.began)
    assert kinds == {"liquidated": 1, "rail drawdown": 1}


def test_a_record_that_the_disk_takes_half_of_hides_none_that_follow(tmp_path, monkeypatch):
    journal, write = Journal(tmp_path / "some.journal"), os.write
    journal.append(0, b"first")
    with monkeypatch.context() as disk:
        disk.setattr(journal_module.os, "write", lambda file, content: write(file, content[:7]))
        with pytest.raises(OSError, match="the disk is full"):
            journal.append(0, b"lost")
    journal.append(0, b"second")
    journal.close()
    assert [payload for _, payload in read_journal(journal.path)] == [b"first", b"second"]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Return what a paper node in a process of its own did under one fault after the other."""
    pytest.importorskip("ccxt")
    tests = Path(__file__).parents[2]
    paths = os.pathsep.join(filter(None, (str(tests), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", "support.faulty_node", str(tmp_path_factory.mktemp("faulty"))],
        cwd=tests, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    return json.loads(line.removeprefix("FOUND "))


def test_open_interest_times_a_thousand_leaves_the_hedge_of_a_running_node(node):
    condition = "open interest of BINANCE held back"
    assert node["interest"] == {"held": -10.0, "alerts": [[condition, True], [condition, False]]}


def test_the_webhook_receives_each_alert_of_a_running_node_once_and_in_order(node):
    assert node["webhook"] == node["alerted"]
    begun = [text.split(": ")[1] for text in node["webhook"]]
    for condition in ("open interest of BINANCE held back", "rail funding", "rail venue", "recording"):
        assert begun.count(condition) == 1


def test_funding_of_300_percent_caps_the_hedge_of_a_running_node(node):
    assert node["funding"] == {"held": -2.5, "alerts": [["rail funding", True], ["rail funding", False]]}


def test_a_halt_holds_the_hedge_of_a_running_node(node):
    assert node["halt"] == {"held": -10.0, "alerts": [["rail venue", True], ["rail venue", False]]}


def test_a_full_disk_is_alerted_once_and_the_hard_stop_still_closes_the_hedge(node):
    assert node["disk"]["held"] == 0.0
    assert [name for name, active in node["disk"]["alerts"] if active] == ["recording", "rail drawdown"]


def test_a_running_node_leaves_no_fault_uncaught_and_never_exceeds_the_exposure(node):
    assert node["uncaught"] == []
    assert node["held"] == [-10.0, 0.0]
    assert node["stopped"]
