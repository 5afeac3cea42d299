"""The actors beside the strategy: one alert for each fault, and no fault of theirs that reaches it."""

import json

import pytest
from nautilus_trader.adapters.binance.common.types import BinanceBar
from nautilus_trader.common.actor import Actor
from nautilus_trader.common.component import TestClock
from nautilus_trader.model.data import Bar
from nautilus_trader.model.identifiers import StrategyId
from support.engine import HEDGE, HELD, bar, bar_type, events, run

from oi_hedge_catalog.errors import ConfigError, DataError
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExposureConfig, PolicyConfig
from oi_hedge_strategy.live.alerts import AlertMonitor, AlertMonitorConfig
from oi_hedge_strategy.live.entries import kind_of, pack, unpack
from oi_hedge_strategy.live.metrics import MetricsServer, MetricsServerConfig
from oi_hedge_strategy.live.node_thread import in_node_thread
from oi_hedge_strategy.live.status import StatusWriter, StatusWriterConfig
from oi_hedge_strategy.live.timing import StageTimer
from oi_hedge_strategy.records import Alert, SessionEntry

ABOUT = {"instrument_id": HEDGE, "strategy_id": StrategyId("OIHedgeStrategy-HEDGE")}
HOLDING = [(10.0, "2024-01-01T02:00:00+00:00")]


class Listener(Actor):
    """Keep what a topic brings."""

    def __init__(self, topic):
        super().__init__()
        self.topic, self.got = topic, []

    def on_start(self):
        self.msgbus.subscribe(self.topic, self.got.append)

    def on_stop(self):
        pass


def strategy():
    return OIHedgeConfig(
        bar_type=bar_type(HEDGE),
        policy=PolicyConfig(kind="constant", constant_ratio=0.5),
        exposure=ExposureConfig(instrument_ids=(HELD,)),
        order_id_tag="HEDGE",
    )


def watch(directory, hours=8, **monitor):
    alerts = Listener("data.Alert*")
    actors = [
        alerts,
        AlertMonitor(AlertMonitorConfig(**ABOUT, **monitor)),
        StatusWriter(StatusWriterConfig(directory=str(directory), every_secs=600.0, **ABOUT)),
    ]
    found = run(events([2000.0] * hours), strategy(), HOLDING, actors=actors)
    found.engine.dispose()
    return found, alerts.got


def test_status_file_says_what_was_decided_ordered_and_received(tmp_path):
    found, alerts = watch(tmp_path)
    status = json.loads((tmp_path / "status.json").read_text())
    assert status["decision"] == found.decisions[-1].to_dict()
    hedged = [each for each in status["orders"] if each["tags"] == ["HEDGE"]]
    assert [(each["event"], each["side"], each["quantity"]) for each in hedged] == [
        ("Submitted", "SELL", "5.000"),
        ("Filled", "SELL", "5.000"),
    ]
    assert {(each["kind"], each["instrument"]) for each in status["feeds"]} >= {
        ("Bar", str(HEDGE)), ("OpenInterestUpdate", str(HELD)),
    }  # fmt: skip
    assert status["timing"]["features"]["count"] == len(found.decisions)
    assert (alerts, status["alerts"]) == ([], [])


def test_a_session_that_cannot_be_written_is_one_alert_and_stops_nothing(tmp_path):
    found, alerts = watch(tmp_path / "gone")
    assert [(each.condition, each.active) for each in alerts] == [("recording", True)]
    assert "the session cannot be written: No such file or directory" in alerts[0].message
    assert found.hedges() == [-5.0]


def test_an_impossible_budget_is_one_alert_for_each_stage(tmp_path):
    _, alerts = watch(tmp_path, hours=12, budgets_ms={"features": 1e-9, "policy": 1e-9})
    assert sorted(each.condition for each in alerts) == [
        "stage features over budget",
        "stage policy over budget",
    ]
    assert all(isinstance(each, Alert) and each.active for each in alerts)


def test_a_taken_metrics_port_is_refused_in_one_sentence(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = MetricsServer(MetricsServerConfig(port=port, strategy_id=ABOUT["strategy_id"]))
        with pytest.raises(ConfigError, match=f"metrics_port {port}: cannot listen on 127.0.0.1"):
            server.on_start()


def test_bars_of_an_adapter_are_journalled_as_bars():
    plain = bar(HEDGE, 3, (2000.0, 2010.0, 1990.0, 2005.0))
    prices = (plain.open, plain.high, plain.low, plain.close)
    own = BinanceBar(plain.bar_type, *prices, plain.volume, 1, 2, 3, 4, plain.ts_event, plain.ts_init)
    assert kind_of(own) is Bar
    kind, payload = pack(own)
    again = unpack(SessionEntry(HEDGE, 0, kind, payload, 1, 1))
    assert (type(again), again, again.ts_init) == (Bar, plain, plain.ts_init)


def test_an_entry_of_another_kind_or_torn_is_refused_by_its_number():
    with pytest.raises(DataError, match="entry 7 of the session is a Kite, which this version lacks"):
        unpack(SessionEntry(HEDGE, 7, "Kite", "{}", 1, 1))
    with pytest.raises(DataError, match="entry 8 of the session is no whole Bar"):
        unpack(SessionEntry(HEDGE, 8, "Bar", '{"open": ', 1, 1))


def test_timers_of_a_backtest_stay_in_its_only_thread():
    class Bare:
        clock = TestClock()

    def callback(event):
        raise AssertionError

    assert in_node_thread(Bare(), callback) is callback


def test_timing_of_an_order_ends_when_it_was_sent_whichever_comes_first():
    published = []
    timer = StageTimer(HEDGE, published.append)
    timer.decided("bar", (10, 20, 30, 40), True, 1_000, 5)
    assert published == []
    timer.sent(1_700, 1_900)
    assert (published[-1].receive, published[-1].policy, published[-1].order) == (10, 40, 700)
    timer.sent(2_600, 2_600)  # a venue in the same process answers before the decision is over
    timer.decided("timer", (-5, 20, 30, 40), True, 2_500, 6)
    assert (published[-1].trigger, published[-1].receive, published[-1].order) == ("timer", 0, 100)
    timer.decided("bar", (10, 20, 30, 40), True, 3_000, 7)
    timer.decided("bar", (10, 20, 30, 40), False, 4_000, 8)
    assert (published[-1].ts_init, published[-1].order) == (8, None)
    timer.sent(5_000, 5_000)
    assert (published[-1].ts_init, published[-1].order) == (7, 2_000)
    timer.decided("bar", (10, 20, 30, 40), True, 6_000, 9)  # denied: it never leaves
    timer.decided("bar", (10, 20, 30, 40), True, 7_000, 10)
    assert (published[-1].ts_init, published[-1].order) == (9, None)
    assert len(published) == 5
