"""The argument MODEL of commands: a file, or a registry."""

from pathlib import Path

from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.forecast.source import promotion_at


def load_model(model: Path, at_ns: int) -> Forecaster:
    """
    Open a model file, or of a registry the model in use at a time.

    Raises
    ------
    ModelError
        If it cannot be run, or the registry has no model by then.

    """
    if not model.is_dir():
        return Forecaster.load(model)
    registry = Registry.open(model)
    return registry.load(promotion_at(registry, at_ns))
