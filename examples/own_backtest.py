"""The hedge in a backtest that you already have: strategy, venue modules and data, added to yours."""

from msgspec.structs import replace
from nautilus_trader.backtest.config import BacktestDataConfig, BacktestRunConfig
from nautilus_trader.model.data import FundingRateUpdate
from nautilus_trader.trading.config import ImportableStrategyConfig

from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.simulation.venue import hedge_venue_config


def add_hedge(yours: BacktestRunConfig, catalog: str, model: str, perpetual: str) -> BacktestRunConfig:
    """Return your run with a hedge of ten ETH at a venue with impact, latency, funding and liquidation."""
    hedge = ImportableStrategyConfig(
        strategy_path="oi_hedge_strategy.strategy:OIHedgeStrategy",
        config_path="oi_hedge_strategy.config:OIHedgeConfig",
        config={
            "bar_type": f"{perpetual}-1-HOUR-LAST-EXTERNAL",
            "model": model,
            "exposure": {"quantity": 10.0},
        },
    )
    inputs = ((OpenInterestUpdate, {"client_id": "OI"}), (FundingRateUpdate, {}))
    source = {"catalog_path": catalog, "instrument_id": perpetual}
    data = [BacktestDataConfig(data_cls=kind, **source, **more) for kind, more in inputs]
    venue = hedge_venue_config(perpetual.rpartition(".")[2], ["50000 USDT"])
    engine = replace(yours.engine, strategies=[*yours.engine.strategies, hedge])
    return replace(yours, engine=engine, venues=[*yours.venues, venue], data=[*data, *yours.data])
