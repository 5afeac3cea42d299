"""A recorded session gives the same forecasts and decisions again, to the last bit."""

import hashlib
import shutil
import stat

import numpy as np
import pytest
from click.testing import CliRunner
from nautilus_trader.model.data import FundingRateUpdate
from nautilus_trader.model.identifiers import StrategyId
from support.engine import HEDGE, HELD, bar_type, events, run
from support.models import model_bytes

from oi_hedge_catalog import OpenInterestUpdate, store
from oi_hedge_strategy.cli import main
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExecutionConfig, ExposureConfig, RailsConfig
from oi_hedge_strategy.live import recording
from oi_hedge_strategy.live.entries import pack, unpack
from oi_hedge_strategy.live.recorder import SessionRecorder, SessionRecorderConfig
from oi_hedge_strategy.live.recording import convert, convert_left, read_recorded
from oi_hedge_strategy.live.replay import bits, replay
from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision, SessionEntry, StageTiming

HOURS = 60
HOLDING = [(10.0, "2024-01-01T05:00:00+00:00")]


def config(root):
    model = root / "model.onnx"
    model.write_bytes(model_bytes(probability=0.6, sensitivity=0.3))
    return OIHedgeConfig(
        bar_type=bar_type(HEDGE),
        model=str(model),
        exposure=ExposureConfig(instrument_ids=(HELD,)),
        rails=RailsConfig(
            hard_stop=0.015, cooldown_hours=3.0, max_daily_orders=1000, max_daily_turnover=1000.0
        ),
        execution=ExecutionConfig(min_adjustment=0.02),
        order_id_tag="HEDGE",
        use_timer=True,
        forecast_interval_secs=1200.0,
    )


