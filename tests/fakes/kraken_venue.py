"""A loopback Kraken that takes orders on its linear futures, spoken to by the official adapter."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from weakref import WeakKeyDictionary

from aiohttp import web
from fakes.futures_account import Change, FuturesAccount, Order, Refusal, RefusedError, Stop, Trade, now_ms
from fakes.trading_venue import Message, TradingVenue

SYMBOL = "PF_ETHUSD"
Query = dict[str, str]
_REFUSALS: dict[Refusal, str] = {
    "margin": "insufficientAvailableFunds",
    "reduce only": "wouldNotReducePosition",
    "would trigger": "wouldTriggerImmediately",
    "unknown order": "notFound",
}


class KrakenVenue(TradingVenue):
    """Serve an account as Kraken's futures do: requests that take orders, a stream of orders and fills."""

    def __init__(self, account: FuturesAccount | None = None) -> None:
        super().__init__(account)
        self._feeds: WeakKeyDictionary[web.WebSocketResponse, set[str]] = WeakKeyDictionary()
        self._answers: dict[str, Callable[[Query], Message]] = {
            "GET /derivatives/api/v3/instruments": lambda query: {"instruments": [_INSTRUMENT]},
            "GET /derivatives/api/v3/accounts": lambda query: {"accounts": {"flex": self._flex()}},
            "GET /derivatives/api/v3/openpositions": lambda query: {"openPositions": self._positions()},
            "GET /derivatives/api/v3/openorders": lambda query: {"openOrders": self._open_orders()},
            "GET /derivatives/api/v3/fills": lambda query: {"fills": list(map(_fill, self.account.trades))},
            "GET /api/history/v2/orders": lambda query: {"orderEvents": self._history()},
            "POST /derivatives/api/v3/cancelorder": self._cancel,
        }

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = f"{request.method} {request.path}"
        query = dict(request.query) | {key: str(value) for key, value in (await request.post()).items()}
        if asked == "POST /derivatives/api/v3/sendorder":
            return self._send_order(request, query)
        answer = self._answers.get(asked)
        if answer is None:
            return web.json_response({"result": "error", "error": f"no such path: {asked}"}, status=404)
        return web.json_response(_success(answer(query)))

    async def _receive(self, socket: web.WebSocketResponse, text: str) -> None:
        message = json.loads(text)
        if message["event"] == "challenge":
            self._send(socket, {"event": "challenge", "message": "226aee50-88fc-4618-a42a-34f7709570b2"})
        elif message["event"] == "subscribe":
            self._feeds.setdefault(socket, set()).add(message["feed"])
            self._send(socket, {"event": "subscribed", "feed": message["feed"]})

    def _send_order(self, request: web.Request, query: Query) -> web.Response:
        try:
            events, behaviour = self._place(query)
        except RefusedError as error:
            status = {"status": _REFUSALS[error.refusal], "cli_ord_id": query["cliOrdId"]}
            return web.json_response(_success({"sendStatus": status}))
        if behaviour in ("lost", "mute", "dropped"):
            assert request.transport is not None
            request.transport.abort()
        if behaviour in ("unknown", "unheard"):
            return web.json_response({"result": "error", "error": "Unavailable"}, status=503)
        return web.json_response(_success({"sendStatus": {"status": "placed", **events}}))

    def _place(self, query: Query) -> tuple[Message, str]:
        assert query["symbol"] == SYMBOL and len(query["cliOrdId"]) <= 18, query
        side, reduce_only = query["side"].upper(), query.get("reduceOnly") == "true"
        if query["orderType"] == "mkt":
            order, behaviour = self.account.place(query["cliOrdId"], side, query["size"], reduce_only)
            executed = {
                "type": "EXECUTION", "executionId": str(order.number), "price": float(self.account.price),
                "amount": float(order.filled), "orderPriorExecution": _event(order, str(order.number)),
            }  # fmt: skip
            return {"order_id": str(order.number), "orderEvents": [executed]}, behaviour
        assert query["orderType"] == "stp" and "limitPrice" not in query, query
        stop = self.account.place_stop(
            query["cliOrdId"], side, query["size"], query["stopPrice"], reduce_only, query["triggerSignal"]
        )
        return {"order_id": str(stop.number), "orderEvents": []}, "fill"

    def _cancel(self, query: Query) -> Message:
        status, number = "cancelled", query.get("order_id")
        try:
            self.account.cancel_stop(int(number) if number else None, query.get("cliOrdId"))
        except RefusedError:
            status = "notFound"
        return {"cancelStatus": {"status": status, "order_id": number}}

    def _hears(self, socket: web.WebSocketResponse, message: Message | None = None) -> bool:
        feeds = self._feeds.get(socket, set())
        return message["feed"] in feeds if message is not None else {"fills", "open_orders"} <= feeds

    def _events(self, change: Change) -> list[Message]:
        match change:
            case Order():
                return []
            case Trade():
                return [{"feed": "fills", "username": "1", "fills": [_pushed(change)]}]
            case Stop() if change.status == "NEW":
                placed = {"is_cancel": False, "reason": "new_placed_order_by_user"}
                return [{"feed": "open_orders", "order": _resting(change), **placed}]
            case Stop() if change.status in ("CANCELED", "TRIGGERED"):
                reason = "cancelled_by_user" if change.status == "CANCELED" else "stop_order_triggered"
                gone = {"order_id": str(change.number), "cli_ord_id": change.name, "is_cancel": True}
                return [{"feed": "open_orders", **gone, "reason": reason}]
        return []

    def _open_orders(self) -> list[Message]:
        partly = [each for each in self.account.orders.values() if each.status == "PARTIALLY_FILLED"]
        return [_open(each) for each in (*self.account.resting(), *partly)]

    def _history(self) -> list[Message]:
        """Return what became of every order, the newest first."""
        events = [
            {"type": "FILL", "order": _event(each, _number(each)), "reducedQuantity": None}
            for each in self.account.orders.values()
            if each.status == "FILLED"
        ]
        events += [
            {"type": "CANCEL", "order": _event(each, str(each.number)), "reducedQuantity": None}
            for each in self.account.stops.values()
            if each.status == "CANCELED"
        ]
        return events[::-1]

    def _positions(self) -> list[Message]:
        account = self.account
        if not account.position:
            return []
        held = {"side": "long" if account.position > 0 else "short", "size": float(abs(account.position))}
        return [{"symbol": SYMBOL, "price": float(account.entry), "fillTime": _iso(now_ms()), **held}]

    def _flex(self) -> Message:
        wallet = float(self.account.wallet)
        usd = {"quantity": wallet, "value": wallet, "collateral": wallet, "available": wallet}
        sums = dict.fromkeys(("portfolioValue", "availableMargin", "balanceValue", "collateralValue"), wallet)
        none = dict.fromkeys(("initialMargin", "maintenanceMargin", "pnl", "unrealizedFunding"), 0.0)
        return {"type": "multiCollateralMarginAccount", "currencies": {"USD": usd}, **sums, **none}


