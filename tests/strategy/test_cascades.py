"""Cascade labels: against an obvious reference, drawn by hand, and blind to what comes after the horizon."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oi_hedge_strategy.cascades import (
    SIDES,
    CascadeDefinition,
    HourlyMarket,
    cascade_events,
    hourly_volatility,
    label_cascades,
)

HOUR = 3_600_000_000_000
EASY = CascadeDefinition(
    horizons_hours=(2, 4), sigma_multiple=0.0, floor=0.05, open_interest_fall=0.10, volatility_hours=2
)
DOWN, UP = 0, 1


def market(close, interest, low=None, high=None):
    close = np.asarray(close, float)
    interest = np.asarray(interest, float)
    return HourlyMarket(
        np.arange(close.size) * HOUR,
        close if high is None else np.asarray(high, float),
        close if low is None else np.asarray(low, float),
        close,
        interest if interest.ndim == 2 else interest[:, None],
    )


def flat(n, **at):
    """Return n times 100, with the values of `at` (such as h5=90) put in."""
    values = np.full(n, 100.0)
    for hour, value in at.items():
        values[int(hour[1:])] = value
    return values


def reference(data, definition):
    """Label as the definition reads, one hour, one side and one horizon at a time."""
    n, horizons = data.close.size, definition.horizons_hours
    cascade, excursion, onset = np.full((3, n, 2, len(horizons)), np.nan)
    sigma = hourly_volatility(data.close, definition.volatility_hours)
    for t in range(n):
        for h, hours in enumerate(horizons):
            if t + hours >= n or not np.isfinite(sigma[t]) or not np.isfinite(data.close[t]):
                continue
            threshold = max(definition.floor, definition.sigma_multiple * sigma[t] * np.sqrt(hours))
            ratios = []
            for k in range(t + 1, t + hours + 1):
                both = [v for v in range(data.open_interest.shape[1])
                        if np.isfinite(data.open_interest[[t, k], v]).all()]  # fmt: skip
                before = sum(data.open_interest[t, v] for v in both)
                if before > 0:
                    ratios.append(sum(data.open_interest[k, v] for v in both) / before)
            for s, extreme in enumerate((data.low, data.high)):
                moves = [
                    (1 if s else -1) * (extreme[k] / data.close[t] - 1) for k in range(t + 1, t + hours + 1)
                ]
                known = [move for move in moves if np.isfinite(move)]
                if not known or not ratios:
                    continue
                excursion[t, s, h] = max(0.0, *known)
                happened = max(known) >= threshold and min(ratios) <= 1 - definition.open_interest_fall
                cascade[t, s, h] = happened
                if happened:
                    onset[t, s, h] = next(k for k, move in enumerate(moves, 1) if move >= threshold)
    return cascade, excursion, onset


prices = arrays(np.float64, 24, elements=st.sampled_from([90.0, 95.0, 98.0, 100.0, 103.0, 110.0, np.nan]))
interests = arrays(np.float64, (24, 2), elements=st.sampled_from([0.0, 80.0, 95.0, 100.0, 130.0, np.nan]))


@settings(max_examples=60, deadline=None)
@given(prices, interests, st.sampled_from([0.0, 1.5]))
def test_labels_equal_the_reference(close, interest, multiple):
    definition = CascadeDefinition((2, 4), multiple, 0.05, 0.10, 3)
    data = market(close, interest, low=close * 0.99, high=close * 1.01)
    labels = label_cascades(data, definition)
    for found, wanted in zip(
        (labels.cascade, labels.excursion, labels.onset_hours), reference(data, definition), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(prices, interests, st.integers(6, 23))
def test_labels_do_not_depend_on_data_beyond_the_horizon(close, interest, cut):
    whole = label_cascades(market(close, interest), EASY)
    part = label_cascades(market(close[:cut], interest[:cut]), EASY)
    for h, hours in enumerate(EASY.horizons_hours):
        known = slice(0, cut - hours)
        np.testing.assert_array_equal(whole.cascade[known, :, h], part.cascade[known, :, h])
        np.testing.assert_array_equal(whole.excursion[known, :, h], part.excursion[known, :, h])
        assert np.isnan(part.cascade[cut - hours :, :, h]).all()


def test_a_fall_with_a_fall_of_open_interest_is_a_cascade_down():
    labels = label_cascades(market(flat(14, h8=95.0), flat(14, h8=90.0)), EASY)
    assert labels.cascade[:, DOWN, 0][2:12].tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0]  # hours 6 and 7
    assert labels.cascade[:, DOWN, 1][2:10].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]  # hours 4 to 7
    assert np.nansum(labels.cascade[:, UP]) == 0
    assert labels.onset_hours[4:8, DOWN, 1].tolist() == [4.0, 3.0, 2.0, 1.0]
    assert labels.excursion[6, DOWN, 0] == pytest.approx(0.05)


def test_the_recovery_is_no_cascade_up_because_open_interest_rises():
    labels = label_cascades(market(flat(14, h8=90.0), flat(14, h8=90.0)), EASY)
    assert labels.excursion[8, UP, 0] > 0.05
    assert labels.cascade[8, UP].tolist() == [0.0, 0.0]


def test_a_low_within_the_bar_counts_though_the_close_recovers():
    close = flat(14)
    labels = label_cascades(market(close, flat(14, h8=85.0), low=flat(14, h8=94.0)), EASY)
    assert labels.cascade[7, DOWN].tolist() == [1.0, 1.0]
    assert labels.excursion[7, DOWN, 0] == pytest.approx(0.06)


def test_a_move_without_a_fall_of_open_interest_is_none():
    labels = label_cascades(market(flat(14, h8=80.0), flat(14, h8=91.0)), EASY)
    assert np.nansum(labels.cascade[:8]) == 0


def test_a_fall_of_open_interest_without_a_move_is_none():
    labels = label_cascades(market(flat(14, h8=95.1), flat(14, h8=50.0)), EASY)
    assert np.nansum(labels.cascade[:8]) == 0


def test_a_horizon_beyond_the_data_has_no_label():
    labels = label_cascades(market(flat(14), flat(14)), EASY)
    assert np.isnan(labels.cascade[12:, :, 0]).all()
    assert np.isnan(labels.cascade[10:, :, 1]).all()
    assert np.isfinite(labels.cascade[2:12, :, 0]).all()


def test_a_venue_that_appears_or_goes_dark_changes_no_open_interest():
    interest = np.stack([flat(14), flat(14)], axis=1)
    interest[8:, 1] = np.nan
    gone = label_cascades(market(flat(14, h8=90.0), interest), EASY)
    interest = np.stack([flat(14, h8=80.0), np.full(14, 900.0)], axis=1)
    interest[:8, 1] = np.nan
    appeared = label_cascades(market(flat(14, h8=90.0), interest), EASY)
    assert np.nansum(gone.cascade[:8]) == 0
    assert appeared.cascade[7, DOWN, 0] == 1.0


def test_the_threshold_grows_with_volatility_and_the_root_of_the_horizon():
    close = 100.0 * np.exp(np.resize([0.0, 0.02], 20))
    data = market(close, 100.0 * 0.8 ** np.arange(20), low=close * 0.965)
    sigma = hourly_volatility(close, 4)[9]
    assert sigma == pytest.approx(0.02)
    # hour 9 closes at 102.02; the lows after it are 96.5: a move of 5.4 %
    for multiple, cascades in ((1.90, [1.0, 0.0]), (1.30, [1.0, 1.0]), (1.95, [0.0, 0.0])):
        definition = CascadeDefinition((2, 4), multiple, 0.0, 0.1, 4)
        assert label_cascades(data, definition).cascade[9, DOWN].tolist() == cascades


def test_volatility_by_hand_and_its_warm_up():
    close = np.array([100.0, 110.0, 100.0, np.nan, 105.0])
    first, third = np.log(1.1) ** 2, np.log(1.05) ** 2
    second = (first + first) / 2
    assert hourly_volatility(close, 2) == pytest.approx(
        [np.nan, np.nan, np.sqrt(second), np.sqrt(second), np.sqrt(second + (third - second) / 3)],
        nan_ok=True,
    )


def test_events_merge_hours_whose_moves_complete_within_one_horizon():
    close = flat(40, h8=90.0, h11=84.0, h25=94.0)
    interest = flat(40, h8=80.0, h11=70.0, h25=80.0)
    data = market(close, interest)
    events = cascade_events(data, label_cascades(data, EASY), "down", EASY)
    assert [(e.onset_ns // HOUR, e.end_ns // HOUR) for e in events] == [(8, 11), (25, 25)]
    assert [e.depth for e in events] == [pytest.approx(0.16), pytest.approx(0.06)]
    assert all(e.side == "down" for e in events)


def test_no_labels_give_no_events():
    data = market(flat(20), flat(20))
    assert [cascade_events(data, label_cascades(data, EASY), side, EASY) for side in SIDES] == [[], []]


@pytest.mark.parametrize(
    "values", [{"horizons_hours": ()}, {"horizons_hours": (4, 2)}, {"horizons_hours": (0,)}, {"floor": -0.1}]
)
def test_a_definition_that_means_nothing_is_refused(values):
    with pytest.raises(ValueError, match="must"):
        CascadeDefinition(**values)
