"""A recorded session gives the same forecasts and decisions again, to the last bit."""

import os
import stat

import numpy as np
import pytest
from nautilus_trader.model.identifiers import StrategyId
from support.engine import HEDGE, HELD, HOUR, SECOND, START, bar_type, events, run
from support.models import model_bytes

from oi_hedge_catalog import OpenInterestUpdate, store
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExecutionConfig, ExposureConfig, RailsConfig
from oi_hedge_strategy.live.entries import unpack
from oi_hedge_strategy.live.recorder import SessionRecorder, SessionRecorderConfig
from oi_hedge_strategy.live.recording import convert, read_recorded
from oi_hedge_strategy.live.replay import bits, replay
from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision, SessionEntry, StageTiming

HOURS = 60
HOLDING = [(10.0, "2024-01-01T05:00:00+00:00")]


@pytest.fixture
def strategy(tmp_path):
    model = tmp_path / "model.onnx"
    model.write_bytes(model_bytes(probability=0.6, sensitivity=0.3))
    return OIHedgeConfig(
        bar_type=bar_type(HEDGE),
        model=str(model),
        exposure=ExposureConfig(instrument_ids=(HELD,)),
        rails=RailsConfig(hard_stop=0.015, cooldown_hours=3.0, max_daily_orders=1000, max_daily_turnover=1000.0),
        execution=ExecutionConfig(min_adjustment=0.02),
        order_id_tag="HEDGE",
        use_timer=True,
        forecast_interval_secs=1200.0,
    )


def prices(seed=1):
    closes = 2000.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 0.01, HOURS)))
    return [(c, c * 1.004, c * 0.996, c) for c in map(float, closes)]


def record(root, strategy, **settings):
    session = Session.create(root / "sessions", "paper", strategy, settings)
    recorder = SessionRecorder(
        SessionRecorderConfig(instrument_id=HEDGE, strategy_id=StrategyId("OIHedgeStrategy-HEDGE"))
    )
    rng = np.random.default_rng(2)
    interest = [float(each) for each in 1000.0 + rng.normal(0.0, 20.0, HOURS)]
    found = run(
        events(prices(), interest, funding=0.0001),
        strategy,
        HOLDING,
        actors=[recorder],
        streaming=session.streaming(),
    )
    found.engine.dispose()
    session.finish()
    return session, found


def test_replay_equals_the_session_with_timer_orders_and_stops(tmp_path, strategy):
    session, found = record(tmp_path, strategy)
    again = replay(session)
    assert again.difference is None
    assert (again.decisions, again.forecasts) == (len(found.decisions), len(found.forecasts))
    assert {each.trigger for each in found.decisions} == {"bar", "timer"}
    assert len(again.fills) == len(found.hedges()) > 3
    assert sum(each.rail == "drawdown" for each in found.decisions) > 0  # a hard stop was hit: it cools down
