"""The actor that says once when something is wrong: in the log, as data, and to a webhook."""

from typing import Any

from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorConfig
from nautilus_trader.model.data import CustomData, DataType
from nautilus_trader.model.identifiers import InstrumentId, StrategyId

from oi_hedge_adapters.feed_status import FeedStatus
from oi_hedge_strategy.live.conditions import Change, Conditions
from oi_hedge_strategy.live.webhook import Webhook
from oi_hedge_strategy.records import Alert, HedgeDecision, StageTiming
from oi_hedge_strategy.simulation.records import PositionLiquidated

WEBHOOK_VARIABLE = "OI_HEDGE_WEBHOOK_URL"
TROUBLE_TOPIC = "oi_hedge.trouble"
"""Any component publishes condition, source, whether it holds and a sentence there to have it alerted."""

_ALERT = DataType(Alert)


class AlertMonitorConfig(ActorConfig, frozen=True):
    """
    Configure an `AlertMonitor`.

    Parameters
    ----------
    instrument_id : InstrumentId
        The hedge instrument.
    strategy_id : StrategyId
        The strategy whose orders are watched.
    budgets_ms : dict of str to float
        By stage.
    webhook_per_hour : int
        At most so many messages go to the webhook within an hour.

    """

    instrument_id: InstrumentId
    strategy_id: StrategyId
    budgets_ms: dict[str, float] = {}  # noqa: RUF012 - msgspec copies defaults
    webhook_per_hour: int = 30


class AlertMonitor(Actor):
    """
    Watch decisions, timings, feeds and orders, and say each condition once when it begins and when it ends.

    The webhook's address is read from the environment variable `OI_HEDGE_WEBHOOK_URL`; without it alerts go
    to the log alone.
    """

    def __init__(self, config: AlertMonitorConfig) -> None:
        super().__init__(config)
        self._conditions = Conditions(config.budgets_ms)
        self._webhook: Webhook | None = None

    def on_start(self) -> None:
        """Open the webhook and listen."""
        self._webhook = Webhook.from_environment(
            WEBHOOK_VARIABLE, self.config.webhook_per_hour, self.log.error
        )
        self.msgbus.subscribe("data.*", self._on_message)
        self.msgbus.subscribe(f"events.order.{self.config.strategy_id}", self._on_order)
        self.msgbus.subscribe(TROUBLE_TOPIC, self._on_trouble)

    def on_stop(self) -> None:
        """Stop listening; give what waits for the webhook a last chance."""
        self.msgbus.unsubscribe("data.*", self._on_message)
        self.msgbus.unsubscribe(f"events.order.{self.config.strategy_id}", self._on_order)
        self.msgbus.unsubscribe(TROUBLE_TOPIC, self._on_trouble)
        if self._webhook is not None:
            self._webhook.close()

    def _on_message(self, message: Any) -> None:
        value = message.data if isinstance(message, CustomData) else message
        if isinstance(value, StageTiming):
            self._say(self._conditions.timed(value))
        elif isinstance(value, HedgeDecision):
            self._say(self._conditions.decided(value))
        elif isinstance(value, FeedStatus):
            self._say(self._conditions.feed(value))
        elif isinstance(value, PositionLiquidated) and value.strategy_id == str(self.config.strategy_id):
            text = f"the venue closed the hedge in {value.instrument_id} by force"
            self._say(self._conditions.set(f"liquidated at {value.ts_init}", True, text))

    def _on_order(self, event: Any) -> None:
        self._say(self._conditions.order(event))

    def _on_trouble(self, trouble: tuple[str, str, bool, str]) -> None:
        self._say(self._conditions.trouble(*trouble))

    def _say(self, changes: list[Change]) -> None:
        for condition, active, message in changes:
            text = f"{condition}: {message}" if active else f"{condition} is over: {message}"
            if active:
                self.log.error(f"ALERT {text}")
            else:
                self.log.warning(text)
            now = self.clock.timestamp_ns()
            instrument_id = self.config.instrument_id
            self.publish_data(_ALERT, Alert(instrument_id, condition, active, message, now, now))
            if self._webhook is not None:
                self._webhook.send(f"oi-hedge {instrument_id}: {text}")
