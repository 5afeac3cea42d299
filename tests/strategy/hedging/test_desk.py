"""The desk alone: events that come late or cannot be, ages, and what it hands to the rails."""

import pytest
from support.engine import HEDGE, HOUR, START, bar_type, specs
from support.models import SHORT_SCHEMA, write_model

from oi_hedge_catalog.instruments import build_instrument
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExecutionConfig, ExposureConfig, PolicyConfig, RailsConfig
from oi_hedge_strategy.hedging.desk import HedgeDesk

EQUITY = 1e6


@pytest.fixture
def build(tmp_path):
    def make(model=None, **values):
        values.setdefault("exposure", ExposureConfig(quantity=10.0))
        path = write_model(tmp_path / "model.onnx", **(model or {}))
        config = OIHedgeConfig(bar_type=bar_type(HEDGE), model=str(path), **values)
        return HedgeDesk(config, build_instrument(specs()[0]), SHORT_SCHEMA.venues, START)

    return make


def fill(desk, ts=START, price=2000.0):
    desk.on_bar("BINANCE", False, ts, price, price, price, 1.0)
    desk.on_open_interest("BINANCE", ts, 1000.0)
    return desk


def test_a_decision_holds_all_that_led_to_it(build):
    found = fill(build()).decide(START + 1, 10.0, 0.0, EQUITY)
    assert (found.exposure, found.price, found.held, found.wish.ratio) == (10.0, 2000.0, 0.0, 1.0)
    assert (found.target, found.target_quantity, found.trades) == (1.0, -10.0, True)
    assert found.alerts == (True, True)
    assert len(found.model_sha256) == 64


@pytest.mark.parametrize(("fee", "cost"), [(None, "1.04%"), (0.00017, "1.07%"), (0.0005, "1.14%")])
def test_the_hedge_is_sized_by_the_fee_that_the_account_pays(build, fee, cost):
    # 1 % if no cascade comes, twice the slippage of 0.02 %, twice the fee: the instrument has none of its own
    desk = build(taker_fee=fee)
    assert f"against cost {cost}" in fill(desk).decide(START + 1, 10.0, 0.0, EQUITY).wish.reason


def test_an_event_that_comes_late_counts_from_when_it_comes(build):
    desk = fill(build())
    desk.decide(START + 100, 10.0, 0.0, EQUITY)
    desk.on_bar("BYBIT", False, START + 50, 2000.0, 2000.0, 2000.0, 1.0)
    desk.on_open_interest("BYBIT", START + 40, 900.0)
    desk.on_funding("BYBIT", START + 30, 0.0001, 480)
    assert desk.decide(START + 60, 10.0, 0.0, EQUITY).wish.ratio == 1.0


@pytest.mark.parametrize(
    ("high", "low", "close"),
    [
        (2000.0, 2000.0, 0.0),
        (2000.0, -1.0, 1999.0),
        (1990.0, 1980.0, 2000.0),
        (float("inf"), 1.0, 2.0),
        (float("nan"), 1.0, 2.0),
    ],
)
def test_a_price_that_cannot_be_is_left_out(build, high, low, close):
    desk = fill(build())
    desk.on_bar("BINANCE", False, START + HOUR, high, low, close, 1.0)
    assert desk.price == 2000.0


def test_a_feed_of_impossible_values_goes_stale(build):
    desk = fill(build(rails=RailsConfig(on_stale_data="flatten", max_open_interest_age_minutes=60.0)))
    for quantity in (float("nan"), -1.0, float("inf")):
        desk.on_open_interest("BINANCE", START + HOUR, quantity)
    assert desk.decide(START + HOUR, 10.0, 0.0, EQUITY).verdict.decided_by == ""
    assert desk.decide(START + HOUR + 60_000_000_000, 10.0, 0.0, EQUITY).verdict.decided_by == "freshness"


def test_the_spot_price_is_not_the_hedges_price(build):
    desk = fill(build())
    desk.on_bar("BINANCE", True, START + 1, 1.0, 1.0, 1.0, 1.0)
    desk.on_bar("BYBIT", False, START + 1, 2.0, 2.0, 2.0, 1.0)
    assert desk.price == 2000.0


@pytest.mark.parametrize(
    ("exposure", "hedge", "target", "trades"),
    [
        (0.0, -5.0, 0.0, True),  # nothing left to hedge
        (10.0, 3.0, -10.0, True),  # on the wrong side
        (5.0, -10.0, -5.0, True),  # larger than the exposure
        (9.9, -10.0, -9.9, False),  # by less than an order is worth
        (0.0, 0.0, 0.0, False),
    ],
)
def test_a_hedge_that_does_not_fit_its_exposure_is_moved(build, exposure, hedge, target, trades):
    desk = fill(build(execution=ExecutionConfig(min_adjustment=0.05)))
    found = desk.decide(START + 1, exposure, hedge, EQUITY)
    assert found.target_quantity == pytest.approx(target)
    assert found.trades is trades


@pytest.mark.parametrize("model", [{"probability": 2.0}, {"adverse": -0.1}])
def test_an_absurd_forecast_is_not_sized(build, model):
    found = fill(build(model)).decide(START + 1, 10.0, -4.0, EQUITY)
    assert found.forecast is None
    assert (found.target, found.verdict.decided_by) == (0.0, "model")
    assert found.trades
    assert found.wish.reason == "model returned an impossible number"


def test_a_baseline_needs_no_model(build):
    desk = fill(build(policy=PolicyConfig(kind="constant", constant_ratio=0.4)))
    found = desk.decide(START + 1, 10.0, 0.0, EQUITY)
    assert (found.target_quantity, found.forecast, found.model_sha256) == (-4.0, None, "")
