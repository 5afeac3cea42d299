"""The hedge in a backtest of your own: ``python examples/backtest_config.py CATALOG MODEL``."""

import sys

from nautilus_trader.backtest.config import BacktestDataConfig, BacktestEngineConfig, BacktestRunConfig
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.model.data import Bar, FundingRateUpdate
from nautilus_trader.trading.config import ImportableStrategyConfig

from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.simulation.venue import hedge_venue_config

PERPETUAL = "ETHUSDT-PERP.BINANCE"


def hedged_run(catalog: str, model: str) -> BacktestRunConfig:
    """Return a run that hedges ten ETH held elsewhere, with impact, latency, funding and liquidation."""
    bars = f"{PERPETUAL}-1-HOUR-LAST-EXTERNAL"
    hedge = ImportableStrategyConfig(
        strategy_path="oi_hedge_strategy.strategy:OIHedgeStrategy",
        config_path="oi_hedge_strategy.config:OIHedgeConfig",
        config={"bar_type": bars, "model": model, "exposure": {"quantity": 10.0}},
    )
    kinds = ((OpenInterestUpdate, {"client_id": "OI"}), (FundingRateUpdate, {}), (Bar, {"bar_types": [bars]}))
    source = {"catalog_path": catalog, "instrument_id": PERPETUAL}
    return BacktestRunConfig(
        engine=BacktestEngineConfig(strategies=[hedge], logging=LoggingConfig(log_level="ERROR")),
        venues=[hedge_venue_config("BINANCE", ["50000 USDT"])],
        data=[BacktestDataConfig(data_cls=kind, **source, **more) for kind, more in kinds],
        raise_exception=True,  # or the node would swallow what stops the run
        dispose_on_completion=False,
    )


if __name__ == "__main__":
    node = BacktestNode([hedged_run(*sys.argv[1:])])
    node.run()
    print(node.get_engines()[0].trader.generate_positions_report().T)
