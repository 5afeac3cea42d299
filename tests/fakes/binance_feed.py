"""Binance's public market data on the loopback interface, as Nautilus's own adapter reads it."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web

_LIMIT = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}


def futures_info() -> dict[str, Any]:
    """Return what ``/fapi/v1/exchangeInfo`` says of ETHUSDT."""
    return {
        "timezone": "UTC",
        "serverTime": time.time_ns() // 1_000_000,
        "rateLimits": [_LIMIT],
        "exchangeFilters": [],
        "assets": [],
        "symbols": [
            {
                "symbol": "ETHUSDT",
                "pair": "ETHUSDT",
                "contractType": "PERPETUAL",
                "deliveryDate": 4133404800000,
                "onboardDate": 1569398400000,
                "status": "TRADING",
                "maintMarginPercent": "2.5000",
                "requiredMarginPercent": "5.0000",
                "baseAsset": "ETH",
                "quoteAsset": "USDT",
                "marginAsset": "USDT",
                "pricePrecision": 2,
                "quantityPrecision": 3,
                "baseAssetPrecision": 8,
                "quotePrecision": 8,
                "underlyingType": "COIN",
                "underlyingSubType": ["Layer-1"],
                "settlePlan": 0,
                "triggerProtect": "0.0500",
                "liquidationFee": "0.012500",
                "marketTakeBound": "0.05",
                "filters": _filters(),
                "orderTypes": ["LIMIT", "MARKET", "STOP_MARKET"],
                "timeInForce": ["GTC", "IOC"],
            }
        ],
    }


def spot_info() -> dict[str, Any]:
    """Return what ``/api/v3/exchangeInfo`` says of ETHUSDT."""
    return {
        "timezone": "UTC",
        "serverTime": time.time_ns() // 1_000_000,
        "rateLimits": [_LIMIT],
        "exchangeFilters": [],
        "symbols": [
            {
                "symbol": "ETHUSDT",
                "status": "TRADING",
                "baseAsset": "ETH",
                "baseAssetPrecision": 8,
                "quoteAsset": "USDT",
                "quotePrecision": 8,
                "quoteAssetPrecision": 8,
                "orderTypes": ["LIMIT", "MARKET"],
                "icebergAllowed": True,
                "ocoAllowed": True,
                "quoteOrderQtyMarketAllowed": True,
                "allowTrailingStop": True,
                "isSpotTradingAllowed": True,
                "isMarginTradingAllowed": False,
                "filters": _filters(),
                "permissions": [],
            }
        ],
    }


def _filters() -> list[dict[str, Any]]:
    return [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01", "minPrice": "1.00", "maxPrice": "100000.00"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "10000.000"},
        {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "2000.000"},
        {"filterType": "MIN_NOTIONAL", "notional": "20", "minNotional": "20"},
    ]


class BinanceFeed:
    """
    Serve ETHUSDT, futures and spot alike, to any number of streams.

    Parameters
    ----------
    bar_secs : float
        Time between two closed bars; each is stamped with the second that has just ended.
    quote_secs : float
        Time between two quotes.

    Attributes
    ----------
    price : float
        Middle of the quotes and close of the next bar.
    silent : bool
        Whether nothing is sent.
    streams : set of str
        What has been subscribed so far.

    """

    def __init__(self, bar_secs: float = 1.0, quote_secs: float = 0.05) -> None:
        self.bar_secs, self.quote_secs = bar_secs, quote_secs
        self.price = 2000.0
        self.silent = False
        self.streams: set[str] = set()
        self.bars = 0
        self._sockets: list[web.WebSocketResponse] = []
        self._runner: web.AppRunner | None = None
        self._base = ""

    @property
    def http(self) -> str:
        """Return the address of requests."""
        return f"http://{self._base}"

    @property
    def ws(self) -> str:
        """Return the address of streams."""
        return f"ws://{self._base}"

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_get("/fapi/v1/exchangeInfo", self._futures)
        app.router.add_get("/api/v3/exchangeInfo", self._spot)
        app.router.add_get("/fapi/v1/klines", self._no_history)
        app.router.add_get("/api/v3/klines", self._no_history)
        app.router.add_get("/stream", self._stream)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._base = f"127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close every connection."""
        assert self._runner is not None
        await self._runner.cleanup()

    def cut(self) -> None:
        """Cut every stream without a word of farewell."""
        for socket in self._sockets:
            if (transport := socket._req and socket._req.transport) is not None:
                transport.abort()
        self._sockets.clear()

    async def _futures(self, request: web.Request) -> web.Response:
        return web.json_response(futures_info())

    async def _spot(self, request: web.Request) -> web.Response:
        return web.json_response(spot_info())

    async def _no_history(self, request: web.Request) -> web.Response:
        return web.json_response([])

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        asked = set(request.query.get("streams", "").split("/")) - {""}
        self.streams |= asked
        pushing = asyncio.create_task(self._push(socket, asked))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._receive(socket, json.loads(message.data), asked)
        finally:
            pushing.cancel()
            with suppress(asyncio.CancelledError):
                await pushing
        return socket

    async def _receive(self, socket: web.WebSocketResponse, command: dict[str, Any], asked: set[str]) -> None:
        names = set(command.get("params", []))
        if command["method"] == "SUBSCRIBE":
            asked |= names
            self.streams |= names
        else:
            asked -= names
        await socket.send_json({"result": None, "id": command["id"]})

    async def _push(self, socket: web.WebSocketResponse, asked: set[str]) -> None:
        since = time.monotonic()
        while not socket.closed and socket in self._sockets:
            closes = time.monotonic() - since >= self.bar_secs
            if closes:
                since += self.bar_secs
            for stream in () if self.silent else sorted(asked):
                for data in self._messages(stream, closes):
                    with suppress(ConnectionError):
                        await socket.send_json({"stream": stream, "data": data})
            await asyncio.sleep(self.quote_secs)

    def _messages(self, stream: str, closes: bool) -> Iterator[dict[str, Any]]:
        now = time.time_ns() // 1_000_000
        if "@bookTicker" in stream:
            bid, ask = f"{self.price - 0.01:.2f}", f"{self.price + 0.01:.2f}"
            yield {"e": "bookTicker", "u": now, "s": "ETHUSDT", "b": bid, "B": "30.000", "a": ask,
                   "A": "30.000", "T": now, "E": now}  # fmt: skip
        elif "@kline_" in stream and closes:
            self.bars += 1
            price, end = f"{self.price:.2f}", now // 1000 * 1000
            yield {
                "e": "kline",
                "E": now,
                "s": "ETHUSDT",
                "k": {"t": end - 1000, "T": end - 1, "s": "ETHUSDT", "i": stream.rpartition("_")[2], "f": 1,
                      "L": 2, "o": price, "c": price, "h": price, "l": price, "v": "1000.000", "n": 2,
                      "x": True, "q": "2000000.000", "V": "500.000", "Q": "1000000.000", "B": "0"},
            }  # fmt: skip
