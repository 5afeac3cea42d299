"""The trading node of a paper or live run, built from the same settings as a backtest."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from nautilus_trader.cache.config import CacheConfig
from nautilus_trader.common.config import DatabaseConfig, ImportableActorConfig, LoggingConfig
from nautilus_trader.config import (
    LiveDataEngineConfig,
    LiveExecEngineConfig,
    LiveRiskEngineConfig,
    TradingNodeConfig,
)
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import BarType
from nautilus_trader.model.identifiers import ClientId, InstrumentId, TraderId, Venue
from nautilus_trader.trading.config import ImportableStrategyConfig

from oi_hedge_adapters.factories import OpenInterestDataClientFactory
from oi_hedge_adapters.venues import ROWS, Feed, row_of
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.backtest.node_config import HEDGE_ID, HEDGE_TAG
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.hedging.config import ExposureConfig
from oi_hedge_strategy.history import SPOT_SUFFIX
from oi_hedge_strategy.live.config import ACCOUNT_FILE, LEDGER, SESSIONS, STATE, Mode, run_directory
from oi_hedge_strategy.live.observe import observed
from oi_hedge_strategy.live.sandbox import PaperSandboxConfig, SandboxLiveExecClientFactory
from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.live.venues import VENUES, find_venue
from oi_hedge_strategy.simulation.venue import hedge_venue_config
from oi_hedge_strategy.state import StateSchema

OI_CLIENT = "OI"
_CACHED = 1_000
"""Bars, quotes and funding rates of each instrument that Nautilus keeps: no look-back is read from there."""
_UNITS = ((3600, "HOUR"), (60, "MINUTE"), (1, "SECOND"))


def modules(settings: BacktestSettings, mode: Mode) -> list[ImportableActorConfig]:
    """
    Return the actors that run beside the strategy: the one place where a part of the node is added.

    Parameters
    ----------
    settings : BacktestSettings
        What was asked for.
    mode : "paper" or "live"
        The kind of run.

    """
    hedge = str(settings.hedge_instrument)
    ledger = {
        "directory": str(directory_of(settings, mode) / LEDGER),
        "bar_type": str(bar_type_of(settings, _schema(settings))),
        "exposure_instrument": str(settings.exposure_instrument),
        "strategy_id": HEDGE_ID,
    }
    return [
        _actor("live.market:MarketWatch", instrument_id=hedge, quotes=_on_quotes(settings)),
        _actor("live.ledger_keeper:LedgerKeeper", **ledger),
    ]


def build_node(
    settings: BacktestSettings,
    mode: Mode,
    *,
    real_orders: bool = False,
    loop: asyncio.AbstractEventLoop | None = None,
) -> tuple[TradingNode, Session]:
    """
    Build the node of a run and the session that it records; nothing connects before the node is run.

    Parameters
    ----------
    settings : BacktestSettings
        What was asked for.
    mode : "paper" or "live"
        Whether orders are simulated, or go to the hedge venue.
    real_orders : bool
        Whether a live run may leave the venue's testnet.
    loop : asyncio.AbstractEventLoop
        Where the node runs; a new one by default.

    Raises
    ------
    ConfigError
        If the settings do not fit a live node, or real orders are asked for without `real_orders`.

    """
    settings.check()
    if mode == "live":
        settings.live.check_orders(real_orders)
    directory = directory_of(settings, mode)
    config, session = observed(
        node_config(settings, mode),
        directory / SESSIONS,
        mode,
        settings.observe,
        settings.json_primitives(),
    )
    node = TradingNode(config=config, loop=loop)
    for row in VENUES:
        if row.venue in config.data_clients:
            node.add_data_client_factory(row.venue, row.data_factory)
        if row.venue in config.exec_clients:
            paper = mode == "paper"
            node.add_exec_client_factory(
                row.venue, SandboxLiveExecClientFactory if paper else row.exec_factory
            )
    node.add_data_client_factory(OI_CLIENT, OpenInterestDataClientFactory)
    node.build()
    return node, session


def node_config(settings: BacktestSettings, mode: Mode) -> TradingNodeConfig:
    """
    Return Nautilus's configuration of the run; it holds no keys.

    Market data are the real market's also where orders go to a testnet: a forecast of a test market would say
    nothing. Nautilus's own check of positions stays off: it takes a venue that fails to answer for one that
    holds nothing, and the hedge would be opened a second time; `PositionCheck` does not.
    """
    node = settings.node
    instruments = instruments_read(settings, _schema(settings))
    by_venue: dict[str, list[InstrumentId]] = defaultdict(list)
    for each in instruments:
        by_venue[each.venue.value].append(each)
    data: dict[str, Any] = {
        venue: find_venue(venue).data_client(ids, False, node.urls.get(venue))
        for venue, ids in by_venue.items()
    }
    data[OI_CLIENT] = node.open_interest
    return TradingNodeConfig(
        trader_id=TraderId(node.trader_id),
        logging=LoggingConfig(
            log_level=node.log_level,
            log_level_file=node.log_level if node.log_directory else None,
            log_directory=node.log_directory or None,
        ),
        cache=CacheConfig(
            database=DatabaseConfig(type="redis", host=node.redis_host, port=node.redis_port)
            if node.redis_host
            else None,
            tick_capacity=_CACHED,
            bar_capacity=_CACHED,
        ),
        data_engine=LiveDataEngineConfig(graceful_shutdown_on_exception=True),
        risk_engine=LiveRiskEngineConfig(graceful_shutdown_on_exception=True),
        exec_engine=LiveExecEngineConfig(
            graceful_shutdown_on_exception=True,
            reconciliation=True,
            reconciliation_startup_delay_secs=0.0 if mode == "paper" else 10.0,
            open_check_interval_secs=10.0 if mode == "live" else None,
            position_check_interval_secs=None,
        ),
        data_clients=data,
        exec_clients=_exec_clients(settings, mode, by_venue),
        strategies=[_strategy(settings, mode, instruments)],
        actors=modules(settings, mode),
        load_state=bool(node.redis_host),
        save_state=bool(node.redis_host),
        timeout_connection=node.timeout_secs,
        timeout_reconciliation=node.timeout_secs,
        timeout_portfolio=node.timeout_secs,
        timeout_disconnection=node.timeout_secs,
        timeout_post_stop=1.0,
    )


def directory_of(settings: BacktestSettings, mode: Mode) -> Path:
    """Return the directory of a run, made for its owner alone."""
    return run_directory(settings.paper.directory if mode == "paper" else settings.live.directory)


def instruments_read(settings: BacktestSettings, schema: StateSchema | None) -> tuple[InstrumentId, ...]:
    """
    Return the instruments that the strategy reads: the hedge, the exposure, the perpetual of each venue.

    By default those are the venues of the model that NautilusTrader has an adapter for; the market state
    masks the others.

    Raises
    ------
    ConfigError
        If a venue that the settings name has no adapter, or no perpetual of the hedge's coin.

    """
    hedge = settings.hedge_instrument
    parts = row_of(hedge).parts(hedge.symbol.value)
    assert parts is not None
    traded = {row.venue for row in VENUES}
    wanted = settings.venues or [
        each for each in (schema.venues if schema is not None else ()) if each in traded
    ]
    found = [hedge]
    for venue in wanted:
        find_venue(venue)
        if venue != hedge.venue.value:
            found.append(_perpetual(venue, parts["base"], parts["quote"]))
    exposure = settings.exposure_instrument
    if exposure.venue.value in traded and exposure not in found:
        found.append(exposure)
    return tuple(found)


def bar_type_of(settings: BacktestSettings, schema: StateSchema | None) -> BarType:
    """Return the bars of the hedge instrument, of the length that the model was trained on."""
    seconds = schema.bar_seconds if schema is not None else 3600
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    text = f"{settings.hedge_instrument}-{seconds // size}-{unit}-LAST-{settings.node.bar_source.upper()}"
    return BarType.from_str(text)


def _perpetual(venue: str, base: str, quote: str) -> InstrumentId:
    """Return the venue's perpetual of a coin: the linear one in the same quote where there is one."""
    rows = [row for row in ROWS if row.venue == venue and not row.option]
    for row in sorted(rows, key=lambda row: (row.inverse, quote not in row.quotes)):
        if Feed.OPEN_INTEREST in row.live and (not row.bases or base in row.bases):
            return row.instrument_id(base, quote if quote in row.quotes else None)
    raise ConfigError(f"venues: {venue} has no perpetual of {base} whose open interest is read live")


