"""Follow the kill switch: stop the hedge as ordered, and answer what became of it."""

import os
import time

from oi_hedge_catalog.errors import StateError
from oi_hedge_strategy.hedging.book import HedgeBook
from oi_hedge_strategy.live.kill_switch import Answer, KillSwitch

_WORDS = {
    "": "kill switch lifted; the hedge goes on",
    "hold": "kill switch: hold; no more orders, position and hard stop stay",
    "flatten": "kill switch: flatten; the hedge is closed, its stop taken off, then no more orders",
}


class Guard:
    """
    Do what the kill switch says.

    Parameters
    ----------
    switch : KillSwitch
        The switch.
    book : HedgeBook
        The hedge.

    Attributes
    ----------
    order : str
        What is ordered: ``hold``, ``flatten``, or nothing.

    """

    def __init__(self, switch: KillSwitch, book: HedgeBook) -> None:
        self._switch = switch
        self._book = book
        self._before = 0.0
        self._answered: tuple[str, int, bool, float, int] | None = None
        self.order = ""

    def watch(self) -> str:
        """Look at the switch, act on it, and return what is to be said, which mostly is nothing."""
        order, set_at = self._switch.read() or "", self._switch.set_at()
        notice = _WORDS[order] if order != self.order else ""
        if notice:
            self._before = self._book.base_quantity(self._book.save()["position"])
            self.order = order
        if order == "flatten":
            self._book.close()
            if not self._book.is_sending():
                self._book.protect()
        if order or self._answered:
            notice = self._answer(order, set_at) or notice
        return notice

    def _answer(self, order: str, set_at: int) -> str:
        """Write the answer where it has changed; return what prevents it."""
        held = self._book.save()
        done = {"": True, "hold": not self._book.is_sending(), "flatten": self._book.is_flat()}[order]
        position = self._book.base_quantity(held["position"])
        found = order, set_at, done, position, len(held["stops"])
        if found == self._answered:
            return ""
        answer = Answer(
            order=order, done=done, pid=os.getpid(), position_before=self._before,
            position=position, stops=len(held["stops"]), ts=time.time_ns(),
        )  # fmt: skip
        try:
            answer.write(self._switch.directory)
        except StateError as error:
            return f"the kill switch cannot be answered: {error}"
        self._answered = found
        return ""
