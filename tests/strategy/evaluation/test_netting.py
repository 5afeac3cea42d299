"""Weeks, drawdown episodes and regimes, told by hand."""

import numpy as np
import pytest

from oi_hedge_strategy.evaluation.daily import Calendar
from oi_hedge_strategy.evaluation.netting import NO_REGIME, episode_starts, regimes, week_starts


def test_weeks_begin_on_monday():
    days = np.arange(np.datetime64("2024-01-05"), np.datetime64("2024-01-17"))  # a Friday to a Tuesday
    found = week_starts(Calendar(days, np.arange(days.size), 0))
    assert days[found].astype(str).tolist() == ["2024-01-05", "2024-01-08", "2024-01-15"]


@pytest.mark.parametrize(
    ("closes", "starts"),
    [
        ([100, 120, 107, 110, 119, 130], [0, 2, 3]),  # 120 to 107 is 10.8 %, and 107 to 119 is 11 %
        ([100, 120, 109, 125, 113, 130], [0]),  # no fall of 10 %: 120 to 109 and 125 to 113 are 9 %
        ([100, 89, 95, 88, 97], [0, 4]),  # falls to 88 on day 3, up 10 % on day 4; 95 is within the fall
        ([100, 100, 100], [0]),
    ],
)
def test_legs_turn_at_the_extremes(closes, starts):
    assert episode_starts(np.array(closes, float)).tolist() == starts


def test_every_day_belongs_to_one_leg_and_legs_alternate():
    closes = 100.0 * np.exp(np.cumsum(np.random.default_rng(4).normal(0.0, 0.03, 700)))
    starts = episode_starts(closes)
    assert starts[0] == 0 and (np.diff(starts) > 0).all()
    turns = closes[starts[1:] - 1]
    moves = turns[1:] / turns[:-1] - 1.0
    assert (np.sign(moves[1:]) == -np.sign(moves[:-1])).all()
    assert (moves[moves < 0] <= -0.10).all() and (moves[moves > 0] >= 0.10).all()


def test_regimes_are_known_when_the_day_begins():
    quiet = 100.0 * np.exp(0.001 * np.arange(60) + 0.0005 * np.resize([1, -1], 60))
    crash = quiet[-1] * np.exp(-0.05 * np.arange(1, 21) + 0.02 * np.resize([1, -1], 20))
    closes = np.concatenate([quiet, crash])
    found = regimes(closes)
    assert (found[:28] == NO_REGIME).all()
    assert set(found[30:60].tolist()) <= {"rising, calm", "rising, volatile"}
    assert found[60] == found[59]  # the first day of the crash is not yet known to be one
    assert found[75] == "falling, volatile"
    np.testing.assert_array_equal(regimes(closes[:50]), found[:50])
