"""The module that shows bars and halts to a venue's fill model, and records what its fills cost.

A halt is an `InstrumentStatus` of the instrument with one of the `HALTS` as its action; any other action ends
it. While it lasts nothing fills: market orders, also those on their way, are rejected, stops and limits rest
without being filled, positions are not liquidated. Data go on. What rests is matched again from the first
price after the halt, so a stop that the market has passed meanwhile fills at that bar's open.
"""

from collections import Counter, deque

from nautilus_trader.backtest.config import SimulationModuleConfig
from nautilus_trader.backtest.modules import SimulationModule
from nautilus_trader.core.data import Data
from nautilus_trader.model.data import (
    Bar,
    BookOrder,
    InstrumentStatus,
    MarkPriceUpdate,
    OrderBookDepth10,
    QuoteTick,
)
from nautilus_trader.model.enums import OrderSide, OrderType
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.model.objects import Price
from nautilus_trader.model.orders import Order

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.halts import HALTS
from oi_hedge_strategy.simulation.bars import ExecutionBars
from oi_hedge_strategy.simulation.depth import BookSnapshot
from oi_hedge_strategy.simulation.fills import CostQuote, ImpactFillModel, is_on_mark
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

    Only the finest time bars of an instrument are used, as the engine itself matches on those. What the
    volume of one bar could not take of a market order is filled on the next bars, at their close.
    """

    def __init__(self, config: ImpactStateModuleConfig) -> None:
        super().__init__(config)
        self.fills: deque[FillCost] = deque(maxlen=config.keep_records)
        self._bars = ExecutionBars()
        self._matching: InstrumentId | None = None
        self._working: dict[InstrumentId, list[Order]] = {}
        self._before_book: tuple[bool, Price | None, Price | None] = (False, None, None)
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
        self.msgbus.subscribe(
            f"data.book.depth.{self.exchange.id}.*", self._end_book, priority=MATCHED_PRIORITY
        )
        self.msgbus.subscribe(f"events.fills.*.{self.exchange.id}", self._on_fill)
        self.msgbus.subscribe(f"data.mark_prices.{self.exchange.id}.*", self._on_mark)

    def pre_process(self, data: Data) -> None:
        """Announce a bar to the fill model before it is matched, and note halts."""
        if isinstance(data, InstrumentStatus):
            self._on_status(data)
        elif isinstance(data, OrderBookDepth10):
            self._begin_book(data)
        elif isinstance(data, Bar) and (duration := self._bars.duration(data)) is not None:
            self.exchange.fill_model.begin_bar(data, duration)
            self._matching = data.bar_type.instrument_id

    def _on_status(self, status: InstrumentStatus) -> None:
        market = self.exchange.fill_model.market(status.instrument_id)
        halted = status.action in HALTS
        if halted and not market.halted:
            self._counts["halts"] += 1
        market.halted = halted

    def _begin_book(self, depth: OrderBookDepth10) -> None:
        """
        Take in a snapshot, and keep the engine from trading on it.

        Where a venue is matched on bars, quotes or trades, 1.231 takes the tenth level of a snapshot for the
        best: so nothing fills while the engine takes it in, and `_end_book` gives back the market of before.
        """
        instrument_id = depth.instrument_id
        instrument = self.cache.instrument(instrument_id)
        market = self.exchange.fill_model.market(instrument_id)
        bids, asks = _levels(depth.bids, instrument), _levels(depth.asks, instrument)
        if bids and asks:
            market.book = BookSnapshot(depth.ts_event, bids, asks)
        known = self.exchange.best_bid_price(instrument_id), self.exchange.best_ask_price(instrument_id)
        self._before_book = market.halted, *known
        market.halted = True

    def _end_book(self, depth: OrderBookDepth10) -> None:
        instrument_id = depth.instrument_id
        halted, bid, ask = self._before_book
        self.exchange.fill_model.market(instrument_id).halted = halted
        top = (depth.bids[0], depth.asks[0])
        if (bid is None or ask is None) and not (top[0].size > 0 and top[1].size > 0):
            return
        tick = QuoteTick(
            instrument_id,
            top[0].price if bid is None else bid,
            top[1].price if ask is None else ask,
            top[0].size,
            top[1].size,
            depth.ts_event,
            depth.ts_init,
        )
        self.exchange.get_book(instrument_id).update_quote_tick(tick)
        self.exchange.get_matching_engine(instrument_id).iterate(depth.ts_init)

    def _on_matched(self, bar: Bar) -> None:
        self._complete()

    def _on_mark(self, update: MarkPriceUpdate) -> None:
        """Set off the stops that a mark price reaches."""
        price, instrument_id = float(update.value), update.instrument_id
        market = self.exchange.fill_model.market(instrument_id)
        market.marks.add(update.ts_event, price)
        for order in self.cache.orders_open(instrument_id=instrument_id):
            if is_on_mark(order) and _reaches(price, order):
                market.fired = price
                self.exchange.get_matching_engine(instrument_id).fill_market_order(order)
                market.fired = None

    def _complete(self) -> None:
        if self._matching is None:
            return
        instrument_id, self._matching = self._matching, None
        self.exchange.fill_model.complete_bar(instrument_id)
        for order in self._working.pop(instrument_id, ()):
            if order.is_open:
                self.exchange.get_matching_engine(instrument_id).fill_market_order(order)
                self._keep_working(order)

    def _keep_working(self, order: Order) -> None:
        """Remember a market order that the volume could not fill; triggered stops rest at the venue."""
        working = self._working.setdefault(order.instrument_id, [])
        if order.order_type == OrderType.MARKET and order.is_open and order not in working:
            working.append(order)

    def _on_fill(self, event: OrderFilled) -> None:
        instrument = self.cache.instrument(event.instrument_id)
        quantity = float(event.last_qty)
        quote = self.exchange.fill_model.take_quote(instrument, event.client_order_id, quantity)
        if quote is None:
            return
        order = self.cache.order(event.client_order_id)
        if order.is_open:
            self._counts["partial fills"] += 1
            self._keep_working(order)
        record = _fill_cost(event, quote, instrument)
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
        self._working.clear()
        self._counts.clear()


def _reaches(price: float, stop: Order) -> bool:
    trigger = float(stop.trigger_price)
    return price >= trigger if stop.side == OrderSide.BUY else price <= trigger


def _levels(orders: list[BookOrder], instrument: Instrument) -> list[tuple[float, float]]:
    """Return price and base-coin quantity of the levels that there are."""
    found = [(float(each.price), float(each.size)) for each in orders if each.size > 0]
    unit = float(instrument.multiplier)
    return [(price, size * unit / (price if instrument.is_inverse else 1.0)) for price, size in found]


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
        latency_bps=quote.latency_bps,
        permanent_bps=quote.permanent_bps,
        capped=quote.cost.capped,
        estimated=quote.estimated,
        amount=side * worse * size,
        currency=instrument.get_cost_currency().code,
        ts_event=event.ts_event,
        ts_init=event.ts_init,
    )
