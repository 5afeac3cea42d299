"""Funding payments, by hand, in the engine."""

from decimal import Decimal

import pytest
from nautilus_trader.model.currencies import ETH
from nautilus_trader.model.data import FundingRateUpdate, MarkPriceUpdate
from nautilus_trader.model.objects import Price

from oi_hedge_catalog.errors import DataError
from oi_hedge_strategy.simulation.history import History

SECOND = 1_000_000_000
RATE = "0.0001"


def settled(market, hour: int, rate: str = RATE, interval: int = 480, lag: int = 2 * SECOND, **values):
    ts = market.START + hour * market.HOUR
    return FundingRateUpdate(market.instrument.id, Decimal(rate), ts, ts + lag, interval=interval, **values)


def predicted(market, at: float, pays: int, rate: str):
    ts = market.START + int(at * market.HOUR)
    then = market.START + pays * market.HOUR
    return FundingRateUpdate(
        market.instrument.id, Decimal(rate), ts, ts + SECOND, interval=480, next_funding_ns=then
    )


def amounts(market) -> list[float]:
    return [payment.amount for payment in market.ledger.funding_payments]


@pytest.mark.parametrize(("quantity", "amount"), [(1.0, -0.20), (-1.0, 0.20)])
def test_long_pays_and_short_receives_a_positive_rate(market, quantity: float, amount: float) -> None:
    # 1 ETH at 2000 and 0.01 %: 0.20 USDT
    script = market.run(
        market.bars(*[2000.0] * 9), {2: lambda s: s.market(quantity)}, data=[settled(market, 8)]
    )
    assert amounts(market) == pytest.approx([amount])
    assert market.balance() == pytest.approx(1_000_000.0 + amount)
    position = script.cache.positions()[0]
    assert float(position.realized_pnl) == pytest.approx(amount)
    assert float(script.portfolio.realized_pnl(market.instrument.id)) == pytest.approx(amount)
    (payment,) = market.ledger.funding_payments
    assert payment.ts_event == market.START + 8 * market.HOUR
    assert payment.ts_init == payment.ts_event + 2 * SECOND
    assert (payment.quantity, payment.price, payment.rate) == (quantity, 2000.0, 0.0001)
    assert (payment.strategy_id, payment.position_id) == (script.id.value, position.id.value)


def test_portfolio_sees_a_payment_after_its_profit_was_asked_before(market) -> None:
    def ask(s) -> None:
        s.before = s.portfolio.realized_pnl(market.instrument.id)

    script = market.run(
        market.bars(*[2000.0] * 10), {2: lambda s: s.market(1.0), 4: ask}, data=[settled(market, 8)]
    )
    assert float(script.before) == 0.0
    assert float(script.portfolio.realized_pnl(market.instrument.id)) == pytest.approx(-0.20)


def test_hourly_and_changing_intervals_pay_each_settled_rate_once(market) -> None:
    rates = [
        settled(market, 8),
        settled(market, 9, "0.0002", 60),
        settled(market, 10, "-0.0003", 60),
        settled(market, 12, "0.0004", 240),
        settled(market, 16, "0.0005", 240),
    ]
    market.run(market.bars(*[2000.0] * 18), {2: lambda s: s.market(1.0)}, data=rates)
    assert amounts(market) == pytest.approx([-0.2, -0.4, 0.6, -0.8, -1.0])


def test_change_of_the_interval_is_published_once(market) -> None:
    rates = [
        settled(market, 8, interval=480),
        settled(market, 9, interval=60),
        settled(market, 10, interval=60),
        settled(market, 14, interval=240),
    ]
    market.run(market.bars(*[2000.0] * 15), {2: lambda s: s.market(1.0)}, data=rates)
    changes = market.ledger.interval_changes
    assert [(c.previous_minutes, c.minutes) for c in changes] == [(480, 60), (60, 240)]
    assert [c.ts_event for c in changes] == [market.START + h * market.HOUR for h in (9, 14)]
    assert amounts(market) == pytest.approx([-0.20] * 4)


def test_position_opened_after_the_settlement_pays_nothing(market) -> None:
    # bar 7 closes at 8 h and is known 10 s later; the rate of 8 h arrives a minute later still
    late = settled(market, 8, lag=60 * SECOND)
    script = market.run(market.bars(*[2000.0] * 10), {7: lambda s: s.market(1.0)}, data=[late])
    assert script.fills[0].ts_event < late.ts_init
    assert amounts(market) == []


def test_position_closed_between_settlement_and_publication_still_pays(market) -> None:
    late = settled(market, 8, lag=60 * SECOND)
    script = market.run(
        market.bars(*[2000.0] * 10), {2: lambda s: s.market(2.0), 7: lambda s: s.market(-2.0)}, data=[late]
    )
    assert script.fills[1].ts_event < late.ts_init
    assert amounts(market) == pytest.approx([-0.40])
    assert market.balance() == pytest.approx(1_000_000.0 - 0.40)


def test_position_reopened_between_settlement_and_publication_pays_on_the_old_one(market) -> None:
    late = settled(market, 8, lag=90 * 60 * SECOND)
    market.run(
        market.bars(*[2000.0] * 11),
        {2: lambda s: s.market(2.0), 7: lambda s: s.market(-2.0), 8: lambda s: s.market(-5.0)},
        data=[late],
    )
    assert amounts(market) == pytest.approx([-0.40])
    assert [p.quantity for p in market.ledger.funding_payments] == [2.0]


