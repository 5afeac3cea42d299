"""From a plan to the run configuration that BacktestNode executes."""

from dataclasses import replace
from typing import Any

import msgspec
from nautilus_trader.backtest.config import BacktestDataConfig, BacktestEngineConfig, BacktestRunConfig
from nautilus_trader.common.config import ImportableActorConfig, LoggingConfig
from nautilus_trader.model.data import (
    Bar,
    FundingRateUpdate,
    InstrumentStatus,
    MarkPriceUpdate,
    OrderBookDepth10,
)
from nautilus_trader.trading.config import ImportableStrategyConfig

from oi_hedge_catalog import store
from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.backtest.plan import BacktestPlan, iso
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExecutionConfig, ExposureConfig, PolicyConfig, RailsConfig
from oi_hedge_strategy.history import is_spot
from oi_hedge_strategy.inputs import inputs_seen
from oi_hedge_strategy.simulation.venue import data_venue_config, hedge_venue_config, spot_venue_config

HEDGE_TAG, HOLDER_TAG = "HEDGE", "HOLDER"
HEDGE_ID, HOLDER_ID = f"OIHedgeStrategy-{HEDGE_TAG}", f"Holder-{HOLDER_TAG}"
_OI_CLIENT = "OI"
_OPEN_INTEREST: Any = OpenInterestUpdate
_SPARE = 1.5


def run_config(
    plan: BacktestPlan,
    policy: PolicyConfig,
    rails: RailsConfig,
    execution: ExecutionConfig,
) -> BacktestRunConfig:
    """Return the run of one policy over the plan's data."""
    return _config(plan, policy, rails, execution)


def replay_config(
    plan: BacktestPlan,
    policy: PolicyConfig,
    rails: RailsConfig,
    execution: ExecutionConfig,
    *,
    impact: float = 1.0,
    latency: float = 1.0,
) -> BacktestRunConfig:
    """
    Return a run over the bars and the funding of hedge and exposure alone, for a `ReplayDesk`.

    Parameters
    ----------
    plan, policy, rails, execution
        As for `run_config`.
    impact, latency : float
        Multipliers of spread and impact, and of latency.

    """
    held = plan.settings.hedge_instrument, plan.settings.exposure_instrument
    lean = replace(
        plan,
        instruments=tuple(each for each in plan.instruments if each.id in held),
        bar_types={i: kind for i, kind in plan.bar_types.items() if i in held},
        settings=_with_costs(plan.settings, impact, latency),
    )
    return _config(lean, policy, rails, execution, inputs=False)


def _config(
    plan: BacktestPlan,
    policy: PolicyConfig,
    rails: RailsConfig,
    execution: ExecutionConfig,
    inputs: bool = True,
) -> BacktestRunConfig:
    hedge_bars = plan.bar_types[plan.settings.hedge_instrument]
    strategy = OIHedgeConfig(
        bar_type=hedge_bars,
        model="" if plan.registry is not None else str(plan.model),
        models=str(plan.model) if plan.registry is not None else "",
        instrument_ids=tuple(each.id for each in plan.instruments),
        exposure=ExposureConfig(instrument_ids=(plan.settings.exposure_instrument,)),
        policy=policy,
        rails=rails,
        execution=execution,
        drift=plan.settings.drift,
        active_from=iso(plan.start_ns),
        taker_fee=plan.taker_fee,
        order_id_tag=HEDGE_TAG,
    )
    engine = BacktestEngineConfig(
        logging=LoggingConfig(bypass_logging=True),
        run_analysis=False,
        strategies=[_strategy("strategy:OIHedgeStrategy", "config:OIHedgeConfig", strategy), _holder(plan)],
        actors=[
            _actor("simulation.ledger:SimulationLedger"),
            _actor("backtest.recorder:DecisionRecorder"),
        ],
    )
    return BacktestRunConfig(
        engine=engine,
        venues=_venues(plan),
        data=_data(plan, inputs),
        start=plan.warm_up_ns,
        end=plan.end_ns,
        raise_exception=True,
        dispose_on_completion=False,
    )


def _with_costs(settings: BacktestSettings, impact: float, latency: float) -> BacktestSettings:
    """Return settings with spread and impact, and latency, multiplied once more."""
    costs = msgspec.structs.replace(
        settings.costs,
        impact_multiplier=impact * settings.costs.impact_multiplier,
        latency_multiplier=latency * settings.costs.latency_multiplier,
    )
    return msgspec.structs.replace(settings, costs=costs)


