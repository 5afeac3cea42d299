"""Python's garbage collector, kept out of the way of orders."""

import asyncio
import gc

_YOUNG_SECS, _ALL_EVERY = 1.0, 600
_MIDDLE, _ALL = 1, 2


async def collect_in_turn() -> None:
    """
    Collect young garbage once a second, all of it every ten minutes, none in between; until cancelled.

    By itself Python collects wherever the count of new objects meets a threshold, which may be between a
    signal and its order, and looks at every object of the process now and then. What exists by now, modules
    above all, is for good: it is set aside and never looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        turn = 0
        while True:
            await asyncio.sleep(_YOUNG_SECS)
            turn += 1
            gc.collect(_ALL if turn % _ALL_EVERY == 0 else _MIDDLE)
    finally:
        gc.enable()
        gc.unfreeze()
