"""How a trading node makes the data client."""

import asyncio
from contextlib import suppress
from importlib import import_module

from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import LiveClock, MessageBus
from nautilus_trader.config import LiveDataClientConfig
from nautilus_trader.live.factories import LiveDataClientFactory

from oi_hedge_adapters.client import OpenInterestDataClient
from oi_hedge_adapters.config import OpenInterestClientConfig
from oi_hedge_catalog.errors import ConfigError


class OpenInterestDataClientFactory(LiveDataClientFactory):
    """Make an `OpenInterestDataClient` for a `TradingNode`."""

    @staticmethod
    def create(
        loop: asyncio.AbstractEventLoop,
        name: str,
        config: LiveDataClientConfig,
        msgbus: MessageBus,
        cache: Cache,
        clock: LiveClock,
    ) -> OpenInterestDataClient:
        """
        Make the client.

        Parameters
        ----------
        loop : asyncio.AbstractEventLoop
            The node's event loop.
        name : str
            The client's id, the key of `TradingNodeConfig.data_clients`.
        config : OpenInterestClientConfig
            The configuration.
        msgbus, cache, clock
            Nautilus's.

        Raises
        ------
        ConfigError
            If `config` is wrong, or of another client.
        """
        if not isinstance(config, OpenInterestClientConfig):
            raise ConfigError(f"{name}: expected an OpenInterestClientConfig, found {type(config).__name__}")
        with suppress(ImportError):  # a feed says that ccxt is missing
            import_module("ccxt.pro")  # takes seconds, in which a running node would stand still
        return OpenInterestDataClient(loop, name, msgbus, cache, clock, config)
