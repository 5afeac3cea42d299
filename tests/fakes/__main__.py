"""Serve every loopback exchange until the input ends: ``python -m fakes [seconds between pushes]``."""

import asyncio
import json
import sys

from fakes.server import FakeExchanges


async def serve(push_secs: float) -> None:
    """Print the addresses as one line of JSON, then serve."""
    exchanges = FakeExchanges(push_secs)
    await exchanges.start()
    print(json.dumps(exchanges.urls), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await exchanges.stop()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.1))
