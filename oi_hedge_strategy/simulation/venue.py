"""Venue configurations for backtests: traded with all costs, spot, and only watched."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from nautilus_trader.backtest.config import (
    BacktestVenueConfig,
    ImportableFillModelConfig,
    ImportableLatencyModelConfig,
    MarginModelConfig,
)
from nautilus_trader.common.config import ImportableActorConfig

from oi_hedge_catalog.errors import ConfigError

NS_PER_MS = 1_000_000
_ROOM = "oi_hedge_strategy.simulation"


def hedge_venue_config(
    name: str,
    starting_balances: Sequence[str],
    *,
    leverage: float = 3.0,
    oms_type: Literal["NETTING", "HEDGING"] = "NETTING",
    latency_ms: float = 200.0,
    impact: Mapping[str, Any] | None = None,
    funding: Mapping[str, Any] | None = None,
    liquidation: Mapping[str, Any] | None = None,
) -> BacktestVenueConfig:
    """
    Return a derivatives venue with impact, latency, funding and liquidation.

    Parameters
    ----------
    name : str
        The venue, such as "BINANCE".
    starting_balances : sequence of str
        Such as ``["100000 USDT"]``.
    leverage : float
        Account leverage.
    oms_type : "NETTING" or "HEDGING"
        With "NETTING" the engine cuts a reduce-only order to the first open position of its instrument,
        whoever holds it. Where two strategies trade one instrument use "HEDGING", give the strategies
        ``oms_type="NETTING"``, and submit reduce-only orders with their ``position_id``.
    latency_ms : float
        From sending a message to its arrival at the venue; 0 matches orders at once.
    impact, funding, liquidation : mapping
        Values that differ from the defaults of `ImpactFillModelConfig`, `FundingModuleConfig` and
        `LiquidationModuleConfig`.

    """
    modules = [
        _module("fill_state", "ImpactStateModule", {}),
        _module("funding", "FundingModule", funding or {}),
        _module("liquidation", "LiquidationModule", liquidation or {}),
    ]
    return BacktestVenueConfig(
        name=name,
        oms_type=oms_type,
        account_type="MARGIN",
        starting_balances=list(starting_balances),
        default_leverage=leverage,
        margin_model=MarginModelConfig(model_type="standard"),
        **_costs(latency_ms, impact, modules),
    )


def spot_venue_config(
    name: str,
    starting_balances: Sequence[str],
    *,
    latency_ms: float = 200.0,
    impact: Mapping[str, Any] | None = None,
) -> BacktestVenueConfig:
    """
    Return a spot venue with a cash account, impact and latency.

    Parameters
    ----------
    name : str
        The venue, such as "BINANCE_SPOT".
    starting_balances : sequence of str
        One for each coin, such as ``["50000 USDT", "0 ETH"]``.
    latency_ms, impact
        As for `hedge_venue_config`.

    """
    return BacktestVenueConfig(
        name=name,
        oms_type="NETTING",
        account_type="CASH",
        starting_balances=list(starting_balances),
        **_costs(latency_ms, impact, [_module("fill_state", "ImpactStateModule", {})]),
    )


def data_venue_config(name: str, currency: str = "USDT") -> BacktestVenueConfig:
    """Return a venue that is only watched: its bars are published but not matched."""
    return BacktestVenueConfig(
        name=name,
        oms_type="NETTING",
        account_type="MARGIN",
        starting_balances=[f"0 {currency}"],
        bar_execution=False,
        trade_execution=False,
    )


def _costs(
    latency_ms: float, impact: Mapping[str, Any] | None, modules: list[ImportableActorConfig]
) -> dict[str, Any]:
    if latency_ms < 0.0:
        raise ConfigError(f"venue latency_ms must not be negative, was {latency_ms}.")
    fill_model = ImportableFillModelConfig(
        fill_model_path=f"{_ROOM}.fills:ImpactFillModel",
        config_path=f"{_ROOM}.fills:ImpactFillModelConfig",
        config=dict(impact or {}),
    )
    if latency_ms == 0.0:
        return {"fill_model": fill_model, "modules": modules}
    latency_model = ImportableLatencyModelConfig(
        latency_model_path="nautilus_trader.backtest.models:LatencyModel",
        config_path="nautilus_trader.backtest.config:LatencyModelConfig",
        config={"base_latency_nanos": round(latency_ms * NS_PER_MS)},
    )
    modules = [*modules, _module("latency", "LatencyModule", {})]
    return {"fill_model": fill_model, "latency_model": latency_model, "modules": modules}


def _module(file: str, name: str, config: Mapping[str, Any]) -> ImportableActorConfig:
    return ImportableActorConfig(
        actor_path=f"{_ROOM}.{file}:{name}",
        config_path=f"{_ROOM}.{file}:{name}Config",
        config=dict(config),
    )
