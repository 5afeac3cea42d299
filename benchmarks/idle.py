"""A strategy that subscribes like the hedging one and does nothing: what the engine itself costs."""

from nautilus_trader.model.data import BarType, DataType
from nautilus_trader.model.identifiers import ClientId, InstrumentId
from nautilus_trader.trading.config import StrategyConfig
from nautilus_trader.trading.strategy import Strategy

from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.history import SPOT_SUFFIX


class IdleConfig(StrategyConfig, frozen=True):
    """Name the bars and instruments to subscribe."""

    bar_type: BarType
    instrument_ids: tuple[InstrumentId, ...]


class IdleStrategy(Strategy):
    """Receive everything that the hedging strategy receives."""

    def on_start(self) -> None:
        """Subscribe."""
        bars = self.config.bar_type
        for instrument_id in self.config.instrument_ids:
            self.subscribe_bars(BarType(instrument_id, bars.spec, bars.aggregation_source))
            if not instrument_id.venue.value.endswith(SPOT_SUFFIX):
                self.subscribe_funding_rates(instrument_id)
                self.subscribe_data(
                    DataType(OpenInterestUpdate), client_id=ClientId("OI"), instrument_id=instrument_id
                )
