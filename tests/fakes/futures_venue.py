"""A loopback USD-M futures venue that takes orders, spoken to by the official adapter."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web
from fakes.futures_account import SYMBOL, FuturesAccount, Order, RefusedError, Stop, now_ms

Query = dict[str, str]


class FuturesVenue:
    """
    Serve an account's REST requests and its user data stream on a free port.

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

    """

    def __init__(self, account: FuturesAccount | None = None) -> None:
        self.account = account or FuturesAccount()
        self.requests: list[str] = []
        self.base = ""
        self._sockets: list[web.WebSocketResponse] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self._answers: dict[str, Callable[[Query], Any]] = {
            "GET /fapi/v1/exchangeInfo": lambda query: _exchange_info(),
            "GET /fapi/v1/time": lambda query: {"serverTime": now_ms()},
            "GET /fapi/v2/account": lambda query: self._account(),
            "GET /fapi/v3/positionRisk": lambda query: self._positions(),
            "GET /fapi/v1/positionSide/dual": lambda query: {"dualSidePosition": False},
            "GET /fapi/v1/symbolConfig": lambda query: [_SYMBOL_CONFIG],
            "POST /fapi/v1/listenKey": lambda query: {"listenKey": "loopback"},
            "PUT /fapi/v1/listenKey": lambda query: {},
            "DELETE /fapi/v1/listenKey": lambda query: {},
            "GET /fapi/v1/order": lambda query: _order(
                self.account.order_of(query.get("orderId"), query.get("origClientOrderId"))
            ),
            "GET /fapi/v1/openOrders": lambda query: [
                _order(each) for each in self._orders() if each.status in ("NEW", "PARTIALLY_FILLED")
            ],
            "GET /fapi/v1/allOrders": lambda query: [_order(each) for each in self._orders()],
            "GET /fapi/v1/userTrades": lambda query: self.account.trades,
            "GET /fapi/v1/openAlgoOrders": lambda query: [_stop(each) for each in self.account.resting()],
            "GET /fapi/v1/allAlgoOrders": lambda query: list(map(_stop, self.account.stops.values())),
            "GET /fapi/v1/algoOrder": lambda query: _stop(
                self.account.stop_of(query.get("algoId"), query.get("clientAlgoId"))
            ),
            "POST /fapi/v1/algoOrder": self._place_stop,
            "DELETE /fapi/v1/algoOrder": self._cancel_stop,
        }

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
        """Cut the user data streams, as a lost network does."""
        for socket in self._sockets:
            if (transport := socket._req and socket._req.transport) is not None:
                transport.abort()
        self._sockets.clear()

    @property
    def connected(self) -> bool:
        """Whether a user data stream is open."""
        return bool(self._sockets)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        asked = f"{request.method} {request.path}"
        self.requests.append(asked)
        pending: list[dict[str, Any]] = []
        self.account.tell = pending.append
        try:
            if asked == "POST /fapi/v1/order":
                return await self._place(request, pending)
            answer = self._answers.get(asked)
            if answer is None:
                return web.json_response({"code": -1000, "msg": f"no such path: {asked}"}, status=404)
            return web.json_response(answer(dict(request.query)))
        except RefusedError as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        finally:
            self.account.tell = self.push
            for event in pending:
                self.push(event)

    async def _place(self, request: web.Request, pending: list[dict[str, Any]]) -> web.StreamResponse:
        query = request.query
        reduce_only = query.get("reduceOnly", "").lower() == "true"
        order, behaviour = self.account.place(
            query["newClientOrderId"], query["side"], query["quantity"], reduce_only
        )
        if behaviour in ("lost", "mute", "dropped"):
            assert request.transport is not None
            request.transport.abort()
        if behaviour in ("unknown", "unheard"):
            body = {"code": -1007, "msg": "Timeout waiting for response. Send status unknown."}
            return web.json_response(body, status=503)
        return web.json_response(_order(order))

    def push(self, event: dict[str, Any]) -> None:
        """Send an event to every user data stream."""
        for socket in self._sockets:
            if not socket.closed and socket._writer is not None:
                text = json.dumps(event)
                self._tasks.add(task := asyncio.get_running_loop().create_task(socket.send_str(text)))
                task.add_done_callback(self._tasks.discard)

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        self._sockets.append(socket)
        self.account.tell = self.push
        async for message in socket:
            if message.type in (WSMsgType.CLOSE, WSMsgType.ERROR):
                break
        if socket in self._sockets:
            self._sockets.remove(socket)
        return socket

    def _orders(self) -> list[Order]:
        return list(self.account.orders.values())

    def _place_stop(self, query: Query) -> dict[str, Any]:
        reduce_only = query.get("reduceOnly", "").lower() == "true"
        return _stop(
            self.account.place_stop(
                query["clientAlgoId"], query["side"], query["quantity"], query["triggerPrice"], reduce_only
            )
        )

    def _cancel_stop(self, query: Query) -> dict[str, Any]:
        number = int(query["algoId"]) if query.get("algoId") else None
        stop = self.account.cancel_stop(number, query.get("clientAlgoId"))
        return {"algoId": stop.number, "clientAlgoId": stop.name, "code": "200", "msg": "success"}

    def _account(self) -> dict[str, Any]:
        wallet = str(self.account.wallet)
        names = (
            "marginBalance", "crossWalletBalance", "availableBalance", "maxWithdrawAmount", "walletBalance",
        )  # fmt: skip
        zeros = (
            "unrealizedProfit", "maintMargin", "initialMargin", "positionInitialMargin",
            "openOrderInitialMargin", "crossUnPnl",
        )  # fmt: skip
        asset = {"asset": "USDT", **dict.fromkeys(names, wallet), **dict.fromkeys(zeros, "0")}
        rights = dict.fromkeys(("canTrade", "canDeposit", "canWithdraw"), True)
        return {"feeTier": 0, **rights, "updateTime": now_ms(), "assets": [asset]}

    def _positions(self) -> list[dict[str, Any]]:
        account = self.account
        if not account.position:
            return []
        return [
            {
                "symbol": SYMBOL, "positionSide": "BOTH", "positionAmt": str(account.position),
                "entryPrice": str(account.entry), "markPrice": str(account.price), "unRealizedProfit": "0",
                "liquidationPrice": "0", "isolatedMargin": "0", "updateTime": now_ms(),
            }
        ]  # fmt: skip


_SYMBOL_CONFIG = {
    "symbol": SYMBOL, "marginType": "CROSSED", "isAutoAddMargin": False, "leverage": 5,
    "maxNotionalValue": "100000000",
}  # fmt: skip


def _order(order: Order) -> dict[str, Any]:
    return {
        "symbol": SYMBOL, "orderId": order.number, "clientOrderId": order.name, "price": "0",
        "origQty": str(order.quantity), "executedQty": str(order.filled), "status": order.status,
        "timeInForce": "GTC", "type": order.kind, "side": order.side, "stopPrice": str(order.stop_price),
        "time": order.made, "updateTime": now_ms(), "avgPrice": str(order.price), "origType": order.kind,
        "reduceOnly": order.reduce_only, "positionSide": "BOTH", "closePosition": False,
        "workingType": "CONTRACT_PRICE", "priceProtect": False, "cumQuote": str(order.filled * order.price),
    }  # fmt: skip


def _stop(stop: Stop) -> dict[str, Any]:
    found = {
        "algoId": stop.number, "clientAlgoId": stop.name, "algoType": "CONDITIONAL",
        "orderType": "STOP_MARKET", "symbol": SYMBOL, "side": stop.side, "positionSide": "BOTH",
        "timeInForce": "GTC", "quantity": str(stop.quantity), "algoStatus": stop.status,
        "triggerPrice": str(stop.trigger), "price": "0", "workingType": "CONTRACT_PRICE",
        "reduceOnly": stop.reduce_only, "createTime": stop.made, "updateTime": now_ms(),
    }  # fmt: skip
    return found | ({"actualOrderId": str(stop.order.number)} if stop.order is not None else {})


def _exchange_info() -> dict[str, Any]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "100000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "10000", "stepSize": "0.001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "10000", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
    ]
    symbol = {
        "symbol": SYMBOL, "pair": SYMBOL, "contractType": "PERPETUAL", "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000, "status": "TRADING", "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000", "baseAsset": "ETH", "quoteAsset": "USDT", "marginAsset": "USDT",
        "pricePrecision": 2, "quantityPrecision": 3, "baseAssetPrecision": 8, "quotePrecision": 8,
        "underlyingType": "COIN", "underlyingSubType": ["Layer-1"], "settlePlan": 0,
        "triggerProtect": "0.0500", "liquidationFee": "0.012500", "marketTakeBound": "0.05",
        "filters": filters, "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }  # fmt: skip
    return {
        "timezone": "UTC", "serverTime": now_ms(), "rateLimits": [], "exchangeFilters": [], "assets": [],
        "symbols": [symbol],
    }  # fmt: skip
