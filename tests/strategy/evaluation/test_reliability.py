from typing import Any

import numpy as np
import pandas as pd
import pytest

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap
from oi_hedge_strategy.evaluation.reliability import quantile_bins, reliability

HOUR = 3_600_000_000_000
FEW = BlockBootstrap(resamples=300)


class Record:
    """What `reliability` reads of a record."""

    def __init__(self, decisions: dict[str, Any], outcomes: dict[str, Any] | None) -> None:
        n = len(next(iter(decisions.values())))
        self.decisions = pd.DataFrame({"ts": HOUR * np.arange(n, dtype=np.int64), **decisions})
        self.outcomes = None if outcomes is None else pd.DataFrame(outcomes)


def curves(decisions: dict[str, Any], outcomes: dict[str, Any] | None) -> list[dict[str, Any]]:
    return reliability(Record(decisions, outcomes), FEW)  # type: ignore[arg-type]


def test_bins_hold_the_shares_counted_by_hand() -> None:
    forecast = np.tile([0.1, 0.1, 0.1, 0.5], 120)
    followed = np.tile([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0], 60)
    (curve,) = curves({"p_down_18h": forecast}, {"down_18h": followed})
    low, high = curve["bins"]
    assert (low["samples"], high["samples"]) == (360, 120)
    assert low["observed"]["value"] == pytest.approx(60 / 360)
    assert high["observed"]["value"] == pytest.approx(0.5)
    assert (low["forecast"], high["forecast"]) == pytest.approx((0.1, 0.5))
    assert curve["followed"] == 120
    assert curve["mean_forecast"] == pytest.approx(0.2)
    assert curve["bias"]["value"] == pytest.approx(0.2 - 0.25)
    squared = (5 * 0.01 + 0.81 + 2 * 0.25) / 8
    assert curve["brier_skill"]["value"] == pytest.approx(1.0 - squared / (0.25 * 0.75))


def test_a_forecast_that_knows_has_brier_skill_one_and_a_constant_one_none() -> None:
    followed = (np.random.default_rng(1).random(960) < 0.3).astype(float)
    made = {"p_down_18h": followed, "p_up_18h": np.full(960, followed.mean())}
    knowing, constant = curves(made, {"down_18h": followed, "up_18h": followed})
    assert knowing["brier_skill"]["value"] == pytest.approx(1.0)
    assert constant["brier_skill"]["value"] == pytest.approx(0.0)
    assert len(constant["bins"]) == 1


@pytest.mark.parametrize(
    ("times", "words"), [(1.0, "right on average"), (2.0, "too high on average"), (0.4, "too low on average")]
)
def test_words_say_whether_the_mean_forecast_fits(times: float, words: str) -> None:
    rng = np.random.default_rng(5)
    truth = rng.uniform(0.02, 0.4, 24 * 200)
    followed = (rng.random(truth.size) < truth).astype(float)
    (curve,) = curves({"p_down_18h": times * truth}, {"down_18h": followed})
    assert curve["words"] == words


def test_decisions_without_forecast_or_known_outcome_are_left_out() -> None:
    forecast, followed = np.full(480, 0.2), np.zeros(480)
    forecast[:100], followed[-30:] = np.nan, np.nan
    (curve,) = curves({"p_down_18h": forecast}, {"down_18h": followed, "up_18h": followed})
    assert curve["samples"] == 350
    assert curve["observed"]["value"] == 0.0


def test_intervals_of_whole_days_are_wider_than_those_of_independent_decisions() -> None:
    rng = np.random.default_rng(7)
    followed = np.repeat((rng.random(200) < 0.3).astype(float), 24)
    (curve,) = curves({"p_down_18h": np.full(4_800, 0.3)}, {"down_18h": followed})
    observed = curve["observed"]
    share = observed["value"]
    independent = 2 * 1.96 * np.sqrt(share * (1 - share) / 4_800)
    assert observed["high"] - observed["low"] > 3 * independent


def test_without_outcomes_there_is_no_curve() -> None:
    assert curves({"p_down_18h": np.full(50, 0.1)}, None) == []


def test_equal_forecasts_share_a_bin_and_no_bin_is_empty() -> None:
    bins = quantile_bins(np.array([0.0] * 70 + [0.1] * 5 + [0.2] * 25))
    assert len(set(bins[:70])) == 1
    assert sorted(set(bins.tolist())) == list(range(bins.max() + 1))


def test_bins_of_distinct_forecasts_are_tenths_and_the_highest_is_cut_finer() -> None:
    bins = quantile_bins(np.random.default_rng(2).permutation(np.arange(1_000) / 1_000))
    assert np.bincount(bins).tolist() == [*[100] * 9, 50, 30, 20]
