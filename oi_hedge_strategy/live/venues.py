"""The table of venues that NautilusTrader itself connects to: one row each, for data and for execution."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nautilus_trader.adapters.binance.common.enums import BinanceAccountType, BinanceEnvironment
from nautilus_trader.adapters.binance.config import BinanceDataClientConfig, BinanceExecClientConfig
from nautilus_trader.adapters.binance.factories import BinanceLiveDataClientFactory
from nautilus_trader.adapters.bybit.config import BybitDataClientConfig, BybitExecClientConfig
from nautilus_trader.adapters.bybit.factories import BybitLiveDataClientFactory, BybitLiveExecClientFactory
from nautilus_trader.adapters.deribit.config import DeribitDataClientConfig, DeribitExecClientConfig
from nautilus_trader.adapters.deribit.factories import (
    DeribitLiveDataClientFactory,
    DeribitLiveExecClientFactory,
)
from nautilus_trader.adapters.hyperliquid.config import (
    HyperliquidDataClientConfig,
    HyperliquidExecClientConfig,
)
from nautilus_trader.adapters.hyperliquid.enums import HyperliquidProductType
from nautilus_trader.adapters.hyperliquid.factories import (
    HyperliquidLiveDataClientFactory,
    HyperliquidLiveExecClientFactory,
)
from nautilus_trader.adapters.kraken.config import KrakenDataClientConfig, KrakenExecClientConfig
from nautilus_trader.adapters.kraken.factories import KrakenLiveDataClientFactory
from nautilus_trader.adapters.okx.config import OKXDataClientConfig, OKXExecClientConfig
from nautilus_trader.adapters.okx.factories import OKXLiveDataClientFactory
from nautilus_trader.config import InstrumentProviderConfig, LiveDataClientConfig, LiveExecClientConfig
from nautilus_trader.core.nautilus_pyo3 import (
    BybitEnvironment,
    BybitProductType,
    DeribitEnvironment,
    DeribitProductType,
    HyperliquidEnvironment,
    KrakenEnvironment,
    KrakenProductType,
    OKXEnvironment,
    OKXInstrumentType,
    OKXMarginMode,
)
from nautilus_trader.live.factories import LiveDataClientFactory, LiveExecClientFactory
from nautilus_trader.model.identifiers import InstrumentId, Venue

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.hedging.config import StopTrigger
from oi_hedge_strategy.live.config import VenueUrls
from oi_hedge_strategy.live.execution import (
    BinanceExecClientFactory,
    KrakenExecClientFactory,
    OKXExecClientFactory,
)

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TradedVenue:
    """
    Hold how one venue is reached.

    Parameters
    ----------
    venue : str
        Nautilus's name, ``BINANCE``.
    data_config, exec_config : type
        Nautilus's configurations of its clients.
    data_factory, exec_factory : type
        Nautilus's factories of its clients.
    environments : (object, object)
        The venue's own and its test environment.
    keys, test_keys : tuple of str
        Environment variables that hold the account's keys, by environment.
    products : callable
        Returns what of the configuration depends on the instruments.
    data_urls, exec_urls : mapping of str to str
        Which of `VenueUrls` each address of the configuration takes.
    exec_values : dict
        What else the execution client is told.
    hyphens : bool
        Whether the venue takes hyphens in an order's name.
    stop_triggers : tuple of StopTrigger
        Which prices can set off a stop there, through its adapter.

    """

    venue: str
    data_config: type[LiveDataClientConfig]
    exec_config: type[LiveExecClientConfig]
    data_factory: type[LiveDataClientFactory]
    exec_factory: type[LiveExecClientFactory]
    environments: tuple[object, object]
    keys: tuple[str, ...]
    test_keys: tuple[str, ...]
    products: Callable[[Sequence[InstrumentId]], Values]
    data_urls: Mapping[str, str]
    exec_urls: Mapping[str, str]
    exec_values: Values = field(default_factory=dict)
    hyphens: bool = True
    stop_triggers: tuple[StopTrigger, ...] = ("last", "mark")

    def data_client(
        self, instruments: Sequence[InstrumentId], testnet: bool, urls: VenueUrls | None = None
    ) -> LiveDataClientConfig:
        """Return the configuration of the venue's data client; it needs no keys."""
        return self.data_config(**self._shared(instruments, testnet), **_addresses(self.data_urls, urls))

    def exec_client(
        self, instruments: Sequence[InstrumentId], testnet: bool, urls: VenueUrls | None = None
    ) -> LiveExecClientConfig:
        """Return the configuration of the venue's execution client, which reads keys from the environment."""
        shared = self._shared(instruments, testnet)
        return self.exec_config(**shared, **self.exec_values, **_addresses(self.exec_urls, urls))

    def keys_for(self, testnet: bool) -> tuple[str, ...]:
        """Return the names of the environment variables that must hold the account's keys."""
        return self.test_keys if testnet else self.keys

    def _shared(self, instruments: Sequence[InstrumentId], testnet: bool) -> Values:
        return {
            "environment": self.environments[testnet],
            "instrument_provider": InstrumentProviderConfig(load_ids=frozenset(instruments)),
            **self.products(instruments),
        }


