"""`oi-hedge backtest` end to end: what it writes, that its costs add up, that it repeats itself."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from plotly.offline import get_plotlyjs
from support.command import digest, succeed

from oi_hedge_catalog import store
from oi_hedge_strategy.backtest.node_config import run_config
from oi_hedge_strategy.backtest.plan import make_plan
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision
from oi_hedge_strategy.simulation.costs import CostsConfig
from oi_hedge_strategy.times import parse_time_ns

HEDGE = "ETHUSDT-PERP.BINANCE"
BARS = f"{HEDGE}-1-HOUR-LAST-EXTERNAL"
TAKER_FEE = 0.0005
UNMOVED = """
[costs]
moves_market = false  # so that the catalog's closes are those that the run saw
"""
CONSTANT = """
[policy]
kind = "constant"
constant_ratio = 0.5

[rails]
hard_stop = 0.0
drawdown_tiers = []
imbalance_least_share = 1e9
funding_spike = 1e9
"""


class Finished:
    """Hold what one run printed and wrote."""

    def __init__(self, out, printed=""):
        self.out, self.printed = out, printed
        self.result = json.loads((out / "result.json").read_text())

    def hedge_fills(self):
        fills = pd.read_csv(self.out / "fills.csv", parse_dates=["ts_last"])
        fills = fills[fills["strategy_id"] == "OIHedgeStrategy-HEDGE"].sort_values("ts_last")
        fills["ns"] = fills["ts_last"].dt.as_unit("ns").astype("int64")
        fills["signed"] = np.where(fills["side"] == "BUY", 1.0, -1.0) * fills["filled_qty"]
        return fills


@pytest.fixture(scope="module")
def finished(market, model, tmp_path_factory):
    before = digest(market)
    directory = tmp_path_factory.mktemp("finished")
    settings, out = directory / "settings.toml", directory / "out"
    settings.write_text(UNMOVED)
    printed = succeed("backtest", "--catalog", market, "--model", model, "--config", settings, "--out", out)
    assert digest(market) == before
    return Finished(out, printed)


@pytest.fixture(scope="module")
def constant(market, short_model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("constant")
    settings = directory / "settings.toml"
    settings.write_text(CONSTANT + UNMOVED)
    arguments = ("--model", short_model, "--config", settings, "--start", "2024-04-01", "--end", "2024-04-12")
    printed = succeed("backtest", "--catalog", market, *arguments, "--out", directory / "out")
    return Finished(directory / "out", printed)


@pytest.mark.parametrize(("costs", "fee"), [({}, 0.0005), ({"fee_tier": "vip9"}, 0.00017)])
def test_the_hedge_is_sized_by_the_fee_that_the_run_charges(market, short_model, costs, fee):
    settings = BacktestSettings(costs=CostsConfig(**costs))
    card = Forecaster.load(short_model).card
    start, end = (parse_time_ns(f"2024-04-{day:02}T00:00+00:00", "") for day in (2, 3))
    plan = make_plan(store.open_catalog(market), settings, short_model, card, start, end)
    config = run_config(plan, settings.policy, settings.rails, settings.execution)
    assert config.engine.strategies[0].config["taker_fee"] == fee
    (venue,) = (each for each in config.venues if each.name == "BINANCE")
    charged = {**venue.fee_model.config} if venue.fee_model is not None else {}
    assert charged.get("taker_fee") in (fee, None)


def assert_figure(figure):
    assert {"value", "low", "high"} <= figure.keys()
    if figure["value"] is None:
        assert figure["reason"]
    else:
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_result_has_every_figure_that_is_promised(finished):
    result = finished.result
    for group in (result["verdict"], *result["baselines"].values()):
        for name in ("loss_avoided", "gain_kept", "skill"):
            assert_figure(group[name])
    assert result["baselines"].keys() == {
        "constant", "stop_loss", "trailing_stop", "open_interest_rule", "funding_rule",
        "trend_7d", "trend_14d", "trend_28d", "trend_56d",
    }  # fmt: skip
    compared = {each["baseline"] for each in result["differences"]}
    assert compared == {"no_hedge", *result["baselines"]}
    assert [each["netting"] for each in result["netting"]] == ["day", "week", "episode"]
    assert result["multiplicity"]["configurations"] == 1
    assert result["costs"].keys() == {"fees", "slippage", "funding", "total"}
    assert {"count", "caught", "median_lead_hours", "false_alarms_per_week"} <= result["cascades"].keys()
    assert result["simulated"] is True
    assert result["bars_per_second"] > 0
    assert 0 < result["on_bar_us"]["p50"] <= result["on_bar_us"]["p99"]


def test_nautilus_statistics_agree_with_the_result(finished):
    stated = json.loads((finished.out / "statistics.json").read_text())
    verdict = finished.result["verdict"]
    assert stated["Loss Avoided"] == pytest.approx(verdict["loss_avoided"]["value"], abs=1e-9)
    assert stated["Hedge Skill"] == pytest.approx(verdict["skill"]["value"], abs=1e-9)
    assert "Sharpe Ratio (252 days)" in stated


def test_skill_is_loss_avoided_plus_gain_kept_less_one(finished):
    verdict = finished.result["verdict"]
    expected = verdict["loss_avoided"]["value"] + verdict["gain_kept"]["value"] - 1
    assert verdict["skill"]["value"] == pytest.approx(expected, abs=1e-12)


def test_the_run_begins_where_the_look_back_is_filled_and_ends_with_the_data(finished, market):
    bars = store.read_bars(store.open_catalog(market), BARS)
    first_decision = pd.Timestamp(int(bars.ts_init[0]), tz="UTC") + pd.Timedelta(days=90)
    period = finished.result["period"]
    assert pd.Timestamp(period["start"]) == first_decision
    assert pd.Timestamp(period["end"]) == pd.Timestamp(int(bars.ts_init[-1]), tz="UTC")


def test_the_summary_says_what_happened_in_words(finished):
    for words in ("SIMULATED MARKET", "avoided", "kept", "skill", "fees", "False alarms", "95 % interval"):
        assert words in finished.printed
    assert str(finished.out / "report.html") in finished.printed


def test_the_report_is_one_file_and_says_that_it_is_simulated(finished):
    html = (finished.out / "report.html").read_text()
    assert "SIMULATED" in html
    assert "https://" not in html.replace(get_plotlyjs(), "")


def test_orders_fills_and_positions_are_nautilus_reports(finished):
    orders, fills, positions = (
        pd.read_csv(finished.out / f"{name}.csv") for name in ("orders", "fills", "positions")
    )
    hedged = finished.result["runs"]["hedged"]
    mine = orders["strategy_id"] == "OIHedgeStrategy-HEDGE"
    assert mine.sum() == hedged["orders"]
    assert len(finished.hedge_fills()) == hedged["fills"] > 10
    assert set(fills["client_order_id"]) <= set(orders["client_order_id"])
    assert set(positions["instrument_id"]) == {HEDGE, "ETHUSDT.BINANCE_SPOT"}


def test_every_forecast_and_decision_is_stored_as_a_nautilus_catalog(finished, model):
    stored = ParquetDataCatalog(str(finished.out / "decisions"))
    decisions, forecasts = (
        [each.data for each in stored.query(kind, identifiers=[HEDGE])]
        for kind in (HedgeDecision, CascadeForecast)
    )
    assert len(decisions) == len(forecasts) == finished.result["period"]["bars"] + 1  # one at the start
    start = pd.Timestamp(finished.result["period"]["start"]).value
    assert min(each.ts_init for each in decisions) >= start
    assert {each.model_sha256 for each in decisions} == {Forecaster.load(model).sha256}
    down = np.array([each.down for each in forecasts])
    assert down.min() > 0.29 and down.max() < 0.91 and np.ptp(down) > 0.3
    assert all(each.reason and 0.0 <= each.allowed <= 1.0 for each in decisions)
    ordered = sum(1 for each in decisions if each.order_quantity)
    market_orders = finished.hedge_fills().query("type == 'MARKET'")
    assert ordered - 1 <= len(market_orders) <= ordered


def test_fees_are_the_taker_fee_on_every_fill(finished):
    fills = finished.hedge_fills()
    expected = (fills["filled_qty"] * fills["avg_px"] * TAKER_FEE).sum()
    assert finished.result["costs"]["fees"]["amount"] == pytest.approx(expected, rel=1e-9)


def test_profit_is_cash_flow_and_position_less_fees_and_funding(finished, market):
    fills = finished.hedge_fills()
    close = store.read_bars(store.open_catalog(market), BARS).close[-1]
    before_costs = -(fills["signed"] * fills["avg_px"]).sum() + fills["signed"].sum() * close
    costs = {name: each["amount"] for name, each in finished.result["costs"].items()}
    expected = before_costs - costs["fees"] - costs["funding"]
    hedged = finished.result["runs"]["hedged"]
    assert hedged["hedge_pnl"] == pytest.approx(expected, rel=1e-9)
    assert hedged["total_pnl"] == pytest.approx(hedged["hedge_pnl"] + hedged["exposure_pnl"])
    assert costs["total"] == pytest.approx(costs["fees"] + costs["slippage"] + costs["funding"])


def test_a_constant_hedge_is_sold_once_and_kept(constant):
    fills = constant.hedge_fills()
    assert fills["signed"].tolist() == [-50.0]
    figure = constant.result["effectiveness"]["mean_hedge_ratio"]
    assert 0.49 < figure["value"] <= 0.5


def test_slippage_is_what_the_fill_lost_against_the_last_close(constant, market):
    bars = store.read_bars(store.open_catalog(market), BARS)
    fill = constant.hedge_fills().iloc[0]
    close = bars.close[np.searchsorted(bars.ts_init, fill["ns"], side="right") - 1]
    expected = 50.0 * (close - fill["avg_px"])
    assert constant.result["costs"]["slippage"]["amount"] == pytest.approx(expected, abs=1e-6)
    assert expected > 0


def test_funding_is_the_sum_of_settlements_on_the_position(constant, market):
    catalog = store.open_catalog(market)
    bars, funding = store.read_bars(catalog, BARS), store.read_funding(catalog, HEDGE)
    fill = constant.hedge_fills().iloc[0]
    end = pd.Timestamp(constant.result["period"]["end"]).value
    settled = (funding.ts_event > fill["ns"]) & (funding.ts_init <= end)
    known = bars.close[np.searchsorted(bars.ts_init, funding.ts_init[settled], side="right") - 1]
    received = (50.0 * known * funding.rate[settled]).sum()
    assert settled.sum() >= 30
    assert constant.result["costs"]["funding"]["amount"] == pytest.approx(-received, abs=1e-4)


def test_costs_are_what_parts_a_constant_hedge_from_a_free_one(constant, market):
    """A free hedge of one half keeps one half of everything: what it lost more is costs, and the basis."""
    bars = store.read_bars(store.open_catalog(market), BARS)
    fill = constant.hedge_fills().iloc[0]
    at_fill = bars.close[np.searchsorted(bars.ts_init, fill["ns"], side="right") - 1]
    end = pd.Timestamp(constant.result["period"]["end"]).value
    last = bars.close[np.searchsorted(bars.ts_init, end, side="right") - 1]
    free = -50.0 * (last - at_fill)
    costs = constant.result["costs"]["total"]["amount"]
    assert constant.result["runs"]["hedged"]["hedge_pnl"] == pytest.approx(free - costs, abs=1e-4)


def test_two_runs_give_the_same_result_apart_from_timings(market, short_model, tmp_path):
    period = ("--start", "2024-04-01", "--end", "2024-04-08")
    runs = []
    for name in ("first", "second"):
        succeed("backtest", "--catalog", market, "--model", short_model, *period, "--out", tmp_path / name)
        runs.append(Finished(tmp_path / name))
    results = [
        {key: value for key, value in each.result.items() if key not in ("bars_per_second", "on_bar_us")}
        for each in runs
    ]
    assert results[0] == results[1]
    columns = ["ns", "signed", "avg_px", "tags"]
    pd.testing.assert_frame_equal(runs[0].hedge_fills()[columns], runs[1].hedge_fills()[columns])
    assert len(runs[0].hedge_fills()) > 5


def test_the_installed_command_runs(market, short_model, tmp_path):
    command = [str(Path(sys.executable).with_name("oi-hedge")), "backtest", "--catalog", str(market)]
    command += ["--model", str(short_model), "--start", "2024-04-01", "--end", "2024-04-03", "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "SIMULATED MARKET" in done.stdout
    assert "Traceback" not in done.stderr
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {
        "report.html", "result.json", "statistics.json", "orders.csv", "fills.csv", "positions.csv",
        "decisions",
    }  # fmt: skip
