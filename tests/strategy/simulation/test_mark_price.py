"""Where mark prices come as data, they decide when a position is closed, and the market at what."""

from decimal import Decimal
from typing import Any

import pytest
from nautilus_trader.model.data import FundingRateUpdate, MarkPriceUpdate, QuoteTick
from nautilus_trader.model.objects import Price, Quantity

from oi_hedge_strategy.simulation.costs import CostsConfig

# 10 ETH at 2000 on 2000 USDT and 0.5 %: (20000 - 2000) / (10 * 0.995)
LEVEL = 18_000.0 / 9.95
CRASH = (2000.0, 2000.0, 1700.0, 1990.0)
FLAT = {"tiers": [[1e12, 0.005, 0.0]], "fee_rate": 0.0}


def mark(market: Any, hours: float, price: float) -> MarkPriceUpdate:
    ts = market.START + int(hours * market.HOUR)
    return MarkPriceUpdate(market.instrument.id, Price(price, 2), ts, ts)


def quote(market: Any, hours: float, price: float) -> QuoteTick:
    ts = market.START + int(hours * market.HOUR)
    size = Quantity(1000.0, 3)
    return QuoteTick(market.instrument.id, Price(price, 2), Price(price, 2), size, size, ts, ts)


def run(market: Any, data: list[Any], *rows: Any, **values: Any) -> None:
    market.run(
        market.bars(2000.0, *(rows or (CRASH,))),
        {0: lambda s: s.market(10.0)},
        data=data,
        **{"balance": "2000 USDT", "leverage": 10.0, "liquidation": FLAT} | values,
    )


def test_wick_of_the_last_price_does_not_liquidate_where_the_mark_did_not_follow(market: Any) -> None:
    run(market, [mark(market, 1.3, 1990.0), mark(market, 1.6, 1850.0), mark(market, 1.9, 1985.0)])
    assert market.ledger.liquidations == []


def test_without_mark_prices_the_wick_liquidates(market: Any) -> None:
    run(market, [])
    (liquidation,) = market.ledger.liquidations
    assert liquidation.reference_price == pytest.approx(LEVEL)


def test_one_mark_price_within_a_bar_is_too_few_to_decide(market: Any) -> None:
    run(market, [mark(market, 1.5, 1990.0)])
    assert len(market.ledger.liquidations) == 1


def test_mark_price_liquidates_when_it_comes_at_the_market_of_that_moment(market: Any) -> None:
    run(market, [mark(market, 1.3, LEVEL + 0.01), mark(market, 1.6, 1805.0), mark(market, 1.9, 1990.0)])
    (liquidation,) = market.ledger.liquidations
    assert liquidation.ts_event == market.START + int(1.6 * market.HOUR)
    assert (liquidation.reference_price, liquidation.price) == (1805.0, 1805.0)
    assert liquidation.equity == pytest.approx(2000.0 - 10.0 * 195.0)
    assert liquidation.maintenance == pytest.approx(18_050.0 * 0.005)


def test_position_is_closed_at_the_last_price_where_that_is_newer_than_the_mark(market: Any) -> None:
    run(market, [quote(market, 1.6, 1811.0), mark(market, 1.6, 1805.0)])
    (liquidation,) = market.ledger.liquidations
    assert (liquidation.reference_price, liquidation.price) == (1805.0, 1811.0)
    assert market.balance() == pytest.approx(2000.0 - 10.0 * 189.0)


def test_quote_below_the_level_does_not_liquidate_while_the_mark_stands_above(market: Any) -> None:
    calm = (2000.0, 2000.0, 1990.0, 1990.0)
    data = [mark(market, 1.5, 1850.0), mark(market, 1.59, 1850.0), quote(market, 1.6, 1800.0)]
    run(market, data, calm)
    assert market.ledger.liquidations == []


def test_mark_price_that_is_too_old_gives_way_to_the_last_price(market: Any) -> None:
    calm = (2000.0, 2000.0, 1990.0, 1990.0)
    data = [mark(market, 1.4, 1850.0), mark(market, 1.5, 1850.0), quote(market, 1.6, 1800.0)]
    run(market, data, calm)
    (liquidation,) = market.ledger.liquidations
    assert liquidation.reference_price == 1800.0


def test_funding_and_liquidation_use_the_same_mark(market: Any) -> None:
    ts = market.START + 2 * market.HOUR
    rate = FundingRateUpdate(market.instrument.id, Decimal("0.01"), ts, ts + 1, interval=480)
    data = [mark(market, 1.5, 1900.0), mark(market, 1.99, 1900.0), rate]
    run(market, data, CRASH, 1990.0)
    (payment,) = market.ledger.funding_payments
    assert (payment.price, payment.amount) == (1900.0, pytest.approx(-190.0))
    assert market.ledger.liquidations == []


def test_isolated_margin_and_its_fee_come_from_the_costs(market: Any) -> None:
    costs = CostsConfig(
        margin_mode="isolated", liquidation_fee=0.01, feed_ms=0.0, response_ms=0.0, cross_impact=0.0
    )
    run(
        market,
        [],
        (2000.0, 2000.0, 1815.0, 1990.0),
        (1990.0, 1990.0, 1700.0, 1900.0),
        balance="50000 USDT",
        liquidation={"tiers": FLAT["tiers"]},
        costs=costs,
    )
    # the account would have borne it; the position's own 2000 USDT do not
    (liquidation,) = market.ledger.liquidations
    assert liquidation.reference_price == pytest.approx(LEVEL)
    left = 2000.0 + 10.0 * (liquidation.price - 2000.0)
    assert liquidation.fee == pytest.approx(min(0.01 * 10.0 * liquidation.price, left), abs=1e-6)
    assert market.balance() == pytest.approx(48_000.0 + left - liquidation.fee)
