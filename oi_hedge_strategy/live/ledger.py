"""The running ledger: a journal of the day, and a catalog of the days before."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from nautilus_trader.model.data import CustomData
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.types import CatalogData
from oi_hedge_strategy.live.journal import Journal, read_journal
from oi_hedge_strategy.live.ledger_records import LedgerBar, LedgerFill
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision
from oi_hedge_strategy.simulation.records import FillCost, FundingPayment, PositionLiquidated

KINDS: tuple[type[CatalogData], ...] = (
    LedgerBar,
    LedgerFill,
    HedgeDecision,
    CascadeForecast,
    FillCost,
    FundingPayment,
    PositionLiquidated,
)
"""A record's place in this list is its kind in the journal: new ones come last."""


class Ledger:
    """
    Keep the records of a run in a directory, for months and over restarts.

    A record goes to the journal of its UTC day at once; days that are over are moved into the catalog when
    asked. Being killed loses at most the record that is being written.

    Parameters
    ----------
    directory : Path
        Where the ledger is; made for the owner alone.

    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._day = ""
        self._journal: Journal | None = None

    def append(self, record: CatalogData) -> str:
        """
        Add a record; return its UTC day where it is the first of a day in this process, nothing otherwise.

        Raises
        ------
        OSError
            If the disk is full or gone.

        """
        day, begun = _day_of(record.ts_init), ""
        if self._journal is None or day > self._day:
            path = self.directory / f"{day}.journal"
            _cut_torn(path)
            former, self._journal = self._journal, Journal(path)
            self._day = begun = day
            if former is not None:
                former.close()
        self._journal.append(KINDS.index(type(record)), json.dumps(record.to_dict()).encode())
        return begun

    def move_days(self, before: str) -> None:
        """
        Move the journals of the days before one into the catalog; doing it again changes nothing.

        A journal goes once the catalog is on the disk.
        """
        for path in sorted(self.directory.glob("*.journal")):
            if path.stem >= before:
                continue
            records = list(_read(path))
            catalog = ParquetDataCatalog(str(_made(self.directory / "catalog")))
            for kind in KINDS:
                rows = sorted((r for r in records if type(r) is kind), key=lambda r: r.ts_init)
                if rows:
                    catalog.write_data(rows, skip_disjoint_check=True)
            os.sync()
            path.unlink()

    def close(self) -> None:
        """Bring the journal to the disk."""
        journal, self._journal = self._journal, None
        if journal is not None:
            try:
                journal.sync()
            finally:
                journal.close()


def read_ledger[T: CatalogData](directory: Path, kind: type[T]) -> list[T]:
    """
    Return all records of a kind, in order of time; a run that is going on is left alone.

    Raises
    ------
    DataError
        If there is no ledger.

    """
    if not directory.is_dir():
        raise DataError(f"{directory} holds no ledger; start a run with: oi-hedge paper --config FILE")
    found: list[T] = []
    if (directory / "catalog").is_dir():
        stored = ParquetDataCatalog(str(directory / "catalog")).query(kind)
        found += [each.data if isinstance(each, CustomData) else each for each in stored]
    moved = {_day_of(record.ts_init) for record in found}
    for path in sorted(directory.glob("*.journal")):
        if path.stem not in moved:
            found += [record for record in _read(path) if isinstance(record, kind)]
    return sorted(found, key=lambda record: record.ts_init)


def _read(path: Path) -> Iterator[CatalogData]:
    for kind, payload in read_journal(path):
        if kind >= len(KINDS):
            raise DataError(f"{path} holds records of a later version (kind {kind}); read it with that one")
        yield KINDS[kind].from_dict(json.loads(payload))


def _cut_torn(path: Path) -> None:
    """Cut off what a killed process left of its last record: nothing behind it would be read."""
    if not path.exists():
        return
    reading = read_journal(path)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            if end.value:
                os.truncate(path, path.stat().st_size - end.value)
            return


def _made(path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _day_of(ts: int) -> str:
    return datetime.fromtimestamp(ts / 1e9, UTC).strftime("%Y-%m-%d")
