"""``oi-hedge explain``: what a forecast came from."""

from pathlib import Path

import click

from oi_hedge_catalog import store
from oi_hedge_strategy.commands.extras import require_training_extra
from oi_hedge_strategy.commands.model_argument import load_model
from oi_hedge_strategy.commands.times import UTC_TIME
from oi_hedge_strategy.history import load_history


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--catalog", type=click.Path(path_type=Path), required=True, help="Directory of the catalog.")
@click.option("--at", type=UTC_TIME, required=True, help="The moment; nothing known later is read.")
@click.option("--asset", default="ETH", show_default=True, help="Base coin.")
@click.option("--out", type=click.Path(path_type=Path), help="Write explanation.html into this directory.")
def explain(model: Path, catalog: Path, at: int, asset: str, out: Path | None) -> None:
    """Explain what MODEL, a file or a registry, forecasts at a moment.

    Shows the forecast against the base rates of the model's calibration window, what each venue and each
    group of inputs contributes in log-odds, and the liquidation map.
    """
    require_training_extra("scipy")
    from oi_hedge_strategy.training.explain import explain as run_explanation
    from oi_hedge_strategy.training.explain_page import write_explanation
    from oi_hedge_strategy.training.explain_text import explanation_text

    forecaster = load_model(model, at)
    history = load_history(store.open_catalog(catalog), asset, end_ns=at)
    found = run_explanation(forecaster, history, at)
    click.echo(explanation_text(found))
    if out is not None:
        click.echo(f"\n{write_explanation(found, out)}")
