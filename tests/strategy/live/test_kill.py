"""A node that is killed with SIGKILL at random points does what one that was never killed does."""

import asyncio
import shutil

import numpy as np
import pytest
from support.kills import Outcome, market, play, same_stops
from support.models import write_model

EVENTS = market(12)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    return write_model(path, probability=0.5, sensitivity=0.45)


def random_kills(seed, count):
    """Return by event when the process is killed: before, while and after it decides and orders."""
    rng = np.random.default_rng(seed)
    bars = [at for at, event in enumerate(EVENTS) if event[1] == "bar"]
    chosen = sorted(rng.choice(bars[2:], count, replace=False).tolist())
    return dict(zip(chosen, rng.uniform(0.0, 0.02, count).tolist(), strict=True))


def undisturbed(outcome: Outcome) -> dict[int, list[object]]:
    """Return the decisions but those after a restart, which may find the order already filled."""
    remade = {restart["newest"] for restart in outcome.restarts}
    return {ts: each for ts, each in outcome.decisions.items() if ts not in remade}


@pytest.mark.slow
def test_orders_decisions_and_memory_after_kills_are_those_of_an_uninterrupted_run(tmp_path, model):
    kills = random_kills(3, 2)
    whole = asyncio.run(play(EVENTS, model, tmp_path / "whole", {}))
    killed = asyncio.run(play(EVENTS, model, tmp_path / "killed", dict(kills)))
    assert [at for at, _ in killed.kills] == list(kills)
    assert len(whole.orders) > 6
    assert killed.orders == whole.orders
    assert same_stops(killed, whole)
    assert (killed.position, killed.largest) == (whole.position, whole.largest)
    assert killed.memory == whole.memory
    kept = undisturbed(killed)
    assert kept == {ts: whole.decisions[ts] for ts in kept}
    assert len(kept) >= len(whole.decisions) - len(kills)
    shutil.rmtree(tmp_path / "killed")
