"""What a venue offers to an order: one price, so much of it, and no more."""

from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.data import Bar
from nautilus_trader.model.enums import BookType, TimeInForce
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.model.objects import Price, Quantity
from nautilus_trader.model.orders import Order

from oi_hedge_strategy.simulation.delays import range_volatility
from oi_hedge_strategy.simulation.depth import BookSnapshot
from oi_hedge_strategy.simulation.impact import NS_PER_DAY, MarketEstimator
from oi_hedge_strategy.simulation.margin_group import MarkPrices

MAX_BOOK_AGE_NS = 3_600_000_000_000
"""How long an order book counts, or a bar's duration if that is longer."""


class OfferedBook(OrderBook):
    """
    Offer up to `quantity` at `price` to one order.

    What is beyond is answered with a fill of zero, at which the engine stops: the rest of the order stays
    open. Without it the engine would fill all of the rest one tick worse, or cancel it if the order is
    immediate-or-cancel, as it should then.
    """

    def __init__(self, instrument: Instrument, price: Price, quantity: Quantity) -> None:
        super().__init__(instrument_id=instrument.id, book_type=BookType.L2_MBP)
        self._price, self._quantity = price, quantity

    def simulate_fills(
        self, order: Order, price_prec: int, size_prec: int, is_aggressive: bool
    ) -> list[tuple[Price, Quantity]]:
        """Return the fills that the order gets."""
        if self._quantity >= order.leaves_qty:
            return [(self._price, order.leaves_qty)]
        nothing = (self._price, Quantity.zero(size_prec))
        if not self._quantity > 0:
            return [nothing]
        offered = (self._price, self._quantity)
        return [offered] if order.time_in_force == TimeInForce.IOC else [offered, nothing]


class BarMarket:
    """
    Keep one instrument's estimator, the bar that is being matched apart from it, and what is left to trade.

    Parameters
    ----------
    estimator : MarketEstimator
        Of the instrument.
    participation : float
        Own fills as a share of a bar's volume, at most.

    Attributes
    ----------
    marks : MarkPrices
        The mark prices seen.
    marked : bool
        Whether at least two lay within the last bar, so that they and not last prices set off stops on marks.
    fired : float, optional
        The mark price that sets off a stop at this moment.

    """

    def __init__(self, estimator: MarketEstimator, participation: float) -> None:
        self.estimator = estimator
        self.open: Price | None = None
        self.halted = False
        self.stress = 1.0
        self.marks = MarkPrices()
        self.marked = False
        self.fired: float | None = None
        self.book: BookSnapshot | None = None
        self._participation = participation
        self._bar: tuple[int, float, float, int] | None = None
        self._left: float | None = None

    def begin(self, bar: Bar, duration_ns: int) -> None:
        """Take note that `bar` is about to be matched."""
        self.complete()
        if self.book is not None and self.book.ts < bar.ts_event - max(duration_ns, MAX_BOOK_AGE_NS):
            self.book = None
        volume = float(bar.volume)
        self._bar = (bar.ts_event, float(bar.close), volume, duration_ns)
        self._left = self._participation * volume
        own = range_volatility(float(bar.high), float(bar.low), duration_ns / NS_PER_DAY)
        usual = self.estimator.volatility
        self.stress = own / usual if usual > 0.0 else 1.0
        self.open = bar.open
        self.marked = self.marks.are_within(bar.ts_event - duration_ns)

    def complete(self) -> None:
        """Let the bar count in the estimates."""
        if self._bar is not None:
            self.estimator.update(*self._bar)
        self._bar = self.open = None

    def book_cost_bps(self, side: int, quantity: float) -> float:
        """Return what `quantity` in base coin would cost in the last order book, 0 without one."""
        return self.book.cost_bps(side, quantity) if self.book is not None and quantity > 0.0 else 0.0

    def available(self, quantity: float) -> float:
        """Return how much of `quantity` the last bar's volume still takes; all of it before the first bar."""
        if self.halted:
            return 0.0
        return quantity if self._left is None else min(quantity, self._left)

    def take(self, quantity: float) -> None:
        """Take note of an own fill."""
        if self._left is not None:
            self._left = max(self._left - quantity, 0.0)
