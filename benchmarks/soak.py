"""A paper node with four loopback venues as fast as it goes: ``python -m benchmarks.soak --events N``."""

import sys
import tempfile
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.soak import KEPT, Soak, run_soak

_ROWS = 10
_KEPT_HELP = "Bars and quotes of each instrument in Nautilus's cache; memory grows until it is full."


@click.command()
@click.option("--events", type=click.IntRange(1_000), default=1_000_000, show_default=True, help="How many.")
@click.option("--kept", type=click.IntRange(100), default=KEPT, show_default=True, help=_KEPT_HELP)
def main(events: int, kept: int) -> None:
    """Print memory over time, events handed over against events recorded, and ledger against account."""
    with tempfile.TemporaryDirectory() as scratch:
        soak = run_soak(Path(scratch), events, lambda text: click.echo(text, err=True), kept)
    click.echo(table(soak))


def table(soak: Soak) -> str:
    """Return the figures as text."""
    secs, events, memory = soak.samples.T
    lines = [
        f"{events[-1]:,.0f} events in {secs[-1]:.0f} s ({events[-1] / secs[-1]:,.0f} a second on average, "
        f"{rate(soak):,.0f} in the last half), bars {1e3 * soak.bar_secs:.0f} ms apart at last",
        f"{'seconds':>9}{'events':>12}{'MiB':>9}",
    ]
    for at in np.unique(np.linspace(0, len(secs) - 1, _ROWS).astype(int)):
        lines.append(f"{secs[at]:9.0f}{events[at]:12,.0f}{memory[at]:9.1f}")
    first, last = (slope(soak, half) for half in (0, 1))
    lines.append(
        f"memory grows by {first:.1f} MiB per 100,000 events in the first half, {last:.1f} in the last"
    )
    lines.append(f"{'':28}{'handed over':>12}{'recorded':>12}{'lost':>8}")
    for name, count in sorted(soak.served.items()):
        found = soak.recorded[name]
        lines.append(f"{name:28}{count:12,}{found:12,}{count - found:8,}")
    lines.append(f"{'':28}{'account':>14}{'ledger':>14}{'drift':>12}")
    for name in ("balance", "position"):
        held, booked = getattr(soak, name), getattr(soak, f"{name}_of_ledger")
        lines.append(f"{name:28}{held:14.4f}{booked:14.4f}{held - booked:12.6f}")
    lines.append(f"{soak.fills} fills, {soak.payments} funding payments")
    lines += [f"alert: {name}: {times}" for name, times in sorted(soak.alerts.items())]
    return "\n".join(lines)


def slope(soak: Soak, half: int) -> float:
    """Return the least-squares growth of memory in MiB per 100,000 events, of the first or second half."""
    _, events, memory = soak.samples.T
    chosen = (events >= events[-1] / 2.0) == bool(half)
    return float(np.polyfit(events[chosen], memory[chosen], 1)[0]) * 1e5


def rate(soak: Soak) -> float:
    """Return events a second within the last half of the time."""
    secs, events, _ = soak.samples.T
    at = len(secs) // 2
    return float((events[-1] - events[at]) / (secs[-1] - secs[at]))


if __name__ == "__main__":
    main()
