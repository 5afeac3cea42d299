"""Forced liquidation, by hand and in the engine."""

import math
from decimal import Decimal
from typing import Any

import pytest
from nautilus_trader.model.currencies import ETH
from nautilus_trader.model.data import Bar, BarType, FundingRateUpdate
from nautilus_trader.model.enums import OrderStatus

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.margin import (
    MarginPosition,
    MarginSchedule,
    breach_price,
    liquidation_price,
    tiered_liquidation_price,
)
from oi_hedge_strategy.simulation.closing import LIQUIDATION_TAG
from oi_hedge_strategy.simulation.margin_group import MarginGroup

FLAT = {"tiers": [[1e12, 0.005, 0.0]], "fee_rate": 0.0}


@pytest.mark.parametrize(
    ("leverage", "side", "expected"),
    [
        (10.0, 1, 2000.0 * 0.9 / 0.995),
        (10.0, -1, 2000.0 * 1.1 / 1.005),
        (25.0, 1, 1929.6482412060301),
        (25.0, -1, 2069.6517412935323),
    ],
)
def test_liquidation_price_by_hand(leverage: float, side: int, expected: float) -> None:
    assert liquidation_price(2000.0, leverage, 0.005, side) == pytest.approx(expected, rel=1e-12)


def test_fresh_long_at_25x_is_liquidated_3_52_percent_below_entry() -> None:
    assert liquidation_price(1.0, 25.0, 0.005, 1) - 1.0 == pytest.approx(-0.0352, abs=5e-5)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("leverage", [2.0, 10.0, 25.0])
def test_margin_equals_maintenance_at_the_liquidation_price(
    leverage: float, side: int, inverse: bool
) -> None:
    price = liquidation_price(2000.0, leverage, 0.005, side, inverse)
    position = MarginPosition(side * 3.0, 2000.0, MarginSchedule.flat(0.005), inverse)
    margin = position.notional(2000.0) / leverage
    assert margin + position.excess(price) == pytest.approx(0.0, abs=1e-9)


def test_unlevered_positions_that_cannot_be_liquidated() -> None:
    assert liquidation_price(2000.0, 1.0, 0.005, 1) == 0.0
    assert liquidation_price(2000.0, 1.0, 0.005, -1, inverse=True) == math.inf


@pytest.mark.parametrize(
    ("entry", "leverage", "mmr", "side"),
    [
        (0.0, 2.0, 0.01, 1),
        (1.0, 0.5, 0.01, 1),
        (1.0, 2.0, 1.0, 1),
        (1.0, 2.0, 0.01, 0),
        (1.0, 100.0, 0.02, 1),
    ],
)
def test_impossible_liquidation_prices_are_refused(
    entry: float, leverage: float, mmr: float, side: int
) -> None:
    with pytest.raises(ConfigError):
        liquidation_price(entry, leverage, mmr, side)


@pytest.mark.parametrize(
    ("notional", "margin"),
    [
        (100_000.0, 400.0),
        (300_000.0, 1_200.0),
        (500_000.0, 2_200.0),
        (10_000_000.0, 88_000.0),
        (1_000_000_000.0, 219_493_000.0),
    ],
)
def test_binance_maintenance_margin_by_hand(notional: float, margin: float) -> None:
    assert MarginSchedule().maintenance(notional) == pytest.approx(margin)


def test_tiered_liquidation_price_by_hand() -> None:
    # 300 ETH at 2000, 60,000 margin: tier 0.5 %, amount 300: (60000 + 300 - 600000) / (1.5 - 300)
    assert tiered_liquidation_price(300.0, 2000.0, 60_000.0, MarginSchedule()) == pytest.approx(
        539_700.0 / 298.5
    )
    # short: (60000 + 300 + 600000) / (1.5 + 300)
    assert tiered_liquidation_price(-300.0, 2000.0, 60_000.0, MarginSchedule()) == pytest.approx(
        660_300.0 / 301.5
    )


