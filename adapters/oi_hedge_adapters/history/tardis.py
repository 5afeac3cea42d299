"""CSV files of Tardis: open interest and funding of ``derivative_ticker``, and ``liquidations``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_adapters import normalise
from oi_hedge_adapters.normalise import Reading
from oi_hedge_adapters.settlements import settled_minutes
from oi_hedge_adapters.venues import VenueError, VenueRow, find_row
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.positioning import LiquidationSeries, merge_liquidations
from oi_hedge_catalog.series import Floats, FundingSeries, OpenInterestSeries, Times
from oi_hedge_catalog.types import LiquidationRecord

_MICROSECOND_NS = 1_000
_MINUTE_NS = 60 * 10**9

EXCHANGES: dict[str, tuple[tuple[str, ...], str]] = {
    "binance-futures": (("binance-linear",), "openInterest"),
    "binance-delivery": (("binance-inverse",), "openInterest"),
    "bybit": (("bybit-linear", "bybit-inverse"), "openInterest"),
    "okex-swap": (("okx-linear", "okx-inverse"), "oi"),
    "deribit": (("deribit-perpetual",), "open_interest"),
    "hyperliquid": (("hyperliquid",), "openInterest"),
    "gate-io-futures": (("gate",), "total_size"),
    "cryptofacilities": (("kraken-linear", "kraken-inverse"), "openInterest"),
    "huobi-dm-linear-swap": (("htx",), "volume"),
    "kucoin-futures": (("kucoin",), "openInterest"),
    "dydx-v4": (("dydx",), "openInterest"),
    "bitmex": (("bitmex",), "openInterest"),
    "ftx": (("ftx",), "openInterest"),
}
"""Rows of the venue table by Tardis's name of the exchange, and which field its mapper takes."""

_SUFFIXES = ("", "-PERP", "-LINEAR", "-INVERSE", "-USD-PERP")


class DataType(StrEnum):
    """Which of Tardis's data sets a file is of."""

    TICKER = "derivative_ticker"
    LIQUIDATIONS = "liquidations"


_NUMBERS = {
    DataType.TICKER: ("funding_timestamp", "funding_rate", "open_interest", "mark_price"),
    DataType.LIQUIDATIONS: ("price", "amount"),
}


@dataclass(frozen=True)
class Market:
    """An instrument as Tardis names it, its row, and the field that its open interest is."""

    id: InstrumentId
    row: VenueRow
    path: str
    contract_size: float | None = None

    def reading(
        self, payload: dict[str, object], event_ns: int, init_ns: int, price: float | None
    ) -> Reading:
        """Return a payload that carries a raw number as the venue does."""
        size = self.contract_size
        return Reading(self.row, self.id, payload, init_ns, size, price, event_ns)


def data_type(path: Path) -> DataType:
    """
    Return what a file holds, by its name or directory: trades look the same as liquidations inside.

    Raises
    ------
    DataError
        If neither says so.
    """
    for kind in DataType:
        if kind in str(path):
            return kind
    raise DataError(f"{path}: expected 'derivative_ticker' or 'liquidations' in the file's name or directory")


def find_market(path: Path, exchange: str, symbol: str, contract_size: float | None) -> Market:
    """
    Return the instrument that Tardis calls `symbol` of `exchange`.

    Raises
    ------
    VenueError
        If the exchange is not known, or the symbol is no perpetual of it.
    """
    if exchange not in EXCHANGES:
        raise VenueError(f"{path}: unknown exchange {exchange!r}, expected one of {', '.join(EXCHANGES)}")
    keys, field = EXCHANGES[exchange]
    plain = symbol.upper().removesuffix("_PERP")
    for row in map(find_row, keys):
        for suffix in _SUFFIXES:
            if row.parts(plain + suffix) is not None:
                return Market(
                    InstrumentId.from_str(f"{plain}{suffix}.{row.venue}"), row, field, contract_size
                )
    raise VenueError(f"{path}: {symbol!r} of {exchange} is not a perpetual that the venue table has")


def read_file(path: Path) -> pa.Table:
    """
    Read one ``.csv`` or ``.csv.gz`` file.

    Raises
    ------
    DataError
        If it is missing, cut off, or lacks a column.
    """
    kind = data_type(path)
    text = ("exchange", "symbol", *(("side",) if kind is DataType.LIQUIDATIONS else ()))
    columns = {name: pa.string() for name in text}
    columns |= dict.fromkeys(("timestamp", "local_timestamp"), pa.int64())
    columns |= dict.fromkeys(_NUMBERS[kind], pa.float64())
    options = pa_csv.ConvertOptions(include_columns=list(columns), column_types=columns)
    try:
        return pa_csv.read_csv(path, convert_options=options)
    except FileNotFoundError as error:
        raise DataError(f"file {path} does not exist") from error
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise DataError(f"{path} is not a complete {kind} file of Tardis: {error}") from error


