"""What a session does is shown in terminal and page, which can only be read."""

import json
import re
import threading
import time
import urllib.error
import urllib.request

import pytest
from click.testing import CliRunner
from support.engine import HEDGE, bar_type

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.cli import main
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExposureConfig, PolicyConfig
from oi_hedge_strategy.live.session import STATUS_FILE, Session, write_json
from oi_hedge_strategy.live.status import stage_table
from oi_hedge_strategy.live.view import duration, view_of
from oi_hedge_strategy.live.web import StatusServer
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision, StageTiming

SECOND = 1_000_000_000


@pytest.fixture
def session(tmp_path):
    strategy = OIHedgeConfig(
        bar_type=bar_type(HEDGE), policy=PolicyConfig(kind="constant"), exposure=ExposureConfig(quantity=10.0)
    )
    return Session.create(tmp_path / "sessions", "paper", strategy, {})


def write(session, now, **changes):
    reason = "p=0.6; freshness: <price> is old; hold"
    decided = HedgeDecision(
        HEDGE, 10.0, 2000.5, 0.42, 0.9, 0.42, 0.42, "freshness", reason, 0.0, "ab" * 32, -4.2, 98_765.4,
        False, "timer", now - 5 * SECOND, now - 5 * SECOND,
    )  # fmt: skip
    forecast = CascadeForecast(
        HEDGE, [4.0, 18.0], [0.61, 0.62], [0.1, 0.2], *[[0.0, 0.0]] * 4, True, False, "ab" * 32, now, now
    )
    order = {
        "ts": now, "event": "Filled", "order": "O-1", "tags": ["HARD_STOP"], "side": "BUY",
        "quantity": "1.000", "price": "2010.00", "reason": "",
    }  # fmt: skip
    status = {
        "written": now,
        "instrument": str(HEDGE),
        "decision": decided.to_dict(),
        "forecast": forecast.to_dict(),
        "feeds": [
            {"kind": "Bar", "instrument": str(HEDGE), "ts": now - 2 * SECOND},
            {"kind": "OpenInterestUpdate", "instrument": str(HEDGE), "ts": now - 3600 * SECOND},
        ],
        "alerts": [{"condition": "rail freshness", "ts": now, "message": "<price> is old"}],
        "orders": [order],
        "timing": {"inference": {"p50": 0.1, "p99": 0.2, "max": 0.3, "count": 7}},
    }
    write_json(session.directory / STATUS_FILE, status | changes)


@pytest.fixture
def server(session):
    server = StatusServer(session, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def ask(server, path="", method="GET", **headers):
    request = urllib.request.Request(server.address + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10.0) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


def test_terminal_shows_hedge_forecast_rails_feeds_and_orders(session):
    write(session, time.time_ns())
    answer = CliRunner().invoke(main, ["status", str(session.directory), "--once"], env={"COLUMNS": "120"})
    assert answer.exit_code == 0
    for text in (
        "running", "+10.0000", "-4.2000", "2,000.50", "98,765.40", "42.0%", "90.0%", "freshness", "abababab",
        "61.0%", "rail freshness", "OpenInterestUpdate", "60.0 min", "Filled", "hard stop", "0.200",
    ):  # fmt: skip
        assert text in answer.output, text


def test_newest_session_of_a_run_is_shown_by_default(session, monkeypatch):
    write(session, time.time_ns())
    run = session.directory.parent.parent / "paper"
    session.directory.parent.rename(run)
    monkeypatch.chdir(run.parent)
    answer = CliRunner().invoke(main, ["status", "--once"])
    assert answer.exit_code == 0 and "running" in answer.output
    monkeypatch.chdir("/")
    answer = CliRunner().invoke(main, ["status", "--once"])
    assert answer.exit_code == 1 and "no recorded session in paper and live" in answer.output


def test_old_feeds_and_alerts_are_marked(session):
    now = time.time_ns()
    write(session, now)
    view = view_of(session, now)
    tables = {table.heading: table for table in view.tables}
    assert tables["Feeds"].marked == {1}
    assert tables["Alerts"].marked == {0}
    assert tables["Forecast"].marked == {0, 1}
    assert not view.is_alright


def test_a_session_says_whether_it_runs_is_silent_ended_or_was_killed(session):
    now = time.time_ns()
    assert view_of(session, now).state == "starting"
    write(session, now - 60 * SECOND)
    assert view_of(session, now).state == "its process is alive, but silent for 60.0 s"
    write(session, now, alerts=[])
    assert (view_of(session, now).state, view_of(session, now).is_alright) == ("running", True)
    write(session, now)
    assert (view_of(session, now).state, view_of(session, now).is_alright) == ("running, 1 alert", False)
    session.info["pid"] = 2**22 + 1  # above every process id
    assert view_of(session, now).state.startswith("its process is gone and did not end it; last heard of 2")
    assert not view_of(session, now).is_alright
    session.finish()
    assert view_of(session, now).state.startswith("ended 2")
    assert view_of(session, now).is_alright


def test_page_shows_the_same_and_escapes_it(session, server):
    write(session, time.time_ns())
    status, headers, page = ask(server)
    assert status == 200
    assert "-4.2000" in page and "rail freshness" in page
    assert "&lt;price&gt;" in page and "<price>" not in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "http" not in page.replace("http-equiv", "")  # nothing is loaded from elsewhere
    data = json.loads(ask(server, "status.json")[2])
    assert data["title"] == f"paper · {HEDGE}"
    assert json.loads(ask(server, "tables")[2])["state"] == "running, 1 alert"
    assert re.search(r"Until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC; load the page again", page)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_page_refuses_everything_but_get(session, server, method):
    write(session, time.time_ns())
    before = {path: path.read_bytes() for path in session.directory.rglob("*") if path.is_file()}
    for path in ("", "status.json", "tables"):
        status, headers, _ = ask(server, path, method)
        assert (status, headers["Allow"]) == (405, "GET")
    assert {path: path.read_bytes() for path in session.directory.rglob("*") if path.is_file()} == before


def test_page_listens_on_the_loopback_interface_and_answers_no_other_host(session, server):
    write(session, time.time_ns())
    assert server.server_address[0] == "127.0.0.1"
    assert ask(server, Host="attacker.example")[0] == 403
    assert ask(server, Host=f"localhost:{server.server_port}")[0] == 200
    assert ask(server, "../session.json")[0] == 404
    options = {each.name: each.default for each in main.get_command(None, "status").params}
    assert options["host"] == "127.0.0.1"


def test_a_taken_port_is_one_sentence(session, server):
    with pytest.raises(ConfigError, match="cannot listen on 127.0.0.1:.*choose another --port"):
        StatusServer(session, "127.0.0.1", server.server_port)


def test_stage_table_by_hand():
    timings = [
        StageTiming(HEDGE, "bar", 1_000_000, 2_000_000, ms * 1_000_000, 0, None, 1, 1) for ms in range(1, 102)
    ]
    table = stage_table(timings)
    assert table["inference"] == {"p50": 51.0, "p99": 100.0, "max": 101.0, "count": 101}
    assert table["receive"]["max"] == 1.0
    assert "order" not in table


def test_durations_are_in_the_unit_that_reads_best():
    assert [duration(each) for each in (1.0, 119.0, 120.0, 7300.0, 200_000.0)] == [
        "1.0 s", "119.0 s", "2.0 min", "2.0 h", "2.3 d",
    ]  # fmt: skip
