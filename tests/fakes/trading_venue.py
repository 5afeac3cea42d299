"""What every loopback venue that takes orders has in common: a port, sockets, and an account that tells."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import WSMsgType, web
from fakes.futures_account import Change, FuturesAccount

Message = dict[str, Any]


class TradingVenue(ABC):
    """
    Serve an account's requests and streams on a free port.

    Parameters
    ----------
    account : FuturesAccount
        The account.

    Attributes
    ----------
    base : str
        ``http://127.0.0.1:port``.
    requests : list of str
        Method and path of everything that was asked.
    failing : bool
        Whether requests are answered with an error of the server.

    """

    def __init__(self, account: FuturesAccount | None = None) -> None:
        self.account = account or FuturesAccount()
        self.requests: list[str] = []
        self.failing = False
        self.base = ""
        self._sockets: list[web.WebSocketResponse] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close every connection."""
        self.cut_stream()
        assert self._runner is not None
        await self._runner.cleanup()

    def cut_stream(self) -> None:
        """Cut all streams, as a lost network does."""
        for socket in list(self._sockets):
            self._cut(socket)

    @property
    def connected(self) -> bool:
        """Whether the account's changes are heard."""
        return any(self._hears(socket) for socket in self._sockets)

    @abstractmethod
    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""

    @abstractmethod
    def _events(self, change: Change) -> list[Message]:
        """Return what the venue's streams say of a change of the account."""

    @abstractmethod
    def _hears(self, socket: web.WebSocketResponse, message: Message | None = None) -> bool:
        """Return whether a stream is told a message, or anything at all of the account."""

    @abstractmethod
    async def _receive(self, socket: web.WebSocketResponse, text: str) -> None:
        """Answer what came on a stream."""

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Keep what the account tells until the answer to a request is on its way."""
        pending: list[Message] = []
        self.account.tell = lambda change: pending.extend(self._events(change))
        try:
            yield
        finally:
            self.account.tell = self._tell
            for message in pending:
                self.push(message)

    def push(self, message: Message) -> None:
        """Send a message to every stream that hears it."""
        for socket in self._sockets:
            if self._hears(socket, message):
                self._send(socket, message)

    def _tell(self, change: Change) -> None:
        for message in self._events(change):
            self.push(message)

    def _send(self, socket: web.WebSocketResponse, message: Message | str) -> None:
        if socket.closed or socket._writer is None:
            return
        text = message if isinstance(message, str) else json.dumps(message)
        self._tasks.add(task := asyncio.get_running_loop().create_task(socket.send_str(text)))
        task.add_done_callback(self._tasks.discard)

    def _cut(self, socket: web.WebSocketResponse) -> None:
        if (transport := socket._req and socket._req.transport) is not None:
            transport.abort()
        if socket in self._sockets:
            self._sockets.remove(socket)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        self.requests.append(f"{request.method} {request.path}")
        if self.failing:
            return web.Response(status=503, text="<html>no</html>", content_type="text/html")
        with self._answering():
            return await self._answer(request)

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        self._sockets.append(socket)
        self.account.tell = self._tell
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._receive(socket, message.data)
        if socket in self._sockets:
            self._sockets.remove(socket)
        return socket
