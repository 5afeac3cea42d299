"""One fault after the other at each of the soak's venues, and what came of each."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import CustomData, FundingRateUpdate
from support.soak_faults import CUT_MARKET_DATA, CUT_STREAMS, FAULTS, FUNDING, HALT, STOP, STREAMS_SILENT
from support.soak_venues import SoakVenues

from oi_hedge_adapters.client import OpenInterestDataClient
from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.records import Alert

EXCHANGES = {"BINANCE": "binanceusdm", "BYBIT": "bybit", "OKX": "okx", "HYPERLIQUID": "hyperliquid"}
"""ccxt's name of each venue."""
_HEDGE_VENUE, _STREAMED = "BINANCE", "BYBIT"
_ONLY = {
    FUNDING: _HEDGE_VENUE,
    STOP: _HEDGE_VENUE,
    HALT: _HEDGE_VENUE,
    CUT_MARKET_DATA: _HEDGE_VENUE,
    CUT_STREAMS: _STREAMED,
    STREAMS_SILENT: _STREAMED,
}
"""Bars and quotes of one venue alone, and open interest of one, come over sockets."""
_RAILS_OF_HEDGE_VENUE = ("rail venue", "rail funding", "rail drawdown")
_RECOVERY_SECS, _STEP_SECS = 60.0, 0.1
EXPOSURE = 10.0
"""ETH, all of which the hedge covers while nothing is wrong."""


@dataclass
class Outcome:
    """
    Hold what came of a fault.

    Parameters
    ----------
    times : int
        How often it was injected.
    failures, left_out : int
        Readings that failed meanwhile; values that were duplicates or late.
    alerts : dict of str to int
        How often each condition began meanwhile, its venue and instrument left out.
    slowest_secs : float
        The longest time from its end until open interest and funding came again, no alert was left, and the
        hedge was whole.

    """

    times: int = 0
    failures: int = 0
    left_out: int = 0
    alerts: Counter[str] = field(default_factory=Counter)
    slowest_secs: float = 0.0


class FaultRotation:
    """
    Inject the faults in turn, at all venues at a time, each beginning with another one.

    Parameters
    ----------
    node : TradingNode
        The node.
    venues : SoakVenues
        Where faults are injected.
    secs : float
        How long each lasts.

    Attributes
    ----------
    outcomes : dict of str to Outcome
        By fault.

    """

    def __init__(self, node: TradingNode, venues: SoakVenues, secs: float) -> None:
        self.venues, self._secs, self._lock = venues, secs, Lock()
        clients = node.kernel.data_engine._clients.values()
        self._client = next(each for each in clients if isinstance(each, OpenInterestDataClient))
        (self._strategy,) = node.trader.strategies()
        self._course: dict[str, str] = {}
        self._active: dict[str, set[str]] = {venue: set() for venue in EXCHANGES}
        self._seen: Counter[tuple[str, type]] = Counter()
        self._ending = False
        self.outcomes = {name: Outcome() for name in FAULTS}
        node.trader._msgbus.subscribe("data.Alert*", self._on_alert)
        for topic in ("data.OpenInterestUpdate*", "data.funding_rates.*"):
            node.trader._msgbus.subscribe(topic, self._on_value)

    @property
    def is_complete(self) -> bool:
        """Whether every fault was injected."""
        return all(each.times for each in self.outcomes.values())

    def start(self) -> "asyncio.Future[list[None]]":
        """Begin."""
        return asyncio.gather(*(self._lane(venue) for venue in EXCHANGES))

    def end(self) -> None:
        """Let the faults that are injected end, and begin no other."""
        self._ending = True

    async def ask(self, act: Callable[..., Any], *values: Any) -> Any:
        """Talk with the venues' process, one at a time and beside the node."""

        def locked() -> Any:
            with self._lock:
                return act(*values)

        return await asyncio.to_thread(locked)

    async def _lane(self, venue: str) -> None:
        while not (all(self._marks(venue)) and self._is_well(venue)):
            await asyncio.sleep(_STEP_SECS)
        for fault in _turns(venue):
            if self._ending:
                return
            await self._one(venue, fault)

    async def _one(self, venue: str, fault: str) -> None:
        outcome, before = self.outcomes[fault], self._counts(venue)
        self._course[venue] = fault
        await self.ask(self.venues.inject, EXCHANGES[venue], fault)
        await asyncio.sleep(self._secs)
        await self.ask(self.venues.repair, EXCHANGES[venue])
        seen, ended = self._marks(venue), time.monotonic()
        while not (
            all(now > then for now, then in zip(self._marks(venue), seen, strict=True))
            and self._is_well(venue)
        ):
            if time.monotonic() > ended + _RECOVERY_SECS:
                raise AssertionError(
                    f"{venue} has not recovered from {fault}: {self._active[venue] or 'no hedge'}"
                )
            await asyncio.sleep(_STEP_SECS)
        outcome.times += 1
        outcome.slowest_secs = max(outcome.slowest_secs, time.monotonic() - ended)
        failures, left_out = (now - then for now, then in zip(self._counts(venue), before, strict=True))
        outcome.failures += failures
        outcome.left_out += left_out

    def _marks(self, venue: str) -> tuple[int, ...]:
        """Return what grows while a venue's data come in."""
        own = self._seen[venue, OpenInterestUpdate], self._seen[venue, FundingRateUpdate]
        return (*own, self._strategy.bars_seen) if venue == _HEDGE_VENUE else own

    def _is_well(self, venue: str) -> bool:
        """Return whether no alert is about a venue; at the hedge's also whether the hedge is whole."""
        hedge = self._strategy.config.bar_type.instrument_id
        whole = float(self._strategy.portfolio.net_position(hedge)) == -EXPOSURE
        return not self._active[venue] and (whole or venue != _HEDGE_VENUE)

    def _counts(self, venue: str) -> tuple[int, int]:
        counts = [
            each.counts for (_, about), each in self._client.feeds.items() if about.venue.value == venue
        ]
        return sum(each.failures for each in counts), sum(each.duplicate + each.late for each in counts)

    def _on_value(self, message: Any) -> None:
        value = message.data if isinstance(message, CustomData) else message
        self._seen[value.instrument_id.venue.value, type(value)] += 1

    def _on_alert(self, message: Any) -> None:
        alert = message.data if isinstance(message, CustomData) else message
        venue = _venue_of(alert)
        if venue is None:
            return
        if not alert.active:
            self._active[venue].discard(alert.condition)
            return
        self._active[venue].add(alert.condition)
        words = (
            alert.condition.partition(" of ")[0] if alert.condition.startswith("feed") else alert.condition
        )
        if venue in self._course:
            self.outcomes[self._course[venue]].alerts[words.replace(f" of {venue}", "")] += 1


def _turns(venue: str) -> Iterator[str]:
    """Yield the faults of a venue for ever, first those that no other has."""
    own = [name for name, only in _ONLY.items() if only == venue]
    shared = [name for name in FAULTS if name not in _ONLY]
    first = list(EXCHANGES).index(venue) * len(shared) // len(EXCHANGES)
    while True:
        yield from (*own, *shared[first:], *shared[:first])


def _venue_of(alert: Alert) -> str | None:
    """Return the venue that an alert is about, None where it is about none."""
    if alert.condition in _RAILS_OF_HEDGE_VENUE:
        return _HEDGE_VENUE
    return next((venue for venue in EXCHANGES if venue in alert.condition), None)
