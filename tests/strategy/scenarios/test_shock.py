"""Shocks: knots by hand, and what the stress rail assumes against what the scenarios say."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from oi_hedge_strategy.hedging.config import RailsConfig
from oi_hedge_strategy.scenarios.definitions import DATED, SCENARIOS
from oi_hedge_strategy.scenarios.shock import Shock, at, extremes, within, worst_carry, worst_moves

KNOTS = ((0.0, 1.0), (2.0, 0.5), (4.0, 0.75))
PROMISED = {
    "2020-03", "2021-05-19", "2022-06", "2022-11", "2023-08-17", "2024-04", "2024-08-05", "2025-10-10",
    "outage", "stuck-funding", "stale-interest", "halted-liquidations", "quote-depeg", "venue-flash-crash",
}  # fmt: skip


def test_a_value_lies_on_the_line_between_knots_and_holds_outside():
    found = at(KNOTS, np.array([-5.0, 0.0, 1.0, 3.0, 9.0]))
    np.testing.assert_allclose(found, [1.0, 1.0, 0.75, 0.625, 0.75])


def test_extremes_see_the_knots_within_a_bar():
    low, high = extremes(KNOTS, np.array([0.0, 1.0, 2.5]), np.array([1.0, 3.0, 5.0]))
    np.testing.assert_allclose(low, [0.75, 0.5, 0.5625])
    np.testing.assert_allclose(high, [1.0, 0.75, 0.75])


def test_a_span_holds_its_end_but_not_its_start():
    assert within((0.0, 2.0), np.array([0.0, 0.1, 2.0, 2.1])).tolist() == [False, True, True, False]
    assert not within(None, np.array([0.0, 1.0])).any()


def test_the_worst_moves_are_those_from_a_full_hour_within_the_time():
    # from 0.5 at hour 2 to 0.75 within two hours; from 1.0 at hour 0 to 0.5
    assert worst_moves(Shock(price=KNOTS), hours=2) == (pytest.approx(0.5), pytest.approx(0.5))
    # within one hour: from 0.5 to 0.625, and from 0.75 at hour 1 to 0.5
    assert worst_moves(Shock(price=KNOTS), hours=1) == (pytest.approx(0.25), pytest.approx(1.0 / 3.0))


def test_a_quote_currency_that_falls_is_a_rise_of_the_price_in_it():
    rise, fall = worst_moves(Shock(quote=((0.0, 1.0), (6.0, 0.8), (12.0, 1.0))))
    assert (rise, fall) == (pytest.approx(0.25), pytest.approx(0.2))


def test_what_one_venue_alone_printed_moves_no_mark_price():
    assert worst_moves(Shock(venue_price=((0.0, 1.0), (0.5, 3.0), (1.0, 1.0)))) == (0.0, 0.0)


def test_a_day_of_the_worst_funding_has_three_settlements():
    shock = Shock(hedge_pays=((0.0, 8.0, 0.001), (8.0, 16.0, 0.004)))
    assert worst_carry(shock) == pytest.approx(0.012)
    assert worst_carry(Shock()) == 0.0


def test_every_scenario_that_is_promised_is_there():
    keys = [each.key for each in SCENARIOS]
    assert set(keys) >= PROMISED and len(keys) == len(set(keys))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.key)
def test_a_scenario_is_well_formed_and_names_its_source(scenario):
    shock = scenario.shock
    for knots in (shock.price, shock.venue_price, shock.quote, shock.open_interest):
        hours = [hour for hour, _ in knots]
        assert hours == sorted(set(hours))
        assert all(value > 0.0 for _, value in knots)
        assert hours[-1] <= scenario.hours
    assert len(scenario.source) > 40 and scenario.story.endswith(".")
    if scenario in DATED:
        onset = datetime.fromisoformat(scenario.onset)
        assert (onset.minute, onset.utcoffset()) == (0, timedelta(0))


def test_the_stress_rail_covers_the_worst_scenario_and_little_more():
    rails = RailsConfig()
    rise, fall = (max(each) for each in zip(*(worst_moves(s.shock) for s in SCENARIOS), strict=True))
    carry = max(worst_carry(each.shock) for each in SCENARIOS)
    assert rise <= rails.stress_rise < rise + 0.05
    assert fall <= rails.stress_fall < fall + 0.05
    assert carry <= rails.stress_carry < carry + 0.001
