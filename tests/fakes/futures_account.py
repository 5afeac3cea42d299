"""A USD-M futures account on the loopback interface: orders, fills, position and stops, as at Binance."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any, Literal

SYMBOL = "ETHUSDT"
Behaviour = Literal["fill", "part", "refuse", "lost", "mute", "unknown", "unheard", "dropped"]
"""
What becomes of the next market order: filled; half filled and the rest later; refused; filled but never
acknowledged; filled with neither acknowledgement nor event; filled and answered with 503, execution status
unknown; the same without an event; lost before it was accepted.
"""


def now_ms() -> int:
    """Return the time in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass
class Order:
    """One order of the matching engine."""

    number: int
    name: str
    side: str
    quantity: Decimal
    reduce_only: bool
    kind: str = "MARKET"
    filled: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    status: str = "NEW"
    stop_price: Decimal = Decimal(0)
    made: int = field(default_factory=now_ms)

    @property
    def sign(self) -> int:
        """One for a purchase, minus one for a sale."""
        return 1 if self.side == "BUY" else -1


@dataclass
class Stop:
    """One conditional order, which becomes an order when it is triggered."""

    number: int
    name: str
    side: str
    quantity: Decimal
    trigger: Decimal
    reduce_only: bool
    status: str = "NEW"
    order: Order | None = None
    made: int = field(default_factory=now_ms)


