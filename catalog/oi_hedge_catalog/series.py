"""One instrument's rows of one kind as equal-length numpy columns.

Sources produce these, the checks read them, the store writes them and gives them back; Nautilus objects exist
only where Nautilus needs them.
"""

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from nautilus_trader.core.data import Data
from nautilus_trader.model.data import Bar, BarType, FundingRateUpdate
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.objects import Price, Quantity
from nautilus_trader.serialization.arrow.serializer import ArrowSerializer

from oi_hedge_catalog import funding_codec
from oi_hedge_catalog.types import OpenInterestUpdate

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Series:
    """
    Rows of one kind and instrument, ordered by `ts_init`.

    Attributes
    ----------
    ts_event, ts_init : ndarray of int64, shape (rows,)
        UNIX nanoseconds when a value was true, and when it could first be known.
    """

    ts_event: Times
    ts_init: Times

    KIND: ClassVar[str]
    DATA_CLS: ClassVar[type]
    VALUES: ClassVar[tuple[str, ...]]

    @property
    def instrument_id(self) -> InstrumentId:
        """The instrument that the rows are about."""
        raise NotImplementedError

    @property
    def identifier(self) -> str:
        """What the catalog files the rows under: instrument id, or bar type."""
        return str(self.instrument_id)

    def __len__(self) -> int:
        return len(self.ts_init)

    def take(self, rows: npt.NDArray[Any] | slice) -> Self:
        """Return the series of the given `rows` (indices, mask or slice)."""
        columns = (f.name for f in fields(self) if isinstance(getattr(self, f.name), np.ndarray))
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def values(self) -> dict[str, Floats]:
        """Return the float columns by name."""
        return {name: getattr(self, name) for name in self.VALUES}

    def to_data(self) -> list[Data]:
        """Return the rows as the Nautilus objects that a catalog stores."""
        raise NotImplementedError

    def to_table(self) -> pa.Table:
        """Return the rows as the Arrow table that a catalog stores."""
        return ArrowSerializer.serialize_batch(self.to_data(), data_cls=self.DATA_CLS)


@dataclass(frozen=True, eq=False)
class OpenInterestSeries(Series):
    """
    Open interest, one-sided.

    Attributes
    ----------
    id : InstrumentId
        The instrument.
    quantity : ndarray of float64, shape (rows,)
        In the base coin.
    notional_usd : ndarray of float64, shape (rows,)
        In USD at a price known at `ts_init`; NaN where none was.
    """

    id: InstrumentId
    quantity: Floats
    notional_usd: Floats

    KIND = "open_interest"
    DATA_CLS = OpenInterestUpdate
    VALUES = ("quantity", "notional_usd")

    @property
    def instrument_id(self) -> InstrumentId:
        return self.id

    def to_data(self) -> list[Data]:
        notional = (None if value != value else value for value in self.notional_usd.tolist())
        times = (self.ts_event.tolist(), self.ts_init.tolist())
        rows = zip(self.quantity.tolist(), notional, *times, strict=True)
        return [OpenInterestUpdate(self.id, *row) for row in rows]

    def to_table(self) -> pa.Table:
        columns = {
            "instrument_id": pa.repeat(self.identifier, len(self)),
            "quantity": self.quantity,
            "notional_usd": pa.array(self.notional_usd, from_pandas=True),
            "ts_event": self.ts_event.astype(np.uint64),
            "ts_init": self.ts_init.astype(np.uint64),
        }
        return pa.table(columns, schema=OpenInterestUpdate.schema())


@dataclass(frozen=True, eq=False)
class FundingSeries(Series):
    """
    Funding rates that were settled or published.

    Attributes
    ----------
    id : InstrumentId
        The instrument.
    rate : ndarray of float64, shape (rows,)
        Fraction of the notional per interval; positive when longs pay.
    interval : ndarray of int64, shape (rows,)
        Minutes between payments; 0 where unknown.
    next_funding_ns : ndarray of int64, shape (rows,)
        UNIX nanoseconds of the next payment; 0 where unknown.
    """

    id: InstrumentId
    rate: Floats
    interval: Times
    next_funding_ns: Times

    KIND = "funding"
    DATA_CLS = FundingRateUpdate
    VALUES = ("rate",)

    @property
    def instrument_id(self) -> InstrumentId:
        return self.id

    def to_data(self) -> list[Data]:
        rows = zip(
            (Decimal(repr(rate)) for rate in self.rate.tolist()),
            self.ts_event.tolist(),
            self.ts_init.tolist(),
            (minutes or None for minutes in self.interval.tolist()),
            (time or None for time in self.next_funding_ns.tolist()),
            strict=True,
        )
        return [FundingRateUpdate(self.id, *row) for row in rows]

    def to_table(self) -> pa.Table:
        columns = {
            "instrument_id": pa.repeat(self.identifier, len(self)),
            "rate": [str(Decimal(repr(rate))) for rate in self.rate.tolist()],
            "interval": pa.array(self.interval.astype(np.uint16), mask=self.interval == 0),
            "next_funding_ns": pa.array(
                self.next_funding_ns.astype(np.uint64), mask=self.next_funding_ns == 0
            ),
            "ts_event": self.ts_event.astype(np.uint64),
            "ts_init": self.ts_init.astype(np.uint64),
        }
        return pa.table(columns, schema=funding_codec.SCHEMA)


@dataclass(frozen=True, eq=False)
class BarSeries(Series):
    """
    Bars; `ts_event` is the close of the bar.

    Attributes
    ----------
    bar_type : BarType
        Instrument, step and price type.
    price_precision, size_precision : int
        Decimals of the instrument, which Nautilus asks of every bar; all values are rounded to them.
    open, high, low, close : ndarray of float64, shape (rows,)
        Prices in the quote currency.
    volume : ndarray of float64, shape (rows,)
        In the base coin, whatever the venue reports.
    """

    bar_type: BarType
    price_precision: int
    size_precision: int
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    KIND = "bars"
    DATA_CLS = Bar
    VALUES = ("open", "high", "low", "close", "volume")

    def __post_init__(self) -> None:
        for name, column in self.values().items():
            decimals = self.size_precision if name == "volume" else self.price_precision
            object.__setattr__(self, name, np.round(column, decimals))

    @property
    def instrument_id(self) -> InstrumentId:
        return self.bar_type.instrument_id

    @property
    def identifier(self) -> str:
        return str(self.bar_type)

    def to_data(self) -> list[Data]:
        p = self.price_precision
        return [
            Bar(
                self.bar_type,
                Price(o, p),
                Price(h, p),
                Price(low, p),
                Price(c, p),
                Quantity(v, self.size_precision),
                event,
                init,
            )
            for o, h, low, c, v, event, init in zip(
                self.open.tolist(),
                self.high.tolist(),
                self.low.tolist(),
                self.close.tolist(),
                self.volume.tolist(),
                self.ts_event.tolist(),
                self.ts_init.tolist(),
                strict=True,
            )
        ]
