"""What a running hedge leaves behind for its next start: every event, and what each decision changed."""

import struct
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from nautilus_trader.cache.cache import Cache

from oi_hedge_catalog.errors import StateError
from oi_hedge_strategy.hedging.desk import HedgeDesk
from oi_hedge_strategy.live.state_store import StateStore
from oi_hedge_strategy.state import Stream

_EVENT, _DECISION, _NOTE = 0, 1, 2
_FIELDS = [struct.Struct(f"<qBB{fields}d") for fields in range(5)]
_CHECKPOINT_RECORDS = 100_000
_RETRY_NS = 60_000_000_000
Facts = dict[str, Any]


class StateKeeper:
    """
    Journal what the desk takes in and what its decisions leave, and bring the desk back from it.

    The market state is a function of its events, so that the newest checkpoint and the events after it give
    it back bit by bit. Where Nautilus's cache has a database, what rails, drift monitor and book remember
    goes there as well.

    Parameters
    ----------
    desk : HedgeDesk
        The desk, as made.
    store : StateStore, optional
        The embedded store.
    cache : Cache, optional
        Nautilus's cache with a database behind it.
    key : str
        Under which the cache keeps it.
    checkpoint_records : int
        A new generation begins after so many records.

    Attributes
    ----------
    notices : list of str
        What is to be said once; whoever says it clears the list.
    undecided : bool
        Whether what was restored ends between a bar of the hedge instrument and its decision.

    """

    def __init__(
        self,
        desk: HedgeDesk,
        store: StateStore | None,
        cache: Cache | None = None,
        key: str = "",
        checkpoint_records: int = _CHECKPOINT_RECORDS,
    ) -> None:
        self._desk = desk
        self._store = store
        self._cache = cache
        self._key = key
        self._checkpoint_records = checkpoint_records
        self._venues = {venue: at for at, venue in enumerate(desk.schema.venues)}
        self._drift_revision = -1
        self._failed_at: int | None = None
        self._trouble = ""
        self._book: Facts = {}
        self.notices: list[str] = []
        self.undecided = False

    @property
    def trouble(self) -> str:
        """Return why the last that was to be kept could not be written, empty where it was."""
        return self._trouble if self._failed_at is not None else ""

    def restore(self) -> Facts | None:
        """
        Bring the desk back and return what the book left, None where nothing was kept.

        Raises
        ------
        StateError
            If there is a state, but none that is whole and fits the model.

        """
        saved = self._store.load() if self._store is not None else None
        if saved is None:
            return self._restore_from_cache()
        self.notices += saved.notices
        try:
            self._desk.restore(saved.arrays, saved.facts)
        except (KeyError, ValueError, IndexError) as error:
            raise StateError(
                f"the kept state does not fit this version of the program ({error!r}); move the state "
                "directory away, and the look-back is filled anew"
            ) from error
        book: Facts = saved.facts["book"]
        memory: Facts = {"drift": None}
        venues = list(self._venues)
        for kind, payload in saved.records:
            if kind == _EVENT:
                ts, stream, venue, *fields = _FIELDS[(len(payload) - 10) // 8].unpack(payload)
                self._desk.replay(Stream(stream), venues[venue], ts, fields)
                self.undecided |= stream == Stream.PERPETUAL and venues[venue] == self._desk.hedge_venue
            else:
                found = msgspec.json.decode(payload)
                if kind == _DECISION:
                    self._desk.look(found["now"])
                    self.undecided = False
                memory = found | {"drift": found.get("drift", memory["drift"])}
                book = found["book"]
        if "rails" in memory:
            self._desk.remember(memory["rails"], memory["drift"])
        return book

    def begin(self, book: Facts) -> None:
        """
        Checkpoint what is known now and listen to the desk from here on.

        Raises
        ------
        OSError
            If the disk does not take it.

        """
        self._desk.listener, self._book = self._on_event, book
        if self._store is not None:
            self._checkpoint(self._store)
            self._store.wait()

    def decided(self, now: int, book: Mapping[str, Any]) -> None:
        """Keep that a decision was made at `now`, and what rails, drift monitor and book remember now."""
        self._remember(_DECISION, now, book)

    def note(self, now: int, book: Mapping[str, Any]) -> None:
        """Keep what rails, drift monitor and book remember after anything else."""
        self._remember(_NOTE, now, book)

    def sync(self) -> None:
        """
        Bring to the disk what was kept, without waiting for it: it has survived the process before.

        This is for a loss of power, and is done when no order waits to leave.
        """
        if self._failed_at is None:
            self._keep(lambda store: store.sync(), self._desk.newest)

    def renew(self) -> None:
        """Begin a generation where one is due, or where a disk that was full may take it again."""
        self._keep(self._renew, self._desk.newest)

    def close(self) -> None:
        """Stop listening and let go of the store."""
        self._desk.listener = None
        if self._store is not None:
            self._keep(lambda store: store.wait(), self._desk.newest)
            self._store.close()

    def _remember(self, kind: int, now: int, book: Mapping[str, Any]) -> None:
        self._book = dict(book)
        facts: Facts = {"now": now, "rails": self._desk.rails.save().decode(), "book": self._book}
        revision = self._desk.drift_revision
        drift = self._desk.save_drift() if revision != self._drift_revision else None
        self._drift_revision = revision
        if self._cache is not None:
            self._cache.add(self._key, msgspec.json.encode(facts))
            if drift is not None:
                self._cache.add(f"{self._key}.drift", drift)
        if drift is not None:
            facts["drift"] = drift.decode()
        if self._failed_at is None:
            self._keep(lambda store: store.append(kind, msgspec.json.encode(facts)), now)

    def _renew(self, store: StateStore) -> None:
        if self._failed_at is not None:
            if self._desk.newest < self._failed_at + _RETRY_NS:
                return
            self._failed_at = self._desk.newest
            self._checkpoint(store)
            store.wait()
            self._failed_at = None
            self.notices.append("the state is saved again")
        elif store.records >= self._checkpoint_records:
            self._checkpoint(store)

    def _on_event(self, stream: Stream, venue: str, ts: int, fields: tuple[float, ...]) -> None:
        if self._failed_at is None:
            payload = _FIELDS[len(fields)].pack(ts, stream, self._venues[venue], *fields)
            self._keep(lambda store: store.append(_EVENT, payload), ts)

    def _keep(self, act: Callable[[StateStore], None], now: int) -> None:
        """Do it; a disk that takes no more is said once, tried again each minute, and stops no decision."""
        if self._store is None:
            return
        try:
            act(self._store)
        except OSError as error:
            self._trouble = f"the state is not saved: {error}; a restart would lack what follows"
            if self._failed_at is None:
                self.notices.append(self._trouble)
            self._failed_at = now

    def _checkpoint(self, store: StateStore) -> None:
        arrays, facts = self._desk.save()
        store.begin(arrays, facts | {"book": self._book})

    def _restore_from_cache(self) -> Facts | None:
        content = self._cache.get(self._key) if self._cache is not None else None
        if self._cache is None or content is None:
            return None
        found, drift = msgspec.json.decode(content), self._cache.get(f"{self._key}.drift")
        self._desk.remember(found["rails"], drift.decode() if drift is not None else None)
        book: Facts = found["book"]
        return book
