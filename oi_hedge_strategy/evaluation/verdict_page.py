"""The verdict of a backtest as Markdown: what the documentation quotes."""

from collections.abc import Iterable, Mapping, Sequence

from oi_hedge_strategy.evaluation.verdict_sections import TREND_RULE, TUNED_CONSTANT
from oi_hedge_strategy.evaluation.wording import (
    Result,
    amount,
    cascade_sentence,
    day,
    interval,
    interval_sentence,
    p_value,
    percent,
    period,
    signed,
    spoken,
    title,
    verdict_sentences,
    with_interval,
)

GOAL_LOSS_AVOIDED, GOAL_SKILL = 0.67, 0.15
HEADLINE = {"loss_avoided": percent, "gain_kept": percent, "skill": signed}
MEASURES = {
    "variance_reduction": "variance reduction (Ederington)",
    "cvar_reduction": "reduction of the worst 5 % of days",
    "drawdown_reduction": "reduction of the largest drawdown",
    "mean_hedge_ratio": "mean hedge ratio",
    "cost_of_carry": "cost of carry a year, of the exposure",
}


def markdown_verdict(result: Result) -> str:
    """
    Return the verdict in sentences and tables.

    Parameters
    ----------
    result : mapping
        Of `build_result`, or read back from `result.json`, with sweeps.

    """
    blocks = [
        f"{title(result)}, {period(result)}. Costs: {result['cost_note']}.",
        *verdict_sentences(result),
        *_target(result),
        _goal(result),
        _luck(result),
        f"{result['independent_events']['words']}.",
        "### The hedge beside the rules",
        _comparison(result),
        "### Netted over other units, years, regimes",
        _split(result["netting"], "netting", "units"),
        _split(result["years"], "year", "days"),
        _split(result["regimes"], "regime", "days"),
        "### Within cascades",
        cascade_sentence(result),
        _cascades(result["cascades"]["effectiveness"]),
        "### How much to hedge: the frontier",
        _frontier(result),
        "### At which cost the edge vanishes",
        _costs(result),
        "### What was tuned on the past",
        _periods(result),
        _rules(result),
        "### Further measures",
        _measures(result),
        interval_sentence(result),
        *result["notes"],
    ]
    return "\n\n".join(block for block in blocks if block)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, empty where it has no row."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    ruler = f"|{'|'.join('---' for _ in headers)}|"
    return "\n".join([f"| {' | '.join(headers)} |", ruler, *lines]) if lines else ""


def _target(result: Result) -> list[str]:
    point = result.get("operating_point")
    if point is None:
        return []
    said = [f"Target: {percent(point['target_loss_avoided'])} of the losses avoided. {_reached(point)}."]
    if (since := point["reached_since_tuned"]) is not None:
        said.append(f"From {day(since['since'])} on, when there was a past to tune on: {_reached(since)}.")
    return [*said, str(point["as_configured"]["words"])]


def _goal(result: Result) -> str:
    """Say whether the goal is reached, and whether the forecast is worth more than the simple rule."""
    point = result.get("operating_point")
    if point is None:
        return ""
    figures = point["reached_since_tuned"] or point["reached"]
    avoided, skill = (figures[name]["value"] for name in ("loss_avoided", "skill"))
    if avoided is None or skill is None:
        return ""
    met = avoided >= GOAL_LOSS_AVOIDED and skill >= GOAL_SKILL
    words = [
        each["words"] for each in point["differences"] if each["baseline"] in (TREND_RULE, TUNED_CONSTANT)
    ]
    beside = " and ".join(spoken(each) for each in words)
    return (
        f"The goal, at least {percent(GOAL_LOSS_AVOIDED)} of the losses avoided at a skill of at least "
        f"{signed(GOAL_SKILL)}, is {'REACHED' if met else 'NOT reached'} by the tuned hedge; in skill it is "
        f"{beside}."
    )


def _reached(figures: Result) -> str:
    found = figures.get("reached", figures)
    return (
        f"Reached by the tuned hedge: {with_interval(found['loss_avoided'], percent)}, keeping "
        f"{with_interval(found['gain_kept'], percent)} of the gains, skill "
        f"{with_interval(found['skill'], signed)}: {figures['words']}"
    )


def _luck(result: Result) -> str:
    found = result["multiplicity"]
    if "p_value_deflated" not in found:
        return ""
    return (
        f"Of {found['configurations']} configurations the best, {found['best']}, has a skill of "
        f"{signed(found['skill']['value'])}; without any skill the best of so many reaches "
        f"{signed(found['skill_by_luck'])} in one of twenty samples: {p_value(found['p_value_alone'])} "
        f"alone, {p_value(found['p_value_deflated'])} with their number counted ({found['source']}): "
        f"{found['words']}."
    )


