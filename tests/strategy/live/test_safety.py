"""The strategy with a state directory: the same decisions, a switch that stops it, a memory."""

import asyncio
import json
import os
import signal

import pytest
from nautilus_trader.model.enums import OrderStatus
from nautilus_trader.trading.config import StrategyConfig
from nautilus_trader.trading.strategy import Strategy
from support.engine import HEDGE, HELD, HOUR, START, bar_type, events, run
from support.models import write_model

from oi_hedge_strategy import strategy
from oi_hedge_strategy.backtest.plan import iso
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExposureConfig, RailsConfig
from oi_hedge_strategy.live.kill_switch import Answer, KillSwitch, listen_to_signals
from oi_hedge_strategy.live.state_store import StateStore

LONG = (10.0, iso(START))
CALM = [2000.0] * 6


class Hand(Strategy):
    """Do something at a time, as somebody at a terminal would."""

    def __init__(self, hour, act):
        super().__init__(StrategyConfig(order_id_tag="HAND"))
        self._at, self._act = START + int(hour * HOUR), act

    def on_start(self):
        self.clock.set_time_alert_ns("HAND", self._at, lambda event: self._act())


@pytest.fixture(autouse=True)
def slow_watch(monkeypatch):
    """Look at the switch once a minute: hours pass in a moment here."""
    monkeypatch.setattr(strategy, "WATCH_SECS", 60.0)


@pytest.fixture
def config(tmp_path):
    path = str(write_model(tmp_path / "model.onnx"))

    def make(**values):
        return OIHedgeConfig(
            bar_type=bar_type(HEDGE),
            model=path,
            exposure=ExposureConfig(instrument_ids=(HELD,)),
            rails=RailsConfig(hard_stop=0.1),
            **values,
        )

    return make


def directory(tmp_path):
    return tmp_path / "state"


def test_decisions_and_orders_with_a_state_directory_are_those_without(tmp_path, config):
    rows = [2000.0, 2010.0, 1990.0, 2050.0, 1900.0, 2200.0, 2100.0, 2000.0]
    without = run(events(rows), config(), [LONG])
    found = run(events(rows), config(state_dir=str(directory(tmp_path))), [LONG])
    plain = [type(each).to_dict(each) for each in without.decisions]
    assert [type(each).to_dict(each) for each in found.decisions] == plain
    assert found.hedges() == without.hedges() != []
    terms = [
        [(o.side, o.quantity, o.status, o.ts_init) for o in r.orders("HARD_STOP")] for r in (without, found)
    ]
    assert terms[0] == terms[1]


def test_hold_sends_no_order_and_every_decision_says_why(tmp_path, config):
    StateStore(directory(tmp_path)).close()
    KillSwitch(directory(tmp_path)).set("hold")
    found = run(events(CALM), config(state_dir=str(directory(tmp_path))), [LONG])
    assert found.hedges() == []
    assert {(d.rail, d.target) for d in found.decisions} == {("kill switch", 0.0)}
    assert all("stopped; hold" in d.reason for d in found.decisions)
    answer = Answer.read(directory(tmp_path))
    assert (answer.order, answer.done, answer.position) == ("hold", True, 0.0)


def test_flatten_closes_the_hedge_alone_takes_its_stop_off_and_stays_so(tmp_path, config):
    switch = KillSwitch(directory(tmp_path))
    hand = Hand(3.5, lambda: switch.set("flatten"))
    found = run(events(CALM), config(state_dir=str(directory(tmp_path))), [LONG], others=[hand])
    assert [float(o.quantity) for o in found.orders("HEDGE")] == [10.0, 10.0]
    assert [o.is_reduce_only for o in found.orders("HEDGE")] == [False, True]
    assert (found.position(), found.position(HELD)) == (0.0, 10.0)
    assert [o.status for o in found.orders("HARD_STOP")] == [OrderStatus.CANCELED]
    answer = Answer.read(directory(tmp_path))
    assert (answer.order, answer.done, answer.position_before, answer.position, answer.stops) == (
        "flatten", True, -10.0, 0.0, 0,
    )  # fmt: skip


def test_hold_in_the_middle_leaves_position_and_stop_and_the_next_start_after_it_is_lifted_hedges(
    tmp_path, config
):
    switch = KillSwitch(directory(tmp_path))
    hand = Hand(2.5, lambda: switch.set("hold"))
    values = {"state_dir": str(directory(tmp_path))}
    found = run(events([2000.0] * 7), config(**values), [LONG], others=[hand])
    assert found.position() == -10.0
    assert [o.status for o in found.orders("HARD_STOP")] == [OrderStatus.ACCEPTED]
    assert [d.rail == "kill switch" for d in found.decisions] == [False] * 2 + [True] * 5
    assert run(events(CALM), config(**values), [LONG]).hedges() == []
    assert switch.lift()
    assert run(events(CALM), config(**values), [LONG]).hedges() == [-10.0]


def test_what_rails_remember_is_there_at_the_next_start(tmp_path, config):
    state = str(directory(tmp_path))
    first = run(events([2000.0, 2000.0, 2000.0, 2300.0]), config(state_dir=state), [LONG])
    closed = first.strategy._desk.rails.state.closed_until
    assert closed > START
    again = run(events(CALM, first=5), config(state_dir=state), [LONG])
    assert again.hedges() == []
    assert {d.rail for d in again.decisions} == {"drawdown"}
    assert all("cooling down" in d.reason for d in again.decisions)


def test_a_file_made_by_hand_with_anything_in_it_holds(tmp_path):
    switch = KillSwitch(tmp_path)
    for content in ("", "stop!", "FLATTENED", "\x00"):
        (tmp_path / "STOP").write_text(content)
        assert switch.read() == "hold"
    (tmp_path / "STOP").write_text(" FLATTEN\n")
    assert switch.read() == "flatten"
    assert switch.set("hold") == "flatten"
    assert switch.lift() is True
    assert (switch.lift(), switch.read()) == (False, None)


def test_switch_and_answer_are_their_owners_alone(tmp_path):
    KillSwitch(tmp_path).set("hold")
    Answer("hold", True, 1, 0.0, 0.0, 0, 1).write(tmp_path)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert json.loads((tmp_path / "STOP.done").read_text())["order"] == "hold"


@pytest.mark.parametrize(("number", "order"), [(signal.SIGUSR1, "flatten"), (signal.SIGUSR2, "hold")])
def test_a_signal_orders_as_the_command_does(tmp_path, number, order):
    switch, said = KillSwitch(tmp_path), []

    async def scenario():
        listen_to_signals(asyncio.get_running_loop(), switch, said.append)
        os.kill(os.getpid(), number)
        while not said:
            await asyncio.sleep(0.01)

    asyncio.run(scenario())
    assert (switch.read(), said) == (order, [f"{number.name}: {order}"])
