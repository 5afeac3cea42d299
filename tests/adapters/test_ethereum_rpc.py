"""JSON-RPC under faults: what is sent again, what is an error, and that nothing shows the node's address."""

import asyncio
import json
import logging
import traceback

import aiohttp
import pytest
from aiohttp import web

from oi_hedge_adapters.ethereum_rpc import Call, EthereumRpc, RpcError

CALLS = [Call("eth_getBalance", (f"0x{at}", "0x1"), f"balance {at}") for at in range(5)]
KEY = "v3/secret-key"


def result(request):
    return {"jsonrpc": "2.0", "id": request["id"], "result": request["params"][0] + "00"}


def error(request, code, message="no"):
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}


def answer(requests):
    return web.json_response([result(each) for each in requests])


def run(*handlers, calls=CALLS, **options):
    """Send `calls` to a server whose requests `handlers` answer in turn, the last one the rest."""
    seen, waits = [], []

    async def handle(request):
        body = await request.json()
        requests = body if isinstance(body, list) else [body]
        handler = handlers[min(len(seen), len(handlers) - 1)]
        seen.append([each["id"] for each in requests])
        return handler(requests)

    async def sleep(seconds):
        waits.append(seconds)

    async def main():
        app = web.Application()
        app.router.add_post(f"/{KEY}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = "http://{}:{}/{}".format(*runner.addresses[0][:2], KEY)
            async with aiohttp.ClientSession() as session:
                return await EthereumRpc(session, url, sleep=sleep, **options).batch(calls)
        finally:
            await runner.cleanup()

    try:
        return asyncio.run(main()), seen, waits
    except RpcError as problem:
        problem.seen = seen
        raise


EXPECTED = [f"0x{at}00" for at in range(5)]


def test_answers_are_sorted_by_their_calls_and_batches_are_cut_to_size():
    found, seen, waits = run(
        lambda requests: web.json_response([result(each) for each in reversed(requests)]), batch_size=2
    )

    assert found == EXPECTED
    assert seen == [[0, 1], [0, 1], [0]]
    assert waits == []


def half(requests):
    text = json.dumps([result(each) for each in requests])
    return web.Response(text=text[: len(text) // 2], content_type="application/json")


@pytest.mark.parametrize(
    "fault",
    [
        lambda requests: web.Response(status=429),
        lambda requests: web.Response(status=503, text="<html>"),
        half,
        lambda requests: web.json_response([error(each, -32005, "limit exceeded") for each in requests]),
        lambda requests: web.json_response([]),
    ],
)
def test_passing_faults_are_retried_with_growing_waits(fault):
    found, seen, waits = run(fault, fault, answer)

    assert found == EXPECTED
    assert len(seen) == 3
    assert 0.25 <= waits[0] <= 0.75
    assert 0.5 <= waits[1] <= 1.5


def test_only_what_is_missing_is_asked_for_again():
    def limited(requests):
        return web.json_response(
            [result(each) if each["id"] % 2 else error(each, -32005) for each in requests]
        )

    found, seen, _ = run(limited, answer)

    assert found == EXPECTED
    assert seen == [[0, 1, 2, 3, 4], [0, 2, 4]]


def test_a_fault_that_stays_is_an_error_that_says_which():
    with pytest.raises(RpcError, match="failed 3 times, at last: HTTP 429") as caught:
        run(lambda requests: web.Response(status=429), attempts=3)
    assert len(caught.value.seen) == 3


def some_fail(requests):
    failing = [
        error(each, -32000, "missing trie node") if each["id"] in (1, 3) else result(each)
        for each in requests
    ]
    return web.json_response(failing)


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (
            some_fail,
            r"refused balance 1: missing trie node \(code -32000\); an old block needs .* \(2 of 5",
        ),
        (lambda r: web.Response(status=401), "HTTP 401; is the access key right"),
        (lambda r: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "HTTP 302"),
        (
            lambda r: web.json_response({"error": {"code": -32600, "message": "no batches"}}),
            "use a smaller batch",
        ),
        (lambda r: web.json_response("what?"), "sent a str, expected JSON-RPC answers"),
        (lambda r: web.json_response([result(each | {"id": 77}) for each in r]), r"was not made \(id 77\)"),
        (
            lambda r: web.json_response([{"id": each["id"]} for each in r]),
            "refused balance 0: neither result",
        ),
    ],
)
def test_lasting_faults_are_errors_at_once(handler, message):
    with pytest.raises(RpcError, match=message) as caught:
        run(handler, answer)
    assert len(caught.value.seen) == 1
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def unreachable(url, **options):
    async def main():
        async def sleep(seconds):
            return None

        async with aiohttp.ClientSession() as session:
            return await EthereumRpc(session, url, sleep=sleep, **options).batch(CALLS)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"http://127.0.0.1:9/{KEY}", "failed 2 times, at last: the connection .* was broken"),
        (f"https://127.0.0.1:port/{KEY}", "is no URL"),
        (f"ftp://127.0.0.1/{KEY}", "must begin with http:// or https://"),
    ],
)
def test_the_address_and_its_key_are_never_shown(url, message, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(RpcError, match=message) as caught:
        unreachable(url, attempts=2)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "secret" not in shown


def test_a_slow_node_is_given_up():
    async def main():
        async def wait(reader, writer):
            await reader.read()
            writer.close()

        server = await asyncio.start_server(wait, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        async with server, aiohttp.ClientSession() as session:
            rpc = EthereumRpc(session, f"http://{host}:{port}/{KEY}", attempts=1, timeout_secs=0.2)
            await rpc.batch(CALLS)

    with pytest.raises(RpcError, match="failed 1 times, at last: no answer within 0.2 s"):
        asyncio.run(main())
