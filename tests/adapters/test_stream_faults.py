"""The fault table of docs/venues.md, streams and history: what can go wrong, and that nothing is lost."""

import asyncio
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from fakes.server import Fault
from fakes.state import level
from support.feed_bench import PACE, Bench, run

from oi_hedge_adapters.connection import RefusedError, UnreachableError, VenueConnection
from oi_hedge_adapters.venues import find_row
from oi_hedge_adapters.warmup import open_interest_history
from oi_hedge_catalog import LiquidationRecord

pytest.importorskip("ccxt")

HOUR_NS = 3_600 * 10**9
STREAM = replace(PACE, streams=True)


def test_cut_stream_is_connected_again():
    async def scenario(exchanges):
        async with Bench("bybit-linear", exchanges, STREAM) as bench:
            await bench.more()
            await exchanges.drop_sockets("bybit")
            bench.exchange.state.coins = 1500.0
            await bench.until(lambda: bench.levels()[-1].quantity == pytest.approx(1500.0))
            opened = [each for each in bench.exchange.requests if each.startswith("/v5/public/")]
            assert len(opened) >= 2

    run(scenario)


def test_silent_stream_is_connected_again_and_announced():
    async def scenario(exchanges):
        pace = replace(STREAM, stale_after=1.5)
        async with Bench("bybit-linear", exchanges, pace, silence_secs=0.3) as bench:
            await bench.more()
            sockets = len(bench.exchange.sockets)
            bench.exchange.state.silent = True
            await bench.until(bench.statuses)
            assert len(bench.exchange.sockets) > sockets
            assert "no message within 0.3 s" in bench.statuses()[0][1]
            bench.exchange.state.silent = False
            await bench.until(lambda: len(bench.statuses()) >= 2)

    run(scenario)


def test_stream_is_thinned_out_to_the_cadence():
    async def scenario(exchanges):
        async with Bench("bybit-linear", exchanges, replace(STREAM, interval=0.5)) as bench:
            await bench.more(3)
            times = [each.ts_init for each in bench.levels()]
            assert min(after - before for before, after in pairwise(times)) >= 0.5e9
            assert all(each.ts_init - each.ts_event < 0.45e9 for each in bench.levels()), "read when due"

    run(scenario)


@pytest.mark.parametrize("key", ["binance-linear", "bybit-linear", "okx-linear", "gate", "htx"])
def test_every_liquidation_is_published_once_whatever_the_order(key):
    async def scenario(exchanges):
        pace = replace(STREAM, interval=0.05, event_driven=True, streams=key not in ("gate", "htx"))
        async with Bench(key, exchanges, pace, what="liquidations") as bench:
            now = time.time_ns() // 1_000_000_000 * 1000
            sent = [(at % 2 == 0, 1.0 + at, 2000.0 + at, now - 1000 * (at % 7)) for at in range(20)]
            bench.exchange.state.liquidations = sent
            await bench.until(lambda: len(bench.published) >= 20)
            if pace.streams:
                await exchanges.drop_sockets(find_row(key).ccxt_id)
            bench.exchange.state.liquidations = [*sent, (True, 99.0, 1999.0, now)]
            await bench.until(lambda: len(bench.published) == 21)
            got = [
                (r.long_quantity > 0, r.long_quantity + r.short_quantity, r.price)
                for r in bench.published
                if isinstance(r, LiquidationRecord)
            ]
            want = [(long, coins, price) for long, coins, price, _ in [*sent, (True, 99.0, 1999.0, now)]]
            assert sorted(got) == [pytest.approx(each) for each in sorted(want)]

    run(scenario)


def test_resting_liquidation_stream_is_not_stale():
    async def scenario(exchanges):
        pace = replace(STREAM, stale_after=0.5, event_driven=True)
        async with Bench("bybit-linear", exchanges, pace, what="liquidations", silence_secs=0.2) as bench:
            await bench.until(lambda: bench.exchange.sockets)
            await asyncio.sleep(1.2)
            bench.feed.check()
            assert bench.statuses() == []
            assert bench.feed.counts.failures == 0

    run(scenario)


@pytest.mark.parametrize(
    "kind", ["disconnect", "half_json", "500", pytest.param("timeout", marks=pytest.mark.slow)]
)
def test_fault_in_the_middle_of_history_loses_no_row(kind):
    async def scenario(exchanges):
        row = find_row("bybit-linear")
        connection = VenueConnection(row, 1.0, exchanges.urls["bybit"])
        now = time.time_ns()
        await connection.market(row.ccxt_symbol(row.example))
        exchanges["bybit"].faults.append(Fault(kind, times=2, path="/open-interest"))
        try:
            found = await open_interest_history(connection, row, row.example, now - 500 * HOUR_NS, now)
        finally:
            await connection.close()
        assert len(found) == 500
        assert [each.quantity for each in found] == pytest.approx(
            [level(each.ts_event // 10**6) for each in found]
        )

    run(scenario)


@pytest.mark.slow
def test_history_gives_up_with_one_sentence():
    async def scenario(exchanges):
        row = find_row("bybit-linear")
        connection = VenueConnection(row, 1.0, exchanges.urls["bybit"])
        now = time.time_ns()
        exchanges["bybit"].faults.append(Fault("503", times=100, path="/open-interest"))
        try:
            with pytest.raises(UnreachableError, match="Bybit linear is not available"):
                await open_interest_history(connection, row, row.example, now - HOUR_NS, now)
            with pytest.raises(RefusedError, match="has no history in steps of '7m', only of 5m, 15m"):
                await open_interest_history(connection, row, row.example, now - HOUR_NS, now, "7m")
        finally:
            await connection.close()

    run(scenario)
