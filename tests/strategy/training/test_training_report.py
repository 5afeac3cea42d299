import json
import re
import xml.etree.ElementTree as ET
from dataclasses import asdict, replace
from html import unescape

import pytest
from plotly.offline import get_plotlyjs
from support.predictions import make_folds, make_predictions

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap
from oi_hedge_strategy.training.reliability import reliability_curves, reliability_svg
from oi_hedge_strategy.training.report import REQUIRED, render_training_report, write_training_report
from oi_hedge_strategy.training.score import score
from oi_hedge_strategy.training.score_words import (
    output_title,
    shown,
    shown_interval,
    title,
    verdict_sentences,
)
from oi_hedge_strategy.training.scores import MEAN, OVERALL, POOLED

HOSTILE = '<script>alert("x")</script>$style'
FEW = BlockBootstrap(resamples=60)
FACTS = {
    "simulated": False,
    "definition": asdict(CascadeDefinition()),
    "data_from": "2020-09-01",
    "data_until": "2023-10-06",
    "purge_hours": 768.0,
    "embargo_hours": 24.0,
    "calibration": "Platt scaling on each fold's calibration window",
    "parameters": {"hybrid": 88_123},
    "bytes": {"hybrid": 412_000},
    "inference_us": {"p50": 71.4, "p99": 139.6},
    "seconds": 1_500.0,
    "notes": ["the year 2022 was seen before"],
    "settings": {"epochs": 12},
}


@pytest.fixture(scope="module")
def predictions():
    return make_predictions(days=200)


@pytest.fixture(scope="module")
def scores(predictions):
    return score(predictions, bootstrap=FEW)


@pytest.fixture(scope="module")
def html(predictions, scores):
    return render_training_report(predictions, make_folds(), FACTS, scores).replace(get_plotlyjs(), "")


def figures_of(html):
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', html, re.S)
    return json.loads(found[1])["figures"]


def test_the_report_opens_offline(html):
    assert not re.search(r"https?://|url\(|@import|<img|<link|<iframe", html)
    assert "default-src 'none'" in html


def test_the_verdict_comes_first(html, scores):
    text = unescape(html)
    for sentence in verdict_sentences(scores):
        assert sentence in text
    assert text.index(verdict_sentences(scores)[0]) < text.index("<table>")


def test_every_forecaster_year_and_output_is_shown(html, scores):
    for name in scores.forecasters:
        assert f'<td class="words">{title(name)}</td>' in html
    for group in ("ETH", "all assets pooled"):
        for period in (*scores.years, OVERALL):
            assert f"<summary>{group}, {period}</summary>" in html
    assert "<summary>BTC, overall</summary>" in html
    for output in (*scores.outputs, MEAN):
        assert output_title(output) in html


def test_the_figures_are_those_of_the_scores(html, scores):
    for group in ("ETH", POOLED):
        for output in scores.outputs:
            for found in scores.cells[group, OVERALL, output].forecasters.values():
                for key, each in found.items():
                    assert shown(key, each.estimate.value) in html
                    assert shown_interval(key, each.estimate) in html


def test_every_chart_has_its_data(html, scores):
    figures, places = figures_of(html), re.findall(r'data-figure="(\w+)"', html)
    metrics = [f"{metric}_{at}" for at in (0, 1) for metric in ("roc_auc", "pr_auc", "brier_skill")]
    assert places == [*metrics, "reliability", "folds", "loss_0"]
    assert set(places) == set(figures)
    assert [trace["name"] for trace in figures["roc_auc_0"]["data"]] == [title(n) for n in scores.forecasters]
    axis = figures["roc_auc_0"]["layout"]["xaxis"]
    assert axis["ticktext"] == [*scores.years, OVERALL]
    assert len(figures["loss_0"]["data"]) == 4 * 2 * 2
    names = {trace["name"] for trace in figures["folds"]["data"]}
    assert names == {"training", "stopping", "calibration", "test", "purge and embargo"}


def test_the_gap_between_training_and_stopping_is_drawn_as_purge(html):
    bars = [b for b in figures_of(html)["folds"]["data"] if b["y"] == ["2022-Q4"]]
    ends = {b["name"]: (b["base"][0], b["base"][0] + b["x"][0]) for b in bars}
    gaps = [b for b in bars if b["name"] == "purge and embargo"]
    assert len(gaps) == 3
    assert gaps[0]["base"][0] == ends["training"][1]
    assert gaps[0]["base"][0] + gaps[0]["x"][0] == ends["stopping"][0]


def test_training_time_sizes_speed_and_assumptions_are_said(html):
    text = unescape(html)
    for words in (
        "50.0 s", "12.5 s", "88,123", "0.41 MB", "71 us at the median", "140 us at the 99th percentile",
        "25.0 minutes", "purge of 768 h", "embargo of 24 h",
        "Platt scaling on each fold's calibration window",
        "2020-09-01 to 2023-10-06, recorded", "3.0 % or 1.5 standard deviations",
        "the year 2022 was seen before", "epochs",
    ):  # fmt: skip
        assert words in text


@pytest.mark.parametrize("simulated", [True, False])
def test_the_banner_says_simulated_only_when_it_is(predictions, scores, simulated):
    facts = {**FACTS, "simulated": simulated}
    html = render_training_report(predictions, make_folds(), facts, scores).replace(get_plotlyjs(), "")
    assert ("SIMULATED MARKET" in html) is simulated
    assert ("<title>SIMULATED" in html) is simulated


def test_text_from_data_is_escaped(predictions, scores):
    folds = [replace(fold, name=HOSTILE, training_loss={HOSTILE: [[0.1]]}) for fold in make_folds()]
    probability = {**predictions.probability, HOSTILE: predictions.probability["logistic"]}
    hostile = replace(predictions, assets=("ETH", HOSTILE), probability=probability)
    facts = {**FACTS, "notes": [HOSTILE], "calibration": HOSTILE, "settings": {HOSTILE: HOSTILE}}
    html = render_training_report(hostile, folds, facts, score(hostile, bootstrap=FEW))
    assert "<script>alert" not in html
    assert html.count("<script") == 3 + get_plotlyjs().count("<script")


def test_a_fact_that_is_missing_is_named(predictions, scores):
    facts = {name: value for name, value in FACTS.items() if name != "purge_hours"}
    with pytest.raises(ConfigError, match="expected the fact 'purge_hours', found simulated"):
        render_training_report(predictions, make_folds(), facts, scores)


def test_a_run_of_one_forecaster_without_folds_onsets_or_optional_facts_is_written(tmp_path):
    bare = make_predictions(days=40, assets=("ETH",), skills={"hybrid": 0.5}, seeds=1, onsets=False)
    facts = {name: FACTS[name] for name in REQUIRED}
    path = write_training_report(bare, [], facts, tmp_path / "out" / "training_report.html")
    assert [each.name for each in path.parent.iterdir()] == ["training_report.html"]
    assert "Lead times are missing" in path.read_text()


def test_the_picture_holds_a_panel_for_each_output(predictions, scores):
    curves = reliability_curves(predictions, scores)
    assert list(curves) == list(scores.outputs)
    root = ET.fromstring(reliability_svg(curves, "hybrid"))
    space = "{http://www.w3.org/2000/svg}"
    headings = [each.text for each in root.iter(f"{space}text") if each.get("class") == "title"]
    assert headings == [output_title(output) for output in scores.outputs]
    assert len(list(root.iter(f"{space}circle"))) == 10 * len(scores.outputs)
    panel = float(root.get("width")) / 3
    for circle in root.iter(f"{space}circle"):
        assert 0 <= float(circle.get("cx")) <= panel
