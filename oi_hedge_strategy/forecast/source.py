"""Which model is in use: one file, or the newest usable one that a registry has promoted by now."""

from typing import Self

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.forecast.card import day, outputs
from oi_hedge_strategy.forecast.drift import DriftReference
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.registry import Promotion, Registry
from oi_hedge_strategy.state import Snapshot

_CERTAIN = 1e-6


class ModelSource:
    """
    Give the model for now; the same rule in a backtest as live.

    A registry is looked at before each forecast: when its log has changed, or a promotion came into force,
    the newest usable model takes over. One that cannot be loaded, has another input schema than the running
    market state, is expired, or whose first forecast is absurd, is passed over, and the former one stays.

    Parameters
    ----------
    forecaster : Forecaster
        The first model.
    registry : Registry, optional
        Where later ones come from; none for a fixed file.

    Attributes
    ----------
    forecaster : Forecaster
        The model in use.
    problem : str
        Why it must not be used after all, empty when it may.
    trouble : str
        Why the newest promoted model is not the one in use, empty when it is.
    notices : list of str
        What is to be said once; whoever says it clears the list.

    """

    def __init__(self, forecaster: Forecaster, registry: Registry | None = None) -> None:
        self.forecaster = forecaster
        self.problem = ""
        self.trouble = ""
        self.notices: list[str] = []
        self._registry = registry
        self._settled: Promotion | None = None
        self._proven = False
        self._rejected: set[Promotion] = set()
        self._damage = ""

    @classmethod
    def from_file(cls, path: str, start_ns: int) -> Self:
        """
        Use one file, which must be valid at the start.

        Raises
        ------
        ModelError
            If it cannot be loaded, is not calibrated, or is not valid at `start_ns`.

        """
        return cls(_check(Forecaster.load(path), start_ns))

    @classmethod
    def from_registry(cls, path: str, start_ns: int) -> Self:
        """
        Use a registry, which must have a valid model at the start.

        Raises
        ------
        ModelError
            If there is no registry, no promotion by `start_ns`, or the model cannot be used then.

        """
        registry = Registry.open(path)
        return cls(_check(registry.load(promotion_at(registry, start_ns)), start_ns), registry)

    def refresh(self, now: int, snapshot: Snapshot) -> bool:
        """Look whether another model is due and return whether it took over."""
        if self._registry is None:
            return False
        if self._registry.changed:
            self._reread(self._registry)
        newest = self._registry.at(now)
        if newest is None or newest == self._settled:
            return False
        before = self.forecaster
        self._choose(now, snapshot)
        self._settled = None if self.problem else newest
        return self.forecaster is not before

    def _reread(self, registry: Registry) -> None:
        """Read the log anew; a damaged one is said once and changes nothing."""
        try:
            self._registry = Registry.open(registry.path)
        except ModelError as error:
            if str(error) != self._damage:
                self._damage = self.trouble = str(error)
                self.notices.append(f"{error}; {self.forecaster.source} stays in use")
            return
        self._settled, self._damage = None, ""
        self._rejected.clear()

    def _choose(self, now: int, snapshot: Snapshot) -> None:
        """Take the newest promoted model that can be used; the one in use ends the search."""
        assert self._registry is not None
        self.trouble = ""
        for entry in reversed(self._registry.entries):
            if entry.valid_from > now:
                continue
            if self._proven and entry.sha256 == self.forecaster.sha256:
                return
            candidate, problem = self._try(entry, now, snapshot)
            if candidate is not None:
                self._take(candidate, entry)
                return
            self.trouble = self.trouble or f"model {entry.model} is not used: {problem}"
            if entry not in self._rejected:
                self._rejected.add(entry)
                self.notices.append(f"model {entry.model} is not used: {problem}")
        if not self._proven:
            self.problem = "no model of the registry can be used"

    def _take(self, candidate: Forecaster, entry: Promotion) -> None:
        if candidate.sha256 != self.forecaster.sha256:
            old = self.forecaster.source
            self.notices.append(f"model {candidate.source} takes over from {old}: {entry.reason}")
            self.forecaster = candidate
        self._proven, self.problem = True, ""

    def _try(self, entry: Promotion, now: int, snapshot: Snapshot) -> tuple[Forecaster | None, str]:
        """Return the promoted model, or None and why it cannot be used."""
        assert self._registry is not None
        try:
            candidate = _complete(self._registry.load(entry))
        except ModelError as error:
            return None, str(error)
        if candidate.card.schema != self.forecaster.card.schema:
            return None, "its inputs are not those of the market state; restart the strategy to use it"
        if not candidate.card.trained_until <= now < candidate.card.expires:
            valid = f"{day(candidate.card.trained_until)} to {day(candidate.card.expires)}"
            return None, f"it may be used from {valid} only"
        problem = _absurdity(candidate, snapshot)
        return (None, problem) if problem else (candidate, "")


def promotion_at(registry: Registry, ns: int) -> Promotion:
    """
    Return the promotion in force at a time.

    Raises
    ------
    ModelError
        If there is none by then.

    """
    found = registry.at(ns)
    if found is None:
        first = min((each.valid_from for each in registry.entries), default=None)
        known = f"its first model is valid from {day(first)}" if first is not None else "it is empty"
        raise ModelError(f"{registry.path}: no model by {day(ns)}: {known}; start later, or promote one")
    return found


def _check(forecaster: Forecaster, start_ns: int) -> Forecaster:
    forecaster.card.check_valid_at(start_ns, start_ns, forecaster.source)
    return _complete(forecaster)


def _complete(forecaster: Forecaster) -> Forecaster:
    """Refuse a model whose card lacks what the strategy needs, or holds it damaged."""
    card, source = forecaster.card, forecaster.source
    card.check_calibrated(source)
    DriftReference.from_card(card, source)
    keys = [key for key, _ in outputs(card.cascade.horizons_hours)]
    if missing := [key for key in keys if key not in card.alert_threshold]:
        raise ModelError(f"{source}: its card has no alert threshold of {', '.join(missing)}; train it anew")
    return forecaster


def _absurdity(candidate: Forecaster, snapshot: Snapshot) -> str:
    """Return why a model's first forecast cannot be believed, empty where it can."""
    try:
        forecast = candidate.predict(snapshot)
    except Exception as error:
        return f"its first forecast failed: {type(error).__name__}"
    if not forecast.is_sane:
        return "its first forecast holds an impossible number"
    likely = forecast.probability
    if ((likely <= _CERTAIN) | (likely >= 1.0 - _CERTAIN)).all():
        return "its first forecast gives every probability as 0 or 1"
    return ""
