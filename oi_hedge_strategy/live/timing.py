"""What each stage from signal to order takes, measured by the strategy itself."""

from collections.abc import Callable

from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_strategy.records import StageTiming

STAGES = ("receive", "features", "inference", "policy", "order")
"""In the order in which a signal passes through them."""


_Timing = tuple[str, tuple[int, ...], int, int]


class StageTimer:
    """
    Publish what the stages of each decision took; one with an order once the order has left.

    Decisions without an order that are made until then are published before it.

    Parameters
    ----------
    instrument_id : InstrumentId
        The hedge instrument.
    publish : callable
        Takes each timing.

    """

    def __init__(self, instrument_id: InstrumentId, publish: Callable[[StageTiming], None]) -> None:
        self._instrument_id = instrument_id
        self._publish = publish
        self._pending: _Timing | None = None
        self._sent = -1

    def decided(self, trigger: str, stages: tuple[int, ...], ordered: bool, at: int, now: int) -> None:
        """
        Note a decision.

        Parameters
        ----------
        trigger : str
            What asked for it.
        stages : tuple of int
            Nanoseconds of every stage but the last.
        ordered : bool
            Whether an order was handed over.
        at : int
            Wall time before it was, nanoseconds since the epoch.
        now : int
            The decision time.

        """
        timing = trigger, stages, at, now
        if not ordered:
            self._say(timing, None)
            return
        if self._pending is not None:
            self._end(None)
        self._pending = timing
        if self._sent >= at:
            self._end(self._sent - at)

    def sent(self, at: int, heard: int) -> None:
        """Note that the execution client sent the order at `at`, of which was heard at `heard`."""
        if self._pending is not None:
            decided_at = self._pending[2]
            self._end((at if at >= decided_at else heard) - decided_at)
        self._sent = max(at, heard)

    def _end(self, order: int | None) -> None:
        assert self._pending is not None
        timing, self._pending = self._pending, None
        self._say(timing, order)

    def _say(self, timing: _Timing, order: int | None) -> None:
        trigger, (received, *stages), _, now = timing
        self._publish(StageTiming(self._instrument_id, trigger, max(received, 0), *stages, order, now, now))
