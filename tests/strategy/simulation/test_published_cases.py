"""Funding and liquidation against the numbers that the framework publishes for its Rust engine.

Funding: `crates/backtest/tests/exchange.rs` and `backtest_engine.rs`; liquidation:
`tests/unit_tests/backtest/test_liquidation_engine.py`, both of the branch `develop`. Their contracts are
opened at quotes; here the same trades are made on bars or quotes of the same prices.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from nautilus_trader.model.currencies import ETH
from nautilus_trader.model.data import FundingRateUpdate, MarkPriceUpdate
from nautilus_trader.model.objects import Price

# 0.35 % over a leverage of 10, as that engine's default margin model divides by it
XBTUSD = {"tiers": [[1e12, 0.00035, 0.0]], "fee_rate": 0.0}
ENTRY, CRASH = 40_000.0, 20_000.0


def rate(market: Any, value: str, known: float, pays: float) -> FundingRateUpdate:
    ts = market.START + int(known * market.HOUR)
    then = market.START + int(pays * market.HOUR)
    return FundingRateUpdate(market.instrument.id, Decimal(value), ts, ts, interval=480, next_funding_ns=then)


def mark(market: Any, at: float) -> MarkPriceUpdate:
    ts = market.START + int(at * market.HOUR)
    return MarkPriceUpdate(market.instrument.id, Price.from_str("1000.00"), ts, ts)


def fund(market: Any, quantity: float, data: list[Any], price: float = 1000.0) -> float:
    """Return the balance of 1000 USDT after holding `quantity` over the settlement at the third hour."""
    market.run(
        market.bars(*[price] * 5),
        {0: lambda s: s.market(quantity)},
        data=data,
        balance="1000 USDT",
        funding={"rates": "predicted"},
    )
    return float(market.balance())


def test_last_of_two_rates_is_settled_on_the_mark_price(market: Any) -> None:
    data = [mark(market, 1.5), rate(market, "0.002", 2.0, 3.0), rate(market, "0.001", 2.0, 3.0)]
    assert fund(market, 1.0, data) == 999.0
    (payment,) = market.ledger.funding_payments
    assert (payment.rate, payment.amount) == (0.001, -1.0)
    assert payment.ts_event == market.START + 3 * market.HOUR


def test_short_is_credited_at_the_market_where_there_is_no_mark_price(market: Any) -> None:
    assert fund(market, -1.0, [rate(market, "0.001", 2.0, 3.0)]) == 1001.0


def test_nothing_is_settled_without_a_position(market: Any) -> None:
    data = [mark(market, 1.5), rate(market, "0.001", 2.0, 3.0)]
    market.run(market.bars(*[1000.0] * 5), {}, data=data, balance="1000 USDT", funding={"rates": "predicted"})
    assert market.ledger.funding_payments == []
    assert market.balance() == 1000.0


def test_rate_that_comes_at_its_own_settlement_does_not_settle_twice(market: Any) -> None:
    data = [mark(market, 1.5), rate(market, "0.001", 2.0, 3.0), rate(market, "0.002", 3.0, 3.0)]
    assert fund(market, 1.0, data) == 999.0


def test_fee_and_funding_of_a_run_add_up(market: Any) -> None:
    # 1 ETH bought at 1001 for a fee of 0.04 %, 0.1 % of funding on the mark of 1000
    market.use(fee="0.0004")
    data = [mark(market, 1.5), rate(market, "0.001", 2.0, 3.0)]
    script = market.run(
        market.bars(*[1001.0] * 5),
        {0: lambda s: s.market(1.0)},
        data=data,
        funding={"rates": "predicted"},
    )
    assert float(script.cache.positions()[0].realized_pnl) == pytest.approx(-1.4004)
    assert market.balance() == pytest.approx(999_998.5996)


def coins(market: Any, quantity: float, balance: str, *prices: float) -> Any:
    """Hold `quantity` contracts of an inverse perpetual through `prices`, on a fee of 0.075 %."""
    market.use(inverse=True, fee="0.00075")
    return market.run(
        market.bars(*prices),
        {0: lambda s: s.market(quantity)},
        balance=balance,
        leverage=10.0,
        liquidation=XBTUSD,
        impact={
            "impact_coefficient": 0.0,
            "half_spread_bps": 0.0,
            "min_half_spread_bps": 0.0,
            "participation": 1e9,
        },
    )


def falling(bottom: float, steps: int) -> list[float]:
    return [ENTRY - i * (ENTRY - bottom) / steps for i in range(steps + 1)]


@pytest.mark.parametrize("prices", [[ENTRY, CRASH], falling(CRASH, 20)])
def test_ten_million_contracts_on_one_coin_are_closed(market: Any, prices: list[float]) -> None:
    script = coins(market, 10_000_000.0, "1 ETH", *prices)
    assert script.cache.positions_open() == []
    (liquidation,) = market.ledger.liquidations
    # 250 coins, a fee of 0.1875, 0.035 % of maintenance: Q / e + 0.8125 - 0.00035 Q / p = Q / p
    level = 1.00035e7 / (250.0 + 0.8125)
    assert liquidation.reference_price == pytest.approx(min(level, prices[1]), rel=1e-9)
    assert market.balance(ETH) >= 0.0


@pytest.mark.parametrize(
    "prices",
    [
        [ENTRY, CRASH],
        falling(36_000.0, 10),
        [ENTRY, 39_000.0, 38_500.0, 38_000.0, 39_000.0, 40_000.0, 41_000.0],
    ],
)
def test_a_hundred_thousand_contracts_on_a_hundred_coins_stay_open(market: Any, prices: list[float]) -> None:
    script = coins(market, 100_000.0, "100 ETH", *prices)
    (position,) = script.cache.positions_open()
    assert float(position.quantity) == 100_000.0
    assert market.ledger.liquidations == []


def test_account_that_buys_again_is_liquidated_again(market: Any) -> None:
    def buy_again(s: Any) -> None:
        s.market(10_000.0)

    market.use(inverse=True, fee="0.00075")
    # their trigger, 60 times 0.035 % of the notional at entry, is 0.00525 coins: 1.05 % of it at 20,000
    actions: dict[int, Callable[[Any], None]] = {0: buy_again, 2: buy_again}
    script = market.run(
        market.bars(ENTRY, CRASH, ENTRY, CRASH),
        actions,
        balance="0.255 ETH",
        leverage=10.0,
        liquidation={"tiers": [[1e12, 0.0105, 0.0]], "fee_rate": 0.0},
        impact={
            "impact_coefficient": 0.0,
            "half_spread_bps": 0.0,
            "min_half_spread_bps": 0.0,
            "participation": 1e9,
        },
    )
    assert script.cache.positions_open() == []
    assert len(market.ledger.liquidations) == 2
