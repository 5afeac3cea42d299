"""Files of Tardis as catalog sources, one a kind and instrument."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import Instrument

from oi_hedge_adapters.history.known import find_instruments
from oi_hedge_adapters.history.tardis import (
    DataType,
    Market,
    data_type,
    find_market,
    funding,
    liquidations,
    open_interest,
    read_file,
)
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.ingest import Loaded, Source
from oi_hedge_catalog.series import Series


@dataclass(frozen=True)
class TardisSource:
    """A series that was read from files of Tardis."""

    of: Instrument
    series: Series

    @property
    def name(self) -> str:
        """Kind and instrument."""
        return f"tardis {self.series.KIND} of {self.of.id}"

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
        return self.of

    def load(self) -> Loaded:
        """Return the series; ticks have no regular distance, open interest has that of its thinning."""
        return Loaded(self.series)


def tardis_sources(
    paths: Sequence[Path],
    catalog: Path,
    manifest: Path | None = None,
    every_ns: int = 60 * 10**9,
    contract_size: float | None = None,
) -> list[Source]:
    """
    Read `paths`, files or directories of them, and return a source for each kind and instrument.

    Parameters
    ----------
    paths : sequence of Path
        ``.csv`` or ``.csv.gz`` files, or directories that hold them.
    catalog, manifest : Path
        Where instruments are defined, see `find_instruments`.
    every_ns : int, default a minute
        Open interest is the last one received in each span of this length.
    contract_size : float, optional
        Coins, or USD of inverse ones, a contract, where the venue counts contracts.

    Raises
    ------
    DataError, VenueError, ManifestError
        If a file is damaged, of an unknown market, or holds nothing.
    """
    tables: dict[tuple[DataType, InstrumentId], list[pa.Table]] = defaultdict(list)
    markets: dict[InstrumentId, Market] = {}
    for path in _files(paths):
        table = read_file(path)
        for exchange, symbol in _names(table):
            market = find_market(path, exchange, symbol, contract_size)
            own = pc.and_(pc.equal(table["exchange"], exchange), pc.equal(table["symbol"], symbol))
            tables[data_type(path), market.id].append(table.filter(own))
            markets[market.id] = market
    instruments = dict(zip(markets, find_instruments(list(markets), catalog, manifest), strict=True))
    sources: list[Source] = []
    for (kind, identifier), parts in tables.items():
        found: list[Series]
        market = markets[identifier]
        if kind is DataType.LIQUIDATIONS:
            found = [liquidations(parts, market)]
        else:
            found = [open_interest(parts, market, every_ns), funding(parts, market)]
        sources += [TardisSource(instruments[identifier], series) for series in found if len(series)]
    if not sources:
        raise DataError(f"no row of Tardis data in {', '.join(map(str, paths))}")
    return sources


def _names(table: pa.Table) -> list[tuple[str, str]]:
    """Return each exchange and symbol that a table is about."""
    found = table.group_by(["exchange", "symbol"]).aggregate([])
    return sorted(zip(found["exchange"].to_pylist(), found["symbol"].to_pylist(), strict=True))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*.csv*") if each.suffix in (".csv", ".gz"))
        else:
            yield path
