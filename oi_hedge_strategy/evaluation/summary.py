"""The verdict on a backtest for the terminal."""

import textwrap
from collections.abc import Callable

from oi_hedge_strategy.evaluation.tradeoff_words import (
    break_even_sentence,
    capacity_sentence,
    multiplicity_sentence,
    operating_sentences,
    sensitivity_sentences,
)
from oi_hedge_strategy.evaluation.wording import (
    SIMULATED,
    SIMULATED_SENTENCE,
    Result,
    amount,
    cascade_sentence,
    definition_sentence,
    hours,
    interval,
    interval_sentence,
    number,
    percent,
    percent_level,
    period,
    reasons,
    short_words,
    signed,
    spoken,
    title,
    verdict_sentences,
)

WIDTH = 100
NAME_WIDTH = 24


def format_summary(result: Result) -> str:
    """
    Return the summary of a result in plain words, at most 100 columns wide.

    Parameters
    ----------
    result : mapping
        Of `build_result`, or read back from `result.json`.

    """
    blocks = [
        _heading(result),
        "\n".join(_wrap(sentence) for sentence in verdict_sentences(result)),
        _figures(result),
        _baselines(result),
        _costs(result),
        _judgements(result),
        _cascades(result),
        "\n".join(_wrap(sentence) for sentence in (interval_sentence(result), *result["notes"])),
    ]
    if result["simulated"]:
        banner = _banner()
        blocks = [banner, *blocks, banner]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _banner() -> str:
    rule = "!" * WIDTH
    return "\n".join(
        [rule, SIMULATED.center(WIDTH).rstrip(), SIMULATED_SENTENCE.center(WIDTH).rstrip(), rule]
    )


def _heading(result: Result) -> str:
    lines = [title(result), period(result), result["cost_note"]]
    return "\n".join(_wrap(line) for line in lines if line)


def _figures(result: Result) -> str:
    figures, quote = result["effectiveness"], result["exposure"]["quote"]
    rows: list[tuple[str, str, Callable[[float | None], str]]] = [
        ("Loss avoided (hedge effectiveness)", "loss_avoided", percent),
        ("Gain kept", "gain_kept", percent),
        ("Skill", "skill", signed),
        ("Skill before costs", "skill_before_costs", signed),
        ("Variance reduction", "variance_reduction", percent),
        ("Reduction of the worst 5 % of days", "cvar_reduction", percent),
        ("Reduction of the largest drawdown", "drawdown_reduction", percent),
        ("Mean hedge ratio", "mean_hedge_ratio", percent),
        (f"Turnover per week, {quote}", "turnover_per_week", amount),
    ]
    lines = [f"{'':49}{percent_level(result)} interval"]
    for label, key, show in rows:
        estimate, words = figures[key], result["verdict"]["words"] if key == "skill" else ""
        lines.append(
            f"{label:<36}{show(estimate['value']):>11}  {interval(estimate, show):<20} {words}".rstrip()
        )
    missing = reasons(figures[key] for _, key, _ in rows)
    return "\n".join([*lines, *map(_wrap, missing)])


def _baselines(result: Result) -> str:
    if not result["baselines"]:
        return ""
    columns = f"{'loss avoided':>14}{'gain kept':>12}{'skill':>9}"
    lines = [f"{'Baselines':<{NAME_WIDTH}}{columns}   hedge's skill less the baseline's"]
    for name, baseline in result["baselines"].items():
        lines.append(f"{_cut(spoken(name))}{_headline(baseline)}   {_difference(baseline)}")
    lines.append(f"{'the hedge':<{NAME_WIDTH}}{_headline(result['verdict'])}")
    return "\n".join(lines)


def _headline(figures: Result) -> str:
    return (
        f"{_short(figures['loss_avoided'], percent):>14}{_short(figures['gain_kept'], percent):>12}"
        f"{_short(figures['skill'], signed):>9}"
    )


def _difference(baseline: Result) -> str:
    return f"{interval(baseline['difference'], signed):<18} {short_words(baseline['words'])}"


def _costs(result: Result) -> str:
    quote = result["exposure"]["quote"]
    lines = [f"{'Costs':<{NAME_WIDTH}}{quote:>16}   of the exposure's mean notional, per year"]
    for name, cost in result["costs"].items():
        lines.append(f"{name:<{NAME_WIDTH}}{amount(cost['amount']):>16}   {percent(cost['share_per_year'])}")
    return "\n".join(lines)


def _judgements(result: Result) -> str:
    """Return target against reached, what the edge can bear in costs, and how many were tried."""
    events = result.get("independent_events")
    sentences = [
        *(operating_sentences(result) if result.get("operating_point") else []),
        capacity_sentence(result),
        break_even_sentence(result),
        *sensitivity_sentences(result),
        multiplicity_sentence(result),
        f"{events['words'].rstrip('.')}." if events else "",
    ]
    return "\n".join(_wrap(sentence) for sentence in sentences if sentence)


def _cascades(result: Result) -> str:
    cascades = result["cascades"]
    lead = f"Median lead time: {hours(cascades['median_lead_hours'])}. " if cascades["caught"] else ""
    alarms = (
        f"{lead}False alarms: {number(cascades['false_alarms_per_week'])} a week "
        f"({cascades['false_alarms']} of {cascades['alert_episodes']} alert episodes). In alert: "
        f"{percent(cascades['share_of_time_in_alert'])} of the time."
    )
    return "\n".join(_wrap(line) for line in (cascade_sentence(result), alarms, definition_sentence(result)))


def _short(estimate: Result, show: Callable[[float | None], str]) -> str:
    return "-" if estimate["value"] is None else show(estimate["value"])


def _cut(name: str) -> str:
    room = NAME_WIDTH - 1
    return f"{name if len(name) <= room else name[: room - 2] + '..':<{NAME_WIDTH}}"


def _wrap(text: str) -> str:
    return textwrap.fill(text, WIDTH)
