"""Market state: what was known at a moment, and where leverage would be liquidated. No framework."""

from oi_hedge_strategy.state.liquidation_map import LiquidationMap, LiquidationMapConfig
from oi_hedge_strategy.state.market import MarketState, Snapshot
from oi_hedge_strategy.state.plausibility import InterestLimits
from oi_hedge_strategy.state.schema import CHANNELS, Channel, StateSchema, Stream

__all__ = [
    "CHANNELS",
    "Channel",
    "InterestLimits",
    "LiquidationMap",
    "LiquidationMapConfig",
    "MarketState",
    "Snapshot",
    "StateSchema",
    "Stream",
]
