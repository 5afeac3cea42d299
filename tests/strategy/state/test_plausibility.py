"""Open interest too far from the venue's last is held back, until it is back or has lasted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oi_hedge_strategy.state import CHANNELS, InterestLimits, MarketState, StateSchema
from oi_hedge_strategy.state.liquidation_map import LiquidationMapConfig
from oi_hedge_strategy.state.plausibility import InterestGuard, Verdict

MINUTE, HOUR = 60_000_000_000, 3_600_000_000_000
SCHEMA = StateSchema(
    ("BINANCE", "BYBIT"),
    offsets_hours=(0.0, 1.0, 2.0, 8.0, 24.0, 48.0),
    liquidation_map=LiquidationMapConfig(memory_days=30.0),
)
INTEREST = [channel.name for channel in CHANNELS].index("log_open_interest")
ACCEPTED, HELD_BACK, CONFIRMED = Verdict.ACCEPTED, Verdict.HELD_BACK, Verdict.CONFIRMED


def verdicts(values, limits=None, max_age_hours=72.0, step=HOUR):
    guard, last, found = InterestGuard(limits or InterestLimits(), int(max_age_hours * HOUR)), None, []
    for at, value in enumerate(values):
        verdict = guard.judge(0, at * step, value, last)
        found.append(verdict)
        if verdict is not HELD_BACK:
            last = at * step, value
    return found


def fed(values, schema=SCHEMA, venue="BINANCE", others=1000.0, step=HOUR):
    state = MarketState(schema)
    for at, value in enumerate(values):
        state.update_bar(venue, False, at * step, 2000.0, 2000.0, 2000.0, 1.0)
        state.update_open_interest(venue, at * step + 1, value)
        state.update_open_interest("BYBIT", at * step + 1, others)
    return state


def interest(state, now):
    snapshot = state.sample(now)
    return snapshot.values[0, 0, INTEREST], snapshot.mask[0, 0, INTEREST], snapshot.age[0, 0, INTEREST]


@pytest.mark.parametrize("factor", [1000.0, 10.1, 1 / 10.1, 1 / 1000, 0.0])
def test_a_value_beyond_ten_times_either_way_is_held_back_and_one_that_is_back_is_not(factor):
    assert verdicts([1000.0, 1000.0 * factor, 1010.0]) == [ACCEPTED, HELD_BACK, ACCEPTED]


@pytest.mark.parametrize("factor", [1.0, 4.6, 9.9, 1 / 9.9])
def test_a_value_within_ten_times_is_not(factor):
    assert verdicts([1000.0, 1000.0 * factor]) == [ACCEPTED, ACCEPTED]


def test_a_level_that_lasts_a_day_is_believed():
    found = verdicts([1000.0] + [1e6 + hour for hour in range(30)])
    assert found == [ACCEPTED] + 24 * [HELD_BACK] + [CONFIRMED] + 5 * [ACCEPTED]


def test_a_level_that_does_not_agree_with_itself_is_never_believed():
    assert verdicts([1000.0] + 60 * [1e6, 1e8])[1:] == 120 * [HELD_BACK]


def test_a_level_that_was_interrupted_lasts_anew():
    found = verdicts([1000.0] + 20 * [1e6] + [1000.0] + 24 * [1e6])
    assert found == [ACCEPTED] + 20 * [HELD_BACK] + [ACCEPTED] + 24 * [HELD_BACK]


def test_the_factor_and_the_time_are_configured():
    found = verdicts([1000.0, 3000.0, 3000.0, 3000.0], InterestLimits(max_jump=2.0, confirm_hours=2.0))
    assert found == [ACCEPTED, HELD_BACK, HELD_BACK, CONFIRMED]


def test_a_last_value_that_is_too_old_says_nothing():
    assert verdicts([1000.0, 1e6], max_age_hours=72.0, step=73 * HOUR) == [ACCEPTED, ACCEPTED]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_what_is_no_quantity_is_held_back_and_confirms_nothing(value):
    assert verdicts([1000.0] + 40 * [value] + [1000.0]) == [ACCEPTED] + 40 * [HELD_BACK] + [ACCEPTED]


def test_the_state_keeps_the_last_value_which_ages():
    state = fed([1000.0, 1e6, 1e6])
    values, mask, age = interest(state, 2 * HOUR + 1)
    assert values[0] == pytest.approx(np.log(1000.0))
    assert (mask[0], age[0]) == (1.0, pytest.approx(2.0))
    assert state.held_back == {"BINANCE": (1e6, 1000.0)}
    assert state.open_interest_ts == 2 * HOUR + 1  # BYBIT's


def test_a_value_held_back_neither_opens_positions_nor_weighs_in_the_map():
    quiet, faulty = fed([1000.0, 1100.0, 1100.0]), fed([1000.0, 1100.0, 1.1e6])
    assert faulty.liquidation_density().tolist() == quiet.liquidation_density().tolist()
    assert quiet.liquidation_density().sum() > 0.0


def test_a_level_that_is_believed_begins_anew_and_keeps_each_position_its_share():
    state = fed([1000.0, 1100.0] + 25 * [1.1e6])
    before = fed([1000.0, 1100.0] + 24 * [1.1e6], others=1e-9).liquidation_density()
    now = 26 * HOUR + 1
    values, mask, age = interest(state, now)
    assert values[0] == pytest.approx(np.log(1.1e6))
    assert mask.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert age[0] == 0.0
    assert state.held_back == {}
    after = fed([1000.0, 1100.0] + 25 * [1.1e6], others=1e-9).liquidation_density()
    assert after == pytest.approx(before)


LEVELS = st.lists(st.sampled_from([900.0, 1000.0, 1100.0, 1e6, 1.1e6, 3.0, 0.0]), min_size=2, max_size=60)


@settings(max_examples=60, deadline=None)
@given(LEVELS, st.integers(0, 59))
def test_cutting_the_future_off_or_restoring_changes_no_bit(values, cut):
    step, cut = 3 * HOUR, cut % len(values)
    limits = InterestLimits(confirm_hours=12.0)
    whole, before, restored = (MarketState(SCHEMA, limits) for _ in range(3))
    for at, value in enumerate(values):
        if at == cut:
            restored.restore(before.save())
        for state in (whole, before if at < cut else restored):
            state.update_bar("BINANCE", False, at * step, 2010.0, 1990.0, 2000.0 + at, 1.0)
            state.update_open_interest("BINANCE", at * step + 1, value)
        if at == cut - 1 or at == len(values) - 1:
            now, other = at * step + 1, before if at < cut else restored
            one, two = whole.sample(now).copy(), other.sample(now)
            for name in one.__slots__:
                assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name
            assert whole.held_back == other.held_back


def test_what_opens_between_two_bars_is_one_cohort_an_hour():
    once, often = (MarketState(SCHEMA) for _ in range(2))
    for hour in range(48):
        ts = hour * HOUR
        for state in (once, often):
            state.update_bar("BINANCE", False, ts, 2010.0, 1990.0, 2000.0, 1.0)
        often_levels = np.linspace(1000.0 + hour, 1001.0 + hour, 60)
        for minute, level in enumerate(often_levels.tolist()):
            often.update_open_interest("BINANCE", ts + 1 + minute * MINUTE // 2, level)
        once.update_open_interest("BINANCE", ts + 1, 1000.0 + hour)
        once.update_open_interest("BINANCE", ts + 1 + 59 * MINUTE // 2, 1001.0 + hour)
    found, expected = often.liquidation_density(), once.liquidation_density()
    assert found == pytest.approx(expected, rel=1e-9)
    assert found.sum() > 0.0
    assert often.save()["map.0.cohorts"].shape[1] == 48
