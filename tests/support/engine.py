"""A small market run by the real engine: a hedge venue, a venue where the trader holds, and spot."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nautilus_trader.backtest.config import BacktestEngineConfig, BacktestVenueConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.node import get_fill_model, get_margin_model
from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorFactory, LoggingConfig
from nautilus_trader.model.data import Bar, BarType, CustomData, DataType, FundingRateUpdate
from nautilus_trader.model.enums import AccountType, OmsType
from nautilus_trader.model.identifiers import ClientId, InstrumentId, Venue
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.model.orders import Order
from nautilus_trader.persistence.config import StreamingConfig

from oi_hedge_catalog.instruments import InstrumentSpec, build_instrument
from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.backtest.holder import Holder, HolderConfig
from oi_hedge_strategy.backtest.recorder import DecisionRecorder
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision
from oi_hedge_strategy.simulation.venue import hedge_venue_config, spot_venue_config
from oi_hedge_strategy.strategy import OIHedgeStrategy

HOUR, SECOND = 3_600_000_000_000, 1_000_000_000
START = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z
HEDGE, HELD, SPOT = (
    InstrumentId.from_str(each)
    for each in ("ETHUSDT-PERP.BINANCE", "ETHUSDT-LINEAR.BYBIT", "ETHUSDT.BINANCE_SPOT")
)
LAGS = {HEDGE: 10 * SECOND, HELD: SECOND, SPOT: SECOND}
FREE = {"impact_coefficient": 0.0, "half_spread_bps": 0.0, "min_half_spread_bps": 0.0}
Row = float | tuple[float, float, float, float]


def specs() -> list[InstrumentSpec]:
    """Return the three instruments, free of fees."""
    shared = {"base": "ETH", "quote": "USDT", "price_precision": 2, "size_precision": 3}
    fees = {"maker_fee": "0", "taker_fee": "0"}
    margin = {"margin_init": "0.05", "margin_maint": "0.025"}
    return [
        InstrumentSpec(id=str(HEDGE), market="perp", **shared, **fees, **margin),
        InstrumentSpec(id=str(HELD), market="perp", **shared, **fees, **margin),
        InstrumentSpec(id=str(SPOT), market="spot", **shared, **fees),
    ]


def bar_type(instrument_id: InstrumentId) -> BarType:
    """Return the hourly bars of an instrument."""
    return BarType.from_str(f"{instrument_id}-1-HOUR-LAST-EXTERNAL")


def bar(instrument_id: InstrumentId, hour: int, row: Row) -> Bar:
    """Return the bar that closes `hour` hours after START; a number is a bar of one price."""
    ts = START + hour * HOUR
    prices = (Price(each, 2) for each in (row if isinstance(row, tuple) else (row,) * 4))
    return Bar(bar_type(instrument_id), *prices, Quantity(1e6, 3), ts, ts + LAGS[instrument_id])


def events(
    rows: Sequence[Row], interest: Sequence[float] | float = 1000.0, funding: float = 0.0, first: int = 1
) -> list[Any]:
    """Return bars of all instruments, open interest and funding; the first bar closes at hour `first`."""
    found: list[Any] = []
    for at, row in enumerate(rows):
        hour, ts = first + at, START + (first + at) * HOUR
        quantity = interest if isinstance(interest, float) else interest[at]
        found += [bar(each, hour, row) for each in (HEDGE, HELD, SPOT)]
        for each in (HEDGE, HELD):
            update = OpenInterestUpdate(each, quantity, None, ts, ts + 5 * SECOND)
            found.append(CustomData(DataType(OpenInterestUpdate), update))
        if hour % 8 == 0:
            rate = Decimal(str(funding))
            found.append(FundingRateUpdate(HEDGE, rate, ts, ts + 2 * SECOND, interval=480))
    return found


@dataclass
class Run:
    """Hold a finished run."""

    engine: BacktestEngine
    strategy: OIHedgeStrategy
    recorder: DecisionRecorder

    @property
    def decisions(self) -> list[HedgeDecision]:
        """Return what was decided."""
        return self.recorder.decisions

    @property
    def forecasts(self) -> list[CascadeForecast]:
        """Return what was forecast."""
        return self.recorder.forecasts

    def orders(self, tag: str) -> list[Order]:
        """Return the strategy's orders with a tag, in order of time."""
        mine = self.engine.cache.orders(strategy_id=self.strategy.id)
        return sorted((o for o in mine if tag in (o.tags or ())), key=lambda order: order.ts_init)

    def position(self, instrument_id: InstrumentId = HEDGE) -> float:
        """Return the net open position in an instrument, whoever holds it."""
        return float(sum(p.signed_qty for p in self.engine.cache.positions_open(instrument_id=instrument_id)))

    def hedges(self) -> list[float]:
        """Return the signed quantity of each hedge order that was sent."""
        return [d.order_quantity for d in self.decisions if d.order_quantity]


