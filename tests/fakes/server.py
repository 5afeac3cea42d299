"""Exchanges on the loopback interface: they answer as documented, or fail as told."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from fakes.state import FakeState
from fakes.venues import VENUES


@dataclass
class Fault:
    """
    What happens to the next requests instead of an answer.

    Parameters
    ----------
    kind : str
        ``429``, ``418``, ``401``, ``403``, ``500``, ``503``, ``timeout``, ``half_json``, ``html``, ``schema``
        or ``disconnect``.
    times : int
        How many requests it hits.
    path : str
        A part of the path of the requests that it hits.
    retry_after : int
        Seconds that a 429 or 418 asks to wait.
    """

    kind: str
    times: int = 1
    path: str = ""
    retry_after: int = 1


@dataclass
class Exchange:
    """One exchange: its state, what was asked of it, and the faults still to come."""

    name: str
    state: FakeState = field(default_factory=FakeState)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    recorded: dict[str, Any] = field(default_factory=dict)
    """Recorded bodies, sent as they are for paths that begin so; those of ``stream`` are pushed."""

    def take_fault(self, path: str) -> Fault | None:
        """Return the fault that hits a request, and count it."""
        for fault in self.faults:
            if fault.times > 0 and fault.path in path:
                fault.times -= 1
                return fault
        return None


class FakeExchanges:
    """
    All exchanges on one port, each below its ccxt name.

    Parameters
    ----------
    push_secs : float
        Time between two messages of a stream.
    """

    def __init__(self, push_secs: float = 0.02) -> None:
        self.push_secs = push_secs
        self.exchanges = {name: Exchange(name) for name in VENUES}
        self._runner: web.AppRunner | None = None
        self.base = ""

    def __getitem__(self, name: str) -> Exchange:
        return self.exchanges[name]

    @property
    def urls(self) -> dict[str, str]:
        """Address of every exchange, for `OpenInterestClientConfig.base_urls`."""
        return {name: f"{self.base}/{name}" for name in self.exchanges}

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_route("*", "/{exchange}/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        self.base = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Close every connection."""
        for exchange in self.exchanges.values():
            await self.drop_sockets(exchange.name)
        assert self._runner is not None
        await self._runner.cleanup()

    async def drop_sockets(self, name: str) -> None:
        """Cut the streams of an exchange."""
        for socket in self[name].sockets:
            with suppress(ConnectionError):
                if (transport := socket._req and socket._req.transport) is not None:
                    transport.abort()
        self[name].sockets.clear()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        exchange = self[request.match_info["exchange"]]
        path = "/" + request.match_info["path"]
        exchange.requests.append(f"{path}?{request.query_string}")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(exchange, path, request)
        fault = exchange.take_fault(path)
        if fault is not None and (answer := await _fail(fault, request)) is not None:
            return answer
        body = await request.json() if request.method == "POST" else None
        query = {**request.query, **(body or {})}
        for known, recorded in exchange.recorded.items():
            if path.startswith(known):
                return web.json_response(recorded)
        for known, answer_of in VENUES[exchange.name].rest.items():
            if path.startswith(known):
                payload = answer_of(exchange.state, {**query, "path": path})
                return web.json_response({} if fault else payload)
        return web.json_response({"code": 404, "msg": f"no such path {path}"}, status=404)

    async def _stream(self, exchange: Exchange, path: str, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        exchange.sockets.append(socket)
        asked: list[Any] = []
        pushing = asyncio.create_task(self._push(exchange, socket, path, asked))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._receive(exchange, socket, message.data, asked)
        finally:
            pushing.cancel()
            with suppress(asyncio.CancelledError):
                await pushing
        return socket

    async def _receive(
        self, exchange: Exchange, socket: web.WebSocketResponse, text: str, asked: list[Any]
    ) -> None:
        if text == "ping":
            await socket.send_str("pong")
            return
        venue = VENUES[exchange.name]
        asked.append(text)
        for answer in venue.acknowledge(text):
            await socket.send_json(answer)

    async def _push(
        self, exchange: Exchange, socket: web.WebSocketResponse, path: str, asked: list[Any]
    ) -> None:
        while not socket.closed:
            for text in list(asked):
                for message in self._messages(exchange, text, path):
                    with suppress(ConnectionError):
                        await socket.send_json(message)
            await asyncio.sleep(self.push_secs)

    def _messages(self, exchange: Exchange, text: str, path: str) -> Iterator[Any]:
        if "stream" in exchange.recorded:
            yield exchange.recorded["stream"]
        elif not exchange.state.silent:
            yield from VENUES[exchange.name].push(exchange.state, text, path)


async def _fail(fault: Fault, request: web.Request) -> web.StreamResponse | None:
    """Answer a request with a fault; ``None`` for one of another schema."""
    match fault.kind:
        case "429" | "418":
            status = int(fault.kind)
            body = {"code": -1003, "msg": "Too many requests"}
            return web.json_response(body, status=status, headers={"Retry-After": str(fault.retry_after)})
        case "401":
            return web.json_response({"code": -2015, "msg": "Invalid API-key, IP"}, status=401)
        case "403" | "500" | "503":
            return web.Response(status=int(fault.kind), text="<html>no</html>", content_type="text/html")
        case "timeout":
            await asyncio.sleep(5.0)
            return web.json_response({})
        case "html":
            return web.Response(text="<html>maintenance</html>", content_type="text/html")
        case "half_json":
            return web.Response(text='{"symbol": "ETHUSDT", "openIn', content_type="application/json")
        case "disconnect":
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'[{"symbol": "ETHUSDT"')
            if request.transport is not None:
                request.transport.abort()
            return response
        case "schema":
            return None
    raise ValueError(fault.kind)
