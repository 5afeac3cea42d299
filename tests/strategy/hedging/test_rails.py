"""Every rail at its threshold, their order, and what no input may ever lead to."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oi_hedge_strategy.hedging.config import Blackout, DrawdownTier, RailsConfig
from oi_hedge_strategy.hedging.rail_records import RailInput
from oi_hedge_strategy.hedging.rails import Rails
from oi_hedge_strategy.margin import MarginSchedule, tiered_liquidation_price

HOUR = 3_600_000_000_000
NOW = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z
CALM = RailInput(
    now=NOW,
    exposure=10.0,
    held=0.3,
    price=2000.0,
    equity=20_000.0,
    model_problem="",
    price_age_minutes=0.0,
    open_interest_age_minutes=0.0,
    halted=False,
    side_at_risk=0.5,
    share_at_risk=0.3,
    funding_8h=0.0,
)
NO_STRESS = {"stress_rise": 0.0, "stress_fall": 0.0, "stress_carry": 0.0}
EXTREME = {"side_at_risk": 0.95, "share_at_risk": 0.20}


def rails(max_ratio=1.0, **values):
    return Rails(RailsConfig(**values), max_ratio, MarginSchedule())


def verdict(wanted, given=None, /, on=None, **changes):
    return (on or rails()).apply(wanted, replace(given or CALM, **changes))


def test_a_calm_market_leaves_the_wish_alone():
    found = verdict(0.6)
    assert (found.ratio, found.actions, found.decided_by, found.reason) == (0.6, (), "", "")


@pytest.mark.parametrize(("state", "ratio"), [("hold", 0.3), ("flatten", 0.0), ("full", 0.8)])
@pytest.mark.parametrize(
    ("setting", "rail", "changes"),
    [
        ("on_model_failure", "model", {"model_problem": "model expired"}),
        ("on_stale_data", "freshness", {"price_age_minutes": 151.0}),
        ("on_stale_data", "freshness", {"open_interest_age_minutes": float("inf")}),
        ("on_stale_data", "freshness", {"behind_minutes": 151.0}),
    ],
)
def test_a_failure_leads_to_the_state_that_is_configured(setting, rail, changes, state, ratio):
    found = verdict(0.6, on=rails(0.8, **{setting: state}), **changes)
    assert found.ratio == ratio
    assert (found.actions[0].rail, found.actions[0].before, found.actions[0].after) == (rail, 0.6, ratio)
    assert found.actions[0].reason.endswith(f"; {state}")


def test_data_are_stale_beyond_their_limit_only():
    assert verdict(0.6, price_age_minutes=150.0, open_interest_age_minutes=360.0).actions == ()
    found = verdict(0.6, price_age_minutes=152.0)
    assert found.reason == "freshness: price is 152 min old, at most 150; hold"


def test_a_halted_venue_holds():
    found = verdict(0.6, halted=True)
    assert (found.ratio, found.decided_by) == (0.3, "venue")


@pytest.mark.parametrize(("hours", "ratio"), [(-1, 0.6), (0, 0.0), (1, 0.0), (2, 0.6)])
def test_a_blackout_acts_from_its_start_up_to_its_end(hours, ratio):
    blackout = Blackout("2024-01-01T00:00+00:00", "2024-01-01T02:00+00:00", "flatten")
    assert verdict(0.6, on=rails(blackouts=(blackout,)), now=NOW + hours * HOUR).ratio == ratio


def test_one_sided_positioning_asks_for_the_maximum_at_its_thresholds():
    found = verdict(0.1, on=rails(0.8), **EXTREME)
    assert (found.ratio, found.decided_by) == (0.8, "positioning")
    assert found.reason == "positioning: 95% of near liquidations on the exposure's side"
    assert verdict(0.1, side_at_risk=0.949, share_at_risk=0.5).ratio == 0.1
    assert verdict(0.1, side_at_risk=1.0, share_at_risk=0.199).ratio == 0.1


@pytest.mark.parametrize(
    "changes",
    [{"price_age_minutes": 200.0}, {"open_interest_age_minutes": 400.0}, {"halted": True}],
)
def test_positioning_is_not_believed_when_its_data_cannot_be(changes):
    assert verdict(0.6, **EXTREME, **changes).ratio == 0.3


def test_a_blackout_that_flattens_is_not_undone_by_positioning():
    blackout = Blackout("2024-01-01T00:00+00:00", "2024-01-02T00:00+00:00", "flatten")
    assert verdict(0.6, on=rails(blackouts=(blackout,)), **EXTREME).ratio == 0.0


def test_positioning_acts_without_a_model_too():
    assert verdict(0.0, model_problem="model expired", **EXTREME).ratio == 1.0


def test_a_funding_spike_reduces_even_what_positioning_asked_for():
    found = verdict(0.1, **EXTREME, funding_8h=0.002)
    assert found.ratio == 0.25
    assert [(a.rail, a.before, a.after) for a in found.actions] == [
        ("positioning", 0.1, 1.0),
        ("funding", 1.0, 0.25),
    ]
    assert verdict(0.6, funding_8h=0.00199).ratio == 0.6
    assert verdict(0.2, funding_8h=0.01).actions == ()


def test_leverage_is_capped_by_equity_over_notional():
    # 3 x 4000 / (10 x 2000) = 0.6
    assert verdict(0.6, equity=4000.0, on=rails(**NO_STRESS)).ratio == 0.6
    found = verdict(0.9, equity=4000.0, on=rails(min_liquidation_distance=0.0, **NO_STRESS))
    assert found.ratio == pytest.approx(0.6)
    assert found.reason == "leverage: equity 4000 at leverage 3"


@pytest.mark.parametrize("equity", [0.0, -5000.0])
def test_an_account_without_equity_hedges_nothing(equity):
    assert verdict(0.6, equity=equity).ratio == 0.0


def test_the_liquidation_price_is_kept_away():
    # one tier of 0.4 %: short q at 2000 is liquidated at (2000 + E / q) / 1.004, 20 % away where
    # E / q = 2400 x 1.004 - 2000 = 409.6, so q = 4096 / 409.6 = 10 and the ratio 10 / 20
    on = rails(max_leverage=5.0, drawdown_tiers=(), **NO_STRESS)
    found = verdict(1.0, exposure=20.0, equity=4096.0, held=0.0, on=on)
    assert found.ratio == pytest.approx(0.5, rel=1e-6)
    assert found.actions[-1].reason == "liquidation price must stay 20% away"


def test_an_account_beyond_liquidation_has_no_distance_left():
    # 1.2 bn notional at 5 x: maintenance margin is above the equity, the liquidation price lies behind
    on = rails(max_leverage=5.0, min_liquidation_distance=0.03, drawdown_tiers=(), **NO_STRESS)
    found = verdict(1.0, exposure=600_000.0, equity=240_000_000.0, held=0.0, on=on)
    quantity = -found.ratio * 600_000.0
    assert tiered_liquidation_price(quantity, 2000.0, 240_000_000.0, MarginSchedule()) >= 2000.0 * 1.0299


@pytest.mark.parametrize(
    ("equity", "ratio", "rail"),
    [(9001.0, 0.6, ""), (9000.0, 0.45, "drawdown"), (8000.0, 0.30, "drawdown"), (7000.0, 0.0, "drawdown")],
)
def test_each_drawdown_tier_scales_from_its_threshold_on(equity, ratio, rail):
    on = rails()
    on.state.peak_equity = 10_000.0
    found = verdict(0.6, equity=equity, held=0.0, exposure=1.0, on=on)
    assert (found.ratio, found.decided_by) == (pytest.approx(ratio), rail)


def test_the_last_tier_closes_the_hedge_for_the_cooldown_and_then_reopens():
    on = rails(cooldown_hours=72.0)
    verdict(0.6, equity=30_000.0, on=on)
    assert verdict(0.6, equity=21_000.0, on=on).reason == "drawdown: red: hedge book 30.0% below its peak"
    later = [verdict(0.6, equity=25_000.0, now=NOW + h * HOUR, on=on).ratio for h in (1, 71, 72, 73)]
    assert later == [0.0, 0.0, 0.6, 0.6]
    assert on.state.peak_equity == 25_000.0


def test_a_hard_stop_closes_for_the_cooldown():
    on = rails(cooldown_hours=2.0)
    on.close_until_cooled(NOW)
    assert verdict(0.6, on=on, now=NOW + 2 * HOUR - 1).reason == "drawdown: cooling down"
    assert verdict(0.6, on=on, now=NOW + 2 * HOUR).ratio == 0.6


@pytest.mark.parametrize("wanted", [0.0, 0.6])
def test_a_cooldown_and_a_tier_say_so_whatever_is_wanted(wanted):
    on = rails(cooldown_hours=2.0)
    on.close_until_cooled(NOW)
    assert verdict(wanted, on=on, now=NOW + HOUR).decided_by == "drawdown"
    on = rails()
    verdict(wanted, equity=30_000.0, on=on)
    assert (
        verdict(wanted, equity=26_000.0, on=on).reason == "drawdown: yellow: hedge book 13.3% below its peak"
    )


def test_an_account_that_is_funded_later_is_not_in_drawdown():
    on = rails()
    verdict(0.6, equity=0.0, on=on)
    assert on.state.closed_until == 0
    assert verdict(0.6, now=NOW + HOUR, on=on).ratio == 0.6


def test_without_tiers_a_loss_closes_nothing():
    on = rails(drawdown_tiers=())
    verdict(0.6, on=on)
    assert verdict(0.6, equity=10_000.0, on=on).ratio == 0.6


def test_one_tier_is_the_last_one():
    on = rails(drawdown_tiers=(DrawdownTier("only", 0.1, 0.0),))
    verdict(0.6, on=on)
    verdict(0.6, equity=18_000.0, on=on)
    assert on.state.closed_until == NOW + 72 * HOUR


def test_the_daily_order_rate_lets_reductions_through_and_ends_after_a_day():
    on = rails(max_daily_orders=2)
    on.record_trade(NOW - 24 * HOUR, 0.1)
    on.record_trade(NOW - HOUR, 0.1)
    assert verdict(0.6, on=on).ratio == 0.6  # the order of a day ago no longer counts
    on.record_trade(NOW, 0.1)
    found = verdict(0.6, on=on)
    assert (found.ratio, found.reason) == (0.3, "turnover: 2 orders within a day")
    assert verdict(0.1, on=on).ratio == 0.1
    assert verdict(0.6, on=on, now=NOW + 23 * HOUR).ratio == 0.6


def test_daily_turnover_leaves_room_for_the_rest_only():
    on = rails(max_daily_turnover=1.0)
    on.record_trade(NOW - HOUR, 0.8)
    found = verdict(0.9, on=on)
    assert found.ratio == pytest.approx(0.5)
    assert found.reason == "turnover: turnover 0.8 within a day"
    assert verdict(0.5 - 1e-9, on=on).actions == ()


def test_the_rails_act_in_the_order_of_the_design():
    blackout = Blackout("2024-01-01T00:00+00:00", "2024-01-02T00:00+00:00", "full")
    on = rails(on_stale_data="full", on_model_failure="hold", blackouts=(blackout,), max_daily_orders=1)
    on.state.peak_equity = 3800.0
    on.record_trade(NOW, 0.1)
    given = replace(CALM, held=0.01, exposure=100.0, equity=3300.0, funding_8h=0.01)
    order = [a.rail for a in on.apply(0.9, replace(given, model_problem="x", price_age_minutes=1e4)).actions]
    assert order == ["model", "freshness", "venue", "funding", "leverage", "stress", "drawdown", "turnover"]
    on = rails(min_liquidation_distance=0.5)
    extreme = on.apply(0.9, replace(CALM, **EXTREME, equity=7000.0, held=0.0))
    assert [a.rail for a in extreme.actions] == ["positioning", "liquidation"]


@given(
    wanted=st.floats(0.0, 1.0),
    exposure=st.floats(-1e6, 1e6),
    price=st.floats(10.0, 1e5),
    equity=st.floats(-1e6, 1e10),
    leverage=st.floats(0.1, 5.0),
    distance=st.floats(0.0, 0.9),
    held=st.floats(0.0, 1.0),
    side=st.floats(0.0, 1.0),
    funding=st.floats(-0.01, 0.01),
    problem=st.sampled_from(["", "model expired"]),
    state=st.sampled_from(["hold", "flatten", "full"]),
)
def test_nothing_leads_beyond_leverage_or_liquidation_distance(
    wanted, exposure, price, equity, leverage, distance, held, side, funding, problem, state
):
    on = rails(max_leverage=leverage, min_liquidation_distance=distance, on_model_failure=state, **NO_STRESS)
    given_ = replace(
        CALM, exposure=exposure, price=price, equity=equity, held=held, side_at_risk=side, funding_8h=funding,
        model_problem=problem,
    )  # fmt: skip
    found = on.apply(wanted, given_)
    assert 0.0 <= found.ratio <= 1.0
    notional = found.ratio * abs(exposure) * price
    assert notional <= max(0.0, equity) * leverage * (1 + 1e-9) + 1e-9
    if notional > 1e-3:
        quantity = -found.ratio * exposure
        liquidation = tiered_liquidation_price(quantity, price, equity, MarginSchedule())
        away = liquidation / price - 1.0 if quantity < 0 else 1.0 - liquidation / price
        assert away >= distance - 1e-6
    for action in found.actions:
        assert action.reason
        assert action.before != action.after or action.rail in ("model", "freshness", "venue")


def test_a_rail_that_changed_the_ratio_decided_though_another_stands():
    on = rails()
    on.state.peak_equity = 2.0 * CALM.equity
    cut = on.apply(1.0, replace(CALM, funding_8h=0.01))
    assert ([each.rail for each in cut.actions], cut.decided_by) == (["funding", "drawdown"], "drawdown")
    on = rails(funding_max_ratio=0.0)
    on.state.closed_until = NOW + 1
    cut = on.apply(1.0, replace(CALM, funding_8h=0.01))
    assert ([each.rail for each in cut.actions], cut.decided_by) == (["funding", "drawdown"], "funding")
    stands = on.apply(0.0, CALM)
    assert (stands.ratio, stands.decided_by) == (0.0, "drawdown")
