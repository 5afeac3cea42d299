"""The whole product on recorded data: ingest, check, train before 2024, and the shipped model over 2024."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from support.command import digest, oi_hedge, succeed
from support.scripts import ROOT

from oi_hedge_catalog import store
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.shipped import shipped_model
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision
from oi_hedge_strategy.state import MarketState

DATA = ROOT.parent / "shared" / "data"
HEDGE = "ETHUSDT-PERP.BINANCE"
BARS = f"{HEDGE}-1-HOUR-LAST-EXTERNAL"
YEAR = pd.date_range("2024-01-01", "2025-01-01", freq="h", tz="UTC", inclusive="left")
LAG = pd.Timedelta(seconds=10)
TAKER_FEE = 0.0005
QUICK = ("--assets", "ETH,SOL", "--epochs", "1", "--seeds", "1", "--until", "2024-01-01", "--seed", "4")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """Return a catalog of everything recorded."""
    if not DATA.is_dir() and "CI" not in os.environ:
        pytest.skip("recorded data is not in ../shared/data")
    path = tmp_path_factory.mktemp("recorded") / "catalog"
    manifest = ROOT / "examples" / "recorded.toml"
    printed = succeed("ingest", "files", manifest, "--data", DATA, "--catalog", path)
    assert "0 errors" in printed
    return path


@pytest.fixture(scope="module")
def out(catalog, tmp_path_factory):
    """Return the reports of the shipped model over 2024, sweeps left out, which take as long again."""
    path = tmp_path_factory.mktemp("year") / "out"
    before = digest(catalog)
    arguments = ("--start", "2024-01-01", "--sweeps", "none")
    printed = succeed("backtest", "--catalog", catalog, *arguments, "--out", path)
    assert digest(catalog) == before
    assert "SIMULATED" not in printed
    print(printed)  # shown with: pytest -s
    return path


@pytest.fixture(scope="module")
def result(out):
    return json.loads((out / "result.json").read_text())


@pytest.fixture(scope="module")
def decided(out):
    """Return decisions and forecasts of the year, each in the order of time."""
    stored = ParquetDataCatalog(str(out / "decisions"))
    return tuple(
        [each.data for each in stored.query(kind, identifiers=[HEDGE])]
        for kind in (HedgeDecision, CascadeForecast)
    )


@pytest.fixture(scope="module")
def trained(catalog, tmp_path_factory):
    """Return a model that the command line trained in one epoch."""
    path = tmp_path_factory.mktemp("trained") / "quick.onnx"
    printed = succeed("train", "--catalog", catalog, *QUICK, "--out", path)
    assert "torch and ONNX agree" in printed
    return path


def figures(tree):
    """Yield every figure with an interval."""
    if isinstance(tree, dict):
        if {"value", "low", "high"} <= tree.keys():
            yield tree
        for each in tree.values():
            yield from figures(each)


def fills_of_the_hedge(out):
    fills = pd.read_csv(out / "fills.csv")
    return fills[fills["strategy_id"] == "OIHedgeStrategy-HEDGE"]


def test_the_known_defects_of_the_recording_are_found(catalog):
    done = oi_hedge("check", catalog)
    assert done.exit_code == 0
    for defect in (
        "BTCUSDT-LINEAR.BYBIT: 1 gap, 359 rows missing",
        "ETHUSDT-LINEAR.BYBIT: quantity moves by a factor of more than 1.5",
        "+180% at 2020-10-21 11:00",
        "ETHUSDT-PERP.BINANCE-1-HOUR-LAST-EXTERNAL: high at row 2563, 2020-03-13 03:00",
        "ETH_USDT-PERP.GATE: 4 gaps, 31 rows missing; longest: 15 h after 2024-03-27 12:00",
        "2024-10-28 20:15, is zero",
    ):
        assert defect in done.stdout


def test_every_hour_of_the_year_is_decided(result, decided):
    assert result["simulated"] is False
    assert result["period"]["bars"] + 1 == len(YEAR) == 366 * 24  # the first decision opens the first bar
    decisions, forecasts = decided
    expected = (YEAR + LAG).as_unit("ns").astype("int64").tolist()
    assert [each.ts_init for each in decisions] == expected
    assert [each.ts_init for each in forecasts] == expected


def test_the_model_had_not_seen_the_year(result):
    card = Forecaster.load(shipped_model(simulated=False)).card
    assert pd.Timestamp(card.trained_until) <= pd.Timestamp("2024-01-01")
    assert card.simulated is False
    assert result["model"]["trained on"] == "recorded data"
    assert result["model"]["training data"].endswith("to 2024-01-01")


def test_the_year_was_what_it_was(result, catalog):
    """Hundred ETH bought on the last bar before the year, and the year's known cascades."""
    bars = store.read_bars(store.open_catalog(catalog), "ETHUSDT.BINANCE_SPOT-1-HOUR-LAST-EXTERNAL")
    first, last = (
        bars.close[np.searchsorted(bars.ts_init, (at + LAG).value, side="right") - 1]
        for at in (YEAR[0] - pd.Timedelta(hours=1), YEAR[-1])
    )
    unhedged = result["runs"]["unhedged"]
    assert unhedged["exposure_pnl"] == pytest.approx(100 * (last - first), abs=0.01 * 100 * first)
    assert unhedged["hedge_pnl"] == unhedged["fills"] == 0
    events = result["cascades"]["events"]
    deepest = max(events, key=lambda event: event["depth"])
    assert deepest["onset"].startswith("2024-08-04") and deepest["depth"] > 0.25
    assert {"2024-04-12", "2024-04-13"} <= {event["onset"][:10] for event in events}
    assert 20 <= result["cascades"]["count"] <= 150


