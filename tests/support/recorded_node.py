"""A real trading node that hedges on loopback venues and records what it does."""

import asyncio
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from fakes.server import FakeExchanges
from nautilus_trader.adapters.sandbox.config import SandboxExecutionClientConfig
from nautilus_trader.adapters.sandbox.factory import SandboxLiveExecClientFactory
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.common.providers import InstrumentProvider
from nautilus_trader.config import LiveDataClientConfig, TradingNodeConfig
from nautilus_trader.live.data_client import LiveMarketDataClient
from nautilus_trader.live.factories import LiveDataClientFactory
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import Bar, BarType, QuoteTick
from nautilus_trader.model.identifiers import ClientId, InstrumentId, TraderId, Venue
from nautilus_trader.trading.config import ImportableStrategyConfig
from support.models import SHORT_SCHEMA, model_bytes, tiny_card

from oi_hedge_adapters.config import OpenInterestClientConfig
from oi_hedge_adapters.factories import OpenInterestDataClientFactory
from oi_hedge_catalog.instruments import InstrumentSpec, build_instrument
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExecutionConfig, ExposureConfig, RailsConfig
from oi_hedge_strategy.live.observe import ObserveConfig, observed
from oi_hedge_strategy.live.session import Session

HEDGE, OTHER = (InstrumentId.from_str(each) for each in ("ETHUSDT-PERP.BINANCE", "ETHUSDT-LINEAR.BYBIT"))
SECONDS = BarType.from_str(f"{HEDGE}-1-SECOND-LAST-EXTERNAL")
SECOND_SCHEMA = type(SHORT_SCHEMA)(
    venues=SHORT_SCHEMA.venues,
    offsets_hours=(0.0, 0.001, 0.002),
    max_age_hours=24.0,
    bar_seconds=1,
    resolution_seconds=1,
    liquidation_map=SHORT_SCHEMA.liquidation_map,
)


class TickerConfig(LiveDataClientConfig, frozen=True, kw_only=True):
    """Configure a `Ticker`: the instrument whose bars it sends, and how often."""

    instrument_id: InstrumentId
    every_secs: float = 0.1
    seed: int = 0


