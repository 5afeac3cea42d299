"""An actor that keeps what the strategy published."""

from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorConfig

from oi_hedge_strategy.records import CascadeForecast, HedgeDecision


class DecisionRecorderConfig(ActorConfig, frozen=True):
    """Configure a `DecisionRecorder`."""


class DecisionRecorder(Actor):
    """
    Keep every forecast and decision in order.

    Attributes
    ----------
    forecasts : list of CascadeForecast
    decisions : list of HedgeDecision

    """

    def __init__(self, config: DecisionRecorderConfig | None = None) -> None:
        super().__init__(config or DecisionRecorderConfig())
        self.forecasts: list[CascadeForecast] = []
        self.decisions: list[HedgeDecision] = []

    def on_start(self) -> None:
        """Subscribe to both."""
        self.msgbus.subscribe("data.CascadeForecast*", self.forecasts.append)
        self.msgbus.subscribe("data.HedgeDecision*", self.decisions.append)
