"""Long/short ratio, liquidations, options and wallets in the market state: values, masks, no look-ahead."""

from math import log

import numpy as np
import pytest

from oi_hedge_strategy.history import feed
from oi_hedge_strategy.state import CHANNELS, MarketState, StateSchema, Stream
from oi_hedge_strategy.state.market import LIQUIDATION_FLOOR

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
SCHEMA = StateSchema(("BINANCE", "BYBIT", "DERIBIT", "ETHEREUM"))
AT = {channel.name: i for i, channel in enumerate(CHANNELS)}
INPUTS = {
    Stream.LONG_SHORT_RATIO: ("log_long_short_ratio",),
    Stream.LIQUIDATIONS: ("log_long_liquidations", "log_short_liquidations"),
    Stream.OPTIONS_OPEN_INTEREST: ("log_put_call_ratio",),
    Stream.WALLET_CONCENTRATION: ("wallet_concentration",),
}
NEW = [AT[name] for names in INPUTS.values() for name in names]
OLD = [at for at in range(len(CHANNELS)) if at not in NEW]


def new_events(stream, hours, seed):
    """Return events of one input with irregular times, gaps and bursts."""
    rng = np.random.default_rng(seed)
    venues = {
        Stream.OPTIONS_OPEN_INTEREST: ("DERIBIT",),
        Stream.WALLET_CONCENTRATION: ("ETHEREUM",),
    }.get(stream, ("BINANCE", "BYBIT"))
    times = np.sort(rng.integers(0, hours * HOUR, 3 * hours))
    times = np.concatenate([times, rng.integers(hours // 2 * HOUR, hours // 2 * HOUR + 5 * MINUTE, 40)])
    return [
        (int(ts), stream, venues[rng.integers(len(venues))], rng.uniform(0.1, 3.0, 4).tolist())
        for ts in np.sort(times)
    ]


def old_events(hours):
    rng = np.random.default_rng(5)
    price = 2000.0 * np.exp(np.cumsum(rng.normal(0, 0.01, hours)))
    found = []
    for hour in range(hours):
        for lag, venue in enumerate(("BINANCE", "BYBIT")):
            bar = [price[hour] * 1.004, price[hour] * 0.995, price[hour], 10.0]
            found.append((hour * HOUR + lag, Stream.PERPETUAL, venue, bar))
            found.append((hour * HOUR + 2, Stream.OPEN_INTEREST, venue, [rng.uniform(900, 1100)]))
    return sorted(found, key=lambda event: event[0])


def in_order(*events):
    return sorted((each for some in events for each in some), key=lambda event: event[0])


def sampled(events, now):
    state = MarketState(SCHEMA)
    for ts, stream, venue, fields in events:
        if ts <= now:
            feed(state, stream, venue, ts, fields)
    return state.sample(now)


def assert_same(a, b):
    for name in ("values", "mask", "age", "liquidation_map"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def value(snapshot, venue, channel, offset=0):
    where = (0, SCHEMA.venues.index(venue), AT[channel], offset)
    return float(snapshot.values[where]) if snapshot.mask[where] else None


@pytest.mark.parametrize("stream", INPUTS)
def test_cutting_off_the_future_changes_nothing(stream):
    hours = 300
    events = in_order(old_events(hours), new_events(stream, hours, int(stream)))
    state, at = MarketState(SCHEMA), 0
    for now in range(0, hours * HOUR, 7 * MINUTE):
        while at < len(events) and events[at][0] <= now:
            ts, kind, venue, fields = events[at]
            feed(state, kind, venue, ts, fields)
            at += 1
        snapshot = state.sample(now)
        if now % (41 * 7 * MINUTE) == 0:
            assert_same(snapshot, sampled(events, now))
    assert snapshot.mask[0, :, [AT[name] for name in INPUTS[stream]]].sum() > 40


@pytest.mark.parametrize("stream", INPUTS)
def test_what_lies_before_the_look_back_has_no_influence(stream):
    hours = 90 * 24 + 12
    events = in_order(old_events(hours), new_events(stream, hours, int(stream)))
    now = (hours - 1) * HOUR + 10
    cut = now - SCHEMA.look_back_ns - 2 * HOUR
    late, whole = sampled([each for each in events if each[0] >= cut], now), sampled(events, now)
    np.testing.assert_array_equal(late.values[0, :, NEW], whole.values[0, :, NEW])
    np.testing.assert_array_equal(late.mask[0, :, NEW], whole.mask[0, :, NEW])
    assert late.mask[0, :, NEW].sum() > 0


@pytest.mark.parametrize("stream", INPUTS)
def test_an_input_touches_no_channel_but_its_own(stream):
    old, now = old_events(50), 50 * HOUR
    without, with_it = sampled(old, now), sampled(in_order(old, new_events(stream, 50, 1)), now)
    for name in ("values", "mask", "age"):
        a, b = getattr(without, name), getattr(with_it, name)
        np.testing.assert_array_equal(a[:, :, OLD], b[:, :, OLD])
    np.testing.assert_array_equal(without.liquidation_map, with_it.liquidation_map)
    own = [AT[name] for name in INPUTS[stream]]
    others = [at for at in NEW if at not in own]
    assert with_it.mask[0, :, own].sum() > 0
    assert with_it.mask[0, :, others].sum() == 0
    assert without.mask[0, :, NEW].sum() == 0


def test_ratios_are_logarithms_and_concentration_is_as_it_is():
    state = MarketState(SCHEMA)
    state.update_long_short_ratio("BYBIT", 1, 1.5)
    state.update_options_open_interest("DERIBIT", 1, 0.4)
    state.update_wallet_concentration("ETHEREUM", 1, 0.07)
    snapshot = state.sample(2)
    assert value(snapshot, "BYBIT", "log_long_short_ratio") == pytest.approx(log(1.5))
    assert value(snapshot, "DERIBIT", "log_put_call_ratio") == pytest.approx(log(0.4))
    assert value(snapshot, "ETHEREUM", "wallet_concentration") == pytest.approx(0.07)
    assert snapshot.mask.sum() == 3


@pytest.mark.parametrize("ratio", [0.0, float("nan"), float("inf")])
def test_a_ratio_without_a_logarithm_is_masked_until_the_next(ratio):
    state = MarketState(SCHEMA)
    state.update_options_open_interest("DERIBIT", 0, 0.4)
    state.update_options_open_interest("DERIBIT", HOUR, ratio)
    assert value(state.sample(HOUR), "DERIBIT", "log_put_call_ratio") is None
    state.update_options_open_interest("DERIBIT", 2 * HOUR, 0.5)
    snapshot = state.sample(2 * HOUR)
    found = [value(snapshot, "DERIBIT", "log_put_call_ratio", offset) for offset in range(3)]
    assert found == [pytest.approx(log(0.5)), None, pytest.approx(log(0.4))]


def share(quantity, interest=1000.0):
    return pytest.approx(log(LIQUIDATION_FLOOR + quantity / interest), abs=1e-5)


def test_liquidations_are_what_the_last_hour_brought_over_open_interest():
    state = MarketState(SCHEMA)
    state.update_open_interest("BYBIT", 0, 1000.0)
    state.update_liquidations("BYBIT", 10 * MINUTE, 5.0, 0.0)
    state.update_liquidations("BYBIT", 30 * MINUTE, 2.0, 1.0)
    seen = {}
    for minute in (30, 69, 70, 89, 90, 150):
        snapshot = state.sample(minute * MINUTE)
        names = ("log_long_liquidations", "log_short_liquidations")
        seen[minute] = tuple(value(snapshot, "BYBIT", name) for name in names)
    assert seen == {
        30: (share(7.0), share(1.0)),
        69: (share(7.0), share(1.0)),
        70: (share(2.0), share(1.0)),
        89: (share(2.0), share(1.0)),
        90: (share(0.0), share(0.0)),
        150: (share(0.0), share(0.0)),
    }


def test_the_look_back_shows_the_hour_as_it_was_known_then():
    state = MarketState(SCHEMA)
    state.update_open_interest("BYBIT", 0, 1000.0)
    state.update_liquidations("BYBIT", 10 * MINUTE, 5.0, 0.0)
    state.update_open_interest("BYBIT", 3 * HOUR, 500.0)
    state.update_liquidations("BYBIT", 3 * HOUR, 4.0, 0.0)
    snapshot = state.sample(3 * HOUR + 30 * MINUTE)
    found = [value(snapshot, "BYBIT", "log_long_liquidations", offset) for offset in range(5)]
    assert found == [share(4.0, 500.0), share(0.0), share(0.0), share(5.0), None]


def test_a_burst_is_summed_whole():
    state = MarketState(SCHEMA)
    state.update_open_interest("BYBIT", 0, 1000.0)
    for at in range(5000):
        state.update_liquidations("BYBIT", HOUR + at * 1_000_000, 0.01, 0.02)
    snapshot = state.sample(HOUR + MINUTE)
    assert value(snapshot, "BYBIT", "log_long_liquidations") == share(50.0)
    assert value(snapshot, "BYBIT", "log_short_liquidations") == share(100.0)


@pytest.mark.parametrize("known_at", [None, 0])
def test_liquidations_without_fresh_open_interest_are_masked(known_at):
    state = MarketState(SCHEMA)
    if known_at is not None:
        state.update_open_interest("BYBIT", known_at, 1000.0)
    now = int(SCHEMA.max_age_hours) * HOUR + MINUTE
    state.update_liquidations("BYBIT", now, 5.0, 1.0)
    assert value(state.sample(now), "BYBIT", "log_long_liquidations") is None


def test_each_venue_has_its_own_hour():
    state = MarketState(SCHEMA)
    for venue, interest in (("BINANCE", 1000.0), ("BYBIT", 100.0)):
        state.update_open_interest(venue, 0, interest)
    state.update_liquidations("BINANCE", 5 * MINUTE, 1.0, 0.0)
    state.update_liquidations("BYBIT", 20 * MINUTE, 3.0, 0.0)
    found = []
    for minute in (20, 65, 80):
        snapshot = state.sample(minute * MINUTE)
        found.append([value(snapshot, venue, "log_long_liquidations") for venue in ("BINANCE", "BYBIT")])
    assert found == [
        [share(1.0), share(3.0, 100.0)],
        [share(0.0), share(3.0, 100.0)],
        [share(0.0), share(0.0)],
    ]