def _addresses(fields: Mapping[str, str], urls: VenueUrls | None) -> Values:
    if urls is None:
        return {}
    return {field: url for field, source in fields.items() if (url := getattr(urls, source))}


def _binance(account: BinanceAccountType, venue: str) -> Callable[[Sequence[InstrumentId]], Values]:
    return lambda instruments: {"account_type": account, "venue": Venue(venue)}


def _bybit(instruments: Sequence[InstrumentId]) -> Values:
    kinds = {each.symbol.value.rpartition("-")[2] for each in instruments}
    return {"product_types": tuple(getattr(BybitProductType, kind) for kind in sorted(kinds))}


def _okx(instruments: Sequence[InstrumentId]) -> Values:
    swaps = {each.symbol.value.endswith("-SWAP") for each in instruments}
    return {
        "instrument_types": tuple(
            OKXInstrumentType.SWAP if swap else OKXInstrumentType.SPOT for swap in sorted(swaps)
        )
    }


def _hyperliquid(instruments: Sequence[InstrumentId]) -> Values:
    perpetuals = {each.symbol.value.endswith("-PERP") for each in instruments}
    return {
        "product_types": tuple(
            HyperliquidProductType.PERP if perpetual else HyperliquidProductType.SPOT
            for perpetual in sorted(perpetuals)
        )
    }


def _deribit(instruments: Sequence[InstrumentId]) -> Values:
    futures = {each.symbol.value.endswith("-PERPETUAL") for each in instruments}
    return {
        "product_types": tuple(
            DeribitProductType.FUTURE if future else DeribitProductType.SPOT for future in sorted(futures)
        )
    }


def _kraken(instruments: Sequence[InstrumentId]) -> Values:
    futures = {each.symbol.value.startswith(("PF_", "PI_")) for each in instruments}
    return {
        "product_types": tuple(
            KrakenProductType.FUTURES if future else KrakenProductType.SPOT for future in sorted(futures)
        )
    }


_HTTP_WS = {"base_url_http": "http", "base_url_ws": "ws"}

