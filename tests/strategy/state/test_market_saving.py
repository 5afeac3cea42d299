"""A market state that was saved and restored cannot be told from one that was never interrupted."""

import io

import numpy as np
import pytest

from oi_hedge_strategy.history import feed
from oi_hedge_strategy.state import MarketState, StateSchema, Stream
from oi_hedge_strategy.state.liquidation_map import LiquidationMapConfig

MINUTE, HOUR = 60_000_000_000, 3_600_000_000_000
VENUES = ("BINANCE", "BYBIT", "OKX")
SCHEMA = StateSchema(
    VENUES, offsets_hours=(0.0, 1.0, 2.0, 8.0, 24.0), liquidation_map=LiquidationMapConfig(memory_days=1.0)
)


def market(hours, seed=3):
    """Return events of every stream at times of their own, a few of equal time, in the order of time."""
    rng = np.random.default_rng(seed)
    price, found = 2000.0, []
    for at in range(hours * 60):
        ts = at * MINUTE
        price *= float(np.exp(rng.normal(0.0, 0.002)))
        for venue in VENUES if at % 60 == 0 else ():
            found.append((ts, Stream.PERPETUAL, venue, [price * 1.003, price * 0.996, price, 5.0]))
            found.append((ts, Stream.OPEN_INTEREST, venue, [float(rng.uniform(900.0, 1100.0))]))
        if at % 60 == 1:
            found.append((ts, Stream.SPOT, "BYBIT", [price * 1.01, price * 0.99, price * 1.001, 2.0]))
            found.append((ts, Stream.FUNDING, "OKX", [float(rng.normal(0.0, 1e-4)), 480.0]))
            found.append((ts, Stream.LONG_SHORT_RATIO, "OKX", [1.5]))
        if at % 17 == 0:
            found.append((ts, Stream.LIQUIDATIONS, "OKX", [float(rng.uniform(0.0, 3.0)), 1.0]))
        if at % 7 == 0:
            found.append((ts + 1, Stream.OPEN_INTEREST, "OKX", [float(rng.uniform(900.0, 1100.0))]))
    return found


def through_a_file(saved):
    """Return the arrays as they come back from a file that may hold no pickle."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **saved)
    return dict(np.load(io.BytesIO(file.getvalue()), allow_pickle=False))


def give(state, events):
    for ts, stream, venue, fields in events:
        feed(state, stream, venue, ts, fields)


@pytest.mark.parametrize("cut", [0, 1, 7, 500, 1111, 2500])
def test_every_later_sample_of_a_restored_state_is_bit_equal(cut):
    events = market(120)
    whole, before, after = (MarketState(SCHEMA) for _ in range(3))
    give(whole, events[:cut])
    give(before, events[:cut])
    after.restore(through_a_file(before.save()))
    for first in range(cut, len(events), 97):
        part = events[first : first + 97]
        for state in (whole, after):
            give(state, part)
        now = part[-1][0]
        expected, found = whole.sample(now).copy(), after.sample(now)
        for name in expected.__slots__:
            assert getattr(expected, name).tobytes() == getattr(found, name).tobytes(), name


def test_what_is_saved_does_not_change_with_the_state():
    events = market(30)
    state = MarketState(SCHEMA)
    give(state, events[:1000])
    saved = state.save()
    copied = {name: each.copy() for name, each in saved.items()}
    give(state, events[1000:])
    state.sample(events[-1][0])
    assert all(each.tobytes() == copied[name].tobytes() for name, each in saved.items())


def test_a_restored_state_saves_what_it_was_restored_from():
    state, again = MarketState(SCHEMA), MarketState(SCHEMA)
    give(state, market(30))
    saved = state.save()
    again.restore(saved)
    found = again.save()
    assert list(found) == list(saved)
    assert all(each.tobytes() == found[name].tobytes() for name, each in saved.items())
