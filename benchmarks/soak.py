"""A paper node with four loopback venues as fast as it goes: ``python -m benchmarks.soak --events N``."""

import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.soak import run_soak
from support.soak_judge import Soak

_ROWS = 10


@click.command()
@click.option("--events", type=click.IntRange(1_000), default=1_000_000, show_default=True, help="How many.")
@click.option(
    "--fault-secs", type=click.FloatRange(0.5), default=3.0, show_default=True, help="How long a fault lasts."
)
def main(events: int, fault_secs: float) -> None:
    """Print memory over time, faults and what came of them, events lost, and ledger against account."""
    with tempfile.TemporaryDirectory() as scratch:
        soak = run_soak(Path(scratch), events, lambda text: click.echo(text, err=True), fault_secs)
    click.echo("\n".join((*_memory(soak), *_faults(soak), *_books(soak))))


def _memory(soak: Soak) -> list[str]:
    secs, events, memory = soak.samples.T
    lines = [
        f"{events[-1]:,.0f} events in {secs[-1]:.0f} s ({events[-1] / secs[-1]:,.0f} a second on average, "
        f"{rate(soak):,.0f} in the last half), bars {1e3 * soak.bar_secs:.0f} ms apart at last",
        f"{'seconds':>9}{'events':>12}{'MiB':>9}{'a 100,000':>12}",
    ]
    edges = np.linspace(0.0, events[-1], _ROWS + 1)
    for low, high in pairwise(edges.tolist()):
        inside = (events >= low) & (events <= high)
        at = np.flatnonzero(inside)[-1]
        lines.append(f"{secs[at]:9.0f}{events[at]:12,.0f}{memory[at]:9.1f}{slope(soak, inside):+12.2f}")
    lines.append(
        f"memory, MiB per 100,000 events: {slope(soak, events >= 0.5 * events[-1]):+.2f} in the last half"
    )
    return lines


def _faults(soak: Soak) -> list[str]:
    lines = [f"{'fault':34}{'times':>6}{'failed':>8}{'left out':>9}{'well after':>12}  alerts begun"]
    for name, each in soak.faults.items():
        alerts = ", ".join(f"{text} {times}" for text, times in sorted(each.alerts.items())) or "none"
        counts = f"{each.times:6}{each.failures:8,}{each.left_out:9,}{each.slowest_secs:10.1f} s"
        lines.append(f"{name:34}{counts}  {alerts}")
    return lines


def _books(soak: Soak) -> list[str]:
    lines = [f"{'':28}{'handed over':>12}{'recorded':>12}{'lost':>8}"]
    for name, count in sorted(soak.served.items()):
        found = soak.recorded.get(name, 0)
        lines.append(f"{name:28}{count:12,}{found:12,}{count - found:8,}")
    lines.append(f"{'':28}{'account':>14}{'ledger':>14}{'drift':>12}")
    for name in ("balance", "position"):
        held, booked = getattr(soak, name), getattr(soak, f"{name}_of_ledger")
        lines.append(f"{name:28}{held:14.4f}{booked:14.4f}{held - booked:12.6f}")
    lines.append(
        f"{soak.fills} fills, {soak.payments} funding payments, {len(soak.uncaught)} uncaught exceptions"
    )
    lines += sorted(set(soak.uncaught))[:_ROWS]
    return lines + [f"alert: {name}: {times}" for name, times in sorted(soak.alerts.items())]


def slope(soak: Soak, chosen: np.ndarray) -> float:
    """Return the least-squares growth of memory in MiB per 100,000 events, of the chosen samples."""
    _, events, memory = soak.samples[chosen].T
    return float(np.polyfit(events, memory, 1)[0]) * 1e5 if events.size > 1 else 0.0


def rate(soak: Soak) -> float:
    """Return events a second within the last half of the time."""
    secs, events, _ = soak.samples.T
    at = len(secs) // 2
    return float((events[-1] - events[at]) / (secs[-1] - secs[at]))


if __name__ == "__main__":
    main()
