"""The hedge position and its orders: the only place that sends any."""

from nautilus_trader.model.enums import OrderSide, TriggerType
from nautilus_trader.model.identifiers import ClientOrderId, InstrumentId
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.model.orders import Order
from nautilus_trader.model.position import Position
from nautilus_trader.trading.strategy import Strategy

from oi_hedge_strategy.hedging.exposure import base_quantity

STOP_TAG = "HARD_STOP"
HEDGE_TAG = "HEDGE"


class HedgeBook:
    """
    Move the strategy's own position in the hedge instrument and keep its hard stop resting on the venue.

    Parameters
    ----------
    strategy : Strategy
        The strategy, whose own orders and positions alone are touched.
    instrument : Instrument
        The hedge instrument; linear.
    hard_stop : float
        Distance of the stop from the average entry, as a fraction; 0 for none.

    """

    def __init__(self, strategy: Strategy, instrument: Instrument, hard_stop: float) -> None:
        self._strategy = strategy
        self._instrument = instrument
        self._hard_stop = hard_stop
        self._stop_id: ClientOrderId | None = None

    @property
    def instrument_id(self) -> InstrumentId:
        """Return the hedge instrument's id."""
        return self._instrument.id

    def quantity(self, price: float) -> float:
        """Return the hedge position, signed base coin."""
        return sum(base_quantity(each, price) for each in self._positions())

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
        """Return whether a hedge order is still on its way or open."""
        cache, mine = self._strategy.cache, self._strategy.id
        inflight = cache.orders_inflight(instrument_id=self.instrument_id, strategy_id=mine)
        working = cache.orders_open(instrument_id=self.instrument_id, strategy_id=mine)
        return any(HEDGE_TAG in (order.tags or ()) for order in (*inflight, *working))

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
        order = self._strategy.order_factory.market(
            instrument_id=self.instrument_id,
            order_side=OrderSide.BUY if change > 0.0 else OrderSide.SELL,
            quantity=quantity,
            reduce_only=abs(target) < abs(held),
            tags=[HEDGE_TAG],
        )
        self._strategy.submit_order(order)
        ordered: float = quantity.as_double() * multiplier
        return ordered if change > 0.0 else -ordered

    def protect(self) -> None:
        """Rest a reduce-only stop for the whole hedge on the venue, in place of the one before."""
        before = self._stop()
        positions = self._positions()
        self._stop_id = None
        if positions and self._hard_stop > 0.0:
            self._stop_id = self._submit_stop(positions)
        if before is not None and not before.is_closed:
            self._strategy.cancel_order(before)

    def is_stop(self, client_order_id: ClientOrderId) -> bool:
        """Return whether an order is a hard stop of this book."""
        order: Order | None = self._strategy.cache.order(client_order_id)
        return order is not None and STOP_TAG in (order.tags or ())

    def _submit_stop(self, positions: list[Position]) -> ClientOrderId:
        position = positions[0]
        short = position.signed_qty < 0.0
        distance = 1.0 + self._hard_stop if short else 1.0 - self._hard_stop
        order = self._strategy.order_factory.stop_market(
            instrument_id=self.instrument_id,
            order_side=OrderSide.BUY if short else OrderSide.SELL,
            quantity=position.quantity,
            trigger_price=self._instrument.make_price(position.avg_px_open * distance),
            trigger_type=TriggerType.LAST_PRICE,
            reduce_only=True,
            tags=[STOP_TAG],
        )
        self._strategy.submit_order(order)
        return order.client_order_id

    def _stop(self) -> Order | None:
        return self._strategy.cache.order(self._stop_id) if self._stop_id is not None else None

    def _positions(self) -> list[Position]:
        return self._strategy.cache.positions_open(
            instrument_id=self.instrument_id, strategy_id=self._strategy.id
        )
