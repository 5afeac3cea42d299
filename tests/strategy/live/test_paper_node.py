"""A real node in paper: live data from loopback venues, our fills and funding, an account that carries on."""

import asyncio
import json
import time

import pytest
from fakes.binance_feed import BinanceFeed
from fakes.server import FakeExchanges
from nautilus_trader.model.enums import OrderSide, OrderStatus
from nautilus_trader.model.identifiers import InstrumentId, Venue
from support.live_node import until
from support.paper_run import paper_settings

from oi_hedge_strategy.live.config import LEDGER
from oi_hedge_strategy.live.ledger import read_ledger
from oi_hedge_strategy.live.ledger_records import LedgerBar, LedgerFill
from oi_hedge_strategy.live.node import build_node
from oi_hedge_strategy.live.sandbox_account import read_account
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision
from oi_hedge_strategy.simulation.records import FillCost, FundingPayment

pytest.importorskip("ccxt")

HEDGE = InstrumentId.from_str("ETHUSDT-PERP.BINANCE")
FEE = 0.0005


class PaperRun:
    """Run a paper node against loopback venues, one scenario at a time."""

    def __init__(self, directory, **changes):
        self.directory, self.changes = directory, changes

    def __call__(self, scenario):
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._run(scenario))
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self.node.dispose()
            asyncio.set_event_loop(None)

    async def _run(self, scenario):
        feed, exchanges = BinanceFeed(bar_secs=0.3), FakeExchanges()
        await feed.start()
        await exchanges.start()
        settings = paper_settings(self.directory, feed, exchanges, **self.changes)
        self.node, _ = build_node(settings, "paper", loop=asyncio.get_running_loop())
        running = asyncio.create_task(self.node.run_async())
        try:
            await scenario(self.node, feed, exchanges)
        finally:
            await self.node.stop_async()
            await asyncio.wait_for(running, 10.0)
            await feed.stop()
            await exchanges.stop()

    def ledger(self, kind):
        return read_ledger(self.directory / "paper" / LEDGER, kind)

    @property
    def account(self):
        return read_account(self.directory / "paper" / "account.json")


def short(node):
    return [
        each for each in node.cache.positions_open(instrument_id=HEDGE) if float(each.signed_qty) == -10.0
    ]


def stops(node):
    resting = (each for each in node.cache.orders_open(instrument_id=HEDGE) if each.tags)
    return [each for each in resting if "HARD_STOP" in each.tags and each.status == OrderStatus.ACCEPTED]


async def until_bars(node, count):
    (strategy,) = node.trader.strategies()
    wanted = strategy.bars_seen + count
    await until(lambda: strategy.bars_seen >= wanted, 60.0)


