"""The fault table of docs/venues.md, requests: what a venue can do wrong, and the state that it leaves."""

import asyncio
import time
from dataclasses import replace

import pytest
from fakes.server import Fault
from support.feed_bench import PACE, Bench, run

pytest.importorskip("ccxt")

REQUEST_FAULTS = {
    "429": "limits our requests",
    "418": "limits our requests",
    "403": "denies fetch_open_interest with HTTP 403",
    "500": "is not available",
    "503": "is not available",
    "timeout": "did not answer fetch_open_interest within 1 s",
    "half_json": "Binance USD-M",
    "html": "Binance USD-M",
    "schema": "has no open interest",
    "disconnect": "answered fetch_open_interest with something unexpected",
}


SLOW = ("429", "418", "timeout")


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind in SLOW)) for kind in REQUEST_FAULTS]
)
def test_failed_request_is_named_repeated_and_followed_by_the_current_value(kind):
    async def scenario(exchanges):
        async with Bench("binance-linear", exchanges, PACE) as bench:
            await bench.more()
            bench.exchange.state.coins = 1234.0
            bench.exchange.faults.append(Fault(kind, times=2, path="/openInterest"))
            await bench.until(lambda: bench.feed.counts.failures >= 2)
            await bench.more()
            assert bench.levels()[-1].quantity == pytest.approx(1234.0)
            assert len(bench.log) == 1, "the same trouble is told once"
            assert REQUEST_FAULTS[kind] in bench.log[0]
            assert "\n" not in bench.log[0]
            assert bench.statuses() == []

    run(scenario)


def test_failure_that_lasts_makes_the_feed_stale_and_its_end_makes_it_fresh():
    async def scenario(exchanges):
        async with Bench("binance-linear", exchanges, replace(PACE, stale_after=1.5)) as bench:
            await bench.more()
            bench.exchange.faults.append(Fault("503", times=10**6, path="/openInterest"))
            await bench.until(bench.statuses)
            bench.exchange.faults.clear()
            await bench.until(lambda: len(bench.statuses()) >= 2)
            (stale, reason), (fresh, _) = bench.statuses()[:2]
            assert stale and not fresh
            assert "Binance USD-M is not available" in reason

    run(scenario)


def test_venue_that_limits_us_is_left_alone_for_as_long_as_it_asks():
    async def scenario(exchanges):
        async with Bench("binance-linear", exchanges, PACE) as bench:
            await bench.more(1)
            bench.exchange.faults.append(Fault("429", path="/openInterest"))
            await bench.until(lambda: bench.feed.counts.failures == 1)
            started = time.monotonic()
            await bench.more(1)
            assert time.monotonic() - started >= 0.95
            assert "limits our requests" in bench.log[0] and bench.log[0].endswith("waiting 1 s")

    run(scenario)


def test_refusal_ends_the_feed_with_one_sentence():
    async def scenario(exchanges):
        async with Bench("binance-linear", exchanges, PACE) as bench:
            await bench.more(1)
            bench.exchange.faults.append(Fault("401", times=10**6, path="/openInterest"))
            await bench.until(bench.statuses)
            asked = len(bench.exchange.requests)
            await asyncio.sleep(0.3)
            assert len(bench.exchange.requests) == asked
            ((stale, reason),) = bench.statuses()
            assert stale and reason.startswith("Binance USD-M refuses fetch_open_interest")

    run(scenario)


def test_pauses_between_attempts_grow():
    async def scenario(exchanges):
        slow = replace(PACE, backoff_initial=0.05, backoff_max=0.4)
        async with Bench("binance-linear", exchanges, slow) as bench:
            await bench.more(1)
            times = []
            bench.exchange.faults.append(Fault("500", times=4, path="/openInterest"))
            for failures in range(1, 5):
                await bench.until(lambda count=failures: bench.feed.counts.failures >= count)
                times.append(time.monotonic())
            assert times[3] - times[2] > times[1] - times[0]

    run(scenario)


