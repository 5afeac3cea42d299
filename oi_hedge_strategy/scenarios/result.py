"""The scenarios' figures as plain data, for the terminal, the page and scenarios.json."""

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from oi_hedge_strategy.backtest.plan import iso
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.hedging.config import RailsConfig
from oi_hedge_strategy.scenarios.definitions import SCENARIOS
from oi_hedge_strategy.scenarios.measures import Outcome
from oi_hedge_strategy.scenarios.run import VARIANTS, ScenarioRun
from oi_hedge_strategy.scenarios.shock import DAY_HOURS, worst_carry, worst_moves

Result = dict[str, Any]
_SERIES = ("ts", "price", "high", "low", "ratio", "unhedged", "hedged", "equity")
_NAMES = {"configured": "as configured", "full": "full hedge"}


def build_result(runs: Sequence[ScenarioRun], settings: BacktestSettings, simulated: bool) -> Result:
    """Return the figures of all runs; money is a fraction of the exposure's notional at the start."""
    side = "long" if settings.exposure_quantity > 0.0 else "short"
    quantity = f"{abs(settings.exposure_quantity):g}"
    return {
        "simulated": simulated,
        "exposure": f"{side} {quantity} of {settings.exposure_instrument}",
        "hedge_instrument": str(settings.hedge_instrument),
        "collateral": settings.collateral,
        "stress": stress_section(settings.rails, side == "long"),
        "scenarios": [_row(each) for each in runs],
    }


def stress_section(rails: RailsConfig, long: bool) -> Result:
    """Return what the stress rail assumes beside the worst of all scenarios, run or not."""
    moves = {each.title: worst_moves(each.shock)[0 if long else 1] for each in SCENARIOS}
    carries = {each.title: worst_carry(each.shock) for each in SCENARIOS}
    move, carry = max(moves, key=moves.__getitem__), max(carries, key=carries.__getitem__)
    assumed = rails.stress_rise if long else rails.stress_fall
    return {
        "against": "rise" if long else "fall",
        "hours": DAY_HOURS,
        "worst_move": moves[move],
        "worst_move_in": move,
        "assumed_move": assumed,
        "worst_carry": carries[carry],
        "worst_carry_in": carry,
        "assumed_carry": rails.stress_carry,
        "covers": assumed >= moves[move] and rails.stress_carry >= carries[carry],
    }


def _row(run: ScenarioRun) -> Result:
    scenario = run.scenario
    return {
        "key": scenario.key,
        "title": scenario.title,
        "story": scenario.story,
        "source": scenario.source,
        "data": "recorded" if run.recorded else "replay",
        "start": iso(run.start_ns),
        "onset": iso(run.onset_ns),
        "end": iso(run.end_ns),
        **{name: _figures(getattr(run, name)) for name in VARIANTS},
    }


def _figures(outcome: Outcome) -> Result:
    names = (each.name for each in fields(outcome) if each.name not in _SERIES)
    return {name: getattr(outcome, name) for name in names} | {"solvent": outcome.solvent}


def write_result(result: Result, path: Path) -> Path:
    """Write the figures as JSON, atomically."""
    return write_text(path, json.dumps(result, indent=2, allow_nan=False) + "\n")


def table_rows(result: Result) -> list[list[str]]:
    """Return the table as text: a head, then two rows for each scenario."""
    head = ["scenario", "data", "hedge", "held at onset", "loss unhedged", "loss hedged", "cost",
            "worst margin", "stops", "rails that acted"]  # fmt: skip
    rows = []
    for row in result["scenarios"]:
        for name in VARIANTS:
            first = [row["title"], row["data"]] if name == VARIANTS[0] else ["", ""]
            rows.append([*first, _NAMES[name], *cells(row[name])])
    return [head, *rows]


def cells(figures: Result) -> list[str]:
    """Return the figures of one outcome as text."""
    rails = ", ".join(f"{name} {count}" for name, count in figures["rails"].items())
    margin = "-" if figures["worst_margin"] is None else f"{figures['worst_margin']:.0%}"
    if not figures["solvent"]:
        margin += " INSOLVENT"
    return [
        f"{figures['held_at_onset']:.0%}",
        *(f"{100 * figures[name]:.1f} %" for name in ("loss_unhedged", "loss_hedged")),
        f"{100 * figures['cost']:.2f} %".replace("-0.00", "0.00"),
        margin,
        str(figures["stops"]) if figures["stops"] else "-",
        rails or "-",
    ]


def stress_sentence(result: Result) -> str:
    """Say whether the stress rail covers the worst scenario."""
    stress = result["stress"]
    found = (
        f"worst {stress['against']} against the hedge within {stress['hours']} hours: "
        f"{stress['worst_move']:.1%} ({stress['worst_move_in']}), the stress rail assumes "
        f"{stress['assumed_move']:.0%}; worst funding: {stress['worst_carry']:.2%} "
        f"({stress['worst_carry_in']}), assumed {stress['assumed_carry']:.2%}"
    )
    if stress["covers"]:
        return f"The stress rail covers the worst scenario: {found}."
    return f"WARNING: the stress rail does NOT cover the worst scenario: {found}; raise rails.stress_*."


def solvency_sentence(result: Result) -> str:
    """Say whether the hedge book survived every scenario."""
    failed = [
        f"{row['title']} ({_NAMES[name]})"
        for row in result["scenarios"]
        for name in VARIANTS
        if not row[name]["solvent"]
    ]
    count = len(result["scenarios"])
    of = f"{count} scenario{'s' if count != 1 else ''}"
    if failed:
        return (
            "WARNING: the hedge book was liquidated, or its equity fell to maintenance margin, in "
            f"{len(failed)} of {2 * count} runs: {', '.join(failed)}."
        )
    return f"The hedge book stayed above maintenance margin in all {2 * count} runs of {of}."