def test_fill_at_the_very_settlement_comes_after_it(market) -> None:
    bars = market.bars(*[2000.0] * 9)
    bars = [
        type(b)(b.bar_type, b.open, b.high, b.low, b.close, b.volume, b.ts_event, b.ts_event) for b in bars
    ]
    market.run(bars, {7: lambda s: s.market(1.0)}, data=[settled(market, 8)])
    assert amounts(market) == []


def test_notional_is_priced_at_the_settlement(market) -> None:
    # the close of 8 h is not out when the rate is: the last close known is that of 7 h
    closes = [2000.0] * 6 + [2100.0, 2200.0, 2300.0]
    market.run(market.bars(*closes), {2: lambda s: s.market(1.0)}, data=[settled(market, 8)])
    assert amounts(market) == pytest.approx([-0.21])


def test_later_price_is_not_used_when_the_rate_is_late(market) -> None:
    closes = [2000.0] * 6 + [2100.0, 2200.0, 2300.0, 2400.0]
    late = settled(market, 8, lag=95 * 60 * SECOND)
    market.run(market.bars(*closes), {2: lambda s: s.market(1.0)}, data=[late])
    assert amounts(market) == pytest.approx([-0.22])


def test_mark_price_comes_before_the_last_price(market) -> None:
    ts = market.START + 8 * market.HOUR - SECOND
    mark = MarkPriceUpdate(market.instrument.id, Price.from_str("1900.00"), ts, ts)
    market.run(market.bars(*[2000.0] * 9), {2: lambda s: s.market(1.0)}, data=[mark, settled(market, 8)])
    assert amounts(market) == pytest.approx([-0.19])


def test_repeated_rate_is_paid_once(market) -> None:
    twice = [settled(market, 8), settled(market, 8, lag=5 * SECOND)]
    market.run(market.bars(*[2000.0] * 9), {2: lambda s: s.market(1.0)}, data=twice)
    assert amounts(market) == pytest.approx([-0.20])


def test_settled_rate_that_names_the_next_settlement_is_paid_at_its_own(market) -> None:
    rate = settled(market, 8, next_funding_ns=market.START + 16 * market.HOUR)
    market.run(market.bars(*[2000.0] * 18), {2: lambda s: s.market(1.0)}, data=[rate])
    assert [p.ts_event for p in market.ledger.funding_payments] == [market.START + 8 * market.HOUR]


def test_last_prediction_before_the_settlement_is_paid(market) -> None:
    rates = [
        predicted(market, 3.0, 8, "0.0001"),
        predicted(market, 7.5, 8, "0.0003"),
        predicted(market, 8.0, 16, "0.0009"),
    ]
    market.run(
        market.bars(*[2000.0] * 12), {2: lambda s: s.market(1.0)}, data=rates, funding={"rates": "predicted"}
    )
    assert amounts(market) == pytest.approx([-0.60])
    assert market.ledger.funding_payments[0].ts_event == market.START + 8 * market.HOUR


def test_prediction_for_an_earlier_settlement_replaces_the_schedule(market) -> None:
    rates = [predicted(market, 3.0, 8, "0.0001"), predicted(market, 3.5, 4, "0.0003")]
    market.run(
        market.bars(*[2000.0] * 12), {2: lambda s: s.market(1.0)}, data=rates, funding={"rates": "predicted"}
    )
    assert amounts(market) == pytest.approx([-0.60])
    assert market.ledger.funding_payments[0].ts_event == market.START + 4 * market.HOUR


def test_inverse_contract_pays_in_coin(market) -> None:
    # 20,000 USD at 2000 are 10 ETH; 0.01 % of them are 0.001 ETH
    market.use(inverse=True)
    market.run(
        market.bars(*[2000.0] * 9),
        {2: lambda s: s.market(20_000.0)},
        data=[settled(market, 8)],
        balance="100 ETH",
    )
    assert amounts(market) == pytest.approx([-0.001])
    assert market.balance(ETH) == pytest.approx(100.0 - 0.001)
    assert market.ledger.funding_payments[0].currency == "ETH"


def test_live_style_predictions_in_settled_mode_are_refused(market) -> None:
    ts = market.START + 8 * market.HOUR + 20 * 60 * SECOND
    update = FundingRateUpdate(market.instrument.id, Decimal(RATE), ts, ts)
    with pytest.raises(DataError, match="'predicted'"):
        market.run(market.bars(*[2000.0] * 10), {2: lambda s: s.market(1.0)}, data=[update])


def test_rates_without_a_time_to_pay_are_refused_in_predicted_mode(market) -> None:
    with pytest.raises(DataError, match="next_funding_ns"):
        market.run(market.bars(*[2000.0] * 10), {}, data=[settled(market, 8)], funding={"rates": "predicted"})


def test_rate_known_too_late_is_refused(market) -> None:
    late = settled(market, 2, lag=5 * 3600 * SECOND)
    with pytest.raises(DataError, match="max_publication_hours"):
        market.run(market.bars(*[2000.0] * 9), {}, data=[late], funding={"max_publication_hours": 4.0})


def test_history_answers_by_time_and_forgets() -> None:
    history = History(window_ns=10)
    for ts, value in ((5, 1.0), (8, 2.0), (30, 3.0), (32, 4.0), (31, 9.0)):
        history.append(ts, value)
    assert history.at(30) == 3.0
    assert history.before(30) == 2.0
    assert history.at(33) == 4.0
    assert history.at(7) is None
