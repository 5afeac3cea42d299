import math
import re
from typing import Any

import pytest
from support.full_result import estimate, headline, with_sweeps

from oi_hedge_strategy.evaluation.breakdown_tables import metric_table
from oi_hedge_strategy.evaluation.report import render_report
from oi_hedge_strategy.evaluation.tradeoff_charts import frontier_chart, sensitivity_chart
from oi_hedge_strategy.evaluation.tradeoff_words import (
    baseline_sentences,
    break_even,
    break_even_sentence,
    capacity_sentence,
    multiplicity_sentence,
    multiplied,
    operating_sentences,
    sensitivity_sentences,
    skill_at_costs,
)


def at_costs(before: float | None, after: float | None) -> dict[str, Any]:
    return {"effectiveness": {"skill_before_costs": {"value": before}, "skill": {"value": after}}}


def swept(*pairs: tuple[float, float]) -> dict[str, Any]:
    rows = [{"impact": times, "latency": 1.0, "skill": estimate(skill)} for times, skill in pairs]
    return {"cost_sensitivity": rows}


def test_skill_falls_in_a_line_with_the_costs_of_the_same_trades() -> None:
    result = at_costs(0.10, 0.06)
    assert skill_at_costs(result, 2.0) == pytest.approx(0.02)
    assert break_even(result) == pytest.approx(2.5)
    assert "2.50 times the costs" in break_even_sentence(result)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (-0.02, -0.05, "There is no edge to lose"),
        (0.05, 0.06, "Costs did not lower skill"),
        (None, None, "Skill is not defined"),
    ],
)
def test_no_multiple_is_named_where_there_is_none(
    before: float | None, after: float | None, words: str
) -> None:
    assert break_even(at_costs(before, after)) is None
    assert break_even_sentence(at_costs(before, after)).startswith(words)


def test_the_multiplier_that_takes_the_edge_lies_between_its_neighbours() -> None:
    (sentence,) = sensitivity_sentences(swept((1, 0.06), (4, -0.06)))
    assert "falls to zero at about 2.00 times" in sentence
    assert "from 4 times on" in sentence


def test_doubt_is_said_even_where_skill_stays_above_zero() -> None:
    (sentence,) = sensitivity_sentences(swept((0.5, 0.2), (1, 0.1), (2, 0.04)))
    assert "stays above zero" in sentence
    assert "includes zero or lies below from 2 times on" in sentence


def test_an_edge_that_is_not_there_at_the_least_cost_is_said_so() -> None:
    (sentence,) = sensitivity_sentences(swept((0.5, -0.01), (1, -0.03)))
    assert "the least that was tried, skill is -0.010" in sentence


def test_costs_are_varied_one_at_a_time() -> None:
    result = {
        "cost_sensitivity": [
            {"impact": impact, "latency": latency, "skill": estimate(0.1)}
            for impact, latency in ((2, 1), (1, 1), (1, 4), (2, 2))
        ]
    }
    assert [times for times, _ in multiplied(result, "impact")] == [1.0, 2.0]
    assert [times for times, _ in multiplied(result, "latency")] == [1.0, 4.0]


def test_the_operating_point_is_said_beside_its_target(year_result: dict[str, Any]) -> None:
    reached, since, constant, configured = operating_sentences(with_sweeps(year_result))
    assert "67.0 % of the losses" in reached and "60.0 % (55.0 % to 65.0 %)" in reached
    assert reached.endswith("below the target.")
    assert "Since 1 Apr 2023" in since and "275 days" in since
    assert "constant hedge ratio chosen in the same way 62.0 %" in constant
    assert configured.startswith("As configured")
    assert (
        "No share of losses to avoid was set"
        in operating_sentences(year_result | {"operating_point": None})[0]
    )


def test_every_difference_is_said_in_words() -> None:
    sentences = baseline_sentences(
        {"differences": [{"baseline": "stop_loss", **headline(0.1, 0.95), "words": "worse than stop_loss"}]}
    )
    assert sentences == [
        "Worse than stop loss: skill differs by +0.050 (+0.000 to +0.100), loss avoided by +10.0 pp "
        "(+5.0 pp to +15.0 pp), gain kept by +95.0 pp (+90.0 pp to +100.0 pp)."
    ]


