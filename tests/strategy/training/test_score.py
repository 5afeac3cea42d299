import json
from dataclasses import replace

import numpy as np
import pytest
from support.predictions import SKILLS, make_predictions

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap, Estimate
from oi_hedge_strategy.training.metrics import DAY_NS
from oi_hedge_strategy.training.score import score
from oi_hedge_strategy.training.score_text import markdown_tables, score_text
from oi_hedge_strategy.training.score_words import output_title, shown, verdict_sentences
from oi_hedge_strategy.training.scores import (
    COLUMNS,
    MEAN,
    METRICS,
    OVERALL,
    POOLED,
    difference_words,
    score_forecasts,
)

FEW = BlockBootstrap(resamples=100)
TRUE_OUTPUTS = ("down_4h", "down_18h", "down_48h", "up_4h", "up_18h", "up_48h")


@pytest.fixture(scope="module")
def predictions():
    return make_predictions(days=400)


@pytest.fixture(scope="module")
def scores(predictions):
    return score(predictions, bootstrap=FEW)


def outcomes(n=4_000, seed=0, skill=1.0):
    """Return times, outcomes and a forecast with skill, eight samples a day."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(2 - skill * x))).astype(np.float64)
    return np.arange(n) * DAY_NS // 8, y, 1 / (1 + np.exp(2 - x))


def test_planted_skill_is_found_and_told_from_chance() -> None:
    ts, y, p = outcomes()
    base = np.full(y.size, 0.15)
    found = score_forecasts(ts, y, {"prevalence": base, "hybrid": p}, "hybrid", FEW)
    assert found["hybrid"]["roc_auc"].estimate.low > 0.6
    assert found["hybrid"]["brier_skill"].estimate.low > 0.0
    assert found["prevalence"]["roc_auc"].estimate == Estimate(0.5, 0.5, 0.5)
    assert found["prevalence"]["roc_auc"].words == "worse than hybrid"
    assert found["prevalence"]["log_loss"].words == "worse than hybrid"
    assert found["prevalence"]["log_loss"].difference.low > 0.0


def test_a_forecaster_that_knows_nothing_scores_at_chance_within_its_interval() -> None:
    inside = 0
    for seed in range(20):
        ts, y, _ = outcomes(seed=seed)
        p = np.random.default_rng(100 + seed).random(y.size)
        chance = score_forecasts(ts, y, {"hybrid": p}, "hybrid", FEW)["hybrid"]["roc_auc"].estimate
        inside += chance.low <= 0.5 <= chance.high
    assert inside >= 17


def test_shuffled_outcomes_give_chance_level() -> None:
    ts, y, p = outcomes()
    shuffled = np.random.default_rng(1).permutation(y)
    found = score_forecasts(ts, shuffled, {"hybrid": p}, "hybrid", FEW)["hybrid"]
    assert found["roc_auc"].estimate.low < 0.5 < found["roc_auc"].estimate.high
    assert found["pr_auc"].estimate.value == pytest.approx(y.mean(), abs=0.03)


def test_forecasters_are_compared_on_the_same_days() -> None:
    """Alone the intervals of the two overlap widely; day by day the one is always a little better."""
    ts, y, p = outcomes(skill=0.5)
    noisy = p * np.exp(np.random.default_rng(5).normal(0, 0.3, y.size)).clip(max=2)
    found = score_forecasts(ts, y, {"noisy": noisy.clip(max=1), "hybrid": p}, "hybrid", FEW)
    mine, other = found["hybrid"]["roc_auc"].estimate, found["noisy"]["roc_auc"].estimate
    apart = found["noisy"]["roc_auc"].difference
    assert other.high > mine.low
    assert apart.value == pytest.approx(other.value - mine.value)
    assert apart.high - apart.low < 0.6 * (mine.high - mine.low)


def test_a_forecaster_beside_itself_has_no_difference_at_all() -> None:
    ts, y, p = outcomes()
    same = score_forecasts(ts, y, {"copy": p, "hybrid": p}, "hybrid", FEW)["copy"]
    for each in same.values():
        assert (each.difference.value, each.difference.low, each.difference.high) == (0.0, 0.0, 0.0)
        assert each.words == "not distinguishable from hybrid"


def test_seeds_are_averaged_and_their_spread_is_given() -> None:
    ts, y, p = outcomes()
    other = np.random.default_rng(2).random(y.size)
    found = score_forecasts(ts, y, {"one": p, "two": other, "hybrid": np.stack([p, other])}, "hybrid", FEW)
    first, second = (found[name]["roc_auc"].estimate.value for name in ("one", "two"))
    both = found["hybrid"]["roc_auc"]
    assert both.estimate.value == pytest.approx((first + second) / 2)
    assert both.seed_sd == pytest.approx(abs(first - second) / np.sqrt(2))
    assert found["one"]["roc_auc"].seed_sd is None


def test_samples_that_one_forecaster_left_out_are_left_out_for_all() -> None:
    ts, y, p = outcomes()
    holed = p.copy()
    holed[1000:] = np.nan
    found = score_forecasts(ts, y, {"holed": holed, "hybrid": p}, "hybrid", FEW)
    alone = score_forecasts(ts[:1000], y[:1000], {"hybrid": p[:1000]}, "hybrid", FEW)
    assert found["hybrid"]["roc_auc"] == alone["hybrid"]["roc_auc"]
    with pytest.raises(ConfigError, match="no sample has an outcome and a probability of every"):
        score_forecasts(ts, y, {"none": np.full(y.size, np.nan), "hybrid": p}, "hybrid", FEW)


@pytest.mark.parametrize(
    ("low", "high", "better", "words"),
    [
        (0.01, 0.02, 1, "better than hybrid"),
        (-0.02, -0.01, 1, "worse than hybrid"),
        (0.01, 0.02, -1, "worse than hybrid"),
        (-0.02, -0.01, -1, "better than hybrid"),
        (-0.01, 0.02, 1, "not distinguishable from hybrid"),
        (0.0, 0.02, 1, "not distinguishable from hybrid"),
        (None, None, 1, "cannot be compared with hybrid"),
        (0.01, 0.02, 0, ""),
    ],
)
def test_words_follow_the_interval_of_the_difference(low, high, better, words) -> None:
    assert difference_words(Estimate(0.0, low, high), better, "hybrid") == words


def test_the_table_has_every_group_year_and_output(scores) -> None:
    assert scores.groups == ("ETH", "BTC", POOLED)
    assert scores.years == ("2022", "2023")
    assert set(scores.cells) == {
        (group, period, output)
        for group in ("ETH", "BTC", POOLED)
        for period in ("2022", "2023", OVERALL)
        for output in (*TRUE_OUTPUTS, MEAN)
    }
    for (_, _, output), cell in scores.cells.items():
        assert list(cell.forecasters) == list(SKILLS)
        expected = [each.key for each in METRICS if each.averaged or output != MEAN]
        assert all(list(found) == expected for found in cell.forecasters.values())


def test_groups_and_years_add_up(scores) -> None:
    cells = scores.cells
    for output in TRUE_OUTPUTS:
        overall = cells[POOLED, OVERALL, output].samples
        assert overall == sum(cells[group, OVERALL, output].samples for group in ("ETH", "BTC"))
        assert overall == sum(cells[POOLED, year, output].samples for year in ("2022", "2023"))
        assert cells["ETH", OVERALL, output].events >= 5
        assert cells[POOLED, OVERALL, output].events <= sum(
            cells[group, OVERALL, output].events for group in ("ETH", "BTC")
        )


def test_a_cell_is_what_its_samples_give_alone(predictions, scores) -> None:
    rows = (predictions.asset == 1) & np.isfinite(predictions.cascade[:, 0, 1])
    probability = {name: each[:, rows, 0, 1] for name, each in predictions.probability.items()}
    alone = score_forecasts(
        predictions.ts[rows], predictions.cascade[rows, 0, 1].astype(float), probability, "hybrid", FEW
    )
    cell = scores.cells["BTC", OVERALL, "down_18h"]
    for name, found in alone.items():
        for key, each in found.items():
            assert cell.forecasters[name][key].estimate.value == pytest.approx(each.estimate.value, abs=1e-12)


def test_the_mean_over_outputs_is_the_mean_over_outputs(scores) -> None:
    for key in ("roc_auc", "pr_auc", "log_loss"):
        values = [
            scores.cells["ETH", OVERALL, output].forecasters["logistic"][key].estimate.value
            for output in TRUE_OUTPUTS
        ]
        mean = scores.cells["ETH", OVERALL, MEAN].forecasters["logistic"][key].estimate
        assert mean.value == pytest.approx(np.mean(values))
        assert mean.low < mean.value < mean.high


def test_lead_times_need_onsets(predictions, scores) -> None:
    lead = scores.cells["ETH", OVERALL, "down_18h"].forecasters["hybrid"]["median_lead_hours"]
    assert 0 < lead.estimate.value <= 18
    blind = score(replace(predictions, onset_hours=None), bootstrap=FEW, groups=("ETH",))
    lead = blind.cells["ETH", OVERALL, "down_18h"].forecasters["hybrid"]["median_lead_hours"]
    assert lead.estimate.value is None
    assert not blind.has_onsets


def test_a_forecaster_without_a_threshold_has_no_alerts(predictions) -> None:
    threshold = {name: each for name, each in predictions.threshold.items() if name != "logistic"}
    found = score(replace(predictions, threshold=threshold), bootstrap=FEW, groups=("ETH",))
    cell = found.cells["ETH", OVERALL, "down_18h"].forecasters
    assert cell["logistic"]["false_alarms_per_week"].estimate.value is None
    assert cell["hybrid"]["false_alarms_per_week"].estimate.value > 0


def test_an_alert_that_is_always_on_is_shown_as_always_on(predictions) -> None:
    threshold = {**predictions.threshold, "hybrid": np.zeros_like(predictions.threshold["hybrid"])}
    found = score(replace(predictions, threshold=threshold), bootstrap=FEW, groups=("ETH",))
    hybrid = found.cells["ETH", OVERALL, "down_18h"].forecasters["hybrid"]
    assert hybrid["share_of_time_in_alert"].estimate.value == pytest.approx(1.0)
    assert hybrid["false_alarms_per_week"].estimate.value == 0.0


def test_samples_left_out_are_counted(predictions) -> None:
    holed = predictions.probability["logistic"].copy()
    holed[:, predictions.fold == 0] = np.nan
    found = score(
        replace(predictions, probability={**predictions.probability, "logistic": holed}),
        bootstrap=FEW, groups=("ETH",),
    )  # fmt: skip
    cell = found.cells["ETH", OVERALL, "down_18h"]
    assert cell.left_out == (predictions.fold[predictions.asset == 0] == 0).sum()
    assert "samples left out for want of a forecast" in score_text(found)


def test_a_forecaster_without_any_probability_is_refused_not_scored_on_nothing(predictions) -> None:
    empty = np.full_like(predictions.probability["logistic"], np.nan)
    with pytest.raises(ConfigError, match="output down_4h: no sample has an outcome and a probability of ev"):
        score(replace(predictions, probability={**predictions.probability, "lstm": empty}), bootstrap=FEW)


def test_the_judged_asset_is_scored_though_another_group_was_asked_for(predictions) -> None:
    found = score(predictions, bootstrap=FEW, groups=("BTC",))
    assert found.groups == ("ETH", "BTC")
    assert verdict_sentences(found)[0].startswith("On ETH")


def test_a_year_without_cascades_is_not_judged(predictions) -> None:
    cascade = predictions.cascade.copy()
    first_year = predictions.ts.astype("datetime64[ns]").astype("datetime64[Y]") == np.datetime64("2022")
    cascade[first_year] = np.where(np.isnan(cascade[first_year]), np.nan, 0.0)
    found = score(replace(predictions, cascade=cascade), bootstrap=FEW, groups=("ETH",))
    roc = found.cells["ETH", "2022", "down_4h"].forecasters["hybrid"]["roc_auc"]
    assert roc.estimate.value is None and roc.estimate.reason
    assert found.cells["ETH", "2022", "down_4h"].events == 0
    text = score_text(found)
    assert "2022 ROC-AUC is not defined" in text


def test_the_verdict_names_the_winner_and_how_it_stands(scores) -> None:
    first = verdict_sentences(scores)[0]
    assert first.startswith(
        "On ETH, 1 Sep 2022 to 5 Oct 2023 UTC, mean over the 6 outputs: hybrid has the best"
    )
    assert "Hybrid is better than prevalence, volatility" in first


def test_a_reference_that_lost_is_said_to_be_worse(predictions) -> None:
    lost = score(predictions, reference="volatility", bootstrap=FEW, groups=("ETH",))
    first = verdict_sentences(lost)[0]
    assert "hybrid has the best ROC-AUC" in first
    assert "better than volatility (+0." in first
    assert "WORSE than" in first


def test_the_card_holds_the_judged_asset_and_the_pool_and_is_json(scores) -> None:
    card = json.loads(json.dumps(scores.to_dict(), allow_nan=False))
    assert set(card["groups"]) == {"ETH", POOLED}
    assert card["columns"] == list(COLUMNS)
    figures = card["groups"]["ETH"][OVERALL]["down_18h"]["forecasters"]["logistic"]["roc_auc"]
    found = scores.cells["ETH", OVERALL, "down_18h"].forecasters["logistic"]["roc_auc"]
    for at, each in ((0, found.estimate), (4, found.difference)):
        assert figures[at : at + 3] == pytest.approx([each.value, each.low, each.high], rel=1e-3)
    assert len(json.dumps(card)) < 200_000


@pytest.mark.parametrize("write", [score_text, markdown_tables])
def test_the_text_holds_verdict_forecasters_years_and_figures(scores, write) -> None:
    text = write(scores)
    for words in (*verdict_sentences(scores), *scores.years, "boosted trees", "false alarms a week"):
        assert words in text
    for output in TRUE_OUTPUTS:
        assert output_title(output) in text
        for found in scores.cells["ETH", OVERALL, output].forecasters.values():
            assert shown("roc_auc", found["roc_auc"].estimate.value) in text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reference": "oracle"}, "no forecaster 'oracle' to compare with; there are prevalence"),
        ({"judged": "DOGE"}, "no asset 'DOGE'; there are ETH, BTC"),
        ({"groups": ("ETH", "DOGE")}, "no asset 'DOGE'"),
    ],
)
def test_names_that_do_not_exist_are_refused(predictions, settings, message) -> None:
    with pytest.raises(ConfigError, match=message):
        score(predictions, bootstrap=FEW, **settings)
