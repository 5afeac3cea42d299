"""The model as the desk uses it: which one, what it says, whether it may be believed."""

from oi_hedge_strategy.cascades import SIDES
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.forecast.card import ModelCard, head
from oi_hedge_strategy.forecast.model import Forecast
from oi_hedge_strategy.forecast.source import ModelSource
from oi_hedge_strategy.hedging.drift_monitor import DriftMonitor
from oi_hedge_strategy.state import CHANNELS, Snapshot, StateSchema


class ModelInUse:
    """
    Forecast by the model of the configuration; swap it when another is due.

    Parameters
    ----------
    config : OIHedgeConfig
        The configuration.
    start_ns : int
        When decisions begin, for the model's validity.

    Raises
    ------
    ModelError
        If the model cannot be loaded, is not calibrated, or is not valid at `start_ns`.

    """

    def __init__(self, config: OIHedgeConfig, start_ns: int) -> None:
        self._config = config
        self._source = (
            ModelSource.from_registry(config.models, start_ns)
            if config.models
            else ModelSource.from_file(config.model, start_ns)
        )
        self._monitor = DriftMonitor(config.drift, self._source.forecaster)
        self._adopt()

    @property
    def card(self) -> ModelCard:
        """Return the card of the model in use."""
        return self._source.forecaster.card

    @property
    def sha256(self) -> str:
        """Return its hash."""
        return self._source.forecaster.sha256

    @property
    def schema(self) -> StateSchema:
        """Return its input schema, which no swap changes."""
        return self.card.schema

    @property
    def channels_seen(self) -> tuple[str, ...]:
        """Return the channels that the model reads; of a registry all, as a later model may read more."""
        return tuple(each.name for each in CHANNELS) if self._config.models else self.card.channels_seen

    @property
    def demoted(self) -> str:
        """Return why the model must not size the hedge, empty when it may."""
        return self._monitor.demoted if self._config.drift.on_drift != "ignore" else ""

    def forecast(self, snapshot: Snapshot, now: int) -> tuple[Forecast | None, str]:
        """Return a usable forecast of the model that is due now, or None and why there is none."""
        if self._source.refresh(now, snapshot):
            self._adopt()
            self._monitor.follow(self._source.forecaster)
        if self._source.problem:
            return None, self._source.problem
        if now >= self.card.expires:
            return None, "model expired"
        try:
            forecast = self._source.forecaster.predict(snapshot)
        except Exception as error:
            return None, f"model failed: {type(error).__name__}"
        if not forecast.is_sane:
            return None, "model returned an impossible number"
        self._monitor.observe(now, snapshot, forecast)
        return forecast, ""

    def alerts(self, forecast: Forecast | None) -> tuple[bool, bool]:
        """Return whether any horizon of each side, up to the middle one, stands above its alert threshold."""
        if forecast is None:
            return False, False
        down, up = (
            any(p >= threshold for p, threshold in zip(likely, thresholds, strict=False))
            for likely, thresholds in zip(forecast.probability.tolist(), self._thresholds, strict=True)
        )
        return down, up

    def take_notices(self) -> list[str]:
        """Return what is to be said once, and forget it."""
        found = [*self._source.notices, *self._monitor.notices]
        self._source.notices.clear()
        self._monitor.notices.clear()
        return found

    @property
    def trouble(self) -> str:
        """Return why the registry's newest model is not the one in use, empty when it is."""
        return self._source.trouble

    @property
    def drift_revision(self) -> int:
        """Return a number that grows whenever what `save` returns changes."""
        return self._monitor.revision

    def save(self) -> bytes:
        """Return what the drift monitor remembers."""
        return self._monitor.save()

    def restore(self, saved: bytes) -> None:
        """Take up what `save` returned."""
        self._monitor.restore(saved)

    def _adopt(self) -> None:
        self._thresholds = _alert_thresholds(self.card)


def _alert_thresholds(card: ModelCard) -> list[list[float]]:
    """Return the alert threshold of each side and horizon, up to the middle one."""
    hours = card.cascade.horizons_hours[: card.cascade.event_index + 1]
    return [[card.alert_threshold[head(side, h)] for h in hours] for side in SIDES]
