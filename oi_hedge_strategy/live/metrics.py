"""The actor that offers what a session does to Prometheus, on the loopback interface."""

from typing import Any

from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorConfig
from nautilus_trader.model.data import CustomData
from nautilus_trader.model.identifiers import StrategyId
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.live.entries import is_market_data, kind_of
from oi_hedge_strategy.live.timing import STAGES
from oi_hedge_strategy.records import Alert, CascadeForecast, HedgeDecision, StageTiming

_BUCKETS = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 1.0)


class MetricsServerConfig(ActorConfig, frozen=True):
    """
    Configure a `MetricsServer`.

    Parameters
    ----------
    port : int
        Where it listens.
    strategy_id : StrategyId
        The strategy whose orders are counted.
    host : str
        The address; the loopback interface by default.

    """

    port: int
    strategy_id: StrategyId
    host: str = "127.0.0.1"


class MetricsServer(Actor):
    """
    Serve ``/metrics`` as long as the node runs.

    Attributes
    ----------
    port : int
        Where it listens; a free one where 0 was configured.

    """

    def __init__(self, config: MetricsServerConfig) -> None:
        super().__init__(config)
        registry = self._registry = CollectorRegistry()

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"oi_hedge_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"oi_hedge_{name}", text, labels, registry=registry)

        self._values = {
            "exposure": gauge("exposure_base", "Exposure, signed base coin"),
            "hedge_quantity": gauge("position_base", "Hedge position, signed base coin"),
            "held": gauge("ratio_held", "Hedge ratio held"),
            "wanted": gauge("ratio_wanted", "Hedge ratio of the policy"),
            "allowed": gauge("ratio_allowed", "Hedge ratio that the rails allow"),
            "equity": gauge("equity_quote", "Equity of the hedge account, quote currency"),
            "price": gauge("price_quote", "Price of the hedge instrument"),
        }
        self._probability = gauge(
            "cascade_probability", "Calibrated probability of a cascade", "side", "horizon_hours"
        )
        self._rail = counter("rail_decisions", "Decisions by the rail that made them", "rail")
        self._received = counter("inputs", "Market data taken in", "kind")
        self._newest = gauge("input_timestamp_seconds", "Newest market data", "kind")
        self._order = counter("order_events", "Events of the strategy's orders", "event")
        self._alert = gauge("alerts_active", "Conditions that hold now")
        self._stage = Histogram(
            "oi_hedge_stage_seconds", "Time of each stage", ("stage",), buckets=_BUCKETS, registry=registry
        )
        self._active: set[str] = set()
        self.port = config.port
        self._server: Any = None

    def on_start(self) -> None:
        """
        Listen.

        Raises
        ------
        ConfigError
            If the port is taken.

        """
        host, port = self.config.host, self.config.port
        try:
            self._server, _ = start_http_server(port, addr=host, registry=self._registry)
        except OSError as error:
            raise ConfigError(
                f"metrics_port {port}: cannot listen on {host}: {error.strerror}; choose another port"
            ) from error
        self.port = self._server.server_port
        self.log.info(f"metrics on http://{host}:{self.port}/metrics")
        self.msgbus.subscribe("data.*", self._on_message)
        self.msgbus.subscribe(f"events.order.{self.config.strategy_id}", self._on_order)

    def on_stop(self) -> None:
        """Close the port."""
        self.msgbus.unsubscribe("data.*", self._on_message)
        self.msgbus.unsubscribe(f"events.order.{self.config.strategy_id}", self._on_order)
        self._server.shutdown()
        self._server.server_close()

    def _on_message(self, message: Any) -> None:
        value = message.data if isinstance(message, CustomData) else message
        if isinstance(value, HedgeDecision):
            for name, metric in self._values.items():
                metric.set(getattr(value, name))
            self._rail.labels(value.rail or "none").inc()
        elif isinstance(value, CascadeForecast):
            for side in ("down", "up"):
                for hours, probability in zip(value.horizons_hours, getattr(value, side), strict=True):
                    self._probability.labels(side, f"{hours:g}").set(probability)
        elif isinstance(value, StageTiming):
            for stage in STAGES:
                if (took := getattr(value, stage)) is not None:
                    self._stage.labels(stage).observe(took / 1e9)
        elif isinstance(value, Alert):
            (self._active.add if value.active else self._active.discard)(value.condition)
            self._alert.set(len(self._active))
        elif is_market_data(value):
            kind = kind_of(value).__name__
            self._received.labels(kind).inc()
            self._newest.labels(kind).set(value.ts_init / 1e9)

    def _on_order(self, event: Any) -> None:
        self._order.labels(type(event).__name__.removeprefix("Order").lower()).inc()
