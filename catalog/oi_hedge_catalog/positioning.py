"""Long/short ratios and liquidations as columns: what `series` is for open interest and funding."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from nautilus_trader.core.data import Data
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog.series import Floats, Series, Times
from oi_hedge_catalog.types import CatalogData, LiquidationRecord, LongShortRatio


@dataclass(frozen=True, eq=False)
class FloatSeries(Series):
    """Rows whose values are floats, stored as they are."""

    id: InstrumentId

    @property
    def instrument_id(self) -> InstrumentId:
        return self.id

    def to_data(self) -> list[Data]:
        columns = [*self.values().values(), self.ts_event, self.ts_init]
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [self.DATA_CLS(self.id, *row) for row in rows]

    def to_table(self) -> pa.Table:
        times = {name: getattr(self, name).astype(np.uint64) for name in ("ts_event", "ts_init")}
        columns = {"instrument_id": pa.repeat(self.identifier, len(self)), **self.values(), **times}
        kind: type[CatalogData] = self.DATA_CLS
        return pa.table(columns, schema=kind.schema())


@dataclass(frozen=True, eq=False)
class LongShortSeries(FloatSeries):
    """
    Part of the accounts that is long.

    Attributes
    ----------
    id : InstrumentId
        The instrument.
    long_share : ndarray of float64, shape (rows,)
        From 0 to 1.
    """

    long_share: Floats

    KIND = "long_short"
    DATA_CLS = LongShortRatio
    VALUES = ("long_share",)


@dataclass(frozen=True, eq=False)
class LiquidationSeries(FloatSeries):
    """
    Liquidations, at most one row a moment; `merge_liquidations` makes it of single orders.

    Attributes
    ----------
    id : InstrumentId
        The instrument.
    long_quantity, short_quantity : ndarray of float64, shape (rows,)
        Long and short positions closed, in the base coin.
    price : ndarray of float64, shape (rows,)
        Mean price of the closing, in USD.
    """

    long_quantity: Floats
    short_quantity: Floats
    price: Floats

    KIND = "liquidations"
    DATA_CLS = LiquidationRecord
    VALUES = ("long_quantity", "short_quantity", "price")


def merge_liquidations(
    instrument_id: InstrumentId, records: Sequence[LiquidationRecord]
) -> LiquidationSeries:
    """
    Add up the records of each moment.

    Quantities are summed, the price is weighted by them, and a sum is known when its last part is; a moment
    is never known before the one that precedes it.
    """
    columns = {
        name: np.array([getattr(each, name) for each in records]) for name in LiquidationRecord._names[1:]
    }
    event, inverse = np.unique(columns["ts_event"].astype(np.int64), return_inverse=True)
    long, short = (_sums(columns[f"{side}_quantity"], inverse, len(event)) for side in ("long", "short"))
    size = columns["long_quantity"] + columns["short_quantity"]
    value, total = _sums(columns["price"] * size, inverse, len(event)), long + short
    known = np.zeros(len(event), np.int64)
    np.maximum.at(known, inverse, columns["ts_init"].astype(np.int64))
    known = np.maximum.accumulate(known)
    return LiquidationSeries(event, _increasing(known), instrument_id, long, short, value / total)


def _sums(values: Floats, groups: Times, count: int) -> Floats:
    return np.bincount(groups, weights=values, minlength=count)


def _increasing(times: Times) -> Times:
    """Return `times` with equal neighbours a nanosecond apart."""
    steps = np.arange(len(times))
    result: Times = np.maximum.accumulate(times - steps) + steps
    return result
