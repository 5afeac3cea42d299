"""Let orders arrive when their latency has passed, also between bars, and let latency grow with volatility.

The engine looks at orders in flight only when data or a timer moves its time, so that with hourly bars an
order sent after a close would be matched an hour later. This module sets a time alert on the venue's clock
for the arrival of every order, change and cancellation; at that time the venue takes in what has arrived and
matches it against the last known market. It does so within the alert, not after it, so that an order which
answers the fill (a stop for a new position) gets an alert of its own before the engine moves to the next bar.

The delay of a message is drawn when it is sent: that of order entry, and before it that of the feed, or,
where the order answers a fill of the same moment, that of the response. The engine itself shows the strategy
data and fills at once; what it does about them is late by both. Between bars the recorded market stands
still: what it moves on meanwhile is charged by the fill model (`adverse_move`) on market orders, and never
credited.
"""

from random import Random

from nautilus_trader.backtest.config import SimulationModuleConfig
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.backtest.modules import SimulationModule
from nautilus_trader.common.component import TimeEvent
from nautilus_trader.model.enums import OrderType
from nautilus_trader.model.events import (
    OrderEvent,
    OrderFilled,
    OrderPendingCancel,
    OrderPendingUpdate,
    OrderSubmitted,
)
from nautilus_trader.model.identifiers import ClientOrderId, StrategyId

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.delays import DelayParameters
from oi_hedge_strategy.simulation.fills import ImpactFillModel

SENT = (OrderSubmitted, OrderPendingUpdate, OrderPendingCancel)
"""Events after which a message is on its way to the venue."""


class LatencyModuleConfig(SimulationModuleConfig, frozen=True):
    """
    Configure a `LatencyModule`; `DelayParameters` explains each value.

    Parameters
    ----------
    seed : int, default 0
        Of the jitter.
    charges_moves : bool, default False
        Whether market orders pay for what the market moves on while they are on their way.

    """

    feed_ms: float = 0.0
    entry_ms: float = 200.0
    response_ms: float = 0.0
    exponent: float = 0.0
    jitter: float = 0.0
    cap_ms: float = 60_000.0
    seed: int = 0
    charges_moves: bool = False


class LatencyModule(SimulationModule):
    """Draw the delay of each message and advance the engine's time to its arrival."""

    def __init__(self, config: LatencyModuleConfig) -> None:
        super().__init__(config)
        self._delays = DelayParameters(
            feed_ms=config.feed_ms,
            entry_ms=config.entry_ms,
            response_ms=config.response_ms,
            exponent=config.exponent,
            jitter=config.jitter,
            cap_ms=config.cap_ms,
        )
        self.reset()

    def register_venue(self, exchange: object) -> None:
        """Bind to the venue and watch its orders."""
        super().register_venue(exchange)
        if not isinstance(self.exchange.fill_model, ImpactFillModel):
            raise ConfigError(
                f"venue {self.exchange.id}: LatencyModule needs the fill model ImpactFillModel, found "
                f"{type(self.exchange.fill_model).__name__}; set `fill_model`."
            )
        self.msgbus.subscribe("events.order.*", self._on_order_event)

    def pre_process(self, data: object) -> None:
        """Do nothing: order events drive the module."""

    def _on_order_event(self, event: OrderEvent) -> None:
        if event.instrument_id.venue != self.exchange.id:
            return
        if isinstance(event, OrderFilled):
            self._last_fill[event.strategy_id] = event.ts_event
        elif isinstance(event, SENT):
            delay = self._draw(event)
            self._set(delay)
            self._wake_at(event.ts_event + delay)
            if self.config.charges_moves and isinstance(event, OrderSubmitted):
                self._charge(event.client_order_id, delay)

    def _draw(self, event: OrderEvent) -> int:
        """Return how long it takes from what a message answers to its arrival, nanoseconds."""
        delays, stress = self._delays, self.exchange.fill_model.market(event.instrument_id).stress
        answers_fill = self._last_fill.get(event.strategy_id) == event.ts_event
        before = delays.response_ms if answers_fill else delays.feed_ms
        seen = delays.sample(before, stress, self._random)
        return seen + delays.sample(delays.entry_ms, stress, self._random)

    def _set(self, delay: int) -> None:
        """Give the venue the delay of the message that it is about to be sent."""
        self.exchange.set_latency_model(LatencyModel(base_latency_nanos=delay))

    def _charge(self, client_order_id: ClientOrderId, delay: int) -> None:
        """Let a market order pay for the market's move on its way; others meet the market where they rest."""
        if self.cache.order(client_order_id).order_type == OrderType.MARKET:
            self.exchange.fill_model.delay(client_order_id, delay)

    def _wake_at(self, arrival: int) -> None:
        name = f"{self.exchange.id}-ARRIVAL-{arrival}"
        if name not in self.clock.timer_names:
            self.clock.set_time_alert_ns(name, arrival, self._on_arrival)

    def _on_arrival(self, event: TimeEvent) -> None:
        """Take in what has arrived and match it, as the engine does after each timestamp."""
        self.exchange.process(event.ts_event)
        for engine in self.exchange.get_matching_engines().values():
            engine.iterate(event.ts_event)

    def process(self, ts_now: int) -> None:
        """Do nothing: order events drive the module."""

    def log_diagnostics(self, logger: object) -> None:
        """Log nothing."""

    def reset(self) -> None:
        """Start over with the same seed."""
        self._random = Random(self.config.seed)
        self._last_fill: dict[StrategyId, int] = {}
