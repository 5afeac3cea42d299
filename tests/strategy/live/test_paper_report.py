"""The report of a paper run: figures from the ledger, the backtest's interval, and the verdict."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from support.command import oi_hedge, refuse
from support.models import tiny_card, write_model
from support.paper_ledger import FEE, HEDGE, HOUR, START, write_ledger

from oi_hedge_strategy.backtest.settings import load_settings
from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.evaluation.result import build_result
from oi_hedge_strategy.live.config import PaperConfig
from oi_hedge_strategy.live.ledger import Ledger
from oi_hedge_strategy.live.ledger_evidence import Coverage, ledger_coverage, ledger_record
from oi_hedge_strategy.live.ledger_records import LedgerBar
from oi_hedge_strategy.live.paper_verdict import judge_paper

DAY = 86_400_000_000_000
QUICK = CascadeDefinition(horizons_hours=(4, 18), volatility_hours=48)
LONG_ENOUGH = Coverage(0, 95 * DAY, 2280, 2281)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the settings file of a run with a ledger of forty days."""
    directory = tmp_path_factory.mktemp("run")
    write_ledger(directory / "paper" / "ledger", days=40, gap=(500, 510))
    card = tiny_card(cascade=QUICK)
    write_model(directory / "eth.onnx", card)
    path = directory / "settings.toml"
    path.write_text(
        f'model = "{directory / "eth.onnx"}"\nexposure_quantity = 10.0\n'
        f'[paper]\ndirectory = "{directory / "paper"}"\nmonths = 1.0\n'
    )
    return path, card


def report(path, *arguments):
    result = oi_hedge("paper", "report", "--config", path, *arguments)
    return result.exit_code, result.stdout


def figures(path, name="result.json"):
    return json.loads((path.parent / "paper" / "report" / name).read_text())


def rows(path, name):
    return list(csv.DictReader((path.parent / "paper" / "report" / name).read_text().splitlines()))


def test_the_record_adds_up_to_what_the_account_says(run):
    path, card = run
    record = ledger_record(path.parent / "paper" / "ledger", load_settings(path), card)
    hedged, unhedged = record.runs["hedged"], record.runs["unhedged"]
    price = record.market.close
    assert unhedged.total_pnl[-1] == pytest.approx(10.0 * (price[-1] - price[0]))
    assert hedged.fills == 40
    assert hedged.fees[-1] == 39 * FEE  # the last fill came after the last bar
    gained = np.diff(hedged.hedge_pnl) + np.diff(hedged.fees)
    whole = np.diff(record.market.ts) == 3_600_000_000_000  # not over the hours that the ledger lacks
    assert gained[whole] == pytest.approx((hedged.hedge_quantity[1:] * np.diff(price))[whole])
    assert len(record.decisions) == price.size == 40 * 24 + 1 - 10


def test_cascades_are_found_in_the_ledger_s_own_bars(run):
    path, card = run
    record = ledger_record(path.parent / "paper" / "ledger", load_settings(path), card)
    assert {event.side for event in record.events} == {"down"}
    known = record.outcomes["down_18h"].dropna()
    assert set(known) == {0.0, 1.0}
    assert len(known) < len(record.outcomes)


def test_an_alert_of_the_hours_without_outcome_is_no_false_alarm(run):
    path, card = run
    record = ledger_record(path.parent / "paper" / "ledger", load_settings(path), card)
    decided = record.decisions.assign(alert=record.decisions.index < 24)
    assert record.outcomes["down_18h"][:24].isna().all()
    found = build_result(replace(record, decisions=decided))["cascades"]
    assert (found["alert_episodes"], found["false_alarms"], found["undecided_episodes"]) == (1, 0, 1)


def test_without_falls_of_open_interest_there_are_no_cascades(run, tmp_path):
    path, card = run
    write_ledger(tmp_path, days=10, crashes=False)
    record = ledger_record(tmp_path, load_settings(path), card)
    assert record.events == ()
    assert set(record.outcomes["down_18h"].dropna()) == {0.0}


def test_without_a_backtest_paper_goes_on(run):
    path, _ = run
    code, text = report(path)
    assert code == 3
    assert "paper: 40.0 days, 951 bars, 1.0% of them missing" in text
    assert "verdict: go on with paper" in text
    assert "no backtest to compare with" in text
    daily, months = (rows(path, name) for name in ("daily.csv", "monthly.csv"))
    assert len(daily) == 41
    total = sum(float(row["hedged"]) for row in daily)
    assert total == pytest.approx(sum(float(row["hedged"]) for row in months))
    assert [row["month"] for row in months] == ["2023-12", "2024-01", "2024-02"]


def test_paper_that_agrees_with_its_backtest_goes_live(run, tmp_path):
    path, _ = run
    report(path)
    backtest = tmp_path / "result.json"
    backtest.write_text(json.dumps(figures(path)))
    code, text = report(path, "--backtest", backtest)
    assert (code, figures(path, "verdict.json")["answer"]) == (0, "go live")
    assert "skill was" in text
    assert "within the backtest's interval" in text
    assert "Brier skill of the forecast within 18 h" in text


