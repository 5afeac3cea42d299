import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap
from oi_hedge_strategy.training.metrics import (
    DAY_NS,
    DayWeights,
    forecast_metrics,
    probability_metrics,
    ranking_metrics,
    reliability,
)

HAND_P = np.array([0.9, 0.8, 0.7, 0.7, 0.4, 0.2])
HAND_Y = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])


def one_day() -> DayWeights:
    return DayWeights(0, np.ones((1, 1)))


def test_ranking_metrics_are_those_counted_by_hand() -> None:
    """Cascades at 0.9, 0.7 (tied with another sample) and 0.4, of six samples."""
    found = ranking_metrics(HAND_P, HAND_Y, np.zeros(6, np.int64), one_day())
    assert found["roc_auc"][0] == pytest.approx((3 + 1.5 + 1) / 9)
    assert found["pr_auc"][0] == pytest.approx((1 / 1 + 2 / 4 + 3 / 5) / 3)
    assert found["precision_at_recall"][0] == pytest.approx(2 / 4)


def test_probability_metrics_are_those_counted_by_hand() -> None:
    p, y = np.array([0.8, 0.4]), np.array([1.0, 0.0])
    found = probability_metrics(p, y, np.zeros(2, np.int64), one_day(), base_rate=np.array([0.5, 0.5]))
    assert found["prevalence"][0] == 0.5
    assert found["brier"][0] == pytest.approx((0.04 + 0.16) / 2)
    assert found["brier_skill"][0] == pytest.approx(1 - 0.1 / 0.25)
    assert found["log_loss"][0] == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)
    assert found["calibration_error"][0] == pytest.approx((0.2 + 0.4) / 2)


def test_a_sure_forecast_that_was_wrong_has_a_large_but_finite_log_loss() -> None:
    found = probability_metrics(np.array([1.0, 0.0]), np.array([0.0, 0.0]), np.zeros(2, np.int64), one_day())
    assert 5 < found["log_loss"][0] < 20


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 200), st.integers(2, 40))
def test_every_resample_is_what_sklearn_says_of_its_weights(seed: int, n: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.integers(1, levels + 1, n) / (levels + 1)
    y = (rng.random(n) < 0.3).astype(np.float64)
    day = np.sort(rng.integers(0, 12, n))
    counts = np.column_stack([np.ones(12), rng.integers(0, 3, (12, 4))]).astype(np.float64)
    found = forecast_metrics(p, y, day, DayWeights(0, counts))
    for at in range(counts.shape[1]):
        w = counts[day, at]
        if not (w[y == 1].sum() and w[y == 0].sum()):
            assert np.isnan(found["roc_auc"][at])
            continue
        assert found["roc_auc"][at] == pytest.approx(roc_auc_score(y, p, sample_weight=w))
        assert found["pr_auc"][at] == pytest.approx(average_precision_score(y, p, sample_weight=w))
        assert found["log_loss"][at] == pytest.approx(log_loss(y, p, sample_weight=w, labels=[0, 1]))
        assert found["brier"][at] == pytest.approx(np.average((p - y) ** 2, weights=w))
        assert found["precision_at_recall"][at] == pytest.approx(slow_precision(p, y, w))
    bins = np.array_split(np.argsort(p, kind="stable"), 10)
    gap = sum(each.size * abs(p[each].mean() - y[each].mean()) for each in bins)
    assert found["calibration_error"][0] == pytest.approx(gap / n)


def slow_precision(p: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    for threshold in sorted(set(p), reverse=True):
        above = p >= threshold
        if w[above] @ y[above] >= 0.5 * (w @ y):
            return float(w[above] @ y[above] / w[above].sum())
    raise AssertionError("the lowest threshold reaches every recall")


def test_all_columns_are_the_same_when_computed_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    ts = np.arange(400) * DAY_NS // 8
    p, y = rng.random(400), (rng.random(400) < 0.2).astype(np.float64)
    weights = DayWeights.of(ts, BlockBootstrap(resamples=30))
    whole = ranking_metrics(p, y, weights.day_of(ts), weights)
    monkeypatch.setattr("oi_hedge_strategy.training.metrics.COLUMNS_AT_ONCE", 7)
    for name, values in ranking_metrics(p, y, weights.day_of(ts), weights).items():
        np.testing.assert_array_equal(values, whole[name])


def test_days_without_a_sample_are_drawn_too_and_assets_of_a_day_stay_together() -> None:
    ts = np.array([0, 0, 3, 20]) * DAY_NS
    weights = DayWeights.of(ts, BlockBootstrap(resamples=50))
    assert weights.counts.shape == (21, 51)
    assert (weights.counts.sum(axis=0) == 21).all()
    assert (weights.counts[:, 0] == 1).all()
    found = weights.total(np.array([1.0, 0.0, 0.0, 0.0]), weights.day_of(ts))
    np.testing.assert_array_equal(found, weights.counts[0])


def test_one_class_alone_leaves_ranking_undefined() -> None:
    for outcome in (np.zeros(5), np.ones(5)):
        found = ranking_metrics(np.linspace(0, 1, 5), outcome, np.zeros(5, np.int64), one_day())
        assert all(np.isnan(values).all() for values in found.values())


def test_no_sample_at_all_leaves_everything_undefined() -> None:
    empty = np.empty(0)
    found = forecast_metrics(empty, empty, np.empty(0, np.int64), one_day())
    assert all(np.isnan(values).all() for values in found.values())


def test_reliability_of_true_probabilities_holds_them_within_its_intervals() -> None:
    rng = np.random.default_rng(3)
    p = rng.beta(1, 9, 8_000)
    y = (rng.random(p.size) < p).astype(np.float64)
    curve = reliability(p, y, np.arange(p.size) * DAY_NS // 8, BlockBootstrap(resamples=300))
    assert (curve.samples == 800).all()
    assert (np.diff(curve.forecast) > 0).all()
    assert ((curve.low <= curve.forecast) & (curve.forecast <= curve.high)).sum() >= 8
    doubled = reliability(
        2 * p.clip(max=0.5), y, np.arange(p.size) * DAY_NS // 8, BlockBootstrap(resamples=99)
    )
    assert (doubled.high < doubled.forecast).sum() >= 8
