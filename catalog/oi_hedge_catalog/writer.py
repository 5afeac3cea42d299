"""Adding rows to a Parquet catalog so that a reader never sees half a file.

Files are written in a staging directory inside the catalog and moved into place. A process that is killed
leaves at most that directory behind, and the next writer clears it.
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from oi_hedge_catalog.errors import CatalogError, DataError
from oi_hedge_catalog.input_series import OptionsSeries, WalletSeries
from oi_hedge_catalog.positioning import LiquidationSeries, LongShortSeries
from oi_hedge_catalog.premium import PremiumSeries
from oi_hedge_catalog.series import BarSeries, FundingSeries, OpenInterestSeries, Series, Times
from oi_hedge_catalog.store import (
    MAX_ROWS_PER_GROUP,
    data_directory,
    data_files,
    file_name,
    read_bars,
    read_funding,
    read_liquidations,
    read_long_short,
    read_open_interest,
    read_options_open_interest,
    read_premium_index,
    read_wallet_concentration,
)

try:
    import fcntl
except ImportError:  # Windows has no advisory locks on directories
    fcntl = None  # type: ignore[assignment]

STAGING = ".staging"
_RELATIVE_TOLERANCE = 1e-9


@contextmanager
def exclusive(catalog: ParquetDataCatalog) -> Iterator[None]:
    """
    Hold `catalog` for writing, and clear what a killed writer left behind.

    Raises
    ------
    CatalogError
        If another process is writing to it.
    """
    descriptor = os.open(catalog.path, os.O_RDONLY) if fcntl else None
    try:
        if descriptor is not None:
            _lock(descriptor, catalog)
        shutil.rmtree(Path(catalog.path, STAGING), ignore_errors=True)
        yield
    finally:
        shutil.rmtree(Path(catalog.path, STAGING), ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def _lock(descriptor: int, catalog: ParquetDataCatalog) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = f"{catalog.path} is being written by another process, wait until it ends"
        raise CatalogError(message) from error


@dataclass(frozen=True)
class Append:
    """The rows of a series that a catalog does not have yet, grouped into the files to write."""

    series: Series
    files: tuple[Series, ...]

    @property
    def rows(self) -> int:
        """Number of rows to add."""
        return len(self.series)


def plan_append(catalog: ParquetDataCatalog, series: Series) -> Append:
    """
    Compare `series` with what `catalog` has, without writing.

    Rows are matched by `ts_event`. New rows before, between and after the stored files become files of their
    own; new rows within the span of a file mean that this file is written again, complete.

    Raises
    ------
    DataError
        If a row is stored with other values, naming instrument, time, field and both values.
    """
    stored = read_stored(catalog, series)
    if stored is None:
        return Append(series, (series,) if len(series) else ())
    new = series.take(~_matches(series, stored))
    slots = _slots(new.ts_init, data_files(catalog, series.DATA_CLS, series.identifier))
    files = []
    for slot in np.unique(slots, axis=0):
        rows = new.take((slots == slot).all(axis=1))
        first, last = slot
        if last:
            inside = (stored.ts_init >= first) & (stored.ts_init <= last)
            rows = _merge(stored.take(inside), rows)
        files.append(rows)
    return Append(new, tuple(files))


def read_stored(catalog: ParquetDataCatalog, like: Series) -> Series | None:
    """Return what is stored of the kind and instrument of `like` from its first time on, if anything is."""
    if not len(like) or not data_files(catalog, like.DATA_CLS, like.identifier):
        return None
    start = int(like.ts_event.min())
    match like:
        case OpenInterestSeries():
            return read_open_interest(catalog, like.id, _file_start(catalog, like, start))
        case FundingSeries():
            return read_funding(catalog, like.id, _file_start(catalog, like, start))
        case BarSeries():
            return read_bars(catalog, like.bar_type, _file_start(catalog, like, start))
        case LongShortSeries():
            return read_long_short(catalog, like.id, _file_start(catalog, like, start))
        case LiquidationSeries():
            return read_liquidations(catalog, like.id, _file_start(catalog, like, start))
        case PremiumSeries():
            return read_premium_index(catalog, like.id, _file_start(catalog, like, start))
        case OptionsSeries():
            return read_options_open_interest(catalog, like.id, _file_start(catalog, like, start))
        case WalletSeries():
            return read_wallet_concentration(catalog, like.id, _file_start(catalog, like, start))
    raise TypeError(f"no reader for {type(like).__name__}")


def _file_start(catalog: ParquetDataCatalog, like: Series, start: int) -> int:
    """Return the first time of the file that holds `start`, so that files to be merged are read whole."""
    for first, last, _ in data_files(catalog, like.DATA_CLS, like.identifier):
        if first <= start <= last:
            return first
    return start


def _matches(series: Series, stored: Series) -> npt.NDArray[np.bool_]:
    """Return which rows of `series` are stored, raising on the first that is stored with other values."""
    if not len(stored):
        return np.zeros(len(series), bool)
    order = np.argsort(stored.ts_event, kind="stable")
    place = np.searchsorted(stored.ts_event[order], series.ts_event)
    place = order[np.minimum(place, len(order) - 1)]
    known: npt.NDArray[np.bool_] = stored.ts_event[place] == series.ts_event
    columns: dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]
    columns = {"ts_init": (series.ts_init, stored.ts_init)}
    columns |= {name: (column, getattr(stored, name)) for name, column in series.values().items()}
    for name, (given, kept) in columns.items():
        tolerance = 0.0 if name == "ts_init" else _RELATIVE_TOLERANCE
        same = np.isclose(given, kept[place], rtol=tolerance, atol=0.0, equal_nan=True)
        if bad := np.flatnonzero(known & ~same).tolist():
            row = bad[0]
            raise DataError(
                f"{series.identifier} at {iso(int(series.ts_event[row]))}: {name} is stored as "
                f"{kept[place[row]]} but the new data says {given[row]} ({len(bad)} such rows); "
                "ingest into a new catalog if the new data is right"
            )
    return known


def _slots(times: Times, files: list[tuple[int, int, Path]]) -> Times:
    """
    Return where each of `times` belongs: ``(first, last)`` of the file around it, or ``(first, 0)`` of a gap.

    Returns
    -------
    ndarray of int64, shape (rows, 2)
    """
    starts = np.array([first for first, _, _ in files], np.int64)
    ends = np.array([last for _, last, _ in files], np.int64)
    before = np.searchsorted(starts, times, side="right") - 1
    inside = (before >= 0) & (times <= ends[before])
    first = np.where(before >= 0, starts[before], 0)
    return np.stack([first, np.where(inside, ends[before], 0)], axis=1)


def _merge(stored: Series, new: Series) -> Series:
    columns = {
        name: np.concatenate([column, getattr(new, name)])
        for name, column in vars(stored).items()
        if isinstance(column, np.ndarray)
    }
    merged = type(stored)(**{**vars(stored), **columns})
    return merged.take(np.argsort(merged.ts_init, kind="stable"))


def write(catalog: ParquetDataCatalog, append: Append) -> None:
    """Write the files of `append` completely, then move them into place; call within `exclusive`."""
    with _staging(catalog) as root:
        for rows in append.files:
            directory = data_directory(catalog, rows.DATA_CLS, rows.identifier).relative_to(catalog.path)
            name = file_name(int(rows.ts_init[0]), int(rows.ts_init[-1]))
            (root / directory).mkdir(parents=True, exist_ok=True)
            pq.write_table(rows.to_table(), root / directory / name, row_group_size=MAX_ROWS_PER_GROUP)


def write_instrument(catalog: ParquetDataCatalog, instrument: Instrument) -> None:
    """
    Store `instrument` unless it is already there; call within `exclusive`.

    Raises
    ------
    CatalogError
        If another definition of the instrument is stored.
    """
    if check_instrument(catalog, instrument):
        with _staging(catalog) as root:
            ParquetDataCatalog(root).write_data([instrument])


def check_instrument(catalog: ParquetDataCatalog, instrument: Instrument) -> bool:
    """Return whether `instrument` is new to the catalog, raising `CatalogError` if it is stored otherwise."""
    stored = catalog.instruments(instrument_ids=[instrument.id.value])
    if not stored:
        return True
    new, old = type(instrument).to_dict(instrument), type(stored[0]).to_dict(stored[0])
    for key in sorted(new.keys() | old.keys()):
        if new.get(key) != old.get(key):
            raise CatalogError(
                f"{instrument.id}: {key} is stored as {old.get(key)} but the manifest says {new.get(key)}; "
                "ingest into a new catalog to change an instrument"
            )
    return False


@contextmanager
def _staging(catalog: ParquetDataCatalog) -> Iterator[Path]:
    """
    Give a directory to write in; what is in it at the end is moved into `catalog`.

    Raises
    ------
    CatalogError
        If the disk is full or refuses.
    """
    root = Path(catalog.path, STAGING, uuid.uuid4().hex)
    try:
        root.mkdir(parents=True)
        yield root
        for source in sorted(root.rglob("*.parquet")):
            target = Path(catalog.path) / source.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, target)
    except OSError as error:
        raise CatalogError(
            f"cannot write to {catalog.path}: {error.strerror or error}; what was stored is kept, run again "
            "to go on"
        ) from error
    finally:
        shutil.rmtree(root, ignore_errors=True)


def iso(time_ns: int) -> str:
    """Return a time as people read it, ``2021-05-19 15:00:00 UTC``."""
    return str(pd.Timestamp(time_ns, tz="UTC").strftime("%Y-%m-%d %H:%M:%S UTC"))
