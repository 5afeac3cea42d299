import numpy as np
import pytest

from oi_hedge_strategy.evaluation.downsample import LINE_POINTS, extremes, thinning_sentence
from oi_hedge_strategy.evaluation.figures import steps


def test_a_short_line_stays_whole() -> None:
    assert extremes(np.arange(LINE_POINTS, dtype=float)).tolist() == list(range(LINE_POINTS))


def test_every_bin_keeps_its_lowest_and_highest_value() -> None:
    values = np.array([1.0, 5.0, 2.0, 0.0, 3.0, 4.0, 9.0, 7.0, 8.0, 6.0])
    assert extremes(values, 4).tolist() == [0, 1, 3, 5, 6, 9]


@pytest.mark.parametrize("seed", range(5))
def test_two_years_of_hours_lose_no_peak_and_become_short(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.normal(size=17_520))
    spikes = rng.choice(values.size, 20, replace=False)
    values[spikes] += rng.choice([-500.0, 500.0], 20)
    kept = extremes(values)
    assert kept.size <= LINE_POINTS + 4
    assert set(spikes) <= set(kept)
    assert (np.diff(kept) > 0).all()
    assert kept[0] == 0 and kept[-1] == values.size - 1


def test_gaps_keep_their_edges() -> None:
    values = np.sin(np.arange(10_000.0))
    values[3_000:3_500] = np.nan
    kept = extremes(values, 400)
    assert {2_999, 3_000, 3_499, 3_500} <= set(kept)
    line = values[kept]
    assert np.isnan(line[(kept >= 3_000) & (kept < 3_500)]).all()
    assert np.isfinite(line[(kept < 3_000) | (kept >= 3_500)]).all()


def test_a_line_of_gaps_only_stays_a_gap() -> None:
    kept = extremes(np.full(9_000, np.nan), 100)
    assert kept[0] == 0 and kept[-1] == 8_999


def test_captions_say_when_points_are_left_out() -> None:
    assert thinning_sentence(LINE_POINTS) == ""
    assert "lowest and the highest" in thinning_sentence(LINE_POINTS + 1)


def test_no_step_of_a_thinned_line_lasts_longer_than_it_did_by_more_than_a_bin() -> None:
    hours = np.arange(17_520)
    values = np.zeros(hours.size)
    values[np.random.default_rng(3).choice(hours.size - 1, 3_000, replace=False)] = 1.0
    values[9_000:15_000] = 0.0
    trace = steps(hours * 3_600_000_000_000, values, "x", "red")
    at, drawn = np.asarray(trace.x) / 3.6e6, np.asarray(trace.y)
    lasted = np.diff(at)[drawn[:-1] == 1.0]
    bin_hours = np.ceil(2 * hours.size / LINE_POINTS)
    assert 1 <= lasted.max() <= bin_hours + 3
    assert drawn[(at > 9_020) & (at < 14_990)].sum() == 0.0
