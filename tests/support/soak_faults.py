"""Faults of the soak's venues, by name, and what ends them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fakes.server import Exchange, Fault
from fakes.state import FakeState

_ALL_REQUESTS = 10**9
_FAR_AHEAD_MS = 60_000
_USUAL = FakeState()


@dataclass
class Disturbance:
    """
    Say how an exchange's open interest and price are told.

    Parameters
    ----------
    factor : float
        Times the open interest that is true.
    frozen : bool
        Whether open interest stands still.
    price_factor : float
        Times the usual price.

    """

    factor: float = 1.0
    frozen: bool = False
    price_factor: float = 1.0


@dataclass
class SoakExchange:
    """Hold an exchange and how it is disturbed."""

    exchange: Exchange
    disturbance: Disturbance = field(default_factory=Disturbance)

    def fail(self, kind: str) -> None:
        """Answer no request as it should be answered."""
        self.exchange.faults.append(Fault(kind, times=_ALL_REQUESTS))

    def set(self, name: str, value: float) -> None:
        """Set a field of the exchange's state."""
        setattr(self.exchange.state, name, value)

    def repair(self) -> None:
        """End every fault."""
        self.exchange.faults.clear()
        for name in ("silent", "reorder", "frozen_ms", "skew_ms", "rate", "halted"):
            self.set(name, getattr(_USUAL, name))
        self.disturbance = Disturbance()


_BEYOND_STOP = 1.12
CUT_STREAMS, CUT_MARKET_DATA = "stream of open interest cut", "streams of bars and quotes cut"
"""Those that the venues' process does itself."""
STREAMS_SILENT = "stream of open interest silent"
FUNDING, HALT, STOP = "funding of -300 %", "venue halted", "price beyond the hard stop"
"""Those that concern the hedge venue alone."""

FAULTS: dict[str, Callable[[SoakExchange], None]] = {
    "HTTP 429": lambda venue: venue.fail("429"),
    "HTTP 500": lambda venue: venue.fail("500"),
    "HTTP 503": lambda venue: venue.fail("503"),
    "no answer": lambda venue: venue.fail("timeout"),
    "half JSON": lambda venue: venue.fail("half_json"),
    "HTML": lambda venue: venue.fail("html"),
    "another schema": lambda venue: venue.fail("schema"),
    "connection cut within an answer": lambda venue: venue.fail("disconnect"),
    CUT_STREAMS: lambda venue: None,
    CUT_MARKET_DATA: lambda venue: None,
    STREAMS_SILENT: lambda venue: venue.set("silent", True),
    "duplicates": lambda venue: venue.set("frozen_ms", time.time_ns() // 1_000_000),
    "old values among the new": lambda venue: venue.set("reorder", True),
    "clock a minute ahead": lambda venue: venue.set("skew_ms", _FAR_AHEAD_MS),
    "open interest frozen": lambda venue: setattr(venue.disturbance, "frozen", True),
    "open interest times 1000": lambda venue: setattr(venue.disturbance, "factor", 1000.0),
    FUNDING: lambda venue: venue.set("rate", -3.0),
    HALT: lambda venue: venue.set("halted", True),
    STOP: lambda venue: setattr(venue.disturbance, "price_factor", _BEYOND_STOP),
}
