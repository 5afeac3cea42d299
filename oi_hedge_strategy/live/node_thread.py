"""Run a clock's callbacks in the node's own thread."""

import asyncio
from collections.abc import Callable
from typing import Any

from nautilus_trader.common.actor import Actor
from nautilus_trader.common.component import LiveClock, TimeEvent


def in_node_thread(actor: Actor, callback: Callable[[TimeEvent], Any]) -> Callable[[TimeEvent], Any]:
    """
    Return a timer's callback that runs where the actor's other handlers run.

    Nautilus 1.231 calls the timers of a `LiveClock` from a thread of its Rust runtime, so that a timer and a
    bar are handled at the same time whenever one of them lets go of the interpreter lock, as inference and
    writing do: state, model buffers and streams would be changed under each other's hands. A backtest's clock
    has one thread, and its callbacks stay as they are.

    Call it in `on_start`, which runs in the event loop of a node.
    """
    if not isinstance(actor.clock, LiveClock):
        return callback
    loop = asyncio.get_running_loop()

    def run(event: TimeEvent) -> None:
        if actor.is_running:
            callback(event)

    def hand_over(event: TimeEvent) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(run, event)

    return hand_over
