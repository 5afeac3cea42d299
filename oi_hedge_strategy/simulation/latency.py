"""Let orders arrive when their latency has passed, also between bars.

The engine looks at orders in flight only when data or a timer moves its time, so that with hourly bars an
order sent after a close would be matched an hour later. This module sets a time alert on the venue's clock
for the arrival of every order, change and cancellation; at that time the venue takes in what has arrived and
matches it against the last known market. It does so within the alert, not after it, so that an order which
answers the fill (a stop for a new position) gets an alert of its own before the engine moves to the next bar.
"""

from nautilus_trader.backtest.config import SimulationModuleConfig
from nautilus_trader.backtest.modules import SimulationModule
from nautilus_trader.common.component import TimeEvent
from nautilus_trader.model.events import OrderEvent, OrderPendingCancel, OrderPendingUpdate, OrderSubmitted


class LatencyModuleConfig(SimulationModuleConfig, frozen=True):
    """Configure a `LatencyModule`; the latencies themselves are those of the venue's latency model."""


class LatencyModule(SimulationModule):
    """Advance the engine's time to the arrival of each message in flight; needs the venue's latency model."""

    def register_venue(self, exchange: object) -> None:
        """Bind to the venue and watch its orders."""
        super().register_venue(exchange)
        self.msgbus.subscribe("events.order.*", self._on_order_event)

    def _on_order_event(self, event: OrderEvent) -> None:
        model = self.exchange.latency_model
        if model is None or event.instrument_id.venue != self.exchange.id:
            return
        if isinstance(event, OrderSubmitted):
            self._wake_at(event.ts_event + model.insert_latency_nanos)
        elif isinstance(event, OrderPendingUpdate):
            self._wake_at(event.ts_event + model.update_latency_nanos)
        elif isinstance(event, OrderPendingCancel):
            self._wake_at(event.ts_event + model.cancel_latency_nanos)

    def _wake_at(self, arrival: int) -> None:
        name = f"{self.exchange.id}-ARRIVAL-{arrival}"
        if name not in self.clock.timer_names:
            self.clock.set_time_alert_ns(name, arrival, self._on_arrival)

    def _on_arrival(self, event: TimeEvent) -> None:
        """Take in what has arrived and match it, as the engine does after each timestamp."""
        self.exchange.process(event.ts_event)
        for engine in self.exchange.get_matching_engines().values():
            engine.iterate(event.ts_event)

    def pre_process(self, data: object) -> None:
        """Do nothing: order events drive the module."""

    def process(self, ts_now: int) -> None:
        """Do nothing: order events drive the module."""

    def log_diagnostics(self, logger: object) -> None:
        """Log nothing."""

    def reset(self) -> None:
        """Keep no state."""