VENUES = (
    TradedVenue(
        venue="BINANCE",
        data_config=BinanceDataClientConfig,
        exec_config=BinanceExecClientConfig,
        data_factory=BinanceLiveDataClientFactory,
        exec_factory=BinanceExecClientFactory,
        environments=(BinanceEnvironment.LIVE, BinanceEnvironment.TESTNET),
        keys=("BINANCE_API_KEY", "BINANCE_API_SECRET"),
        test_keys=("BINANCE_FUTURES_TESTNET_API_KEY", "BINANCE_FUTURES_TESTNET_API_SECRET"),
        products=_binance(BinanceAccountType.USDT_FUTURES, "BINANCE"),
        data_urls=_HTTP_WS,
        exec_urls={**_HTTP_WS, "base_url_ws_stream": "ws"},
    ),
    TradedVenue(
        venue="BINANCE_SPOT",
        data_config=BinanceDataClientConfig,
        exec_config=BinanceExecClientConfig,
        data_factory=BinanceLiveDataClientFactory,
        exec_factory=BinanceExecClientFactory,
        environments=(BinanceEnvironment.LIVE, BinanceEnvironment.TESTNET),
        keys=("BINANCE_API_KEY", "BINANCE_API_SECRET"),
        test_keys=("BINANCE_TESTNET_API_KEY", "BINANCE_TESTNET_API_SECRET"),
        products=_binance(BinanceAccountType.SPOT, "BINANCE_SPOT"),
        data_urls=_HTTP_WS,
        exec_urls={**_HTTP_WS, "base_url_ws_stream": "ws"},
    ),
    TradedVenue(
        venue="BYBIT",
        data_config=BybitDataClientConfig,
        exec_config=BybitExecClientConfig,
        data_factory=BybitLiveDataClientFactory,
        exec_factory=BybitLiveExecClientFactory,
        environments=(BybitEnvironment.MAINNET, BybitEnvironment.TESTNET),
        keys=("BYBIT_API_KEY", "BYBIT_API_SECRET"),
        test_keys=("BYBIT_TESTNET_API_KEY", "BYBIT_TESTNET_API_SECRET"),
        products=_bybit,
        data_urls={"base_url_http": "http"},
        exec_urls={"base_url_http": "http", "base_url_ws_private": "ws", "base_url_ws_trade": "ws"},
        stop_triggers=("last",),
    ),
    TradedVenue(
        venue="OKX",
        data_config=OKXDataClientConfig,
        exec_config=OKXExecClientConfig,
        data_factory=OKXLiveDataClientFactory,
        exec_factory=OKXExecClientFactory,
        environments=(OKXEnvironment.LIVE, OKXEnvironment.DEMO),
        keys=("OKX_API_KEY", "OKX_API_SECRET", "OKX_API_PASSPHRASE"),
        test_keys=("OKX_API_KEY", "OKX_API_SECRET", "OKX_API_PASSPHRASE"),
        products=_okx,
        data_urls=_HTTP_WS,
        exec_urls=_HTTP_WS,
        exec_values={"margin_mode": OKXMarginMode.CROSS},
        hyphens=False,
    ),
    TradedVenue(
        venue="HYPERLIQUID",
        data_config=HyperliquidDataClientConfig,
        exec_config=HyperliquidExecClientConfig,
        data_factory=HyperliquidLiveDataClientFactory,
        exec_factory=HyperliquidLiveExecClientFactory,
        environments=(HyperliquidEnvironment.MAINNET, HyperliquidEnvironment.TESTNET),
        keys=("HYPERLIQUID_PK",),
        test_keys=("HYPERLIQUID_TESTNET_PK",),
        products=_hyperliquid,
        data_urls={"base_url_ws": "ws"},
        exec_urls={"base_url_ws": "ws"},
        stop_triggers=("mark",),
    ),
    TradedVenue(
        venue="DERIBIT",
        data_config=DeribitDataClientConfig,
        exec_config=DeribitExecClientConfig,
        data_factory=DeribitLiveDataClientFactory,
        exec_factory=DeribitLiveExecClientFactory,
        environments=(DeribitEnvironment.MAINNET, DeribitEnvironment.TESTNET),
        keys=("DERIBIT_API_KEY", "DERIBIT_API_SECRET"),
        test_keys=("DERIBIT_TESTNET_API_KEY", "DERIBIT_TESTNET_API_SECRET"),
        products=_deribit,
        data_urls=_HTTP_WS,
        exec_urls=_HTTP_WS,
    ),
    TradedVenue(
        venue="KRAKEN",
        data_config=KrakenDataClientConfig,
        exec_config=KrakenExecClientConfig,
        data_factory=KrakenLiveDataClientFactory,
        exec_factory=KrakenExecClientFactory,
        environments=(KrakenEnvironment.LIVE, KrakenEnvironment.DEMO),
        keys=("KRAKEN_FUTURES_API_KEY", "KRAKEN_FUTURES_API_SECRET"),
        test_keys=("KRAKEN_FUTURES_DEMO_API_KEY", "KRAKEN_FUTURES_DEMO_API_SECRET"),
        products=_kraken,
        data_urls={"base_url_http_futures": "http", "base_url_ws_futures": "ws"},
        exec_urls={"base_url_http_futures": "http", "base_url_ws_futures": "ws"},
        hyphens=False,
    ),
)
_BY_NAME = {row.venue: row for row in VENUES}


def find_venue(name: str) -> TradedVenue:
    """
    Return the row of a venue.

    Raises
    ------
    ConfigError
        If NautilusTrader has no adapter for it.

    """
    if name not in _BY_NAME:
        raise ConfigError(
            f"NautilusTrader has no adapter for {name!r}, expected one of {', '.join(_BY_NAME)}"
        )
    return _BY_NAME[name]
