"""The hedge position and its orders: the only place that sends any."""

from typing import Any

from nautilus_trader.model.enums import OrderSide, OrderStatus, OrderType, TriggerType
from nautilus_trader.model.identifiers import ClientOrderId, InstrumentId
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.model.objects import Price, Quantity
from nautilus_trader.model.orders import Order
from nautilus_trader.model.position import Position
from nautilus_trader.trading.strategy import Strategy

from oi_hedge_strategy.hedging.config import RailsConfig, StopTrigger
from oi_hedge_strategy.hedging.exposure import base_quantity

STOP_TAG = "HARD_STOP"
HEDGE_TAG = "HEDGE"
_TRIGGERS: dict[StopTrigger, TriggerType] = {
    "last": TriggerType.LAST_PRICE,
    "mark": TriggerType.MARK_PRICE,
}
_LONGEST_NAMES = {"KRAKEN": 18}
"""Kraken's adapter cuts longer names of orders, and takes its own orders for somebody else's by them."""
SETTLE_NS = 30_000_000_000
"""After a refused order: long enough for the venue's position to be asked for, should it have been filled."""


class HedgeBook:
    """
    Move the strategy's own position in the hedge instrument and keep its hard stop resting on the venue.

    Parameters
    ----------
    strategy : Strategy
        The strategy, whose own orders and positions alone are touched.
    instrument : Instrument
        The hedge instrument; linear.
    rails : RailsConfig
        Say how far from the average entry the stop rests, and which price sets it off.

    """

    def __init__(self, strategy: Strategy, instrument: Instrument, rails: RailsConfig) -> None:
        self._strategy = strategy
        self._instrument = instrument
        self._hard_stop = rails.hard_stop
        self._trigger = _TRIGGERS[rails.stop_trigger]
        self._unsettled_until = self._uncertain_until = 0
        self._sent: list[Order] = []
        trader, tag = strategy.trader_id.get_tag(), strategy.id.get_tag()
        self._marks = (f"-{trader}-{tag}-", f"{trader}{tag}")

    @property
    def instrument_id(self) -> InstrumentId:
        """Return the hedge instrument's id."""
        return self._instrument.id

    def quantity(self, price: float) -> float:
        """Return the hedge position, signed base coin."""
        return sum(base_quantity(each, price) for each in self._positions())

    def base_quantity(self, quantity: float) -> float:
        """Return a quantity of the instrument in base coin."""
        return quantity * self._instrument.multiplier.as_double()

    def equity(self, price: float) -> float:
        """
        Return the equity of the hedge venue's account in settlement currency.

        The balance plus the unrealized profit and loss of every open position there, whoever holds it; the
        hedge instrument is marked at `price`, others at their last.
        """
        strategy, currency = self._strategy, self._instrument.settlement_currency
        account = strategy.cache.account_for_venue(self.instrument_id.venue)
        balance = account.balance_total(currency) if account is not None else None
        if balance is None:
            return 0.0
        total: float = balance.as_double()
        for position in strategy.cache.positions_open(venue=self.instrument_id.venue):
            if position.instrument_id == self.instrument_id:
                total += position.unrealized_pnl(self._instrument.make_price(price)).as_double()
            else:
                unrealized = strategy.portfolio.unrealized_pnl(position.instrument_id)
                total += unrealized.as_double() if unrealized is not None else 0.0
        return total

    def is_busy(self) -> bool:
        """Return whether the hedge may not be changed: an order is not settled, or what is held uncertain."""
        return self.is_sending() or self.is_uncertain()

    def is_sending(self) -> bool:
        """Return whether a hedge order is on its way or open, or what became of the last is not certain."""
        if self._strategy.clock.timestamp_ns() < self._unsettled_until:
            return True
        return any(order.order_type == OrderType.MARKET for order in self._working())

    def is_uncertain(self) -> bool:
        """Return whether venue and node differ on what is held."""
        return bool(self._strategy.clock.timestamp_ns() < self._uncertain_until)

    def settle(self) -> None:
        """Send no hedge order for half a minute: a refusal may be a lost acknowledgement."""
        self._unsettled_until = self._strategy.clock.timestamp_ns() + SETTLE_NS

    def hold(self) -> None:
        """Change the hedge no more for half a minute, but by closing it: what is held is not certain."""
        self._uncertain_until = self._strategy.clock.timestamp_ns() + SETTLE_NS

    def is_flat(self) -> bool:
        """Return whether nothing is held, rests or is on its way."""
        return not self._net() and not self._working()

    def stops(self) -> list[Order]:
        """Return the hard stops that rest on the venue or are on their way there."""
        return [order for order in self._working() if order.order_type == OrderType.STOP_MARKET]

    def move_to(self, target: float, price: float) -> float:
        """
        Send the market order that moves the hedge to `target`, signed base coin in whole steps.

        A change of side first closes what is held; the next decision opens the other side.

        Returns
        -------
        float
            The signed quantity of the order, zero where it is below the instrument's least size.

        """
        held = self.quantity(price)
        if held * target < 0.0:
            target = 0.0
        change, multiplier = target - held, self._instrument.multiplier.as_double()
        increment = self._instrument.size_increment.as_double()
        quantity = self._instrument.make_qty(round(abs(change) / (multiplier * increment)) * increment)
        least = self._instrument.min_quantity
        if quantity.as_double() <= 0.0 or (least is not None and quantity < least):
            return 0.0
        self._send(OrderSide.BUY if change > 0.0 else OrderSide.SELL, quantity, abs(target) < abs(held))
        ordered: float = quantity.as_double() * multiplier
        return ordered if change > 0.0 else -ordered

    def close(self) -> bool:
        """Send the reduce-only order that closes the hedge and return whether one was sent."""
        held = 0.0 if self.is_sending() else self._net()
        if held:
            side = OrderSide.BUY if held < 0.0 else OrderSide.SELL
            self._send(side, self._instrument.make_qty(abs(held)), reduce_only=True)
        return held != 0.0

    def protect(self) -> None:
        """
        Rest a reduce-only stop for the whole hedge on the venue, in place of those before.

        One that already is as it must be stays: the strategy may have been started anew beside it. One that
        is on its way stays until the venue has it: taken off before, it might come to rest all the same.
        """
        wanted, resting = self._stop_terms(), self.stops()
        if wanted is not None:
            kept = next((order for order in resting if self._terms(order) == wanted), None)
            if kept is None:
                self._submit_stop(*wanted)
            else:
                resting.remove(kept)
        for order in resting:
            if order.is_open and order.status != OrderStatus.PENDING_CANCEL:
                self._strategy.cancel_order(order)

    def is_protected(self) -> bool:
        """Return whether exactly the stop rests that the hedge must have, or none where none must."""
        wanted = self._stop_terms()
        return [self._terms(order) for order in self.stops()] == ([wanted] if wanted is not None else [])

    def is_stop(self, client_order_id: ClientOrderId) -> bool:
        """Return whether an order is a hard stop of this book, also one of before a restart."""
        order: Order | None = self._strategy.cache.order(client_order_id)
        return order is not None and order.order_type == OrderType.STOP_MARKET and self._is_own(order)

    def save(self) -> dict[str, Any]:
        """Return what is held and which stops rest, as JSON can hold it."""
        return {
            "position": self._net(),
            "stops": [order.client_order_id.value for order in self.stops()],
        }

    def _send(self, side: OrderSide, quantity: Quantity, reduce_only: bool) -> None:
        order = self._strategy.order_factory.market(
            instrument_id=self.instrument_id,
            order_side=side,
            quantity=quantity,
            reduce_only=reduce_only,
            tags=[HEDGE_TAG],
            client_order_id=self._name(),
        )
        self._submit(order)

    def _stop_terms(self) -> tuple[OrderSide, Quantity, Price] | None:
        """Return side, quantity and trigger price of the stop that the hedge must have, None for none."""
        held = self._net()
        if not held or self._hard_stop <= 0.0:
            return None
        short = held < 0.0
        same = [each for each in self._positions() if (each.signed_qty < 0.0) == short]
        entry = max(same, key=lambda each: abs(each.signed_qty)).avg_px_open
        distance = 1.0 + self._hard_stop if short else 1.0 - self._hard_stop
        side = OrderSide.BUY if short else OrderSide.SELL
        return side, self._instrument.make_qty(abs(held)), self._instrument.make_price(entry * distance)

    def _terms(self, order: Order) -> tuple[OrderSide, Quantity, Price] | None:
        if order.status == OrderStatus.PENDING_CANCEL or not order.is_reduce_only:
            return None
        return order.side, order.leaves_qty, order.trigger_price

    def _submit_stop(self, side: OrderSide, quantity: Quantity, trigger_price: Price) -> None:
        order = self._strategy.order_factory.stop_market(
            instrument_id=self.instrument_id,
            order_side=side,
            quantity=quantity,
            trigger_price=trigger_price,
            trigger_type=self._trigger,
            reduce_only=True,
            tags=[STOP_TAG],
            client_order_id=self._name(),
        )
        self._submit(order)

    def _name(self) -> ClientOrderId:
        """Return the next order's name, of which a venue that takes short ones gets the end."""
        name: ClientOrderId = self._strategy.order_factory.generate_client_order_id()
        longest = _LONGEST_NAMES.get(self.instrument_id.venue.value)
        return name if longest is None else ClientOrderId(name.value[-longest:])

    def _submit(self, order: Order) -> None:
        """Submit an order and remember it: for a moment the cache counts it neither in flight nor open."""
        self._sent.append(order)
        self._strategy.submit_order(order)

    def _working(self) -> list[Order]:
        """Return own orders that rest or are on their way; those that the trader placed by hand are none."""
        cache, mine = self._strategy.cache, self._strategy.id
        found = cache.orders_open(instrument_id=self.instrument_id, strategy_id=mine)
        inflight = cache.orders_inflight(instrument_id=self.instrument_id, strategy_id=mine)
        self._sent = [order for order in self._sent if not order.is_closed]
        found += [order for order in inflight if order not in found]
        found += [order for order in self._sent if order not in found]
        return [order for order in found if self._is_own(order)]

    def _is_own(self, order: Order) -> bool:
        """
        Return whether this strategy made an order.

        A venue gives back neither tags nor strategy after a restart, but the id, which holds both names.
        """
        if order.strategy_id != self._strategy.id:
            return False
        tags, name = order.tags or (), order.client_order_id.value
        return HEDGE_TAG in tags or STOP_TAG in tags or any(mark in name for mark in self._marks)

    def _net(self) -> float:
        """Return what is held in the instrument's own unit; a venue in one-way mode nets all positions."""
        return float(sum(each.signed_decimal_qty() for each in self._positions()))

    def _positions(self) -> list[Position]:
        return self._strategy.cache.positions_open(
            instrument_id=self.instrument_id, strategy_id=self._strategy.id
        )
