from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from oi_hedge_strategy.evaluation.rail_audit import LONGEST, rail_audit_table, rail_episodes


def with_rails(record: Any, rails: list[str]) -> Any:
    decisions = record.decisions.iloc[: len(rails)].assign(rail=rails, reason="said")
    return replace(record, decisions=decisions)


def test_an_episode_is_a_run_of_decisions_of_one_rail(year_record: Any) -> None:
    record = with_rails(year_record, ["", "funding", "funding", "drawdown", "", "funding"])
    ts = record.decisions["ts"].to_numpy()
    found = rail_episodes(record)
    assert [(each["rail"], each["decisions"]) for each in found] == [
        ("funding", 2),
        ("drawdown", 1),
        ("funding", 1),
    ]
    assert (found[0]["start"], found[0]["end"]) == (ts[1], ts[2])


def test_money_of_an_episode_reaches_to_the_decision_after_it(year_record: Any) -> None:
    record = with_rails(year_record, ["", "funding", "funding", "", ""])
    pnl = record.runs["hedged"].hedge_pnl
    (episode,) = rail_episodes(record)
    assert episode["hedge_pnl"] == pytest.approx(pnl[3] - pnl[1])


def test_means_leave_out_what_is_not_known(year_record: Any) -> None:
    record = with_rails(year_record, ["model", "model"])
    record = replace(
        record, decisions=record.decisions.assign(wanted=[np.nan, 0.4], allowed=[np.nan, np.nan])
    )
    (episode,) = rail_episodes(record)
    assert episode["wanted"] == pytest.approx(0.4)
    assert episode["allowed"] is None
    assert "not defined" in rail_audit_table(record)


def test_of_very_many_episodes_the_longest_are_shown_and_their_number_said(year_record: Any) -> None:
    rails = ["funding" if at % 2 else "" for at in range(2 * LONGEST + 20)]
    html = rail_audit_table(with_rails(year_record, rails))
    assert f"The {LONGEST} longest of {LONGEST + 10}" in html
    assert html.count("<tr>") == LONGEST + 1
