"""``oi-hedge stop``: what it sets, what it waits for, what it says."""

import threading
import time

import pytest
from click.testing import CliRunner

from oi_hedge_strategy.cli import main
from oi_hedge_strategy.live.kill_switch import Answer, KillSwitch
from oi_hedge_strategy.live.state_store import StateStore


@pytest.fixture
def state(tmp_path):
    return tmp_path / "live" / "state"


@pytest.fixture
def node(state):
    """Hold the state directory and answer the switch as a node does, until the test ends."""
    store, ended = StateStore(state), threading.Event()
    switch = KillSwitch(state)

    def follow():
        while not ended.wait(0.02):
            order = switch.read()
            if order:
                position = -1.5 if order == "hold" else 0.0
                stops = 1 if order == "hold" else 0
                Answer(order, True, 4711, -1.5, position, stops, time.time_ns()).write(state)

    thread = threading.Thread(target=follow)
    thread.start()
    yield switch
    ended.set()
    thread.join()
    store.close()


def stop(*arguments):
    result = CliRunner().invoke(main, ["stop", *map(str, arguments)])
    return result.exit_code, result.output


def test_flatten_waits_for_the_node_and_says_what_it_did(node, state):
    code, said = stop(state, "--flatten")
    assert code == 0
    assert (
        f"{state}: flattened, no more orders; the hedge was -1.5 and is 0, 0 hard stops at the venue" in said
    )
    assert "(process 4711)" in said
    assert stop(state, "--flatten")[0] == 0


def test_hold_says_what_stays_and_takes_back_no_flatten(node, state):
    code, said = stop(state, "--hold")
    assert (code, "the hedge was -1.5 and is -1.5, 1 hard stop at the venue" in said) == (0, True)
    stop(state, "--flatten")
    code, said = stop(state, "--hold")
    assert code == 0
    assert "flatten stands already and is more; lift it first to hold only" in said
    assert node.read() == "flatten"


def test_the_runs_directory_and_its_configuration_file_are_names_of_it_too(node, state, tmp_path):
    file = tmp_path / "hedge.toml"
    file.write_text(f'[live]\ndirectory = "{state.parent}"\n[paper]\ndirectory = "{tmp_path / "none"}"\n')
    assert stop(state.parent, "--hold")[0] == 0
    assert stop(file, "--hold")[0] == 0


def test_lift_takes_the_order_back_once(node, state):
    stop(state, "--hold")
    assert stop(state, "--lift") == (0, f"{state}: lifted; the hedge goes on\n")
    assert stop(state, "--lift") == (0, f"{state}: nothing was ordered\n")
    assert node.read() is None


def test_without_a_node_flatten_fails_but_stands_for_the_next(state):
    StateStore(state).close()
    code, said = stop(state, "--flatten")
    assert code == 1
    assert "no node runs here; flatten is the order for the next one that starts" in said
    assert "nothing was closed: look at the account" in said
    assert KillSwitch(state).read() == "flatten"
    assert stop(state, "--lift")[0] == 0
    assert stop(state, "--hold")[0] == 0


def test_a_node_that_does_not_answer_is_an_error_that_says_where_to_look(state):
    with StateStore(state):
        code, said = stop(state, "--flatten", "--timeout", "0.2")
    assert code == 1
    assert "has not done flatten within 0.2 s; the order stands: look at its log and at the account" in said


def test_a_place_where_no_node_was_and_no_order_are_refused(tmp_path):
    code, said = stop(tmp_path, "--hold")
    assert (code, "no node has kept its state there" in said) == (1, True)
    assert stop(tmp_path)[0] == 2
    (tmp_path / "hedge.toml").write_text("[live")
    assert "is no TOML file" in stop(tmp_path / "hedge.toml", "--hold")[1]