def prices(seed=1):
    closes = 2000.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 0.01, HOURS)))
    return [(c, c * 1.004, c * 0.996, c) for c in map(float, closes)]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A session of sixty hours with a timer, orders and hard stops, as it was streamed."""
    root = tmp_path_factory.mktemp("recorded")
    strategy = config(root)
    session = Session.create(root / "sessions", "paper", strategy, {})
    ids = {
        "directory": str(session.directory),
        "instrument_id": HEDGE,
        "strategy_id": StrategyId("OIHedgeStrategy-HEDGE"),
    }
    rng = np.random.default_rng(2)
    interest = [float(each) for each in 1000.0 + rng.normal(0.0, 20.0, HOURS)]
    found = run(
        events(prices(), interest, funding=0.0001),
        strategy,
        HOLDING,
        actors=[SessionRecorder(SessionRecorderConfig(**ids))],
        streaming=session.streaming(),
    )
    found.engine.dispose()
    session.finish()
    return session, found


@pytest.fixture
def session(recorded, tmp_path):
    """A copy of the session that a test may damage."""
    return Session(shutil.copytree(recorded[0].directory, tmp_path / "session"))


def streams(session, name="session_entry"):
    return sorted(session.directory.glob(f"backtest/*/custom_{name}/*/*.feather"))


def test_replay_equals_the_session_with_timer_orders_and_stops(recorded):
    session, found = recorded
    again = replay(session)
    assert again.difference is None
    assert (again.decisions, again.forecasts) == (len(found.decisions), len(found.forecasts))
    assert {each.trigger for each in found.decisions} == {"bar", "timer"}
    assert len(again.fills) == len(found.hedges()) > 3
    assert sum(each.rail == "drawdown" for each in found.decisions) > 0  # a hard stop was hit: it cools down


def test_replay_compares_slippage_with_the_fill_model(recorded):
    session, _ = recorded
    entries = read_recorded(session, SessionEntry).rows
    filled = next(unpack(entry) for entry in entries if entry.kind == "OrderFilled")
    fills = [each for each in replay(session).fills if np.isfinite(each.modelled_bps + each.realised_bps)]
    assert fills[0].quantity < 0.0  # a sale: below the price of the decision is lost
    lost = (1.0 - filled.last_px.as_double() / fills[0].price) * 1e4
    assert fills[0].realised_bps == pytest.approx(lost, abs=1e-9)
    modelled, realised = ([getattr(f, name) for f in fills] for name in ("modelled_bps", "realised_bps"))
    assert np.mean(modelled) > np.mean(realised) + 0.5  # spread and impact, which the recorded venue lacked


def test_a_changed_input_is_found_and_shown(session):
    convert(session)
    catalog = store.open_catalog(session.catalog_path)
    entries = read_recorded(session, SessionEntry).rows
    at = next(i for i, e in enumerate(entries) if e.kind == "OpenInterestUpdate" and i > len(entries) // 2)
    entry = entries[at]
    value = unpack(entry)
    changed = OpenInterestUpdate.from_dict({**value.to_dict(), "quantity": value.quantity * 1.01})
    entries[at] = SessionEntry.from_dict({**entry.to_dict(), "payload": pack(changed)[1]})
    for path in session.catalog_path.glob("data/custom_session_entry/*/*.parquet"):
        path.unlink()
    catalog.write_data(entries)
    difference = replay(session).difference
    assert difference is not None
    assert (difference.kind, difference.field) == ("CascadeForecast", "down")
    assert difference.ts >= value.ts_init
    assert any(f'"quantity": {changed.quantity!r}' in each for each in difference.inputs)
    answer = CliRunner().invoke(main, ["replay", str(session.directory)])
    assert answer.exit_code == 1
    assert "not equal" in answer.output and "the last inputs before it" in answer.output


def test_a_killed_session_is_readable_up_to_the_torn_record(session, recorded):
    path = streams(session)[-1]
    path.write_bytes(path.read_bytes()[:-5_000])
    whole = read_recorded(recorded[0], SessionEntry).rows
    found = read_recorded(session, SessionEntry)
    assert found.torn == (path.name,)
    assert found.rows == whole[: len(found.rows)]
    assert len(whole) // 2 < len(found.rows) < len(whole)
    assert convert(session) == (path.name,)
    assert not streams(session)
    again = replay(session)
    assert again.difference is None
    assert 0 < again.decisions < len(recorded[1].decisions)


def test_interrupted_conversion_is_begun_anew(session):
    entries = read_recorded(session, SessionEntry).rows
    staged = session.catalog_path.with_suffix(".tmp")
    staged.mkdir()
    (staged / "half").write_text("")
    assert convert(session) == ()
    assert not staged.exists()
    assert read_recorded(session, SessionEntry).rows == entries
    assert convert(session) == ()


def test_a_session_becomes_a_catalog_of_what_was_received(session, recorded):
    convert(session)
    catalog = store.open_catalog(session.catalog_path)
    sent = events(prices(), [1000.0] * HOURS)
    bars = store.read_bars(catalog, bar_type(HEDGE))
    assert bars.close.tolist() == [round(row[3], 2) for row in prices()]
    assert {each.id for each in store.instruments(catalog)} >= {HEDGE, HELD}
    rates = catalog.query(FundingRateUpdate)
    assert len(rates) == sum(isinstance(each, FundingRateUpdate) for each in sent)
    assert [each.data for each in catalog.query(HedgeDecision)] == recorded[1].decisions
    assert [each.data for each in catalog.query(CascadeForecast)] == recorded[1].forecasts


def test_every_decision_names_the_model_that_was_in_use(recorded):
    session, found = recorded
    assert {each.model_sha256 for each in found.decisions} == {
        hashlib.sha256((session.directory / "model.onnx").read_bytes()).hexdigest()
    }


def test_recordings_belong_to_their_owner_alone(recorded):
    paths = [recorded[0].directory, *recorded[0].directory.rglob("*")]
    assert len(paths) > 5
    open_to_others = [str(path) for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert open_to_others == []


def test_sessions_left_by_killed_processes_are_converted_at_the_next_start(session):
    assert convert_left(session.directory.parent) == [
        f"session {session.directory.name} was not ended and is readable now"
    ]
    assert session.catalog_path.is_dir()
    assert convert_left(session.directory.parent) == []


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda root: root / "missing", "is no directory"),
        (lambda root: root, "no recorded session in"),
    ],
)
def test_replay_of_nothing_says_what_to_name(tmp_path, make, sentence):
    answer = CliRunner().invoke(main, ["replay", str(make(tmp_path))])
    assert answer.exit_code == 1
    assert sentence in answer.output


def test_a_session_of_another_format_or_without_decisions_is_refused(session):
    for path in streams(session):
        path.unlink()
    answer = CliRunner().invoke(main, ["replay", str(session.directory)])
    assert answer.exit_code == 1 and "holds no decision" in answer.output
    info = (session.directory / "session.json").read_text()
    (session.directory / "session.json").write_text(info.replace('"format": 1', '"format": 2'))
    answer = CliRunner().invoke(main, ["replay", str(session.directory)])
    assert answer.exit_code == 1 and "session of format 2, expected 1" in answer.output


def test_bits_tell_numbers_apart_that_compare_equal():
    assert bits(0.0) != bits(-0.0)
    assert bits(float("nan")) == bits(float("nan"))
    assert bits([1.0, True]) == bits([1, True])
    assert bits(0.1 + 0.2) != bits(0.3)


def test_a_timing_that_waited_for_its_order_is_stored_among_those_that_did_not(tmp_path):
    catalog = store.open_catalog(tmp_path, create=True)
    timings = [StageTiming(HEDGE, "bar", 1, 2, 3, 4, order, ts, ts) for ts, order in ((8, None), (7, 5))]
    recording._store(catalog, timings)
    assert [each.data.ts_init for each in catalog.query(StageTiming)] == [7, 8]
