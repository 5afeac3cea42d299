"""A paper node in a process of its own that is given one fault after the other, and says what it did."""

import asyncio
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from fakes.binance_feed import BinanceFeed
from fakes.server import FakeExchanges
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import CustomData
from support.live_node import until
from support.paper_run import paper_fields

from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.live.alerts import WEBHOOK_VARIABLE
from oi_hedge_strategy.live.config import ACCOUNT_FILE
from oi_hedge_strategy.live.node import build_node
from oi_hedge_strategy.live.sandbox_account import read_account

_FULL_BYTES = 512
_LONG_SECS = 60.0


class FaultyNode:
    """Run a paper node on loopback venues and keep its alerts, decisions and what nobody caught."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.alerts: list[list[Any]] = []
        self.decisions: list[Any] = []
        self.uncaught: list[str] = []
        self.posted: list[str] = []
        self.said: list[str] = []

    async def run(self) -> dict[str, Any]:
        """Inject every fault, each after the one before is over, and return what was found."""
        loop = asyncio.get_running_loop()
        self.feed, self.exchanges = BinanceFeed(bar_secs=0.3), FakeExchanges()
        await self.feed.start()
        await self.exchanges.start()
        webhook = await self._receive_alerts()
        fields = paper_fields(self._root, self.feed, self.exchanges)
        fields["node"]["open_interest"] |= {"status_secs": 0.2, "stale_after_secs": 30.0}
        fields["observe"] = {f"{stage}_ms": 60_000.0 for stage in _STAGES}
        fields["policy"] = {
            "loss_aversion": 1000.0
        }  # else the policy itself closes a hedge that pays so much
        settings = BacktestSettings.parse(json.dumps(fields))
        node, _ = build_node(settings, "paper", loop=loop)
        loop.set_exception_handler(lambda _, context: self.uncaught.append(str(context)))
        self._listen(node)
        running = asyncio.create_task(node.run_async())
        try:
            await until(lambda: self.held() == -10.0, _LONG_SECS)
            found = {
                "interest": await self._fault(self._interest),
                "funding": await self._fault(self._funding),
                "halt": await self._fault(self._halt),
                "disk": await self._fault(self._full_disk),
            }
        finally:
            await node.stop_async()
            await asyncio.wait_for(running, 30.0)
            await self.feed.stop()
            await self.exchanges.stop()
            await webhook.cleanup()
        (strategy,) = node.trader.strategies()
        largest = [
            min(d.hedge_quantity for d in self.decisions),
            max(d.hedge_quantity for d in self.decisions),
        ]
        stopped = strategy.is_stopped
        node.dispose()
        return found | {
            "uncaught": self.uncaught,
            "held": largest,
            "stopped": stopped,
            "webhook": self.posted,
            "alerted": self.said,
        }

    async def _receive_alerts(self) -> web.AppRunner:
        """Listen as the webhook that the environment names."""

        async def take(request: web.Request) -> web.Response:
            self.posted.append((await request.json())["text"])
            return web.Response()

        app = web.Application()
        app.router.add_post("/alerts", take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        os.environ[WEBHOOK_VARIABLE] = f"http://127.0.0.1:{runner.addresses[0][1]}/alerts"
        return runner

    def held(self) -> float:
        """Return the hedge as the last decision saw it."""
        return self.decisions[-1].hedge_quantity if self.decisions else 0.0

    def _listen(self, node: TradingNode) -> None:
        def keep(message: Any) -> None:
            value = message.data if isinstance(message, CustomData) else message
            if type(value).__name__ == "Alert":
                self.alerts.append([value.condition, value.active])
                over = "" if value.active else " is over"
                self.said.append(f"oi-hedge {value.instrument_id}: {value.condition}{over}: {value.message}")
            else:
                self.decisions.append(value)

        for topic in ("data.Alert*", "data.HedgeDecision*"):
            node.trader._msgbus.subscribe(topic, keep)

    async def _fault(self, inject: Callable[[], Any]) -> dict[str, Any]:
        self.alerts.clear()
        held = await inject()
        await until(lambda: len(self.posted) >= len(self.said), _LONG_SECS)
        return {"held": held, "alerts": self.alerts.copy()}

    async def _more(self, decisions: int) -> None:
        wanted = len(self.decisions) + decisions
        await until(lambda: len(self.decisions) >= wanted, _LONG_SECS)

    async def _begun(self) -> None:
        await until(lambda: any(active for _, active in self.alerts), _LONG_SECS)

    async def _over(self) -> None:
        await until(lambda: any(not active for _, active in self.alerts), _LONG_SECS)
        await self._more(5)

    async def _interest(self) -> float:
        state = self.exchanges["binanceusdm"].state
        state.coins *= 1000.0
        await self._begun()
        await self._more(5)
        held, state.coins = self.held(), state.coins / 1000.0
        await self._over()
        return held

    async def _funding(self) -> float:
        state = self.exchanges["binanceusdm"].state
        state.rate = -3.0
        await self._begun()
        await until(lambda: self.held() == -2.5, _LONG_SECS)
        await self._more(5)
        held, state.rate = self.held(), 0.0001
        await self._over()
        return held

    async def _halt(self) -> float:
        await until(lambda: self.held() == -10.0, _LONG_SECS)
        state = self.exchanges["binanceusdm"].state
        state.halted = True
        await self._begun()
        await self._more(5)
        held, state.halted = self.held(), False
        await self._over()
        return held

    async def _full_disk(self) -> float:
        """Fill the disk, and let the market pass the hard stop meanwhile."""
        await until(lambda: self.held() == -10.0, _LONG_SECS)
        with _full_disk():
            await self._begun()
            self.feed.price = 2300.0
            await until(lambda: self.held() == 0.0, _LONG_SECS)
            await self._more(5)
        account = self._root / "paper" / ACCOUNT_FILE
        await until(lambda: (found := read_account(account)) and not found.positions, _LONG_SECS)
        return self.held()


_STAGES = ("receive", "features", "inference", "policy", "order")


@contextmanager
def _full_disk() -> Iterator[None]:
    """Let no file of this process grow beyond a few bytes."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FULL_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def main() -> None:
    """Run in the directory that is named, and print what was found as JSON."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    found = loop.run_until_complete(FaultyNode(Path(sys.argv[1])).run())
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    main()
