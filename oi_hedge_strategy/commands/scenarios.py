"""``oi-hedge scenarios``: named stress tests of the hedge."""

import os
from pathlib import Path

import click

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.backtest.settings import load_settings
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.forecast.shipped import shipped_model
from oi_hedge_strategy.scenarios.definitions import SCENARIOS, Scenario
from oi_hedge_strategy.scenarios.page import write_page
from oi_hedge_strategy.scenarios.result import build_result, write_result
from oi_hedge_strategy.scenarios.run import run_scenarios
from oi_hedge_strategy.scenarios.text import format_markdown, format_result
from oi_hedge_strategy.scenarios.windows import Models


@click.command()
@click.option("--catalog", type=click.Path(path_type=Path), required=True, help="Directory of the catalog.")
@click.option("--model", type=click.Path(path_type=Path), help="ONNX file; the shipped one by default.")
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    help="In place of --model: a registry, whose newest model of the time is used in each scenario.",
)
@click.option("--config", "config", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.option("--only", help=f"Names, comma-separated, of: {', '.join(each.key for each in SCENARIOS)}.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out"), show_default=True, help="Where reports go."
)
def scenarios(
    catalog: Path, model: Path | None, models: Path | None, config: Path | None, only: str | None, out: Path
) -> None:
    """Hedge through dated crashes and through failures of venues and feeds.

    Each runs in the real engine twice: as configured, and with a full hedge on before the shock comes.
    Crashes that the catalog recorded run on the record; the rest are parametric replays over its calmest
    stretch, and marked so. Where no model may be used, since it has seen the time, the open-interest rule
    decides.

    Writes scenarios.html, scenarios.json and scenarios.md.
    """
    if model is not None and models is not None:
        raise ConfigError(f"--model {model} and --models {models} exclude one another; name one of them")
    settings, chosen = load_settings(config), _chosen(only)
    opened = store.open_catalog(catalog)
    simulated = bool(store.read_info(opened)["simulated"])
    _make_writable(out)
    runs = list(run_scenarios(opened, settings, _models(model, models, simulated), chosen))
    result = build_result(runs, settings, simulated)
    write_result(result, out / "scenarios.json")
    write_page(runs, result, out / "scenarios.html")
    write_text(out / "scenarios.md", format_markdown(result))
    click.echo(format_result(result))
    click.echo(f"\npage: {out / 'scenarios.html'}")


def _make_writable(out: Path) -> None:
    """Make the directory now: the runs take minutes."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--out {out}: cannot make the directory ({error.strerror}); name another"
        ) from error
    if not os.access(out, os.W_OK):
        raise ConfigError(f"--out {out}: cannot write to the directory; name another")


def _chosen(only: str | None) -> tuple[Scenario, ...]:
    if only is None:
        return SCENARIOS
    names = [each.strip() for each in only.split(",") if each.strip()]
    unknown = [each for each in names if each not in {scenario.key for scenario in SCENARIOS}]
    if unknown or not names:
        known = ", ".join(each.key for each in SCENARIOS)
        raise ConfigError(f"--only {only}: no scenario {', '.join(unknown) or 'named'}; there are: {known}")
    return tuple(each for each in SCENARIOS if each.key in names)


def _models(model: Path | None, models: Path | None, simulated: bool) -> Models:
    if models is None:
        path = model if model is not None else shipped_model(simulated)
        return Models(path, Forecaster.load(path).card)
    registry = Registry.open(models)
    if registry.current is None:
        raise ConfigError(f"--models {models} holds no promoted model; add one with: oi-hedge retrain")
    return Models(models, registry.load(registry.entries[0]).card, registry)
