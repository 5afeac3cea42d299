"""Fills with spread, square-root impact, latency and limited volume, for venues simulated from bars.

What a fill may know: during the matching of bar t (stops, liquidations) volatility and volume come from the
bars before t; from the moment bar t has been matched and published (market orders after its close) bar t
counts too. A stop fills from its trigger, or from the bar's open if the market opened beyond the trigger,
never from the bar's extreme. Where at least two mark prices came within a bar, a stop that is set off by the
mark waits for them, whatever the bar's prices, and fills at the mark that reaches it.

Market and stop orders together take at most a share of a bar's volume; what is left of them is filled on
later bars. Limit orders keep the engine's own behaviour. At a halted venue nothing fills.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from nautilus_trader.backtest.config import FillModelConfig
from nautilus_trader.backtest.models import FillModel
from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.data import Bar
from nautilus_trader.model.enums import OrderSide, OrderType, TriggerType
from nautilus_trader.model.identifiers import ClientOrderId, InstrumentId
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.model.objects import Price, Quantity
from nautilus_trader.model.orders import Order

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.delays import adverse_move
from oi_hedge_strategy.simulation.impact import (
    BPS,
    ExecutionCost,
    ImpactParameters,
    MarketEstimator,
    execution_cost,
    worse_price,
)
from oi_hedge_strategy.simulation.liquidity import BarMarket, OfferedBook
from oi_hedge_strategy.simulation.propagator import PERMANENT_COEFFICIENT, permanent_share

_STEP_TOLERANCE = 1e-9
STOPS = (OrderType.STOP_MARKET, OrderType.TRAILING_STOP_MARKET)


class ImpactFillModelConfig(FillModelConfig, frozen=True):
    """
    Configure an `ImpactFillModel`; `ImpactParameters` and `MarketEstimator` explain the values not listed.

    Until `warmup_days` of bars have been seen, `default_volatility` (daily, a fraction) and `default_volume`
    (daily, base coin) stand in for the estimates, and each fill's record says so.

    Parameters
    ----------
    multiplier : float, default 1
        Times the spread and impact of every fill, for sweeps.
    permanent_coefficient : float, default 0.314
        Of the part of the impact that stays, linear in the quantity (see `propagator`).
    participation : float, default 0.1
        Own fills as a share of a bar's volume, at most.

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
    permanent_coefficient: float = PERMANENT_COEFFICIENT
    participation: float = 0.1


@dataclass(frozen=True, slots=True)
class CostQuote:
    """
    Hold the price offered to an order and how it came about.

    Parameters
    ----------
    reference : float
        The market's price when the order met it, own earlier trades included.
    price : float
        What the order gets.
    cost : ExecutionCost
        Between the two, without latency.
    permanent_bps : float
        What of the impact stays in the market's price.
    latency_bps : float
        What the market moved against the order on its way.
    estimated : bool
        True if volatility and volume were measured.

    """

    reference: float
    price: float
    cost: ExecutionCost
    permanent_bps: float
    latency_bps: float
    estimated: bool


