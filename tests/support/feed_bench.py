"""One feed of the data client against a loopback exchange."""

import asyncio
import time
from math import inf

from fakes.server import FakeExchanges

from oi_hedge_adapters.connection import VenueConnection
from oi_hedge_adapters.feed import Pace, VenueFeed
from oi_hedge_adapters.feed_status import FeedStatus
from oi_hedge_adapters.readers import InstrumentReader
from oi_hedge_adapters.venues import find_row
from oi_hedge_catalog import OpenInterestUpdate

PACE = Pace(0.0, False, 30.0, inf, 5.0, 0.01, 0.05)


class Bench:
    """One feed of one venue against a loopback exchange."""

    def __init__(self, key, exchanges, pace, what="open_interest", timeout_secs=1.0, silence_secs=5.0):
        row = find_row(key)
        self.exchange = exchanges[row.ccxt_id]
        self.connection = VenueConnection(row, timeout_secs, exchanges.urls[row.ccxt_id])
        reader = InstrumentReader(row, row.example, self.connection, time.time_ns, silence_secs)
        self.published, self.log = [], []
        read = getattr(reader, what)
        self.feed = VenueFeed(
            what, row.example, read, self.published.append, time.time_ns, pace, self.log.append
        )

    async def __aenter__(self):
        self.task = asyncio.create_task(self.feed.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.connection.close()

    def levels(self):
        return [each for each in self.published if isinstance(each, OpenInterestUpdate)]

    def statuses(self):
        return [(each.stale, each.reason) for each in self.published if isinstance(each, FeedStatus)]

    async def more(self, count=2):
        """Wait for further values of open interest."""
        wanted = len(self.levels()) + count
        await self.until(lambda: len(self.levels()) >= wanted)

    async def until(self, condition):
        for _ in range(500):
            self.feed.check()
            if condition():
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"never came true; published {self.published[-3:]}, log {self.log}")


def run(scenario, push_secs=0.02):
    async def whole():
        exchanges = FakeExchanges(push_secs)
        await exchanges.start()
        try:
            await scenario(exchanges)
        finally:
            await exchanges.stop()

    asyncio.run(whole())
