import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from oi_hedge_catalog.errors import CatalogError, ConfigError
from oi_hedge_strategy.training.baselines import Baseline, BoostedTrees, Logistic, Prevalence, baselines

NAMES = ("log_volatility_336h", "log_volatility_24h", "oi_change_24h", "funding", "a", "b", "c", "noise")
OI_RULE = ("oi_change_24h", "funding")
TRAIN, STOP = 6_000, 2_000
ALL = ("prevalence", "volatility", "oi_rule", "logistic", "boosted_trees")


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def planted(logit_of, seed=0, share_unknown=0.1):
    """Return training, stopping and test tables of outcomes that follow `logit_of` features."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(TRAIN + STOP + 4_000, len(NAMES))).astype(np.float32)
    logit = np.repeat(logit_of(x)[:, None, None], 2, axis=1)
    y = (rng.random((*logit.shape[:2], 1)) < sigmoid(logit)).astype(np.float32)
    y[rng.random(y.shape) < share_unknown] = np.nan
    cut = (slice(0, TRAIN), slice(TRAIN, TRAIN + STOP), slice(TRAIN + STOP, None))
    return [(x[part], y[part], logit[part]) for part in cut]


def fit(baseline: Baseline, tables, seed=0):
    (x_train, y_train, _), (x_stop, y_stop, _), (x, y, logit) = tables
    return baseline.fit(x_train, y_train, x_stop, y_stop, seed)(x), y, logit


def auc(logits, y):
    known = np.isfinite(y[:, 0, 0])
    return roc_auc_score(y[known, 0, 0], logits[known, 0, 0])


def linear(x):
    return 1.2 * x[:, 4] - 0.8 * x[:, 5] - 2.5


@pytest.fixture(scope="module")
def linear_tables():
    return planted(linear)


@pytest.mark.parametrize("name", ALL)
def test_every_baseline_gives_logits_of_every_output(name, linear_tables):
    logits, y, _ = fit(baselines(NAMES, OI_RULE)[name], linear_tables)
    assert logits.shape == y.shape
    assert logits.dtype == np.float64
    assert np.isfinite(logits).all()


def test_the_baselines_are_those_of_the_table():
    assert tuple(baselines(NAMES, OI_RULE)) == ALL


def test_prevalence_is_the_rate_of_the_training_window(linear_tables):
    logits, _, _ = fit(Prevalence(), linear_tables)
    known = linear_tables[0][1][:, 1, 0]
    assert sigmoid(logits[:, 1, 0]) == pytest.approx(np.nanmean(known), abs=1e-6)


def test_logistic_regression_recovers_a_planted_linear_relation(linear_tables):
    logits, _, truth = fit(Logistic(), linear_tables)
    assert np.corrcoef(logits[:, 0, 0], truth[:, 0, 0])[0, 1] > 0.99
    assert np.polyfit(truth[:, 0, 0], logits[:, 0, 0], 1) == pytest.approx([1.0, 0.0], abs=0.25)


def test_trees_recover_a_planted_relation_that_no_linear_model_sees():
    tables = planted(lambda x: 2.0 * np.sign(x[:, 4] * x[:, 5]) - 1.5)
    trees, y, truth = fit(BoostedTrees(), tables)
    line, _, _ = fit(Logistic(), tables)
    assert auc(trees, y) > auc(truth, y) - 0.02
    assert abs(auc(line, y) - 0.5) < 0.05


@pytest.mark.parametrize("name", ["logistic", "boosted_trees"])
def test_shuffled_outcomes_teach_nothing(name, linear_tables):
    rng = np.random.default_rng(1)
    shuffled = [(x, rng.permutation(y), truth) for x, y, truth in linear_tables]
    logits, y, _ = fit(baselines(NAMES, OI_RULE)[name], shuffled)
    assert abs(auc(logits, y) - 0.5) < 0.05


def test_rules_see_only_their_columns():
    tables = planted(lambda x: 1.5 * x[:, 2] - 2.5)
    found = {name: fit(each, tables)[:2] for name, each in baselines(NAMES, OI_RULE).items()}
    assert auc(*found["oi_rule"]) > 0.8
    assert abs(auc(*found["volatility"]) - 0.5) < 0.05
    (x_train, y_train, _), (x_stop, y_stop, _), (x, _, _) = tables
    predict = baselines(NAMES, OI_RULE)["volatility"].fit(x_train, y_train, x_stop, y_stop, 0)
    changed = x.copy()
    changed[:, 2:] = 99.0
    np.testing.assert_array_equal(predict(x), predict(changed))


def test_the_same_seed_gives_the_same_trees_and_another_seed_others(linear_tables):
    first, again, other = (fit(BoostedTrees(rounds=10), linear_tables, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_trees_stop_where_the_stopping_window_says_so():
    """In the stopping window the relation is turned round: hardly a round may be used."""
    tables = planted(linear)
    turned = [tables[0], (tables[1][0], *planted(lambda x: -linear(x) - 5.0)[1][1:]), tables[2]]
    early, _, _ = fit(BoostedTrees(), turned)
    late, _, _ = fit(BoostedTrees(), tables)
    assert early.std() < 0.3 * late.std()


def test_unknown_outcomes_change_nothing_but_the_rows_used(linear_tables):
    (x_train, y_train, _), (x_stop, y_stop, _), (x, _, _) = linear_tables
    known = np.isfinite(y_train[:, 0, 0]) & np.isfinite(y_train[:, 1, 0])
    blanked = y_train.copy()
    blanked[~known] = np.nan
    for baseline, tolerance in ((Logistic(), 0.01), (BoostedTrees(rounds=10), 1e-12)):
        kept = baseline.fit(x_train[known], y_train[known], x_stop, y_stop, 0)(x)
        found = baseline.fit(x_train, blanked, x_stop, y_stop, 0)(x)
        np.testing.assert_allclose(found, kept, atol=tolerance)


def test_a_window_without_cascades_is_refused(linear_tables):
    (x_train, y_train, _), (x_stop, y_stop, _), _ = linear_tables
    none = np.zeros_like(y_train)
    for baseline in (Prevalence(), Logistic(), BoostedTrees()):
        with pytest.raises(CatalogError, match="training window: output down, horizon 1, saw 0 cascades"):
            baseline.fit(x_train, none, x_stop, y_stop, 0)


def test_features_that_are_not_finite_are_refused(linear_tables):
    (x_train, y_train, _), (x_stop, y_stop, _), _ = linear_tables
    x_train = x_train.copy()
    x_train[7, 3] = np.nan
    for baseline in (Logistic(), BoostedTrees()):
        with pytest.raises(CatalogError, match="feature column 3, row 7, expected a finite value, found nan"):
            baseline.fit(x_train, y_train, x_stop, y_stop, 0)


def test_a_column_that_is_missing_is_named():
    with pytest.raises(ConfigError, match="no feature column oi_change; there are log_volatility_336h"):
        baselines(NAMES, ("oi_change", "funding"))
