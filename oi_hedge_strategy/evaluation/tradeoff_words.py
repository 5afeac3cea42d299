"""What the hedge trades off, in words."""

import math
from collections.abc import Sequence
from itertools import pairwise

from oi_hedge_strategy.evaluation.wording import (
    Result,
    day,
    number,
    p_value,
    percent,
    signed,
    signed_percent,
    spoken,
    with_interval,
)

SHORTFALL = 0.1
COST_KINDS = {"impact": "market impact", "latency": "latency"}
"""The multipliers of `cost_sensitivity` and what they multiply."""


def baseline_sentences(result: Result) -> list[str]:
    """Return one sentence for each baseline: how the hedge stands beside it, and how surely."""
    found = result.get("differences")
    if found:
        return [_difference_sentence(each) for each in found]
    return [
        _sentence(f"{each['words']}: skill differs by {with_interval(each['difference'], signed)}")
        for each in result["baselines"].values()
    ]


def _difference_sentence(each: Result) -> str:
    return _sentence(
        f"{each['words']}: skill differs by {with_interval(each['skill'], signed)}, loss avoided by "
        f"{with_interval(each['loss_avoided'], signed_percent)}, gain kept by "
        f"{with_interval(each['gain_kept'], signed_percent)}"
    )


def _sentence(words: str) -> str:
    said = spoken(words)
    return f"{said[:1].upper()}{said[1:]}."


def multiplicity_sentence(result: Result) -> str:
    """Say what is left of the best configuration's skill when their number counts; empty without trials."""
    found = result.get("multiplicity")
    if not found or found.get("p_value_deflated") is None:
        return ""
    alone, deflated = p_value(found["p_value_alone"]), p_value(found["p_value_deflated"])
    return (
        f"Of {found['configurations']} configurations tried the best, {found['best']}, has a skill of "
        f"{signed(found['skill']['value'])}; the best of as many without any skill reaches "
        f"{signed(found['skill_by_luck'])} in one of twenty periods like this ({alone} alone, {deflated} "
        f"with their number counted): {spoken(found['words'])}."
    )


def skill_at_costs(result: Result, times: float) -> float | None:
    """
    Return the skill of the same trades when all their costs are multiplied.

    Costs enter each day's profit and loss linearly, and so do they skill.
    """
    before, after = (result["effectiveness"][key]["value"] for key in ("skill_before_costs", "skill"))
    return None if before is None or after is None else float(before - times * (before - after))


def break_even(result: Result) -> float | None:
    """Return how many times the costs take all skill of the same trades, None where no multiple does."""
    before, after = skill_at_costs(result, 0.0), skill_at_costs(result, 1.0)
    if before is None or after is None or before <= 0.0 or after >= before:
        return None
    return before / (before - after)


def break_even_sentence(result: Result) -> str:
    """Say at which cost the edge of the same trades vanishes."""
    before, after = skill_at_costs(result, 0.0), skill_at_costs(result, 1.0)
    if before is None or after is None:
        return "Skill is not defined, so that no cost can be named at which it vanishes."
    if before <= 0.0:
        return f"There is no edge to lose: skill before costs is {signed(before)}."
    if after >= before:
        return (
            f"Costs did not lower skill ({signed(before)} before them, {signed(after)} after): funding "
            "received made up for fees and slippage."
        )
    times = before / (before - after)
    return (
        f"Skill is {signed(before)} before costs and {signed(after)} after them; it falls to zero at "
        f"{number(times)} times the costs, the trades being the same."
    )


def multiplied(result: Result, kind: str) -> list[tuple[float, Result]]:
    """Return the multipliers of one cost with their skill, ascending, the others' multipliers being 1."""
    entries = result.get("cost_sensitivity") or []
    others = [each for each in COST_KINDS if each != kind]
    found = {
        float(each[kind]): each["skill"]
        for each in entries
        if all(each[other] == 1 for other in others) and each["skill"]["value"] is not None
    }
    return sorted(found.items())


