"""``oi-hedge replay``: run a recorded session again and compare."""

from math import isnan
from pathlib import Path

import click
import numpy as np

from oi_hedge_strategy.live.recording import convert
from oi_hedge_strategy.live.replay import Difference, FillPair, Replay
from oi_hedge_strategy.live.replay import replay as run_replay
from oi_hedge_strategy.live.sessions import find_session
from oi_hedge_strategy.live.view import clock


@click.command()
@click.argument("session", type=click.Path(path_type=Path), required=False)
@click.option("--fills", is_flag=True, help="List every order with its realised and modelled slippage.")
def replay(session: Path | None, fills: bool) -> None:
    """Run a session's recorded inputs through the backtest engine and compare it bit by bit.

    SESSION is the directory of a session, or one that holds some, of which the newest is taken; by default
    the newest of ./paper and ./live. A session whose process was killed is made readable first. Exit code 1
    says that something differs.
    """
    found = find_session(session)
    torn = () if found.is_running else convert(found)
    result = run_replay(found)
    for name in (*torn, *result.torn):
        click.echo(f"{name} ends in the middle of a record, which is left out: the process was killed")
    for each in found.changed_versions():
        click.echo(each)
    click.echo(summary(result))
    if fills:
        for pair in result.fills:
            click.echo(_fill(pair))
    if result.difference is not None:
        raise click.ClickException(explain(result.difference))


def summary(result: Replay) -> str:
    """Return what was compared, and what fills cost against the fill model."""
    same = "equal to the last bit" if result.difference is None else "not equal"
    lines = [f"{result.forecasts:,} forecasts and {result.decisions:,} decisions replayed: {same}"]
    both = [p for p in result.fills if not isnan(p.realised_bps) and not isnan(p.modelled_bps)]
    if both:
        weight = np.abs([pair.quantity * pair.price for pair in both])
        realised = float(np.average([pair.realised_bps for pair in both], weights=weight))
        modelled = float(np.average([pair.modelled_bps for pair in both], weights=weight))
        lines.append(
            f"{len(both)} of {len(result.fills)} orders filled in both: slippage against the price of the "
            f"decision {realised:+.2f} bp realised, {modelled:+.2f} bp modelled, "
            f"difference {realised - modelled:+.2f} bp by notional"
        )
    else:
        lines.append("no order was filled in both: there is no slippage to compare")
    return "\n".join(lines)


def explain(difference: Difference) -> str:
    """Return the first difference with what the strategy had been given before it."""
    inputs = "\n".join(f"  {each}" for each in difference.inputs)
    return (
        f"{difference.kind} {difference.number} of {clock(difference.ts)}: {difference.field} was "
        f"{difference.recorded!r}, the replay has {difference.replayed!r}; the last inputs "
        f"before it:\n{inputs}"
    )


def _fill(pair: FillPair) -> str:
    return (
        f"{clock(pair.ts)} {pair.quantity:+.4f} at {pair.price:.2f}: {pair.realised_bps:+.2f} bp realised, "
        f"{pair.modelled_bps:+.2f} bp modelled"
    )