def _schema(settings: BacktestSettings) -> StateSchema | None:
    """Return the schema of the model in use, None for a policy without one."""
    if settings.models:
        registry = Registry.open(Path(settings.models))
        return registry.load(registry.entries[-1]).card.schema
    return Forecaster.load(Path(settings.model)).card.schema if settings.model else None


def _strategy(
    settings: BacktestSettings, mode: Mode, instruments: Sequence[InstrumentId]
) -> ImportableStrategyConfig:
    config = OIHedgeConfig(
        bar_type=bar_type_of(settings, _schema(settings)),
        model=settings.model,
        models=settings.models,
        instrument_ids=tuple(instruments),
        open_interest_client=ClientId(OI_CLIENT),
        funding_client=ClientId(OI_CLIENT),
        exposure=_exposure(settings, mode),
        policy=settings.policy,
        rails=settings.rails,
        execution=settings.execution,
        drift=settings.drift,
        forecast_interval_secs=settings.node.forecast_interval_secs,
        use_timer=True,
        order_id_tag=HEDGE_TAG,
        use_hyphens_in_client_order_ids=find_venue(settings.hedge_instrument.venue.value).hyphens,
        external_order_claims=[settings.hedge_instrument],
        state_dir=str(directory_of(settings, mode) / STATE),
        request_look_back=settings.node.request_look_back,
        look_back_catalog=settings.node.look_back_catalog,
        taker_fee=settings.costs.fees(settings.hedge_instrument.venue.value)[1],
    )
    config.check()
    return ImportableStrategyConfig(
        strategy_path="oi_hedge_strategy.strategy:OIHedgeStrategy",
        config_path="oi_hedge_strategy.config:OIHedgeConfig",
        config=config.json_primitives(),
    )


