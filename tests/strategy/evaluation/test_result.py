import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oi_hedge_catalog.errors import DataError
from oi_hedge_strategy.evaluation.effectiveness import gain_kept, loss_avoided
from oi_hedge_strategy.evaluation.result import build_result, to_plain, write_result


def with_run(record: Any, name: str, **changes: Any) -> Any:
    return replace(record, runs={**record.runs, name: replace(record.runs[name], **changes)})


def test_result_holds_what_its_readers_look_for(year_result: dict[str, Any]) -> None:
    for name in ("loss_avoided", "gain_kept", "skill"):
        figure = year_result["verdict"][name]
        assert figure["low"] < figure["value"] < figure["high"]
    assert set(year_result["baselines"]) == {"constant half", "momentum", "open interest rule"}
    for baseline in year_result["baselines"].values():
        assert baseline["difference"]["low"] < baseline["difference"]["high"]
        assert baseline["words"].split(" than ")[0].split(" from ")[0] in {
            "better",
            "worse",
            "not distinguishable",
        }
    assert set(year_result["costs"]) == {"fees", "slippage", "funding", "total"}
    assert set(year_result["on_bar_us"]) == {"p50", "p99"}
    assert year_result["schema_version"] == 1
    assert year_result["simulated"] is False
    assert year_result["period"]["days"] == 365
    assert year_result["cascades"]["definition"]["floor"] == 0.03


def test_figures_agree_with_days_netted_by_hand(year_record: Any, year_result: dict[str, Any]) -> None:
    closes = np.arange(23, 8760, 24)
    hedged, unhedged = (
        np.diff(year_record.runs[name].total_pnl[closes], prepend=0.0) for name in ("hedged", "unhedged")
    )
    assert year_result["verdict"]["loss_avoided"]["value"] == pytest.approx(
        float(loss_avoided(hedged, unhedged))
    )
    assert year_result["verdict"]["gain_kept"]["value"] == pytest.approx(float(gain_kept(hedged, unhedged)))


def test_skill_difference_is_the_difference_of_the_skills(year_result: dict[str, Any]) -> None:
    for baseline in year_result["baselines"].values():
        expected = year_result["verdict"]["skill"]["value"] - baseline["skill"]["value"]
        assert baseline["difference"]["value"] == pytest.approx(expected)


def test_costs_add_up_and_are_yearly_shares_of_the_mean_notional(
    year_record: Any, year_result: dict[str, Any]
) -> None:
    costs, run = year_result["costs"], year_record.runs["hedged"]
    assert costs["total"]["amount"] == pytest.approx(run.fees[-1] + run.slippage[-1] + run.funding[-1])
    notional = 100.0 * year_record.market.close.mean()
    assert costs["fees"]["share_per_year"] == pytest.approx(run.fees[-1] / notional / (365 / 365.25))


def test_months_and_rails_add_up_to_the_whole(year_record: Any, year_result: dict[str, Any]) -> None:
    months, rails = year_result["months"], year_result["rails"]
    assert [month["month"] for month in months] == [f"2023-{i:02d}" for i in range(1, 13)]
    assert sum(month["hedged"] for month in months) == pytest.approx(year_record.runs["hedged"].total_pnl[-1])
    assert sum(month["cascades"] for month in months) == year_result["cascades"]["count"]
    assert sum(month["caught"] for month in months) == year_result["cascades"]["caught"]
    assert sum(rail["decisions"] for rail in rails) == (year_record.decisions["rail"] != "").sum()


def test_the_unhedged_run_scores_nothing_avoided_all_kept_no_skill(year_record: Any) -> None:
    record = replace(year_record, runs={**year_record.runs, "hedged": year_record.runs["unhedged"]})
    verdict = build_result(record)["verdict"]
    assert [verdict[name]["value"] for name in ("loss_avoided", "gain_kept", "skill")] == [0.0, 1.0, 0.0]
    assert verdict["words"] == "not distinguishable from zero"


def test_file_is_json_without_nan_and_equals_the_result(tmp_path: Path, year_result: dict[str, Any]) -> None:
    path = write_result(tmp_path / "new" / "result.json", year_result)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse) == year_result
    assert [file.name for file in path.parent.iterdir()] == ["result.json"]
    assert year_result["model"]["drift"] is None


def test_a_result_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_result(tmp_path / "result.json", {"a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_result(path, {"a": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_plain_data_knows_numpy_and_drops_what_is_not_a_number() -> None:
    value = {
        1: np.float64("inf"),
        "b": (np.int64(3), np.bool_(True)),
        "c": np.array([1.5, np.nan]),
        "d": Path("x"),
    }
    assert to_plain(value) == {"1": None, "b": [3, True], "c": [1.5, None], "d": "x"}


def test_a_short_run_gives_figures_and_says_why_there_is_no_interval(record_factory: Any) -> None:
    result = build_result(record_factory(days=6))
    assert result["verdict"]["skill"]["low"] is None
    assert "found 6" in result["verdict"]["skill"]["reason"]
    assert result["verdict"]["words"] == "cannot be compared with zero"


def test_a_run_without_exposure_is_not_given_figures(record_factory: Any) -> None:
    record = record_factory(days=30)
    zeros = np.zeros(720)
    runs = {
        name: replace(run, exposure_quantity=zeros, exposure_pnl=zeros, hedge_quantity=zeros, hedge_pnl=zeros)
        for name, run in record.runs.items()
    }
    result = build_result(replace(record, runs=runs))
    for name in ("loss_avoided", "gain_kept", "skill"):
        assert result["verdict"][name]["value"] is None
        assert result["verdict"][name]["reason"]
    assert result["costs"]["fees"]["share_per_year"] is None
    assert any("30 days" in note for note in result["notes"])


def test_a_value_that_is_not_a_number_is_refused_with_its_place(record_factory: Any) -> None:
    record = record_factory(days=20)
    pnl = record.runs["momentum"].hedge_pnl.copy()
    pnl[30] = np.nan
    with pytest.raises(
        DataError, match=r"hedge_pnl of run 'momentum' is nan at row 30 \(2023-01-02T07:00:10Z\)"
    ):
        build_result(with_run(record, "momentum", hedge_pnl=pnl))


def test_runs_that_saw_other_bars_are_refused(record_factory: Any) -> None:
    record = record_factory(days=20)
    with pytest.raises(DataError, match="run 'hedged' has 480 bars that are not the market's 480"):
        build_result(with_run(record, "hedged", ts=record.market.ts + 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: replace(record, runs={"hedged": record.runs["hedged"]}), "no run 'unhedged'"),
        (
            lambda record: replace(record, decisions=record.decisions.drop(columns="alert")),
            "lack the columns",
        ),
        (lambda record: replace(record, decisions=record.decisions.iloc[:0]), "made no decision"),
        (lambda record: replace(record, decisions=record.decisions.iloc[::-1]), "must ascend"),
    ],
)
def test_an_incomplete_record_is_refused(record_factory: Any, change: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build_result(change(record_factory(days=20)))


def test_an_exposure_that_differs_between_runs_is_noted(record_factory: Any) -> None:
    record = record_factory(days=20)
    other = record.runs["momentum"].exposure_pnl + 50.0
    notes = build_result(with_run(record, "momentum", exposure_pnl=other))["notes"]
    assert any("'momentum' earned up to 50.00 other than" in note for note in notes)
