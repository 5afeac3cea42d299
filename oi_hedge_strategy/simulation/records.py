"""What the simulated venue did, as data: published on the message bus when it happens.

A record's topic is that of custom data, ``data.<ClassName>.<venue>.<symbol>``. A strategy or actor gets the
records of one instrument in `on_data` by ``subscribe_data(DataType(FundingPayment), instrument_id=...)``, and
all of them by ``self.msgbus.subscribe(topic(FundingPayment), handler)``; a `SimulationLedger` keeps them.
"""

import pyarrow as pa
from nautilus_trader.common.actor import Actor
from nautilus_trader.model.objects import Currency, Money

from oi_hedge_catalog.types import CatalogData


class SimulationRecord(CatalogData):
    """Base of the records: the strategy whose order or position it is, and the currency of its amounts."""

    strategy_id: str
    currency: str

    def money(self, amount: float) -> Money:
        """Return `amount` in the record's currency."""
        return Money(amount, Currency.from_str(self.currency))


class FillCost(SimulationRecord):
    """
    Record what one simulated fill cost beyond the market's price.

    Parameters
    ----------
    instrument_id : InstrumentId
        The instrument.
    strategy_id, client_order_id, trade_id : str
        Identify the fill.
    side : int
        1 bought, -1 sold.
    quantity, price : float
        As filled.
    reference_price : float
        The market's middle price when the order met it; a stop's trigger, or the open if that was beyond it.
    half_spread_bps, impact_bps, latency_bps : float
        Costs applied to the reference, before rounding to the tick; latency is what the market moved on while
        the order was on its way.
    permanent_bps : float
        What of the impact stays in the market's price.
    capped : bool
        True if the cap cut the cost.
    estimated : bool
        True if volatility and volume were measured, false if the configured defaults stood in.
    amount : float
        ``(price - reference) * side`` times the quantity, in `currency`; positive when lost.
    currency : str
        Settlement currency.
    ts_event, ts_init : int
        Time of the fill.

    """

    FIELDS = (
        ("strategy_id", pa.string(), False),
        ("client_order_id", pa.string(), False),
        ("trade_id", pa.string(), False),
        ("side", pa.int8(), False),
        ("quantity", pa.float64(), False),
        ("price", pa.float64(), False),
        ("reference_price", pa.float64(), False),
        ("half_spread_bps", pa.float64(), False),
        ("impact_bps", pa.float64(), False),
        ("latency_bps", pa.float64(), False),
        ("permanent_bps", pa.float64(), False),
        ("capped", pa.bool_(), False),
        ("estimated", pa.bool_(), False),
        ("amount", pa.float64(), False),
        ("currency", pa.string(), False),
    )

    client_order_id: str
    trade_id: str
    side: int
    quantity: float
    price: float
    reference_price: float
    half_spread_bps: float
    impact_bps: float
    latency_bps: float
    permanent_bps: float
    capped: bool
    estimated: bool
    amount: float


class FundingPayment(SimulationRecord):
    """
    Record one funding settlement of one position.

    Parameters
    ----------
    instrument_id : InstrumentId
        The instrument.
    strategy_id, position_id : str
        Identify the position.
    rate : float
        The rate of the interval that ended.
    quantity : float
        Signed position held at the settlement.
    price : float
        Price of the notional at the settlement.
    amount : float
        In `currency`; positive received, negative paid.
    currency : str
        Settlement currency.
    ts_event : int
        Time of the settlement.
    ts_init : int
        Time when the rate was known and the account changed.

    """

    FIELDS = (
        ("strategy_id", pa.string(), False),
        ("position_id", pa.string(), False),
        ("rate", pa.float64(), False),
        ("quantity", pa.float64(), False),
        ("price", pa.float64(), False),
        ("amount", pa.float64(), False),
        ("currency", pa.string(), False),
    )

    position_id: str
    rate: float
    quantity: float
    price: float
    amount: float


class PositionLiquidated(SimulationRecord):
    """
    Record the forced close of one position.

    Parameters
    ----------
    instrument_id : InstrumentId
        The instrument.
    strategy_id, position_id, client_order_id : str
        Identify the position and the order that closed it.
    quantity : float
        Signed position that was closed.
    reference_price : float
        Where the market breached the maintenance margin; the open if it gapped beyond that.
    price : float
        Fill price: the reference with impact, or the bankruptcy price if that loses less.
    equity, maintenance : float
        Of the margin that was exhausted, at the reference price.
    fee : float
        Liquidation fee charged, as far as the margin sufficed.
    insurance : float
        Loss beyond the margin, borne by the venue's insurance fund.
    impact_bps, permanent_bps : float
        How far the forced close moved the market, and what of it stays.
    currency : str
        Settlement currency of the amounts.
    ts_event, ts_init : int
        Time of the liquidation.

    """

    FIELDS = (
        ("strategy_id", pa.string(), False),
        ("position_id", pa.string(), False),
        ("client_order_id", pa.string(), False),
        ("quantity", pa.float64(), False),
        ("reference_price", pa.float64(), False),
        ("price", pa.float64(), False),
        ("equity", pa.float64(), False),
        ("maintenance", pa.float64(), False),
        ("fee", pa.float64(), False),
        ("insurance", pa.float64(), False),
        ("impact_bps", pa.float64(), False),
        ("permanent_bps", pa.float64(), False),
        ("currency", pa.string(), False),
    )

    position_id: str
    client_order_id: str
    quantity: float
    reference_price: float
    price: float
    equity: float
    maintenance: float
    fee: float
    insurance: float
    impact_bps: float
    permanent_bps: float


class PriceShift(CatalogData):
    """
    Record that own trades have moved a bar of the market.

    Parameters
    ----------
    instrument_id : InstrumentId
        The instrument.
    recorded_close, close : float
        The bar's close as recorded, and as everything in the simulation saw it.
    shift_bps : float
        What own trades had moved it by at the close, before rounding to the tick.
    bar_seconds : int
        Duration of the bar.
    ts_event, ts_init : int
        Of the bar.

    """

    FIELDS = (
        ("recorded_close", pa.float64(), False),
        ("close", pa.float64(), False),
        ("shift_bps", pa.float64(), False),
        ("bar_seconds", pa.int64(), False),
    )

    recorded_close: float
    close: float
    shift_bps: float
    bar_seconds: int


class FundingIntervalChange(CatalogData):
    """
    Record that a venue has changed how often it settles funding.

    Parameters
    ----------
    instrument_id : InstrumentId
        The instrument.
    previous_minutes, minutes : int
        The interval before and from now on.
    ts_event, ts_init : int
        Of the first rate with the new interval.

    """

    FIELDS = (("previous_minutes", pa.int64(), False), ("minutes", pa.int64(), False))

    previous_minutes: int
    minutes: int


RECORD_TYPES: tuple[type[CatalogData], ...] = (
    FillCost,
    FundingPayment,
    PositionLiquidated,
    PriceShift,
    FundingIntervalChange,
)


def topic(record_type: type[CatalogData]) -> str:
    """Return the message bus topic that matches every record of a type."""
    return f"data.{record_type.__name__}.*"


def publish(actor: Actor, record: CatalogData) -> None:
    """Publish `record` from `actor`."""
    instrument_id = record.instrument_id
    name = f"data.{type(record).__name__}.{instrument_id.venue}.{instrument_id.symbol.topic()}"
    actor.msgbus.publish(name, record)
