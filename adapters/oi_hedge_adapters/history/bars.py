"""What every source of bars needs: the type of a period, and prices that the instrument can hold."""

import numpy as np
from nautilus_trader.model.data import BarSpecification, BarType
from nautilus_trader.model.enums import AggregationSource, BarAggregation, PriceType
from nautilus_trader.model.identifiers import InstrumentId

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


def find_altered_price(price: Floats, precision: int) -> int | None:
    """Return the first row, if any, whose price would not survive storing with `precision` decimals."""
    altered = np.flatnonzero(np.abs(np.round(price, precision) - price) > 1e-12 * np.abs(price))
    return int(altered[0]) if len(altered) else None
