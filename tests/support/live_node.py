"""A real trading node with the open-interest client against loopback exchanges."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fakes.server import FakeExchanges
from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorConfig, LoggingConfig
from nautilus_trader.config import TradingNodeConfig
from nautilus_trader.core.data import Data
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import DataType, FundingRateUpdate, InstrumentStatus
from nautilus_trader.model.identifiers import ClientId, InstrumentId, TraderId
from support.nodes import NODES

from oi_hedge_adapters.client import OpenInterestDataClient
from oi_hedge_adapters.config import OpenInterestClientConfig
from oi_hedge_adapters.factories import OpenInterestDataClientFactory
from oi_hedge_adapters.feed_status import FeedStatus
from oi_hedge_catalog import LiquidationRecord, LongShortRatio, OpenInterestUpdate

CLIENT = ClientId("OI")
CUSTOM = (OpenInterestUpdate, LongShortRatio, LiquidationRecord)


class ListenerConfig(ActorConfig, frozen=True):
    """Name what to subscribe: data types by name, each of every instrument."""

    instrument_ids: tuple[InstrumentId, ...]
    kinds: tuple[str, ...] = ("OpenInterestUpdate",)


class Listener(Actor):
    """
    Subscribe as a strategy would and keep what comes, by type and instrument.

    Attributes
    ----------
    received : dict
        Lists of data by (type, instrument id).
    history : list
        What requests brought.

    """

    def __init__(self, config: ListenerConfig) -> None:
        super().__init__(config)
        self.received: dict[tuple[type, str], list[Any]] = defaultdict(list)
        self.history: list[Any] = []

    def on_start(self) -> None:
        """Subscribe."""
        kinds = self.config.kinds
        for instrument_id in self.config.instrument_ids:
            for kind in (*CUSTOM, FeedStatus):
                if kind.__name__ in kinds or kind is FeedStatus:
                    self.subscribe_data(DataType(kind), client_id=CLIENT, instrument_id=instrument_id)
            if "FundingRateUpdate" in kinds:
                self.subscribe_funding_rates(instrument_id, client_id=CLIENT)
            if "InstrumentStatus" in kinds:
                self.subscribe_instrument_status(instrument_id, client_id=CLIENT)

    def of(self, kind: type, instrument_id: InstrumentId | str) -> list[Any]:
        """Return what was received of a type and instrument."""
        return self.received[kind, str(instrument_id)]

    def _keep(self, data: Any) -> None:
        self.received[type(data), str(data.instrument_id)].append(data)

    def on_data(self, data: Data) -> None:
        """Keep custom data."""
        self._keep(data)

    def on_funding_rate(self, funding_rate: FundingRateUpdate) -> None:
        """Keep a funding rate."""
        self._keep(funding_rate)

    def on_instrument_status(self, data: InstrumentStatus) -> None:
        """Keep a status."""
        self._keep(data)

    def on_historical_data(self, data: Any) -> None:
        """Keep what a request brought."""
        self.history += data if isinstance(data, list) else [data]


class LiveNode:
    """
    Run a node with `actors` and give access to its client.

    Parameters
    ----------
    exchanges : FakeExchanges
        Where the client asks.
    actors : sequence of Actor
        What listens.
    **settings
        Of `OpenInterestClientConfig`; quick ones by default.

    """

    def __init__(self, exchanges: FakeExchanges, actors: Sequence[Actor], **settings: Any) -> None:
        quick: dict[str, Any] = {
            "base_urls": exchanges.urls,
            "stale_after_secs": 30.0,
            "backoff_initial_secs": 0.05,
            "backoff_max_secs": 0.2,
            "timeout_secs": 3.0,
        }
        config = OpenInterestClientConfig(**{**quick, **settings})
        self._node_config = TradingNodeConfig(
            trader_id=TraderId("LISTENER-001"),
            logging=LoggingConfig(log_level="ERROR"),
            data_clients={"OI": config},
            timeout_connection=5.0,
            timeout_disconnection=5.0,
            timeout_post_stop=0.1,
        )
        self._actors = actors

    async def __aenter__(self) -> "LiveNode":
        self.node = TradingNode(config=self._node_config, loop=asyncio.get_running_loop())
        NODES.append(self.node)
        self.node.add_data_client_factory("OI", OpenInterestDataClientFactory)
        self.node.build()
        for actor in self._actors:
            self.node.trader.add_actor(actor)
        self._task = asyncio.create_task(self.node.run_async())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.node.stop_async()
        await asyncio.wait_for(self._task, 10.0)

    @property
    def client(self) -> OpenInterestDataClient:
        """The data client of the node."""
        clients = self.node.kernel.data_engine._clients
        found: OpenInterestDataClient = clients[CLIENT]
        return found


def run_live(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run `scenario` in a loop of its own and dispose of its nodes after it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    NODES.clear()
    try:
        loop.run_until_complete(scenario())
        left = asyncio.all_tasks(loop)
        ours = [task for task in left if "ActorExecutor" not in repr(task.get_coro())]
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        assert not ours, f"tasks were left behind: {ours}"
    finally:
        for node in NODES:
            node.dispose()
        if not loop.is_closed():
            loop.close()
        asyncio.set_event_loop(None)


async def until(condition: Callable[[], Any], timeout_secs: float = 15.0) -> None:
    """Wait until `condition` holds; fail if it never does."""
    for _ in range(round(timeout_secs / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"never came true within {timeout_secs} s")
