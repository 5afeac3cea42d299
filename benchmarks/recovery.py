"""Recovery of a known edge: a model against the true probabilities of a simulated market."""

from pathlib import Path

import click

from oi_hedge_catalog import store
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.shipped import shipped_model
from oi_hedge_strategy.simulation.recovery import measure_recovery


@click.command()
@click.argument("catalog", type=click.Path(path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="A model; the shipped one by default.")
@click.option("--asset", default="ETH", show_default=True, help="Base coin.")
def main(catalog: Path, model: Path | None, asset: str) -> None:
    """Compare a model with the truth of CATALOG, simulated with --truth-paths."""
    forecaster = Forecaster.load(model or shipped_model(simulated=True))
    click.echo(f"{'':10}{'moments':>8}{'prevalence':>11}{'ROC-AUC':>9}{'oracle':>8}{'recovered':>10}"
               f"{'Brier skill':>13}{'oracle':>8}")  # fmt: skip
    for row in measure_recovery(store.open_catalog(catalog), asset, forecaster):
        click.echo(f"{row.output:10}{row.moments:8}{row.prevalence:11.3f}{row.roc_auc:9.3f}"
                   f"{row.oracle_roc_auc:8.3f}{row.ranking_recovered:10.0%}{row.brier_skill:13.3f}"
                   f"{row.oracle_brier_skill:8.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
