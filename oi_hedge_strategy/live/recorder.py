"""The actor that journals what the strategy is given and says, in the order in which it happens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from nautilus_trader.common.actor import Actor
from nautilus_trader.common.component import LiveClock
from nautilus_trader.common.config import ActorConfig
from nautilus_trader.model.data import CustomData, DataType
from nautilus_trader.model.identifiers import InstrumentId, StrategyId

from oi_hedge_strategy.live.entries import (
    BEGAN,
    INSTRUMENT_KINDS,
    MARKET_KINDS,
    ORDER_KINDS,
    OUTPUT_KINDS,
    kind_of,
    pack,
)
from oi_hedge_strategy.live.leaving import Leaving
from oi_hedge_strategy.live.node_thread import in_node_thread
from oi_hedge_strategy.live.session import DESK_FILE
from oi_hedge_strategy.live.state_store import Arrays, write_checkpoint
from oi_hedge_strategy.records import BEGAN_TOPIC, SessionEntry

_FIRST = 10
_PUBLISH = "RECORD"
_EVERY_MS = 100
_AT_MOST = 1_000
_ENTRY = DataType(SessionEntry)
_DATA = frozenset((*MARKET_KINDS, *OUTPUT_KINDS))


class SessionRecorderConfig(ActorConfig, frozen=True):
    """
    Configure a `SessionRecorder`.

    Parameters
    ----------
    directory : str
        Of the session.
    instrument_id : InstrumentId
        The hedge instrument.
    strategy_id : StrategyId
        The strategy whose orders are journalled.

    """

    directory: str
    instrument_id: InstrumentId
    strategy_id: StrategyId


class SessionRecorder(Actor):
    """
    Publish a `SessionEntry` for everything that the strategy is given, before it is, and all that it says.

    Nautilus streams each type into a file of its own, by which the order between types is lost, and leaves
    out data whose id is no instrument. The entries keep both; they are streamed as one type.
    """

    def __init__(self, config: SessionRecorderConfig) -> None:
        super().__init__(config)
        self._sequence = 0
        self._newest = 0
        self._waiting: list[Any] = []
        self._leaving = Leaving()

    def on_start(self) -> None:
        """Journal the instruments, then listen ahead of the strategy."""
        hedge = self.cache.instrument(self.config.instrument_id)
        for each in self.cache.instruments():
            if type(each) in INSTRUMENT_KINDS and (
                hedge is None or each.base_currency == hedge.base_currency
            ):
                self._journal(each)
        self.msgbus.subscribe(BEGAN_TOPIC, self._on_began)
        self.msgbus.subscribe("data.*", self._on_data, priority=_FIRST)
        self.msgbus.subscribe(f"events.order.{self.config.strategy_id}", self._on_event, priority=_FIRST)
        if isinstance(self.clock, LiveClock):
            publish = in_node_thread(self, lambda event: self._on_timer())
            self.clock.set_timer(_PUBLISH, pd.Timedelta(milliseconds=_EVERY_MS), callback=publish)

    def on_stop(self) -> None:
        """Publish the last entries and stop listening."""
        if _PUBLISH in self.clock.timer_names:
            self.clock.cancel_timer(_PUBLISH)
        self._publish()
        self.msgbus.unsubscribe(BEGAN_TOPIC, self._on_began)
        self.msgbus.unsubscribe("data.*", self._on_data)
        self.msgbus.unsubscribe(f"events.order.{self.config.strategy_id}", self._on_event)

    def _on_began(self, save: Callable[[], tuple[Arrays, dict[str, Any]]]) -> None:
        """Keep what the desk knew when it began to decide, and from which entry on it was given more."""
        arrays, facts = save()
        write_checkpoint(Path(self.config.directory) / DESK_FILE, arrays, facts)
        self._publish()
        self._enter(BEGAN, "{}", self.clock.timestamp_ns())

    def _on_data(self, message: Any) -> None:
        value = message.data if isinstance(message, CustomData) else message
        if kind_of(value) in _DATA:
            self._journal(value)

    def _on_event(self, event: Any) -> None:
        self._leaving.note(event)
        if type(event) in ORDER_KINDS:
            self._journal(event)

    def _journal(self, value: Any) -> None:
        self._waiting.append(value)
        if len(self._waiting) >= _AT_MOST:
            self._publish()

    def _on_timer(self) -> None:
        if not self._leaving.must_wait():
            self._publish()

    def _publish(self) -> None:
        """Publish what waits: an order that was just decided does not wait for the writing of its reasons."""
        waiting, self._waiting = self._waiting, []
        for value in waiting:
            self._enter(*pack(value), value.ts_init)

    def _enter(self, kind: str, payload: str, ts: int) -> None:
        self._newest = max(self._newest, ts)
        instrument_id = self.config.instrument_id
        entry = SessionEntry(instrument_id, self._sequence, kind, payload, ts, self._newest)
        self._sequence += 1
        self.publish_data(_ENTRY, entry)
