"""``oi-hedge train``: fit a model on a catalog."""

import importlib.util
from pathlib import Path

import click

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.commands.times import UTC_TIME


@click.command()
@click.option("--catalog", type=click.Path(path_type=Path), required=True, help="Directory of the catalog.")
@click.option("--until", type=UTC_TIME, required=True, help="Nothing known after this date is read.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The ONNX file to write.")
@click.option("--assets", help="Base coins, such as ETH,BTC; by default all with open interest.")
@click.option("--epochs", type=click.IntRange(1), default=12, show_default=True, help="At most so many.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights, order and dropout.")
@click.option(
    "--every-hours",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="One sample for so many hours.",
)
@click.option(
    "--valid-days",
    type=click.IntRange(1),
    default=366,
    show_default=True,
    help="Days until the model expires.",
)
@click.option("--allow-short-history", is_flag=True, help="Train on less than two years of open interest.")
def train(
    catalog: Path,
    until: int,
    out: Path,
    assets: str | None,
    epochs: int,
    seed: int,
    every_hours: int,
    valid_days: int,
    allow_short_history: bool,
) -> None:
    """Fit a model on all assets of a catalog and write it with its card.

    Training, early stopping and calibration follow one another in time, with a purge of horizon and look-back
    between them; the figures printed are from the calibration window, which the network has not seen. The
    same seed gives the same model on the same machine.
    """
    missing = [name for name in ("torch", "onnx", "sklearn") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"training needs {', '.join(missing)}: install the extra: pip install 'oi-hedge-strategy[train]'"
        )
    from oi_hedge_strategy.training.fit import FitConfig
    from oi_hedge_strategy.training.train import TrainConfig
    from oi_hedge_strategy.training.train import train as run_training

    config = TrainConfig(
        fit=FitConfig(epochs=epochs, seed=seed),
        every_hours=every_hours,
        valid_days=valid_days,
        allow_short_history=allow_short_history,
    )
    names = [name.strip() for name in assets.split(",")] if assets else None
    card = run_training(store.open_catalog(catalog), names, until, out, config)
    click.echo(
        f"{out}: {card.parameters:,} parameters, {len(card.schema.venues)} venues, {', '.join(card.assets)}"
    )
    click.echo(f"torch and ONNX agree within {card.parity:.1e}; out of sample, calibrated crosswise:")
    click.echo(
        f"{'':8}{'output':10}{'prevalence':>11}{'PR-AUC':>8}{'ROC-AUC':>9}{'Brier skill':>13}{'ECE':>7}"
    )
    for group, outputs in card.metrics.items():
        for head, m in outputs.items():
            click.echo(
                f"{group:8}{head:10}{m['prevalence']:11.3f}{m['pr_auc']:8.3f}{m['roc_auc']:9.3f}"
                f"{m['brier_skill']:13.3f}{m['expected_calibration_error']:7.3f}"
            )
