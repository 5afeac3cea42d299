"""The actor that keeps the running ledger of a paper or live run."""

from math import nan
from pathlib import Path
from typing import Any

from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorConfig
from nautilus_trader.model.data import Bar, BarType, CustomData, FundingRateUpdate
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import InstrumentId, StrategyId

from oi_hedge_catalog.types import CatalogData, OpenInterestUpdate
from oi_hedge_strategy.history import MAX_INTEREST_AGE_NS, venue_slot
from oi_hedge_strategy.live.alerts import TROUBLE_TOPIC
from oi_hedge_strategy.live.ledger import Ledger
from oi_hedge_strategy.live.ledger_records import LedgerBar, LedgerFill
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision
from oi_hedge_strategy.simulation.records import FillCost, FundingPayment, PositionLiquidated

_AHEAD = 20
_KEPT: tuple[type[CatalogData], ...] = (
    HedgeDecision,
    CascadeForecast,
    FillCost,
    FundingPayment,
    PositionLiquidated,
)
_PERIODS_PER_8H = 480.0


class LedgerKeeperConfig(ActorConfig, frozen=True):
    """
    Configure a `LedgerKeeper`.

    Parameters
    ----------
    directory : str
        Where the ledger is.
    bar_type : BarType
        Bars of the hedge instrument that the strategy decides on.
    exposure_instrument : InstrumentId
        Whose price values the exposure.
    strategy_id : StrategyId
        The strategy whose fills are kept.

    """

    directory: str
    bar_type: BarType
    exposure_instrument: InstrumentId
    strategy_id: StrategyId


class LedgerKeeper(Actor):
    """Keep every decision, forecast, fill, cost and payment, and the book at each bar."""

    def __init__(self, config: LedgerKeeperConfig) -> None:
        super().__init__(config)
        self._ledger = Ledger(Path(config.directory))
        self._bar: Bar | None = None
        self._exposure_bar: Bar | None = None
        self._basis = 1.0
        self._interest: dict[str, tuple[int, float]] = {}
        self._funding: dict[str, float] = {}
        self._failed = False

    def on_start(self) -> None:
        """Listen, ahead of the strategy."""
        for topic, handler in self._topics():
            self.msgbus.subscribe(topic, handler, priority=_AHEAD)

    def on_stop(self) -> None:
        """Bring the ledger to the disk."""
        for topic, handler in self._topics():
            self.msgbus.unsubscribe(topic, handler)
        self._ledger.close()

    def _topics(self) -> list[tuple[str, Any]]:
        hedge = self.config.bar_type.instrument_id
        return [
            (f"data.bars.{self.config.bar_type}", self._on_hedge_bar),
            (f"data.bars.{self.config.exposure_instrument}-*", self._on_exposure_bar),
            ("data.OpenInterestUpdate*", self._on_interest),
            ("data.funding_rates.*", self._on_funding),
            (f"events.fills.{hedge}", self._on_fill),
            *((f"data.{kind.__name__}*", self._on_record) for kind in _KEPT),
        ]

    def _on_hedge_bar(self, bar: Bar) -> None:
        self._bar = bar
        self._note_basis()

    def _on_exposure_bar(self, bar: Bar) -> None:
        self._exposure_bar = bar
        self._note_basis()

    def _note_basis(self) -> None:
        """Compare the closes of one bar: with an older one of the exposure it would lack a bar's move."""
        hedge, exposure = self._bar, self._exposure_bar
        if hedge is None or exposure is None:
            return
        half = hedge.bar_type.spec.timedelta.total_seconds() * 1e9 / 2.0
        if abs(hedge.ts_event - exposure.ts_event) < half:
            self._basis = float(exposure.close) / float(hedge.close)

    def _on_interest(self, message: Any) -> None:
        update = message.data if isinstance(message, CustomData) else message
        if isinstance(update, OpenInterestUpdate):
            self._interest[venue_slot(update.instrument_id)] = update.ts_init, update.quantity

    def _on_funding(self, update: FundingRateUpdate) -> None:
        if update.interval:
            rate = float(update.rate) * _PERIODS_PER_8H / update.interval
            self._funding[venue_slot(update.instrument_id)] = rate

    def _on_record(self, message: Any) -> None:
        record = message.data if isinstance(message, CustomData) else message
        if not isinstance(record, _KEPT):
            return
        if isinstance(record, HedgeDecision) and record.trigger == "bar":
            self._keep_bar(record)
        self._keep(record)

    def _keep_bar(self, decision: HedgeDecision) -> None:
        bar = self._bar
        if bar is None:
            return
        close, oldest = float(bar.close), bar.ts_event - MAX_INTEREST_AGE_NS
        venues = sorted(venue for venue, (known, _) in self._interest.items() if known >= oldest)
        self._keep(
            LedgerBar(
                instrument_id=decision.instrument_id,
                open=float(bar.open),
                high=float(bar.high),
                low=float(bar.low),
                close=close,
                exposure_price=self._basis * close,
                exposure=decision.exposure,
                hedge_quantity=decision.hedge_quantity,
                equity=decision.equity,
                venues=venues,
                open_interest=[self._interest[venue][1] for venue in venues],
                funding_8h=[self._funding.get(venue, nan) for venue in venues],
                ts_event=decision.ts_event,
                ts_init=decision.ts_init,
            )
        )

    def _on_fill(self, event: OrderFilled) -> None:
        if event.strategy_id != self.config.strategy_id or event.reconciliation:
            return
        self._keep(
            LedgerFill(
                instrument_id=event.instrument_id,
                client_order_id=event.client_order_id.value,
                trade_id=event.trade_id.value,
                side=1 if event.order_side == OrderSide.BUY else -1,
                quantity=float(event.last_qty),
                price=float(event.last_px),
                commission=float(event.commission),
                currency=event.commission.currency.code,
                ts_event=event.ts_event,
                ts_init=event.ts_init,
            )
        )

    def _keep(self, record: CatalogData) -> None:
        """Keep a record; a disk that takes none is said once and tried again with the next record."""
        try:
            begun = self._ledger.append(record)
        except OSError as error:
            if not self._failed:
                text = f"the ledger takes no records: {error.strerror or error}; they are lost"
                self.log.error(text)
                self.msgbus.publish(TROUBLE_TOPIC, ("recording", "ledger", True, text))
            self._failed = True
            return
        if self._failed:
            text = "the ledger takes records again; those in between are lost"
            self.log.warning(text)
            self.msgbus.publish(TROUBLE_TOPIC, ("recording", "ledger", False, text))
        self._failed = False
        if begun:
            self.run_in_executor(self._move_days, (begun,))

    def _move_days(self, before: str) -> None:
        """Move days that are over into the catalog: no order waits for it."""
        try:
            self._ledger.move_days(before)
        except OSError as error:
            self.log.error(f"the ledger's days before {before} are not in the catalog yet: {error}")
