"""Orders between bars arrive when their latency has passed."""

from nautilus_trader.model.enums import OrderStatus
from nautilus_trader.model.objects import Price

MS = 1_000_000


def known(market, bar: int) -> int:
    """Return when the bar of that index is known."""
    return market.START + (bar + 1) * market.HOUR + market.LAG


def test_market_order_fills_after_its_latency_at_the_last_close(market) -> None:
    script = market.run(market.bars(2000.0, 2100.0, 2200.0), {0: lambda s: s.market(1.0)}, latency_ms=200.0)
    (fill,) = script.fills
    assert fill.ts_event == known(market, 0) + 200 * MS
    assert float(fill.last_px) == 2000.0


def test_order_after_the_last_bar_waits_for_the_end_of_the_data(market) -> None:
    script = market.run(market.bars(2000.0, 2100.0), {1: lambda s: s.market(1.0)}, latency_ms=200.0)
    assert script.fills == []


def test_without_latency_the_order_fills_at_once(market) -> None:
    script = market.run(market.bars(2000.0, 2100.0), {0: lambda s: s.market(1.0)}, latency_ms=0.0)
    assert script.fills[0].ts_event == known(market, 0)


def test_stop_rests_after_its_latency_and_guards_the_next_bar(market) -> None:
    bars = market.bars(2000.0, 2000.0, (2000.0, 2000.0, 1900.0, 1950.0), 1950.0)
    script = market.run(
        bars, {0: lambda s: s.market(1.0), 1: lambda s: s.stop_market(-1.0, "1960.00")}, latency_ms=200.0
    )
    accepted = [e for e in script.events if type(e).__name__ == "OrderAccepted"]
    assert [e.ts_event for e in accepted] == [known(market, 1) + 200 * MS]
    assert float(script.fills[1].last_px) == 1960.0
    assert script.fills[1].ts_event == known(market, 2)


def test_two_orders_of_the_same_moment_both_arrive(market) -> None:
    def both(s) -> None:
        s.market(1.0)
        s.market(2.0)

    script = market.run(market.bars(2000.0, 2100.0), {0: both}, latency_ms=200.0)
    assert [f.ts_event for f in script.fills] == [known(market, 0) + 200 * MS] * 2


def test_cancel_and_change_arrive_after_their_latency(market) -> None:
    def change(s) -> None:
        s.modify_order(s.resting[0], trigger_price=Price.from_str("1950.00"))
        s.cancel_order(s.resting[1])

    def stops(s) -> None:
        s.stop_market(-1.0, "1900.00")
        s.stop_market(-1.0, "1890.00")

    script = market.run(market.bars(*[2000.0] * 5), {0: stops, 2: change}, latency_ms=200.0)
    times = {type(e).__name__: e.ts_event for e in script.events}
    assert times["OrderUpdated"] == known(market, 2) + 200 * MS
    assert times["OrderCanceled"] == known(market, 2) + 200 * MS
    assert script.resting[0].trigger_price == Price.from_str("1950.00")
    assert script.resting[1].status == OrderStatus.CANCELED


def test_order_answering_a_fill_arrives_one_latency_later(market) -> None:
    def answer(s) -> None:
        original = s.on_order_filled

        def on_order_filled(event) -> None:
            original(event)
            if len(s.fills) == 1:
                s.stop_market(-1.0, "1900.00")

        s.on_order_filled = on_order_filled
        s.market(1.0)

    script = market.run(market.bars(2000.0, 2100.0, 2100.0), {0: answer}, latency_ms=200.0)
    accepted = [e for e in script.events if type(e).__name__ == "OrderAccepted"]
    assert [e.ts_event for e in accepted] == [known(market, 0) + 400 * MS]