def balance(node):
    account = node.cache.account_for_venue(Venue("BINANCE"))
    return float(next(iter(account.balances_total().values())))


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Return a run that has opened its hedge, received funding and ended."""
    run = PaperRun(tmp_path_factory.mktemp("paper"))

    async def scenario(node, feed, exchanges):
        await until(lambda: short(node), 60.0)
        opened, feed.silent = balance(node), True  # settled at the price before, as one of a whole minute is
        await asyncio.sleep(0.2)
        due = time.time_ns() // 1_000_000 + 1_000
        exchanges["binanceusdm"].state.due = lambda: due
        await until(lambda: balance(node) > opened, 60.0)
        feed.silent = False
        await until_bars(node, 3)
        run.balance = balance(node)

    run(scenario)
    return run


def test_the_hedge_fills_at_the_quotes_with_our_costs_and_the_venue_s_fee(first):
    (fill,) = first.ledger(LedgerFill)
    (cost,) = first.ledger(FillCost)
    assert (fill.side, fill.quantity) == (-1, 10.0)
    assert cost.reference_price == pytest.approx(2000.0)
    assert cost.half_spread_bps == 1.0
    assert cost.impact_bps > 0.0
    assert fill.price < 2000.0
    assert cost.amount == pytest.approx(10.0 * (2000.0 - fill.price))
    assert fill.commission == pytest.approx(fill.price * 10.0 * FEE, abs=0.01)


def test_a_short_receives_the_predicted_rate_when_it_is_due(first):
    payment = first.ledger(FundingPayment)[0]
    assert (payment.quantity, payment.rate) == (-10.0, 0.0001)
    assert payment.amount == pytest.approx(10.0 * payment.price * 0.0001, abs=0.01)
    assert payment.price == pytest.approx(2000.0)


def test_the_ledger_has_every_decision_with_its_forecast_and_the_book_at_each_bar(first):
    bars, decisions = first.ledger(LedgerBar), first.ledger(HedgeDecision)
    assert {decision.trigger for decision in decisions} == {"bar", "timer"}
    assert [d.ts_init for d in decisions] == [f.ts_init for f in first.ledger(CascadeForecast)]
    assert [b.ts_init for b in bars] == [d.ts_init for d in decisions if d.trigger == "bar"]
    last = bars[-1]
    assert (last.close, last.exposure, last.hedge_quantity) == (2000.0, 10.0, -10.0)
    assert dict(zip(last.venues, last.open_interest, strict=True)) == {"BINANCE": 1000.0}
    assert last.funding_8h == [0.0001]


def test_equity_is_the_balance_and_what_the_position_has_gained(first):
    (fill,) = first.ledger(LedgerFill)
    paid = sum(each.amount for each in first.ledger(FundingPayment))
    assert first.balance == pytest.approx(50_000.0 - fill.commission + paid, abs=0.01)
    assert first.ledger(LedgerBar)[-1].equity == pytest.approx(
        first.balance + 10.0 * (fill.price - 2000.0), abs=0.5
    )


def test_the_account_on_disk_is_the_one_in_the_node_and_the_owner_s_alone(first):
    account = first.account
    assert account.balances == (f"{first.balance:.8f} USDT",)
    (held,) = account.positions
    assert (held.instrument_id, float(held.quantity)) == (str(HEDGE), -10.0)
    assert (first.directory / "paper" / "account.json").stat().st_mode & 0o777 == 0o600


def test_a_later_run_carries_on_with_balance_position_and_stop(first):
    before, fills = first.account, len(first.ledger(LedgerFill))
    seen = {}

    async def scenario(node, feed, exchanges):
        await until(lambda: short(node), 60.0)
        seen["balance"] = balance(node)
        await until(lambda: stops(node), 60.0)
        await until_bars(node, 3)
        seen["stops"] = stops(node)
        seen["made"] = [each for each in node.cache.orders() if "HARD_STOP" in (each.tags or ())]
        (seen["position"],) = short(node)

    first(scenario)
    assert seen["balance"] == pytest.approx(first.balance)
    assert seen["position"].avg_px_open == pytest.approx(float(before.positions[0].average_price))
    (stop,) = seen["stops"]
    assert seen["made"] == [stop]  # the first that was sent rests: it met no quote yet
    assert (stop.side, float(stop.quantity), stop.is_reduce_only) == (OrderSide.BUY, 10.0, True)
    assert len(first.ledger(LedgerFill)) == fills  # what was taken up again is no fill
    assert first.account.positions == before.positions


def test_the_hard_stop_meets_the_live_quotes(tmp_path):
    run = PaperRun(tmp_path)

    async def scenario(node, feed, exchanges):
        await until(lambda: short(node), 60.0)
        await until(lambda: node.cache.orders_open(instrument_id=HEDGE), 60.0)
        feed.price = 2300.0
        await until(lambda: not node.cache.positions_open(instrument_id=HEDGE), 60.0)

    run(scenario)
    opened, closed = run.ledger(LedgerFill)[:2]
    assert (opened.side, closed.side, closed.quantity) == (-1, 1, 10.0)
    assert closed.price >= 2300.0
    assert run.account.positions == ()


def test_a_stop_that_the_market_passed_meanwhile_is_met_after_the_start(tmp_path):
    run = PaperRun(tmp_path)

    async def opened(node, feed, exchanges):
        await until(lambda: short(node), 60.0)
        await until(lambda: stops(node), 60.0)

    async def met(node, feed, exchanges):
        feed.price = 2300.0
        await until(lambda: len(run.ledger(LedgerFill)) > 1, 60.0)

    run(opened)
    run(met)
    opening, closing = run.ledger(LedgerFill)[:2]
    assert (opening.side, closing.side, closing.quantity) == (-1, 1, 10.0)
    assert closing.price >= 2300.0


def test_funding_that_comes_due_before_any_price_is_paid_at_the_first(tmp_path):
    run = PaperRun(tmp_path)

    async def opened(node, feed, exchanges):
        await until(lambda: short(node), 60.0)

    async def outage(node, feed, exchanges):
        feed.silent = True
        await until(lambda: short(node), 60.0)
        due = time.time_ns() // 1_000_000 + 1_000
        exchanges["binanceusdm"].state.due = lambda: due
        await until(lambda: time.time_ns() // 1_000_000 > due + 1_000, 60.0)
        run.due, run.paid = due * 1_000_000, len(run.ledger(FundingPayment))
        (strategy,) = node.trader.strategies()
        assert strategy.is_running
        feed.silent = False
        await until(lambda: run.ledger(FundingPayment), 60.0)

    run(opened)
    run(outage)
    assert run.paid == 0
    payment = run.ledger(FundingPayment)[0]
    assert (payment.quantity, payment.rate, payment.ts_event) == (-10.0, 0.0001, run.due)
    assert payment.price == pytest.approx(2000.0)
    assert payment.ts_init > run.due + 1_000_000_000


def test_the_session_keeps_the_settings(first):
    (info, *_) = sorted((first.directory / "paper" / "sessions").glob("*/session.json"))
    kept = json.loads(info.read_text())
    assert kept["mode"] == "paper"
    assert kept["settings"]["exposure_quantity"] == 10.0
