"""What a session is doing now, as one small file that any process of the owner can read."""

import json
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorConfig
from nautilus_trader.model.data import Bar, CustomData
from nautilus_trader.model.events import OrderInitialized
from nautilus_trader.model.identifiers import InstrumentId, StrategyId

from oi_hedge_catalog.types import CatalogData
from oi_hedge_strategy.live.alerts import TROUBLE_TOPIC
from oi_hedge_strategy.live.entries import ORDER_KINDS, is_market_data, kind_of
from oi_hedge_strategy.live.leaving import Leaving
from oi_hedge_strategy.live.node_thread import in_node_thread
from oi_hedge_strategy.live.session import STATUS_FILE, Session, write_json
from oi_hedge_strategy.live.timing import STAGES
from oi_hedge_strategy.records import Alert, CascadeForecast, HedgeDecision, StageTiming

_WRITE = "STATUS"
_TIMINGS = 1_000
_ORDERS = 12
_EVENTS = frozenset(ORDER_KINDS)


class StatusWriterConfig(ActorConfig, frozen=True):
    """
    Configure a `StatusWriter`.

    Parameters
    ----------
    directory : str
        Of the session.
    instrument_id : InstrumentId
        The hedge instrument.
    strategy_id : StrategyId
        The strategy whose orders are shown.
    every_secs : float
        Between two writings.

    """

    directory: str
    instrument_id: InstrumentId
    strategy_id: StrategyId
    every_secs: float = 1.0


class StatusWriter(Actor):
    """Keep what was last of everything, and write it into the session again and again."""

    def __init__(self, config: StatusWriterConfig) -> None:
        super().__init__(config)
        self._path = Path(config.directory) / STATUS_FILE
        self._last: dict[type, CatalogData] = {}
        self._leaving = Leaving()
        self._feeds: dict[tuple[str, str], int] = {}
        self._alerts: dict[str, tuple[int, str]] = {}
        self._orders: deque[dict[str, Any]] = deque(maxlen=_ORDERS)
        self._timings: deque[StageTiming] = deque(maxlen=_TIMINGS)
        self._failing = False

    def on_start(self) -> None:
        """Listen, and write once a second."""
        self.msgbus.subscribe("data.*", self._on_message)
        self.msgbus.subscribe(f"events.order.{self.config.strategy_id}", self._on_order)
        every = pd.Timedelta(seconds=self.config.every_secs)
        self.clock.set_timer(_WRITE, every, callback=in_node_thread(self, lambda event: self._on_timer()))

    def on_stop(self) -> None:
        """Write a last time."""
        if _WRITE in self.clock.timer_names:
            self.clock.cancel_timer(_WRITE)
        self.msgbus.unsubscribe("data.*", self._on_message)
        self.msgbus.unsubscribe(f"events.order.{self.config.strategy_id}", self._on_order)
        self._write()

    def _on_message(self, message: Any) -> None:
        value = message.data if isinstance(message, CustomData) else message
        if isinstance(value, HedgeDecision | CascadeForecast):
            self._last[type(value)] = value
        elif isinstance(value, StageTiming):
            self._timings.append(value)
        elif isinstance(value, Alert):
            if value.active:
                self._alerts[value.condition] = value.ts_init, value.message
            else:
                self._alerts.pop(value.condition, None)
        elif is_market_data(value):
            about = value.bar_type.instrument_id if isinstance(value, Bar) else value.instrument_id
            self._feeds[kind_of(value).__name__, str(about)] = value.ts_init

    def _on_order(self, event: Any) -> None:
        self._leaving.note(event)
        if type(event) in _EVENTS and not isinstance(event, OrderInitialized):
            order = self.cache.order(event.client_order_id)
            self._orders.append(
                {
                    "ts": event.ts_event,
                    "event": type(event).__name__.removeprefix("Order"),
                    "order": str(event.client_order_id),
                    "tags": list(order.tags or ()) if order is not None else [],
                    "side": order.side_string() if order is not None else "",
                    "quantity": str(order.quantity) if order is not None else "",
                    "price": str(getattr(event, "last_px", "")),
                    "reason": str(getattr(event, "reason", "")),
                }
            )

    def _on_timer(self) -> None:
        if not self._leaving.must_wait():
            self._write()

    def _write(self) -> None:
        try:
            write_json(self._path, self.snapshot())
        except OSError as error:
            text = f"the session cannot be written: {error.strerror}; it will lack what happens now"
            self.msgbus.publish(TROUBLE_TOPIC, ("recording", "status", True, text))
            self._failing = True
            return
        if self._failing:
            self._failing = False
            self.msgbus.publish(TROUBLE_TOPIC, ("recording", "status", False, "the session is written again"))

    def _latest(self, kind: type[CatalogData]) -> dict[str, Any] | None:
        found = self._last.get(kind)
        return found.to_dict() if found is not None else None

    def snapshot(self) -> dict[str, Any]:
        """Return everything that is shown."""
        return {
            "written": self.clock.timestamp_ns(),
            "instrument": str(self.config.instrument_id),
            "decision": self._latest(HedgeDecision),
            "forecast": self._latest(CascadeForecast),
            "feeds": [
                {"kind": kind, "instrument": about, "ts": ts}
                for (kind, about), ts in sorted(self._feeds.items())
            ],
            "alerts": [
                {"condition": condition, "ts": ts, "message": text}
                for condition, (ts, text) in sorted(self._alerts.items())
            ],
            "orders": list(self._orders),
            "timing": stage_table(self._timings),
        }


def stage_table(timings: Any) -> dict[str, dict[str, float]]:
    """Return p50, p99 and maximum in milliseconds of each stage that was measured, and how often it was."""
    table = {}
    for stage in STAGES:
        took = [getattr(each, stage) / 1e6 for each in timings if getattr(each, stage) is not None]
        if took:
            p50, p99 = np.percentile(took, [50, 99])
            table[stage] = {"p50": float(p50), "p99": float(p99), "max": max(took), "count": len(took)}
    return table


def read_status(session: Session) -> dict[str, Any] | None:
    """Return what the session last wrote, None before the first time."""
    try:
        found: dict[str, Any] = json.loads((session.directory / STATUS_FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return found
