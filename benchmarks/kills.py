"""Kill a node again and again and compare with one that was left alone: ``python -m benchmarks.kills``."""

import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.kills import Outcome, market, play, same_stops
from support.models import write_model

_BARS_A_RUN = 24
_KILLS_A_RUN = 8
_LATEST_SECS = 0.02


@click.command()
@click.option("--kills", type=click.IntRange(1), default=40, show_default=True, help="How many, at least.")
@click.option("--seed", default=1, show_default=True, help="Of the moments.")
def main(kills: int, seed: int) -> None:
    """Print what each kill met and whether orders, stop, decisions and memory are those of no kill."""
    rng, events = np.random.default_rng(seed), market(_BARS_A_RUN)
    bars = [at for at, event in enumerate(events) if event[1] == "bar"]
    met: Counter[str] = Counter()
    equal: Counter[str] = Counter()
    done = 0
    with tempfile.TemporaryDirectory() as scratch:
        model = write_model(Path(scratch) / "model.onnx", probability=0.5, sensitivity=0.45)
        whole = asyncio.run(play(events, model, Path(scratch) / "whole", {}))
        while done < kills:
            chosen = sorted(rng.choice(bars[1:], _KILLS_A_RUN, replace=False).tolist())
            moments = dict(zip(chosen, rng.uniform(0.0, _LATEST_SECS, _KILLS_A_RUN).tolist(), strict=True))
            found = asyncio.run(play(events, model, Path(scratch) / f"killed-{done}", moments))
            met.update(_met(found))
            equal.update(name for name, same in _compare(whole, found).items() if same)
            done += len(found.kills)
            click.echo(f"{done} kills", err=True)
    runs = -(-done // _KILLS_A_RUN)
    click.echo(f"{done} kills in {runs} runs of {len(whole.decisions)} decisions, {len(whole.orders)} orders")
    for what, count in met.most_common():
        click.echo(f"  {what:50} {count:5}")
    for what in _compare(whole, whole):
        click.echo(f"  {what} as without a kill: {equal[what]} of {runs} runs")


def _met(found: Outcome) -> list[str]:
    """Return what each kill met, by what the next start found."""
    words = []
    for restart in found.restarts:
        if restart["newest"] < restart["ts"]:
            words.append("the bar not yet taken in")
        elif any(decision[0] == restart["newest"] for decision in restart["decisions"]):
            words.append("the bar taken in, its decision not kept")
        else:
            words.append("the decision kept")
    return words


def _compare(whole: Outcome, found: Outcome) -> dict[str, bool]:
    remade = {restart["newest"] for restart in found.restarts}
    kept = {ts: each for ts, each in found.decisions.items() if ts not in remade}
    return {
        "orders": found.orders == whole.orders,
        "hard stop, to one tick,": same_stops(found, whole),
        "largest position": found.largest == whole.largest,
        "decisions": kept == {ts: whole.decisions[ts] for ts in kept},
        "market state and rails": found.memory == whole.memory,
    }


if __name__ == "__main__":
    main()