@pytest.mark.parametrize("quantity", [50.0, -148.0, 149.9, 4000.0, -40_000.0, 500_000.0])
def test_tiered_liquidation_price_solves_its_own_tier(quantity: float) -> None:
    schedule = MarginSchedule()
    margin = abs(quantity) * 2000.0 / 2.0
    price = tiered_liquidation_price(quantity, 2000.0, margin, schedule)
    position = MarginPosition(quantity, 2000.0, schedule)
    assert margin + position.excess(price) == pytest.approx(0.0, abs=1e-6 * margin)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [[100.0, 0.01, 0.0], [50.0, 0.02, 0.5]],
        [[100.0, 0.01, 0.0], [200.0, 0.02, 3.0]],
        [[1.0, 2.0, 0.0]],
    ],
)
def test_broken_margin_tables_are_refused(rows: list[list[float]]) -> None:
    with pytest.raises(ConfigError, match="margin tier"):
        MarginSchedule.of(rows)


def test_breach_is_found_on_the_way() -> None:
    assert breach_price(lambda p: p - 70.0, 100.0, 60.0) == pytest.approx(70.0)
    assert breach_price(lambda p: p - 70.0, 100.0, 80.0) is None
    assert breach_price(lambda p: p - 70.0, 65.0, 60.0) == 65.0


def long_at(market: Any, leverage: float, bar: tuple[float, float, float, float], **values: Any) -> Any:
    """Buy 10 ETH at 2000 with all of the balance as margin, then see one more bar and a quiet one."""
    values.setdefault("liquidation", FLAT)
    return market.run(
        market.bars(2000.0, bar, bar[3]),
        {0: lambda s: s.market(10.0)},
        balance=f"{20_000.0 / leverage} USDT",
        leverage=leverage,
        **values,
    )


@pytest.mark.parametrize("leverage", [10.0, 25.0])
def test_long_is_liquidated_inside_the_bar_at_the_hand_computed_price(market, leverage: float) -> None:
    script = long_at(market, leverage, (2000.0, 2010.0, 1700.0, 2005.0))
    price = 2000.0 * (1.0 - 1.0 / leverage) / 0.995
    (record,) = market.ledger.liquidations
    assert record.reference_price == pytest.approx(price)
    assert record.price == pytest.approx(price, abs=0.01)
    assert record.equity == pytest.approx(record.maintenance)
    assert record.maintenance == pytest.approx(0.005 * 10.0 * price)
    assert float(script.fills[1].last_px) == record.price
    assert market.balance() == pytest.approx(record.maintenance, abs=0.1)
    assert script.cache.positions_open() == []
    assert record.client_order_id == script.fills[1].client_order_id.value
    assert script.cache.order(script.fills[1].client_order_id).tags == [LIQUIDATION_TAG]
    assert record.ts_event == market.START + 2 * market.HOUR + market.LAG


def test_bar_that_stays_just_above_the_price_does_not_liquidate(market) -> None:
    script = long_at(market, 10.0, (2000.0, 2010.0, 1809.05, 1850.0))
    assert 2000.0 * 0.9 / 0.995 < 1809.05
    assert market.ledger.liquidations == []
    assert len(script.cache.positions_open()) == 1


def test_short_is_liquidated_by_the_high(market) -> None:
    market.run(
        market.bars(2000.0, (2000.0, 2400.0, 1990.0, 1995.0)),
        {0: lambda s: s.market(-10.0)},
        balance="2000 USDT",
        leverage=10.0,
        liquidation=FLAT,
    )
    (record,) = market.ledger.liquidations
    assert record.reference_price == pytest.approx(2000.0 * 1.1 / 1.005)
    assert record.quantity == -10.0


def test_binance_tiers_are_the_default(market) -> None:
    # 10 ETH at 10x: first tier, 0.4 %
    long_at(market, 10.0, (2000.0, 2010.0, 1700.0, 2005.0), liquidation={"fee_rate": 0.0})
    assert market.ledger.liquidations[0].reference_price == pytest.approx(2000.0 * 0.9 / 0.996)


def test_tiers_of_one_instrument_override_the_venues(market) -> None:
    table = {"ETHUSDT-PERP.BINANCE": [[1e12, 0.02, 0.0]]}
    long_at(market, 10.0, (2000.0, 2010.0, 1700.0, 2005.0), liquidation={"instrument_tiers": table})
    assert market.ledger.liquidations[0].reference_price == pytest.approx(2000.0 * 0.9 / 0.98)


