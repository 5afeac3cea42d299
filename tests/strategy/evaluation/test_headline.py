"""Figures of many runs at once: against those made one by one, by hand, and in words."""

import numpy as np
import pytest

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap, estimate
from oi_hedge_strategy.evaluation.effectiveness import gain_kept, judge, loss_avoided, skill
from oi_hedge_strategy.evaluation.headline import counts, headlines
from oi_hedge_strategy.evaluation.multiplicity import deflate

BOOTSTRAP = BlockBootstrap(resamples=400)
rng = np.random.default_rng(1)
UNHEDGED = rng.normal(0.0, 100.0, 300)
GOOD = np.where(UNHEDGED < 0, 0.4 * UNHEDGED, 0.9 * UNHEDGED)
RUNS = {
    "hedged": GOOD,
    "unhedged": UNHEDGED,
    "poor": 0.5 * UNHEDGED - 10.0,
    "alike": GOOD + rng.normal(0.0, 1.0, 300),
    "clairvoyant": np.where(UNHEDGED < 0, 0.1 * UNHEDGED, UNHEDGED),
}


@pytest.fixture(scope="module")
def found():
    return headlines(RUNS, UNHEDGED, BOOTSTRAP)


@pytest.mark.parametrize("name", ["hedged", "poor", "clairvoyant"])
def test_figures_and_intervals_are_those_of_resampled_days(found, name):
    drawn = BOOTSTRAP.draw(UNHEDGED.size)
    for measure, statistic in (("loss_avoided", loss_avoided), ("gain_kept", gain_kept), ("skill", skill)):
        slow = estimate(statistic, (RUNS[name], UNHEDGED), BOOTSTRAP, drawn, "")
        fast = found.of(name)[measure]
        assert (fast.value, fast.low, fast.high) == pytest.approx((slow.value, slow.low, slow.high))


def test_a_difference_is_resampled_in_pairs(found):
    drawn = BOOTSTRAP.draw(UNHEDGED.size)

    def gap(one, other, alone):
        return skill(one, alone) - skill(other, alone)

    slow = estimate(gap, (GOOD, RUNS["poor"], UNHEDGED), BOOTSTRAP, drawn, "")
    fast = found.difference("hedged", "poor")["skill"]
    assert (fast.value, fast.low, fast.high) == pytest.approx((slow.value, slow.low, slow.high))


def test_words_follow_the_paired_difference(found):
    words = [judge(found.difference("hedged", name)["skill"], name) for name in ("poor", "alike")]
    assert words == ["better than poor", "not distinguishable from alike"]
    assert judge(found.difference("hedged", "clairvoyant")["skill"], "it") == "worse than it"


def test_equal_runs_differ_by_exactly_nothing():
    same = headlines(RUNS | {"twin": GOOD.copy()}, UNHEDGED, BOOTSTRAP)
    gap = same.difference("hedged", "twin")["skill"]
    assert (gap.value, gap.low, gap.high) == (0.0, 0.0, 0.0)
    nothing = same.of("unhedged")["skill"]
    assert (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, 0.0)


def test_every_resample_counts_as_many_units_as_there_are():
    found = counts(BlockBootstrap(resamples=50), 23)
    assert (found.sum(axis=1) == 23).all()


def test_an_undefined_difference_is_not_judged():
    rising = np.arange(1.0, 31.0)
    gap = headlines({"one": rising, "two": rising}, rising, BOOTSTRAP).difference("one", "two")["skill"]
    assert judge(gap, "two") == "cannot be compared with two"
    assert gap.reason


def test_one_configuration_is_deflated_by_nothing(found):
    section = deflate(found, ["hedged"])
    assert section["p_value_alone"] == section["p_value_deflated"] < 0.05
    assert section["words"] == "better than zero skill"


def test_the_reality_check_is_white_s(found):
    tried = ["hedged", "poor", "alike"]
    drawn = BOOTSTRAP.draw(UNHEDGED.size)
    values = np.array([float(skill(RUNS[name], UNHEDGED)) for name in tried])
    resampled = np.stack([skill(RUNS[name][drawn], UNHEDGED[drawn]) for name in tried], axis=1)
    by_hand = np.mean((resampled - values).max(axis=1) >= values.max())
    section = deflate(found, tried)
    assert section["best"] == tried[int(values.argmax())]
    assert section["p_value_deflated"] == pytest.approx(by_hand)
    assert section["skill_by_luck"] == pytest.approx(np.quantile((resampled - values).max(axis=1), 0.95))


def test_the_best_of_many_without_skill_is_not_taken_for_skill():
    """Sixty random hedges: the best one alone looks sure in most draws, deflated it is not."""
    random = np.random.default_rng(7)
    runs = {f"r{i}": UNHEDGED * (1.0 - random.integers(0, 2, UNHEDGED.size)) for i in range(60)}
    section = deflate(headlines(runs, UNHEDGED, BOOTSTRAP), list(runs))
    assert section["p_value_alone"] < 0.05 < section["p_value_deflated"]
    assert section["words"] == "not distinguishable from zero skill"
    assert section["skill"]["value"] < section["skill_by_luck"]


def test_against_a_rule_the_differences_are_deflated(found):
    section = deflate(found, ["hedged", "alike"], "clairvoyant")
    assert section["skill"]["value"] < 0.0
    assert section["words"] == "not distinguishable from clairvoyant"
