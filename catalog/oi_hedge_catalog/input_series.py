"""Options open interest and wallet concentration as columns: what `series` is for the venues' own figures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from nautilus_trader.core.data import Data
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog.series import Floats, Series, Times
from oi_hedge_catalog.types import OptionsOpenInterest, WalletConcentration

OPTION = np.dtype([("strike", "f8"), ("expiry", "i8"), ("call", "?"), ("quantity", "f8")])
"""One option: strike in USD, UNIX nanoseconds of the expiry, call or put, open interest in the base coin."""

_LISTS = {"strikes": "strike", "expiries": "expiry", "calls": "call", "quantities": "quantity"}


@dataclass(frozen=True, eq=False)
class OptionsSeries(Series):
    """
    Open interest of all options of one underlying.

    Attributes
    ----------
    id : InstrumentId
        As `types.options_id` gives it.
    underlying_price : ndarray of float64, shape (rows,)
        In USD.
    chain : ndarray of object, shape (rows,)
        The options of each moment, an array of dtype `OPTION`.
    """

    id: InstrumentId
    underlying_price: Floats
    chain: npt.NDArray[np.object_]

    KIND = "options_open_interest"
    DATA_CLS = OptionsOpenInterest
    VALUES = ("underlying_price", "call_quantity", "put_quantity", "mean_strike")

    @property
    def instrument_id(self) -> InstrumentId:
        return self.id

    @property
    def call_quantity(self) -> Floats:
        """Open interest in calls in the base coin, shape (rows,)."""
        return np.array([options["quantity"][options["call"]].sum() for options in self.chain], np.float64)

    @property
    def put_quantity(self) -> Floats:
        """Open interest in puts in the base coin, shape (rows,)."""
        return np.array([options["quantity"][~options["call"]].sum() for options in self.chain], np.float64)

    @property
    def put_call_ratio(self) -> Floats:
        """Open interest in puts over that in calls, shape (rows,); NaN where no call is open."""
        calls = self.call_quantity
        return np.divide(self.put_quantity, calls, out=np.full(len(self), np.nan), where=calls > 0.0)

    @property
    def mean_strike(self) -> Floats:
        """Mean strike in USD weighted by open interest, shape (rows,); zero where nothing is open."""
        moments = np.array([options["strike"] @ options["quantity"] for options in self.chain], np.float64)
        total = self.call_quantity + self.put_quantity
        return np.divide(moments, total, out=np.zeros(len(self)), where=total > 0.0)

    def mass_distance(self, share: float = 0.5) -> Floats:
        """Return `OptionsOpenInterest.mass_distance` of each row, NaN where nothing is open."""
        found = (update.mass_distance(share) for update in self._updates())
        return np.array([np.nan if value is None else value for value in found], np.float64)

    def _updates(self) -> list[OptionsOpenInterest]:
        columns = ([options[name].tolist() for options in self.chain] for name in _LISTS.values())
        times = (self.ts_event.tolist(), self.ts_init.tolist())
        rows = zip(self.underlying_price.tolist(), *columns, *times, strict=True)
        return [OptionsOpenInterest(self.id, *row) for row in rows]

    def to_data(self) -> list[Data]:
        return list(self._updates())

    def to_table(self) -> pa.Table:
        schema = OptionsOpenInterest.schema()
        offsets = np.concatenate([[0], np.cumsum([len(options) for options in self.chain])]).astype(np.int32)
        flat = np.concatenate([np.zeros(0, OPTION), *self.chain])
        columns: dict[str, Any] = {
            "instrument_id": pa.repeat(self.identifier, len(self)),
            "underlying_price": self.underlying_price,
            "ts_event": self.ts_event.astype(np.uint64),
            "ts_init": self.ts_init.astype(np.uint64),
        }
        for column, name in _LISTS.items():
            values = pa.array(np.ascontiguousarray(flat[name]), schema.field(column).type.value_type)
            columns[column] = pa.ListArray.from_arrays(offsets, values)
        return pa.table(columns, schema=schema)


def options_series(
    instrument_id: InstrumentId, updates: list[OptionsOpenInterest] | pa.Table
) -> OptionsSeries:
    """Return `updates`, or a table of them as a catalog stores it, as columns."""
    table = updates if isinstance(updates, pa.Table) else pa.table(OptionsOpenInterest.encode(updates))
    lists = {name: table[column].combine_chunks() for column, name in _LISTS.items()}
    lengths = lists["strike"].value_lengths().to_numpy(zero_copy_only=False)
    flat = np.zeros(int(lengths.sum()), OPTION)
    for name, column in lists.items():
        flat[name] = column.flatten().to_numpy(zero_copy_only=False)
    chain = np.empty(len(lengths), np.object_)
    for row, (end, length) in enumerate(zip(np.cumsum(lengths), lengths, strict=True)):
        chain[row] = flat[end - length : end]
    return OptionsSeries(
        ts_event=table["ts_event"].to_numpy().astype(np.int64),
        ts_init=table["ts_init"].to_numpy().astype(np.int64),
        id=instrument_id,
        underlying_price=table["underlying_price"].to_numpy(),
        chain=chain,
    )


@dataclass(frozen=True, eq=False)
class WalletSeries(Series):
    """
    Concentration of a coin over a set of addresses; see `WalletConcentration` for the columns.

    Attributes
    ----------
    id : InstrumentId
        As `types.wallet_id` gives it.
    addresses, top : ndarray of int64, shape (rows,)
        Addresses in the set, and how many of the largest `top_share` counts.
    total, top_share, herfindahl, gini : ndarray of float64, shape (rows,)
        Coins, and figures without unit.
    block : ndarray of int64, shape (rows,)
        Block of the balances; -1 where unknown.
    """

    id: InstrumentId
    addresses: Times
    total: Floats
    top: Times
    top_share: Floats
    herfindahl: Floats
    gini: Floats
    block: Times

    KIND = "wallet_concentration"
    DATA_CLS = WalletConcentration
    VALUES = ("total", "top_share", "herfindahl", "gini")

    @property
    def instrument_id(self) -> InstrumentId:
        return self.id

    def to_data(self) -> list[Data]:
        columns = (getattr(self, name).tolist() for name, _, _ in WalletConcentration.FIELDS[:-1])
        blocks = (None if block < 0 else block for block in self.block.tolist())
        rows = zip(*columns, blocks, self.ts_event.tolist(), self.ts_init.tolist(), strict=True)
        return [WalletConcentration(self.id, *row) for row in rows]


def wallet_series(instrument_id: InstrumentId, updates: list[WalletConcentration] | pa.Table) -> WalletSeries:
    """Return `updates`, or a table of them as a catalog stores it, as columns."""
    table = updates if isinstance(updates, pa.Table) else pa.table(WalletConcentration.encode(updates))
    columns = {name: table[name].to_numpy() for name in WalletConcentration.schema().names[1:-3]}
    return WalletSeries(
        ts_event=table["ts_event"].to_numpy().astype(np.int64),
        ts_init=table["ts_init"].to_numpy().astype(np.int64),
        id=instrument_id,
        block=table["block"].fill_null(-1).to_numpy().astype(np.int64),
        **columns,
    )