class Ticker(LiveMarketDataClient):
    """Send quotes and bars of a random walk, stamped with the time at which they were made."""

    def __init__(
        self, loop: Any, name: str, msgbus: Any, cache: Any, clock: Any, config: TickerConfig
    ) -> None:
        super().__init__(
            loop=loop, client_id=ClientId(name), venue=Venue(name), msgbus=msgbus, cache=cache, clock=clock,
            instrument_provider=InstrumentProvider(), config=config,
        )  # fmt: skip
        self._config_of = config
        self.every_secs = config.every_secs
        self.sent = 0
        self._task: asyncio.Task[None] | None = None

    async def _connect(self) -> None:
        self._instrument = build_instrument(spec(self._config_of.instrument_id))
        self._handle_data(self._instrument)

    async def _disconnect(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _subscribe_bars(self, command: Any) -> None:
        self._task = self._loop.create_task(self._send(command.bar_type))

    async def _unsubscribe_bars(self, command: Any) -> None:
        await self._disconnect()

    async def _send(self, bar_type: BarType) -> None:
        rng, price, each = np.random.default_rng(self._config_of.seed), 2000.0, self._instrument
        size = each.make_qty(100.0)
        while True:
            price *= float(np.exp(rng.normal(0.0, 0.002)))
            now = self._clock.timestamp_ns()
            bid, ask = each.make_price(price - 0.05), each.make_price(price + 0.05)
            self._handle_data(QuoteTick(each.id, bid, ask, size, size, now, now))
            open_, high, low, close = (each.make_price(price * k) for k in (1.0, 1.001, 0.999, 1.0))
            self._handle_data(Bar(bar_type, open_, high, low, close, size, now, self._clock.timestamp_ns()))
            self.sent += 1
            await asyncio.sleep(self.every_secs)


class TickerFactory(LiveDataClientFactory):
    """Make a `Ticker`."""

    @staticmethod
    def create(loop: Any, name: str, config: Any, msgbus: Any, cache: Any, clock: Any) -> Ticker:
        """Return the client."""
        return Ticker(loop, name, msgbus, cache, clock, config)


def spec(instrument_id: InstrumentId) -> InstrumentSpec:
    """Return a linear perpetual of ETH."""
    return InstrumentSpec(
        id=str(instrument_id), market="perp", base="ETH", quote="USDT", price_precision=2, size_precision=3,
        maker_fee="0.0002", taker_fee="0.0005", margin_init="0.05", margin_maint="0.025",
    )  # fmt: skip


def strategy_config(directory: Path, **changes: Any) -> OIHedgeConfig:
    """Return a strategy that forecasts on each of the ticker's bars and twice a second by its timer."""
    model = directory / "model.onnx"
    model.write_bytes(model_bytes(tiny_card(SECOND_SCHEMA), probability=0.6, sensitivity=0.3))
    values: dict[str, Any] = {
        "bar_type": SECONDS,
        "model": str(model),
        "exposure": ExposureConfig(quantity=10.0),
        "rails": RailsConfig(
            hard_stop=0.05, max_daily_orders=100_000, max_daily_turnover=1e6, cooldown_hours=0.001
        ),
        "execution": ExecutionConfig(min_adjustment=0.02),
        "forecast_interval_secs": 0.5,
        "use_timer": True,
        "funding_client": ClientId("OI"),
        "order_id_tag": "HEDGE",
    }
    return OIHedgeConfig(**values | changes)


def node_config(
    exchanges: FakeExchanges, strategy: OIHedgeConfig, every_secs: float = 0.1
) -> TradingNodeConfig:
    """Return the configuration of a node with two tickers, our client and a simulated venue."""
    interest = OpenInterestClientConfig(
        base_urls=exchanges.urls, stale_after_secs=30.0, backoff_initial_secs=0.05, timeout_secs=3.0
    )
    return TradingNodeConfig(
        trader_id=TraderId("PAPER-001"),
        logging=LoggingConfig(log_level="ERROR"),
        data_clients={
            "BINANCE": TickerConfig(instrument_id=HEDGE, every_secs=every_secs, seed=1),
            "BYBIT": TickerConfig(instrument_id=OTHER, every_secs=every_secs, seed=2),
            "OI": interest,
        },
        exec_clients={
            "BINANCE": SandboxExecutionClientConfig(
                venue="BINANCE",
                starting_balances=["100000 USDT"],
                default_leverage=Decimal(3),
                bar_execution=False,
            )
        },
        strategies=[
            ImportableStrategyConfig(
                strategy_path="oi_hedge_strategy.strategy:OIHedgeStrategy",
                config_path="oi_hedge_strategy.config:OIHedgeConfig",
                config=strategy.json_primitives(),
            )
        ],
        timeout_connection=5.0,
        timeout_disconnection=5.0,
        timeout_post_stop=0.2,
    )


def run_recorded(
    root: Path,
    until: Callable[[TradingNode, Session, FakeExchanges], Any],
    observe: ObserveConfig | None = None,
    every_secs: float = 0.1,
    **changes: Any,
) -> Session:
    """
    Run a node on the loopback venues until the coroutine `until` is over, and return its session.

    The session is not converted; it is marked as finished.
    """
    mask = os.umask(0o022)
    os.umask(mask)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    nodes: list[TradingNode] = []

    async def scenario() -> Session:
        exchanges = FakeExchanges()
        await exchanges.start()
        config = node_config(exchanges, strategy_config(root, **changes), every_secs)
        logging = LoggingConfig(
            log_level="ERROR",
            log_level_file="DEBUG",
            log_directory=str(root / "logs"),
            log_file_format="json",
        )
        config = msgspec.structs.replace(config, logging=logging)
        config, session = observed(config, root / "sessions", "paper", observe or ObserveConfig(), {})
        node = TradingNode(config=config, loop=loop)
        nodes.append(node)
        for venue in ("BINANCE", "BYBIT"):
            node.add_data_client_factory(venue, TickerFactory)
        node.add_data_client_factory("OI", OpenInterestDataClientFactory)
        node.add_exec_client_factory("BINANCE", SandboxLiveExecClientFactory)
        node.build()
        task = loop.create_task(node.run_async())
        try:
            await asyncio.wait_for(until(node, session, exchanges), 60.0)
        finally:
            await node.stop_async()
            await asyncio.wait_for(task, 15.0)
            await exchanges.stop()
        return session

    try:
        session = loop.run_until_complete(scenario())
        left = asyncio.all_tasks(loop)
        for each in left:
            each.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        for node in nodes:
            node.dispose()
        if not loop.is_closed():
            loop.close()
        asyncio.set_event_loop(None)
        os.umask(mask)
    session.finish()
    return session


def status_of(session: Session) -> dict[str, Any]:
    """Return what the session's status file says, empty before there is one."""
    path = session.directory / "status.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found
