"""What makes a hedge safe to leave alone: its memory, its kill switch and its resting stop."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from nautilus_trader.cache.cache import Cache

from oi_hedge_catalog.errors import StateError
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.book import HedgeBook
from oi_hedge_strategy.hedging.desk import HedgeDesk
from oi_hedge_strategy.live.guard import Guard
from oi_hedge_strategy.live.kill_switch import KillSwitch
from oi_hedge_strategy.live.state_keeper import StateKeeper
from oi_hedge_strategy.live.state_store import StateStore

WATCH_SECS = 1.0
_STOP_RETRY_NS = 30_000_000_000
_ROUNDING = 1e-9


class Safety:
    """
    Keep what the hedge must not forget, watch the switch, and see that the hard stop rests.

    Parameters
    ----------
    config : OIHedgeConfig
        The configuration; `state_dir` or a cache with a database must be there.
    desk : HedgeDesk
        The desk, as made.
    book : HedgeBook
        The hedge.
    cache : Cache
        Nautilus's cache.
    key : str
        Under which a cache with a database keeps the memory.

    Raises
    ------
    StateError
        If another node uses the state directory, or it is open to others.

    """

    def __init__(
        self, config: OIHedgeConfig, desk: HedgeDesk, book: HedgeBook, cache: Cache, key: str
    ) -> None:
        directory = Path(config.state_dir) if config.state_dir else None
        store = StateStore(directory) if directory is not None else None
        self._adopt = config.adopt_position
        self._desk = desk
        self._book = book
        self._keeper = StateKeeper(desk, store, cache if cache.has_backing else None, key)
        self._guard = Guard(KillSwitch(directory), book) if directory is not None else None
        self._stop_due = 0
        self._unsynced = False

    @classmethod
    def of(
        cls, config: OIHedgeConfig, desk: HedgeDesk, book: HedgeBook, cache: Cache, key: str
    ) -> Self | None:
        """Return the safety of a run that has a place to remember, None for one that has none."""
        return cls(config, desk, book, cache, key) if config.state_dir or cache.has_backing else None

    def take_undecided(self) -> bool:
        """Return once whether the run before ended between a bar of the hedge instrument and its decision."""
        undecided, self._keeper.undecided = self._keeper.undecided, False
        return undecided

    @property
    def restarting(self) -> bool:
        """Whether a decision that the run before did not come to is still to be made."""
        return self._keeper.undecided

    @property
    def trouble(self) -> str:
        """Return why the state cannot be written, so that a restart would lack what follows; mostly empty."""
        return self._keeper.trouble

    def start(self, exposure: Callable[[float], float]) -> None:
        """
        Bring back what was kept, and refuse a position that this hedge did not open.

        An order that was decided on but never left is decided on again; one that was filled unseen counts as
        turnover.

        Parameters
        ----------
        exposure : callable
            Returns the exposure at a price.

        Raises
        ------
        StateError
            If the hedge instrument holds a position at a first start, or what was kept cannot be used.

        """
        coins = self._book.base_quantity
        left, held = self._keeper.restore(), self._book.save()["position"]
        if left is None and held and not self._adopt:
            raise StateError(
                f"{self._book.instrument_id} holds {coins(held):g} at the first start, which this hedge did "
                "not open: close it, hedge in another instrument, or set adopt_position to let it be taken "
                "over"
            )
        if left is not None:
            self._follow_up(left, held, exposure)
        self._keeper.begin(self._book.save())

    def watch(self, now: int) -> list[str]:
        """Look at switch and stop, act, and return what is to be said."""
        notices = [said] if self._guard is not None and (said := self._guard.watch()) else []
        self._desk.stopped = self._guard.order if self._guard is not None else ""
        if now >= self._stop_due and not self._book.is_protected():
            self._book.protect()
            self._stop_due = now + _STOP_RETRY_NS
        self.sync()
        self._keeper.renew()
        notices += self._keeper.notices
        self._keeper.notices.clear()
        return notices

    def decided(self, now: int, ordered: float) -> None:
        """Keep what a decision changed, and what it ordered, before the order leaves."""
        self._keeper.decided(now, self._book.save() | {"ordered": ordered})
        self._unsynced = True
        if not ordered:
            self.sync()

    def sync(self) -> None:
        """Bring to the disk what was kept of the last decision, now that no order waits."""
        if self._unsynced:
            self._unsynced = False
            self._keeper.sync()

    def note(self) -> None:
        """Keep what an event of an order changed."""
        self._keeper.note(self._desk.newest, self._book.save())
        self._keeper.sync()

    def close(self) -> None:
        """Keep all and let go of the state directory."""
        self._keeper.close()

    def _follow_up(self, left: dict[str, Any], held: float, exposure: Callable[[float], float]) -> None:
        """
        Settle what became of the last order of the run before.

        A hedge that is gone without an order may be there all the same: adapters do not say that a venue
        failed to answer. So nothing is sent until its position has been asked for again.
        """
        coins = self._book.base_quantity
        ordered, moved = left.get("ordered", 0.0), coins(held - left["position"])
        if ordered and not moved:
            self._desk.rails.forget_trade()
            self._keeper.undecided = True
        elif moved:
            if not held and abs(moved - ordered) > _ROUNDING:
                self._book.settle()
            if not ordered:
                price = self._desk.price
                self._desk.record_order(self._desk.newest, moved, exposure(price) if price > 0.0 else 0.0)
            self._keeper.notices.append(
                f"the hedge was {coins(left['position']):g} when the state was kept and is {coins(held):g} "
                "now, as the venue says; it goes on from there"
            )