def test_the_number_of_configurations_is_counted_in(year_result: dict[str, Any]) -> None:
    said = multiplicity_sentence(with_sweeps(year_result))
    assert "Of 9 configurations" in said and "p = 0.200 with their number counted" in said
    assert multiplicity_sentence({}) == ""


def test_the_frontier_draws_each_kind_in_the_order_of_its_parameter(year_result: dict[str, Any]) -> None:
    figure = frontier_chart(with_sweeps(year_result))
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces["strategy, by aggressiveness"].x) == pytest.approx([20.0, 40.0, 60.0])
    assert "something new" in traces
    assert {"oracle", "tuned on the past", "the hedge"} <= set(traces)
    for name, baseline in year_result["baselines"].items():
        point = traces[name.replace("_", " ")]
        assert point.x[0] == pytest.approx(100 * baseline["loss_avoided"]["value"])
        reach = 100 * (baseline["loss_avoided"]["high"] - baseline["loss_avoided"]["value"])
        assert point.error_x.array[0] == pytest.approx(reach)
    assert figure.layout.shapes[0].x0 == pytest.approx(67.0)


def test_the_frontier_without_sweeps_still_draws_hedge_and_baselines(year_result: dict[str, Any]) -> None:
    bare = {key: value for key, value in year_result.items() if key not in ("frontier", "operating_point")}
    names = [trace.name for trace in frontier_chart(bare).data]
    assert names[0].startswith("constant ratios")
    assert names[-1] == "the hedge"
    assert len(names) == 2 + len(year_result["baselines"])


def test_sensitivity_draws_one_panel_for_each_cost_that_was_multiplied(year_result: dict[str, Any]) -> None:
    figure = sensitivity_chart(with_sweeps(year_result))
    assert [each.text for each in figure.layout.annotations[:3]] == [
        "market impact",
        "latency",
        "all costs, the same trades",
    ]
    assert list(figure.data[0].x) == [0.5, 1.0, 2.0, 4.0]
    assert figure.data[0].y[-1] == pytest.approx(0.55 + 0.35 - 1.0)
    assert math.isclose(figure.data[2].y[0], year_result["effectiveness"]["skill_before_costs"]["value"])


def test_all_judgements_reach_the_page(year_record: Any, year_result: dict[str, Any]) -> None:
    text = render_report(year_record, with_sweeps(year_result))
    for words in (
        "falling, volatile",
        "skill of 28-day trend rule",
        "The tuned hedge beside the baselines",
        "loss aversion 2",
        "20 cascades lie more than 48 hours apart",
        "within the cascades",
        "chosen on the past",
        "Netted over other periods",
    ):
        assert words.lower() in text.lower()


def test_an_account_that_could_not_carry_a_constant_ratio_is_named() -> None:
    def constant(ratio: float, avoided: float) -> dict[str, Any]:
        return {"kind": "constant", "parameter": ratio, **headline(avoided, 0.5)}

    assert capacity_sentence({"frontier": [constant(0.5, 0.49), constant(1.0, 0.95)]}) == ""
    said = capacity_sentence({"frontier": [constant(0.5, 0.25), constant(1.0, 0.23)]})
    assert said.startswith("A constant hedge ratio of 100.0 % avoided only 23.0 % of the losses")


def test_metrics_of_a_model_are_a_table_by_side_and_horizon() -> None:
    metrics = {
        name: {"brier": value, "reliability": [[0.1, 0.2, 3]], "roc_auc": 0.75}
        for name, value in (("down_18h", 0.05), ("up_4h", 0.01), ("down_4h", 0.02))
    }
    html = metric_table(metrics)
    assert re.findall(r"(down|up) (\d+)h", html) == [("down", "4"), ("down", "18"), ("up", "4")]
    assert "0.05" in html and "roc auc" in html and "reliability" not in html
