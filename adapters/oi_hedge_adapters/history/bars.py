"""What every source of bars needs: the type of a period, and prices that the instrument can hold."""

from collections.abc import Callable, Mapping

import numpy as np
from nautilus_trader.model.data import BarSpecification, BarType
from nautilus_trader.model.enums import AggregationSource, BarAggregation, PriceType
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import Instrument

from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.series import Floats

_STEPS = (
    (86_400 * 10**9, BarAggregation.DAY),
    (3600 * 10**9, BarAggregation.HOUR),
    (60 * 10**9, BarAggregation.MINUTE),
    (10**9, BarAggregation.SECOND),
)


def external_bar_type(instrument_id: InstrumentId, period_ns: int) -> BarType:
    """Return the type of a venue's bars of traded prices that are `period_ns` long."""
    size, aggregation = next((size, step) for size, step in _STEPS if period_ns % size == 0)
    spec = BarSpecification(period_ns // size, aggregation, PriceType.LAST)
    return BarType(instrument_id, spec, AggregationSource.EXTERNAL)


def require_precision(
    prices: Mapping[str, Floats], instrument: Instrument, where: Callable[[int], str]
) -> None:
    """
    Raise `DataError` if storing a price with the decimals of `instrument` would alter it.

    Parameters
    ----------
    prices : mapping of str to ndarray of float64, shape (rows,)
        Prices by name.
    instrument : Instrument
        What they are prices of.
    where : callable
        Gives the place of a row, for the message.
    """
    precision = instrument.price_precision
    for name, price in prices.items():
        altered = np.flatnonzero(np.abs(np.round(price, precision) - price) > 1e-12 * np.abs(price))
        if len(altered):
            row = int(altered[0])
            raise DataError(
                f"{where(row)}: {name} {float(price[row])!r} has more than the {precision} decimals of "
                f"{instrument.id}; raise its price_precision"
            )
