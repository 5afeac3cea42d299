"""What counts as a halt of trading, for the hedge and for the simulated venue alike."""

from nautilus_trader.model.enums import MarketStatusAction

HALTS = (
    MarketStatusAction.HALT,
    MarketStatusAction.SUSPEND,
    MarketStatusAction.PAUSE,
    MarketStatusAction.CLOSE,
    MarketStatusAction.NOT_AVAILABLE_FOR_TRADING,
)
"""Actions of an `InstrumentStatus` during which nothing fills."""