def test_intervals_bracket_their_values(result):
    rest = {key: part for key, part in result.items() if key != "multiplicity"}  # it has p-values instead
    found = [each for each in figures(rest) if each["value"] is not None]
    assert len(found) > 15
    rounding = 1e-12
    assert all(each["low"] - rounding <= each["value"] <= each["high"] + rounding for each in found)
    assert all(
        result["verdict"][name]["value"] is not None for name in ("loss_avoided", "gain_kept", "skill")
    )


def test_costs_are_those_of_the_fills(result, out):
    fills = fills_of_the_hedge(out)
    costs = {name: each["amount"] for name, each in result["costs"].items()}
    fees = (fills["filled_qty"] * fills["avg_px"] * TAKER_FEE).sum()
    assert costs["fees"] == pytest.approx(fees, rel=1e-9)
    assert costs["slippage"] >= 0.0
    assert costs["total"] == pytest.approx(costs["fees"] + costs["slippage"] + costs["funding"])
    traded = (fills["filled_qty"] * fills["avg_px"]).sum()
    assert costs["slippage"] < 0.002 * traded
    assert result["runs"]["hedged"]["fills"] == len(fills)


def test_a_constant_hedge_has_no_skill_before_costs(result):
    constant = result["baselines"]["constant"]
    assert abs(constant["skill"]["value"]) < 0.05
    assert constant["skill"]["low"] <= 0.01


def test_probabilities_vary_and_the_policy_stays_within_bounds(decided):
    decisions, forecasts = decided
    down = np.array([each.down for each in forecasts])
    assert ((down >= 0.0) & (down <= 1.0)).all()
    assert down.std(axis=0).min() > 0.005
    assert all(0.0 <= each.allowed <= 1.0 and each.exposure == pytest.approx(100.0) for each in decisions)


def test_a_trained_model_says_how_it_was_made(trained):
    card = Forecaster.load(trained).card
    assert card.assets == ("ETH", "SOL")
    assert card.simulated is False
    assert card.trained_until == pd.Timestamp("2024-01-01", tz="UTC").value
    assert card.expires > card.trained_until
    assert len(card.reference["training_loss"]) == 1
    assert pd.Timestamp(card.splits["calibration"][1]) < pd.Timestamp("2024-01-01", tz="UTC")
    assert pd.Timestamp(card.splits["training"][1]) + pd.Timedelta(days=90) < pd.Timestamp(
        card.splits["stopping"][0]
    )
    assert card.parity < 1e-4


def test_the_same_seed_trains_the_same_model(catalog, trained, tmp_path):
    again = tmp_path / "quick.onnx"
    shutil.rmtree(catalog / ".cache" / "fits")
    succeed("train", "--catalog", catalog, *QUICK, "--out", again)
    first, second = Forecaster.load(trained), Forecaster.load(again)
    assert first.card == second.card
    state = MarketState(first.card.schema)
    for hour in range(48):
        state.update_bar(
            "BINANCE", False, hour * 3_600_000_000_000, 2010.0 + hour, 1990.0, 2000.0 + hour, 1e5
        )
    snapshot = state.sample(48 * 3_600_000_000_000)
    np.testing.assert_array_equal(first.predict(snapshot).probability, second.predict(snapshot).probability)
