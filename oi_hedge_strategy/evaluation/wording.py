"""Figures in words, shared by the terminal summary and the report."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Result = Mapping[str, Any]
NOT_DEFINED = "not defined"
LEAST_P = 0.001
TREND_RULE = re.compile(r"trend_(\d+)d")
SIMULATED = "SIMULATED MARKET"
SIMULATED_SENTENCE = "These figures come from a simulated market and say nothing about real ones."


def percent(value: float | None) -> str:
    """Return a fraction as a percentage with one decimal."""
    return NOT_DEFINED if value is None else f"{100 * value:.1f} %".replace("-0.0 %", "0.0 %")


def signed(value: float | None) -> str:
    """Return a number with its sign and three decimals."""
    return NOT_DEFINED if value is None else f"{value:+.3f}".replace("-0.000", "+0.000")


def signed_percent(value: float | None) -> str:
    """Return a difference of fractions as percentage points with their sign."""
    return NOT_DEFINED if value is None else f"{100 * value:+.1f} pp".replace("-0.0", "+0.0")


def amount(value: float | None) -> str:
    """Return an amount of money with thousands separators."""
    return NOT_DEFINED if value is None else f"{round(value):,}"


def number(value: float | None) -> str:
    """Return a number with two decimals."""
    return NOT_DEFINED if value is None else f"{value:,.2f}"


def interval(estimate: Result, show: Callable[[float | None], str]) -> str:
    """Return "low to high", or "no interval"."""
    if estimate["low"] is None or estimate["high"] is None:
        return "no interval"
    return f"{show(estimate['low'])} to {show(estimate['high'])}"


def with_interval(estimate: Result, show: Callable[[float | None], str]) -> str:
    """Return a figure followed by its interval, or by why there is none."""
    value = show(estimate["value"])
    if estimate["low"] is None:
        return f"{value} ({estimate.get('reason') or 'no interval'})"
    return f"{value} ({interval(estimate, show)})"


def hours(value: float | None) -> str:
    """Return a duration in hours."""
    return NOT_DEFINED if value is None else f"{value:.1f} h"


def day(iso: str) -> str:
    """Return the day of an ISO 8601 time, such as "1 Jan 2023"."""
    when = datetime.fromisoformat(iso).astimezone(UTC)
    return f"{when.day} {when:%b %Y}"


def moment(ns: int) -> str:
    """Return a time as "1 Jan 2023 14:00", UTC."""
    when = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    return f"{when.day} {when:%b %Y %H:%M}"


def period(result: Result) -> str:
    """Return the period covered."""
    span = result["period"]
    return f"{day(span['start'])} to {day(span['end'])} UTC, {span['days']:,} days, {span['bars']:,} bars"


def title(result: Result) -> str:
    """Return what was hedged with what."""
    exposure = result["exposure"]
    return f"{exposure['description']} ({exposure['instrument']}) hedged with {result['hedge_instrument']}"


def verdict_sentences(result: Result) -> tuple[str, str, str]:
    """Say what the hedge did, whether it has skill, and how it stands beside the baselines."""
    verdict, level = result["verdict"], percent_level(result)
    judged = f": {verdict['words']}" if verdict["skill"]["low"] is not None else ""
    skill = with_interval(verdict["skill"], signed)
    return (
        f"The hedge avoided {_share(verdict['loss_avoided'], level)} of the losses of "
        f"{result['exposure']['description']} and kept {_share(verdict['gain_kept'])} of the gains, "
        "after fees, slippage and funding.",
        f"Its skill, loss avoided plus gain kept less one, is {skill}{judged}; "
        "every constant hedge ratio has a skill of zero before costs.",
        baseline_sentence(result),
    )


def baseline_sentence(result: Result) -> str:
    """Say which baselines the hedge beats, loses to, and cannot be told from."""
    words = [baseline["words"] for baseline in result["baselines"].values()]
    if not words:
        return "No baseline was run beside it."
    groups = []
    for start, shown in (
        ("worse than ", "is WORSE than "),
        ("better than ", "is better than "),
        ("not distinguishable from ", "is not distinguishable from "),
        ("cannot be compared with ", "cannot be compared with "),
    ):
        names = [spoken(word.removeprefix(start)) for word in words if word.startswith(start)]
        if names:
            groups.append(shown + _listed(names))
    return f"In skill it {'; it '.join(groups)}."


def spoken(name: str) -> str:
    """Return a run's name as a person would say it."""
    return TREND_RULE.sub(r"\1-day trend rule", name).replace("_", " ")


def p_value(value: float | None) -> str:
    """Return a p-value."""
    if value is None:
        return NOT_DEFINED
    return f"p = {value:.3f}" if value >= LEAST_P else f"p < {LEAST_P}"


def reasons(estimates: Iterable[Result]) -> list[str]:
    """Return in sentences why figures or intervals are missing, each reason once."""
    found = dict.fromkeys(estimate["reason"] for estimate in estimates if "reason" in estimate)
    return [f"A figure or an interval is missing: {reason}." for reason in found]


def short_words(words: str) -> str:
    """Return what `judge` says of a baseline without the baseline's name."""
    for start, short in (
        ("better than", "hedge better"),
        ("worse than", "hedge WORSE"),
        ("not distinguishable", "not distinguishable"),
    ):
        if words.startswith(start):
            return short
    return "cannot be compared"


def cascade_sentence(result: Result) -> str:
    """Say how many cascades were caught, and whether that is more than chance."""
    cascades = result["cascades"]
    if not cascades["judged"]:
        return "There was no cascade to catch in the period."
    recall, chance = cascades["recall"], percent(cascades["chance_recall"])
    return (
        f"Alerts preceded {cascades['caught']} of {cascades['judged']} cascades ({percent(recall['value'])}, "
        f"95 % interval {interval(recall, percent)}); the same alerts shifted in time catch "
        f"{chance} on average ({p_value(cascades['p_value'])}): {cascades['words']}."
    )


def definition_sentence(result: Result) -> str:
    """Say what counts as a cascade and as caught."""
    cascades = result["cascades"]
    rule, horizon = cascades["definition"], cascades["event_hours"]
    side = {"down": "fall", "up": "rise"}.get(cascades["side"], "move against the exposure")
    size = f"{percent(rule['floor'])} or {rule['sigma_multiple']:g} standard deviations of {horizon} hours"
    return (
        f"A cascade is a {side} of the price by at least {size}, whichever is more, within {horizon} hours, "
        f"while aggregate open interest falls by at least {percent(rule['open_interest_fall'])}; its onset "
        "is the hour in which the move reached that size, and it is caught when an alert stood in the "
        f"{horizon} hours before."
    )


def interval_sentence(result: Result) -> str:
    """Say what the intervals mean."""
    made = result["intervals"]
    return (
        f"An interval covers the figure's true value in about {percent_level(result)} of periods like this "
        f"one: it comes from {made['resamples']:,} resamples of the days in blocks of "
        f"{made['block_days']}, the same days for every run."
    )


def percent_level(result: Result) -> str:
    """Return the coverage of the intervals."""
    return f"{100 * result['intervals']['level']:g} %"


def _share(estimate: Result, level: str = "") -> str:
    if estimate["value"] is None:
        return f"a share that is not defined ({estimate['reason']})"
    if estimate["low"] is None:
        return with_interval(estimate, percent)
    return (
        f"{percent(estimate['value'])} ({level + ' interval ' if level else ''}{interval(estimate, percent)})"
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
