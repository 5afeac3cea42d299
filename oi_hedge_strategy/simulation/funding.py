"""Funding payments of perpetuals, which Nautilus 1.231 itself does not settle in backtests.

At each settlement the position held just before it pays ``rate * notional``: a long pays a positive rate, a
short receives it. A fill stamped with the very time of the settlement comes after it. Since a rate becomes
known only when it has been published, positions and prices are remembered by time and the payment is booked
at `ts_init` of the rate on what was held and quoted at the settlement.

A venue settles at its own interval and may change it (Binance has moved contracts between eight hours, four
and one): each rate is that of the interval that it ends, and a change is published as a
`FundingIntervalChange`.

The price is the venue's mark price if it publishes any, else the last trade or middle price known to have
been true at the settlement, which for hourly bars is a bar's close. A settled rate without such a price is an
error of the data. A predicted rate that comes due before the venue gave any price, as after a restart in an
outage, is paid at the first price that comes, within `max_publication_hours`; else it is left out and said.
"""

from collections import Counter, deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from nautilus_trader.backtest.config import SimulationModuleConfig
from nautilus_trader.backtest.modules import SimulationModule
from nautilus_trader.core.data import Data
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.model.data import Bar, FundingRateUpdate, MarkPriceUpdate, QuoteTick, TradeTick
from nautilus_trader.model.enums import PositionAdjustmentType
from nautilus_trader.model.events import PositionAdjusted, PositionChanged, PositionEvent
from nautilus_trader.model.identifiers import InstrumentId, PositionId
from nautilus_trader.model.objects import Money

from oi_hedge_catalog.errors import ConfigError, DataError
from oi_hedge_strategy.simulation.history import History
from oi_hedge_strategy.simulation.records import FundingIntervalChange, FundingPayment, publish

NS_PER_MINUTE = 60_000_000_000
NS_PER_HOUR = 60 * NS_PER_MINUTE
RateBasis = Literal["settled", "predicted"]


class FundingModuleConfig(SimulationModuleConfig, frozen=True):
    """
    Configure a `FundingModule`.

    Parameters
    ----------
    rates : "settled" or "predicted", default "settled"
        What a `FundingRateUpdate` of this venue says. "settled": the rate paid at `ts_event`, as records of
        past settlements do. "predicted": the rate to be paid at `next_funding_ns`, as live venues publish it;
        the last one known before that time is paid.
    max_publication_hours : float, default 24
        How long after a settlement its rate may become known; positions and prices are remembered as long.
    keep_records : int, default 100_000
        How many of the latest payments the module itself keeps.

    """

    rates: RateBasis = "settled"
    max_publication_hours: float = 24.0
    keep_records: int = 100_000


@dataclass(frozen=True, slots=True)
class _Holding:
    instrument_id: InstrumentId
    strategy_id: str
    quantity: History


