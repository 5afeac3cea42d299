"""``oi-hedge validate``: judge a model on recent data."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oi_hedge_catalog import store
from oi_hedge_strategy.commands.extras import require_training_extra
from oi_hedge_strategy.commands.model_argument import load_model
from oi_hedge_strategy.commands.times import UTC_TIME
from oi_hedge_strategy.evaluation.files import write_text

if TYPE_CHECKING:
    from oi_hedge_strategy.training.validation import Figure, Validation

EXIT_CODES = {"healthy": 0, "degraded": 3, "expired": 4}
_SHOWN_INPUTS = 8


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--catalog", type=click.Path(path_type=Path), required=True, help="Directory of the catalog.")
@click.option("--since", type=UTC_TIME, required=True, help="First day; days of its training are left out.")
@click.option("--until", type=UTC_TIME, help="Last day; today by default.")
@click.option("--asset", help="Base coin; ETH by default, or the first that the model was trained on.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write everything to this file.")
def validate(
    model: Path, catalog: Path, since: int, until: int | None, asset: str | None, json_file: Path | None
) -> None:
    """Judge MODEL, a file or a registry's current model, on data that it has not seen.

    Performance is held against the model's card, inputs and outputs against its training data (PSI and
    Kolmogorov-Smirnov distance). Intervals are of 95 %, from a block bootstrap over days.

    \b
    Exits with
      0  healthy
      3  degraded: worse than on its card, drifted, or a venue died or appeared; retrain
      4  expired: it must not be used any more
      1  it cannot be judged: see the message
    """
    require_training_extra("scipy")
    from oi_hedge_strategy.training.validate import validate as run_validation

    end = until if until is not None else time.time_ns()
    forecaster = load_model(model, end)
    found = run_validation(forecaster, store.open_catalog(catalog), since, end, asset=asset)
    if json_file is not None:
        write_text(json_file, json.dumps(found.to_dict(), indent=2, allow_nan=False) + "\n")
    click.echo(_text(found))
    raise SystemExit(EXIT_CODES[found.verdict])


def _text(found: "Validation") -> str:
    lines = [
        f"{found.verdict.upper()}: {found.model} on {found.asset}, {found.since} to {found.until}, "
        f"{found.samples:,} hours",
        *(f"  - {reason}" for reason in found.reasons),
        *(f"  note: {note}" for note in found.notes),
        "",
        f"{'output':10}{'metric':19}{'recent':>8}  {'95 % interval':18}{'card':>7}",
        *(_figure(each) for each in found.figures),
    ]
    if found.drift:
        lines += ["", f"{'drift of':22}{'PSI':>7}{'limit':>7}{'KS':>7}"]
        for each in found.drift[:_SHOWN_INPUTS]:
            limit, ks = (f"{x:.2f}" if x is not None else "-" for x in (each.limit, each.ks))
            lines.append(f"{each.name:22}{each.psi:7.2f}{limit:>7}{ks:>7}")
        if len(found.drift) > _SHOWN_INPUTS:
            lines.append(f"and {len(found.drift) - _SHOWN_INPUTS} with less")
    return "\n".join(lines)


def _figure(figure: "Figure") -> str:
    recent, card = figure.recent, "-" if figure.card is None else f"{figure.card:.3f}"
    value = "-" if recent.value is None else f"{recent.value:.3f}"
    ends = "" if recent.low is None else f"{recent.low:.3f} to {recent.high:.3f}"
    return f"{figure.output:10}{figure.metric.replace('_', ' '):19}{value:>8}  {ends:18}{card:>7}"
