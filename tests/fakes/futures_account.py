"""A linear futures account on the loopback interface, of no venue's own: orders, fills, position, stops."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Literal

Behaviour = Literal["fill", "part", "refuse", "lost", "mute", "unknown", "unheard", "dropped"]
"""
What becomes of the next market order: filled; half filled and the rest later; refused; filled but never
acknowledged; filled with neither acknowledgement nor event; filled and answered with an error that leaves
its status unknown; the same without an event; lost before it was accepted.
"""
Refusal = Literal["margin", "reduce only", "would trigger", "unknown order"]


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
    stop: "Stop | None" = None
    made: int = field(default_factory=now_ms)

    @property
    def sign(self) -> int:
        """One for a purchase, minus one for a sale."""
        return 1 if self.side == "BUY" else -1


@dataclass
class Stop:
    """One conditional order, which becomes an order when the last price or the mark reaches its trigger."""

    number: int
    name: str
    side: str
    quantity: Decimal
    trigger: Decimal
    reduce_only: bool
    by: Literal["last", "mark"] = "last"
    status: str = "NEW"
    order: Order | None = None
    made: int = field(default_factory=now_ms)


@dataclass(frozen=True)
class Trade:
    """One fill of an order, and what was closed by it."""

    number: int
    order: Order
    quantity: Decimal
    price: Decimal
    ms: int = field(default_factory=now_ms)


Change = Order | Trade | Stop
"""What a user's stream is told: an order that was accepted, a fill, a conditional order that changed."""


class RefusedError(Exception):
    """The venue does not take a request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class FuturesAccount:
    """
    One account in one-way mode with one symbol, counted in coins.

    Parameters
    ----------
    price : str
        Of the symbol.
    wallet : str
        Balance in the settlement currency.

    Attributes
    ----------
    mark : Decimal
        The mark price, which follows the last price until it is set apart.
    position, entry : Decimal
        Signed quantity and average entry price.
    orders, stops : dict
        By number.
    trades : list of Trade
        All fills.
    behaviours : deque of Behaviour
        What becomes of the next market orders; filled where it is empty.
    tell : callable
        Is handed every change, as a user's stream is.

    """

    def __init__(self, price: str = "2000.00", wallet: str = "100000") -> None:
        self.price = self.mark = Decimal(price)
        self.wallet = Decimal(wallet)
        self.position = self.entry = Decimal(0)
        self.orders: dict[int, Order] = {}
        self.stops: dict[int, Stop] = {}
        self.trades: list[Trade] = []
        self.behaviours: deque[Behaviour] = deque()
        self.largest = Decimal(0)
        self.tell: Callable[[Change], None] = _nobody
        self._numbers, self._trade_numbers = count(1_000_001), count(5_000_001)

    def place(self, name: str, side: str, quantity: str, reduce_only: bool) -> tuple[Order, Behaviour]:
        """Take a market order, fill it as its behaviour says, and return both."""
        behaviour: Behaviour = self.behaviours.popleft() if self.behaviours else "fill"
        if behaviour == "refuse":
            raise RefusedError("margin")
        order = Order(next(self._numbers), name, side, Decimal(quantity), reduce_only)
        if behaviour == "dropped":
            return order, behaviour
        if reduce_only:
            if self.position * order.sign >= 0:
                raise RefusedError("reduce only")
            order.quantity = min(order.quantity, abs(self.position))
        self.orders[order.number] = order
        told, self.tell = self.tell, _nobody if behaviour in ("mute", "unheard") else self.tell
        try:
            self.tell(order)
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
        trade = Trade(next(self._trade_numbers), order, quantity, self.price)
        self.trades.append(trade)
        self.tell(trade)

    def complete(self) -> None:
        """Fill what is left of every order."""
        for order in self.orders.values():
            if order.status == "PARTIALLY_FILLED":
                self.fill(order, order.quantity - order.filled)

    def by_hand(self, side: str, quantity: str, told: bool = True) -> None:
        """Trade as the trader does on the venue's own page."""
        tell, self.tell = self.tell, self.tell if told else _nobody
        try:
            self.place("", side, quantity, False)
        finally:
            self.tell = tell

    def place_stop(
        self,
        name: str,
        side: str,
        quantity: str,
        trigger: str,
        reduce_only: bool,
        by: Literal["last", "mark"] = "last",
    ) -> Stop:
        """Rest a conditional order."""
        above = Decimal(trigger) > (self.mark if by == "mark" else self.price)
        if above != (side == "BUY"):
            raise RefusedError("would trigger")
        number = next(self._numbers)
        stop = Stop(number, name, side, Decimal(quantity), Decimal(trigger), reduce_only, by)
        self.stops[number] = stop
        self.tell(stop)
        return stop

    def cancel_stop(self, number: int | None, name: str | None) -> Stop:
        """Take a conditional order off, by the node or by hand."""
        for stop in self.stops.values():
            if stop.status == "NEW" and (stop.number == number or (number is None and stop.name == name)):
                stop.status = "CANCELED"
                self.tell(stop)
                return stop
        raise RefusedError("unknown order")

    def move_price(self, price: str, mark: str = "") -> None:
        """Move the price, and the mark with it unless that is given, and trigger the stops reached."""
        self.price, self.mark = Decimal(price), Decimal(mark or price)
        for stop in self.resting():
            met = self.mark if stop.by == "mark" else self.price
            if met >= stop.trigger if stop.side == "BUY" else met <= stop.trigger:
                self._trigger(stop)

    def _trigger(self, stop: Stop) -> None:
        order = Order(next(self._numbers), stop.name, stop.side, stop.quantity, True, "STOP_MARKET")
        order.stop, stop.order = stop, order
        self.orders[order.number] = order
        stop.status = "TRIGGERED"
        self.tell(stop)
        self.tell(order)
        self.fill(order, min(order.quantity, abs(self.position)))
        stop.status = "FINISHED"
        self.tell(stop)

    def resting(self) -> list[Stop]:
        """Return the stops that rest."""
        return [stop for stop in self.stops.values() if stop.status == "NEW"]

    def order_of(self, number: str | None, name: str | None) -> Order:
        """Return an order by its number or its client's name."""
        for order in self.orders.values():
            if str(order.number) == number or (number is None and order.name == name):
                return order
        raise RefusedError("unknown order")

    def stop_of(self, number: str | None, name: str | None) -> Stop:
        """Return a conditional order by its number or its client's name."""
        for stop in self.stops.values():
            if str(stop.number) == number or (number is None and stop.name == name):
                return stop
        raise RefusedError("unknown order")

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


def _nobody(change: Change) -> None:
    """Tell nobody."""
