"""A real node hedges on loopback venues, is recorded and watched, and gives the same decisions again."""

import json
import os
import stat

import pytest
from click.testing import CliRunner
from support.watched_node import watch

from oi_hedge_strategy.cli import main
from oi_hedge_strategy.live.alerts import WEBHOOK_VARIABLE
from oi_hedge_strategy.live.recording import convert, read_recorded
from oi_hedge_strategy.live.replay import replay
from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.records import Alert, StageTiming

pytest.importorskip("ccxt")

PLANTED = {
    "BINANCE_API_KEY": "PLANTEDKEYd41d8cd98f00",
    "BINANCE_API_SECRET": "PLANTEDSECRETe9800998ecf8",
    "BINANCE_FUTURES_API_SECRET": "PLANTEDFUTURES427e7a1b",
    WEBHOOK_VARIABLE: "http://127.0.0.1:9/PLANTEDHOOK/b204e980",
}


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A session with planted secrets, a webhook that nobody answers, metrics, and impossible budgets."""
    return watch(tmp_path_factory.mktemp("session"), PLANTED)


@pytest.fixture
def session(watched):
    return Session(watched.directory)


def test_a_session_of_a_real_node_is_replayed_bit_by_bit(session):
    again = replay(session)
    assert again.difference is None
    assert again.decisions == again.forecasts >= 25
    assert again.fills


def test_inference_runs_in_the_thread_of_the_node_alone(watched):
    assert watched.in_main_thread_alone


def test_every_decision_has_a_timing_and_every_order_left(session):
    timings = read_recorded(session, StageTiming).rows
    assert {each.trigger for each in timings} == {"bar", "timer"}
    assert all(each.features > 0 and each.inference > 0 and each.policy > 0 for each in timings)
    assert any(each.order is not None and each.order > 0 for each in timings)


def test_a_stage_over_its_budget_is_one_alert(session):
    alerts = [each for each in read_recorded(session, Alert).rows if "inference" in each.condition]
    (alert,) = alerts
    assert alert.active
    assert alert.message.endswith("its budget is 1e-06 ms")


def test_metrics_name_hedge_forecast_stages_and_alerts(watched):
    page = watched.metrics
    assert watched.host == "127.0.0.1"
    for name in (
        "oi_hedge_exposure_base 10.0", 'oi_hedge_cascade_probability{horizon_hours="4",side="down"}',
        'oi_hedge_stage_seconds_count{stage="inference"}', "oi_hedge_alerts_active",
        'oi_hedge_order_events_total{event="filled"}', 'oi_hedge_inputs_total{kind="OpenInterestUpdate"}',
    ):  # fmt: skip
        assert name in page, name


def test_planted_secrets_are_nowhere_and_all_files_are_the_owners(watched):
    directory = watched.directory
    answers = [CliRunner().invoke(main, [each, str(directory)]) for each in ("replay", "status")]
    assert [each.exit_code for each in answers] == [0, 0], answers[0].output
    files = [path for path in directory.rglob("*") if path.is_file()]
    texts = {str(path): path.read_bytes() for path in files}
    texts["output"] = "".join(each.output for each in answers).encode()
    logs = list((directory.parent.parent / "logs").glob("*"))
    texts |= {str(path): path.read_bytes() for path in logs}
    logged = b"".join(path.read_bytes() for path in logs)
    assert len(files) > 4 and b"ALERT stage inference" in logged
    assert b"could not be delivered to the webhook" in logged
    for value in PLANTED.values():
        assert [name for name, text in texts.items() if value.encode() in text] == []
    open_to_others = [str(p) for p in (directory, *directory.rglob("*")) if p.stat().st_mode & 0o077]
    assert open_to_others == []
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700


def test_a_converted_session_is_a_catalog_that_shows_and_replays_the_same(session):
    convert(session)
    assert replay(session).difference is None
    assert json.loads((session.directory / "session.json").read_text())["ended"]
    assert CliRunner().invoke(main, ["status", str(session.directory), "--once"]).exit_code == 0
