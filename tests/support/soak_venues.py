"""Loopback venues in a process of their own, so that what they cost is not the node's."""

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

import numpy as np
from fakes.binance_feed import BinanceFeed
from fakes.server import FakeExchanges
from support.soak_faults import CUT_MARKET_DATA, CUT_STREAMS, FAULTS, SoakExchange

_MOVE_SECS, _SPREAD, _PULL = 0.05, 0.0005, 0.02
_FUNDING_MS = 60_000
"""The simulated venue remembers one price a minute, as venues settle on whole hours."""
_QUOTES_A_BAR = 2
_QUIET_SECS = 0.1


class SoakVenues:
    """
    Run Binance's market data and every venue's open interest in a process of their own.

    Parameters
    ----------
    bar_secs : float
        Between two bars at first.

    Attributes
    ----------
    feed, exchanges : SimpleNamespace
        The addresses, as `support.paper_run.paper_settings` takes them.

    """

    def __init__(self, bar_secs: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs, bar_secs), daemon=True)
        self._process.start()
        http, ws, urls = self._pipe.recv()
        self.feed, self.exchanges = SimpleNamespace(http=http, ws=ws), SimpleNamespace(urls=urls)

    def set_pace(self, bar_secs: float) -> None:
        """Serve a bar so often, and two quotes meanwhile."""
        self._ask("pace", bar_secs)

    def inject(self, exchange: str, fault: str) -> None:
        """Begin a fault of `FAULTS` at an exchange, by ccxt's name of it."""
        self._ask("inject", (exchange, fault))

    def repair(self, exchange: str) -> None:
        """End what is wrong at an exchange."""
        self._ask("repair", exchange)

    def silence(self) -> int:
        """Send nothing more, and return how many bars were served."""
        return int(self._ask("silence", None))

    def stop(self) -> None:
        """End the process."""
        self._ask("stop", None)
        self._process.join(10.0)
        self._pipe.close()

    def _ask(self, what: str, value: Any) -> Any:
        self._pipe.send((what, value))
        return self._pipe.recv()


def _run(pipe: Connection, bar_secs: float) -> None:
    asyncio.run(_serve(pipe, bar_secs))


async def _serve(pipe: Connection, bar_secs: float) -> None:
    feed = BinanceFeed(bar_secs=bar_secs, quote_secs=bar_secs / _QUOTES_A_BAR)
    exchanges = FakeExchanges()
    await feed.start()
    await exchanges.start()
    pipe.send((feed.http, feed.ws, exchanges.urls))
    binance = exchanges["binanceusdm"].state
    binance.due = _next_funding  # type: ignore[method-assign]
    venues = {name: SoakExchange(each) for name, each in exchanges.exchanges.items()}
    moving = asyncio.create_task(_move(feed, venues))
    while True:
        if not pipe.poll():
            await asyncio.sleep(0.02)
            continue
        what, value = pipe.recv()
        answer = 0
        if what == "pace":
            feed.bar_secs, feed.quote_secs = value, value / _QUOTES_A_BAR
        elif what == "inject":
            name, fault = value
            FAULTS[fault](venues[name])
            if fault == CUT_STREAMS:
                await exchanges.drop_sockets(name)
            elif fault == CUT_MARKET_DATA:
                await _cut(feed)
        elif what == "repair":
            venues[value].repair()
        elif what == "silence":
            feed.silent = True
            await asyncio.sleep(_QUIET_SECS)
            answer = feed.bars
        pipe.send(answer)
        if what == "stop":
            break
    moving.cancel()
    await feed.stop()
    await exchanges.stop()


def _next_funding() -> int:
    """Return the next time at which funding is due, milliseconds."""
    return (time.time_ns() // 1_000_000 // _FUNDING_MS + 1) * _FUNDING_MS


async def _cut(feed: BinanceFeed) -> None:
    """Cut the streams while nothing is on its way, so that what was served has arrived."""
    feed.silent = True
    await asyncio.sleep(_QUIET_SECS)
    feed.cut()
    feed.silent = False


async def _move(feed: BinanceFeed, venues: dict[str, SoakExchange]) -> None:
    """Let price and open interest wander about where they began; forget what was asked."""
    rng, price, coins = np.random.default_rng(0), 0.0, 0.0
    while True:
        price, coins = (
            each * (1.0 - _PULL) + float(rng.normal(0.0, spread))
            for each, spread in ((price, _SPREAD), (coins, 10.0 * _SPREAD))
        )
        of_hedge = venues["binanceusdm"].disturbance.price_factor
        feed.price = round(2000.0 * of_hedge * float(np.exp(price)), 2)
        for venue in venues.values():
            state, how = venue.exchange.state, venue.disturbance
            state.price = feed.price
            if not how.frozen:
                state.coins = how.factor * 1000.0 * float(np.exp(coins))
            venue.exchange.requests.clear()
        await asyncio.sleep(_MOVE_SECS)
