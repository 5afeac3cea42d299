"""The interval of a settled funding rate, from the times of settlements alone."""

import numpy as np
import pytest

from oi_hedge_adapters.settlements import settled_minutes
from oi_hedge_adapters.venues import FundingRule

RULE = FundingRule(480, "per contract")


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ([0, 8, 16, 24], [480, 480, 480, 480]),
        ([0, 4, 8, 12], [240, 240, 240, 240]),  # the first has its successor's
        ([0, 8, 16, 17, 18], [480, 480, 480, 60, 60]),  # moved to every hour
        ([0, 1, 2, 6, 10], [60, 60, 60, 240, 240]),  # and back
        ([0, 4, 8, 16, 20], [240, 240, 240, 240, 240]),  # one is missing, that is no longer interval
        ([0, 8, 32, 40], [480, 480, 480, 480]),
        ([0, 24, 48], [480, 480, 480]),
        ([0], [480]),
        ([], []),
    ],
)
def test_interval_is_the_distance_unless_settlements_are_missing(hours, expected):
    settled = np.array(hours, np.int64) * 3600 * 10**9 + 76_000_000

    assert settled_minutes(settled, RULE).tolist() == expected


def test_rate_of_a_continuous_venue_is_that_of_its_history():
    rule = FundingRule(480, "continuous", settled_minutes=60)

    assert settled_minutes(np.array([0], np.int64), rule).tolist() == [60]
