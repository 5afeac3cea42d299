"""The strategy in a real trading node, its orders going through the official adapter to a loopback venue."""

import asyncio
import time
from pathlib import Path
from typing import Any

from nautilus_trader.cache.config import CacheConfig
from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import DatabaseConfig, LoggingConfig
from nautilus_trader.common.providers import InstrumentProvider
from nautilus_trader.config import (
    LiveDataClientConfig,
    LiveExecEngineConfig,
    TradingNodeConfig,
)
from nautilus_trader.core.data import Data
from nautilus_trader.live.data_client import LiveMarketDataClient
from nautilus_trader.live.factories import LiveDataClientFactory
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import Bar, CustomData, DataType, FundingRateUpdate
from nautilus_trader.model.identifiers import ClientId, TraderId, Venue
from nautilus_trader.trading.strategy import Strategy
from support.engine import bar_type
from support.live_node import until
from support.nodes import NODES
from support.traded import BINANCE, Traded

from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.backtest.recorder import DecisionRecorder
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExposureConfig, PolicyConfig, RailsConfig
from oi_hedge_strategy.live.position_check import PositionCheck
from oi_hedge_strategy.strategy import OIHedgeStrategy


class FeedClient(LiveMarketDataClient):
    """Market data of the hedge venue, handed in by the test."""

    def __init__(self, loop: Any, name: str, msgbus: Any, cache: Any, clock: Any, config: Any) -> None:
        super().__init__(
            loop=loop, client_id=ClientId(name), venue=Venue(name), msgbus=msgbus, cache=cache,
            clock=clock, instrument_provider=InstrumentProvider(), config=config,
        )  # fmt: skip

        self.provider = InstrumentProvider()
        self.history: list[Any] = []
        self.answers = asyncio.Event()
        self.answers.set()

    async def _connect(self) -> None:
        await self.provider.initialize()
        for instrument in self.provider.list_all():
            self._handle_data(instrument)

    async def _request(self, request: Any) -> None:
        await self.answers.wait()
        found = [each for each in self.history if isinstance(each, CustomData)]
        self._handle_data_response(request.data_type, found, request.id, request.start, request.end, None)

    async def _request_bars(self, request: Any) -> None:
        found = [each for each in self.history if isinstance(each, Bar)]
        self._handle_bars(request.bar_type, found, request.id, request.start, request.end, None)

    async def _request_funding_rates(self, request: Any) -> None:
        found = [each for each in self.history if isinstance(each, FundingRateUpdate)]
        asked = request.instrument_id
        self._handle_funding_rates(asked, found, request.id, request.start, request.end, None)

    async def _disconnect(self) -> None:
        pass

    async def _subscribe(self, command: Any) -> None:
        pass

    _subscribe_bars = _subscribe_funding_rates = _subscribe_instrument_status = _subscribe

    def push(self, value: Data) -> None:
        """Publish what came."""
        self._handle_data(value)


class FeedFactory(LiveDataClientFactory):
    """Makes the feed."""

    @staticmethod
    def create(loop: Any, name: str, config: Any, msgbus: Any, cache: Any, clock: Any) -> FeedClient:
        """Return the client."""
        return FeedClient(loop, name, msgbus, cache, clock, config)


