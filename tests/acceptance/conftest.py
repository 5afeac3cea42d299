"""One small simulated market, and models that force hedging in it."""

from dataclasses import replace

import pytest
from support.models import SHORT_SCHEMA, tiny_card, write_model

from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig
from oi_hedge_strategy.state import StateSchema

VENUES = ("BINANCE", "BYBIT", "GATE", "OKX")


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    """Return a catalog of 114 days from 2024-01-01: ninety fill the look-back, the rest is to be hedged."""
    path = tmp_path_factory.mktemp("market") / "catalog"
    write_market(simulate_market(SimulatedMarketConfig(seed=5, days=114), lambda _: None), path)
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Return a model of the full look-back whose probability swings between 0.3 and 0.9."""
    path = tmp_path_factory.mktemp("model") / "full.onnx"
    return write_model(path, tiny_card(StateSchema(VENUES)), probability=0.6, sensitivity=0.3)


@pytest.fixture(scope="session")
def short_model(tmp_path_factory):
    """Return a model that looks back eight hours, for runs of a few days."""
    path = tmp_path_factory.mktemp("model") / "short.onnx"
    return write_model(
        path, tiny_card(replace(SHORT_SCHEMA, venues=VENUES)), probability=0.6, sensitivity=0.3
    )
