"""A desk that is brought back goes on as one that was never stopped."""

import errno
import os
from dataclasses import replace
from math import sin

import numpy as np
import pytest
from support.engine import HEDGE, HOUR, START, bar_type, specs
from support.models import SHORT_SCHEMA, tiny_card, write_model

from oi_hedge_catalog.errors import StateError
from oi_hedge_catalog.instruments import build_instrument
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import DriftConfig, ExposureConfig
from oi_hedge_strategy.hedging.desk import HedgeDesk
from oi_hedge_strategy.live.state_keeper import StateKeeper
from oi_hedge_strategy.live.state_store import StateStore, read_checkpoint, write_checkpoint
from oi_hedge_strategy.state import Stream

MINUTE = HOUR // 60


class Node:
    """Stand for a process: a desk with its keeper, told what happens."""

    def __init__(self, model, directory=None, records=100_000):
        config = OIHedgeConfig(
            bar_type=bar_type(HEDGE),
            model=str(model),
            exposure=ExposureConfig(quantity=10.0),
            drift=DriftConfig(on_drift="ignore"),
        )
        self.desk = HedgeDesk(config, build_instrument(specs()[0]), SHORT_SCHEMA.venues, START)
        self.store = StateStore(directory) if directory is not None else None
        self.keeper = StateKeeper(self.desk, self.store, checkpoint_records=records)
        self.held, self.book = 0.0, None
        if directory is not None:
            self.book = self.keeper.restore()
            self.held = self.book["position"] if self.book else 0.0
            self.keeper.begin({"position": self.held})

    def take(self, event):
        """Take in one event; decide on the hedge venue's bars, at an equity that falls and rises."""
        ts, stream, venue, fields = event
        self.desk.replay(stream, venue, ts, fields)
        if stream is not Stream.PERPETUAL or venue != "BINANCE":
            return None
        equity = 1e5 * (1.0 + 0.1 * sin(ts / HOUR / 9.0))
        found = self.desk.decide(ts, 10.0, self.held, equity)
        if found.trades and found.target_quantity != self.held:
            self.desk.record_order(ts, found.target_quantity - self.held, 10.0)
            self.held = found.target_quantity
        self.keeper.decided(ts, {"position": self.held})
        self.keeper.sync()
        self.keeper.renew()
        seen = found.forecast.probability.tobytes(), found.verdict.ratio, found.verdict.reason, found.target
        return ts, self.held, *seen

    def end(self):
        """End as if killed: nothing is written any more."""
        if self.store is not None:
            self.store.close()


def market(hours=60):
    rng, price, found = np.random.default_rng(5), 2000.0, []
    for at in range(hours * 4):
        ts = START + at * 15 * MINUTE
        price *= float(np.exp(rng.normal(0.0, 0.004)))
        for venue in ("BINANCE", "BYBIT"):
            found.append((ts, Stream.OPEN_INTEREST, venue, (float(rng.uniform(900.0, 1100.0)),)))
            if at % 4 == 0:
                bar = price * 1.002, price * 0.997, price, 5.0
                found.append((ts + 1, Stream.PERPETUAL, venue, bar))
        if at % 9 == 0:
            found.append((ts + 2, Stream.FUNDING, "BINANCE", (float(rng.normal(0.0, 4e-4)), 480.0)))
            found.append((ts + 2, Stream.LIQUIDATIONS, "BYBIT", (float(rng.uniform(0.0, 9.0)), 2.0)))
    return found


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model.onnx", tiny_card(), probability=0.5, sensitivity=0.4)


EVENTS = market()


@pytest.mark.parametrize("records", [100_000, 40])
@pytest.mark.parametrize("kills", [(1, 2, 3), (17, 230, 231), (333, 400, 620)])
def test_decisions_after_restarts_are_those_of_an_uninterrupted_run(tmp_path, model, kills, records):
    assert max(kills) < len(EVENTS)
    whole = Node(model)
    expected = [each for event in EVENTS if (each := whole.take(event))]
    assert len({each[1] for each in expected}) > 5
    assert any("drawdown" in each[4] or "cooling" in each[4] for each in expected)
    found = []
    for first, last in zip((0, *kills), (*kills, len(EVENTS)), strict=True):
        node = Node(model, tmp_path / "state", records)
        found += [each for event in EVENTS[first:last] if (each := node.take(event))]
        node.end()
    assert found == expected


def test_a_fresh_directory_restores_nothing(tmp_path, model):
    assert Node(model, tmp_path / "state").book is None


def test_another_models_inputs_are_refused(tmp_path, model):
    Node(model, tmp_path / "state").end()
    other = replace(SHORT_SCHEMA, offsets_hours=(0.0, 1.0, 2.0))
    changed = write_model(tmp_path / "other.onnx", tiny_card(other))
    with pytest.raises(StateError, match="other inputs"):
        Node(changed, tmp_path / "state")


def test_a_state_of_another_version_is_refused_in_words(tmp_path, model):
    node = Node(model, tmp_path / "state")
    node.take(EVENTS[0])
    node.end()
    (path,) = (tmp_path / "state").glob("*.state")
    arrays, facts = read_checkpoint(path)
    write_checkpoint(path, {name: each for name, each in arrays.items() if name != "rows"}, facts)
    with pytest.raises(StateError, match="does not fit this version of the program"):
        Node(model, tmp_path / "state")


def test_a_full_disk_stops_no_decision_is_said_once_and_what_followed_is_kept_again(
    tmp_path, model, monkeypatch
):
    node, write, full = Node(model, tmp_path / "state"), os.write, True

    def limited(file, data):
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    for event in EVENTS[:50]:
        node.take(event)
    monkeypatch.setattr(os, "write", limited)
    for event in EVENTS[50:100]:
        node.take(event)
    assert node.keeper.notices == [
        "the state is not saved: [Errno 28] No space left on device; a restart would lack what follows"
    ]
    full = False
    for event in EVENTS[100:150]:
        node.take(event)
    assert node.keeper.notices[1:] == ["the state is saved again"]
    node.end()
    again, whole = Node(model, tmp_path / "state"), Node(model)
    for event in EVENTS[:150]:
        whole.take(event)
    assert again.desk.rails.state == whole.desk.rails.state
    expected, found = (each.desk.look(EVENTS[150][0]) for each in (whole, again))
    assert expected.values.tobytes() == found.values.tobytes()