def sensitivity_sentences(result: Result) -> list[str]:
    """Say for each cost that was multiplied where skill falls to zero."""
    return [
        _vanishing(COST_KINDS[kind], found)
        for kind in COST_KINDS
        if len(found := multiplied(result, kind)) > 1
    ]


def operating_sentences(result: Result) -> list[str]:
    """Say how the wanted share of losses compares with the one that was reached."""
    found = result.get("operating_point")
    if not found:
        return [
            "No share of losses to avoid was set, so that the policy's own parameters decide how much is "
            "hedged. With calibrated probabilities of rare events it hedges seldom; how much to hedge is the "
            "trader's choice (target_loss_avoided), how well is the model's."
        ]
    target, since = percent(found["target_loss_avoided"]), found.get("reached_since_tuned")
    sentences = [
        f"The target was to avoid {target} of the losses. With parameters chosen for each period on what "
        f"came before it, {_reached(found['reached'])}: {found['words']}."
    ]
    if since:
        sentences.append(
            f"Since {day(since['since'])}, when there was a past to choose on, over {since['days']:,} days, "
            f"{_reached(since)}: {since['words']}."
        )
    if (constant := found.get("constant")) is not None:
        sentences.append(f"With a constant hedge ratio chosen in the same way {_reached(constant)}.")
    if (configured := found.get("as_configured")) is not None:
        sentences.append(f"{configured['words'].rstrip('.')}.")
    return sentences


def _reached(figures: Result) -> str:
    return (
        f"{with_interval(figures['loss_avoided'], percent)} of them were avoided and "
        f"{with_interval(figures['gain_kept'], percent)} of the gains kept, at a skill of "
        f"{with_interval(figures['skill'], signed)}"
    )


def capacity_sentence(result: Result) -> str:
    """Say where not even a constant hedge ratio avoided its share of losses; empty where each did."""
    constants = [each for each in result.get("frontier") or [] if each["kind"] == "constant"]
    short = [
        each
        for each in constants
        if each["loss_avoided"]["value"] is not None
        and each["loss_avoided"]["value"] < each["parameter"] - SHORTFALL
    ]
    if not short:
        return ""
    worst = max(short, key=lambda each: each["parameter"] - each["loss_avoided"]["value"])
    return (
        f"A constant hedge ratio of {percent(worst['parameter'])} avoided only "
        f"{percent(worst['loss_avoided']['value'])} of the losses: the hedge account, whose losses nobody "
        "tops up, could not carry it through the period. What hedges much is held down in the same way, the "
        "baselines too; the setting collateral says how much the account starts with."
    )


def calibration_sentence(curve: Result) -> str:
    """Say how a probability of `reliability` stands beside what followed."""
    return (
        f"Within {curve['hours']} h ({curve['side']}): a cascade followed {curve['followed']:,} of "
        f"{curve['samples']:,} decisions, {with_interval(curve['observed'], percent)}; forecast were "
        f"{percent(curve['mean_forecast'])} on average: {curve['words']}. Brier skill against that share as "
        f"constant forecast: {with_interval(curve['brier_skill'], signed)}."
    )


def _vanishing(what: str, found: Sequence[tuple[float, Result]]) -> str:
    values = [(times, float(skill["value"])) for times, skill in found]
    low, high = values[0], values[-1]
    unsure = [times for times, skill in found if skill["low"] is not None and skill["low"] <= 0.0]
    doubt = f"; its interval includes zero or lies below from {unsure[0]:g} times on" if unsure else ""
    if low[1] <= 0.0:
        return f"With {what} at {low[0]:g} times, the least that was tried, skill is {signed(low[1])}."
    for (times, skill), (more, after) in pairwise(values):
        if after <= 0.0 < skill:
            share = skill / (skill - after)
            zero = math.exp(math.log(times) + share * (math.log(more) - math.log(times)))
            return f"With {what} multiplied, skill falls to zero at about {number(zero)} times{doubt}."
    return (
        f"With {what} multiplied up to {high[0]:g} times, skill stays above zero ({signed(low[1])} at "
        f"{low[0]:g} times, {signed(high[1])} at {high[0]:g}){doubt}."
    )
