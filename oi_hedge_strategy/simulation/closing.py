"""Closing a position by force, with the events that a venue would send."""

from nautilus_trader.backtest.engine import SimulatedExchange
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.model.enums import LiquiditySide, OrderSide, OrderType
from nautilus_trader.model.identifiers import ClientOrderId, InstrumentId, TradeId, VenueOrderId
from nautilus_trader.model.objects import Money
from nautilus_trader.model.orders import MarketOrder
from nautilus_trader.model.position import Position

LIQUIDATION_TAG = "LIQUIDATION"


def cancel_orders(exchange: SimulatedExchange, instrument_id: InstrumentId) -> None:
    """Cancel every order of an instrument that rests on the venue."""
    engine = exchange.get_matching_engine(instrument_id)
    for order in exchange.cache.orders_open(venue=exchange.id, instrument_id=instrument_id):
        engine.cancel_order(order)


def force_close(
    exchange: SimulatedExchange, position: Position, price: float, fee: Money, name: str, ts: int
) -> None:
    """
    Close all of `position` at `price` by an order that the venue itself places and fills.

    The position's strategy receives the order's events; the order carries the tag `LIQUIDATION_TAG`.

    Parameters
    ----------
    exchange : SimulatedExchange
        The venue.
    position : Position
        An open position.
    price : float
        Fill price, on the instrument's tick.
    fee : Money
        Commission of the fill.
    name : str
        Unique name for the order.
    ts : int
        Time of the events.

    """
    instrument = exchange.instruments[position.instrument_id]
    side = OrderSide.SELL if position.signed_qty > 0.0 else OrderSide.BUY
    order = MarketOrder(
        trader_id=position.trader_id,
        strategy_id=position.strategy_id,
        instrument_id=position.instrument_id,
        client_order_id=ClientOrderId(name),
        order_side=side,
        quantity=position.quantity,
        init_id=UUID4(),
        ts_init=ts,
        reduce_only=True,
        tags=[LIQUIDATION_TAG],
    )
    venue_order_id = VenueOrderId(name)
    exchange.cache.add_order(order, position.id)
    exchange.cache.add_venue_order_id(order.client_order_id, venue_order_id)
    client = exchange.exec_client
    client.generate_order_accepted(
        position.strategy_id, position.instrument_id, order.client_order_id, venue_order_id, ts
    )
    client.generate_order_filled(
        strategy_id=position.strategy_id,
        instrument_id=position.instrument_id,
        client_order_id=order.client_order_id,
        venue_order_id=venue_order_id,
        venue_position_id=position.id,
        trade_id=TradeId(name),
        order_side=side,
        order_type=OrderType.MARKET,
        last_qty=position.quantity,
        last_px=instrument.make_price(price),
        quote_currency=instrument.quote_currency,
        commission=fee,
        liquidity_side=LiquiditySide.TAKER,
        ts_event=ts,
    )
