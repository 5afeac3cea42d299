"""Read what a node recorded: while it records, after it, and after it was killed."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from nautilus_trader.persistence.funcs import class_to_filename

from oi_hedge_catalog import store
from oi_hedge_catalog.types import CatalogData
from oi_hedge_strategy.live.entries import INSTRUMENT_KINDS, MARKET_KINDS, OUTPUT_KINDS, unpack
from oi_hedge_strategy.live.session import INFO_FILE, STREAMED, Session
from oi_hedge_strategy.records import SessionEntry

_STORED = (*MARKET_KINDS, *OUTPUT_KINDS, *INSTRUMENT_KINDS)


@dataclass(frozen=True, slots=True)
class Recorded:
    """
    Hold the records of one type.

    Parameters
    ----------
    rows : list
        In the order in which they were recorded.
    torn : tuple of str
        Files that end in the middle of a record: the process was killed while it wrote.

    """

    rows: list[Any]
    torn: tuple[str, ...]


def read_recorded(session: Session, kind: type[CatalogData], start_ns: int = 0) -> Recorded:
    """Return the records of a streamed type with `start_ns` <= `ts_init`."""
    if session.catalog_path.is_dir():
        found = ParquetDataCatalog(str(session.catalog_path)).query(kind, start=start_ns)
        return Recorded(sorted((each.data for each in found), key=_order), ())
    rows: list[Any] = []
    torn = []
    for path in _files(session, kind, start_ns):
        items, whole = read_stream(path, kind)
        rows += (each for each in items if each.ts_init >= start_ns)
        if not whole:
            torn.append(path.name)
    return Recorded(rows, tuple(torn))


def read_stream(path: Path, kind: type[CatalogData]) -> tuple[list[Any], bool]:
    """Return the records of a feather stream up to its end or its first damage, and whether it is whole."""
    rows: list[Any] = []
    with path.open("rb") as file:
        try:
            reader = pa.ipc.open_stream(file)
            for batch in reader:
                rows += kind.decode(batch)
        except (pa.ArrowInvalid, OSError):
            return rows, path.stat().st_size == 0
    return rows, True


def convert(session: Session) -> tuple[str, ...]:
    """
    Turn the recording into a Parquet catalog within the session, and remove the streams.

    The catalog holds every input under its own type, forecasts, decisions, timings and alerts, and the
    journal that says in which order all came. It appears at once, when it is complete; what was begun before
    is begun anew.

    Returns
    -------
    tuple of str
        What was torn: files that end in the middle of a record, which is left out.

    """
    if session.catalog_path.is_dir():
        return ()
    mask = os.umask(0o077)
    try:
        return _convert(session)
    finally:
        os.umask(mask)


def _convert(session: Session) -> tuple[str, ...]:
    staged = session.catalog_path.with_suffix(".tmp")
    shutil.rmtree(staged, ignore_errors=True)
    catalog = store.open_catalog(staged, create=True)
    store.write_info(catalog, {"simulated": False, "description": f"session {session.directory.name}"})
    torn = []
    for kind in STREAMED:
        for path in _files(session, kind, 0):
            rows, whole = read_stream(path, kind)
            _store(catalog, rows)
            if kind is SessionEntry:
                for values in _by_kind(rows):
                    _store(catalog, values)
            if not whole:
                torn.append(path.name)
    staged.replace(session.catalog_path)
    for directory in _streams(session):
        shutil.rmtree(directory)
    return tuple(torn)


def convert_left(root: Path) -> list[str]:
    """Convert every session of a directory whose process was killed; return in words what was found."""
    found = []
    for path in sorted(root.glob(f"*/{INFO_FILE}")):
        session = Session(path.parent)
        if session.is_running or session.catalog_path.is_dir():
            continue
        torn = convert(session)
        lost = f"; the last record of {', '.join(torn)} was torn and is left out" if torn else ""
        found.append(f"session {path.parent.name} was not ended and is readable now{lost}")
    return found


def _by_kind(entries: list[Any]) -> Iterator[list[Any]]:
    """Yield the values of the entries, of one type and instrument each."""
    wanted = {kind.__name__ for kind in _STORED}
    groups: dict[tuple[str, str], list[Any]] = {}
    for entry in entries:
        if entry.kind in wanted:
            value = unpack(entry)
            about = getattr(value, "bar_type", None) or getattr(value, "instrument_id", None) or value.id
            groups.setdefault((entry.kind, str(about)), []).append(value)
    yield from groups.values()


def _store(catalog: ParquetDataCatalog, rows: list[Any]) -> None:
    if rows:
        catalog.write_data(sorted(rows, key=lambda row: row.ts_init), skip_disjoint_check=True)


def _files(session: Session, kind: type, start_ns: int) -> list[Path]:
    """Return the streams of a type in order, from the one on in which `start_ns` lies."""
    name = class_to_filename(kind)
    found = sorted(
        (path for each in _streams(session) for path in each.glob(f"{name}/*/*.feather")), key=_began
    )
    later = [at for at, path in enumerate(found) if _began(path) > start_ns]
    return found[max(later[0] - 1, 0) :] if later else found[-1:]


def _began(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def _streams(session: Session) -> list[Path]:
    """Return the directories that Nautilus streamed into: one a node, below the kind of its environment."""
    kinds = ("live", "sandbox", "backtest")
    return [path for kind in kinds for path in (session.directory / kind).glob("*/")]


def _order(row: Any) -> tuple[int, int]:
    return row.ts_init, getattr(row, "sequence", 0)
