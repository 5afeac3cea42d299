"""One alert for each condition, delivered to a webhook without disturbing anything or telling its address."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from support.engine import HEDGE

from oi_hedge_adapters.feed_status import FeedStatus
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.live.conditions import Conditions
from oi_hedge_strategy.live.observe import ObserveConfig
from oi_hedge_strategy.live.webhook import Webhook
from oi_hedge_strategy.records import HedgeDecision, StageTiming

SECRET = "services/T0PLANTED/B0SECRET"


def decision(reason="p=0.5", rail=""):
    return HedgeDecision(
        HEDGE, 10.0, 2000.0, 0.5, 0.5, 0.5, 0.5, rail, reason, 0.0, "f00d", -5.0, 1e5, False, "bar", 1, 1
    )


def timing(inference_ms, order_ms=None):
    order = None if order_ms is None else round(order_ms * 1e6)
    return StageTiming(HEDGE, "bar", 1000, 1000, round(inference_ms * 1e6), 1000, order, 1, 1)


def test_a_rail_is_alerted_when_it_begins_and_when_it_ends_and_not_in_between():
    conditions = Conditions({})
    stale = decision("p=0.5; freshness: price is 90 min old, at most 60; hold", "freshness")
    assert conditions.decided(stale) == [("rail freshness", True, "price is 90 min old, at most 60")]
    assert conditions.decided(stale) == []
    assert conditions.active == {"rail freshness": "price is 90 min old, at most 60"}
    assert conditions.decided(decision()) == [("rail freshness", False, "it acts no more")]
    assert conditions.decided(decision()) == []


def test_a_rail_that_another_one_follows_stays_alerted():
    conditions = Conditions({})
    both = decision("freshness: no price; hold; drawdown: red; 0.00", "drawdown")
    assert [each[0] for each in conditions.decided(both)] == ["rail drawdown", "rail freshness"]
    assert conditions.decided(decision("freshness: no price; hold", "freshness")) == [
        ("rail drawdown", False, "it acts no more")
    ]


def test_rails_of_every_day_are_no_alert():
    conditions = Conditions({})
    assert conditions.decided(decision("leverage: 3.0 allows 0.4", "leverage")) == []
    assert conditions.decided(decision("turnover: 5 orders a day", "turnover")) == []


def test_a_demoted_model_is_an_alert_until_it_is_back():
    conditions = Conditions({})
    (change,) = conditions.decided(decision("model demoted, inputs drifted; rule"))
    assert change[:2] == ("model demoted", True)
    assert conditions.decided(decision())[0][:2] == ("model demoted", False)


def test_a_stage_over_its_budget_is_over_after_twenty_within_it():
    conditions = Conditions({"inference": 5.0, "order": 5.0})
    (change,) = conditions.timed(timing(5.1))
    assert change == ("stage inference over budget", True, "inference took 5.10 ms, its budget is 5 ms")
    assert all(conditions.timed(timing(1.0)) == [] for _ in range(19))
    assert conditions.timed(timing(6.0)) == []  # over again: it is counted anew
    assert all(conditions.timed(timing(1.0)) == [] for _ in range(19))
    assert conditions.timed(timing(1.0))[0][:2] == ("stage inference over budget", False)
    assert conditions.timed(timing(1.0, order_ms=9.0))[0][0] == "stage order over budget"


def test_each_feed_is_a_condition_of_its_own():
    conditions = Conditions({})
    changes = [
        change
        for feed in ("open interest", "funding", "open interest")
        for change in conditions.feed(FeedStatus(HEDGE, feed, True, "silent for 60 s", 1, 1))
    ]
    assert [each[0] for each in changes] == [f"feed open interest of {HEDGE}", f"feed funding of {HEDGE}"]
    (over,) = conditions.feed(FeedStatus(HEDGE, "funding", False, "values are coming in", 2, 2))
    assert over == (f"feed funding of {HEDGE}", False, "values are coming in")


class Receiver:
    """A webhook on the loopback interface that answers as told."""

    def __init__(self, *codes):
        self.texts, self.arrived, codes = [], threading.Semaphore(0), list(codes)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.texts.append(json.loads(body)["text"])
                self.send_response(codes.pop(0) if codes else 200)
                self.end_headers()
                outer.arrived.release()

            def log_message(self, *args):
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/{SECRET}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def said():
    return []


def test_an_alert_reaches_the_webhook(said):
    receiver = Receiver()
    webhook = Webhook(receiver.url, 10, said.append)
    webhook.send("rail freshness: price is old")
    assert receiver.arrived.acquire(timeout=10)
    webhook.close()
    receiver.close()
    assert receiver.texts == ["rail freshness: price is old"]
    assert said == []


def test_a_refused_alert_is_tried_again(said):
    receiver = Receiver(500, 503)
    webhook = Webhook(receiver.url, 10, said.append, pause_secs=0.01)
    webhook.send("one")
    for _ in range(3):
        assert receiver.arrived.acquire(timeout=10)
    webhook.close()
    receiver.close()
    assert receiver.texts == ["one", "one", "one"]
    assert said == []


def test_a_webhook_that_cannot_be_reached_is_said_once_without_its_address(said):
    receiver = Receiver(404, 404, 404)
    receiver.close()
    webhook = Webhook(receiver.url, 10, said.append, pause_secs=0.01)
    webhook.send("one")
    webhook.send("two")
    webhook.close(10.0)
    assert said == ["an alert could not be delivered to the webhook: it cannot be reached (URLError)"]
    assert SECRET not in said[0]


def test_alerts_beyond_the_rate_are_counted_and_told_with_the_next(said, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("oi_hedge_strategy.live.webhook.monotonic", lambda: clock[0])
    receiver = Receiver()
    webhook = Webhook(receiver.url, 2, said.append)
    for name in ("a", "b", "c", "d"):
        webhook.send(name)
    clock[0] = 3601.0
    webhook.send("e")
    for _ in range(3):
        assert receiver.arrived.acquire(timeout=10)
    webhook.close()
    receiver.close()
    assert receiver.texts == ["a", "b", "e (2 alerts before it were held back)"]


def test_a_wrong_address_is_refused_without_being_shown(said, monkeypatch):
    monkeypatch.setenv("OI_HEDGE_WEBHOOK_URL", f"ftp://{SECRET}")
    with pytest.raises(ConfigError, match="OI_HEDGE_WEBHOOK_URL: the webhook's address must begin") as error:
        Webhook.from_environment("OI_HEDGE_WEBHOOK_URL", 10, said.append)
    assert SECRET not in str(error.value)
    monkeypatch.delenv("OI_HEDGE_WEBHOOK_URL")
    assert Webhook.from_environment("OI_HEDGE_WEBHOOK_URL", 10, said.append) is None


@pytest.mark.parametrize(
    "wrong", [{"order_ms": 0.0}, {"webhook_per_hour": 0}, {"metrics_port": 70_000}, {"features_ms": -1.0}]
)
def test_values_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(ConfigError, match=f"observe.{next(iter(wrong))}"):
        ObserveConfig(**wrong).check()
