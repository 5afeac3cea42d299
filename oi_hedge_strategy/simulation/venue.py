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
    bystanders: Sequence[str] = (),
    moves_market: bool = True,
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
        Multipliers of impact and latency, latencies beside that of order entry and their growth, and how own
        impact decays. Without it the latency is constant and own trades leave the market where it is.
    fee_rates : tuple of float or None
        Maker and taker fee in place of the instrument's, see `CostsConfig.fees`.
    bystanders : sequence of str
        Strategies whose trades leave the market where it is.
    moves_market : bool
        Whether own trades move the market as `costs` say; false where the data are live.
    impact, funding, liquidation : mapping
        Values that differ from the defaults of `ImpactFillModelConfig`, `FundingModuleConfig` and
        `LiquidationModuleConfig`.

    """
    if costs is not None:
        liquidation = {
            "margin_mode": costs.margin_mode,
            "fee_rate": costs.liquidation_fee,
            **(liquidation or {}),
        }
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
        **_costs(latency_ms, impact, costs, modules, bystanders if moves_market else None),
    )


def spot_venue_config(
    name: str,
    starting_balances: Sequence[str],
    *,
    latency_ms: float = 200.0,
    impact: Mapping[str, Any] | None = None,
    costs: CostsConfig | None = None,
    bystanders: Sequence[str] = (),
) -> BacktestVenueConfig:
    """
    Return a spot venue with a cash account, impact and latency.

    Parameters
    ----------
    name : str
        The venue, such as "BINANCE_SPOT".
    starting_balances : sequence of str
        One for each coin, such as ``["50000 USDT", "0 ETH"]``.
    latency_ms, impact, costs, bystanders
        As for `hedge_venue_config`.

    """
    return BacktestVenueConfig(
        name=name,
        oms_type="NETTING",
        account_type="CASH",
        starting_balances=list(starting_balances),
        **_costs(latency_ms, impact, costs, [_module("fill_state", "ImpactStateModule", {})], bystanders),
    )


def data_venue_config(
    name: str,
    currency: str = "USDT",
    *,
    costs: CostsConfig | None = None,
    bystanders: Sequence[str] = (),
) -> BacktestVenueConfig:
    """Return a venue that is only watched: its bars are published, moved by own impact, but not matched."""
    return BacktestVenueConfig(
        name=name,
        oms_type="NETTING",
        account_type="MARGIN",
        starting_balances=[f"0 {currency}"],
        bar_execution=False,
        trade_execution=False,
        modules=[_observer(costs, bystanders, publishes=False)]
        if costs is not None and costs.moves_market
        else None,
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
    bystanders: Sequence[str] | None,
) -> dict[str, Any]:
    impact = dict(impact or {})
    if costs is not None:
        costs.check()
        impact["multiplier"] = impact.get("multiplier", 1.0) * costs.impact_multiplier
        latency_ms *= costs.latency_multiplier
        if bystanders is not None and costs.moves_market:
            modules = [_observer(costs, bystanders), *modules]
    fill_model = ImportableFillModelConfig(
        fill_model_path=f"{_ROOM}.fills:ImpactFillModel",
        config_path=f"{_ROOM}.fills:ImpactFillModelConfig",
        config=impact,
    )
    if latency_ms < 0.0:
        raise ConfigError(f"venue latency_ms must not be negative, was {latency_ms}.")
    if latency_ms == 0.0:
        return {"fill_model": fill_model, "modules": modules}
    latency_model = ImportableLatencyModelConfig(
        latency_model_path="nautilus_trader.backtest.models:LatencyModel",
        config_path="nautilus_trader.backtest.config:LatencyModelConfig",
        config={"base_latency_nanos": round(latency_ms * NS_PER_MS)},
    )
    modules = [*modules, _module("latency", "LatencyModule", _delays(latency_ms, costs))]
    return {"fill_model": fill_model, "latency_model": latency_model, "modules": modules}


def _observer(
    costs: CostsConfig, bystanders: Sequence[str], *, publishes: bool = True
) -> ImportableActorConfig:
    values = {
        "bystanders": list(bystanders),
        "relaxation_minutes": costs.relaxation_minutes,
        "cross_impact": costs.cross_impact,
        "publishes": publishes,
    }
    return _module("observer", "PriceShiftModule", values)


def _delays(entry_ms: float, costs: CostsConfig | None) -> dict[str, Any]:
    if costs is None:
        return {"entry_ms": entry_ms}
    return {
        "feed_ms": costs.latency_multiplier * costs.feed_ms,
        "entry_ms": entry_ms,
        "response_ms": costs.latency_multiplier * costs.response_ms,
        "exponent": costs.latency_exponent,
        "jitter": costs.latency_jitter,
        "cap_ms": max(costs.max_latency_ms, entry_ms),
        "seed": costs.seed,
        "charges_moves": True,
    }


def _module(file: str, name: str, config: Mapping[str, Any]) -> ImportableActorConfig:
    return ImportableActorConfig(
        actor_path=f"{_ROOM}.{file}:{name}",
        config_path=f"{_ROOM}.{file}:{name}Config",
        config=dict(config),
    )
