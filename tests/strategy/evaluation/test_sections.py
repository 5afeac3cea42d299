"""The judging sections of a result: by hand where figures are few, and as plain numbers of the same runs."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.evaluation.daily import calendar
from oi_hedge_strategy.evaluation.effectiveness import loss_avoided, skill
from oi_hedge_strategy.evaluation.publish import BEGIN, END, publish
from oi_hedge_strategy.evaluation.records import OperatingPoint, RuleChoice, Trial, TunedPeriod
from oi_hedge_strategy.evaluation.result import build_result
from oi_hedge_strategy.evaluation.verdict_page import markdown_verdict

HOUR = 3_600_000_000_000


def held(record, name, ratio):
    """Return a run that holds a ratio of the exposure without costs."""
    alone, zeros = record.runs["unhedged"], np.zeros(record.market.ts.size)
    return replace(
        alone, name=name, hedge_quantity=-ratio * alone.exposure_quantity,
        hedge_pnl=-ratio * alone.exposure_pnl, fees=zeros, slippage=zeros, funding=zeros,
    )  # fmt: skip


@pytest.fixture(scope="module")
def swept(record_factory):
    record = record_factory()
    start, middle, end = (int(record.market.ts[at]) for at in (0, 4380, -1))
    dear = replace(record.runs["hedged"], name="impact x4", hedge_pnl=record.runs["hedged"].hedge_pnl - 50.0)
    trials = (
        Trial("strategy", 1.0, record.runs["hedged"]),
        Trial("strategy", 8.0, held(record, "loss aversion 8", 0.8)),
        Trial("constant", 0.5, held(record, "constant 50%", 0.5)),
        Trial("impact", 4.0, dear),
    )
    periods = (
        TunedPeriod(start, middle, "as configured", 0, np.nan, np.nan),
        TunedPeriod(middle, end, "loss aversion 8", 182, 0.8, 0.2),
    )
    point = OperatingPoint(0.67, periods, held(record, "tuned", 0.8), held(record, "constant 80%", 0.8))
    choices = {
        "momentum": (RuleChoice(start, middle, 0.05, 0), RuleChoice(middle, end, 0.08, 182)),
        "fixed": (RuleChoice(start, end, 28.0, 0),),
    }
    return replace(record, trials=trials, operating=point, rule_choices=choices)


@pytest.fixture(scope="module")
def result(swept):
    return build_result(swept)


def test_the_result_is_json(result):
    json.dumps(result, allow_nan=False)


def test_the_frontier_holds_every_run_once(result):
    points = {each["label"]: each for each in result["frontier"]}
    assert len(points) == len(result["frontier"])
    assert points.keys() == {
        "as configured", "loss aversion 8", "constant 50%", "tuned on the past", "constant half", "momentum",
        "open interest rule",
    }  # fmt: skip
    assert points["as configured"]["skill"] == result["verdict"]["skill"]
    half = points["constant 50%"]
    assert (half["kind"], half["parameter"]) == ("constant", 0.5)
    assert [half[key]["value"] for key in ("loss_avoided", "gain_kept", "skill")] == pytest.approx(
        [0.5, 0.5, 0]
    )


def test_costs_are_swept_one_at_a_time(result):
    assert [(each["impact"], each["latency"]) for each in result["cost_sensitivity"]] == [(1, 1), (4, 1)]
    assert result["cost_sensitivity"][0]["skill"] == result["verdict"]["skill"]


def test_target_and_reached_stand_side_by_side(result):
    point = result["operating_point"]
    assert point["target_loss_avoided"] == 0.67
    assert point["reached"]["loss_avoided"]["value"] == pytest.approx(0.8)
    assert point["words"] == "above the target"
    assert point["constant"]["gain_kept"]["value"] == pytest.approx(0.2)
    assert [each["baseline"] for each in point["differences"]] == [
        "constant at the tuned ratio", "constant half", "momentum", "open interest rule",
    ]  # fmt: skip
    assert point["differences"][0]["words"] == "not distinguishable from constant at the tuned ratio"
    assert point["reached_since_tuned"]["days"] == 183
    assert point["reached_since_tuned"]["gain_kept"]["value"] == pytest.approx(0.2)
    assert point["effectiveness"]["variance_reduction"]["value"] == pytest.approx(1.0 - 0.2**2)
    first, second = point["periods"]
    assert (first["tuned_on"], first["loss_avoided_there"]) == ("nothing: too short a past", None)
    assert (second["parameters"], second["tuned_on"]) == ("loss aversion 8", "182 days")


def test_seldom_hedging_is_said(result, swept):
    ratio = -swept.runs["hedged"].hedge_quantity / 100.0
    said = result["operating_point"]["as_configured"]
    assert said["mean_hedge_ratio"] == pytest.approx(ratio.mean())
    assert ("hedges seldom" in said["words"]) == (ratio.mean() < 0.10)
    always = build_result(replace(swept, runs=swept.runs | {"hedged": held(swept, "hedged", 0.5)}))
    assert "hedges seldom" not in always["operating_point"]["as_configured"]["words"]


def test_only_rules_that_were_tuned_are_listed(result):
    assert list(result["rule_parameters"]) == ["momentum"]
    assert [each["parameter"] for each in result["rule_parameters"]["momentum"]] == [0.05, 0.08]


def test_multiplicity_counts_configurations_but_no_costs_nor_constants(result):
    assert result["multiplicity"]["configurations"] == 3  # as configured, loss aversion 8, tuned
    assert result["multiplicity"]["p_value_alone"] <= result["multiplicity"]["p_value_deflated"]


def test_differences_are_named_and_worded(result):
    assert [each["baseline"] for each in result["differences"]] == [
        "no_hedge", "constant half", "momentum", "open interest rule",
    ]  # fmt: skip
    none = result["differences"][0]
    assert none["skill"]["value"] == pytest.approx(result["verdict"]["skill"]["value"])
    assert none["words"].endswith("no_hedge")


def test_years_and_regimes_cover_every_day_once(result):
    assert [(each["year"], each["days"]) for each in result["years"]] == [("2023", 365)]
    assert result["years"][0]["skill"]["value"] == pytest.approx(result["verdict"]["skill"]["value"])
    assert sum(each["days"] for each in result["regimes"]) == 365


def test_netting_by_week_sums_the_days_of_each_week(result, swept):
    days = calendar(swept.market.ts)
    week = (days.days.astype(int) + 3) // 7
    sums = [
        np.array([days.net(swept.runs[name].total_pnl)[week == each].sum() for each in np.unique(week)])
        for name in ("hedged", "unhedged")
    ]
    row = next(each for each in result["netting"] if each["netting"] == "week")
    assert row["units"] == sums[0].size == 53
    assert row["skill"]["value"] == pytest.approx(float(skill(*sums)))
    assert result["netting"][0]["skill"] == result["verdict"]["skill"]


def test_cascades_alone_are_judged_from_the_horizon_before_to_the_end(result, swept):
    ts, lost, kept = swept.market.ts, [], []
    spans = [(each.onset_ns - 18 * HOUR, each.end_ns) for each in swept.events]
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    for first, last in spans:
        rows = np.searchsorted(ts, [first, last])  # a bar is known ten seconds after its end
        lost.append(np.diff(swept.runs["unhedged"].total_pnl[rows])[0])
        kept.append(np.diff(swept.runs["hedged"].total_pnl[rows])[0])
    section = result["cascades"]["effectiveness"]
    assert section["windows"] == len(spans)
    assert section["unhedged_pnl"] == pytest.approx(sum(lost))
    expected = float(loss_avoided(np.array(kept), np.array(lost)))
    assert section["loss_avoided"]["value"] == pytest.approx(expected)


def test_the_hour_in_which_the_move_completes_is_within_the_cascade(swept):
    row = 500
    completed = int(swept.market.ts[row]) // HOUR * HOUR
    event = replace(swept.events[0], onset_ns=completed, end_ns=completed)
    fall = np.where(np.arange(swept.market.ts.size) >= row, -1000.0, 0.0)
    none = np.zeros_like(fall)
    runs = {
        name: replace(run, exposure_pnl=fall, hedge_pnl=-0.5 * fall if name == "hedged" else none)
        for name, run in swept.runs.items()
    }
    found = build_result(replace(swept, events=(event,), runs=runs))["cascades"]["effectiveness"]
    assert (found["unhedged_pnl"], found["hedged_pnl"]) == (-1000.0, -500.0)
    assert found["loss_avoided"]["value"] == 0.5


def test_cascades_that_follow_within_the_longest_horizon_are_one_event(swept):
    first = swept.events[0]
    soon = replace(first, onset_ns=first.end_ns + 47 * HOUR, end_ns=first.end_ns + 50 * HOUR)
    late = replace(first, onset_ns=first.end_ns + 100 * HOUR, end_ns=first.end_ns + 101 * HOUR)
    events = build_result(replace(swept, events=(first, soon, late)))["independent_events"]
    assert (events["cascades"], events["independent_cascades"]) == (3, 2)


def test_without_sweeps_nothing_is_made_up(year_result):
    assert not {"frontier", "cost_sensitivity", "operating_point", "rule_parameters"} & year_result.keys()
    assert year_result["multiplicity"]["configurations"] == 1


def test_the_verdict_is_published_between_the_marks(result, tmp_path):
    source, page = tmp_path / "result.json", tmp_path / "verdict.md"
    source.write_text(json.dumps(result))
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    text = publish(source, page).read_text()
    assert text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "Target: 67.0 % of the losses avoided" in text
    assert "skill of at least +0.150, is NOT reached by the tuned hedge; in skill it is not" in text
    assert "| loss aversion 8 | 80.0 %" in text
    assert "| momentum | 0.05, 0.08 |" in text
    assert f"avoided {100 * result['verdict']['loss_avoided']['value']:.1f} %" in text


def test_a_verdict_without_sweeps_can_be_published(year_result):
    text = markdown_verdict(year_result)
    assert "Target" not in text and "| momentum |" in text


@pytest.mark.parametrize("text", ["", f"{BEGIN} only", f"{END} {BEGIN}"])
def test_a_page_without_marks_is_refused(result, tmp_path, text):
    source, page = tmp_path / "result.json", tmp_path / "verdict.md"
    source.write_text(json.dumps(result))
    page.write_text(text)
    with pytest.raises(ConfigError, match="expected the marks"):
        publish(source, page)
    with pytest.raises(ConfigError, match="expected the result.json"):
        publish(tmp_path / "none.json", page)
