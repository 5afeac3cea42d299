"""``oi-hedge train``: fit a model on a catalog, or one for every date of a walk-forward."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.commands.extras import require_training_extra
from oi_hedge_strategy.commands.times import UTC_TIME
from oi_hedge_strategy.forecast.card import ModelCard

if TYPE_CHECKING:
    from oi_hedge_strategy.training.train import TrainConfig


@click.command()
@click.option("--catalog", type=click.Path(path_type=Path), required=True, help="Directory of the catalog.")
@click.option("--until", type=UTC_TIME, required=True, help="Nothing known after this date is read.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The ONNX file to write; with --walk-forward, the directory of the registry and the report.",
)
@click.option(
    "--walk-forward",
    type=click.Choice(["monthly", "quarterly", "yearly"]),
    help="Train a model at every such date and judge it on what came after, beside all baselines.",
)
@click.option("--from", "start", type=UTC_TIME, help="With --walk-forward: the first model's date.")
@click.option("--assets", help="Base coins, such as ETH,BTC; by default all with open interest.")
@click.option(
    "--architecture",
    type=click.Choice(["hybrid", "lstm"]),
    default="hybrid",
    show_default=True,
    help="Of the network that is exported.",
)
@click.option("--epochs", type=click.IntRange(1), default=10, show_default=True, help="At most so many.")
@click.option(
    "--seeds", type=click.IntRange(1), default=2, show_default=True, help="Networks merged into a model."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The first of them.")
@click.option(
    "--valid-days",
    type=click.IntRange(1),
    default=366,
    show_default=True,
    help="Days until a model expires.",
)
@click.option(
    "--parallel",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where jobs run: this machine's cores, or the Ray cluster that RAY_ADDRESS names.",
)
@click.option("--allow-short-history", is_flag=True, help="Train on less than two years of open interest.")
def train(
    catalog: Path,
    until: int,
    out: Path,
    walk_forward: str | None,
    start: int | None,
    assets: str | None,
    architecture: str,
    epochs: int,
    seeds: int,
    seed: int,
    valid_days: int,
    parallel: str,
    allow_short_history: bool,
) -> None:
    """Fit a model on all assets of a catalog and write it with its card.

    Training, early stopping and calibration follow one another in time, with a purge of horizon and look-back
    between them; the figures printed are from the calibration window, which the first fit has not seen. The
    same seed gives the same model on the same machine. What is done is kept in the catalog's .cache: a run
    that was stopped goes on where it was.

    With --walk-forward, a model for every date goes into a registry, valid from its date, and every
    forecaster is judged on the time until the next: see predictions.npz and training_report.html in --out.
    """
    require_training_extra("torch", "onnx", "sklearn", "joblib")
    if (walk_forward is None) != (start is None):
        raise ConfigError("--walk-forward and --from belong together: name both, or neither")
    from oi_hedge_strategy.training.fit import FitConfig
    from oi_hedge_strategy.training.train import TrainConfig

    config = TrainConfig(
        fit=FitConfig(epochs=epochs),
        architecture="lstm" if architecture == "lstm" else "hybrid",
        seeds=seeds,
        first_seed=seed,
        valid_days=valid_days,
        allow_short_history=allow_short_history,
        parallel=parallel,
    )
    names = [name.strip() for name in assets.split(",")] if assets else None
    if walk_forward is not None and start is not None:
        _walk(catalog, names, start, until, walk_forward, out, config)
    else:
        _single(catalog, names, until, out, config)


def _single(catalog: Path, names: list[str] | None, until: int, out: Path, config: "TrainConfig") -> None:
    from oi_hedge_strategy.training.train import train as run_training

    card = run_training(store.open_catalog(catalog), names, until, out, config)
    click.echo(f"{out}: {_described(card)}")
    click.echo("out of sample, each half of the calibration window calibrated on the other:")
    click.echo(
        f"{'':8}{'output':10}{'prevalence':>11}{'PR-AUC':>8}{'ROC-AUC':>9}{'Brier skill':>13}{'ECE':>7}"
    )
    for group, outputs in card.metrics.items():
        for head, m in outputs.items():
            click.echo(
                f"{group:8}{head:10}{m['prevalence']:11.3f}{m['pr_auc']:8.3f}{m['roc_auc']:9.3f}"
                f"{m['brier_skill']:13.3f}{m['expected_calibration_error']:7.3f}"
            )


def _walk(
    catalog: Path,
    names: list[str] | None,
    start: int,
    until: int,
    frequency: str,
    out: Path,
    config: "TrainConfig",
) -> None:
    from oi_hedge_strategy.training.score_text import score_text
    from oi_hedge_strategy.training.walk_forward import walk_forward

    found = walk_forward(store.open_catalog(catalog), names, start, until, frequency, out, config)
    click.echo(score_text(found.scores))
    click.echo(f"\n{len(found.cards)} models in {out}; the last: {_described(found.cards[-1])}")
    click.echo(f"report: {found.report} ({found.seconds / 60:.0f} minutes)")


def _described(card: ModelCard) -> str:
    return (
        f"{card.architecture} of {card.members} seeds, {card.parameters:,} parameters, "
        f"{len(card.schema.venues)} venues, {', '.join(card.assets)}; torch and ONNX agree within "
        f"{card.parity:.1e}"
    )