class LiveHedge:
    """
    Run the strategy against a venue.

    Parameters
    ----------
    base : str
        Address of the venue that orders go to.
    model : str
        The model file.
    state : Path, optional
        The state directory; none where Redis alone is to remember.
    exposure : float
        What is hedged, ETH.
    traded : Traded
        The venue.
    check_secs : float
        How often the venue is asked for its position.
    redis_port : int
        Of the server behind Nautilus's cache; none when 0.
    **values
        Further fields of the strategy's configuration.

    """

    def __init__(
        self,
        base: str,
        model: str,
        state: Path | None,
        exposure: float = 10.0,
        traded: Traded = BINANCE,
        check_secs: float = 0.25,
        redis_port: int = 0,
        **values: Any,
    ) -> None:
        self.traded = traded
        self._check_secs = check_secs
        values.setdefault(
            "rails", RailsConfig(hard_stop=0.10, max_daily_turnover=100.0, max_daily_orders=100)
        )
        values.setdefault("policy", PolicyConfig(max_hedge_ratio=1.0))
        self.strategy = OIHedgeStrategy(
            OIHedgeConfig(
                bar_type=bar_type(traded.hedge), model=model, instrument_ids=(traded.hedge,),
                state_dir=str(state) if state is not None else "",
                exposure=ExposureConfig(quantity=exposure),
                open_interest_client=ClientId(traded.venue), external_order_claims=[traded.hedge],
                order_id_tag="HEDGE", use_hyphens_in_client_order_ids=traded.hyphens,
                use_timer=False, **values,
            )
        )  # fmt: skip
        self.recorder = DecisionRecorder()
        self.watchers: list[Actor] = []
        self.beside: list[Strategy] = []
        self._config = TradingNodeConfig(
            trader_id=TraderId("LOOPBACK-001"),
            logging=LoggingConfig(log_level="OFF"),
            data_clients={traded.venue: LiveDataClientConfig()},
            exec_clients={traded.venue: traded.exec_config(base)},
            cache=CacheConfig(
                database=DatabaseConfig(type="redis", host="127.0.0.1", port=redis_port)
                if redis_port
                else None
            ),
            load_state=bool(redis_port),
            save_state=bool(redis_port),
            exec_engine=LiveExecEngineConfig(
                reconciliation=True,
                reconciliation_startup_delay_secs=0.05,
                inflight_check_interval_ms=200,
                inflight_check_threshold_ms=600,
                open_check_interval_secs=0.5,
                open_check_threshold_ms=500,
            ),
            timeout_connection=10.0,
            timeout_reconciliation=10.0,
            timeout_disconnection=5.0,
            timeout_post_stop=0.1,
        )

    async def __aenter__(self) -> "LiveHedge":
        self.traded.forget()
        node = self.node = TradingNode(config=self._config, loop=asyncio.get_running_loop())
        NODES.append(node)
        node.add_data_client_factory(self.traded.venue, FeedFactory)
        node.add_exec_client_factory(self.traded.venue, self.traded.factory)
        node.build()
        execution = node.kernel.exec_engine._clients[ClientId(self.traded.venue)]
        self.feed.provider = execution._instrument_provider
        for actor in (self.recorder, *self.watchers):
            node.trader.add_actor(actor)
        for strategy in (self.strategy, *self.beside):
            node.trader.add_strategy(strategy)
        self._task = asyncio.create_task(node.run_async())
        check = PositionCheck(node, self.traded.hedge, self.strategy.hold_orders, self._check_secs)
        self._check = asyncio.create_task(check.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._check.cancel()
        await asyncio.gather(self._check, return_exceptions=True)
        await until(lambda: not any("resubscribe" in repr(each.get_coro()) for each in asyncio.all_tasks()))
        await self.node.stop_async()
        await asyncio.wait_for(self._task, 15.0)

    @property
    def feed(self) -> FeedClient:
        """The data client."""
        found: FeedClient = self.node.kernel.data_engine._clients[ClientId(self.traded.venue)]
        return found

    def bar(self, price: float = 2000.0) -> None:
        """Let a bar of the hedge instrument come, with open interest."""
        ts, hedge = time.time_ns(), self.traded.hedge
        instrument = self.node.cache.instrument(hedge)
        update = OpenInterestUpdate(hedge, 1000.0, None, ts, ts)
        self.feed.push(CustomData(DataType(OpenInterestUpdate), update))
        prices = [instrument.make_price(price)] * 4
        self.feed.push(Bar(bar_type(hedge), *prices, instrument.make_qty(10.0), ts, ts))

    @property
    def held(self) -> float:
        """What the strategy believes it holds, ETH."""
        hedge = self.traded.hedge
        positions = self.node.cache.positions_open(instrument_id=hedge, strategy_id=self.strategy.id)
        return float(sum(each.signed_decimal_qty() * each.multiplier.as_decimal() for each in positions))
