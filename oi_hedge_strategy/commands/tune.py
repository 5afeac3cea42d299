"""``oi-hedge tune``: choose how much to hedge by the past."""

from pathlib import Path
from typing import Any, cast

import click

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.backtest.sweep import Sweeps
from oi_hedge_strategy.backtest.tuning import UNHEDGED, WALK_FORWARD, Tuning, tune_policy
from oi_hedge_strategy.commands.plan_options import opened_plan, plan_options
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.evaluation.wording import percent, signed, with_interval
from oi_hedge_strategy.hedging.config import PolicyConfig

LABEL_WIDTH = 34


@click.command()
@plan_options
@click.option(
    "--target-loss-avoided",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    help="The share of losses to avoid; that of the settings by default.",
)
@click.option(
    "--sweeps",
    type=click.Choice(["standard", "full"]),
    default="full",
    show_default=True,
    help="How many policies are tried.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the chosen policy as TOML here too.")
def tune(target_loss_avoided: float | None, sweeps: str, out: Path | None, **asked: Any) -> None:
    """Choose the policy that avoids a share of losses at the most gain kept, by the past.

    How much to hedge is yours to say, how well is the model's. Every policy is run over all data from
    --start to --end with its costs and rails; the chosen one is for the time after. What choosing that way
    reaches out of sample is said too: each period of the run with what was best before it.
    """
    with opened_plan(**asked) as plan:
        target = target_loss_avoided or plan.settings.target_loss_avoided
        if target is None:
            raise ConfigError("no target: give --target-loss-avoided, or target_loss_avoided in the settings")
        tuning = tune_policy(plan, target, cast(Sweeps, sweeps))
    toml = policy_toml(tuning.policy)
    click.echo(format_tuning(tuning, target))
    click.echo(f"\n{toml}", nl=False)
    if out is not None:
        click.echo(f"\nwritten: {write_text(out, toml)}")


def format_tuning(tuning: Tuning, target: float) -> str:
    """Return what was tried, chosen and reached, as text."""
    found = tuning.found
    lines = [f"{'policy':<{LABEL_WIDTH}}{'loss avoided':>14}{'gain kept':>12}{'skill':>9}"]
    for name in found.names:
        if name in (UNHEDGED, WALK_FORWARD):
            continue
        loss, gain, skill = (each.value for each in found.of(name).values())
        shown = [percent(loss), percent(gain), signed(skill)]
        lines.append(f"{name:<{LABEL_WIDTH}}{shown[0]:>14}{shown[1]:>12}{shown[2]:>9}")
    reached = {key: each.to_dict() for key, each in found.of(WALK_FORWARD).items()}
    best = found.of(tuning.chosen)["loss_avoided"].value
    sentence = (
        f"of those that avoided at least {percent(target)} of the losses, it kept the most gain"
        if best is not None and best >= target
        else f"none avoided {percent(target)} of the losses; it came nearest"
    )
    return "\n".join(
        [
            *lines,
            "",
            f"Chosen on {tuning.days:,} days: {tuning.chosen}; {sentence}.",
            f"Out of sample, each period with what was best before it: "
            f"{with_interval(reached['loss_avoided'], percent)} of the losses avoided, "
            f"{with_interval(reached['gain_kept'], percent)} of the gains kept, skill "
            f"{with_interval(reached['skill'], signed)}.",
        ]
    )


def policy_toml(policy: PolicyConfig) -> str:
    """Return the parts of a policy that are tuned, as a section of the settings file."""
    knots = ", ".join(f"[{p!r}, {multiplier!r}]" for p, multiplier in policy.knots)
    return f'[policy]\nkind = "{policy.kind}"\nloss_aversion = {policy.loss_aversion!r}\nknots = [{knots}]\n'
