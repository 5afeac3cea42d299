"""A loopback Bybit that takes orders on its linear perpetuals, spoken to by the official adapter."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import web
from fakes.futures_account import Change, FuturesAccount, Order, Refusal, RefusedError, Stop, Trade, now_ms
from fakes.trading_venue import Message, TradingVenue

SYMBOL = "ETHUSDT"
Query = dict[str, str]
_REFUSALS: dict[Refusal, tuple[int, str]] = {
    "margin": (110007, "ab not enough for new order"),
    "reduce only": (110017, "current position is zero, cannot fix reduce-only order qty"),
    "would trigger": (110093, "expect Rising, but trigger_price <= current"),
    "unknown order": (110001, "order not exists or too late to cancel"),
}
_ANSWERED = {"FILLED": "Filled", "PARTIALLY_FILLED": "PartiallyFilled", "NEW": "New"}
_STOPPED = {"NEW": "Untriggered", "CANCELED": "Deactivated", "TRIGGERED": "Triggered", "FINISHED": "Filled"}
_TRIGGERS = {"last": "LastPrice", "mark": "MarkPrice"}


class BybitVenue(TradingVenue):
    """Serve an account as Bybit does: requests, a private stream, and one that takes orders."""

    def __init__(self, account: FuturesAccount | None = None) -> None:
        super().__init__(account)
        self._topics: WeakKeyDictionary[web.WebSocketResponse, set[str]] = WeakKeyDictionary()
        self._answers: dict[str, Callable[[Query], Any]] = {
            "/v5/market/time": lambda query: {"timeSecond": str(now_ms() // 1000), "timeNano": "0"},
            "/v5/market/instruments-info": lambda query: _list([_INSTRUMENT]),
            "/v5/account/fee-rate": lambda query: _list([_FEES]),
            "/v5/account/wallet-balance": lambda query: _list([self._wallet()]),
            "/v5/position/list": lambda query: _list([self._position()]),
            "/v5/order/realtime": lambda query: _list(self._orders(query, resting=True)),
            "/v5/order/history": lambda query: _list(self._orders(query, resting=False)),
            "/v5/execution/list": lambda query: _list(
                [self._execution(each) for each in self.account.trades]
            ),
        }

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        answer = self._answers.get(request.path)
        if answer is None:
            return web.json_response(
                {"retCode": 10404, "retMsg": f"no such path: {request.path}"}, status=404
            )
        return web.json_response(_whole(answer(dict(request.query))))

    async def _receive(self, socket: web.WebSocketResponse, text: str) -> None:
        message = json.loads(text)
        match message["op"]:
            case "auth":
                self._send(socket, {"op": "auth", "success": True, "retCode": 0, "retMsg": "", "connId": "1"})
            case "ping":
                self._send(socket, {"op": "pong", "args": [str(now_ms())], "conn_id": "1"})
            case "subscribe":
                self._topics.setdefault(socket, set()).update(message["args"])
                done = {"success": True, "ret_msg": "", "conn_id": "1", "op": "subscribe"}
                self._send(socket, done | {"req_id": message.get("req_id", "")})
            case "order.create" | "order.cancel" as operation:
                self.requests.append(operation)
                self._take(socket, operation, message)

    def _take(self, socket: web.WebSocketResponse, operation: str, message: Message) -> None:
        """Answer an order that came on the trade stream; what it changed follows on the private one."""
        with self._answering():
            code, text = 0, "OK"
            try:
                act = self._place if operation == "order.create" else self._cancel
                behaviour = act(message["args"][0])
                if behaviour in ("lost", "mute", "dropped"):
                    self._cut(socket)
                    return
                if behaviour in ("unknown", "unheard"):
                    code, text = 10016, "Internal System Error."
            except RefusedError as error:
                code, text = _REFUSALS[error.refusal]
            answer = {"op": operation, "retCode": code, "retMsg": text, "connId": "1", "data": {}}
            self._send(socket, answer | {"reqId": message["reqId"]})

    def _place(self, asked: Message) -> str:
        name, side, reduce_only = asked["orderLinkId"], asked["side"].upper(), asked.get("reduceOnly", False)
        assert asked["category"] == "linear" and asked["orderType"] == "Market", asked
        if "triggerPrice" not in asked:
            return self.account.place(name, side, asked["qty"], reduce_only)[1]
        assert asked["triggerDirection"] == (1 if side == "BUY" else 2), asked
        by = "mark" if asked["triggerBy"] == "MarkPrice" else "last"
        self.account.place_stop(name, side, asked["qty"], asked["triggerPrice"], reduce_only, by)
        return "fill"

    def _cancel(self, asked: Message) -> str:
        number = int(asked["orderId"]) if asked.get("orderId") else None
        self.account.cancel_stop(number, asked.get("orderLinkId"))
        return "fill"

    def _hears(self, socket: web.WebSocketResponse, message: Message | None = None) -> bool:
        topics = self._topics.get(socket, set())
        return message["topic"] in topics if message is not None else "order" in topics

    def _events(self, change: Change) -> list[Message]:
        match change:
            case Order():
                return []
            case Trade():
                told = [_topic("execution", self._execution(change)), _topic("order", self._of(change.order))]
                return [*told, _topic("wallet", self._wallet())]
            case Stop():
                return [_topic("order", _stop(change))] if change.status != "FINISHED" else []

    def _of(self, order: Order) -> Message:
        return _stop(order.stop) if order.stop is not None else _order(order)

    def _orders(self, query: Query, resting: bool) -> list[Message]:
        """Return what rests, with the last that was closed as Bybit does, or all; stops only where asked."""
        stops = [each for each in self.account.stops.values() if not resting or each.status == "NEW"]
        orders = [each for each in self.account.orders.values() if each.stop is None]
        if resting and "orderId" not in query and "orderLinkId" not in query:
            orders = [each for each in orders if each.status == "PARTIALLY_FILLED"]
        found = [_stop(each) for each in stops]
        if query.get("orderFilter") != "StopOrder":
            found += [_order(each) for each in orders]
        for name in ("orderId", "orderLinkId"):
            found = [each for each in found if query.get(name, each[name]) == each[name]]
        return found

    def _execution(self, trade: Trade) -> Message:
        order = trade.order
        shown = self._of(order)
        return {
            "category": "linear", "symbol": SYMBOL, "orderId": shown["orderId"],
            "orderLinkId": order.name, "side": shown["side"], "orderPrice": "0",
            "orderQty": str(order.quantity), "leavesQty": str(order.quantity - order.filled),
            "createType": "CreateByUser", "orderType": "Market", "stopOrderType": shown["stopOrderType"],
            "execFee": "0", "execId": str(trade.number), "execPrice": str(trade.price),
            "execQty": str(trade.quantity), "execType": "Trade",
            "execValue": str(trade.price * trade.quantity), "execTime": str(trade.ms),
            "feeCurrency": "USDT", "isMaker": False, "feeRate": "0", "tradeIv": "", "markIv": "",
            "markPrice": str(self.account.mark), "indexPrice": "", "underlyingPrice": "", "blockTradeId": "",
            "closedSize": "0", "seq": trade.number, "isLeverage": "0",
        }  # fmt: skip

    def _position(self) -> Message:
        held = self.account.position
        side = "Buy" if held > 0 else "Sell" if held < 0 else ""
        amounts = dict.fromkeys(
            (
                "positionValue", "positionBalance", "positionMM", "positionIM", "takeProfit", "stopLoss",
                "trailingStop", "unrealisedPnl", "curRealisedPnl", "cumRealisedPnl",
            ), "0",
        )  # fmt: skip
        return amounts | {
            "positionIdx": 0, "riskId": 1, "riskLimitValue": "100", "symbol": SYMBOL, "side": side,
            "size": str(abs(held)), "avgPrice": str(self.account.entry), "tradeMode": 0,
            "positionStatus": "Normal", "autoAddMargin": 0, "adlRankIndicator": 0, "leverage": "5",
            "markPrice": str(self.account.mark), "liqPrice": "", "bustPrice": "", "tpslMode": "Full",
            "seq": 1, "isReduceOnly": False, "mmrSysUpdatedTime": "", "leverageSysUpdatedTime": "",
            "createdTime": str(now_ms()), "updatedTime": str(now_ms()),
        }  # fmt: skip

    def _wallet(self) -> Message:
        wallet = str(self.account.wallet)
        rates = dict.fromkeys(("accountIMRate", "accountMMRate", "accountLTV"), "0")
        totals = dict.fromkeys(
            ("totalEquity", "totalWalletBalance", "totalMarginBalance", "totalAvailableBalance"), wallet
        )
        used = dict.fromkeys(
            ("totalInitialMargin", "totalMaintenanceMargin", "totalPerpUPL", "totalPerpUpl"), "0"
        )
        none = dict.fromkeys(
            (
                "availableToBorrow", "bonus", "accruedInterest", "totalOrderIM", "totalPositionMM",
                "unrealisedPnl", "borrowAmount", "totalPositionIM", "cumRealisedPnl", "locked", "spotBorrow",
            ), "0",
        )  # fmt: skip
        held = dict.fromkeys(("walletBalance", "equity", "usdValue", "availableToWithdraw"), wallet)
        coin = none | held | {"coin": "USDT", "collateralSwitch": True, "marginCollateral": True}
        return rates | totals | used | {"accountType": "UNIFIED", "coin": [coin]}


def _order(order: Order) -> Message:
    return _shown(str(order.number), order, _ANSWERED[order.status], order.filled, order.price)


def _stop(stop: Stop) -> Message:
    order = stop.order
    filled, price = (order.filled, order.price) if order is not None else (Decimal(0), Decimal(0))
    status = "Filled" if order is not None and order.status == "FILLED" else _STOPPED[stop.status]
    return _shown(str(stop.number), stop, status, filled, price) | {
        "stopOrderType": "Stop", "triggerPrice": str(stop.trigger), "triggerBy": _TRIGGERS[stop.by],
        "triggerDirection": 1 if stop.side == "BUY" else 2,
    }  # fmt: skip


def _shown(number: str, order: Order | Stop, status: str, filled: Decimal, price: Decimal) -> Message:
    texts = dict.fromkeys(
        (
            "blockTradeId", "rejectReason", "orderIv", "stopOrderType", "triggerPrice", "takeProfit",
            "stopLoss", "tpTriggerBy", "slTriggerBy", "triggerBy", "tpLimitPrice", "slLimitPrice",
            "smpOrderId", "tpslMode", "placeType",
        ), "",
    )  # fmt: skip
    return texts | {
        "category": "linear", "symbol": SYMBOL, "orderId": number, "orderLinkId": order.name,
        "side": order.side.capitalize(), "orderType": "Market", "timeInForce": "IOC", "price": "0",
        "qty": str(order.quantity), "orderStatus": status, "cancelType": "UNKNOWN", "isLeverage": "",
        "positionIdx": 0, "avgPrice": str(price) if filled else "",
        "leavesQty": str(order.quantity - filled), "leavesValue": "0", "cumExecQty": str(filled),
        "cumExecValue": str(filled * price), "cumExecFee": "0", "triggerDirection": 0,
        "lastPriceOnCreated": "0", "reduceOnly": order.reduce_only, "closeOnTrigger": False,
        "smpType": "None", "smpGroup": 0, "feeCurrency": "USDT", "createType": "CreateByUser",
        "createdTime": str(order.made), "updatedTime": str(now_ms()),
    }  # fmt: skip


def _topic(topic: str, data: Message) -> Message:
    ms = now_ms()
    return {"topic": topic, "id": str(ms), "creationTime": ms, "data": [data]}


def _list(rows: list[Message]) -> Message:
    return {"category": "linear", "nextPageCursor": "", "list": rows}


def _whole(result: Message) -> Message:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": now_ms()}


_FEES = {"symbol": SYMBOL, "takerFeeRate": "0", "makerFeeRate": "0"}
_INSTRUMENT = {
    "symbol": SYMBOL, "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": "ETH",
    "quoteCoin": "USDT", "launchTime": "1569398400000", "deliveryTime": "0", "deliveryFeeRate": "",
    "priceScale": "2", "unifiedMarginTrade": True, "fundingInterval": 480, "settleCoin": "USDT",
    "leverageFilter": {"minLeverage": "1", "maxLeverage": "100", "leverageStep": "0.01"},
    "priceFilter": {"minPrice": "0.01", "maxPrice": "199999.98", "tickSize": "0.01"},
    "lotSizeFilter": {
        "maxOrderQty": "10000.00", "minOrderQty": "0.01", "qtyStep": "0.01",
        "postOnlyMaxOrderQty": "10000.00", "maxMktOrderQty": "2000.00", "minNotionalValue": "5",
    },
}  # fmt: skip
