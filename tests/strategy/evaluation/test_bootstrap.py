import numpy as np
import pytest

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap, estimate
from oi_hedge_strategy.evaluation.effectiveness import loss_avoided, skill


@pytest.mark.parametrize(
    ("days", "block"), [(3, 3), (10, 5), (125, 5), (126, 6), (365, 8), (730, 10), (1000, 10)]
)
def test_block_is_the_cube_root_of_the_days_but_at_least_five(days: int, block: int) -> None:
    assert BlockBootstrap().block_days(days) == block


def test_blocks_are_consecutive_days_and_wrap_around() -> None:
    drawn = BlockBootstrap(resamples=500).draw(23)
    assert drawn.shape == (500, 23)
    assert set(np.unique(drawn)) == set(range(23))
    within = drawn[:, :20].reshape(500, 4, 5)
    assert ((np.diff(within, axis=2) % 23) == 1).all()


def test_every_day_is_drawn_equally_often() -> None:
    counts = np.bincount(BlockBootstrap(resamples=4_000).draw(40).ravel(), minlength=40)
    assert counts.min() > 0.9 * counts.mean()
    assert counts.max() < 1.1 * counts.mean()


def test_the_same_seed_gives_the_same_interval() -> None:
    rng = np.random.default_rng(3)
    unhedged = rng.normal(0, 1, 200)
    pair = (unhedged * rng.uniform(0.2, 0.8, 200), unhedged)
    first, second, other = (
        estimate(skill, pair, bootstrap, bootstrap.draw(200), "")
        for bootstrap in (BlockBootstrap(), BlockBootstrap(), BlockBootstrap(seed=1))
    )
    assert first == second
    assert first.value == other.value
    assert first.low != other.low


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(11)
    bootstrap = BlockBootstrap(resamples=400)
    drawn, covered = bootstrap.draw(200), np.zeros(2)
    for _ in range(200):
        unhedged = rng.normal(0.0, 1.0, 200)
        hedged = unhedged * (1.0 - rng.uniform(0.0, 1.0, 200))
        for i, (statistic, truth) in enumerate(((loss_avoided, 0.5), (skill, 0.0))):
            found = estimate(statistic, (hedged, unhedged), bootstrap, drawn, "")
            assert found.low is not None
            assert found.high is not None
            covered[i] += found.low <= truth <= found.high
    assert (covered / 200 > 0.87).all()
    assert (covered / 200 < 0.99).all()
