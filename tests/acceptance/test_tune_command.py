"""`oi-hedge tune` and the sweeps of `oi-hedge backtest`, end to end."""

import json
import re
import tomllib

import pytest
from support.command import oi_hedge, refuse, succeed

from oi_hedge_strategy.backtest.settings import load_settings

PERIOD = ("--start", "2024-04-01", "--end", "2024-04-05")


def test_tune_chooses_by_the_past_and_writes_settings_that_load(market, short_model, tmp_path):
    chosen = tmp_path / "policy.toml"
    arguments = ("--catalog", market, "--model", short_model, *PERIOD, "--sweeps", "standard")
    printed = succeed("tune", *arguments, "--target-loss-avoided", "0.3", "--out", chosen)
    rows = dict(re.findall(r"^(as configured|loss aversion \d+|log growth) +(-?[\d.]+) %", printed, re.M))
    assert rows.keys() == {
        "as configured", "log growth", *(f"loss aversion {each}" for each in (2, 4, 8, 16, 32)),
    }  # fmt: skip
    label = re.search(r"Chosen on 4 days: (.+?);", printed)[1]
    reached = {name for name, share in rows.items() if float(share) >= 30.0}
    assert label in (reached or rows)
    policy = load_settings(chosen).policy
    aversion = label.removeprefix("loss aversion ")
    assert policy.loss_aversion == (float(aversion) if aversion.isdigit() else 1.0)
    assert tomllib.loads(chosen.read_text())["policy"]["kind"] in ("kelly", "log_growth")
    assert "Out of sample, each period with what was best before it" in printed


def test_a_policy_without_forecast_cannot_be_tuned(market, short_model, tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text('[policy]\nkind = "constant"\n')
    sentence = refuse("tune", "--catalog", market, "--model", short_model, *PERIOD, "--config", settings)
    assert "sizes by no forecast: there is nothing to tune" in sentence


@pytest.mark.parametrize("target", ["0", "1", "67"])
def test_a_target_that_is_no_share_is_refused(market, target):
    result = oi_hedge("tune", "--catalog", market, "--target-loss-avoided", target)
    assert result.exit_code == 2
    assert "Invalid value for '--target-loss-avoided'" in result.output


def test_sweeps_fill_frontier_costs_and_operating_point(market, short_model, tmp_path):
    arguments = ("--catalog", market, "--model", short_model, *PERIOD, "--out", tmp_path / "out")
    succeed("backtest", *arguments, "--sweeps", "standard")
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    kinds = [each["kind"] for each in result["frontier"]]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "strategy": 6, "log_growth": 1, "constant": 4, "tuned": 1, "baseline": 9,
    }  # fmt: skip
    sizes = [each["loss_avoided"]["value"] for each in result["frontier"] if each["kind"] == "constant"]
    assert sizes == sorted(sizes)
    swept = [(each["impact"], each["latency"]) for each in result["cost_sensitivity"]]
    assert swept == [(0.5, 1), (1, 1), (2, 1), (4, 1), (1, 0.5), (1, 2), (1, 4)]
    dear = {each["impact"]: each["skill"]["value"] for each in result["cost_sensitivity"][:4]}
    assert dear[0.5] > dear[1] > dear[2] > dear[4]
    point = result["operating_point"]
    assert point["target_loss_avoided"] == 0.67
    assert [each["parameters"] for each in point["periods"]] == ["as configured"]
    assert point["reached"]["skill"] == result["verdict"]["skill"]  # nothing was tuned: too short a past
    assert result["multiplicity"]["configurations"] == 8
