"""A loopback Binance USD-M venue that takes orders, spoken to by the official adapter."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from aiohttp import web
from fakes.futures_account import (
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

SYMBOL = "ETHUSDT"
Query = dict[str, str]
_REFUSALS: dict[Refusal, tuple[int, str]] = {
    "margin": (-2019, "Margin is insufficient."),
    "reduce only": (-2022, "ReduceOnly Order is rejected."),
    "would trigger": (-2021, "Order would immediately trigger."),
    "unknown order": (-2013, "Order does not exist."),
}
_WORKING_TYPES = {"last": "CONTRACT_PRICE", "mark": "MARK_PRICE"}


class BinanceVenue(TradingVenue):
    """Serve an account as Binance's USD-M futures do: requests, and a user data stream."""

    def __init__(self, account: FuturesAccount | None = None) -> None:
        super().__init__(account)
        self._keys = self._keys_wanted = 0
        self._answers: dict[str, Callable[[Query], Any]] = {
            "GET /fapi/v1/exchangeInfo": lambda query: _exchange_info(),
            "GET /fapi/v1/time": lambda query: {"serverTime": now_ms()},
            "GET /fapi/v2/account": lambda query: self._account(),
            "GET /fapi/v3/positionRisk": lambda query: self._positions(),
            "GET /fapi/v1/positionSide/dual": lambda query: {"dualSidePosition": False},
            "GET /fapi/v1/symbolConfig": lambda query: [_SYMBOL_CONFIG],
            "POST /fapi/v1/listenKey": lambda query: self._listen_key(),
            "PUT /fapi/v1/listenKey": lambda query: {},
            "DELETE /fapi/v1/listenKey": lambda query: {},
            "GET /fapi/v1/order": lambda query: _order(
                self.account.order_of(query.get("orderId"), query.get("origClientOrderId"))
            ),
            "GET /fapi/v1/openOrders": lambda query: [
                _order(each) for each in self._orders() if each.status in ("NEW", "PARTIALLY_FILLED")
            ],
            "GET /fapi/v1/allOrders": lambda query: [_order(each) for each in self._orders()],
            "GET /fapi/v1/userTrades": lambda query: list(map(_trade, self.account.trades)),
            "GET /fapi/v1/openAlgoOrders": lambda query: [_stop(each) for each in self.account.resting()],
            "GET /fapi/v1/allAlgoOrders": lambda query: list(map(_stop, self.account.stops.values())),
            "GET /fapi/v1/algoOrder": lambda query: _stop(
                self.account.stop_of(query.get("algoId"), query.get("clientAlgoId"))
            ),
            "POST /fapi/v1/algoOrder": self._place_stop,
            "DELETE /fapi/v1/algoOrder": self._cancel_stop,
        }

    def cut_stream(self) -> None:
        """Cut all streams; the adapter opens one again, asks for another key, and opens one with that."""
        super().cut_stream()
        self._keys_wanted = self._keys + 1

    @property
    def connected(self) -> bool:
        """Whether the account's changes are heard, with a key of after the last cut."""
        return super().connected and self._keys >= self._keys_wanted

    def _listen_key(self) -> Message:
        self._keys += 1
        return {"listenKey": f"loopback-{self._keys}"}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = f"{request.method} {request.path}"
        try:
            if asked == "POST /fapi/v1/order":
                return await self._place(request)
            answer = self._answers.get(asked)
            if answer is None:
                return web.json_response({"code": -1000, "msg": f"no such path: {asked}"}, status=404)
            return web.json_response(answer(dict(request.query)))
        except RefusedError as error:
            code, text = _REFUSALS[error.refusal]
            return web.json_response({"code": code, "msg": text}, status=400)

    async def _place(self, request: web.Request) -> web.StreamResponse:
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

    async def _receive(self, socket: web.WebSocketResponse, text: str) -> None:
        """Take no notice: the user data stream is not spoken to."""

    def _hears(self, socket: web.WebSocketResponse, message: Message | None = None) -> bool:
        return True

    def _events(self, change: Change) -> list[Message]:
        match change:
            case Order():
                return [_order_event(change, "NEW", self.account.price)]
            case Trade():
                return [
                    _order_event(change.order, "TRADE", self.account.price, change),
                    self._account_event(),
                ]
            case Stop():
                return [_stop_event(change)]

    def pay(self, wallet: str) -> None:
        """Let the account have another balance, and say so."""
        self.account.wallet = Decimal(wallet)
        self.push(self._account_event())

    def _account_event(self) -> Message:
        ms, wallet = now_ms(), str(self.account.wallet)
        held = {
            "s": SYMBOL, "pa": str(self.account.position), "ep": str(self.account.entry), "cr": "0",
            "up": "0", "mt": "cross", "iw": "0", "ps": "BOTH",
        }  # fmt: skip
        balances = [{"a": "USDT", "wb": wallet, "cw": wallet, "bc": "0"}]
        changed = {"m": "ORDER", "B": balances, "P": [held]}
        return {"e": "ACCOUNT_UPDATE", "E": ms, "T": ms, "a": changed}

    def _orders(self) -> list[Order]:
        return list(self.account.orders.values())

    def _place_stop(self, query: Query) -> dict[str, Any]:
        reduce_only = query.get("reduceOnly", "").lower() == "true"
        stop = self.account.place_stop(
            query["clientAlgoId"], query["side"], query["quantity"], query["triggerPrice"], reduce_only,
            "mark" if query.get("workingType") == "MARK_PRICE" else "last",
        )  # fmt: skip
        return _stop(stop)

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
        "symbol": SYMBOL, "orderId": order.number, "clientOrderId": _name(order), "price": "0",
        "origQty": str(order.quantity), "executedQty": str(order.filled), "status": order.status,
        "timeInForce": "GTC", "type": order.kind, "side": order.side, "stopPrice": str(_stop_price(order)),
        "time": order.made, "updateTime": now_ms(), "avgPrice": str(order.price), "origType": order.kind,
        "reduceOnly": order.reduce_only, "positionSide": "BOTH", "closePosition": False,
        "workingType": "CONTRACT_PRICE", "priceProtect": False, "cumQuote": str(order.filled * order.price),
    }  # fmt: skip