def test_liquidation_fee_is_charged_as_far_as_the_margin_goes(market) -> None:
    small = {**FLAT, "fee_rate": 0.002}
    script = long_at(market, 10.0, (2000.0, 2010.0, 1700.0, 2005.0), liquidation=small)
    (record,) = market.ledger.liquidations
    assert record.fee == pytest.approx(0.002 * 10.0 * record.price)
    assert float(script.fills[1].commission) == pytest.approx(record.fee)
    assert market.balance() == pytest.approx(0.003 * 10.0 * record.price, abs=0.2)
    long_at(market, 10.0, (2000.0, 2010.0, 1700.0, 2005.0), liquidation={**FLAT, "fee_rate": 0.0125})
    assert market.balance() == pytest.approx(0.0, abs=1e-6)
    assert market.ledger.liquidations[0].insurance == 0.0


def test_gap_beyond_bankruptcy_leaves_nothing_and_costs_the_insurance_fund(market) -> None:
    script = long_at(market, 10.0, (1700.0, 1750.0, 1650.0, 1740.0))
    (record,) = market.ledger.liquidations
    # at the open of 1700 the loss is 3,000 on a margin of 2,000
    assert record.reference_price == 1700.0
    assert record.insurance == pytest.approx(1_000.0)
    assert record.price == pytest.approx(1800.0)
    assert record.fee == 0.0
    assert market.balance() == pytest.approx(0.0, abs=1e-6)
    assert float(script.cache.positions_closed()[0].realized_pnl) == pytest.approx(-2_000.0)


def test_impact_is_added_to_the_liquidation_price(market) -> None:
    impact = {"default_volatility": 0.04, "default_volume": 100_000.0, "warmup_days": 1000.0}
    long_at(market, 5.0, (2000.0, 2010.0, 1500.0, 2005.0), impact=impact)
    (record,) = market.ledger.liquidations
    # 0.04 * sqrt(10 / 100000) are 4 bps, and 1 bp of spread
    assert record.price == pytest.approx(record.reference_price * (1.0 - 5e-4), abs=0.011)


def test_resting_stop_comes_before_the_liquidation(market) -> None:
    script = market.run(
        market.bars(2000.0, 2000.0, (2000.0, 2000.0, 1700.0, 1900.0)),
        {0: lambda s: s.market(10.0), 1: lambda s: s.stop_market(-10.0, "1900.00")},
        balance="2000 USDT",
        leverage=10.0,
        liquidation=FLAT,
    )
    assert market.ledger.liquidations == []
    assert float(script.fills[1].last_px) == 1900.0
    assert market.balance() == pytest.approx(1_000.0)


def test_stop_beyond_the_liquidation_price_is_cancelled_first(market) -> None:
    script = market.run(
        market.bars(2000.0, 2000.0, (2000.0, 2000.0, 1790.0, 1900.0), 1750.0),
        {0: lambda s: s.market(10.0), 1: lambda s: s.stop_market(-10.0, "1780.00")},
        balance="2000 USDT",
        leverage=10.0,
        liquidation=FLAT,
    )
    assert len(market.ledger.liquidations) == 1
    assert script.resting[0].status == OrderStatus.CANCELED
    names = [type(event).__name__ for event in script.events]
    assert names.index("OrderCanceled") < len(names) - 1 - names[::-1].index("OrderFilled")
    assert script.cache.positions_open() == []


def test_strategy_cannot_escape_by_selling_at_the_close_of_the_fatal_bar(market) -> None:
    script = market.run(
        market.bars(2000.0, (2000.0, 2010.0, 1700.0, 2005.0), 2005.0),
        {0: lambda s: s.market(10.0), 1: lambda s: s.close_all_positions(s.bar_type.instrument_id)},
        balance="2000 USDT",
        leverage=10.0,
        liquidation=FLAT,
    )
    assert len(market.ledger.liquidations) == 1
    assert len(script.fills) == 2


def test_position_opened_inside_the_bar_is_checked_at_its_close_only(market) -> None:
    # the limit fills at 1900 on the way to 1650, and the bar closes back at 1890
    script = market.run(
        market.bars(2000.0, (1990.0, 1995.0, 1650.0, 1890.0), 1890.0),
        {0: lambda s: s.limit(10.0, "1900.00")},
        balance="1900 USDT",
        leverage=10.0,
        liquidation=FLAT,
    )
    assert float(script.fills[0].last_px) == 1900.0
    assert market.ledger.liquidations == []


