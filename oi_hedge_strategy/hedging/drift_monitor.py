"""Watch a running model for drift: a rolling window of inputs and outputs against their reference."""

from collections import deque
from collections.abc import Iterable
from math import nan

import msgspec
import numpy as np

from oi_hedge_strategy.forecast.drift import DriftReference, drift_inputs, drift_outputs
from oi_hedge_strategy.forecast.model import Forecast, Forecaster
from oi_hedge_strategy.hedging.config import DriftConfig
from oi_hedge_strategy.state import Snapshot

_DAY_NS = 86_400_000_000_000
_OBSERVE_NS = 5 * 3_600_000_000_000
"""Between two observations; five hours meet every hour of the day within five days."""
_FULL = 0.9
_LEAST = 100
_RECOVERED = 0.8

_Observation = tuple[int, dict[str, float]]


class DriftMonitor:
    """
    Demote a model whose inputs or outputs no longer look as they did in training.

    Every five hours the inputs of `drift_inputs` and the model's probabilities are noted. Once the window is
    full, the population stability index of each against the card's reference is held against its limit, once
    a day: one above it demotes the model, and it recovers when all have fallen below 80 % of their limits.

    Parameters
    ----------
    config : DriftConfig
        The window and the limits.
    forecaster : Forecaster
        The model in use.

    Attributes
    ----------
    demoted : str
        Why the model is demoted, empty while it is not.
    notices : list of str
        What is to be said once; whoever says it clears the list.
    revision : int
        Grows whenever what `save` returns changes.

    """

    def __init__(self, config: DriftConfig, forecaster: Forecaster) -> None:
        self._config = config
        self._window_ns = int(config.window_days * _DAY_NS)
        self._inputs: deque[_Observation] = deque()
        self._outputs: deque[_Observation] = deque()
        self._judged = 0
        self.revision = 0
        self.demoted = ""
        self.notices: list[str] = []
        self._adopt(forecaster)

    def follow(self, forecaster: Forecaster) -> None:
        """Go on with another model: what the market looked like stays, what the old model said does not."""
        self.revision += 1
        self._outputs.clear()
        self._adopt(forecaster)
        self._judge()

    def observe(self, now: int, snapshot: Snapshot, forecast: Forecast) -> None:
        """Note what is seen now, at most every five hours, and judge anew once a day."""
        if self._reference is None or (self._inputs and now < self._inputs[-1][0] + _OBSERVE_NS):
            return
        self.revision += 1
        card = self._forecaster.card
        arrays = snapshot.values, snapshot.mask, snapshot.age, snapshot.liquidation_map
        inputs = drift_inputs(*arrays, card.schema)
        outputs = drift_outputs(forecast.probability[None], card.cascade.horizons_hours)
        for window, found in ((self._inputs, inputs), (self._outputs, outputs)):
            window.append((now, {name: float(each[0]) for name, each in found.items()}))
            while window[0][0] <= now - self._window_ns:
                window.popleft()
        if now >= self._judged + _DAY_NS:
            self._judged = now
            self._judge()

    def psi(self) -> dict[str, float]:
        """Return the population stability index of every input and output whose window is full."""
        found: dict[str, float] = {}
        for window in (self._inputs, self._outputs):
            if self._reference is None or not self._is_full(window):
                continue
            names = window[-1][1]
            found |= self._reference.psi(
                {name: np.array([seen[name] for _, seen in window if name in seen]) for name in names}
            )
        return found

    def save(self) -> bytes:
        """Return what the monitor remembers as JSON, null where a value was missing."""
        fields = {
            "model": self._forecaster.sha256,
            "demoted": self.demoted,
            "judged": self._judged,
            "inputs": list(self._inputs),
            "outputs": list(self._outputs),
        }
        return msgspec.json.encode(fields)

    def restore(self, saved: bytes) -> None:
        """Take up what `save` returned; what another model said is left."""
        fields = msgspec.json.decode(saved)
        self._inputs, self._judged = _observations(fields["inputs"]), int(fields["judged"])
        if fields["model"] == self._forecaster.sha256:
            self._outputs, self.demoted = _observations(fields["outputs"]), fields["demoted"]

    def _adopt(self, forecaster: Forecaster) -> None:
        self._forecaster = forecaster
        self._reference = DriftReference.from_card(forecaster.card, forecaster.source)
        if self._reference is None:
            self.demoted = ""
            self.notices.append(f"{forecaster.source} carries no reference for drift: it is not watched")

    def _is_full(self, window: deque[_Observation]) -> bool:
        return len(window) >= _LEAST and window[-1][0] - window[0][0] >= _FULL * self._window_ns

    def _judge(self) -> None:
        """Demote, recover or leave all as it is."""
        index = self.psi()
        if not index:
            return
        scale = _RECOVERED if self.demoted else 1.0
        limits = {name: scale * self._config.limit(name) for name in index}
        above = {name: index[name] for name in index if index[name] > limits[name]}
        was, self.demoted = self.demoted, _reason(above, limits)
        if self.demoted and not was:
            ignored = self._config.on_drift == "ignore"
            what = "drift, ignored as configured" if ignored else f"model demoted ({self._config.on_drift})"
            self.notices.append(f"{what}: {self.demoted}")
        elif was and not self.demoted:
            self.notices.append("no drift any more: the model is in use")


def _reason(above: dict[str, float], limits: dict[str, float]) -> str:
    worst = sorted(above, key=lambda name: above[name] / limits[name], reverse=True)
    return ", ".join(f"drift of {name}: PSI {above[name]:.2f} above {limits[name]:.2f}" for name in worst[:3])


def _observations(saved: Iterable[tuple[int, dict[str, float | None]]]) -> deque[_Observation]:
    return deque(
        (int(ts), {name: nan if value is None else value for name, value in values.items()})
        for ts, values in saved
    )
