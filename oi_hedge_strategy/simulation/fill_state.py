"""The module that shows bars to a venue's fill model and records what its fills cost."""

from collections import Counter, deque

from nautilus_trader.backtest.config import SimulationModuleConfig
from nautilus_trader.backtest.modules import SimulationModule
from nautilus_trader.core.data import Data
from nautilus_trader.model.data import Bar
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import Instrument

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.bars import ExecutionBars
from oi_hedge_strategy.simulation.fills import CostQuote, ImpactFillModel
from oi_hedge_strategy.simulation.records import FillCost, publish

MATCHED_PRIORITY = 10
"""Message bus priority at which a bar counts as matched: after liquidations, before any strategy."""


class ImpactStateModuleConfig(SimulationModuleConfig, frozen=True):
    """
    Configure an `ImpactStateModule`.

    Parameters
    ----------
    keep_records : int, default 100_000
        How many of the latest fill records the module itself keeps.

    """

    keep_records: int = 100_000


class ImpactStateModule(SimulationModule):
    """
    Feed the venue's `ImpactFillModel` with bars and publish a `FillCost` for each fill that it priced.

    Only the finest time bars of an instrument are used, as the engine itself matches on those.
    """

    def __init__(self, config: ImpactStateModuleConfig) -> None:
        super().__init__(config)
        self.fills: deque[FillCost] = deque(maxlen=config.keep_records)
        self._bars = ExecutionBars()
        self._matching: InstrumentId | None = None
        self._counts = Counter[str]()

    def register_venue(self, exchange: object) -> None:
        """Bind to the venue; its fill model must be an `ImpactFillModel`."""
        super().register_venue(exchange)
        if not isinstance(self.exchange.fill_model, ImpactFillModel):
            raise ConfigError(
                f"venue {self.exchange.id}: ImpactStateModule needs the fill model ImpactFillModel, "
                f"found {type(self.exchange.fill_model).__name__}; set `fill_model`."
            )
        self.msgbus.subscribe(
            f"data.bars.*.{self.exchange.id}-*", self._on_matched, priority=MATCHED_PRIORITY
        )
        self.msgbus.subscribe(f"events.fills.*.{self.exchange.id}", self._on_fill)

    def pre_process(self, data: Data) -> None:
        """Announce a bar to the fill model before it is matched."""
        if isinstance(data, Bar) and (duration := self._bars.duration(data)) is not None:
            self.exchange.fill_model.begin_bar(data, duration)
            self._matching = data.bar_type.instrument_id

    def _on_matched(self, bar: Bar) -> None:
        self._complete()

    def _complete(self) -> None:
        if self._matching is not None:
            self.exchange.fill_model.complete_bar(self._matching)
            self._matching = None

    def _on_fill(self, event: OrderFilled) -> None:
        quote = self.exchange.fill_model.take_quote(event.client_order_id)
        if quote is None:
            return
        record = _fill_cost(event, quote, self.cache.instrument(event.instrument_id))
        self._counts["fills"] += 1
        self._counts["capped"] += record.capped
        self._counts["on defaults"] += not record.estimated
        self.fills.append(record)
        publish(self, record)

    def process(self, ts_now: int) -> None:
        """Complete a bar that was matched but not published."""
        self._complete()

    def log_diagnostics(self, logger: object) -> None:
        """Log how many fills were priced, capped, and priced on defaults."""
        logger.info(f"Market impact at {self.exchange.id}: {dict(self._counts)}")  # type: ignore[attr-defined]

    def reset(self) -> None:
        """Forget all bars and records."""
        self.exchange.fill_model.reset()
        self.fills.clear()
        self._bars.reset()
        self._matching = None
        self._counts.clear()


def _fill_cost(event: OrderFilled, quote: CostQuote, instrument: Instrument) -> FillCost:
    side = 1 if event.order_side == OrderSide.BUY else -1
    price = float(event.last_px)
    size = float(event.last_qty) * float(instrument.multiplier)
    worse = 1.0 / quote.reference - 1.0 / price if instrument.is_inverse else price - quote.reference
    return FillCost(
        instrument_id=event.instrument_id,
        strategy_id=event.strategy_id.value,
        client_order_id=event.client_order_id.value,
        trade_id=event.trade_id.value,
        side=side,
        quantity=float(event.last_qty),
        price=price,
        reference_price=quote.reference,
        half_spread_bps=quote.cost.half_spread_bps,
        impact_bps=quote.cost.impact_bps,
        capped=quote.cost.capped,
        estimated=quote.estimated,
        amount=side * worse * size,
        currency=instrument.get_cost_currency().code,
        ts_event=event.ts_event,
        ts_init=event.ts_init,
    )
