"""A futures venue on the loopback interface, in a process of its own."""

import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from fakes.binance_venue import BinanceVenue


class _Arrivals(list[str]):
    """Print when each order reached the venue."""

    def append(self, request: str) -> None:
        if request == "POST /fapi/v1/order":
            print(time.time_ns(), flush=True)


async def serve() -> None:
    """Print the venue's address, serve until the input ends."""
    venue = BinanceVenue()
    venue.requests = _Arrivals()
    await venue.start()
    print(venue.base, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await venue.stop()


if __name__ == "__main__":
    asyncio.run(serve())
