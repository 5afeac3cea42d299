"""What reading every live venue costs, over the loopback interface: ``python -m benchmarks.venues``."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorConfig, LoggingConfig
from nautilus_trader.config import TradingNodeConfig
from nautilus_trader.core.data import Data
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import DataType, FundingRateUpdate
from nautilus_trader.model.identifiers import ClientId, TraderId

from oi_hedge_adapters.config import OpenInterestClientConfig
from oi_hedge_adapters.factories import OpenInterestDataClientFactory
from oi_hedge_adapters.venues import ROWS, Feed
from oi_hedge_catalog.types import LongShortRatio, OpenInterestUpdate

PERPETUALS = tuple(row for row in ROWS if row.live and not row.option)
_CLIENT = ClientId("OI")
_WARM_SECS = 10.0
_PUSH_SECS = 0.1
"""Time between two messages of a stream, as of the busiest venues."""


@dataclass(frozen=True)
class VenueCost:
    """
    Share of one core that a node takes.

    Attributes
    ----------
    idle : float
        With the client connected and nothing subscribed.
    reading : float
        With open interest, funding and ratios of every venue subscribed.
    values : int
        Values received while measured.
    exchanges, instruments : int
        How many exchanges and instruments were read.
    """

    idle: float
    reading: float
    values: int
    exchanges: int
    instruments: int


class _Reader(Actor):
    """Subscribe one instrument of every venue when told to, and count."""

    def __init__(self) -> None:
        super().__init__(ActorConfig())
        self.values = 0

    def subscribe_all(self) -> None:
        for row in PERPETUALS:
            self.subscribe_data(DataType(OpenInterestUpdate), client_id=_CLIENT, instrument_id=row.example)
            self.subscribe_funding_rates(row.example, client_id=_CLIENT)
            if Feed.LONG_SHORT in row.live:
                self.subscribe_data(DataType(LongShortRatio), client_id=_CLIENT, instrument_id=row.example)

    def on_data(self, data: Data) -> None:
        """Count."""
        self.values += 1

    def on_funding_rate(self, funding_rate: FundingRateUpdate) -> None:
        """Count."""
        self.values += 1


@contextmanager
def _exchanges() -> Iterator[dict[str, str]]:
    """Serve the exchanges from a process of their own."""
    tests = Path(__file__).parents[1] / "tests"
    command = [sys.executable, "-m", "fakes", str(_PUSH_SECS)]
    with subprocess.Popen(command, cwd=tests, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()


def measure_venues(seconds: float = 60.0) -> VenueCost:
    """Run a node for twice `seconds`, first idle, then reading every venue at its own cadence."""
    with _exchanges() as urls:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        config = TradingNodeConfig(
            trader_id=TraderId("BENCH-001"),
            logging=LoggingConfig(log_level="ERROR"),
            data_clients={"OI": OpenInterestClientConfig(base_urls=urls)},
            timeout_post_stop=0.1,
        )
        node = TradingNode(config=config, loop=loop)
        node.add_data_client_factory("OI", OpenInterestDataClientFactory)
        node.build()
        reader = _Reader()
        node.trader.add_actor(reader)
        cost = loop.run_until_complete(_measure(node, reader, seconds))
        node.dispose()
    return cost


async def _measure(node: TradingNode, reader: _Reader, seconds: float) -> VenueCost:
    running = asyncio.create_task(node.run_async())
    await asyncio.sleep(_WARM_SECS)
    idle = await _share(seconds)
    reader.subscribe_all()
    await asyncio.sleep(_WARM_SECS)
    reader.values = 0
    reading = await _share(seconds)
    cost = VenueCost(idle, reading, reader.values, len({row.ccxt_id for row in PERPETUALS}), len(PERPETUALS))
    await node.stop_async()
    await running
    return cost


async def _share(seconds: float) -> float:
    """Return the share of one core that this process takes meanwhile."""
    before, started = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    return (time.process_time() - before) / (time.monotonic() - started)


@click.command()
@click.option("--seconds", type=click.FloatRange(1.0), default=60.0, show_default=True)
def main(seconds: float) -> None:
    """Print the share of one core that reading every live venue takes."""
    cost = measure_venues(seconds)
    click.echo(
        f"{cost.exchanges} exchanges, {cost.instruments} instruments, {cost.values} values in {seconds:g} s: "
        f"{cost.reading:.1%} of one core (node without subscriptions {cost.idle:.1%})"
    )


if __name__ == "__main__":
    main()
