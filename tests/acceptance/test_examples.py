"""Every file of examples/ does what it says."""

import json
import tomllib

import numpy as np
import pytest
from nautilus_trader.backtest.config import BacktestRunConfig
from support.command import refuse, succeed
from support.engine import events, run
from support.models import write_model
from support.scripts import ROOT, load, python

from oi_hedge_catalog import store
from oi_hedge_strategy.backtest.settings import BacktestSettings, load_settings
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import PolicyConfig
from oi_hedge_strategy.simulation.fills import ImpactFillModelConfig

EXAMPLES = ROOT / "examples"
HEDGE_BARS = "ETHUSDT-PERP.BINANCE-1-HOUR-LAST-EXTERNAL"


def test_every_example_is_tested():
    assert {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".toml")} == {
        "settings.toml",
        "backtest_config.py",
        "own_backtest.py",
        "own_exposure.py",
        "own_model.py",
        "own_node.py",
        "ingest_csv.toml",
        "recorded.toml",
    }


def test_the_settings_name_every_key_at_its_default():
    path = EXAMPLES / "settings.toml"
    settings, fields = load_settings(path), tomllib.loads(path.read_text())
    defaults = ImpactFillModelConfig()
    assert settings.impact == {name: getattr(defaults, name) for name in settings.impact}
    assert settings.json_primitives() | {"impact": {}} == BacktestSettings().json_primitives()
    assert fields.keys() == set(BacktestSettings.__struct_fields__)
    for section in ("policy", "rails", "execution"):
        assert fields[section].keys() == set(getattr(settings, section).__struct_fields__)


def test_a_backtest_takes_the_settings(market, short_model, tmp_path):
    arguments = ("--model", short_model, "--start", "2024-04-01", "--end", "2024-04-02", "--out", tmp_path)
    succeed("backtest", "--catalog", market, *arguments, "--config", EXAMPLES / "settings.toml")
    assert json.loads((tmp_path / "result.json").read_text())["exposure"]["description"] == "100 ETH long"


def test_the_backtest_configuration_hedges(market, short_model):
    printed = python(EXAMPLES / "backtest_config.py", market, short_model)
    assert "ETHUSDT-PERP.BINANCE-OIHedgeStrategy" in printed
    assert "SHORT" in printed


def test_the_backtest_configuration_is_short_and_survives_json(market, short_model):
    path = EXAMPLES / "backtest_config.py"
    assert len(path.read_text().splitlines()) < 40
    config = load(path).hedged_run(str(market), str(short_model))
    again = BacktestRunConfig.parse(config.json())
    assert again.json() == config.json()
    assert again.engine.strategies[0].config["exposure"] == {"quantity": 10.0}


@pytest.mark.parametrize(
    ("name", "spot", "holding", "exposure"),
    [
        ("fixed quantity", 0.0, (), 10.0),
        ("spot balance", 7.0, (), 7.0),
        ("positions", 0.0, ((4.0, "2024-01-01T00:00:00+00:00"),), 4.0),
    ],
)
def test_each_exposure_is_what_is_hedged(name, spot, holding, exposure):
    config = OIHedgeConfig(
        bar_type=HEDGE_BARS,
        exposure=load(EXAMPLES / "own_exposure.py").EXPOSURES[name],
        policy=PolicyConfig(kind="constant", constant_ratio=0.5),
    )
    config = OIHedgeConfig.parse(config.json())
    finished = run(events([2000.0] * 6), config, holding=holding, spot=spot)
    assert finished.decisions[-1].exposure == exposure
    assert finished.position() == -exposure / 2


def test_the_exposures_are_printed_as_configuration():
    printed = python(EXAMPLES / "own_exposure.py").splitlines()
    assert [json.loads(line.split(": ", 1)[1]) for line in printed] == [
        {"instrument_ids": [], "balance_venues": [], "quantity": 10.0},
        {"instrument_ids": [], "balance_venues": ["BINANCE_SPOT"], "quantity": 0.0},
        {"instrument_ids": ["ETHUSDT-LINEAR.BYBIT"], "balance_venues": [], "quantity": 0.0},
    ]


def test_a_model_of_ones_own_shows_its_card(tmp_path):
    printed = python(EXAMPLES / "own_model.py", write_model(tmp_path / "mine.onnx", probability=(0.7, 0.2)))
    assert "trained on ETH until 1970-01-01" in printed
    assert "valid until 2100-01-01" in printed
    assert "knowing nothing, down within 18 h: 0.700" in printed
    assert "knowing nothing, up within 4 h: 0.200" in printed


def test_open_interest_of_ones_own_venue_comes_from_csv(tmp_path):
    rows = [f"2024-01-01T{hour:02}:00:00Z,{500_000 + hour},2281.5" for hour in range(24)]
    (tmp_path / "kraken_eth.csv").write_text("\n".join(["time,contracts,last", *rows]) + "\n")
    catalog = tmp_path / "catalog"
    arguments = ("ingest", "files", EXAMPLES / "ingest_csv.toml", "--data", tmp_path, "--catalog", catalog)
    assert "added 24 rows" in succeed(*arguments)
    assert "added 0 rows" in succeed(*arguments)
    stored = store.read_open_interest(store.open_catalog(catalog), "ETHUSD-PERP.KRAKEN")
    np.testing.assert_allclose(stored.quantity, (500_000 + np.arange(24)) * 0.01 / 2)
    np.testing.assert_allclose(stored.notional_usd, stored.quantity * 2281.5)
    assert set(stored.ts_init - stored.ts_event) == {5_000_000_000}
    assert "1 series, 24 rows" in succeed("check", catalog)


def test_a_row_that_was_rewritten_is_refused(tmp_path):
    source = tmp_path / "kraken_eth.csv"
    row = "time,contracts,last\n2024-01-01T00:00:00Z,{},2281.5\n2024-01-01T01:00:00Z,500001,2281.5\n"
    arguments = ("files", EXAMPLES / "ingest_csv.toml", "--data", tmp_path, "--catalog", tmp_path / "catalog")
    source.write_text(row.format(500_000))
    succeed("ingest", *arguments)
    source.write_text(row.format(400_000))
    assert "kraken_eth.csv" in refuse("ingest", *arguments)
