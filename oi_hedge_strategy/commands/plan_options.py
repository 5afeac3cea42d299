"""The options by which commands say what to run over which data, and the plan that follows from them."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.backtest.demo import build_demo_catalog
from oi_hedge_strategy.backtest.plan import BacktestPlan, make_plan
from oi_hedge_strategy.backtest.settings import BacktestSettings, load_settings
from oi_hedge_strategy.commands.times import UTC_TIME
from oi_hedge_strategy.forecast.card import ModelCard
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.forecast.shipped import shipped_model
from oi_hedge_strategy.forecast.source import promotion_at

_OPTIONS = (
    click.option(
        "--catalog",
        type=click.Path(path_type=Path),
        help="Directory of the catalog; a simulated market by default.",
    ),
    click.option("--model", type=click.Path(path_type=Path), help="ONNX file; the shipped one by default."),
    click.option(
        "--models",
        type=click.Path(path_type=Path),
        help="In place of --model: a registry, whose newest model of the time is used at each moment.",
    ),
    click.option("--start", type=UTC_TIME, help="First decision; by default when model and look-back allow."),
    click.option("--end", type=UTC_TIME, help="Last decision; by default the end of the data."),
    click.option("--config", "config", type=click.Path(path_type=Path), help="TOML file with settings."),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold the values of `plan_options`."""

    catalog: Path | None
    model: Path | None
    models: Path | None
    start: int | None
    end: int | None

    @classmethod
    def of(cls, settings: BacktestSettings, **values: Any) -> "Asked":
        """Return what was asked for, with the settings' own data and models where nothing was."""
        asked = cls(**values)
        if asked.model is not None and asked.models is not None:
            raise ConfigError(
                f"--model {asked.model} and --models {asked.models} exclude one another; name one of them"
            )
        catalog = asked.catalog or (Path(settings.catalog) if settings.catalog else None)
        model, models = asked.model, asked.models
        if model is None and models is None:
            model = Path(settings.model) if settings.model else None
            models = Path(settings.models) if settings.models else None
        return cls(catalog, model, models, asked.start, asked.end)


def plan_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a plan to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@contextmanager
def opened_plan(config: Path | None, **values: Any) -> Iterator[BacktestPlan]:
    """
    Make the plan that the options ask for; a simulated market lasts as long as the context.

    Parameters
    ----------
    config : Path, optional
        TOML file with settings.
    **values
        The other values of `plan_options`.

    Raises
    ------
    CatalogError, ConfigError, ModelError
        If the plan cannot be made.

    """
    settings = load_settings(config)
    asked = Asked.of(settings, **values)
    with tempfile.TemporaryDirectory() as scratch:
        catalog = asked.catalog if asked.catalog is not None else build_demo_catalog(Path(scratch))
        opened = store.open_catalog(catalog)
        simulated = bool(store.read_info(opened)["simulated"])
        path, card, registry = _chosen(asked, simulated)
        yield make_plan(opened, settings, path, card, asked.start, asked.end, registry)


def _chosen(asked: Asked, simulated: bool) -> tuple[Path, ModelCard, Registry | None]:
    """Return the model file, or the registry, with a card of it."""
    if asked.models is None:
        path = asked.model if asked.model is not None else shipped_model(simulated)
        return path, Forecaster.load(path).card, None
    registry = Registry.open(asked.models)
    first = min((each.valid_from for each in registry.entries), default=0)
    begins = asked.start if asked.start is not None else first
    return asked.models, registry.load(promotion_at(registry, begins)).card, registry