def _trade(trade: Trade) -> dict[str, Any]:
    order = trade.order
    return {
        "id": trade.number, "orderId": order.number, "symbol": SYMBOL, "time": trade.ms,
        "price": str(trade.price), "qty": str(trade.quantity), "side": order.side, "positionSide": "BOTH",
        "buyer": order.side == "BUY", "maker": False, "commission": "0", "commissionAsset": "USDT",
        "realizedPnl": "0", "quoteQty": str(trade.price * trade.quantity),
    }  # fmt: skip


def _stop(stop: Stop) -> dict[str, Any]:
    found = {
        "algoId": stop.number, "clientAlgoId": stop.name, "algoType": "CONDITIONAL",
        "orderType": "STOP_MARKET", "symbol": SYMBOL, "side": stop.side, "positionSide": "BOTH",
        "timeInForce": "GTC", "quantity": str(stop.quantity), "algoStatus": stop.status,
        "triggerPrice": str(stop.trigger), "price": "0", "workingType": _WORKING_TYPES[stop.by],
        "reduceOnly": stop.reduce_only, "createTime": stop.made, "updateTime": now_ms(),
    }  # fmt: skip
    return found | ({"actualOrderId": str(stop.order.number)} if stop.order is not None else {})


def _order_event(order: Order, kind: str, price: Decimal, trade: Trade | None = None) -> Message:
    ms = now_ms()
    last, number = (trade.quantity, trade.number) if trade is not None else (Decimal(0), 0)
    data = {
        "s": SYMBOL, "c": _name(order), "S": order.side, "o": order.kind, "f": "GTC",
        "q": str(order.quantity), "p": "0", "ap": str(order.price), "sp": str(_stop_price(order)),
        "x": kind, "X": "NEW" if kind == "NEW" else order.status, "i": order.number, "l": str(last),
        "z": str(order.filled), "L": str(price) if last else "0", "N": "USDT", "n": "0", "T": ms,
        "t": number, "b": "0", "a": "0", "m": False, "R": order.reduce_only, "wt": "CONTRACT_PRICE",
        "ot": order.kind, "ps": "BOTH", "cp": False, "pP": False, "si": 0, "ss": 0, "rp": "0", "gtd": 0,
        "V": "NONE",
    }  # fmt: skip
    return {"e": "ORDER_TRADE_UPDATE", "E": ms, "T": ms, "o": data}


def _stop_event(stop: Stop) -> Message:
    ms, order = now_ms(), stop.order
    data = {
        "caid": stop.name, "aid": stop.number, "at": "CONDITIONAL", "o": "STOP_MARKET", "s": SYMBOL,
        "S": stop.side, "ps": "BOTH", "f": "GTC", "q": str(stop.quantity), "X": stop.status,
        "tp": str(stop.trigger), "p": "0", "wt": _WORKING_TYPES[stop.by], "pm": "NONE", "cp": False,
        "pP": False, "R": stop.reduce_only, "tt": 0, "gtd": 0,
    }  # fmt: skip
    if order is not None:
        filled = {"ai": str(order.number), "ap": str(order.price), "aq": str(order.filled)}
        data |= {**filled, "act": "MARKET"}
    return {"e": "ALGO_UPDATE", "E": ms, "T": ms, "o": data}


def _name(order: Order) -> str:
    return order.name or f"web_{order.number}"


def _stop_price(order: Order) -> Decimal:
    return order.stop.trigger if order.stop is not None else Decimal(0)


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