def _open(order: Order | Stop) -> Message:
    filled = order.filled if isinstance(order, Order) else Decimal(0)
    shown = {
        "order_id": str(order.number), "symbol": SYMBOL, "side": order.side.lower(),
        "orderType": "mkt", "unfilledSize": float(order.quantity - filled), "filledSize": float(filled),
        "receivedTime": _iso(order.made), "status": "partiallyFilled" if filled else "untouched",
        "reduceOnly": order.reduce_only, "lastUpdateTime": _iso(now_ms()), "cli_ord_id": order.name,
    }  # fmt: skip
    if isinstance(order, Stop):
        shown |= {"orderType": "stop", "stopPrice": float(order.trigger), "triggerSignal": order.by}
    return shown


def _resting(stop: Stop) -> Message:
    return {
        "instrument": SYMBOL, "time": stop.made, "last_update_time": now_ms(), "qty": float(stop.quantity),
        "filled": 0.0, "limit_price": 0.0, "stop_price": float(stop.trigger), "type": "stop",
        "order_id": str(stop.number), "cli_ord_id": stop.name, "direction": int(stop.side == "SELL"),
        "reduce_only": stop.reduce_only, "triggerSignal": stop.by,
    }  # fmt: skip


def _event(order: Order | Stop, number: str) -> Message:
    shown = {
        "orderId": number, "cliOrdId": order.name or None, "type": "mkt", "symbol": SYMBOL,
        "side": order.side.lower(), "quantity": float(order.quantity), "reduceOnly": order.reduce_only,
        "filled": float(order.filled) if isinstance(order, Order) else 0.0,
        "timestamp": _iso(order.made), "lastUpdateTimestamp": _iso(now_ms()),
    }  # fmt: skip
    stop = order if isinstance(order, Stop) else order.stop
    return shown | ({"type": "stp", "stopPrice": float(stop.trigger)} if stop is not None else {})


def _fill(trade: Trade) -> Message:
    return {
        "fill_id": str(trade.number), "symbol": SYMBOL, "side": trade.order.side.lower(),
        "order_id": _number(trade.order), "fillTime": _iso(trade.ms), "size": float(trade.quantity),
        "price": float(trade.price), "fillType": "taker", "cli_ord_id": trade.order.name or None,
        "fee_paid": 0.0, "fee_currency": "USD",
    }  # fmt: skip


def _pushed(trade: Trade) -> Message:
    order = trade.order
    return {
        "instrument": SYMBOL, "time": trade.ms, "price": float(trade.price), "seq": trade.number,
        "buy": order.side == "BUY", "qty": float(trade.quantity), "order_id": _number(order),
        "remaining_order_qty": float(order.quantity - order.filled), "fill_id": str(trade.number),
        "fill_type": "taker", "fee_paid": 0.0, "fee_currency": "USD", "taker_order_type": "market",
        "order_type": "market", **({"cli_ord_id": order.name} if order.name else {}),
    }  # fmt: skip


def _number(order: Order) -> str:
    """Return an order's number; a stop that was set off keeps its own."""
    return str(order.stop.number if order.stop is not None else order.number)


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000.0, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _success(answer: Message) -> Message:
    return {"result": "success", "serverTime": _iso(now_ms()), **answer}


_INSTRUMENT = {
    "symbol": SYMBOL, "type": "flexible_futures", "tickSize": 0.1, "contractSize": 1, "tradeable": True,
    "impactMidSize": 1.5, "maxPositionSize": 16000.0, "openingDate": "2022-03-22T13:18:45Z",
    "marginLevels": [{"numNonContractUnits": 0.0, "initialMargin": 0.02, "maintenanceMargin": 0.01}],
    "fundingRateCoefficient": 24, "maxRelativeFundingRate": 0.0025, "isin": "GB00BQ84K502",
    "contractValueTradePrecision": 3, "postOnly": False, "mtf": True, "base": "ETH", "quote": "USD",
    "feeScheduleUid": "723888f7-0a8e-4183-8648-f920a22339e3", "pair": "ETH:USD",
}  # fmt: skip