class RefusedError(Exception):
    """The venue's answer to a request that it does not take."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.body = {"code": code, "msg": text}
        self.status = status


class FuturesAccount:
    """
    One account in one-way mode with one symbol.

    Parameters
    ----------
    price : str
        Of the symbol.
    wallet : str
        USDT.

    Attributes
    ----------
    position, entry : Decimal
        Signed quantity and average entry price.
    orders, stops : dict
        By number.
    behaviours : deque of Behaviour
        What becomes of the next market orders; filled where it is empty.
    tell : callable
        Is handed every event of the user data stream.

    """

    def __init__(self, price: str = "2000.00", wallet: str = "100000") -> None:
        self.price = Decimal(price)
        self.wallet = Decimal(wallet)
        self.position = self.entry = Decimal(0)
        self.orders: dict[int, Order] = {}
        self.stops: dict[int, Stop] = {}
        self.trades: list[dict[str, Any]] = []
        self.behaviours: deque[Behaviour] = deque()
        self.largest = Decimal(0)
        self.tell: Callable[[dict[str, Any]], None] = lambda event: None
        self._numbers, self._trade_numbers = count(1_000_001), count(5_000_001)

    def place(self, name: str, side: str, quantity: str, reduce_only: bool) -> tuple[Order, Behaviour]:
        """Take a market order, fill it as its behaviour says, and return both."""
        behaviour: Behaviour = self.behaviours.popleft() if self.behaviours else "fill"
        if behaviour == "refuse":
            raise RefusedError(-2019, "Margin is insufficient.")
        order = Order(next(self._numbers), name, side, Decimal(quantity), reduce_only)
        if behaviour == "dropped":
            return order, behaviour
        if reduce_only:
            if self.position * order.sign >= 0:
                raise RefusedError(-2022, "ReduceOnly Order is rejected.")
            order.quantity = min(order.quantity, abs(self.position))
        self.orders[order.number] = order
        told, self.tell = self.tell, (lambda event: None) if behaviour in ("mute", "unheard") else self.tell
        try:
            self.tell(self._event(order, "NEW"))
            part = order.quantity / 2 if behaviour == "part" else order.quantity
            self.fill(order, part)
        finally:
            self.tell = told
        return order, behaviour

    def fill(self, order: Order, quantity: Decimal) -> None:
        """Fill a part of an order at the price."""
        self._move(order.sign * quantity)
        total = order.filled + quantity
        order.price = (order.price * order.filled + self.price * quantity) / total
        order.filled = total
        order.status = "FILLED" if total == order.quantity else "PARTIALLY_FILLED"
        trade = {
            "id": next(self._trade_numbers), "orderId": order.number, "symbol": SYMBOL, "time": now_ms(),
            "price": str(self.price), "qty": str(quantity), "side": order.side, "positionSide": "BOTH",
            "buyer": order.side == "BUY", "maker": False, "commission": "0", "commissionAsset": "USDT",
            "realizedPnl": "0", "quoteQty": str(self.price * quantity),
        }  # fmt: skip
        self.trades.append(trade)
        self.tell(self._event(order, "TRADE", quantity, trade["id"]))
        self.tell(self._account_event())

    def complete(self) -> None:
        """Fill what is left of every order."""
        for order in self.orders.values():
            if order.status == "PARTIALLY_FILLED":
                self.fill(order, order.quantity - order.filled)

    def by_hand(self, side: str, quantity: str, told: bool = True) -> None:
        """Trade as the trader does on the venue's own page."""
        tell, self.tell = self.tell, self.tell if told else (lambda event: None)
        try:
            self.place(f"web_{next(self._numbers)}", side, quantity, False)
        finally:
            self.tell = tell

    def place_stop(self, name: str, side: str, quantity: str, trigger: str, reduce_only: bool) -> Stop:
        """Rest a conditional order."""
        above = Decimal(trigger) > self.price
        if above != (side == "BUY"):
            raise RefusedError(-2021, "Order would immediately trigger.")
        number = next(self._numbers)
        stop = Stop(number, name, side, Decimal(quantity), Decimal(trigger), reduce_only)
        self.stops[number] = stop
        self.tell(self._stop_event(stop))
        return stop

    def cancel_stop(self, number: int | None, name: str | None) -> Stop:
        """Take a conditional order off, by the node or by hand."""
        for stop in self.stops.values():
            if stop.status == "NEW" and (stop.number == number or (number is None and stop.name == name)):
                stop.status = "CANCELED"
                self.tell(self._stop_event(stop))
                return stop
        raise RefusedError(-2011, "Unknown order sent.")

    def move_price(self, price: str) -> None:
        """Move the price and trigger the stops that it reaches."""
        self.price = Decimal(price)
        for stop in self.resting():
            reached = self.price >= stop.trigger if stop.side == "BUY" else self.price <= stop.trigger
            if not reached:
                continue
            order = Order(next(self._numbers), stop.name, stop.side, stop.quantity, True, "STOP_MARKET")
            order.stop_price, stop.order = stop.trigger, order
            self.orders[order.number] = order
            stop.status = "TRIGGERED"
            self.tell(self._stop_event(stop))
            self.tell(self._event(order, "NEW"))
            self.fill(order, min(order.quantity, abs(self.position)))
            stop.status = "FINISHED"
            self.tell(self._stop_event(stop))

    def resting(self) -> list[Stop]:
        """Return the stops that rest."""
        return [stop for stop in self.stops.values() if stop.status == "NEW"]

    def order_of(self, number: str | None, name: str | None) -> Order:
        """Return an order by its number or its client's name."""
        for order in self.orders.values():
            if str(order.number) == number or (number is None and order.name == name):
                return order
        raise RefusedError(-2013, "Order does not exist.")

    def stop_of(self, number: str | None, name: str | None) -> Stop:
        """Return a conditional order by its number or its client's name."""
        for stop in self.stops.values():
            if str(stop.number) == number or (number is None and stop.name == name):
                return stop
        raise RefusedError(-2013, "Order does not exist.")

    def _move(self, change: Decimal) -> None:
        after = self.position + change
        if self.position * change >= 0:
            held = abs(self.position)
            self.entry = (self.entry * held + self.price * abs(change)) / (held + abs(change))
        else:
            closed = min(abs(change), abs(self.position))
            self.wallet += closed * (self.price - self.entry) * (1 if self.position > 0 else -1)
            if self.position * after <= 0:
                self.entry = self.price if after else Decimal(0)
        self.position = after
        self.largest = max(self.largest, abs(after))

    def _event(self, order: Order, kind: str, last: Decimal = Decimal(0), trade: int = 0) -> dict[str, Any]:
        ms = now_ms()
        data = {
            "s": SYMBOL, "c": order.name, "S": order.side, "o": order.kind, "f": "GTC",
            "q": str(order.quantity), "p": "0", "ap": str(order.price), "sp": str(order.stop_price),
            "x": kind, "X": "NEW" if kind == "NEW" else order.status, "i": order.number, "l": str(last),
            "z": str(order.filled), "L": str(self.price) if last else "0", "N": "USDT", "n": "0", "T": ms,
            "t": trade, "b": "0", "a": "0", "m": False, "R": order.reduce_only, "wt": "CONTRACT_PRICE",
            "ot": order.kind, "ps": "BOTH", "cp": False, "pP": False, "si": 0, "ss": 0, "rp": "0", "gtd": 0,
            "V": "NONE",
        }  # fmt: skip
        return {"e": "ORDER_TRADE_UPDATE", "E": ms, "T": ms, "o": data}

    def _account_event(self) -> dict[str, Any]:
        ms, wallet = now_ms(), str(self.wallet)
        held = {
            "s": SYMBOL, "pa": str(self.position), "ep": str(self.entry), "cr": "0", "up": "0", "mt": "cross",
            "iw": "0", "ps": "BOTH",
        }  # fmt: skip
        balances = [{"a": "USDT", "wb": wallet, "cw": wallet, "bc": "0"}]
        changed = {"m": "ORDER", "B": balances, "P": [held]}
        return {"e": "ACCOUNT_UPDATE", "E": ms, "T": ms, "a": changed}

    def _stop_event(self, stop: Stop) -> dict[str, Any]:
        ms, order = now_ms(), stop.order
        data = {
            "caid": stop.name, "aid": stop.number, "at": "CONDITIONAL", "o": "STOP_MARKET", "s": SYMBOL,
            "S": stop.side, "ps": "BOTH", "f": "GTC", "q": str(stop.quantity), "X": stop.status,
            "tp": str(stop.trigger), "p": "0", "wt": "CONTRACT_PRICE", "pm": "NONE", "cp": False, "pP": False,
            "R": stop.reduce_only, "tt": 0, "gtd": 0,
        }  # fmt: skip
        if order is not None:
            filled = {"ai": str(order.number), "ap": str(order.price), "aq": str(order.filled)}
            data |= {**filled, "act": "MARKET"}
        return {"e": "ALGO_UPDATE", "E": ms, "T": ms, "o": data}
