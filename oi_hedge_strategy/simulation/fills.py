"""Fills with spread and square-root impact, for venues simulated from bars.

What a fill may know: during the matching of bar t (stops, liquidations) volatility and volume come from the
bars before t; from the moment bar t has been matched and published (market orders after its close) bar t
counts too. A stop fills from its trigger, or from the bar's open if the market opened beyond the trigger,
never from the bar's extreme. Limit orders keep the engine's own behaviour. The market itself does not move
after a fill: impact is a cost, not a change of the recorded prices.
"""

import random
from dataclasses import dataclass

from nautilus_trader.backtest.config import FillModelConfig
from nautilus_trader.backtest.models import FillModel
from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.data import Bar, BookOrder
from nautilus_trader.model.enums import BookType, OrderSide, OrderType
from nautilus_trader.model.identifiers import ClientOrderId, InstrumentId
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.model.objects import Price
from nautilus_trader.model.orders import Order

from oi_hedge_strategy.simulation.impact import (
    BPS,
    ExecutionCost,
    ImpactParameters,
    MarketEstimator,
    execution_cost,
    worse_price,
)

STOPS = (OrderType.STOP_MARKET, OrderType.TRAILING_STOP_MARKET)


class ImpactFillModelConfig(FillModelConfig, frozen=True):
    """
    Configure an `ImpactFillModel`; `ImpactParameters` and `MarketEstimator` explain each value.

    Until `warmup_days` of bars have been seen, `default_volatility` (daily, a fraction) and `default_volume`
    (daily, base coin) stand in for the estimates, and each fill's record says so. `multiplier` is applied to
    the spread and impact of every fill, for sweeps.
    """

    impact_coefficient: float = 1.0
    half_spread_bps: float = 1.0
    reference_volatility: float = 0.04
    min_half_spread_bps: float = 0.5
    max_cost_bps: float = 500.0
    half_life_days: float = 7.0
    warmup_days: float = 1.0
    default_volatility: float = 0.04
    default_volume: float = 1_000_000.0
    multiplier: float = 1.0


@dataclass(frozen=True, slots=True)
class CostQuote:
    """Hold the price offered to an order and how it came about."""

    reference: float
    price: float
    cost: ExecutionCost
    estimated: bool


class _BarMarket:
    """Keep one instrument's estimator, and the bar that is being matched apart from it."""

    def __init__(self, estimator: MarketEstimator) -> None:
        self.estimator = estimator
        self._bar: tuple[int, float, float, int] | None = None
        self.open: Price | None = None

    def begin(self, bar: Bar, duration_ns: int) -> None:
        self.complete()
        self._bar = (bar.ts_event, float(bar.close), float(bar.volume), duration_ns)
        self.open = bar.open

    def complete(self) -> None:
        if self._bar is not None:
            self.estimator.update(*self._bar)
        self._bar = self.open = None


class ImpactFillModel(FillModel):
    """Fill market and stop orders at the market's price, moved by spread and impact, in one piece."""

    def __init__(self, config: ImpactFillModelConfig) -> None:
        state = random.getstate()
        super().__init__(config=config)
        if config.random_seed is None:
            random.setstate(state)
        self._config = config
        self._parameters = ImpactParameters(
            coefficient=config.impact_coefficient,
            half_spread_bps=config.half_spread_bps,
            reference_volatility=config.reference_volatility,
            min_half_spread_bps=config.min_half_spread_bps,
            max_cost_bps=config.max_cost_bps,
        ).times(config.multiplier)
        self._markets: dict[InstrumentId, _BarMarket] = {}
        self._quotes: dict[ClientOrderId, CostQuote] = {}
        self._market_of_nothing = self._new_estimator()

    def _new_estimator(self) -> MarketEstimator:
        config = self._config
        return MarketEstimator(
            config.half_life_days, config.warmup_days, config.default_volatility, config.default_volume
        )

    def begin_bar(self, bar: Bar, duration_ns: int) -> None:
        """Take note that the venue is about to match `bar`."""
        market = self._markets.get(bar.bar_type.instrument_id)
        if market is None:
            market = self._markets[bar.bar_type.instrument_id] = _BarMarket(self._new_estimator())
        market.begin(bar, duration_ns)

    def complete_bar(self, instrument_id: InstrumentId) -> None:
        """Take note that the venue has matched the instrument's bar and that its close is known."""
        market = self._markets.get(instrument_id)
        if market is not None:
            market.complete()

    def estimator(self, instrument_id: InstrumentId) -> MarketEstimator:
        """Return what is known of an instrument's volatility and volume at this moment."""
        market = self._markets.get(instrument_id)
        return self._market_of_nothing if market is None else market.estimator

    def quote(
        self,
        instrument: Instrument,
        side: int,
        quantity: float,
        reference: float,
        half_spread_bps: float = 0.0,
    ) -> CostQuote:
        """
        Return the price at which `quantity` would fill now.

        Parameters
        ----------
        instrument : Instrument
            The instrument.
        side : int
            1 to buy, -1 to sell.
        quantity : float
            Order quantity, as the instrument counts it.
        reference : float
            The market's price before costs.
        half_spread_bps : float
            Half the quoted spread, if there are quotes.

        """
        coins = quantity * float(instrument.multiplier) / (reference if instrument.is_inverse else 1.0)
        market = self.estimator(instrument.id)
        cost = execution_cost(self._parameters, coins, market.volatility, market.volume, half_spread_bps)
        price = worse_price(reference, cost.total_bps, side, float(instrument.price_increment))
        return CostQuote(reference, price, cost, market.is_warm)

    def take_quote(self, client_order_id: ClientOrderId) -> CostQuote | None:
        """Return and forget the quote of an order that has filled; ``None`` if this model did not fill it."""
        return self._quotes.pop(client_order_id, None)

    def reset(self) -> None:
        """Forget all markets and quotes."""
        self._markets.clear()
        self._quotes.clear()

    def get_orderbook_for_fill_simulation(
        self, instrument: Instrument, order: Order, best_bid: Price, best_ask: Price
    ) -> OrderBook | None:
        """Return a book with the whole order at its impacted price, ``None`` for limit orders."""
        if order.has_price:
            return None
        bid, ask = float(best_bid), float(best_ask)
        anchor = self._anchor(instrument.id, order, best_bid)
        reference = 0.5 * (bid + ask) if anchor is None else float(anchor)
        spread = 0.5 * (ask - bid) / reference / BPS
        side = 1 if order.side == OrderSide.BUY else -1
        quote = self.quote(instrument, side, float(order.leaves_qty), reference, spread)
        self._quotes[order.client_order_id] = quote
        book = OrderBook(instrument_id=instrument.id, book_type=BookType.L2_MBP)
        opposite = OrderSide.SELL if side > 0 else OrderSide.BUY
        book.add(BookOrder(opposite, instrument.make_price(quote.price), order.leaves_qty, 1), 0, 0)
        return book

    def _anchor(self, instrument_id: InstrumentId, order: Order, market: Price) -> Price | None:
        """Return where a triggered order met the market inside a bar, ``None`` where the market is known."""
        state = self._markets.get(instrument_id)
        if state is None or state.open is None or not order.has_trigger_price:
            return None
        trigger, opened = order.trigger_price, state.open
        rising = (order.side == OrderSide.BUY) == (order.order_type in STOPS)
        gapped = opened >= trigger if rising else opened <= trigger
        return opened if gapped and market == opened else trigger
