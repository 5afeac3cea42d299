"""A million rows of open interest into and out of a catalog, beside the same rows as plain Parquet."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog import store, writer
from oi_hedge_catalog.series import OpenInterestSeries
from oi_hedge_catalog.types import OpenInterestUpdate

ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class CatalogSpeed:
    """Hold seconds for a million rows."""

    write: float
    read_columns: float
    read_objects: float
    plain_write: float
    plain_read: float


def measure_catalog(directory: Path) -> CatalogSpeed:
    """Write and read a million rows below `directory`."""
    ts = np.arange(ROWS, dtype=np.int64) * 5_000_000_000 + 1_600_000_000_000_000_000
    walk = 1e6 * np.exp(np.random.default_rng(0).normal(0, 1e-4, ROWS).cumsum())
    series = OpenInterestSeries(
        ts_event=ts,
        ts_init=ts,
        id=InstrumentId.from_str("ETHUSDT-PERP.BINANCE"),
        quantity=walk,
        notional_usd=2000 * walk,
    )
    catalog = store.open_catalog(directory / "catalog", create=True)
    started = perf_counter()
    writer.write(catalog, writer.plan_append(catalog, series))
    written = perf_counter()
    store.read_open_interest(catalog, series.id)
    read = perf_counter()
    found = catalog.query(OpenInterestUpdate, identifiers=[str(series.id)])
    queried = perf_counter()
    assert len(found) == ROWS
    table = pa.table({"ts_event": ts, "ts_init": ts, "quantity": walk, "notional_usd": 2000 * walk})
    before = perf_counter()
    pq.write_table(table, directory / "plain.parquet")
    plain = perf_counter()
    pq.read_table(directory / "plain.parquet")
    return CatalogSpeed(
        written - started, read - written, queried - read, plain - before, perf_counter() - plain
    )
