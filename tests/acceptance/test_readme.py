"""README.md: every command and snippet runs, every link leads somewhere, the disclaimer is there."""

import json
import os
import re
import shlex
import subprocess

import pandas as pd
import pytest
from nautilus_trader.backtest.config import BacktestDataConfig, BacktestEngineConfig, BacktestRunConfig
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.model.data import Bar, FundingRateUpdate
from nautilus_trader.trading.config import ImportableStrategyConfig
from support.command import oi_hedge, succeed
from support.recorded_files import write_files
from support.scripts import ROOT

from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.simulation.venue import hedge_venue_config, spot_venue_config

README = (ROOT / "README.md").read_text()
HEDGE, SPOT = "ETHUSDT-PERP.BINANCE", "ETHUSDT.BINANCE_SPOT"


def blocks(language, text=README):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text=README):
    lines = [line for block in blocks("bash", text) for line in block.splitlines()]
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


def test_every_command_is_one_that_is_tested_below():
    assert {words[0] for words in commands()} == {"make", "oi-hedge"}
    assert len(blocks("python")) == 1


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("backtest", ".venv/bin/oi-hedge backtest --out out"),
        ("test", ".venv/bin/pytest --numprocesses auto --dist loadfile"),
    ],
)
def test_make_knows_the_two_commands(target, line):
    assert ["make", target] in commands()
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "ARGS"))}
    command = ["make", "--no-print-directory", "-n", target]
    planned = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True)
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.splitlines()[-1].strip() == line


LIVE = "Paper and live"


def own_data_commands():
    """Return the commands on own data, those that need a venue's market left out."""
    text = re.sub(rf"^## {LIVE}\n.*?^## ", "## ", README, flags=re.MULTILINE | re.DOTALL)
    return [words[1:] for words in commands(text) if words[0] == "oi-hedge"]


EXTRA = {
    "backtest": ("--sweeps", "none", "--end", "2024-02-01"),
    "tune": ("--sweeps", "standard", "--end", "2024-02-01"),
    "train": ("--epochs", "1", "--seeds", "1"),
    "train --walk-forward": ("--epochs", "1", "--seeds", "1", "--until", "2024-02-12"),
    "check-lookahead": ("--samples", "4"),
}
"""What makes the commands quick, and ends the walk-forward with the files that are written here."""
DEGRADED = 3


@pytest.mark.slow
def test_the_commands_on_own_data_run_one_after_another(tmp_path, monkeypatch):
    manifest = write_files(tmp_path / "DATA", "2021-12-25", "2024-05-12")
    monkeypatch.chdir(tmp_path)
    own = own_data_commands()
    assert [words[0] for words in own] == [
        *("ingest", "check", "train", "backtest"),
        *("train", "backtest", "validate", "explain", "check-lookahead", "tune", "scenarios"),
    ]
    for words in own:
        named = [manifest if word == "examples/recorded.toml" else word for word in words]
        key = "train --walk-forward" if "--walk-forward" in words else words[0]
        code = oi_hedge(*named, *EXTRA.get(key, ())).exit_code
        assert code == 0 or (words[0] == "validate" and code == DEGRADED), words
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["simulated"] is False
    assert result["period"]["start"] == "2024-01-01T00:00:10Z"  # of the bar that is decided on first
    assert result["model"]["trained on"] == "recorded data"
    assert Forecaster.load(tmp_path / "model.onnx").card.assets == ("ETH",)


def test_the_commands_of_paper_and_live_are_understood(market, short_model, tmp_path, monkeypatch):
    """Without a model that is valid today and a session they end with a sentence, never as a wrong usage."""
    monkeypatch.chdir(tmp_path)
    section = README.split(f"## {LIVE}\n")[1].split("\n## ")[0]
    short = ("--catalog", market, "--model", short_model, "--start", "2024-04-01", "--end", "2024-04-02")
    ended = {}
    for words in commands(section):
        named = [*words[1:], *(short if words[1] == "backtest" else ())]
        ended[" ".join(words[1:3])] = oi_hedge(*named).exit_code
    done = ("init hedge.toml", "config check", "backtest --config")
    assert {name for name, code in ended.items() if code == 0} == set(done)
    assert {name: code for name, code in ended.items() if code not in (0, 1)} == {}


def test_a_backtest_writes_the_files_of_the_table(market, short_model, tmp_path):
    period = ("--start", "2024-04-01", "--end", "2024-04-02")
    succeed("backtest", "--catalog", market, "--model", short_model, *period, "--out", tmp_path)
    table = README.split("| file | what |")[1].split("\n\n")[0]
    named = re.findall(r"`([a-z_.]+)/?`", table)
    assert {path.name for path in tmp_path.iterdir()} == set(named)


def test_the_python_snippet_hedges_in_a_run(market, short_model):
    scope = {}
    exec(blocks("python")[0], scope)
    strategy = scope["hedge"]
    strategy.config["model"] = str(short_model)
    bars = strategy.config["bar_type"]
    holder = ImportableStrategyConfig(
        strategy_path="oi_hedge_strategy.backtest.holder:Holder",
        config_path="oi_hedge_strategy.backtest.holder:HolderConfig",
        config={
            "bar_type": bars.replace(HEDGE, SPOT),
            "quantity": 5.0,
            "buy_at": "2024-04-01T00:00:00+00:00",
        },
    )
    kinds = [(OpenInterestUpdate, HEDGE), (FundingRateUpdate, HEDGE), (Bar, SPOT), (Bar, HEDGE)]
    config = BacktestRunConfig(
        engine=BacktestEngineConfig(
            strategies=[strategy, holder], logging=LoggingConfig(bypass_logging=True)
        ),
        venues=[
            hedge_venue_config("BINANCE", ["50000 USDT"]),
            spot_venue_config("BINANCE_SPOT", ["50000 USDT", "0 ETH"]),
        ],
        data=[
            BacktestDataConfig(
                catalog_path=str(market),
                data_cls=kind,
                instrument_id=name,
                client_id="OI" if kind is OpenInterestUpdate else None,
                bar_spec="1-HOUR-LAST" if kind is Bar else None,
            )
            for kind, name in kinds
        ],
        start="2024-04-01",
        end="2024-04-04",
        raise_exception=True,
        dispose_on_completion=False,
    )
    node = BacktestNode([config])
    node.run()
    orders = node.get_engine(config.id).trader.generate_orders_report()
    mine = orders[orders["strategy_id"] == "OIHedgeStrategy-HEDGE"]
    assert set(mine["instrument_id"]) == {HEDGE}
    assert mine["quantity"].astype(float).max() <= 5.0
    assert isinstance(mine, pd.DataFrame) and len(mine) > 1


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    own = [link for link in links if not link.startswith("https://")]
    assert own
    assert [link for link in own if not (ROOT / link).exists()] == []


def test_paths_in_the_text_exist():
    named = re.findall(r"`((?:oi_hedge_strategy|examples|adapters|catalog)/[\w./]*)`", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_disclaimer_is_there():
    text = " ".join(README.split())
    assert "not affiliated with, endorsed by or supported by Nautech Systems Pty Ltd" in text
    assert "or the official NautilusTrader project" in text
    assert "NautilusTrader is a trademark of Nautech Systems Pty Ltd" in text
    assert "nothing in this repository is investment advice" in text
    assert "Trading can lose money" in text
