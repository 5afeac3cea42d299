"""The market data that a node needs beside what the strategy subscribes to."""

from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorConfig
from nautilus_trader.model.identifiers import InstrumentId


class MarketWatchConfig(ActorConfig, frozen=True):
    """
    Configure a `MarketWatch`.

    Parameters
    ----------
    instrument_id : InstrumentId
        The hedge instrument.
    quotes : bool
        Whether its quotes are subscribed, for a simulated venue that matches on them.

    """

    instrument_id: InstrumentId
    quotes: bool


class MarketWatch(Actor):
    """Subscribe the hedge instrument's quotes; whoever needs them finds them in the cache."""

    def on_start(self) -> None:
        """Subscribe."""
        if self.config.quotes:
            self.subscribe_quote_ticks(self.config.instrument_id)

    def on_stop(self) -> None:
        """Unsubscribe."""
        if self.config.quotes:
            self.unsubscribe_quote_ticks(self.config.instrument_id)
