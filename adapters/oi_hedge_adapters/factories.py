"""How a trading node makes the data client."""

import asyncio

from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import LiveClock, MessageBus
from nautilus_trader.live.factories import LiveDataClientFactory

from oi_hedge_adapters.client import OpenInterestDataClient
from oi_hedge_adapters.config import OpenInterestClientConfig


class OpenInterestDataClientFactory(LiveDataClientFactory):
    """Make an `OpenInterestDataClient` for a `TradingNode`."""

    @staticmethod
    def create(
        loop: asyncio.AbstractEventLoop,
        name: str,
        config: OpenInterestClientConfig,
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
            If `config` is wrong.
        """
        return OpenInterestDataClient(loop, name, msgbus, cache, clock, config)
