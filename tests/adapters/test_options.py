"""Deribit's book summaries as options open interest, and the request that fetches them."""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from oi_hedge_adapters.options import fetch_options_open_interest, options_open_interest, parse_option_name
from oi_hedge_adapters.venues import VenueError

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "deribit"
NOW = 1_700_000_000_500_000_000


def summary(name, interest, **changes):
    return {
        "instrument_name": name,
        "open_interest": interest,
        "estimated_delivery_price": 2000.0,
        "underlying_price": 2050.0,
        "creation_timestamp": 1_700_000_000_123,
        **changes,
    }


CHAIN = [
    summary("ETH-29DEC23-1600-P", 300.0),
    summary("ETH-29DEC23-2200-C", 500.0),
    summary("ETH-5JAN24-2200-C", 100.0),
    summary("ETH-5JAN24-1800-P", 0.0),
]


def expiry(*day):
    return int(datetime(*day, 8, tzinfo=UTC).timestamp()) * 1_000_000_000


def test_names_give_coin_expiry_strike_and_side():
    assert parse_option_name("ETH-5JAN24-2200-C") == ("ETH", expiry(2024, 1, 5), 2200.0, True)
    assert parse_option_name("BTC-30DEC22-90000-P") == ("BTC", expiry(2022, 12, 30), 90000.0, False)


@pytest.mark.parametrize(
    "name",
    ["ETH-PERPETUAL", "ETH-27JUN25", "ETH_USDC-27JUN25-2500-C", "ETH-27JIN25-2500-C", "ETH-31JUN25-1-C"],
)
def test_other_names_are_refused(name):
    with pytest.raises(VenueError, match=name):
        parse_option_name(name)


def test_a_chain_becomes_one_record_in_coins():
    found = options_open_interest("ETH", CHAIN, NOW)

    assert str(found.instrument_id) == "ETH-OPTIONS.DERIBIT"
    assert found.underlying_price == 2000.0  # the index, not the forward of an expiry
    assert found.strikes == [1600.0, 2200.0, 2200.0, 1800.0]
    assert found.calls == [False, True, True, False]
    assert found.expiries == [expiry(2023, 12, 29)] * 2 + [expiry(2024, 1, 5)] * 2
    assert found.quantities == [300.0, 500.0, 100.0, 0.0]
    assert found.put_call_ratio == 0.5
    assert found.mass_distance(0.5) == pytest.approx(0.1)  # 600 of 900 at 2200
    assert (found.ts_event, found.ts_init) == (1_700_000_000_123_000_000, NOW)


def test_the_recorded_summaries_are_read():
    if not FIXTURES.is_dir() and "CI" not in os.environ:
        pytest.skip("recorded messages are not in ../shared/fixtures")
    body = json.loads((FIXTURES / "cmp_get_book_summary_by_currency_future.json").read_text())

    found = options_open_interest("BTC", body["result"], NOW)

    assert found.quantities == [1124.7, 8.1]
    assert found.put_call_ratio == pytest.approx(8.1 / 1124.7)
    assert found.underlying_price == 29716.47
    assert found.ts_event == 1_654_338_604_906_000_000


@pytest.mark.parametrize(
    ("summaries", "message"),
    [
        ([], "sent no options of ETH"),
        ([summary("BTC-29DEC23-30000-C", 1.0)], "BTC-29DEC23-30000-C among the options of ETH"),
        ([summary("ETH-29DEC23-1600-P", -1.0)], "open_interest to be a number of at least 0, was -1.0"),
        ([summary("ETH-29DEC23-1600-P", "1")], "open_interest to be a number of at least 0, was '1'"),
        ([summary("ETH-29DEC23-1600-P", None)], "open_interest .* was None"),
        ([summary("ETH-29DEC23-1600-P", float("nan"))], "open_interest .* was nan"),
        (
            [summary("ETH-29DEC23-1600-P", 1.0, estimated_delivery_price=0)],
            "estimated_delivery_price .* was 0",
        ),
        ([summary("ETH-29DEC23-1600-P", 1.0, creation_timestamp=None)], "creation_timestamp .* was None"),
    ],
)
def test_what_cannot_be_is_refused(summaries, message):
    with pytest.raises(VenueError, match=message):
        options_open_interest("ETH", summaries, NOW)


def fetch(handler, coin="ETH", timeout_secs=5.0):
    """Run one request against a server on the loopback that `handler` answers for."""
    seen = []

    async def answer(request):
        seen.append((request.path, dict(request.query)))
        return await handler(request)

    async def main():
        app = web.Application()
        app.router.add_get("/{tail:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            async with aiohttp.ClientSession() as session:
                return await fetch_options_open_interest(
                    session,
                    coin,
                    base_url=f"http://{host}:{port}/api/v2",
                    timeout_secs=timeout_secs,
                    clock=lambda: NOW,
                )
        finally:
            await runner.cleanup()

    return asyncio.run(main()), seen


def test_a_request_asks_for_the_coins_options_and_stamps_the_receipt():
    async def handler(request):
        return web.json_response({"jsonrpc": "2.0", "result": CHAIN})

    found, seen = fetch(handler)

    assert found == options_open_interest("ETH", CHAIN, NOW)
    assert seen == [("/api/v2/public/get_book_summary_by_currency", {"currency": "ETH", "kind": "option"})]


async def refuse(request):
    error = {"code": 11050, "message": "bad_request"}
    return web.json_response({"jsonrpc": "2.0", "error": error}, status=400)


async def ban(request):
    return web.Response(status=429)


async def half(request):
    return web.Response(text='{"jsonrpc": "2.0", "result": [', content_type="application/json")


async def page(request):
    return web.Response(text="<html>maintenance</html>", content_type="text/html")


async def sleep(request):
    await asyncio.sleep(0.5)


async def hang_up(request):
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (refuse, "expected a list of summaries, was .*bad_request"),
        (ban, "answered with HTTP 429"),
        (half, "the answer could not be read"),
        (page, "the answer could not be read"),
        (sleep, "no answer within 0.2 s"),
        (hang_up, "the answer could not be read"),
    ],
)
def test_faults_are_one_sentence_that_names_venue_and_coin(handler, message):
    with pytest.raises(VenueError, match=message) as caught:
        fetch(handler, timeout_secs=0.2 if handler is sleep else 5.0)
    assert str(caught.value).startswith("Deribit options of ETH: ")
    assert "\n" not in str(caught.value)
