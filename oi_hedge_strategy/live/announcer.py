"""Say what changes from one decision to the next: once when it begins, once when it is over."""

from collections.abc import Callable

from nautilus_trader.common.component import Logger, MessageBus

from oi_hedge_strategy.hedging.decision import Decision
from oi_hedge_strategy.hedging.desk import HedgeDesk
from oi_hedge_strategy.live.alerts import TROUBLE_TOPIC


class Announcer:
    """
    Log which rail holds the hedge, what happened to the model, and whose open interest is not believed.

    Parameters
    ----------
    desk : HedgeDesk
        Whose decisions are announced.
    log : Logger
        The strategy's.
    msgbus : MessageBus
        Takes what an alert may come of.

    """

    def __init__(self, desk: HedgeDesk, log: Logger, msgbus: MessageBus) -> None:
        self._desk = desk
        self._log = log
        self._publish: Callable[[str, tuple[str, str, bool, str]], None] = msgbus.publish
        self._last_rail = ""
        self._held_back: dict[str, str] = {}

    def decided(self, decision: Decision) -> None:
        """Say what is new with a decision."""
        for notice in self._desk.take_notices():
            self._log.warning(notice)
        trouble = self._desk.model_trouble
        text = trouble or "the newest model is in use"
        self._publish(TROUBLE_TOPIC, ("model refused", "registry", bool(trouble), text))
        self._say_held_back()
        self._say_rail(decision)

    def kept(self, trouble: str) -> None:
        """Say what keeps the state from being saved, empty where it is saved."""
        text = trouble or "the state is saved again"
        self._publish(TROUBLE_TOPIC, ("recording", "state", bool(trouble), text))

    def certain(self, agreed: bool) -> None:
        """Say whether venue and node agree on what is held."""
        differ = "venue and node differ on what is held: the hedge is changed by the kill switch alone"
        text = "venue and node agree again" if agreed else differ
        self._publish(TROUBLE_TOPIC, ("position differs", "venue", not agreed, text))

    def _say_rail(self, decision: Decision) -> None:
        rail = decision.verdict.decided_by
        if rail == self._last_rail:
            return
        self._last_rail = rail
        if rail:
            self._log.warning(decision.verdict.reason)
        else:
            self._log.info("no rail acts any more")

    def _say_held_back(self) -> None:
        before, self._held_back = self._held_back, self._desk.held_back
        for venue in sorted(before.keys() ^ self._held_back.keys()):
            text = self._held_back.get(venue, "")
            words = f"held back: {text}" if text else "is taken in again"
            self._log.warning(f"open interest of {venue} {words}")
            condition = f"open interest of {venue} held back"
            self._publish(TROUBLE_TOPIC, (condition, "state", bool(text), text or "it is taken in again"))
