"""Kelly fraction and confidence multiplier: cases by hand and the properties that sizing rests on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oi_hedge_strategy.hedging.kelly import averse_probability, confidence_multiplier, kelly_fraction

KNOTS = ((0.0, 0.0), (0.5, 0.25), (0.8, 0.60))
moves = st.floats(1e-4, 1.0)
probabilities = st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    ("p", "gain", "cost", "fraction"),
    [
        (0.6, 1.0, 1.0, 0.2),  # even money: 2 p - 1
        (0.5, 0.10, 0.05, 5.0),  # 0.5 / 0.05 - 0.5 / 0.10
        (0.25, 0.08, 0.04, -3.125),  # 6.25 - 9.375: the other side has the edge
        (1.0, 0.08, 0.04, 25.0),
        (0.0, 0.08, 0.04, -12.5),
    ],
)
def test_fraction_by_hand(p, gain, cost, fraction):
    assert kelly_fraction(p, gain, cost) == pytest.approx(fraction)


@pytest.mark.parametrize(("gain", "cost"), [(0.0, 0.1), (0.1, 0.0), (-0.1, 0.1)])
def test_a_bet_without_stake_or_gain_is_refused(gain, cost):
    with pytest.raises(ValueError, match="expected positive gain and cost"):
        kelly_fraction(0.5, gain, cost)


@given(probabilities, probabilities, moves, moves)
def test_fraction_never_falls_with_probability(p, q, gain, cost):
    low, high = sorted((p, q))
    assert kelly_fraction(low, gain, cost) <= kelly_fraction(high, gain, cost)


@given(probabilities, moves, moves)
def test_fraction_is_positive_exactly_where_the_expected_gain_is(p, gain, cost):
    edge = p * gain - (1.0 - p) * cost
    if abs(edge) > 1e-9:
        assert (kelly_fraction(p, gain, cost) > 0.0) == (edge > 0.0)


@pytest.mark.parametrize(
    ("p", "multiplier"),
    [(0.0, 0.0), (0.25, 0.125), (0.5, 0.25), (0.65, 0.425), (0.8, 0.60), (0.9, 0.60), (1.0, 0.60)],
)
def test_multiplier_by_hand(p, multiplier):
    assert confidence_multiplier(p, KNOTS) == pytest.approx(multiplier)


@given(probabilities, probabilities)
def test_multiplier_ascends_and_stays_within_its_knots(p, q):
    low, high = sorted((p, q))
    assert 0.0 <= confidence_multiplier(low, KNOTS) <= confidence_multiplier(high, KNOTS) <= 0.60


@pytest.mark.parametrize(
    ("p", "aversion", "averse"),
    [
        (0.2, 1.0, 0.2),
        (0.2, 4.0, 0.5),  # odds 1:4 times 4 are even
        (0.5, 3.0, 0.75),
        (0.0, 50.0, 0.0),
        (1.0, 50.0, 1.0),
    ],
)
def test_loss_aversion_multiplies_the_odds(p, aversion, averse):
    assert averse_probability(p, aversion) == pytest.approx(averse)