def _holder(plan: BacktestPlan) -> ImportableStrategyConfig:
    bars = plan.bar_types[plan.settings.exposure_instrument]
    return ImportableStrategyConfig(
        strategy_path="oi_hedge_strategy.backtest.holder:Holder",
        config_path="oi_hedge_strategy.backtest.holder:HolderConfig",
        config={
            "bar_type": str(bars),
            "quantity": plan.settings.exposure_quantity,
            "buy_at": iso(plan.start_ns - plan.card.schema.bar_seconds * 1_000_000_000),
            "order_id_tag": HOLDER_TAG,
        },
    )


def _strategy(strategy: str, config: str, values: OIHedgeConfig) -> ImportableStrategyConfig:
    return ImportableStrategyConfig(
        strategy_path=f"oi_hedge_strategy.{strategy}",
        config_path=f"oi_hedge_strategy.{config}",
        config=values.json_primitives(),
    )


def _actor(path: str) -> ImportableActorConfig:
    full = f"oi_hedge_strategy.{path}"
    return ImportableActorConfig(actor_path=full, config_path=f"{full}Config", config={})


def _venues(plan: BacktestPlan) -> list[Any]:
    settings, quote = plan.settings, plan.hedge.quote_currency.code
    shared: dict[str, Any] = {"costs": settings.costs, "bystanders": [HOLDER_ID]}
    costs: dict[str, Any] = {"latency_ms": settings.latency_ms, "impact": settings.impact, **shared}
    hedge, exposure = settings.hedge_instrument.venue.value, settings.exposure_instrument.venue.value
    balance = [f"{plan.collateral:.2f} {quote}"]
    fees = settings.costs.fees(hedge)
    venues = {hedge: hedge_venue_config(hedge, balance, leverage=settings.leverage, fee_rates=fees, **costs)}
    if exposure != hedge:
        notional = plan.start_price * abs(settings.exposure_quantity)
        own = [f"{_SPARE * notional:.2f} {quote}", f"0 {plan.asset}"]
        spot = is_spot(next(i for i in plan.instruments if i.id == settings.exposure_instrument))
        venues[exposure] = (
            spot_venue_config(exposure, own, **costs)
            if spot
            else hedge_venue_config(exposure, own[:1], leverage=1.0, **costs)
        )
    for each in plan.instruments:
        name = each.id.venue.value
        venues.setdefault(name, data_venue_config(name, **shared))
    return list(venues.values())


def _data(plan: BacktestPlan, inputs: bool = True) -> list[BacktestDataConfig]:
    """Return one data configuration for each series, the hedge instrument's bars last."""
    interest = set(store.open_interest_ids(plan.catalog)) if inputs else set()
    funding = set(store.funding_ids(plan.catalog))
    path, spec = str(plan.catalog.path), plan.bar_types[plan.settings.hedge_instrument].spec
    seen = inputs_seen(plan.channels_seen) if inputs else ()
    configs = _unlisted_inputs(plan) if inputs else []
    listed: list[Any] = [each.kind for each in seen if each.unlisted_id is None]
    for each in sorted(plan.instruments, key=lambda i: (i.id == plan.settings.hedge_instrument, str(i.id))):
        shared: dict[str, Any] = {"catalog_path": path, "instrument_id": each.id}
        if each.id in interest:
            configs.append(BacktestDataConfig(data_cls=_OPEN_INTEREST, client_id=_OI_CLIENT, **shared))
        for kind in listed:
            if store.data_files(plan.catalog, kind, str(each.id)):
                configs.append(BacktestDataConfig(data_cls=kind, client_id=_OI_CLIENT, **shared))
        if each.id in funding:
            configs.append(BacktestDataConfig(data_cls=FundingRateUpdate, **shared))
        traded = each.id == plan.settings.hedge_instrument
        for kind in (InstrumentStatus, MarkPriceUpdate, *((OrderBookDepth10,) if traded else ())):
            if store.data_files(plan.catalog, kind, str(each.id)):
                configs.append(BacktestDataConfig(data_cls=kind, **shared))
        if each.id in plan.bar_types:
            configs.append(BacktestDataConfig(data_cls=Bar, bar_spec=str(spec), **shared))
    return configs


def _unlisted_inputs(plan: BacktestPlan) -> list[BacktestDataConfig]:
    """
    Return the inputs whose ids are no instruments.

    They are loaded for all ids of their type, since the node gives no data for an instrument id that the
    catalog has no instrument of; the strategy subscribes to its own.
    """
    kinds: list[Any] = [
        each.kind
        for each in inputs_seen(plan.channels_seen)
        if each.unlisted_id and store.data_files(plan.catalog, each.kind, str(each.unlisted_id(plan.asset)))
    ]
    path = str(plan.catalog.path)
    return [BacktestDataConfig(data_cls=kind, client_id=_OI_CLIENT, catalog_path=path) for kind in kinds]