def _comparison(result: Result) -> str:
    hedge = [("**the hedge as configured**", result["verdict"], "", "")]
    point: Result = result.get("operating_point") or {}
    tuned = {each["baseline"]: each for each in point.get("differences", ())}
    if point:
        hedge.append(("**the hedge tuned towards the target**", point["reached"], "", ""))
    gaps = {each["baseline"]: each for each in result["differences"]}
    rows = [
        (spoken(name), figures, _gap(gaps[name]), _gap(tuned[name]) if name in tuned else "")
        for name, figures in result["baselines"].items()
    ]
    for name in tuned.keys() - result["baselines"].keys():
        rows.append((name, point["constant"], "", _gap(tuned[name])))
    headers = ["", *(spoken(name) for name in HEADLINE), "hedge less this, skill", "tuned less this, skill"]
    return table(headers, ([name, *_figures(each), one, two] for name, each, one, two in [*hedge, *rows]))


def _gap(difference: Result) -> str:
    name = difference["baseline"]
    words = str(difference["words"]).replace(f" than {name}", "").replace(f" from {name}", "")
    return f"{with_interval(difference['skill'], signed)}: {words}"


def _figures(figures: Result) -> list[str]:
    return [_figure(figures[name], show) for name, show in HEADLINE.items()]


def _figure(estimate: Result, show: object) -> str:
    assert callable(show)
    value = show(estimate["value"])
    return f"{value} ({interval(estimate, show)})" if estimate["low"] is not None else str(value)


def _split(rows: Sequence[Result], name: str, count: str) -> str:
    others = [key for key in (rows[0] if rows else {}) if key.startswith("skill_of_")]
    headers = [name, count, *(spoken(key) for key in (*HEADLINE, *others))]
    return table(
        headers,
        (
            [
                str(row[name]),
                f"{row[count]:,}",
                *_figures(row),
                *(_figure(row[key], signed) for key in others),
            ]
            for row in rows
        ),
    )


def _cascades(found: Result) -> str:
    if not found["windows"]:
        return str(found["words"])
    runs = {"the hedge as configured": found, **found["baselines"]}
    return table(
        [f"in {found['windows']} windows of cascades", "loss avoided"],
        ([spoken(name), _figure(each["loss_avoided"], percent)] for name, each in runs.items()),
    )


def _frontier(result: Result) -> str:
    rows = [each for each in result.get("frontier", []) if each["kind"] != "baseline"]
    headers = ["configuration", *(spoken(name) for name in HEADLINE)]
    return table(headers, ([str(each["label"]), *_figures(each)] for each in rows))


def _costs(result: Result) -> str:
    headers = ["impact, times", "latency, times", *(spoken(name) for name in HEADLINE)]
    return table(
        headers,
        (
            [f"{each['impact']:g}", f"{each['latency']:g}", *_figures(each)]
            for each in result.get("cost_sensitivity", [])
        ),
    )


def _periods(result: Result) -> str:
    point = result.get("operating_point")
    if point is None:
        return ""
    rows = (
        [
            f"{day(each['start'])} to {day(each['end'])}",
            str(each["parameters"]),
            str(each["tuned_on"]),
            percent(each["loss_avoided_there"]) if each["loss_avoided_there"] is not None else "",
            percent(each["gain_kept_there"]) if each["gain_kept_there"] is not None else "",
        ]
        for each in point["periods"]
    )
    return table(["period", "policy", "tuned on", "loss avoided there", "gain kept there"], rows)


def _rules(result: Result) -> str:
    found: Mapping[str, Sequence[Result]] = result.get("rule_parameters", {})
    rows = (
        [spoken(name), ", ".join(f"{each['parameter']:g}" for each in row)] for name, row in found.items()
    )
    return table(["rule", "parameter in each period, chosen on all data before it"], rows)


def _measures(result: Result) -> str:
    point = result.get("operating_point")
    runs = [result["effectiveness"], *([point["effectiveness"]] if point else [])]
    rows = [[words, *(_figure(run[name], percent) for run in runs)] for name, words in MEASURES.items()]
    quote = result["exposure"]["quote"]
    rows.append([f"turnover a week, {quote}", *(_figure(run["turnover_per_week"], amount) for run in runs)])
    return table(["", "as configured", "tuned towards the target"][: len(runs) + 1], rows)