def test_paper_that_differs_does_not(run, tmp_path):
    path, _ = run
    report(path)
    other = figures(path)
    other["effectiveness"]["skill"] |= {"low": 0.9, "value": 0.95, "high": 1.0}
    backtest = tmp_path / "result.json"
    backtest.write_text(json.dumps(other))
    code, text = report(path, "--backtest", backtest)
    verdict = figures(path, "verdict.json")
    assert (code, verdict["answer"]) == (3, "do not go live")
    assert "outside the backtest's interval 0.900 to 1.000" in text
    assert [each["name"] for each in verdict["comparisons"] if each["agrees"] is False] == ["skill"]


def result(skill, low, high, bias=0.0):
    effectiveness = {name: {"value": skill, "low": low, "high": high} for name in ("loss_avoided", "skill")}
    calibration = {"side": "down", "hours": 18, "bias": {"value": bias, "low": -0.1, "high": 0.1}}
    return {"effectiveness": effectiveness, "calibration": [calibration]}


@pytest.mark.parametrize(
    ("paper", "backtest", "coverage", "answer", "words"),
    [
        (result(0.2, 0, 1), result(0.3, 0.1, 0.5), LONG_ENOUGH, "go live", "95 days of paper agree"),
        (result(0.1, 0, 1), result(0.3, 0.1, 0.5), LONG_ENOUGH, "go live", "agree"),
        (result(0.6, 0, 1), result(0.3, 0.1, 0.5), LONG_ENOUGH, "do not go live", "outside"),
        (result(0.2, 0, 1, bias=0.2), result(0.3, 0.1, 0.5), LONG_ENOUGH, "do not go live", "bias"),
        (
            result(0.2, 0, 1),
            result(0.3, 0.1, 0.5),
            Coverage(0, 89 * DAY, 2136, 2137),
            "go on with paper",
            "89.0 days, 90 are asked for",
        ),
        (
            result(0.2, 0, 1),
            result(0.3, 0.1, 0.5),
            Coverage(0, 95 * DAY, 2000, 2281),
            "go on with paper",
            "12.3% of the bars are missing",
        ),
        (result(None, None, None), result(0.3, 0.1, 0.5), LONG_ENOUGH, "go on with paper", "nothing of the"),
        (result(0.2, 0, 1), result(0.3, None, None), LONG_ENOUGH, "go on with paper", "nothing of the"),
        (result(0.2, 0, 1), None, LONG_ENOUGH, "go on with paper", "no backtest"),
        (
            result(0.6, 0, 1),
            result(0.3, 0.1, 0.5),
            Coverage(0, 10 * DAY, 240, 241),
            "do not go live",
            "10.0 days",
        ),
    ],
)
def test_the_verdict(paper, backtest, coverage, answer, words):
    verdict = judge_paper(paper, backtest, coverage, PaperConfig(), "down")
    assert verdict.answer == answer
    assert words in " ".join(verdict.reasons)


def test_only_the_adverse_side_is_held_against_the_forecast():
    paper, backtest = result(0.2, 0, 1, bias=0.9), result(0.3, 0.1, 0.5)
    for each in (paper, backtest):
        each["calibration"][0]["side"] = "up"
    verdict = judge_paper(paper, backtest, LONG_ENOUGH, PaperConfig(), "down")
    assert verdict.answer == "go on with paper"
    assert "nothing of the calibration" in " ".join(verdict.reasons)


def test_what_cannot_be_read_is_one_sentence(run, tmp_path):
    path, _ = run
    broken = tmp_path / "broken.json"
    broken.write_text("[")
    strange = tmp_path / "strange.json"
    strange.write_text("{}")
    for file, words in ((tmp_path / "no.json", "cannot read"), (broken, "no result"), (strange, "no result")):
        assert words in refuse("paper", "report", "--config", path, "--backtest", file)
    both = ("--backtest", broken, "--catalog", tmp_path)
    assert "exclude one another" in refuse("paper", "report", "--config", path, *both)
    empty = tmp_path / "empty.toml"
    empty.write_text(path.read_text().replace("/paper", "/none"))
    assert "holds no ledger" in refuse("paper", "report", "--config", empty)


def test_a_bar_known_a_moment_before_its_hour_is_not_missing(tmp_path):
    ledger = Ledger(tmp_path)
    for hour, early in ((1, 0), (2, 1), (3, 0)):
        ts = START + hour * HOUR + (-50_000_000 if early else 50_000_000)
        bar = (100.0, 101.0, 99.0, 100.0, 100.0, 1.0, 0.0, 1000.0)
        ledger.append(LedgerBar(HEDGE, *bar, ["BINANCE"], [1000.0], [0.0], ts, ts))
    ledger.close()
    found = ledger_coverage(tmp_path, 3600)
    assert (found.bars, found.expected) == (3, 3)
