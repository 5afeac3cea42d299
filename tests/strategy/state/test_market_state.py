"""The market state: no look-ahead, no memory beyond its look-back, no dependence on the order of ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oi_hedge_strategy.history import feed
from oi_hedge_strategy.state import CHANNELS, MarketState, StateSchema, Stream

HOUR = 3_600_000_000_000
VENUES = ("BINANCE", "BYBIT", "OKX")
SCHEMA = StateSchema(VENUES)
AT = {channel.name: i for i, channel in enumerate(CHANNELS)}


def market(hours, seed=0, start=0):
    """Return events of three venues: bars, spot, open interest and funding with lags and gaps."""
    rng = np.random.default_rng(seed)
    price = 2000 * np.exp(np.cumsum(rng.normal(0, 0.01, hours)))
    events = []
    for h in range(hours):
        ts = (start + h) * HOUR
        for lag, venue in enumerate(VENUES):
            if rng.random() < 0.03:
                continue
            close = price[h] * (1 + rng.normal(0, 1e-4))
            bar = [close * 1.004, close * 0.995, close, rng.uniform(1, 100)]
            events.append((ts + lag, Stream.PERPETUAL, venue, bar))
            events.append((ts + 5, Stream.OPEN_INTEREST, venue, [rng.uniform(900, 1100), 0, 0, 0]))
            if h % 8 == 0:
                events.append((ts + 2, Stream.FUNDING, venue, [rng.normal(0, 1e-4), 480, 0, 0]))
        events.append((ts + 1, Stream.SPOT, "BINANCE", [price[h] * 1.003, price[h] * 0.99, price[h], 5.0]))
    return sorted(events, key=lambda event: event[0])


def sampled(events, now, schema=SCHEMA):
    state = MarketState(schema)
    for ts, stream, venue, fields in events:
        if ts <= now:
            feed(state, stream, venue, ts, fields)
    return state.sample(now)


def assert_same(a, b, tolerance=0.0):
    for name in ("values", "mask", "age", "liquidation_map", "clock"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=tolerance, err_msg=name)


def test_cutting_off_the_future_changes_nothing():
    events = market(400)
    state = MarketState(SCHEMA)
    checks = iter((50, 201, 399))
    check, at = next(checks), 0
    for hour in range(400):
        now = hour * HOUR + 10
        while at < len(events) and events[at][0] <= now:
            ts, stream, venue, fields = events[at]
            feed(state, stream, venue, ts, fields)
            at += 1
        snapshot = state.sample(now)
        if hour == check:
            assert_same(snapshot, sampled([e for e in events if e[0] <= now], now))
            check = next(checks, -1)
    assert at == len(events)


@pytest.mark.parametrize("extra", [1, 300])
def test_what_lies_before_the_look_back_has_no_influence(extra):
    hours = 90 * 24 + 12
    events = market(hours + extra)
    now = (hours + extra - 1) * HOUR + 10
    late = [e for e in events if e[0] >= extra * HOUR]
    assert_same(sampled(events, now), sampled(late, now), tolerance=2e-6)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_events_of_one_moment_may_come_in_any_order(random):
    events = market(30)
    together = [(ts // HOUR * HOUR, stream, venue, fields) for ts, stream, venue, fields in events]
    shuffled = list(together)
    random.shuffle(shuffled)
    shuffled.sort(key=lambda event: event[0])
    assert_same(sampled(together, 31 * HOUR), sampled(shuffled, 31 * HOUR))


def test_values_are_logs_rates_per_eight_hours_and_basis_against_fresh_spot():
    state = MarketState(SCHEMA)
    state.update_bar("OKX", True, 1, 101.0, 99.0, 100.0, 1.0)
    state.update_bar("OKX", False, 2, 102.0, 100.0, 101.0, 7.0)
    state.update_open_interest("OKX", 3, 500.0)
    state.update_funding("OKX", 4, 0.0001, 60)
    snapshot = state.sample(5)
    found = snapshot.values[0, 2, :, 0]
    assert found[AT["log_price"]] == pytest.approx(np.log(101.0))
    assert found[AT["log_range"]] == pytest.approx(np.log(1.02))
    assert found[AT["log_volume"]] == pytest.approx(np.log(7.0))
    assert found[AT["basis"]] == pytest.approx(np.log(1.01), rel=1e-5)
    assert found[AT["log_open_interest"]] == pytest.approx(np.log(500.0))
    assert found[AT["funding_8h"]] == pytest.approx(0.0008)
    assert snapshot.mask[0, :2].sum() == 0
    assert snapshot.mask[0, 2, :, 0].sum() == 7
    assert snapshot.mask[0, 2, :, 1:].sum() == 0


def test_slots_without_a_source_stay_masked():
    snapshot = sampled(market(100), 100 * HOUR)
    for name in (
        "log_long_short_ratio",
        "log_long_liquidations",
        "log_put_call_ratio",
        "wallet_concentration",
    ):
        assert snapshot.mask[0, :, AT[name]].sum() == 0


def test_a_venue_that_died_is_masked_once_its_last_value_is_too_old():
    state = MarketState(SCHEMA)
    state.update_open_interest("OKX", 0, 500.0)
    last = int(SCHEMA.max_age_hours) * HOUR
    assert state.sample(last).mask[0, 2, AT["log_open_interest"], 0] == 1
    assert state.sample(last + HOUR // 2).mask[0, 2, AT["log_open_interest"], 0] == 0


def test_the_liquidation_map_is_a_share_of_the_open_interest_of_all_venues():
    state = MarketState(SCHEMA)
    for at, venue in enumerate(("BYBIT", "OKX")):
        state.update_open_interest(venue, 3 * at, 1000.0)
        state.update_bar(venue, False, 3 * at + 1, 2000.0, 2000.0, 2000.0, 1.0)
        state.update_open_interest(venue, 3 * at + 2, 1500.0)
    assert state.sample(9).liquidation_map[0].sum() == pytest.approx(2 * 2 * 500 / 3000)


def test_a_schema_survives_json_and_an_other_version_is_named():
    assert StateSchema.from_json(SCHEMA.to_json()) == SCHEMA
    with pytest.raises(ValueError, match="expected input schema version 2 .* was version 7"):
        StateSchema.from_json(SCHEMA.to_json().replace('"version": 2', '"version": 7'))


def test_the_clock_counts_from_midnight_and_from_monday_in_utc():
    wednesday = 1_704_861_000_000_000_000  # 2024-01-10T04:30:00Z
    assert MarketState(SCHEMA).sample(wednesday).clock[0].tolist() == [4.5, 52.5]