class FundingModule(SimulationModule):
    """Settle funding on the open positions of one venue and publish each `FundingPayment`."""

    def __init__(self, config: FundingModuleConfig) -> None:
        super().__init__(config)
        if config.max_publication_hours <= 0.0:
            raise ConfigError(
                f"funding: max_publication_hours must be positive, was {config.max_publication_hours}."
            )
        self._window = int(config.max_publication_hours * NS_PER_HOUR)
        self._predicts = config.rates == "predicted"
        self.payments: deque[FundingPayment] = deque(maxlen=config.keep_records)
        self._clear()

    def _clear(self) -> None:
        self._holdings: dict[PositionId, _Holding] = {}
        self._prices: dict[InstrumentId, History] = {}
        self._marks: dict[InstrumentId, History] = {}
        self._due: dict[InstrumentId, tuple[int, Decimal]] = {}
        self._unpriced: list[tuple[InstrumentId, int, Decimal]] = []
        self._settled: dict[InstrumentId, int] = {}
        self._intervals: dict[InstrumentId, int] = {}
        self._totals: dict[str, Decimal] = {}
        self._counts = Counter[str]()
        self.payments.clear()

    def register_venue(self, exchange: object) -> None:
        """Bind to the venue and watch its funding rates, mark prices and positions."""
        super().register_venue(exchange)
        venue = self.exchange.id
        self.msgbus.subscribe(f"data.funding_rates.{venue}.*", self._on_rate)
        self.msgbus.subscribe(f"data.mark_prices.{venue}.*", self._on_mark)
        self.msgbus.subscribe("events.position.*", self._on_position)

    def pre_process(self, data: Data) -> None:
        """Remember the market's price."""
        if isinstance(data, Bar):
            self._remember(data.bar_type.instrument_id, data.ts_event, float(data.close))
        elif isinstance(data, TradeTick):
            self._remember(data.instrument_id, data.ts_event, float(data.price))
        elif isinstance(data, QuoteTick):
            middle = 0.5 * (float(data.bid_price) + float(data.ask_price))
            self._remember(data.instrument_id, data.ts_event, middle)

    def _remember(self, instrument_id: InstrumentId, ts: int, price: float) -> None:
        history = self._prices.get(instrument_id)
        if history is None:
            history = self._prices[instrument_id] = History(self._window, NS_PER_MINUTE)
        history.append(ts, price)

    def _on_mark(self, update: MarkPriceUpdate) -> None:
        history = self._marks.setdefault(update.instrument_id, History(self._window, NS_PER_MINUTE))
        history.append(update.ts_event, float(update.value))

    def _on_position(self, event: PositionEvent) -> None:
        if event.instrument_id.venue != self.exchange.id:
            return
        holding = self._holdings.get(event.position_id)
        if holding is None:
            holding = _Holding(event.instrument_id, event.strategy_id.value, History(self._window))
            self._holdings[event.position_id] = holding
        holding.quantity.append(event.ts_event, event.signed_qty)

    def _on_rate(self, update: FundingRateUpdate) -> None:
        rate = Decimal(str(update.rate))
        if not rate.is_finite():
            raise DataError(f"funding rate of {update.instrument_id}: expected a number, found {rate}.")
        self._note_interval(update)
        if not self._predicts:
            self._settle(update.instrument_id, _settlement_time(update), rate, update.ts_init)
            return
        self._settle_due(update.ts_init)
        if not update.next_funding_ns:
            raise DataError(
                f"predicted funding rate of {update.instrument_id} at {update.ts_event}: expected "
                "next_funding_ns, found none; set the funding module's `rates` to 'settled'."
            )
        if update.next_funding_ns > update.ts_init:
            self._due[update.instrument_id] = (update.next_funding_ns, rate)
        else:
            self._counts["late predictions ignored"] += 1

    def _note_interval(self, update: FundingRateUpdate) -> None:
        """Publish a change of the interval; a rate without one leaves it as it was."""
        if not update.interval:
            return
        before = self._intervals.get(update.instrument_id)
        self._intervals[update.instrument_id] = update.interval
        if before is not None and before != update.interval:
            self._counts["interval changes"] += 1
            times = update.ts_event, update.ts_init
            publish(self, FundingIntervalChange(update.instrument_id, before, update.interval, *times))

    def process(self, ts_now: int) -> None:
        """Settle predicted rates that have come due."""
        if self._due or self._unpriced:
            self._settle_due(ts_now)

    def _settle_due(self, ts_now: int) -> None:
        for instrument_id, (boundary, rate) in list(self._due.items()):
            if boundary <= ts_now:
                del self._due[instrument_id]
                self._settle(instrument_id, boundary, rate, ts_now)
        waiting, self._unpriced = self._unpriced, []
        for instrument_id, boundary, rate in waiting:
            self._settle_late(instrument_id, boundary, rate, ts_now)

    def _settle_late(self, instrument_id: InstrumentId, boundary: int, rate: Decimal, ts_now: int) -> None:
        """Pay what came due without a price at the first one there is; give up after the window."""
        price = self._price(instrument_id, ts_now)
        if price is not None:
            self._pay_all(instrument_id, boundary, rate, price, ts_now)
        elif ts_now - boundary <= self._window:
            self._unpriced.append((instrument_id, boundary, rate))
        else:
            self._counts["left out for want of a price"] += 1
            self.log.error(f"funding of {instrument_id} at {boundary} is left out: the venue gave no price")

    def _settle(self, instrument_id: InstrumentId, boundary: int, rate: Decimal, ts_now: int) -> None:
        if ts_now - boundary > self._window:
            raise DataError(
                f"funding rate of {instrument_id} for {boundary}: expected it to be known within "
                f"{self._window / NS_PER_HOUR:g} hours, found {(ts_now - boundary) / NS_PER_HOUR:.1f}; "
                "raise `max_publication_hours`."
            )
        if boundary <= self._settled.get(instrument_id, 0):
            self._counts["repeated rates ignored"] += 1
            return
        self._settled[instrument_id] = boundary
        price = self._price(instrument_id, boundary)
        if price is None and self._predicts:
            if self._is_held(instrument_id, boundary):
                self._unpriced.append((instrument_id, boundary, rate))
            return
        self._pay_all(instrument_id, boundary, rate, price, ts_now)

    def _is_held(self, instrument_id: InstrumentId, boundary: int) -> bool:
        return any(
            holding.instrument_id == instrument_id and holding.quantity.before(boundary)
            for holding in self._holdings.values()
        )

    def _pay_all(
        self, instrument_id: InstrumentId, boundary: int, rate: Decimal, price: float | None, ts_now: int
    ) -> None:
        """Pay for every position that was held; forget those that are closed."""
        for position_id, holding in list(self._holdings.items()):
            if holding.instrument_id != instrument_id:
                continue
            quantity = holding.quantity.before(boundary)
            if quantity and price is None:
                raise DataError(
                    f"funding of {instrument_id} at {boundary}: a position is held but the venue has no "
                    "price at or before that time; load bars or mark prices that begin earlier."
                )
            if quantity and price is not None:
                self._pay(position_id, holding, quantity, boundary, rate, price, ts_now)
            elif holding.quantity.at(ts_now) == 0.0:
                del self._holdings[position_id]

    def _price(self, instrument_id: InstrumentId, ts: int) -> float | None:
        """Return the mark price at a time, else the market's, None before the first of either."""
        for source in (self._marks, self._prices):
            price = source[instrument_id].at(ts) if instrument_id in source else None
            if price is not None:
                return price
        return None

    def _pay(
        self,
        position_id: PositionId,
        holding: _Holding,
        quantity: float,
        boundary: int,
        rate: Decimal,
        at: float,
        ts_now: int,
    ) -> None:
        instrument = self.exchange.instruments[holding.instrument_id]
        price = instrument.make_price(at)
        notional = instrument.notional_value(instrument.make_qty(abs(quantity)), price)
        owed = notional.as_decimal() * rate
        amount = Money(-owed if quantity > 0.0 else owed, notional.currency)
        if self.exchange.get_account().balance(amount.currency) is None:
            raise ConfigError(
                f"funding of {holding.instrument_id}: the account at {self.exchange.id} has no "
                f"{amount.currency} balance; add it to the venue's starting balances."
            )
        self.exchange.adjust_account(amount)
        self._adjust_position(position_id, amount, ts_now)
        code = amount.currency.code
        self._totals[code] = self._totals.get(code, Decimal(0)) + amount.as_decimal()
        payment = FundingPayment(
            instrument_id=holding.instrument_id,
            strategy_id=holding.strategy_id,
            position_id=position_id.value,
            rate=float(rate),
            quantity=quantity,
            price=float(price),
            amount=float(amount),
            currency=code,
            ts_event=boundary,
            ts_init=ts_now,
        )
        self.payments.append(payment)
        publish(self, payment)

    def _adjust_position(self, position_id: PositionId, amount: Money, ts_now: int) -> None:
        position = self.cache.position(position_id)
        position.apply_adjustment(
            PositionAdjusted(
                position.trader_id,
                position.strategy_id,
                position.instrument_id,
                position.id,
                position.account_id,
                PositionAdjustmentType.FUNDING,
                None,
                amount,
                "funding",
                UUID4(),
                ts_now,
                ts_now,
            )
        )
        if position.is_open:
            # The portfolio keeps realized profit until a position event; a closed one would count a trade.
            event = PositionChanged.create(position, position.last_event, UUID4(), ts_now)
            self.msgbus.send("Portfolio.update_position", event)

    def log_diagnostics(self, logger: object) -> None:
        """Log what was paid and received."""
        logger.info(f"Funding at {self.exchange.id}: {self._totals} {dict(self._counts)}")  # type: ignore[attr-defined]

    def reset(self) -> None:
        """Forget everything."""
        self._clear()


def _settlement_time(update: FundingRateUpdate) -> int:
    """Return the whole hour that a settled rate belongs to; venues stamp it some milliseconds off."""
    boundary: int = (update.ts_event + NS_PER_HOUR // 2) // NS_PER_HOUR * NS_PER_HOUR
    if abs(update.ts_event - boundary) > NS_PER_MINUTE:
        raise DataError(
            f"settled funding rate of {update.instrument_id}: expected ts_event within a minute of a whole "
            f"hour, found {update.ts_event}; if the venue publishes predicted rates, set the funding "
            "module's `rates` to 'predicted'."
        )
    return boundary