class ImpactFillModel(FillModel):
    """Fill market and stop orders at the market's price, moved by latency, spread and impact."""

    def __init__(self, config: ImpactFillModelConfig) -> None:
        state = random.getstate()
        super().__init__(config=config)
        if config.random_seed is None:
            random.setstate(state)
        if not config.participation > 0.0 or config.permanent_coefficient < 0.0:
            raise ConfigError(
                "market impact: participation must be positive and permanent_coefficient not negative, found "
                f"{config.participation} and {config.permanent_coefficient}."
            )
        self._config = config
        self._parameters = ImpactParameters(
            coefficient=config.impact_coefficient,
            half_spread_bps=config.half_spread_bps,
            reference_volatility=config.reference_volatility,
            min_half_spread_bps=config.min_half_spread_bps,
            max_cost_bps=config.max_cost_bps,
        ).times(config.multiplier)
        self._markets: dict[InstrumentId, BarMarket] = {}
        self._quotes: dict[ClientOrderId, CostQuote] = {}
        self._delays: dict[ClientOrderId, int] = {}
        self._moved: Callable[[InstrumentId], float] | None = None

    def market(self, instrument_id: InstrumentId) -> BarMarket:
        """Return what is known of an instrument at this moment."""
        found = self._markets.get(instrument_id)
        if found is None:
            config = self._config
            estimator = MarketEstimator(
                config.half_life_days, config.warmup_days, config.default_volatility, config.default_volume
            )
            found = self._markets[instrument_id] = BarMarket(estimator, config.participation)
        return found

    def estimator(self, instrument_id: InstrumentId) -> MarketEstimator:
        """Return what is known of an instrument's volatility and volume at this moment."""
        return self.market(instrument_id).estimator

    def begin_bar(self, bar: Bar, duration_ns: int) -> None:
        """Take note that the venue is about to match `bar`."""
        self.market(bar.bar_type.instrument_id).begin(bar, duration_ns)

    def complete_bar(self, instrument_id: InstrumentId) -> None:
        """Take note that the venue has matched the instrument's bar and that its close is known."""
        self.market(instrument_id).complete()

    def delay(self, client_order_id: ClientOrderId, delay_ns: int) -> None:
        """Take note of how old the market that an order answers will be when it arrives."""
        self._delays[client_order_id] = delay_ns

    def follow(self, moved: Callable[[InstrumentId], float]) -> None:
        """Ask `moved` how far own trades have moved a market since its last price, a signed fraction."""
        self._moved = moved

    def quote(
        self,
        instrument: Instrument,
        side: int,
        quantity: float,
        reference: float,
        half_spread_bps: float = 0.0,
        delay_ns: int = 0,
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
        delay_ns : int
            How old the price is that the order answers.

        """
        market = self.market(instrument.id)
        estimator = market.estimator
        volatility, volume = estimator.volatility, estimator.volume
        coins = quantity * _coins(instrument, reference)
        shown = market.book_cost_bps(side, coins) * self._config.multiplier
        cost = execution_cost(self._parameters, coins, volatility, volume, half_spread_bps, shown)
        stays = self._permanent_bps(coins, volatility, volume) if cost.impact_bps > 0.0 else 0.0
        late = adverse_move(volatility, market.stress, delay_ns) / BPS if delay_ns else 0.0
        price = worse_price(reference, cost.total_bps + late, side, float(instrument.price_increment))
        return CostQuote(
            reference=reference,
            price=price,
            cost=cost,
            permanent_bps=min(stays, cost.impact_bps),
            latency_bps=late,
            estimated=estimator.is_warm,
        )

    def _permanent_bps(self, coins: float, volatility: float, volume: float) -> float:
        config = self._config
        share = permanent_share(coins, volatility, volume, config.permanent_coefficient)
        return share * config.multiplier / BPS

    def take_quote(
        self, instrument: Instrument, client_order_id: ClientOrderId, quantity: float
    ) -> CostQuote | None:
        """
        Return and forget the quote of an order that has filled by `quantity`, and reduce the bar's volume.

        ``None`` if this model did not fill it. What is left of the order was late only once.
        """
        self._delays.pop(client_order_id, None)
        quote = self._quotes.pop(client_order_id, None)
        if quote is not None:
            self.market(instrument.id).take(quantity * _coins(instrument, quote.reference))
        return quote

    def reset(self) -> None:
        """Forget all markets and quotes."""
        for memory in (self._markets, self._quotes, self._delays):
            memory.clear()

    def get_orderbook_for_fill_simulation(
        self, instrument: Instrument, order: Order, best_bid: Price, best_ask: Price
    ) -> OrderBook | None:
        """Return what the venue offers to an order; ``None`` leaves limit orders to the engine."""
        market = self.market(instrument.id)
        if market.halted or (market.marked and market.fired is None and is_on_mark(order)):
            return OfferedBook(instrument, best_ask, Quantity.zero(instrument.size_precision))
        if order.has_price:
            return None
        bid, ask = float(best_bid), float(best_ask)
        anchor = self._anchor(market, order, best_bid)
        middle = 0.5 * (bid + ask)
        moved = self._moved(instrument.id) if anchor is None and self._moved is not None else 0.0
        reference = middle * (1.0 + moved) if anchor is None else float(anchor)
        spread = 0.5 * (ask - bid) / middle / BPS
        leaves = order.leaves_qty
        unit = _coins(instrument, reference)
        room = market.available(float(leaves) * unit) / unit
        offered = leaves if room >= float(leaves) else _floor(instrument, room)
        side = 1 if order.side == OrderSide.BUY else -1
        delay = self._delays.get(order.client_order_id, 0)
        quote = self.quote(instrument, side, float(offered), reference, spread, delay)
        if offered > 0:
            self._quotes[order.client_order_id] = quote
        return OfferedBook(instrument, instrument.make_price(quote.price), offered)

    def _anchor(self, market: BarMarket, order: Order, price: Price) -> Price | None:
        """Return where a triggered order met the market inside a bar, ``None`` where the market is known."""
        if market.fired is not None:
            return Price(market.fired, price.precision)
        if market.open is None or not order.has_trigger_price:
            return None
        trigger, opened = order.trigger_price, market.open
        rising = (order.side == OrderSide.BUY) == (order.order_type in STOPS)
        gapped = opened >= trigger if rising else opened <= trigger
        return opened if gapped and price == opened else trigger


def is_on_mark(order: Order) -> bool:
    """Return whether an order is a stop that is set off by the mark price."""
    return order.order_type == OrderType.STOP_MARKET and order.trigger_type == TriggerType.MARK_PRICE


def _coins(instrument: Instrument, price: float) -> float:
    """Return the base coin in one unit of an instrument's quantity."""
    return float(instrument.multiplier) / (price if instrument.is_inverse else 1.0)


def _floor(instrument: Instrument, quantity: float) -> Quantity:
    """Return the largest quantity of the instrument's increments that is not above `quantity`."""
    step = float(instrument.size_increment)
    return Quantity(int(quantity / step + _STEP_TOLERANCE) * step, instrument.size_precision)
