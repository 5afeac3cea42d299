"""The as-of sampler against the obvious slow reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oi_hedge_strategy.state.asof import AsOfSampler

OFFSETS = np.array([0, 10, 25, 100])
EVENT = st.tuples(st.integers(0, 2), st.integers(0, 40), st.floats(-5, 5))


def reference(events, now, rows):
    """Look up the last event of each row at or before each moment."""
    out = np.full((rows, OFFSETS.size), np.nan)
    for row in range(rows):
        for k, offset in enumerate(OFFSETS):
            known = [value for r, ts, value in events if r == row and ts <= now - offset]
            if known:
                out[row, k] = known[-1]
    return out


def sampler_of(rows, resolution=1):
    sampler = AsOfSampler(1, OFFSETS, resolution)
    for _ in range(rows):
        sampler.add_row()
    return sampler


def sample(sampler, now, rows):
    picked = np.arange(rows)
    return sampler.sample(now, picked, np.zeros(rows, np.int64))


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENT, max_size=60), st.sets(st.integers(0, 59)))
def test_every_sample_equals_a_slow_look_up(steps, sampled):
    sampler, events, now = sampler_of(3), [], 0
    for i, (row, gap, value) in enumerate(steps):
        now += gap
        sampler.append(row, now, (value,))
        events = [e for e in events if not (e[0] == row and e[1] == now)] + [(row, now, value)]
        if i in sampled:
            np.testing.assert_array_equal(sample(sampler, now, 3)[0], reference(events, now, 3))
    np.testing.assert_array_equal(sample(sampler, now + 7, 3)[0], reference(events, now + 7, 3))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=20, max_size=400))
def test_any_number_of_events_between_two_samples_is_passed(steps):
    sampler, events, now = sampler_of(3), [], 0
    for value, (row, gap) in enumerate(steps):
        now += gap
        sampler.append(row, now, (float(value),))
        events.append((row, now, float(value)))
    for later in (0, 9, 300):
        found = sample(sampler, now + later, 3)[0]
        np.testing.assert_array_equal(found, reference(events, now + later, 3))


def test_long_histories_are_forgotten_without_changing_a_sample():
    sampler, values = sampler_of(1), np.random.default_rng(1).normal(size=5000)
    for i, value in enumerate(values):
        sampler.append(0, 3 * i, (float(value),))
        if i % 7 == 0:
            found = sample(sampler, 3 * i, 1)[0][0]
            wanted = [values[(3 * i - k) // 3] if 3 * i >= k else np.nan for k in OFFSETS]
            np.testing.assert_array_equal(found, wanted)
    assert sampler._times.shape[1] <= 512


def test_ages_count_from_the_moment_that_a_value_stands_for():
    sampler = sampler_of(1)
    sampler.append(0, 90, (1.0,))
    sampler.append(0, 103, (2.0,))
    values, ages = sample(sampler, 110, 1)
    np.testing.assert_array_equal(values[0], [2.0, 1.0, np.nan, np.nan])
    assert ages[0, :2].tolist() == [7, 10]


def test_within_one_resolution_only_the_last_event_is_kept():
    sampler = sampler_of(1, resolution=10)
    for ts, value in ((21, 1.0), (25, 2.0), (29, 3.0), (31, 4.0)):
        sampler.append(0, ts, (value,))
    assert sample(sampler, 39, 1)[0][0, :2].tolist() == [4.0, 3.0]


def test_an_event_before_the_last_one_is_refused():
    sampler = sampler_of(2)
    sampler.append(0, 50, (1.0,))
    with pytest.raises(ValueError, match="order of time, was 49 after 50"):
        sampler.append(1, 49, (1.0,))


def test_an_event_before_the_last_sample_is_refused():
    sampler = sampler_of(1)
    sampler.append(0, 50, (1.0,))
    sample(sampler, 60, 1)
    with pytest.raises(ValueError, match="order of time, was 59 after 60"):
        sampler.append(0, 59, (1.0,))
