"""`check` on recorded exchange data finds the defects that are known to be there, each by name and place."""

import os
from pathlib import Path

import pytest

from oi_hedge_adapters.history import file_sources, load_manifest
from oi_hedge_catalog import store
from oi_hedge_catalog.ingest import check_catalog, ingest

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
FILES = {
    "binance/ETHUSDT_1h.parquet",
    "bybit/BTCUSDT_1h.parquet",
    "bybit/ETHUSDT_1h.parquet",
    "bybit/SOLUSDT_1h.parquet",
    "deribit/ETH-PERPETUAL_1h.parquet",
    "gate/ETH_USDT_1h.parquet",
    "ftx/BTC-PERP_1h.parquet",
}
HOURLY = "-1-HOUR-LAST-EXTERNAL"


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    if not DATA.is_dir() and "CI" not in os.environ:
        pytest.skip("recorded data is not in ../shared/data")
    manifest = load_manifest(ROOT / "examples" / "recorded.toml")
    path = tmp_path_factory.mktemp("recorded")
    ingest([source for source in file_sources(manifest, DATA) if source.spec.file in FILES], path)
    return check_catalog(store.open_catalog(path)).findings


pytestmark = pytest.mark.slow

DEFECTS = [
    ("gap", "BTCUSDT-LINEAR.BYBIT", "1 gap, 359 rows missing; longest: 359 h after 2020-07-20 08:00"),
    ("jump", "ETHUSDT-LINEAR.BYBIT", "+54% at 2021-05-19 15:00"),
    ("coverage", "ETHUSDT-LINEAR.BYBIT", "begins at 2020-10-21 10:00 but bars at 2021-03-15 01:00: 144 days"),
    ("coverage", "SOLUSDT-LINEAR.BYBIT", "begins at 2021-06-29 09:00 but bars at 2021-10-15 01:00: 107 days"),
    ("gap", "ETH_USDT-PERP.GATE", "4 gaps, 31 rows missing; longest: 15 h after 2024-03-27 12:00, 8 h after"),
    ("gap", f"ETH_USDT-PERP.GATE{HOURLY}", "1 gap, 744 rows missing; longest: 744 h after 2019-12-01"),
    ("gap", f"ETHUSDT.BINANCE_SPOT{HOURLY}", "27 gaps, 121 rows missing; longest: 33 h after 2018-02-08"),
    ("violent_bar", f"ETHUSDT-PERP.BINANCE{HOURLY}", "2020-03-13 03:00"),
    ("apart", f"ETHUSDT-PERP.BINANCE{HOURLY}", "most at 2020-03-13 03:00 (+169%)"),
    ("apart", f"ETHUSDT-PERP.BINANCE{HOURLY}", "most at 2021-05-19 14:00 (-22%)"),
    ("no_trade", f"ETHUSDT-PERP.BINANCE{HOURLY}", "is zero: a halt"),
    ("share_shift", "ETH_USDT-PERP.GATE", "moves from 62.7% to 47.8% of ETH on 2 venues within a day"),
    ("beyond_volume", "ETH_USDT-PERP.GATE", "545 of 10,776 rows, 3.5 times at 2024-07-06 18:00"),
    ("ended", f"BTC-PERP.FTX{HOURLY}", "ends at 2021-02-17 17:00"),
]


@pytest.mark.parametrize(("code", "series", "words"), DEFECTS)
def test_known_defect_is_found(findings, code, series, words):
    messages = [each.message for each in findings if (each.code, each.series) == (code, series)]

    assert any(words in message for message in messages), messages


def test_shares_of_the_total_are_told(findings):
    shares = {each.series: each.message for each in findings if each.code == "share"}

    assert shares == {
        "ETHUSDT-LINEAR.BYBIT": "quantity is 49.3% of ETH on 2 venues (from 35.7% to 64.0%)",
        "ETH_USDT-PERP.GATE": "quantity is 50.7% of ETH on 2 venues (from 36.0% to 64.3%)",
    }


def test_open_interest_of_bybit_is_within_its_volume(findings):
    assert [each.series for each in findings if each.code == "beyond_volume"] == ["ETH_USDT-PERP.GATE"]


def test_nothing_is_claimed_that_is_not_there(findings):
    assert not {each.code for each in findings} & {
        "label_shift",
        "frozen",
        "venue_flip",
        "venue_jump",
        "unit_flip",
    }
