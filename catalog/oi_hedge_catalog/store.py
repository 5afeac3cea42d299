"""Reading and discovering what a Parquet catalog holds."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from nautilus_trader.core.datetime import unix_nanos_to_iso8601
from nautilus_trader.model.data import Bar, BarType, FundingRateUpdate
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from nautilus_trader.persistence.funcs import class_to_filename, urisafe_identifier

from oi_hedge_catalog.errors import CatalogError
from oi_hedge_catalog.input_series import OptionsSeries, WalletSeries, options_series, wallet_series
from oi_hedge_catalog.positioning import LiquidationSeries, LongShortSeries
from oi_hedge_catalog.premium import PremiumIndexUpdate, PremiumSeries
from oi_hedge_catalog.series import BarSeries, FundingSeries, OpenInterestSeries
from oi_hedge_catalog.types import (
    LiquidationRecord,
    LongShortRatio,
    OpenInterestUpdate,
    OptionsOpenInterest,
    WalletConcentration,
)

INFO_FILE = "oi_hedge_catalog.json"
MAX_ROWS_PER_GROUP = 131_072


def open_catalog(path: str | os.PathLike[str], create: bool = False) -> ParquetDataCatalog:
    """
    Open the catalog at `path`.

    Parameters
    ----------
    path : str or PathLike
        The directory that holds, or will hold, Nautilus's ``data`` directory.
    create : bool, default False
        Make the directory when it is not there or empty.

    Raises
    ------
    CatalogError
        If `path` is not a catalog and may not be made one.
    """
    root = Path(path).absolute()
    if root.exists() and not root.is_dir():
        raise CatalogError(f"{path} is a file, expected the directory of a catalog")
    if not (root / "data").is_dir():
        if not create:
            state = "has no data/ directory" if root.exists() else "does not exist"
            raise CatalogError(f"{path} is not a catalog: it {state}; make one with `oi-hedge ingest`")
        if root.exists() and any(root.iterdir()):
            raise CatalogError(f"{path} is neither a catalog nor empty, name another directory")
        (root / "data").mkdir(parents=True)
    return ParquetDataCatalog(root, max_rows_per_group=MAX_ROWS_PER_GROUP)


def data_directory(catalog: ParquetDataCatalog, data_cls: type, identifier: str) -> Path:
    """Return the directory where `catalog` keeps the rows of `data_cls` for `identifier`."""
    return Path(catalog.path, "data", class_to_filename(data_cls), urisafe_identifier(identifier))


def data_files(catalog: ParquetDataCatalog, data_cls: type, identifier: str) -> list[tuple[int, int, Path]]:
    """Return the first `ts_init`, last `ts_init` and path of each file, in order of time."""
    directory = data_directory(catalog, data_cls, identifier)
    if not directory.is_dir():
        return []
    intervals = catalog.get_intervals(data_cls, identifier)
    return [(start, end, directory / file_name(start, end)) for start, end in sorted(intervals)]


def file_name(start: int, end: int) -> str:
    """Return the name that Nautilus gives to the file of an interval."""
    stamps = (unix_nanos_to_iso8601(ns).replace(":", "-").replace(".", "-") for ns in (start, end))
    return "_".join(stamps) + ".parquet"


def read_open_interest(
    catalog: ParquetDataCatalog,
    instrument_id: InstrumentId | str,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> OpenInterestSeries:
    """
    Read the open interest of an instrument with `start_ns` <= `ts_init` <= `end_ns`, as columns.

    Raises
    ------
    CatalogError
        If the catalog has no open interest of the instrument; a range without rows is an empty series.
    """
    table = _read_table(catalog, OpenInterestUpdate, str(instrument_id), start_ns, end_ns)
    return OpenInterestSeries(
        id=InstrumentId.from_str(str(instrument_id)),
        quantity=table["quantity"].to_numpy(),
        notional_usd=table["notional_usd"].to_numpy().astype(np.float64),
        **_times(table),
    )


def read_funding(
    catalog: ParquetDataCatalog,
    instrument_id: InstrumentId | str,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> FundingSeries:
    """
    Read the funding rates of an instrument with `start_ns` <= `ts_init` <= `end_ns`, as columns.

    Raises
    ------
    CatalogError
        If the catalog has no funding rates of the instrument.
    """
    table = _read_table(catalog, FundingRateUpdate, str(instrument_id), start_ns, end_ns)
    return FundingSeries(
        id=InstrumentId.from_str(str(instrument_id)),
        rate=table["rate"].cast(pa.float64()).to_numpy(),
        interval=table["interval"].fill_null(0).to_numpy().astype(np.int64),
        next_funding_ns=table["next_funding_ns"].fill_null(0).to_numpy().astype(np.int64),
        **_times(table),
    )


def read_long_short(
    catalog: ParquetDataCatalog,
    instrument_id: InstrumentId | str,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> LongShortSeries:
    """
    Read the long/short ratios of an instrument with `start_ns` <= `ts_init` <= `end_ns`, as columns.

    Raises
    ------
    CatalogError
        If the catalog has none of the instrument.
    """
    table = _read_table(catalog, LongShortRatio, str(instrument_id), start_ns, end_ns)
    values = {name: table[name].to_numpy() for name in LongShortSeries.VALUES}
    return LongShortSeries(id=InstrumentId.from_str(str(instrument_id)), **values, **_times(table))


def read_liquidations(
    catalog: ParquetDataCatalog,
    instrument_id: InstrumentId | str,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> LiquidationSeries:
    """
    Read the liquidations of an instrument with `start_ns` <= `ts_init` <= `end_ns`, as columns.

    Raises
    ------
    CatalogError
        If the catalog has none of the instrument.
    """
    table = _read_table(catalog, LiquidationRecord, str(instrument_id), start_ns, end_ns)
    values = {name: table[name].to_numpy() for name in LiquidationSeries.VALUES}
    return LiquidationSeries(id=InstrumentId.from_str(str(instrument_id)), **values, **_times(table))


def read_premium_index(
    catalog: ParquetDataCatalog,
    instrument_id: InstrumentId | str,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> PremiumSeries:
    """
    Read the premium index of an instrument with `start_ns` <= `ts_init` <= `end_ns`, as columns.

    Raises
    ------
    CatalogError
        If the catalog has none of the instrument.
    """
    table = _read_table(catalog, PremiumIndexUpdate, str(instrument_id), start_ns, end_ns)
    premium = table["premium"].to_numpy()
    return PremiumSeries(id=InstrumentId.from_str(str(instrument_id)), premium=premium, **_times(table))


def read_options_open_interest(
    catalog: ParquetDataCatalog,
    instrument_id: InstrumentId | str,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> OptionsSeries:
    """
    Read the open interest of an underlying's options with `start_ns` <= `ts_init` <= `end_ns`, as columns.

    Raises
    ------
    CatalogError
        If the catalog has no options open interest under that id.
    """
    table = _read_table(catalog, OptionsOpenInterest, str(instrument_id), start_ns, end_ns)
    return options_series(InstrumentId.from_str(str(instrument_id)), table)


def read_wallet_concentration(
    catalog: ParquetDataCatalog,
    instrument_id: InstrumentId | str,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> WalletSeries:
    """
    Read the concentration of a set of addresses with `start_ns` <= `ts_init` <= `end_ns`, as columns.

    Raises
    ------
    CatalogError
        If the catalog has no wallet concentration under that id.
    """
    table = _read_table(catalog, WalletConcentration, str(instrument_id), start_ns, end_ns)
    return wallet_series(InstrumentId.from_str(str(instrument_id)), table)


def read_bars(
    catalog: ParquetDataCatalog,
    bar_type: BarType | str,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> BarSeries:
    """
    Read the bars of a type with `start_ns` <= `ts_init` <= `end_ns`, as columns.

    Raises
    ------
    CatalogError
        If the catalog has no bars of the type.
    """
    kind = BarType.from_str(str(bar_type))
    _require(catalog, Bar, str(kind))
    bars = catalog.query(Bar, identifiers=[str(kind)], start=start_ns, end=end_ns)
    order = np.argsort(np.array([bar.ts_init for bar in bars], np.int64), kind="stable")
    price_precision, size_precision = _precisions(catalog, kind)
    values = {
        name: np.array([getattr(bar, name).as_double() for bar in bars], np.float64)[order]
        for name in BarSeries.VALUES
    }
    return BarSeries(
        ts_event=np.array([bar.ts_event for bar in bars], np.int64)[order],
        ts_init=np.array([bar.ts_init for bar in bars], np.int64)[order],
        bar_type=kind,
        price_precision=price_precision,
        size_precision=size_precision,
        **values,
    )


def _precisions(catalog: ParquetDataCatalog, bar_type: BarType) -> tuple[int, int]:
    _, _, path = data_files(catalog, Bar, str(bar_type))[0]
    metadata = pq.read_schema(path).metadata
    return int(metadata[b"price_precision"]), int(metadata[b"size_precision"])


def _require(catalog: ParquetDataCatalog, data_cls: type, identifier: str) -> None:
    if not data_files(catalog, data_cls, identifier):
        present = ", ".join(_identifiers(catalog, data_cls)) or "none"
        raise CatalogError(f"{catalog.path} has no {data_cls.__name__} for {identifier}; it has: {present}")


def _read_table(
    catalog: ParquetDataCatalog, data_cls: type, identifier: str, start_ns: int | None, end_ns: int | None
) -> pa.Table:
    """Read the rows of an identifier, ordered by `ts_init`."""
    _require(catalog, data_cls, identifier)
    files = data_files(catalog, data_cls, identifier)
    low = 0 if start_ns is None else start_ns
    high = np.iinfo(np.int64).max if end_ns is None else end_ns
    paths = [path for first, last, path in files if last >= low and first <= high] or [files[0][2]]
    table = pa.concat_tables([pq.ParquetFile(path).read() for path in paths])
    times = table["ts_init"].to_numpy()
    inside = np.flatnonzero((times >= low) & (times <= high))
    return table.take(inside[np.argsort(times[inside], kind="stable")])


def _times(table: pa.Table) -> dict[str, Any]:
    return {name: table[name].to_numpy().astype(np.int64) for name in ("ts_event", "ts_init")}


def instruments(catalog: ParquetDataCatalog) -> list[Instrument]:
    """Return the instruments of the catalog, by id."""
    return sorted(catalog.instruments(), key=lambda instrument: str(instrument.id))


def bar_types(catalog: ParquetDataCatalog) -> list[BarType]:
    """Return the bar types that have bars, by name."""
    return [BarType.from_str(name) for name in _identifiers(catalog, Bar)]


def open_interest_ids(catalog: ParquetDataCatalog) -> list[InstrumentId]:
    """Return the instruments that have open interest, by id."""
    return [InstrumentId.from_str(name) for name in _identifiers(catalog, OpenInterestUpdate)]


def funding_ids(catalog: ParquetDataCatalog) -> list[InstrumentId]:
    """Return the instruments that have funding rates, by id."""
    return [InstrumentId.from_str(name) for name in _identifiers(catalog, FundingRateUpdate)]


def long_short_ids(catalog: ParquetDataCatalog) -> list[InstrumentId]:
    """Return the instruments that have long/short ratios, by id."""
    return [InstrumentId.from_str(name) for name in _identifiers(catalog, LongShortRatio)]


def liquidation_ids(catalog: ParquetDataCatalog) -> list[InstrumentId]:
    """Return the instruments that have liquidations, by id."""
    return [InstrumentId.from_str(name) for name in _identifiers(catalog, LiquidationRecord)]


def premium_ids(catalog: ParquetDataCatalog) -> list[InstrumentId]:
    """Return the instruments that have a premium index, by id."""
    return [InstrumentId.from_str(name) for name in _identifiers(catalog, PremiumIndexUpdate)]


def options_ids(catalog: ParquetDataCatalog) -> list[InstrumentId]:
    """Return the underlyings that have options open interest, by id."""
    return [InstrumentId.from_str(name) for name in _identifiers(catalog, OptionsOpenInterest)]


def wallet_ids(catalog: ParquetDataCatalog) -> list[InstrumentId]:
    """Return the sets of addresses that have a concentration, by id."""
    return [InstrumentId.from_str(name) for name in _identifiers(catalog, WalletConcentration)]


def _identifiers(catalog: ParquetDataCatalog, data_cls: type) -> Iterable[str]:
    directory = data_directory(catalog, data_cls, "")
    found = directory.iterdir() if directory.is_dir() else ()
    return sorted(entry.name for entry in found if any(entry.glob("*.parquet")))


def read_info(catalog: ParquetDataCatalog) -> dict[str, Any]:
    """Return what `write_info` stored; recorded data is assumed where nothing was."""
    path = Path(catalog.path, INFO_FILE)
    if not path.exists():
        return {"simulated": False, "description": ""}
    try:
        info = json.loads(path.read_text())
    except ValueError as error:
        raise CatalogError(f"{path} is not valid JSON ({error}); delete or restore it") from error
    if not isinstance(info, dict):
        raise CatalogError(f"{path} holds a {type(info).__name__}, expected an object with `simulated`")
    return info


def write_info(catalog: ParquetDataCatalog, info: dict[str, Any]) -> None:
    """Store `info` beside the data, replacing what was there in one step."""
    path = Path(catalog.path, INFO_FILE)
    staged = path.with_suffix(".tmp")
    staged.write_text(json.dumps(info, indent=2) + "\n")
    os.replace(staged, path)
