"""Fill the look-back before the first forecast: from the kept state, a catalog, and the venues' history."""

from collections.abc import Callable
from typing import Any

import numpy as np
from nautilus_trader.core.data import Data
from nautilus_trader.model.data import Bar, FundingRateUpdate
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog.store import open_catalog
from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.hedging.desk import HedgeDesk
from oi_hedge_strategy.history import DECISION_LAG_NS, load_history
from oi_hedge_strategy.inputs import INPUTS
from oi_hedge_strategy.state import CHANNELS, Snapshot, StateSchema, Stream
from oi_hedge_strategy.state.schema import NANOSECONDS_PER_HOUR

TIMEOUT_SECS = 120.0
_WATCHED = {"log_price": "price", "log_open_interest": "open interest", "funding_8h": "funding"}
_ENOUGH = 0.95
_Row = tuple[int, Stream, str, tuple[float, ...]]


class LookBack:
    """
    Gather history from several sources, hold back what arrives meanwhile, and feed the desk in order of time.

    What the desk knows already, from a state that was kept, is not given again: history begins after it.

    Parameters
    ----------
    desk : HedgeDesk
        The desk, with whatever state was restored.
    now : int
        When it is filled, nanoseconds since the epoch; nothing that was known later is taken.

    """

    def __init__(self, desk: HedgeDesk, now: int) -> None:
        self._desk = desk
        self._now = now
        self.start = max(desk.newest + 1, now - _reach_ns(desk.schema))
        self._rows: list[_Row] = []
        self._held: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._awaited: set[Any] = set()

    def read_catalog(self, path: str, asset: str, reference: InstrumentId) -> int:
        """
        Take what a catalog has of an asset and return how many events that is.

        Raises
        ------
        CatalogError
            If there is no catalog, or none of the asset.

        """
        history = load_history(open_catalog(path), asset, reference, self._now).since(self.start)
        venues = [name in self._desk.schema.venues for name in history.venues]
        kept = np.asarray(venues)[history.venue]
        columns = (history.ts, history.stream, history.venue, history.fields)
        for ts, stream, venue, fields in zip(*(each[kept].tolist() for each in columns), strict=True):
            self._rows.append((ts, Stream(stream), history.venues[venue], tuple(fields)))
        return int(kept.sum())

    def await_response(self, request_id: Any) -> None:
        """Note that a request was sent."""
        self._awaited.add(request_id)

    def has_all(self, request_id: Any) -> bool:
        """Note that a request was answered and return whether it was the last."""
        self._awaited.discard(request_id)
        return not self._awaited

    def take(self, data: Data, venue: str, spot: bool) -> None:
        """Take one item of a venue's history, as known when it could first be."""
        if isinstance(data, Bar):
            ts = min(data.ts_init, data.ts_event + DECISION_LAG_NS)
            prices = float(data.high), float(data.low), float(data.close), float(data.volume)
            self._add(ts, Stream.SPOT if spot else Stream.PERPETUAL, venue, prices)
        elif isinstance(data, OpenInterestUpdate):
            self._add(data.ts_init, Stream.OPEN_INTEREST, venue, (data.quantity,))
        elif isinstance(data, FundingRateUpdate) and data.interval:
            terms = float(data.rate), float(data.interval)
            self._add(data.ts_init, Stream.FUNDING, venue, terms)
        elif (found := INPUTS.get(type(data))) is not None:
            self._add(data.ts_init, found.stream, venue, found.fields(data))

    def _add(self, ts: int, stream: Stream, venue: str, fields: tuple[float, ...]) -> None:
        if self.start <= ts <= self._now:
            self._rows.append((ts, stream, venue, fields))

    # What arrives meanwhile, in the manner of the desk

    def on_bar(self, *event: Any) -> None:
        """Hold a bar back."""
        self._held.append((self._desk.on_bar, event))

    def on_open_interest(self, *event: Any) -> None:
        """Hold open interest back."""
        self._held.append((self._desk.on_open_interest, event))

    def on_funding(self, *event: Any) -> None:
        """Hold a funding rate back."""
        self._held.append((self._desk.on_funding, event))

    def on_input(self, *event: Any) -> None:
        """Hold a further input back."""
        self._held.append((self._desk.on_input, event))

    def finish(self) -> list[str]:
        """Feed the desk and return what its look-back lacks."""
        unanswered = len(self._awaited)
        rows = {(*row[:3], row[3] if row[1] is Stream.LIQUIDATIONS else ()): row for row in self._rows}
        for ts, stream, venue, fields in sorted(rows.values(), key=lambda row: row[:3]):
            self._desk.replay(stream, venue, ts, fields)
        for give, event in self._held:
            give(*event)
        self._rows.clear()
        self._held.clear()
        said = missing(self._desk.look(max(self._now, self._desk.newest)), self._desk.schema)
        if unanswered:
            said.insert(0, f"{unanswered} requests for history were not answered within {TIMEOUT_SECS:.0f} s")
        return said


def _reach_ns(schema: StateSchema) -> int:
    """Return how far back an event can matter: to the oldest sample's age limit, or the map's memory."""
    sampled = schema.look_back_ns + int(schema.max_age_hours * NANOSECONDS_PER_HOUR)
    return max(sampled, int(schema.liquidation_map.memory_days * 24 * NANOSECONDS_PER_HOUR))


def missing(snapshot: Snapshot, schema: StateSchema) -> list[str]:
    """Return, by venue, how far back price, open interest and funding reach where that is not far enough."""
    offsets, whole = np.asarray(schema.offsets_hours), schema.look_back_ns / NANOSECONDS_PER_HOUR / 24
    names = [channel.name for channel in CHANNELS]
    found = []
    for slot, venue in enumerate(schema.venues):
        short = []
        for name, words in _WATCHED.items():
            known = snapshot.mask[0, slot, names.index(name)] > 0.0
            days = float(offsets[known].max()) / 24 if known.any() else -1.0
            if days < _ENOUGH * whole:
                short.append(f"{words} {days:.1f}" if days >= 0.0 else f"{words} none")
        if short:
            found.append(f"look-back of {venue}, of {whole:.1f} days: {', '.join(short)}")
    return found
