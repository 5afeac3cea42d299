"""`oi-hedge paper report --catalog`: a paper run held against a backtest over recorded data of its time."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.common.config import ImportableActorConfig
from support.command import oi_hedge, refuse

from oi_hedge_catalog import store
from oi_hedge_strategy.backtest.node_config import HEDGE_ID, run_config
from oi_hedge_strategy.backtest.plan import make_plan
from oi_hedge_strategy.backtest.settings import load_settings
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.live.config import LEDGER
from oi_hedge_strategy.live.ledger import Ledger, read_ledger
from oi_hedge_strategy.live.ledger_records import LedgerBar
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig
from oi_hedge_strategy.times import parse_time_ns

START, END = "2024-04-02T00:00+00:00", "2024-04-23T00:00+00:00"
BALANCE = 4_000.0


def keep_ledger(settings, catalog, directory):
    """Run the strategy on the market of the catalog with the actor that keeps a paper run's ledger."""
    model = Path(settings.model)
    card = Forecaster.load(model).card
    start, end = (parse_time_ns(each, "") for each in (START, END))
    plan = make_plan(store.open_catalog(catalog), settings, model, card, start, end)
    collateral = BALANCE / (plan.start_price * settings.exposure_quantity)
    plan = replace(plan, settings=msgspec.structs.replace(settings, collateral=collateral))
    config = run_config(plan, settings.policy, settings.rails, settings.execution)
    keeper = ImportableActorConfig(
        actor_path="oi_hedge_strategy.live.ledger_keeper:LedgerKeeper",
        config_path="oi_hedge_strategy.live.ledger_keeper:LedgerKeeperConfig",
        config={
            "directory": str(directory / LEDGER),
            "bar_type": str(plan.bar_types[settings.hedge_instrument]),
            "exposure_instrument": str(settings.exposure_instrument),
            "strategy_id": HEDGE_ID,
        },
    )
    engine = msgspec.structs.replace(config.engine, actors=[*config.engine.actors, keeper])
    node = BacktestNode([msgspec.structs.replace(config, engine=engine)])
    node.run()
    node.dispose()


@pytest.fixture(scope="module")
def paper(market, short_model, tmp_path_factory):
    """Return the settings file of a run whose ledger covers three weeks of the market."""
    directory = tmp_path_factory.mktemp("paper")
    path = directory / "settings.toml"
    path.write_text(
        f'model = "{short_model}"\nexposure_quantity = 10.0\n'
        f'[paper]\ndirectory = "{directory / "run"}"\nmonths = 0.5\nbalance = {BALANCE}\n'
        "[costs]\nmoves_market = false\n"
    )
    keep_ledger(load_settings(path), market, directory / "run")
    return path


@pytest.fixture(scope="module")
def reported(paper, market):
    """Return what the command said, and the results of paper and backtest that it wrote."""
    found = oi_hedge("paper", "report", "--config", paper, "--catalog", market)
    out = paper.parent / "run" / "report"
    return found, *(json.loads((each / "result.json").read_text()) for each in (out, out / "backtest"))


def test_paper_that_did_as_the_backtest_does_goes_live(reported, paper):
    found, _, _ = reported
    assert (found.exit_code, found.stderr) == (0, "")
    assert "paper: 21.0 days, 504 bars, 0.0% of them missing" in found.stdout
    assert "verdict: go live\n  21 days of paper agree with the backtest in " in found.stdout
    assert "skill was" in found.stdout and "bias of the forecast within 18 h was" in found.stdout
    verdict = json.loads((paper.parent / "run" / "report" / "verdict.json").read_text())
    assert {each["agrees"] for each in verdict["comparisons"]} == {True, None}


def test_the_backtest_has_the_account_that_paper_had_and_pays_what_paper_paid(reported):
    _, mine, theirs = reported
    assert mine["costs"]["fees"]["amount"] == pytest.approx(theirs["costs"]["fees"]["amount"], rel=1e-9)
    assert mine["costs"]["funding"]["amount"] == pytest.approx(theirs["costs"]["funding"]["amount"], rel=1e-9)
    ratio = [each["effectiveness"]["mean_hedge_ratio"]["value"] for each in (mine, theirs)]
    assert ratio[0] == pytest.approx(ratio[1], abs=0.005)
    assert ratio[0] < 0.5  # what the account allows


def test_paper_of_a_better_time_than_its_market_does_not_go_live(paper, market, tmp_path):
    """Hold a ledger whose hedge cost nothing and gained on every fall against the market it had."""
    ledger = tmp_path / "run" / LEDGER
    ledger.mkdir(parents=True)
    rewritten, equity = Ledger(ledger), BALANCE
    before = None
    for bar in read_ledger(paper.parent / "run" / LEDGER, LedgerBar):
        equity += 0.0 if before is None else max(0.0, 10.0 * (before.close - bar.close))
        fields = bar.to_dict() | {"equity": equity, "hedge_quantity": -10.0}
        rewritten.append(LedgerBar.from_dict(fields))
        before = bar
    for kind in (HedgeDecision, CascadeForecast):
        for record in read_ledger(paper.parent / "run" / LEDGER, kind):
            rewritten.append(record)
    rewritten.close()
    settings = tmp_path / "settings.toml"
    settings.write_text(paper.read_text().replace(str(paper.parent / "run"), str(tmp_path / "run")))
    found = oi_hedge("paper", "report", "--config", settings, "--catalog", market)
    assert found.exit_code == 3
    assert "verdict: do not go live\n" in found.stdout
    assert "outside the backtest's interval" in found.stdout


def test_data_of_another_time_are_refused_in_one_sentence(paper, market, tmp_path):
    before = tmp_path / "before"
    write_market(simulate_market(SimulatedMarketConfig(seed=5, days=20), lambda _: None), before)
    words = refuse("paper", "report", "--config", paper, "--catalog", before)
    assert "no overlap with the run from 2024-04-02 to 2024-04-22" in words
