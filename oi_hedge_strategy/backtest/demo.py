"""The market that a backtest without a catalog runs on: small, simulated, and marked as such."""

from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import WARM_UP_DAYS, SimulatedMarketConfig

DEMO_MARKET = SimulatedMarketConfig(seed=2024, start=datetime(2023, 10, 1, tzinfo=UTC), days=274)
"""Three months to fill the look-back, six to hedge; the shipped model was trained on other seeds."""


def build_demo_catalog(directory: Path) -> Path:
    """Simulate the demo market into a catalog below `directory` and return the catalog."""
    days = DEMO_MARKET.days + WARM_UP_DAYS
    with tqdm(total=days, unit="day", desc="simulate", disable=None) as bar:
        market = simulate_market(DEMO_MARKET, lambda _: bar.update())
    catalog = directory / "simulated"
    write_market(market, catalog)
    return catalog
