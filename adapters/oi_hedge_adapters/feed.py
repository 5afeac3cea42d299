"""A feed of one instrument: read again and again, failures paced, stale values announced."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from nautilus_trader.core.data import Data
from nautilus_trader.model.data import FundingRateUpdate
from nautilus_trader.model.identifiers import InstrumentId
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential, wait_random

from oi_hedge_adapters.connection import UNEXPECTED, RefusedError, UnreachableError, asked_pause
from oi_hedge_adapters.feed_status import FeedStatus
from oi_hedge_adapters.normalise import PayloadError
from oi_hedge_catalog.types import CatalogData, LiquidationRecord, OpenInterestUpdate

_SECOND_NS = 1_000_000_000
_REMEMBERED = 4096


@dataclass(frozen=True)
class Pace:
    """
    When a feed is read and when it counts as stale, seconds.

    Parameters
    ----------
    interval : float
        Between two readings; a stream of events is read without pause.
    streams : bool
        Whether a reading waits for a message by itself.
    stale_after, frozen_after : float
        Age of the last value, and of its last change, that make the feed stale; never where infinite.
    max_skew : float
        How far a value may lie in our future.
    backoff_initial, backoff_max : float
        First and longest pause after a failure.
    event_driven : bool, default False
        Whether silence is normal, so that the feed is fresh as long as the venue answers.
    """

    interval: float
    streams: bool
    stale_after: float
    frozen_after: float
    max_skew: float
    backoff_initial: float
    backoff_max: float
    event_driven: bool = False


@dataclass
class FeedCounts:
    """What became of the values that were read."""

    published: int = 0
    duplicate: int = 0
    late: int = 0
    failures: int = 0


@dataclass
class VenueFeed:
    """
    Read one kind of data of one instrument until cancelled.

    Parameters
    ----------
    name : str
        The feed, as `FeedStatus.feed` names it.
    instrument_id : InstrumentId
        The instrument.
    read : callable
        Gives the values of one reading, stamped with the time of receipt.
    publish : callable
        Takes what is new.
    now_ns : callable
        The clock.
    pace : Pace
        When to read.
    log : callable
        Takes one sentence of trouble.
    """

    name: str
    instrument_id: InstrumentId
    read: Callable[[], Awaitable[Sequence[Data]]]
    publish: Callable[[Data], None]
    now_ns: Callable[[], int]
    pace: Pace
    log: Callable[[str], None]
    counts: FeedCounts = field(default_factory=FeedCounts)

    def __post_init__(self) -> None:
        self._stale = self._refused = False
        self._trouble = ""
        self._started = self._fresh = self._changed = self.now_ns()
        self._value: object = None
        self._last: dict[type, int] = {}
        self._seen: OrderedDict[object, None] = OrderedDict()

    async def run(self) -> None:
        """Read for ever, or until the venue refuses."""
        pace = self.pace
        doubling = wait_exponential(multiplier=pace.backoff_initial, max=pace.backoff_max)
        base = doubling + wait_random(0, pace.backoff_initial)
        retrying = AsyncRetrying(
            wait=lambda state: max(base(state), asked_pause(state)),
            retry=retry_if_exception_type((UnreachableError, PayloadError)),
            before_sleep=self._failed,
        )
        while True:
            try:
                await retrying(self._turn)
            except RefusedError as error:
                self._announce(True, str(error))
                self._refused = True
                return
            if not (self.pace.streams and self.pace.event_driven):
                await asyncio.sleep(self.pace.interval)

    async def _turn(self) -> None:
        try:
            values = await self.read()
        except UNEXPECTED as error:
            raise UnreachableError(
                f"{self.instrument_id}: unexpected form of {self.name}: {error!r}"
            ) from error
        for value in values:
            self._take(value)
        self._trouble = ""
        if self.pace.event_driven:
            self._fresh = self._changed = self.now_ns()

    def _failed(self, state: RetryCallState) -> None:
        """Say once what goes wrong; `check` announces it when the last value has grown old."""
        self.counts.failures += 1
        text = str(_error(state))
        if not self._trouble:
            self.log(text)
        self._trouble = text

    def _take(self, value: Data) -> None:
        if self._is_new(value):
            self._note(value)
            self.counts.published += 1
            self.publish(without_skew(value))

    def _is_new(self, value: Data) -> bool:
        """Tell duplicates, and levels older than what was published, from news."""
        ahead = (value.ts_event - value.ts_init) / _SECOND_NS
        if ahead > self.pace.max_skew:
            raise UnreachableError(f"{self.instrument_id}: the venue's clock is {ahead:.0f} s ahead of ours")
        if isinstance(value, LiquidationRecord):
            key = (value.ts_event, value.long_quantity, value.short_quantity, value.price)
            if key in self._seen:
                self.counts.duplicate += 1
                return False
            self._seen[key] = None
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
            return True
        last = self._last.get(type(value), -1)
        if value.ts_event <= last:
            same = value.ts_event == last
            self.counts.duplicate += same
            self.counts.late += not same
            return False
        self._last[type(value)] = value.ts_event
        return True

    def _note(self, value: Data) -> None:
        """Remember age and change of the value."""
        self._fresh = max(self._fresh, min(value.ts_event, value.ts_init))
        if isinstance(value, OpenInterestUpdate):
            if value.quantity != self._value:
                self._value, self._changed = value.quantity, value.ts_init
        else:
            self._changed = value.ts_init

    def check(self) -> None:
        """Announce that the feed has become stale, or that it has recovered."""
        if self._refused:
            return
        now = self.now_ns()
        silent = (now - self._fresh) / _SECOND_NS
        frozen = (now - self._changed) / _SECOND_NS
        if silent > self.pace.stale_after:
            self._announce(True, self._trouble or f"no new value for {silent:.0f} s")
        elif frozen > self.pace.frozen_after:
            self._announce(True, f"the value has not changed for {frozen:.0f} s")
        elif self._fresh > self._started:
            self._announce(False, "values are coming in")

    def _announce(self, stale: bool, reason: str) -> None:
        if stale == self._stale:
            return
        self._stale = stale
        now = self.now_ns()
        if stale:
            self.log(f"{self.name} of {self.instrument_id} is stale: {reason}")
        self.publish(FeedStatus(self.instrument_id, self.name, stale, reason, now, now))


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def without_skew(value: Data) -> Data:
    """Return `value` with a time of the venue that lies in our future lowered to the time of receipt."""
    if value.ts_event <= value.ts_init:
        return value
    if isinstance(value, CatalogData):
        return type(value).from_dict({**value.to_dict(), "ts_event": value.ts_init})
    if isinstance(value, FundingRateUpdate):
        return FundingRateUpdate(
            value.instrument_id,
            value.rate,
            value.ts_init,
            value.ts_init,
            value.interval,
            value.next_funding_ns,
        )
    return value
