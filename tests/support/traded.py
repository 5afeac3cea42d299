"""The venues that orders are sent to in tests: the instrument, and the loopback venue that stands in."""

from dataclasses import dataclass, field
from importlib import import_module

import msgspec
from fakes.binance_venue import BinanceVenue
from fakes.bybit_venue import BybitVenue
from fakes.kraken_venue import KrakenVenue
from fakes.okx_venue import OKXVenue
from fakes.trading_venue import TradingVenue
from nautilus_trader.config import LiveExecClientConfig
from nautilus_trader.live.factories import LiveExecClientFactory
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_strategy.live.config import VenueUrls
from oi_hedge_strategy.live.venues import find_venue

_KEYS = {"api_key": "loopback-key", "api_secret": "loopback-secret"}


@dataclass(frozen=True)
class Traded:
    """
    Name one venue's hedge instrument, and how the official adapter reaches the loopback venue.

    Parameters
    ----------
    venue : str
        Nautilus's name.
    instrument : str
        The hedge instrument.
    fake : type of TradingVenue
        The loopback venue.
    keys : dict of str to str
        Keys of the account there.

    """

    venue: str
    instrument: str
    fake: type[TradingVenue]
    keys: dict[str, str] = field(default_factory=lambda: _KEYS)

    @property
    def hedge(self) -> InstrumentId:
        """The hedge instrument's id."""
        return InstrumentId.from_str(self.instrument)

    def forget(self) -> None:
        """Forget the adapter's connections, as a new process has none: it keeps those that were closed."""
        factory = find_venue(self.venue).data_factory
        for kept in vars(import_module(factory.__module__)).values():
            if hasattr(kept, "cache_clear"):
                kept.cache_clear()

    @property
    def hyphens(self) -> bool:
        """Whether the venue takes hyphens in an order's name."""
        return find_venue(self.venue).hyphens

    @property
    def stop_triggers(self) -> tuple[str, ...]:
        """Which prices can set off a stop there, through the adapter."""
        return find_venue(self.venue).stop_triggers

    @property
    def factory(self) -> type[LiveExecClientFactory]:
        """The official adapter's factory."""
        return find_venue(self.venue).exec_factory

    def exec_config(self, base: str) -> LiveExecClientConfig:
        """Return what a live run would configure, for a loopback venue."""
        urls = VenueUrls(http=base, ws=base.replace("http://", "ws://"))
        return msgspec.structs.replace(
            find_venue(self.venue).exec_client([self.hedge], False, urls), **self.keys
        )


BINANCE = Traded("BINANCE", "ETHUSDT-PERP.BINANCE", BinanceVenue)
BYBIT = Traded("BYBIT", "ETHUSDT-LINEAR.BYBIT", BybitVenue)
OKX = Traded("OKX", "ETH-USDT-SWAP.OKX", OKXVenue, {**_KEYS, "api_passphrase": "loopback-passphrase"})
KRAKEN = Traded("KRAKEN", "PF_ETHUSD.KRAKEN", KrakenVenue, {**_KEYS, "api_secret": "bG9vcGJhY2stc2VjcmV0"})