def run(
    data: list[Any],
    config: OIHedgeConfig,
    holding: Sequence[tuple[float, str]] = (),
    collateral: float = 100_000.0,
    spot: float = 0.0,
    others: Sequence[Any] = (),
    instruments: Sequence[Instrument] = (),
    actors: Sequence[Actor] = (),
    streaming: StreamingConfig | None = None,
) -> Run:
    """
    Run the strategy over `data`.

    Parameters
    ----------
    data : list
        Any order; sorted by `ts_init`.
    config : OIHedgeConfig
        The strategy's configuration.
    holding : sequence of (quantity, ISO 8601 time)
        Positions that a holder opens at HELD.
    collateral : float
        Balance of the hedge account, USDT.
    spot : float
        Balance of the spot account, ETH.
    others : sequence of Strategy
        Further strategies.
    instruments : sequence of Instrument
        In place of those of `specs`, by their ids.
    actors : sequence of Actor
        Further actors.
    streaming : StreamingConfig
        Where the engine streams to.

    """
    engine = BacktestEngine(
        BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), streaming=streaming)
    )
    costs: dict[str, Any] = {"latency_ms": 0.0, "impact": FREE}
    _add_venue(engine, hedge_venue_config("BINANCE", [f"{collateral:.2f} USDT"], **costs))
    _add_venue(engine, hedge_venue_config("BYBIT", ["1000000 USDT"], **costs))
    _add_venue(engine, spot_venue_config("BINANCE_SPOT", ["1000000 USDT", f"{spot} ETH"], **costs))
    replaced = {each.id: each for each in instruments}
    for spec in specs():
        instrument = build_instrument(spec)
        engine.add_instrument(replaced.pop(instrument.id, instrument))
    for instrument in replaced.values():
        engine.add_instrument(instrument)
    for each in data:
        if isinstance(each, CustomData):
            engine.add_data([each], client_id=ClientId("OI"), sort=False)
        else:
            engine.add_data([each], sort=False)
    engine.sort_data()
    recorder, strategy = DecisionRecorder(), OIHedgeStrategy(config)
    for actor in (recorder, *actors):
        engine.add_actor(actor)
    for at, (quantity, time) in enumerate(holding):
        values = {"bar_type": bar_type(HELD), "quantity": quantity, "buy_at": time}
        engine.add_strategy(Holder(HolderConfig(**values, order_id_tag=f"H{at}")))
    for other in others:
        engine.add_strategy(other)
    engine.add_strategy(strategy)
    engine.run()
    return Run(engine, strategy, recorder)


def _add_venue(engine: BacktestEngine, config: BacktestVenueConfig) -> None:
    margin = config.account_type == "MARGIN"
    engine.add_venue(
        venue=Venue(config.name),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN if margin else AccountType.CASH,
        starting_balances=[Money.from_str(each) for each in config.starting_balances],
        default_leverage=Decimal(str(config.default_leverage)) if margin else None,
        margin_model=get_margin_model(config) if margin else None,
        modules=[ActorFactory.create(module) for module in config.modules],
        fill_model=get_fill_model(config),
    )
