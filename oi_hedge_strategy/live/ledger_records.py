"""What the running ledger of a paper or live run keeps beside forecasts and decisions."""

import pyarrow as pa
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog.types import CatalogData


class LedgerBar(CatalogData):
    """
    Record the book at a decision on a bar of the hedge instrument.

    Parameters
    ----------
    instrument_id : InstrumentId
        The hedge instrument.
    open, high, low, close : float
        The bar.
    exposure_price : float
        The bar's close times the exposure instrument's price over it at the last bar that both had, so that
        an exposure whose bar comes later is valued at the same moment; the close where there was none.
    exposure : float
        Signed base coin.
    hedge_quantity : float
        Signed base coin, as the account says.
    equity : float
        Of the hedge account, quote currency.
    venues : list of str
        Whose open interest is known and no more than six hours old.
    open_interest, funding_8h : list of float
        By venue: one-sided base coin; rate per eight hours, NaN where unknown.
    ts_event, ts_init : int
        The decision time.

    """

    FIELDS = (
        ("open", pa.float64(), False),
        ("high", pa.float64(), False),
        ("low", pa.float64(), False),
        ("close", pa.float64(), False),
        ("exposure_price", pa.float64(), False),
        ("exposure", pa.float64(), False),
        ("hedge_quantity", pa.float64(), False),
        ("equity", pa.float64(), False),
        ("venues", pa.list_(pa.string()), False),
        ("open_interest", pa.list_(pa.float64()), False),
        ("funding_8h", pa.list_(pa.float64()), False),
    )

    instrument_id: InstrumentId
    open: float
    high: float
    low: float
    close: float
    exposure_price: float
    exposure: float
    hedge_quantity: float
    equity: float
    venues: list[str]
    open_interest: list[float]
    funding_8h: list[float]


class LedgerFill(CatalogData):
    """
    Record one fill of the hedge.

    Parameters
    ----------
    instrument_id : InstrumentId
        The hedge instrument.
    client_order_id, trade_id : str
        Identify the fill.
    side : int
        1 bought, -1 sold.
    quantity, price : float
        As filled.
    commission : float
        Paid, in `currency`.
    currency : str
        Of the commission.
    ts_event, ts_init : int
        When it happened, and when it was known.

    """

    FIELDS = (
        ("client_order_id", pa.string(), False),
        ("trade_id", pa.string(), False),
        ("side", pa.int8(), False),
        ("quantity", pa.float64(), False),
        ("price", pa.float64(), False),
        ("commission", pa.float64(), False),
        ("currency", pa.string(), False),
    )

    client_order_id: str
    trade_id: str
    side: int
    quantity: float
    price: float
    commission: float
    currency: str
