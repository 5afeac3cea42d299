"""Venue configurations for backtests: traded with all costs, spot, and only watched."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from nautilus_trader.backtest.config import (
    BacktestVenueConfig,
    ImportableFeeModelConfig,
    ImportableFillModelConfig,
    ImportableLatencyModelConfig,
    MarginModelConfig,
)
from nautilus_trader.common.config import ImportableActorConfig

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.costs import CostsConfig

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
    costs: CostsConfig | None = None,
    fee_rates: tuple[float | None, float | None] = (None, None),
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
    costs : CostsConfig, optional
        Multipliers of impact and latency.
    fee_rates : tuple of float or None
        Maker and taker fee in place of the instrument's, see `CostsConfig.fees`.
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
        fee_model=_fee_model(*fee_rates),
        **_costs(latency_ms, impact, costs, modules),
    )


def spot_venue_config(
    name: str,
    starting_balances: Sequence[str],
    *,
    latency_ms: float = 200.0,
    impact: Mapping[str, Any] | None = None,
    costs: CostsConfig | None = None,
) -> BacktestVenueConfig:
    """
    Return a spot venue with a cash account, impact and latency.

    Parameters
    ----------
    name : str
        The venue, such as "BINANCE_SPOT".
    starting_balances : sequence of str
        One for each coin, such as ``["50000 USDT", "0 ETH"]``.
    latency_ms, impact, costs
        As for `hedge_venue_config`.

    """
    return BacktestVenueConfig(
        name=name,
        oms_type="NETTING",
        account_type="CASH",
        starting_balances=list(starting_balances),
        **_costs(latency_ms, impact, costs, [_module("fill_state", "ImpactStateModule", {})]),
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


def _fee_model(maker: float | None, taker: float | None) -> ImportableFeeModelConfig | None:
    if maker is None and taker is None:
        return None
    return ImportableFeeModelConfig(
        fee_model_path=f"{_ROOM}.fees:TierFeeModel",
        config_path=f"{_ROOM}.fees:TierFeeModelConfig",
        config={"maker_fee": maker, "taker_fee": taker},
    )


def _costs(
    latency_ms: float,
    impact: Mapping[str, Any] | None,
    costs: CostsConfig | None,
    modules: list[ImportableActorConfig],
) -> dict[str, Any]:
    costs = costs or CostsConfig()
    costs.check()
    if latency_ms < 0.0:
        raise ConfigError(f"venue latency_ms must not be negative, was {latency_ms}.")
    fill_model = ImportableFillModelConfig(
        fill_model_path=f"{_ROOM}.fills:ImpactFillModel",
        config_path=f"{_ROOM}.fills:ImpactFillModelConfig",
        config={**(impact or {}), "multiplier": costs.impact_multiplier},
    )
    latency_ns = round(latency_ms * costs.latency_multiplier * NS_PER_MS)
    if latency_ns == 0:
        return {"fill_model": fill_model, "modules": modules}
    latency_model = ImportableLatencyModelConfig(
        latency_model_path="nautilus_trader.backtest.models:LatencyModel",
        config_path="nautilus_trader.backtest.config:LatencyModelConfig",
        config={"base_latency_nanos": latency_ns},
    )
    modules = [*modules, _module("latency", "LatencyModule", {})]
    return {"fill_model": fill_model, "latency_model": latency_model, "modules": modules}


def _module(file: str, name: str, config: Mapping[str, Any]) -> ImportableActorConfig:
    return ImportableActorConfig(
        actor_path=f"{_ROOM}.{file}:{name}",
        config_path=f"{_ROOM}.{file}:{name}Config",
        config=dict(config),
    )
