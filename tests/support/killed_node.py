"""The process that is killed: a node fed from standard input, which answers on standard output."""

import asyncio
import hashlib
import json
import sys
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from nautilus_trader.core.data import Data
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import Bar, CustomData, DataType, FundingRateUpdate
from nautilus_trader.model.objects import Price, Quantity
from support.engine import HEDGE, bar_type
from support.live_hedge import LiveHedge

from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.hedging.config import DriftConfig, ExecutionConfig, RailsConfig
from oi_hedge_strategy.records import HedgeDecision

_LOOK_SECS = 0.002
DRIFT = DriftConfig(window_days=28.0, on_drift="ignore")
RAILS = RailsConfig(
    hard_stop=0.5,
    cooldown_hours=5.0,
    max_daily_turnover=100.0,
    max_daily_orders=1000,
    max_price_age_minutes=1e9,
    max_open_interest_age_minutes=1e9,
)


def data_of(ts: int, kind: str, fields: list[float]) -> Data:
    """Return an event as Nautilus knows it."""
    if kind == "interest":
        return CustomData(DataType(OpenInterestUpdate), OpenInterestUpdate(HEDGE, fields[0], None, ts, ts))
    if kind == "funding":
        return FundingRateUpdate(HEDGE, Decimal(str(fields[0])), ts, ts, interval=480)
    open_, high, low, close = (Price(each, 2) for each in fields)
    return Bar(bar_type(HEDGE), open_, high, low, close, Quantity(10.0, 3), ts, ts)


class KilledNode:
    """Feed a running strategy one event at a time and say when it has nothing left to do."""

    def __init__(self, live: LiveHedge) -> None:
        self._live = live
        self._told = 0

    async def settle(self, newest: int) -> None:
        """Wait until an event is taken in and its order, fill, account and stop are through."""
        strategy = self._live.strategy
        while strategy._desk.newest < newest:
            await asyncio.sleep(_LOOK_SECS)
        await asyncio.sleep(_LOOK_SECS)
        while strategy._book.is_busy() or not strategy._book.is_protected():
            await asyncio.sleep(_LOOK_SECS)

    async def know(self, position: float, wallet: float) -> None:
        """Wait until the node knows the account as it is."""
        while not (self._live.held == position and abs(self._balance() - wallet) < 1e-8):
            await asyncio.sleep(_LOOK_SECS)

    def _balance(self) -> float:
        account = self._live.node.cache.account_for_venue(HEDGE.venue)
        return float(account.balance_total(USDT).as_double())

    @property
    def decisions(self) -> list[HedgeDecision]:
        """What was decided by this process."""
        return self._live.recorder.decisions

    def answer(self, **more: Any) -> None:
        """Say how far it is, and what was decided since the last answer."""
        new, self._told = self.decisions[self._told :], len(self.decisions)
        found = [(d.ts_event, d.wanted, d.price, d.allowed, d.target, d.rail) for d in new]
        print(
            json.dumps({"newest": self._live.strategy._desk.newest, "decisions": found, **more}), flush=True
        )

    def memory(self) -> dict[str, Any]:
        """Return what a restart must not lose."""
        desk = self._live.strategy._desk
        snapshot = desk.look(desk.newest)
        digest = hashlib.sha256(b"".join(getattr(snapshot, name).tobytes() for name in snapshot.__slots__))
        rails = asdict(desk.rails.state)
        drift = desk.save_drift()
        return {
            "state": digest.hexdigest(),
            "rails": {**rails, "trades": list(rails["trades"])},
            "drift": json.loads(drift) if drift is not None else None,
        }


async def main(base: str, model: str, state: str, exposure: float, redis_port: int) -> None:
    """Run until standard input ends; an empty `state` is none."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    execution = ExecutionConfig(min_adjustment=0.01)
    directory = Path(state) if state else None
    live = LiveHedge(
        base, model, directory, exposure, redis_port=redis_port, rails=RAILS, execution=execution, drift=DRIFT
    )
    live.strategy._restart_at = lambda: live.strategy._desk.newest  # its market is of another year
    async with live:
        node = KilledNode(live)
        async with asyncio.timeout(60.0):
            while not live.strategy.is_running or live.strategy._safety.restarting:
                await asyncio.sleep(_LOOK_SECS)
        await node.settle(0)
        node.answer()
        while line := await reader.readline():
            ts, kind, fields, position, wallet = json.loads(line)
            await node.know(position, wallet)
            if kind == "memory":
                node.answer(**node.memory())
                continue
            live.feed.push(data_of(ts, kind, fields))
            await node.settle(ts)
            node.answer()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], float(sys.argv[4]), int(sys.argv[5])))
