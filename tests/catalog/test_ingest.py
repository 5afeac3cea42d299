"""All sources are checked before one is stored, and a killed run is completed by the next."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError, DataError
from oi_hedge_catalog.ingest import Loaded, check_catalog, ingest
from oi_hedge_catalog.instruments import InstrumentSpec, build_instrument
from oi_hedge_catalog.series import OpenInterestSeries

HOUR = 3_600_000_000_000
START = 1_700_000_000 // 3600 * HOUR


def instrument(base, **changes):
    spec = {
        "id": f"{base}USDT-LINEAR.BYBIT",
        "market": "perp",
        "base": base,
        "quote": "USDT",
        "price_precision": 2,
        "size_precision": 2,
        "maker_fee": "0.0002",
        "taker_fee": "0.00055",
    }
    return build_instrument(InstrumentSpec(**{**spec, **changes}))


@dataclass(frozen=True)
class MadeUp:
    name: str
    instrument: object
    rows: int = 50
    spoiled: bool = False

    def load(self):
        times = START + np.arange(self.rows) * HOUR
        quantity = 1000.0 + np.arange(self.rows)
        if self.spoiled:
            quantity[5] = -1.0
        return Loaded(
            OpenInterestSeries(times, times + 5, self.instrument.id, quantity, quantity * 2000), HOUR
        )


ETH, BTC, SOL = (MadeUp(f"{base.lower()}.parquet", instrument(base)) for base in ("ETH", "BTC", "SOL"))


def snapshot(path):
    return {file.relative_to(path): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_fresh_ingest_stores_instruments_rows_and_info(tmp_path):
    result = ingest([ETH, BTC], tmp_path / "c", {"simulated": True, "description": "made up"})

    catalog = store.open_catalog(tmp_path / "c")
    assert store.instruments(catalog) == [BTC.instrument, ETH.instrument]
    assert result.added == (("eth.parquet", 50), ("btc.parquet", 50))
    assert result.rows == 100
    assert store.read_info(catalog) == {"simulated": True, "description": "made up"}
    assert check_catalog(catalog).verdict == "ok"
    assert len(check_catalog(catalog).summaries) == 2


def test_second_ingest_changes_no_byte(tmp_path):
    ingest([ETH, BTC], tmp_path)
    before = snapshot(tmp_path)

    assert ingest([ETH, BTC], tmp_path).rows == 0
    assert snapshot(tmp_path) == before


def test_bad_row_in_the_last_source_makes_no_catalog(tmp_path):
    with pytest.raises(
        DataError, match=r"sol\.parquet: SOLUSDT-LINEAR\.BYBIT: quantity at row 5.*is negative"
    ):
        ingest([ETH, BTC, replace(SOL, spoiled=True)], tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_every_bad_source_is_named(tmp_path):
    with pytest.raises(DataError) as caught:
        ingest([replace(ETH, spoiled=True), BTC, replace(SOL, spoiled=True)], tmp_path / "c")
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["eth.parquet", "sol.parquet"]


def test_bad_row_leaves_an_existing_catalog_as_it_was(tmp_path):
    ingest([ETH], tmp_path)
    before = snapshot(tmp_path)

    with pytest.raises(DataError):
        ingest([replace(ETH, rows=60), replace(SOL, spoiled=True)], tmp_path)
    assert snapshot(tmp_path) == before


def test_other_definition_of_an_instrument_is_refused(tmp_path):
    ingest([ETH], tmp_path)
    before = snapshot(tmp_path)

    changed = replace(ETH, instrument=instrument("ETH", taker_fee="0.001"))
    with pytest.raises(CatalogError, match=r"taker_fee is stored as 0\.00055 but the manifest says 0\.001"):
        ingest([changed], tmp_path)
    assert snapshot(tmp_path) == before


KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[3:]
import pyarrow.parquet as pq
from oi_hedge_catalog import ingest as module
import test_ingest as cases

moment, countdown = sys.argv[2].split(":")
calls = 0

def dying(function, before):
    def wrapped(*args, **kwargs):
        global calls
        calls += 1
        if calls == int(countdown):
            if not before:
                open(kwargs.get("where") or args[1], "wb").write(b"PAR1 half a file")
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return wrapped

if moment == "replace":
    os.replace = dying(os.replace, True)
else:
    pq.write_table = dying(pq.write_table, False)
module.ingest([cases.ETH, cases.BTC, cases.SOL], sys.argv[1])
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("moment", ["replace:1", "replace:4", "replace:5", "write:1", "write:5", "write:6"])
def test_killed_ingest_shows_no_half_file_and_is_completed_by_the_next(tmp_path, moment):
    path = tmp_path / "c"
    paths = [str(Path(__file__).parent), *sys.path]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path), moment, *paths], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()

    catalog = store.open_catalog(path)
    for instrument_id in store.open_interest_ids(catalog):
        assert len(store.read_open_interest(catalog, instrument_id)) == 50
    survivors = len(store.open_interest_ids(catalog))
    assert survivors < 3

    assert ingest([ETH, BTC, SOL], path).rows == 50 * (3 - survivors)
    ingest([ETH, BTC, SOL], tmp_path / "undisturbed")
    assert snapshot(path) == snapshot(tmp_path / "undisturbed")
