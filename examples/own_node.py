"""The hedge in a trading node that you already have: its strategy and its data client, added to yours."""

from msgspec.structs import replace
from nautilus_trader.config import TradingNodeConfig
from nautilus_trader.live.node import TradingNode
from nautilus_trader.trading.config import ImportableStrategyConfig

from oi_hedge_adapters.config import OpenInterestClientConfig
from oi_hedge_adapters.factories import OpenInterestDataClientFactory


def add_hedge(yours: TradingNodeConfig, oi: OpenInterestClientConfig, model: str, bars: str) -> TradingNode:
    """Return your node with a hedge of ten ETH in the instrument of `bars`; your own clients trade it."""
    hedge = ImportableStrategyConfig(
        strategy_path="oi_hedge_strategy.strategy:OIHedgeStrategy",
        config_path="oi_hedge_strategy.config:OIHedgeConfig",
        config={
            "bar_type": bars,
            "model": model,
            "funding_client": "OI",
            "exposure": {"quantity": 10.0},
            "external_order_claims": [bars.partition("-1-")[0]],
        },
    )
    clients, strategies = yours.data_clients | {"OI": oi}, [*yours.strategies, hedge]
    node = TradingNode(replace(yours, data_clients=clients, strategies=strategies))
    node.add_data_client_factory("OI", OpenInterestDataClientFactory)
    return node
