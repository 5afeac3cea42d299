"""Orders through the official adapter to a loopback venue that fails: reconciled, and never doubled."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.model.events import OrderDenied, OrderRejected
from support.live_hedge import LiveHedge
from support.live_node import run_live, until
from support.models import SHORT_SCHEMA, tiny_card, write_model
from support.traded import BINANCE, BYBIT, KRAKEN, OKX

from oi_hedge_strategy.hedging import book
from oi_hedge_strategy.hedging.config import RailsConfig
from oi_hedge_strategy.live.kill_switch import Answer, KillSwitch


@pytest.fixture(params=[BINANCE, BYBIT, OKX, KRAKEN], ids=lambda traded: traded.venue)
def traded(request):
    return request.param


@pytest.fixture
def venue(traded):
    return traded.fake()


@pytest.fixture
def model(traded, tmp_path):
    schema = replace(SHORT_SCHEMA, venues=(traded.venue,))
    return str(write_model(tmp_path / "model.onnx", tiny_card(schema)))


@pytest.fixture
def play(traded, venue, model, tmp_path, monkeypatch):
    monkeypatch.setattr(book, "SETTLE_NS", 3_000_000_000)

    def run(*scenarios, **values):
        async def all_of_them():
            await venue.start()
            try:
                for scenario in scenarios:
                    live = LiveHedge(venue.base, model, tmp_path / "state", traded=traded, **values)
                    async with live:
                        live.account = venue.account
                        await until(lambda live=live: live.strategy.is_running)
                        await scenario(live)
            finally:
                await venue.stop()

        run_live(all_of_them)

    return run


def hedged(live, quantity=-10.0):
    """Return whether node and venue agree on the hedge, and one stop rests for all of it."""
    account = live.account
    whole = [float(stop.quantity) for stop in account.resting()] == ([abs(quantity)] if quantity else [])
    agreed = live.held == float(account.position) == quantity
    return agreed and whole and live.strategy._book.is_protected()


async def open_hedge(live):
    live.bar()
    await until(lambda: hedged(live))


async def quiet(live, bars=4):
    """Let more bars come, for which nothing is left to do."""
    for _ in range(bars):
        live.bar()
        await asyncio.sleep(0.05)


async def reconnect(venue):
    """Wait until the stream is heard again."""
    await until(lambda: not venue.connected)
    await until(lambda: venue.connected)


def test_the_hedge_is_opened_its_stop_rests_and_both_reduce_only_where_they_reduce(venue, play):
    async def scenario(live):
        await open_hedge(live)
        await quiet(live)
        (stop,) = venue.account.resting()
        assert (stop.side, stop.reduce_only, float(stop.trigger)) == ("BUY", True, 2200.0)

    play(scenario)
    (order,) = venue.account.orders.values()
    assert (order.side, float(order.quantity), order.reduce_only) == ("SELL", 10.0, False)


@pytest.mark.parametrize("behaviour", ["part", "refuse", "lost", "mute", "unknown", "unheard", "dropped"])
def test_whatever_becomes_of_an_order_the_hedge_ends_whole_and_is_never_doubled(venue, play, behaviour):
    venue.account.behaviours.append(behaviour)

    async def scenario(live):
        live.bar()
        await until(lambda: not venue.account.behaviours)
        await quiet(live)
        venue.account.complete()
        for _ in range(500):
            live.bar()
            if hedged(live):
                break
            await asyncio.sleep(0.03)
        assert hedged(live)
        await quiet(live)

    play(scenario)
    assert float(venue.account.largest) == 10.0
    filled = [float(order.filled) for order in venue.account.orders.values()]
    assert (filled, float(venue.account.position)) == ([10.0], -10.0)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_position_changed_by_hand_is_taken_as_the_venue_says_and_brought_back(venue, play, side, told):
    async def scenario(live):
        await open_hedge(live)
        venue.account.by_hand(side, "4", told)
        changed = -6.0 if side == "BUY" else -14.0
        await until(lambda: hedged(live, changed))
        live.bar()
        await until(lambda: hedged(live))

    play(scenario)
    last = list(venue.account.orders.values())[-1]
    assert (float(last.quantity), last.reduce_only) == (4.0, side == "SELL")


@pytest.mark.parametrize("told", [True, False])
def test_a_hedge_closed_by_hand_leaves_no_stop_behind(venue, play, told):
    async def scenario(live):
        await open_hedge(live)
        venue.account.by_hand("BUY", "10", told)
        await until(lambda: hedged(live, 0.0))

    play(scenario)


def test_a_stop_taken_off_by_hand_rests_again(venue, play):
    async def scenario(live):
        await open_hedge(live)
        (stop,) = venue.account.resting()
        venue.account.cancel_stop(stop.number, None)
        await until(lambda: hedged(live))
        assert venue.account.resting() != [stop]

    play(scenario)


def test_a_stop_that_is_hit_closes_the_hedge_for_the_cooldown(venue, play):
    async def scenario(live):
        await open_hedge(live)
        venue.account.move_price("2210.00")
        await until(lambda: hedged(live, 0.0))
        await quiet(live)
        assert {d.rail for d in live.recorder.decisions[-3:]} == {"drawdown"}

    play(scenario)
    assert float(venue.account.position) == 0.0


def test_a_stop_on_the_mark_price_is_set_off_by_the_mark_alone(traded, venue, play):
    if "mark" not in traded.stop_triggers:
        pytest.skip(f"{traded.venue}'s adapter does not say which price sets off a stop")

    async def scenario(live):
        await open_hedge(live)
        assert [stop.by for stop in venue.account.resting()] == ["mark"]
        venue.account.move_price("2400.00", mark="2000.00")
        await quiet(live)
        assert hedged(live)
        venue.account.move_price("2000.00", mark="2210.00")
        await until(lambda: hedged(live, 0.0))

    rails = RailsConfig(stop_trigger="mark", max_daily_turnover=100.0, max_daily_orders=100)
    play(scenario, rails=rails)


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize(("closed_by_hand", "rail"), [(False, "drawdown"), (True, "")])
def test_a_refused_stop_starts_the_cooldown_only_where_there_is_something_to_protect(
    venue, play, closed_by_hand, rail, sent
):
    async def scenario(live):
        await open_hedge(live)
        (stop,) = live.strategy._book.stops()
        if closed_by_hand:
            venue.account.by_hand("BUY", "10", True)
            await until(lambda: hedged(live, 0.0))
        if sent:
            live.strategy.on_order_rejected(refusal(stop))
        else:
            live.strategy.on_order_denied(denial(stop))
        live.bar()
        wanted = -10.0 if closed_by_hand else 0.0
        await until(lambda: hedged(live, wanted))
        assert live.recorder.decisions[-1].rail == rail

    play(scenario)


def refusal(order):
    ids = (order.trader_id, order.strategy_id, order.instrument_id, order.client_order_id, order.account_id)
    return OrderRejected(*ids, "would have increased position", UUID4(), order.ts_init, order.ts_init)


def denial(order):
    ids = (order.trader_id, order.strategy_id, order.instrument_id, order.client_order_id)
    return OrderDenied(*ids, "quantity above the greatest", UUID4(), order.ts_init)


def test_after_a_lost_stream_fills_and_stops_missed_are_made_up(venue, play):
    async def scenario(live):
        await open_hedge(live)
        venue.cut_stream()
        (stop,) = venue.account.resting()
        venue.account.tell = lambda event: None
        venue.account.cancel_stop(stop.number, None)
        venue.account.by_hand("BUY", "4")
        await reconnect(venue)
        await until(lambda: hedged(live, -6.0))
        live.bar()
        await until(lambda: hedged(live))

    play(scenario)
    assert float(venue.account.largest) == 10.0


def test_a_lost_stream_alone_changes_nothing_and_nothing_is_sent(venue, play):
    async def scenario(live):
        await open_hedge(live)
        venue.cut_stream()
        await reconnect(venue)
        for _ in range(20):
            live.bar()
            assert live.held == -10.0
            await asyncio.sleep(0.05)
        assert hedged(live)

    play(scenario)
    assert len(venue.account.orders) == len(venue.account.stops) == 1


def test_a_venue_that_fails_to_answer_is_not_taken_for_one_that_holds_nothing(venue, play):
    async def scenario(live):
        await open_hedge(live)
        venue.failing = True
        for _ in range(50):
            live.bar()
            assert live.held == -10.0
            await asyncio.sleep(0.1)
        venue.failing = False
        await until(lambda: live.node.trader.is_running and hedged(live))

    play(scenario)
    assert len(venue.account.orders) == len(venue.account.stops) == 1


def test_a_stop_lost_with_the_stream_rests_again_though_nothing_else_changed(venue, play):
    async def scenario(live):
        await open_hedge(live)
        venue.cut_stream()
        (stop,) = venue.account.resting()
        venue.account.tell = lambda event: None
        venue.account.cancel_stop(stop.number, None)
        await reconnect(venue)
        await until(lambda: hedged(live))
        assert venue.account.resting() != [stop]

    play(scenario)
    assert [float(order.filled) for order in venue.account.orders.values()] == [10.0]


def test_a_stop_hit_while_the_stream_was_lost_closes_the_hedge_and_leaves_nothing_behind(venue, play):
    async def scenario(live):
        await open_hedge(live)
        venue.cut_stream()
        venue.account.tell = lambda event: None
        venue.account.move_price("2210.00")
        await reconnect(venue)
        await until(lambda: hedged(live, 0.0))
        await quiet(live, bars=20)
        assert hedged(live, 0.0)
        assert live.strategy._book.is_flat()
        assert live.recorder.decisions[-1].rail == "drawdown"

    play(scenario)
    assert float(venue.account.largest) == 10.0


def test_a_restart_finds_position_and_stop_and_sends_nothing(venue, play):
    async def first(live):
        await open_hedge(live)

    async def second(live):
        assert live.held == -10.0
        await quiet(live)
        assert hedged(live)

    play(first, second)
    assert len(venue.account.orders) == 1
    assert len(venue.account.stops) == 1


def test_a_restart_that_is_not_told_of_the_position_at_first_opens_no_second(venue, play):
    async def first(live):
        await open_hedge(live)
        venue.account.position = Decimal(0)

    async def second(live):
        await quiet(live)
        venue.account.position = Decimal(-10)
        for _ in range(50):
            live.bar()
            await asyncio.sleep(0.1)

    play(first, second)
    assert len(venue.account.orders) == 1


def test_a_position_that_the_hedge_did_not_open_is_not_taken_over_at_a_first_start(
    traded, venue, model, tmp_path
):
    venue.account.by_hand("BUY", "3")

    async def scenario():
        await venue.start()
        try:
            live = LiveHedge(venue.base, model, tmp_path / "state", traded=traded)
            with pytest.raises(Exception, match="holds 3 at the first start, which this hedge did not open"):
                async with live:
                    await asyncio.wait_for(live._task, 10.0)
        finally:
            await venue.stop()

    run_live(scenario)
    assert float(venue.account.position) == 3.0


def test_a_report_that_cannot_be_booked_is_booked_with_the_next_check(venue, play, monkeypatch):
    failed = []

    async def scenario(live):
        await open_hedge(live)
        engine = live.node.kernel.exec_engine
        book = engine.reconcile_execution_report

        def once(report):
            if not failed:
                failed.append(report)
                raise RuntimeError("not booked")
            return book(report)

        monkeypatch.setattr(engine, "reconcile_execution_report", once)
        venue.account.by_hand("BUY", "4", False)
        await until(lambda: hedged(live, -6.0))

    play(scenario)
    assert failed


def test_while_venue_and_node_differ_the_kill_switch_alone_changes_the_hedge(
    venue, play, tmp_path, monkeypatch
):
    switch = KillSwitch(tmp_path / "state")

    async def scenario(live):
        await open_hedge(live)
        monkeypatch.setattr(book, "SETTLE_NS", 600_000_000_000)
        live.strategy.hold_orders()
        sent = len(venue.account.orders)
        assert live.strategy._book.is_busy()
        switch.set("flatten")
        await until(lambda: hedged(live, 0.0))
        await until(lambda: (found := Answer.read(switch.directory)) is not None and found.done)
        assert len(venue.account.orders) == sent + 1
        assert live.strategy._book.is_uncertain()

    play(scenario)
    assert float(venue.account.position) == 0.0


def test_flatten_closes_at_the_venue_and_is_answered_and_hold_keeps_both(venue, play, tmp_path):
    switch = KillSwitch(tmp_path / "state")

    async def scenario(live):
        await open_hedge(live)
        switch.set("hold")
        await until(lambda: Answer.read(switch.directory) is not None)
        assert Answer.read(switch.directory).done
        live.bar()
        await quiet(live)
        assert hedged(live)
        switch.set("flatten")
        await until(lambda: hedged(live, 0.0))
        await until(lambda: Answer.read(switch.directory).order == "flatten")
        await until(lambda: Answer.read(switch.directory).done)
        await quiet(live)

    play(scenario)
    assert float(venue.account.position) == 0.0
    assert [(o.side, o.reduce_only) for o in venue.account.orders.values()] == [
        ("SELL", False),
        ("BUY", True),
    ]