def _exposure(settings: BacktestSettings, mode: Mode) -> ExposureConfig:
    if mode == "paper" or settings.live.exposure == "fixed":
        return ExposureConfig(quantity=settings.exposure_quantity)
    held = settings.exposure_instrument
    if held.venue.value.endswith(SPOT_SUFFIX):
        return ExposureConfig(balance_venues=(Venue(held.venue.value),))
    return ExposureConfig(instrument_ids=(held,))


def _exec_clients(
    settings: BacktestSettings, mode: Mode, by_venue: dict[str, list[InstrumentId]]
) -> dict[str, Any]:
    hedge, node = settings.hedge_instrument.venue.value, settings.node
    if mode == "live":
        venues = {hedge}
        if settings.live.exposure == "account":
            venues.add(settings.exposure_instrument.venue.value)
        return {
            venue: find_venue(venue).exec_client(by_venue[venue], settings.live.testnet, node.urls.get(venue))
            for venue in sorted(venues)
        }
    parts = row_of(settings.hedge_instrument).parts(settings.hedge_instrument.symbol.value)
    assert parts is not None
    balances = [f"{settings.paper.balance:.2f} {parts['quote']}"]
    leverage = Decimal(str(settings.leverage))
    return {
        hedge: PaperSandboxConfig(
            venue=hedge,
            starting_balances=balances,
            default_leverage=leverage,
            bar_execution=not _on_quotes(settings),
            trade_execution=not _on_quotes(settings),
            account_file=str(directory_of(settings, mode) / ACCOUNT_FILE),
            latency_ms=settings.latency_ms * settings.costs.latency_multiplier,
            simulation=hedge_venue_config(
                hedge,
                balances,
                leverage=settings.leverage,
                latency_ms=0.0,
                impact=settings.impact,
                costs=settings.costs,
                fee_rates=settings.costs.fees(hedge),
                moves_market=False,
                funding={"rates": "predicted"},
            ),
        )
    }


def _on_quotes(settings: BacktestSettings) -> bool:
    return settings.node.fills_on == "quotes"


def _actor(path: str, **values: Any) -> ImportableActorConfig:
    full = f"oi_hedge_strategy.{path}"
    return ImportableActorConfig(actor_path=full, config_path=f"{full}Config", config=values)
