import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.full_result import with_sweeps

from oi_hedge_strategy.evaluation.result import build_result
from oi_hedge_strategy.evaluation.summary import WIDTH, format_summary
from oi_hedge_strategy.evaluation.wording import amount, baseline_sentence, p_value, percent, signed


def with_hedged_better_by(record: Any, per_bar: float) -> Any:
    run = record.runs["hedged"]
    better = replace(run, hedge_pnl=run.hedge_pnl + per_bar * np.arange(1, run.ts.size + 1))
    return replace(record, runs={**record.runs, "hedged": better})


def test_summary_fits_the_terminal_and_holds_the_figures(year_result: dict[str, Any]) -> None:
    text = format_summary(year_result)
    assert max(map(len, text.splitlines())) <= WIDTH
    for name in ("loss_avoided", "gain_kept"):
        figure = year_result["verdict"][name]
        assert f"{percent(figure['low'])} to {percent(figure['high'])}" in text
    assert signed(year_result["verdict"]["skill"]["value"]) in text
    assert amount(year_result["costs"]["total"]["amount"]) in text
    assert "False alarms: " in text
    assert "SIMULATED" not in text


def test_summary_of_a_simulated_market_says_so_first_and_last(record_factory: Any) -> None:
    lines = format_summary(build_result(record_factory(days=30, simulated=True))).splitlines()
    assert "SIMULATED MARKET" in lines[1]
    assert "SIMULATED MARKET" in "".join(lines[-4:])


def test_summary_says_worse_when_the_hedge_loses_to_its_baselines(year_record: Any) -> None:
    text = format_summary(build_result(with_hedged_better_by(year_record, -60.0)))
    assert "it is WORSE than constant half, momentum and open interest rule." in text
    assert "worse than zero" in text
    assert text.count("hedge WORSE") == 3


def test_summary_says_better_when_the_hedge_wins(year_record: Any) -> None:
    text = format_summary(build_result(with_hedged_better_by(year_record, 60.0)))
    assert "better than constant half, momentum and open interest rule." in text
    assert "better than zero" in text
    assert "WORSE" not in text


def test_summary_says_when_skill_cannot_be_told_from_zero(year_record: Any) -> None:
    record = replace(year_record, runs={**year_record.runs, "hedged": year_record.runs["unhedged"]})
    assert "not distinguishable from zero" in format_summary(build_result(record))


def test_summary_of_a_week_fits_and_says_why_there_is_no_interval(record_factory: Any) -> None:
    text = format_summary(build_result(record_factory(days=7)))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "an interval needs at least 10 days, found 7" in text
    assert not re.search(r"\bnan\b", text, re.I)


def test_sentence_names_losses_before_gains() -> None:
    words = ["better than a", "worse than b", "better than c"]
    result = {"baselines": {str(i): {"words": word} for i, word in enumerate(words)}}
    assert baseline_sentence(result) == "In skill it is WORSE than b; it is better than a and c."
    assert baseline_sentence({"baselines": {}}) == "No baseline was run beside it."


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (percent(0.12345), "12.3 %"),
        (percent(-0.0001), "0.0 %"),
        (percent(-0.1), "-10.0 %"),
        (percent(None), "not defined"),
        (signed(-0.0001), "+0.000"),
        (signed(0.0826), "+0.083"),
        (amount(-0.3), "0"),
        (amount(1234567.8), "1,234,568"),
        (p_value(0.0004), "p < 0.001"),
        (p_value(0.0314), "p = 0.031"),
    ],
)
def test_figures_read_well(shown: str, expected: str) -> None:
    assert shown == expected


def test_target_costs_and_number_of_trials_are_said(year_result: dict[str, Any]) -> None:
    text = " ".join(format_summary(with_sweeps(year_result)).split())
    assert "The target was to avoid 67.0 % of the losses." in text
    assert "below the target." in text
    assert "With market impact multiplied" in text
    assert "Of 9 configurations tried" in text
    assert "20 cascades lie more than 48 hours apart." in text
