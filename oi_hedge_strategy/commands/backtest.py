"""``oi-hedge backtest``: hedge an exposure over a catalog and judge the hedge."""

import tempfile
from pathlib import Path

import click

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.backtest.demo import build_demo_catalog
from oi_hedge_strategy.backtest.plan import make_plan
from oi_hedge_strategy.backtest.run import run_backtest
from oi_hedge_strategy.backtest.settings import load_settings
from oi_hedge_strategy.commands.times import UTC_TIME
from oi_hedge_strategy.evaluation.report import write_report
from oi_hedge_strategy.evaluation.result import build_result, write_result
from oi_hedge_strategy.evaluation.summary import format_summary
from oi_hedge_strategy.forecast.card import ModelCard
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.forecast.shipped import shipped_model
from oi_hedge_strategy.forecast.source import promotion_at


@click.command()
@click.option(
    "--catalog",
    type=click.Path(path_type=Path),
    help="Directory of the catalog; a simulated market by default.",
)
@click.option("--model", type=click.Path(path_type=Path), help="ONNX file; the shipped one by default.")
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    help="In place of --model: a registry, whose newest model of the time is used at each moment.",
)
@click.option("--start", type=UTC_TIME, help="First decision; by default when model and look-back allow.")
@click.option("--end", type=UTC_TIME, help="Last decision; by default the end of the data.")
@click.option("--config", "config", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where reports go; `reports` of the settings by default."
)
def backtest(
    catalog: Path | None,
    model: Path | None,
    models: Path | None,
    start: int | None,
    end: int | None,
    config: Path | None,
    out: Path | None,
) -> None:
    """Hedge an exposure over a catalog: hedged, unhedged and baselines on the same data.

    Writes report.html, result.json, Nautilus's order, fill and position reports, and every forecast and
    decision as a catalog. Without --catalog it simulates a market first; nothing then says anything about
    real ones.
    """
    if model is not None and models is not None:
        raise ConfigError(f"--model {model} and --models {models} exclude one another; name one of them")
    settings = load_settings(config)
    catalog = catalog or (Path(settings.catalog) if settings.catalog else None)
    if model is None and models is None:
        model = Path(settings.model) if settings.model else None
        models = Path(settings.models) if settings.models else None
    out = out or Path(settings.reports)
    with tempfile.TemporaryDirectory() as scratch:
        opened = store.open_catalog(catalog if catalog is not None else build_demo_catalog(Path(scratch)))
        simulated = bool(store.read_info(opened)["simulated"])
        path, card, registry = _chosen(model, models, simulated, start)
        plan = make_plan(opened, settings, path, card, start, end, registry)
        record = run_backtest(plan, out)
        result = build_result(record)
        write_result(out / "result.json", result)
        write_report(record, result, out / "report.html")
    click.echo(format_summary(result))
    click.echo(f"\nreport: {out / 'report.html'}")


def _chosen(
    model: Path | None, models: Path | None, simulated: bool, start: int | None
) -> tuple[Path, ModelCard, Registry | None]:
    """Return the model file, or the registry, with a card of it."""
    if models is None:
        path = model if model is not None else shipped_model(simulated)
        return path, Forecaster.load(path).card, None
    registry = Registry.open(models)
    begins = start if start is not None else min((each.valid_from for each in registry.entries), default=0)
    return models, registry.load(promotion_at(registry, begins)).card, registry
