"""The example manifest on recorded exchange data: its known defects are found, its numbers are right."""

import os
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
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
    "gate/ETH_USDT_1h.parquet",
    "okx/ETH-USDT-SWAP_1h.parquet",
    "ftx/BTC-PERP_1h.parquet",
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    if not DATA.is_dir() and "CI" not in os.environ:
        pytest.skip("recorded data is not in ../shared/data")
    manifest = load_manifest(ROOT / "examples" / "recorded.toml")
    sources = [source for source in file_sources(manifest, DATA) if source.spec.file in FILES]
    path = tmp_path_factory.mktemp("recorded")
    result = ingest(sources, path)
    return store.open_catalog(path), result.report


def ns(text):
    return pd.Timestamp(text, tz="UTC").value


def messages(report, code, series):
    return [item.message for item in report.findings if (item.code, item.series) == (code, series)]


def test_example_manifest_names_every_file_but_dydx_and_the_quarterlies(recorded):
    text = (ROOT / "examples" / "recorded.toml").read_text()
    named = {series["file"] for series in tomllib.loads(text)["series"]}

    present = {str(path.relative_to(DATA)) for path in DATA.rglob("*.parquet")}
    assert present - named == {
        "ftx/ETH_quarterly_futures_1h.parquet",
        "funding_multi/BTC-USD_dydx_v3_funding_1h.parquet",
        "funding_multi/ETH-USD_dydx_v3_funding_1h.parquet",
    }
    assert named <= present


def test_recorded_data_has_warnings_but_no_errors(recorded):
    catalog, report = recorded

    assert report.verdict == "warnings"
    assert check_catalog(catalog).verdict == "warnings"


def test_known_gaps_are_found(recorded):
    _, report = recorded

    bybit = messages(report, "gap", "BTCUSDT-LINEAR.BYBIT")
    assert bybit == ["1 gap, 359 rows missing; longest: 359 h after 2020-07-20 08:00"]
    gate = messages(report, "gap", "ETH_USDT-PERP.GATE")
    assert gate[0].startswith("4 gaps, 31 rows missing; longest: 15 h after 2024-03-27 12:00, 8 h after")
    gate_bars = messages(report, "gap", "ETH_USDT-PERP.GATE-1-HOUR-LAST-EXTERNAL")
    assert gate_bars == ["1 gap, 744 rows missing; longest: 744 h after 2019-12-01 00:00"]
    binance = messages(report, "gap", "ETHUSDT.BINANCE_SPOT-1-HOUR-LAST-EXTERNAL")
    assert binance[0].startswith("27 gaps, 121 rows missing; longest: 33 h after 2018-02-08 01:00")


def test_known_jumps_halts_and_flash_prints_are_found(recorded):
    _, report = recorded

    assert "+54% at 2021-05-19 15:00" in messages(report, "jump", "ETHUSDT-LINEAR.BYBIT")[0]
    hourly = "ETHUSDT-PERP.BINANCE-1-HOUR-LAST-EXTERNAL"
    assert "2020-03-13 03:00" in messages(report, "violent_bar", hourly)[0]
    halted = store.read_bars(recorded[0], hourly, ns("2024-10-28 21:00"), ns("2024-10-28 21:01"))
    np.testing.assert_array_equal(halted.volume, [0.0])
    assert "is zero" in messages(report, "no_trade", hourly)[0]


def test_prices_are_stored_as_recorded(recorded):
    catalog, _ = recorded
    raw = pd.read_parquet(DATA / "gate/ETH_USDT_1h.parquet").dropna(subset=["open_spot"])

    stored = store.read_bars(catalog, "ETH_USDT.GATE_SPOT-1-HOUR-LAST-EXTERNAL")

    for column in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(stored, column), raw[f"{column}_spot"])


def test_open_interest_of_both_sides_and_of_usd_agree_in_kind(recorded):
    catalog, _ = recorded
    start, end = ns("2024-08-05 12:00"), ns("2024-08-05 12:01")

    bybit = store.read_open_interest(catalog, "ETHUSDT-LINEAR.BYBIT", start, end)
    raw = pd.read_parquet(DATA / "bybit/ETHUSDT_1h.parquet").set_index("ts").loc["2024-08-05 12:00+00:00"]
    np.testing.assert_allclose(bybit.quantity, [raw.open_interest / 2])
    np.testing.assert_allclose(bybit.notional_usd, [raw.open_interest / 2 * raw.open])
    gate = store.read_open_interest(catalog, "ETH_USDT-PERP.GATE", start, end)
    raw = pd.read_parquet(DATA / "gate/ETH_USDT_1h.parquet").set_index("ts").loc["2024-08-05 11:00+00:00"]
    np.testing.assert_allclose(gate.notional_usd, [raw.open_interest_usd_end_of_bar])
    np.testing.assert_allclose(gate.quantity, [raw.open_interest_usd_end_of_bar / raw.close_perp])


def test_volume_of_contracts_and_of_usd_is_in_coins(recorded):
    catalog, report = recorded
    okx = store.read_bars(catalog, "ETH-USDT-SWAP.OKX-1-HOUR-LAST-EXTERNAL")
    binance = store.read_bars(catalog, "ETHUSDT-PERP.BINANCE-1-HOUR-LAST-EXTERNAL")
    _, left, right = np.intersect1d(okx.ts_event, binance.ts_event, return_indices=True)
    years = pd.to_datetime(okx.ts_event[left]).year

    ratio = (
        pd.Series(okx.volume[left]).groupby(years).sum()
        / pd.Series(binance.volume[right]).groupby(years).sum()
    )

    assert ratio.between(0.05, 1.5).all(), ratio.to_dict()
    assert not messages(report, "volume_level", "ETH-USDT-SWAP.OKX-1-HOUR-LAST-EXTERNAL")
    ftx = store.read_bars(catalog, "BTC-PERP.FTX-1-HOUR-LAST-EXTERNAL")
    assert 100 < np.median(ftx.volume) < 5000
