"""``oi-hedge retrain``: a new model on all data to date, promoted when it is not worse."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from oi_hedge_catalog import store
from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.commands.extras import require_training_extra
from oi_hedge_strategy.commands.times import UTC_TIME
from oi_hedge_strategy.forecast.registry import Registry

KEPT = 3


@click.command()
@click.option(
    "--registry",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory of the registry; made if it does not exist.",
)
@click.option("--catalog", type=click.Path(path_type=Path), required=True, help="Directory of the catalog.")
@click.option("--until", type=UTC_TIME, help="Nothing known after this date is read; now by default.")
@click.option("--assets", help="Base coins, such as ETH,BTC; by default those of the current model.")
@click.option(
    "--held-days",
    type=click.IntRange(28),
    default=90,
    show_default=True,
    help="Last days on which old and new are compared.",
)
@click.option(
    "--valid-days", type=click.IntRange(1), default=366, show_default=True, help="Days until it expires."
)
@click.option("--force-after-event", "event", default="", help="What happened: promote without a comparison.")
@click.option("--allow-short-history", is_flag=True, help="Train on less than two years of open interest.")
def retrain(
    registry: Path,
    catalog: Path,
    until: int | None,
    assets: str | None,
    held_days: int,
    valid_days: int,
    event: str,
    allow_short_history: bool,
) -> None:
    """Train on all data to date and promote the model when it is not worse than the current one.

    Old and new are compared on days that neither has seen; then the new one is fitted again on everything. It
    is kept back when its log loss is higher in at least 80 % of block resamples. Running strategies take a
    promoted model up between two bars.

    \b
    Exits with
      0  a new model was promoted
      3  the current model was kept: the new one is worse
      1  it could not be done: see the message
    """
    require_training_extra("torch", "onnx", "sklearn", "scipy")
    from oi_hedge_strategy.training.retrain import retrain as run_retraining
    from oi_hedge_strategy.training.train import TrainConfig, train

    opened = store.open_catalog(catalog)
    config = TrainConfig(valid_days=valid_days, allow_short_history=allow_short_history)

    def fit(names: Sequence[str] | None, end: int, out: Path, cascade: CascadeDefinition | None) -> None:
        told = config if cascade is None else replace(config, cascade=cascade)
        train(opened, names, end, out, told)

    now = time.time_ns()
    names = [name.strip() for name in assets.split(",")] if assets else None
    end = until if until is not None else now
    found = run_retraining(
        Registry.create(registry), opened, end, now, fit, valid_days, names, held_days, event
    )
    if found.promoted is None:
        click.echo(f"kept {found.champion}: the new model is {found.reason}")
        raise SystemExit(KEPT)
    click.echo(f"promoted {found.promoted.model}: {found.reason}")
    if found.restart:
        click.echo("its inputs are not those of the model before: restart running strategies to use it")