def test_account_drained_by_funding_is_liquidated_at_the_market(market) -> None:
    ts = market.START + 8 * market.HOUR
    rate = FundingRateUpdate(market.instrument.id, Decimal("0.098"), ts, ts + 1)
    market.run(
        market.bars(*[2000.0] * 9),
        {0: lambda s: s.market(10.0)},
        data=[rate],
        balance="2000 USDT",
        leverage=10.0,
        liquidation=FLAT,
    )
    (record,) = market.ledger.liquidations
    # 2,000 less 1,960 of funding is below 0.5 % of 20,000
    assert (record.reference_price, record.ts_event) == (2000.0, ts + 1)
    assert record.equity == pytest.approx(40.0)
    assert record.maintenance == pytest.approx(100.0)


def test_isolated_position_does_not_take_the_rest_of_the_account(market) -> None:
    market.run(
        market.bars(2000.0, (2000.0, 2010.0, 1700.0, 2005.0), 2005.0),
        {0: lambda s: s.market(10.0)},
        balance="50000 USDT",
        leverage=10.0,
        liquidation={**FLAT, "margin_mode": "isolated"},
    )
    (record,) = market.ledger.liquidations
    assert record.reference_price == pytest.approx(2000.0 * 0.9 / 0.995)
    assert market.balance() == pytest.approx(48_000.0 + record.maintenance, abs=0.1)


def test_inverse_position_is_liquidated_in_coin(market) -> None:
    market.use(inverse=True)
    market.run(
        market.bars(2000.0, (2000.0, 2010.0, 1700.0, 2005.0), 2005.0),
        {0: lambda s: s.market(20_000.0)},
        balance="1 ETH",
        leverage=10.0,
        liquidation=FLAT,
    )
    (record,) = market.ledger.liquidations
    assert record.reference_price == pytest.approx(liquidation_price(2000.0, 10.0, 0.005, 1, inverse=True))
    assert market.balance(ETH) == pytest.approx(record.maintenance, abs=1e-3)


def test_ample_margin_is_never_liquidated(market) -> None:
    rows = [(2000.0 - 10 * i, 2010.0 - 10 * i, 1985.0 - 10 * i, 1990.0 - 10 * i) for i in range(60)]
    market.run(market.bars(*rows), {0: lambda s: s.market(10.0)}, balance="30000 USDT")
    assert market.ledger.liquidations == []


def test_fee_rate_out_of_range_is_refused(market) -> None:
    with pytest.raises(ConfigError, match="fee_rate"):
        market.run(market.bars(2000.0), {}, liquidation={"fee_rate": 1.5})


def test_group_that_loses_more_than_its_margin_closes_the_worst_position_at_bankruptcy() -> None:
    schedule = MarginSchedule.flat(0.005)
    long, short = MarginPosition(10.0, 2000.0, schedule), MarginPosition(-2.0, 2000.0, schedule)
    closes, left, insurance = MarginGroup([], [long, short], 1_000.0).settle([1800.0, 1805.0])
    # -2,000 and +390 on a margin of 1,000: 610 beyond it, which 61 on each of 10 ETH make good
    assert closes == pytest.approx([1861.0, 1805.0])
    assert (left, insurance) == (0.0, pytest.approx([610.0, 0.0]))


def test_coarser_bars_do_not_reach_back_before_the_position(market) -> None:
    minute = BarType.from_str(f"{market.instrument.id}-1-MINUTE-LAST-EXTERNAL")
    start = market.START + 30 * 60 * 10**9
    fine = [
        Bar(minute, b.open, b.high, b.low, b.close, b.volume, start + i * 60 * 10**9, start + i * 60 * 10**9)
        for i, b in enumerate(market.bars(*[2000.0] * 60))
    ]
    # the hour's low of 1500 was before the position, which is bought after the minute bars began
    hours = market.bars((2000.0, 2000.0, 1500.0, 2000.0), 2000.0)
    script = market.run(
        fine,
        {5: lambda s: s.market(10.0)},
        data=hours,
        balance="2000 USDT",
        leverage=10.0,
        liquidation=FLAT,
    )
    assert len(script.fills) == 1
    assert market.ledger.liquidations == []
