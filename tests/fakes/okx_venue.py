"""A loopback OKX that takes orders on a linear swap of 0.1 ETH, spoken to by the official adapter."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import web
from fakes.futures_account import (
    Behaviour,
    Change,
    FuturesAccount,
    Order,
    Refusal,
    RefusedError,
    Stop,
    Trade,
    now_ms,
)
from fakes.trading_venue import Message, TradingVenue

SYMBOL, CODE, CONTRACT = "ETH-USDT-SWAP", 10461, Decimal("0.1")
Query = dict[str, Any]
_REFUSALS: dict[Refusal, tuple[str, str]] = {
    "margin": ("51008", "Order failed. Insufficient USDT margin in account"),
    "reduce only": ("51169", "Order failed because you don't have any positions to reduce"),
    "would trigger": ("51280", "SL trigger price must be higher than the last price"),
    "unknown order": (
        "51400",
        "Cancellation failed as the order does not exist.",
    ),
}
_STATES = {"FILLED": "filled", "PARTIALLY_FILLED": "partially_filled", "NEW": "live"}
_STOPPED = {"NEW": "live", "CANCELED": "canceled", "TRIGGERED": "effective", "FINISHED": "effective"}
_NAME = re.compile(r"[A-Za-z0-9]{1,32}")


class OKXVenue(TradingVenue):
    """Serve an account as OKX does: a private stream that takes orders, stops as algo orders by request."""

    def __init__(self, account: FuturesAccount | None = None) -> None:
        super().__init__(account)
        self._channels: WeakKeyDictionary[web.WebSocketResponse, set[str]] = WeakKeyDictionary()
        self._answers: dict[str, Callable[[Query], list[Message]]] = {
            "GET /api/v5/public/time": lambda query: [{"ts": str(now_ms())}],
            "GET /api/v5/public/instruments": lambda query: [_INSTRUMENT],
            "GET /api/v5/account/trade-fee": lambda query: [_FEES],
            "GET /api/v5/account/balance": lambda query: [self._balance()],
            "GET /api/v5/account/positions": lambda query: self._positions(),
            "GET /api/v5/trade/orders-pending": lambda query: self._orders(("NEW", "PARTIALLY_FILLED")),
            "GET /api/v5/trade/orders-history": lambda query: self._orders(("FILLED",)),
            "GET /api/v5/trade/fills": lambda query: [_fill(each) for each in self.account.trades],
            "GET /api/v5/trade/orders-algo-pending": lambda query: self._stops(query, resting=True),
            "GET /api/v5/trade/orders-algo-history": lambda query: self._stops(query, resting=False),
            "GET /api/v5/trade/order-algo": self._stop_asked_for,
            "POST /api/v5/trade/order": self._place_order,
            "POST /api/v5/trade/order-algo": self._place_stop,
            "POST /api/v5/trade/cancel-algos": self._cancel_stop,
        }

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = f"{request.method} {request.path}"
        answer = self._answers.get(asked)
        if answer is None:
            return web.json_response({"code": "404", "msg": f"no such path: {asked}", "data": []}, status=404)
        query: Query = dict(request.query)
        if request.method == "POST":
            body = await request.json()
            query = body[0] if isinstance(body, list) else body
        try:
            return web.json_response({"code": "0", "msg": "", "data": answer(query)})
        except RefusedError as error:
            code, text = _REFUSALS[error.refusal]
            if request.method == "GET":
                return web.json_response({"code": "51603", "msg": "Order does not exist", "data": []})
            failed = [
                {"algoId": "", "ordId": "", "clOrdId": query.get("clOrdId", ""), "sCode": code, "sMsg": text}
            ]
            return web.json_response({"code": "1", "msg": "All operations failed", "data": failed})

    async def _receive(self, socket: web.WebSocketResponse, text: str) -> None:
        if text == "ping":
            self._send(socket, "pong")
            return
        message = json.loads(text)
        match message["op"]:
            case "login":
                self._send(socket, {"event": "login", "code": "0", "msg": "", "connId": "1"})
            case "subscribe":
                for arg in message["args"]:
                    self._channels.setdefault(socket, set()).add(arg["channel"])
                    self._send(socket, {"event": "subscribe", "arg": arg, "connId": "1"})
            case "order":
                self.requests.append("order")
                self._take(socket, message)

    def _take(self, socket: web.WebSocketResponse, message: Message) -> None:
        """Answer an order; what it changed follows on the stream."""
        (asked,) = message["args"]
        assert asked["instIdCode"] == CODE, asked
        with self._answering():
            answer = {"id": message["id"], "op": "order", "code": "0", "msg": ""}
            try:
                order, behaviour = self._place(asked)
                done = {"ordId": str(order.number), "sCode": "0", "sMsg": ""}
            except RefusedError as error:
                behaviour, (code, text) = "fill", _REFUSALS[error.refusal]
                answer["code"], done = "1", {"ordId": "", "sCode": code, "sMsg": text}
            if behaviour in ("lost", "mute", "dropped"):
                self._cut(socket)
            elif behaviour in ("unknown", "unheard"):
                self._send(
                    socket, answer | {"code": "50004", "msg": "API endpoint request timeout", "data": []}
                )
            else:
                self._send(socket, answer | {"data": [done | {"clOrdId": asked["clOrdId"], "tag": ""}]})

    def _place(self, asked: Query) -> tuple[Order, Behaviour]:
        assert asked["ordType"] == "market" and asked["tdMode"] == "cross", asked
        assert asked.get("posSide", "net") == "net" and _NAME.fullmatch(asked["clOrdId"]), asked
        reduce_only = asked.get("reduceOnly", False)
        return self.account.place(asked["clOrdId"], asked["side"].upper(), _coins(asked["sz"]), reduce_only)

    def _place_order(self, asked: Query) -> list[Message]:
        """Take an order by request; only a stream is ever lost here."""
        assert asked["instId"] == SYMBOL and not self.account.behaviours, asked
        order, _ = self._place(asked)
        return [{"ordId": str(order.number), "clOrdId": order.name, "sCode": "0", "sMsg": "", "tag": ""}]

    def _place_stop(self, asked: Query) -> list[Message]:
        assert asked["ordType"] == "trigger" and asked["orderPx"] == "-1", asked
        assert asked["tdMode"] == "cross" and asked.get("posSide", "net") == "net", asked
        assert asked["instId"] == SYMBOL and _NAME.fullmatch(asked["algoClOrdId"]), asked
        stop = self.account.place_stop(
            asked["algoClOrdId"], asked["side"].upper(), _coins(asked["sz"]), asked["triggerPx"],
            asked.get("reduceOnly", False), asked.get("triggerPxType", "last"),
        )  # fmt: skip
        return [{"algoId": str(stop.number), "algoClOrdId": stop.name, "sCode": "0", "sMsg": ""}]

    def _cancel_stop(self, asked: Query) -> list[Message]:
        stop = self.account.cancel_stop(int(asked["algoId"]), None)
        return [{"algoId": str(stop.number), "sCode": "0", "sMsg": ""}]

    def _hears(self, socket: web.WebSocketResponse, message: Message | None = None) -> bool:
        channels = self._channels.get(socket, set())
        return message["arg"]["channel"] in channels if message is not None else "orders" in channels

    @property
    def connected(self) -> bool:
        """Whether both streams that tell of the account are heard."""
        heard = set().union(*(self._channels.get(each, set()) for each in self._sockets))
        return {"orders", "orders-algo", "account"} <= heard

    def _events(self, change: Change) -> list[Message]:
        match change:
            case Order():
                return [_push("orders", _order(change))]
            case Trade():
                return [_push("orders", _order(change.order, change)), _push("account", self._balance())]
            case Stop():
                return [_push("orders-algo", _stop(change))] if change.status != "FINISHED" else []

    def _orders(self, statuses: tuple[str, ...]) -> list[Message]:
        return [_order(each) for each in self.account.orders.values() if each.status in statuses]

    def _stops(self, query: Query, resting: bool) -> list[Message]:
        """Return algo orders as OKX does: of one type, those that rest, or closed ones by their number."""
        if query.get("ordType") != "trigger":
            return []
        found = [each for each in self.account.stops.values() if (each.status == "NEW") == resting]
        for name, value in (("algoId", "number"), ("algoClOrdId", "name")):
            found = [
                each
                for each in found
                if query.get(name, str(getattr(each, value))) == str(getattr(each, value))
            ]
        return [_stop(each) for each in found]

    def _stop_asked_for(self, query: Query) -> list[Message]:
        return [_stop(self.account.stop_of(query.get("algoId"), query.get("algoClOrdId")))]

    def _positions(self) -> list[Message]:
        account = self.account
        if not account.position:
            return []
        zeros = dict.fromkeys(
            (
                "fee", "liqPx", "mmr", "interest", "notionalUsd", "upl", "uplRatio", "margin", "mgnRatio",
                "adl", "realizedPnl", "uplLastPx", "uplRatioLastPx", "availPos", "bePx", "fundingFee",
                "idxPx", "liqPenalty", "optVal", "pendingCloseOrdLiabVal", "pnl", "quoteBal",
                "quoteBorrowed", "quoteInterest", "spotInUseAmt", "usdPx", "baseBal",
            ), "0",
        )  # fmt: skip
        held = zeros | {
            "instId": SYMBOL, "instType": "SWAP", "mgnMode": "cross", "posId": "1", "posSide": "net",
            "pos": _contracts(account.position), "ccy": "USDT", "lever": "5", "last": str(account.price),
            "markPx": str(account.mark), "tradeId": "1", "avgPx": str(account.entry), "posCcy": "",
            "spotInUseCcy": "", "uTime": str(now_ms()), "cTime": str(now_ms()),
        }  # fmt: skip
        return [held]

    def _balance(self) -> Message:
        wallet = str(self.account.wallet)
        nothing = dict.fromkeys(
            (
                "accAvgPx", "borrowFroz", "clSpotInUseAmt", "crossLiab", "interest", "isoLiab", "liab",
                "maxLoan", "maxSpotInUseAmt", "mgnRatio", "openAvgPx", "spotBal", "spotInUseAmt", "spotUpl",
                "spotUplRatio", "totalPnl", "totalPnlRatio", "uplLiab",
            ), "",
        )  # fmt: skip
        zeros = dict.fromkeys(
            (
                "fixedBal", "frozenBal", "imr", "isoEq", "isoUpl", "mmr", "notionalLever", "ordFrozen",
                "rewardBal", "smtSyncEq", "spotCopyTradingEq", "spotIsoBal", "stgyEq", "twap", "upl",
            ), "0",
        )  # fmt: skip
        held = dict.fromkeys(("availBal", "availEq", "cashBal", "disEq", "eq", "eqUsd"), wallet)
        coin = nothing | zeros | held | {"ccy": "USDT", "collateralEnabled": False, "uTime": str(now_ms())}
        whole = dict.fromkeys(
            (
                "adjEq", "borrowFroz", "imr", "isoEq", "mgnRatio", "mmr", "notionalUsd", "ordFroz", "upl",
                "notionalUsdForBorrow", "notionalUsdForFutures", "notionalUsdForOption",
                "notionalUsdForSwap", "availEq",
            ), "",
        )  # fmt: skip
        return whole | {"totalEq": wallet, "uTime": str(now_ms()), "details": [coin]}


def _order(order: Order, trade: Trade | None = None) -> Message:
    stop = order.stop
    nothing = dict.fromkeys(
        (
            "attachAlgoClOrdId", "cancelSource", "cancelSourceReason", "pxType", "pxUsd", "pxVol",
            "quickMgnType", "slOrdPx", "slTriggerPx", "slTriggerPxType", "source", "stpId", "tag", "tgtCcy",
            "tpOrdPx", "tpTriggerPx", "tpTriggerPxType", "px", "reqId",
        ), "",
    )  # fmt: skip
    filled = order.filled if trade is not None or order.status != "NEW" else Decimal(0)
    return nothing | {
        "accFillSz": _contracts(filled), "avgPx": str(order.price), "attachAlgoOrds": [],
        "algoId": str(stop.number) if stop is not None else "",
        "algoClOrdId": stop.name if stop is not None else "",
        "clOrdId": "" if stop is not None else order.name, "cTime": str(order.made), "category": "normal",
        "ccy": "", "execType": "T" if trade is not None else "", "fee": "0", "feeCcy": "USDT",
        "fillPx": str(trade.price) if trade is not None else "", "fillTime": str(now_ms()),
        "fillSz": _contracts(trade.quantity) if trade is not None else "0", "instId": SYMBOL,
        "instType": "SWAP", "isTpLimit": "false", "lever": "5", "linkedAlgoOrd": {"algoId": ""},
        "ordId": str(order.number), "ordType": "market", "pnl": "0", "posSide": "net", "rebate": "0",
        "rebateCcy": "USDT", "reduceOnly": str(order.reduce_only).lower(), "side": order.side.lower(),
        "state": _STATES[order.status], "stpMode": "cancel_maker", "sz": _contracts(order.quantity),
        "tdMode": "cross", "tradeId": str(trade.number) if trade is not None else "",
        "uTime": str(now_ms()),
    }  # fmt: skip


def _stop(stop: Stop) -> Message:
    order = stop.order
    return {
        "algoId": str(stop.number), "algoClOrdId": stop.name, "clOrdId": "",
        "ordId": str(order.number) if order is not None else "", "instId": SYMBOL, "instType": "SWAP",
        "ordType": "trigger", "state": _STOPPED[stop.status], "side": stop.side.lower(), "posSide": "net",
        "sz": _contracts(stop.quantity), "triggerPx": str(stop.trigger), "triggerPxType": stop.by,
        "ordPx": "-1", "tdMode": "cross", "lever": "5", "reduceOnly": str(stop.reduce_only).lower(),
        "actualPx": "", "actualSz": "0", "notionalUsd": "", "triggerTime": "", "tag": "",
        "cTime": str(stop.made), "uTime": str(now_ms()), "actualSide": "",
    }  # fmt: skip


def _fill(trade: Trade) -> Message:
    return {
        "instType": "SWAP", "instId": SYMBOL, "tradeId": str(trade.number),
        "ordId": str(trade.order.number), "clOrdId": trade.order.name if trade.order.stop is None else "",
        "billId": str(trade.number), "fillPx": str(trade.price), "fillSz": _contracts(trade.quantity),
        "side": trade.order.side.lower(), "execType": "T", "feeCcy": "USDT", "fee": "0",
        "ts": str(trade.ms),
    }  # fmt: skip


def _push(channel: str, data: Message) -> Message:
    return {"arg": {"channel": channel, "instType": "SWAP"}, "data": [data]}


def _coins(contracts: str) -> str:
    return str(Decimal(contracts) * CONTRACT)


def _contracts(coins: Decimal) -> str:
    return f"{coins / CONTRACT:f}"


_FEES = {
    "category": "1", "delivery": "", "exercise": "", "instType": "SWAP", "level": "Lv1", "maker": "0",
    "makerU": "0", "makerUSDC": "", "taker": "0", "takerU": "0", "takerUSDC": "", "ts": "1608623626000",
    "uly": "",
}  # fmt: skip
_INSTRUMENT = {
    **dict.fromkeys(
        (
            "alias", "auctionEndTime", "baseCcy", "contTdSwTime", "expTime", "maxMktAmt", "maxPlatOILmt",
            "openType", "optType", "posLmtAmt", "posLmtPct", "preMktSwTime", "quoteCcy", "stk",
        ), "",
    ),
    "category": "1", "ctMult": "1", "ctType": "linear", "ctVal": str(CONTRACT), "ctValCcy": "ETH",
    "futureSettlement": False, "instFamily": "ETH-USDT", "instId": SYMBOL, "instIdCode": CODE,
    "instType": "SWAP", "lever": "100", "listTime": "1573557408000", "lotSz": "0.01",
    "maxIcebergSz": "100000000", "maxLmtAmt": "20000000", "maxLmtSz": "100000000", "maxMktSz": "20000",
    "maxStopSz": "20000", "maxTriggerSz": "100000000", "maxTwapSz": "100000000", "minSz": "0.01",
    "ruleType": "normal", "settleCcy": "USDT", "state": "live", "tickSz": "0.01", "tradeQuoteCcyList": [],
    "uly": "ETH-USDT",
}  # fmt: skip