def test_values_with_one_time_are_published_once():
    async def scenario(exchanges):
        async with Bench("binance-linear", exchanges, PACE) as bench:
            await bench.more()
            bench.exchange.state.frozen_ms = time.time_ns() // 1_000_000
            await bench.until(lambda: bench.feed.counts.duplicate >= 3)
            times = [each.ts_event for each in bench.levels()]
            assert len(times) == len(set(times))

    run(scenario)


def test_value_older_than_the_last_one_is_left_out():
    async def scenario(exchanges):
        exchanges["binanceusdm"].state.reorder = True
        async with Bench("binance-linear", exchanges, PACE) as bench:
            await bench.until(lambda: bench.feed.counts.late >= 3)
            times = [each.ts_event for each in bench.levels()]
            assert times == sorted(set(times))

    run(scenario)


def test_open_interest_that_stands_still_is_announced_as_frozen():
    async def scenario(exchanges):
        async with Bench("binance-linear", exchanges, replace(PACE, frozen_after=0.4)) as bench:
            await bench.until(bench.statuses)
            assert bench.statuses()[0][0] and "has not changed" in bench.statuses()[0][1]
            bench.exchange.state.coins = 1001.0
            await bench.until(lambda: len(bench.statuses()) >= 2)
            assert not bench.statuses()[1][0]

    run(scenario)


def test_clock_far_ahead_publishes_nothing_and_is_announced():
    async def scenario(exchanges):
        exchanges["binanceusdm"].state.skew_ms = 60_000
        async with Bench("binance-linear", exchanges, replace(PACE, stale_after=1.5)) as bench:
            await bench.until(bench.statuses)
            assert bench.levels() == []
            assert "the venue's clock is 60 s ahead of ours" in bench.statuses()[0][1]

    run(scenario)


def test_clock_a_little_ahead_is_lowered_to_the_time_of_receipt():
    async def scenario(exchanges):
        exchanges["binanceusdm"].state.skew_ms = 2_000
        async with Bench("binance-linear", exchanges, PACE) as bench:
            await bench.more()
            assert all(each.ts_event == each.ts_init for each in bench.levels())

    run(scenario)


def test_values_that_come_with_an_old_time_are_published_and_the_feed_is_stale():
    async def scenario(exchanges):
        exchanges["binanceusdm"].state.skew_ms = -120_000
        async with Bench("binance-linear", exchanges, replace(PACE, stale_after=1.5)) as bench:
            await bench.until(bench.statuses)
            late = bench.levels()[-1]
            assert late.ts_init - late.ts_event > 100 * 10**9
            assert "no new value" in bench.statuses()[0][1]

    run(scenario)


def test_list_of_contracts_that_comes_empty_does_not_end_a_feed():
    async def scenario(exchanges):
        exchanges["binanceusdm"].faults.append(Fault("schema", times=2, path="/exchangeInfo"))
        async with Bench("binance-linear", exchanges, PACE) as bench:
            await bench.more(1)
            assert "sent a list of contracts without ETH/USDT:USDT" in bench.log[0]
            bench.exchange.faults.append(Fault("schema", path="/exchangeInfo"))
            await bench.connection.reload()
            await bench.more(1)
            assert bench.statuses() == []

    run(scenario)


POLLED = {
    "okx-linear": "/open-interest",
    "deribit-option": "/get_book_summary",
    "kucoin": "/open-interest",
    "htx": "/open_interest",
    "dydx": "/perpetualMarkets",
}


@pytest.mark.parametrize("key", POLLED)
def test_empty_answer_of_any_polled_venue_is_outlasted(key):
    async def scenario(exchanges):
        async with Bench(key, exchanges, PACE) as bench:
            await bench.more(1)
            bench.exchange.faults.append(Fault("schema", times=2, path=POLLED[key]))
            await bench.until(lambda: bench.feed.counts.failures >= 2)
            await bench.more(1)
            assert len(bench.log) == 1 and "\n" not in bench.log[0]

    run(scenario)