def _times(table: pa.Table) -> tuple[Times, Times]:
    """Return when the venue says a row was true, and when it was received, UNIX nanoseconds."""
    event = table["timestamp"].to_numpy() * _MICROSECOND_NS
    received = table["local_timestamp"].to_numpy() * _MICROSECOND_NS
    return event, np.maximum(event, received)


def _numbers(table: pa.Table, name: str) -> Floats:
    return table[name].to_numpy().astype(np.float64)


def open_interest(tables: Sequence[pa.Table], market: Market, every_ns: int) -> OpenInterestSeries:
    """
    Return the last open interest received in each `every_ns`, one-sided, valued at the mark price.

    Raises
    ------
    PayloadError
        If the size of a contract or a price is needed and unknown.
    """
    table = pa.concat_tables(tables)
    event, init = _times(table)
    raw, mark = _numbers(table, "open_interest"), _numbers(table, "mark_price")
    known = np.flatnonzero(np.isfinite(raw) & (raw > 0))
    known = known[np.argsort(init[known], kind="stable")]
    last = np.append(np.diff(init[known] // every_ns) != 0, True)[: len(known)]
    rows = known[last]
    newer = event[rows] > np.maximum.accumulate(np.concatenate([[0], event[rows][:-1]]))[: len(rows)]
    rows = rows[newer]
    updates = [
        normalise.open_interest(_ticker_reading(market, raw[row], mark[row], int(event[row]), int(init[row])))
        for row in rows.tolist()
    ]
    notional = [np.nan if each.notional_usd is None else each.notional_usd for each in updates]
    return OpenInterestSeries(
        ts_event=event[rows],
        ts_init=init[rows],
        id=market.id,
        quantity=np.array([each.quantity for each in updates], np.float64),
        notional_usd=np.array(notional, np.float64),
    )


def _ticker_reading(market: Market, raw: float, mark: float, event: int, init: int) -> Reading:
    price = mark if mark > 0 else None
    reading = market.reading({market.path: raw}, event, init, price)
    fields = tuple(each for each in market.row.open_interest if each.path == market.path)
    return replace(reading, row=replace(market.row, open_interest=fields))


def funding(tables: Sequence[pa.Table], market: Market) -> FundingSeries:
    """
    Return the rate of each settlement: the last one published for it.

    Rows without the time of their settlement, and settlements after the last row, are left out.
    """
    table = pa.concat_tables(tables)
    _, init = _times(table)
    due, rate = _numbers(table, "funding_timestamp"), _numbers(table, "funding_rate")
    known = np.flatnonzero(np.isfinite(due) & np.isfinite(rate))
    known = known[np.argsort(init[known], kind="stable")]
    settled = np.round(due[known]).astype(np.int64) * _MICROSECOND_NS
    before = (init[known] < settled) & (settled <= (init.max() if len(init) else 0))
    known, settled = known[before], settled[before]
    final = np.append(np.diff(settled) != 0, True)[: len(settled)]
    event, rate = settled[final], rate[known][final]
    minutes = settled_minutes(event, market.row.funding)
    lag = round(market.row.publication_lag_secs * 1e9)
    return FundingSeries(event, event + lag, market.id, rate, minutes, event + minutes * _MINUTE_NS)


def liquidations(tables: Sequence[pa.Table], market: Market) -> LiquidationSeries:
    """
    Return the positions closed at each moment, in coins: a ``sell`` closed a long one.

    Raises
    ------
    DataError
        If the venue table does not say how the venue counts liquidations, or a side is neither.
    PayloadError
        If the size of a contract is needed and unknown.
    """
    fields = market.row.liquidation
    if fields is None:
        raise DataError(f"{market.row.title}: what its liquidations count is not known, so none are taken")
    table = pa.concat_tables(tables)
    event, init = _times(table)
    price, amount = _numbers(table, "price"), _numbers(table, "amount")
    records = []
    for row, side in enumerate(table["side"].to_pylist()):
        if side not in ("buy", "sell"):
            raise DataError(f"{market.id}: liquidation side {side!r} is neither buy nor sell")
        at = int(event[row]), int(init[row])
        reading = market.reading({}, *at, None)
        coins = normalise.liquidated_coins(reading, fields, float(amount[row]), float(price[row]))
        long, short = (coins, 0.0) if side == "sell" else (0.0, coins)
        records.append(LiquidationRecord(market.id, long, short, float(price[row]), *at))
    return merge_liquidations(market.id, records)
