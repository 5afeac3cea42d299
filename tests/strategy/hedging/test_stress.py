"""The stress rail: how much hedge an account survives, by hand and for any account."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.hedging.config import RailsConfig
from oi_hedge_strategy.hedging.rail_records import RailInput
from oi_hedge_strategy.hedging.rails import Rails
from oi_hedge_strategy.hedging.stress import Stress, solvent_ratio, stressed_excess
from oi_hedge_strategy.margin import MarginSchedule

BINANCE = MarginSchedule()
WORST = Stress(rise=0.45, fall=0.55, carry=0.011)
CALM = RailInput(
    now=1_704_067_200_000_000_000,
    exposure=10.0,
    held=0.0,
    price=2000.0,
    equity=4000.0,
    model_problem="",
    price_age_minutes=0.0,
    open_interest_age_minutes=0.0,
    halted=False,
    side_at_risk=0.5,
    share_at_risk=0.3,
    funding_8h=0.0,
)
accounts = {
    "exposure": st.floats(-1e6, 1e6),
    "price": st.floats(0.01, 1e6),
    "equity": st.floats(-1e6, 1e10),
    "rise": st.floats(0.0, 10.0),
    "fall": st.floats(0.0, 1.0),
    "carry": st.floats(0.0, 1.0),
}


def verdict(wanted, given_, **values):
    values = {"min_liquidation_distance": 0.0, "max_leverage": 5.0, "drawdown_tiers": (), **values}
    return Rails(RailsConfig(**values), 1.0, BINANCE).apply(wanted, given_)


def test_what_is_left_of_a_short_hedge_by_hand():
    # short 10 at 2000, +45 %: loses 9000, pays 1.1 % of 29,000 = 319, must keep 0.4 % of 29,000 = 116
    assert stressed_excess(-10.0, 2000.0, 10_000.0, WORST, BINANCE) == pytest.approx(
        10_000 - 9000 - 319 - 116
    )


def test_what_is_left_of_a_long_hedge_by_hand():
    # long 10 at 2000, -55 %: loses 11,000, pays 1.1 % of 20,000 = 220, must keep 0.4 % of 9000 = 36
    assert stressed_excess(10.0, 2000.0, 10_000.0, WORST, BINANCE) == pytest.approx(
        10_000 - 11_000 - 220 - 36
    )


def test_the_largest_ratio_is_where_nothing_is_left():
    # 10,000 / (2000 x (0.45 + 0.011 x 1.45 + 0.004 x 1.45)) = 10.5988 of 20 ETH
    found = solvent_ratio(1.0, 20.0, 2000.0, 10_000.0, WORST, BINANCE)
    assert found == pytest.approx(10_000.0 / 943.5 / 20.0, rel=1e-9)


@given(wanted=st.floats(0.0, 1.0), **accounts)
def test_an_allowed_hedge_survives_its_stress(wanted, exposure, price, equity, rise, fall, carry):
    stress = Stress(rise, fall, carry)
    ratio = solvent_ratio(wanted, exposure, price, equity, stress, BINANCE)
    assert 0.0 <= ratio <= wanted
    if ratio > 0.0:
        assert stressed_excess(-ratio * exposure, price, equity, stress, BINANCE) >= 0.0
    if ratio < wanted and equity > 0.0:
        more = -min(wanted, ratio + 1e-6) * exposure
        assert stressed_excess(more, price, equity, stress, BINANCE) <= 1e-3 * abs(exposure) * price


@given(part=st.floats(0.0, 1.0), wanted=st.floats(0.0, 1.0), **accounts)
def test_what_survives_the_worst_survives_anything_milder(
    part, wanted, exposure, price, equity, rise, fall, carry
):
    ratio = solvent_ratio(wanted, exposure, price, equity, Stress(rise, fall, carry), BINANCE)
    milder = Stress(part * rise, part * fall, part * carry)
    if ratio > 0.0:
        left = stressed_excess(-ratio * exposure, price, equity, milder, BINANCE)
        assert left >= -1e-9 * (abs(equity) + ratio * abs(exposure) * price)


@given(wanted=st.floats(0.0, 1.0), equity=st.floats(-1e4, 1e6), exposure=st.floats(-1e4, 1e4))
def test_the_rail_keeps_the_book_solvent_whatever_is_wanted(wanted, equity, exposure):
    found = verdict(wanted, replace(CALM, equity=equity, exposure=exposure))
    assert 0.0 <= found.ratio <= wanted
    if found.ratio * abs(exposure) > 1e-6:
        assert stressed_excess(-found.ratio * exposure, 2000.0, equity, WORST, BINANCE) >= -1e-6


def test_the_rail_leaves_a_record_of_what_it_did():
    found = verdict(0.6, CALM)
    (action,) = found.actions
    assert (action.rail, action.before, action.after) == ("stress", 0.6, pytest.approx(4000.0 / 9435.0))
    assert found.reason == "stress: must survive +45% on equity 4000"
    assert verdict(0.6, replace(CALM, exposure=-10.0)).reason == "stress: must survive -55% on equity 4000"


def test_an_account_with_enough_leaves_the_wish_alone():
    assert verdict(1.0, replace(CALM, equity=9435.0 * (1 + 1e-12))).actions == ()


def test_no_stress_asks_for_maintenance_margin_only():
    found = verdict(1.0, CALM, stress_rise=0.0, stress_fall=0.0, stress_carry=0.0)
    assert found.actions == ()


@pytest.mark.parametrize(
    ("name", "value"), [("stress_rise", -0.1), ("stress_rise", float("nan")), ("stress_fall", 1.1),
                        ("stress_carry", -0.01)]
)  # fmt: skip
def test_a_stress_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=f"rails.{name} must lie within"):
        RailsConfig(**{name: value}).check()
