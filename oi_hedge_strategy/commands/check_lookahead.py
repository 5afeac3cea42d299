"""``oi-hedge check-lookahead``: hunt for look-ahead between a catalog and the decisions made from it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oi_hedge_catalog import store
from oi_hedge_strategy.commands.extras import require_training_extra
from oi_hedge_strategy.commands.model_argument import load_model

if TYPE_CHECKING:
    from oi_hedge_strategy.training.lookahead import LookAhead


@click.command("check-lookahead")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--catalog", type=click.Path(path_type=Path), required=True, help="Directory of the catalog.")
@click.option("--asset", help="Base coin; ETH by default, or the first that the model was trained on.")
@click.option("--samples", type=click.IntRange(2), default=20, show_default=True, help="Times to cut at.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of times and shuffles.")
def check_lookahead(model: Path, catalog: Path, asset: str | None, samples: int, seed: int) -> None:
    """Hunt for look-ahead on what came after MODEL, a file or a registry's newest model, was trained.

    \b
    1. The future is cut off at random times: forecasts and decisions must not change by a bit.
    2. Labels are shuffled by blocks of days: scores must be those of chance.
    3. Inputs are taken from the end of the horizon: the score must rise clearly; where it does not, the
       inputs know the future already, or the hunt could not have found a leak.

    Exits with 1 where one of the three is not so.
    """
    require_training_extra("scipy", "sklearn")
    from oi_hedge_strategy.training.lookahead import check_lookahead as hunt

    forecaster = load_model(model, time.time_ns())
    found = hunt(forecaster, store.open_catalog(catalog), asset, samples, seed)
    click.echo(_text(found))
    raise SystemExit(0 if found.is_clean else 1)


def _text(found: "LookAhead") -> str:
    verdict = "NO LEAK FOUND" if found.is_clean else "LEAK"
    lines = [f"{verdict}: {found.source} on {found.asset}, {found.since} to {found.until}", ""]
    widths = [max(len(getattr(each, field)) for each in found.checks) for field in ("name", "found")]
    for check in found.checks:
        mark = "ok" if check.passed else "LEAK"
        lines.append(
            f"{mark:5}{check.name.ljust(widths[0])}  {check.found.ljust(widths[1])}  "
            f"expected: {check.expected}"
        )
    return "\n".join([*lines, *(f"  - {note}" for note in found.notes)])
