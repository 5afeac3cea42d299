"""What rails and drift monitor remember survives a kill through Redis behind Nautilus's cache alone."""

import asyncio
import json

import numpy as np
import pytest
from fakes.binance_venue import BinanceVenue
from fakes.futures_account import FuturesAccount
from support.engine import HOUR, START
from support.kills import Child
from support.models import SHORT_SCHEMA, tiny_card, write_model
from support.redis_server import redis_server

from oi_hedge_strategy.cascades import SIDES
from oi_hedge_strategy.forecast.drift import DriftReference, drift_inputs, drift_outputs

KEY = "oi-hedge.OIHedgeStrategy-HEDGE"
OBSERVED, EVERY = 140, 5
EXPOSURE = 10.0


@pytest.fixture
def redis(tmp_path):
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def model(tmp_path):
    """Return a model that was trained on another market, so that it drifts."""
    rng, n = np.random.default_rng(1), 2_000
    values = rng.normal(0.0, 0.01, (n, *SHORT_SCHEMA.shape)).astype(np.float32)
    ones, levels = np.ones_like(values), rng.random((n, 2, 6)).astype(np.float32)
    seen = drift_inputs(values, ones, 0 * ones, levels, SHORT_SCHEMA)
    said = drift_outputs(rng.uniform(0.05, 0.2, (n, len(SIDES), 2)), (4, 18))
    card = tiny_card(reference={"drift": DriftReference.fit(seen | said).to_dict()})
    return write_model(tmp_path / "model.onnx", card, probability=0.9)


class Run:
    """A node, its venue, and the time of its market."""

    _child = None

    def __init__(self, venue, model, port):
        self.venue, self._model, self._port = venue, model, port
        self._ts, self._rng = START, np.random.default_rng(7)

    async def start(self):
        self._child = await Child.start(self.venue, self._model, None, EXPOSURE, self._port)
        await self._child.answer()

    async def hour(self, after):
        """Let hours pass and a bar come; return what was decided on it."""
        self._ts += after * HOUR
        interest = [round(float(self._rng.uniform(900.0, 1100.0)), 3)]
        price = round(2000.0 + float(self._rng.uniform(-5.0, 5.0)), 2)
        self.venue.account.move_price(str(price))
        bar = [price, price + 4.0, price - 4.0, price]
        for event in ((self._ts - 1, "interest", interest), (self._ts, "bar", bar)):
            answer = await self._ask(event)
        (decision,) = answer["decisions"]
        return dict(zip(("ts", "wanted", "price", "allowed", "target", "rail"), decision, strict=True))

    async def memory(self):
        found = await self._ask((0, "memory", []))
        return {name: found[name] for name in ("rails", "drift")}

    async def kill(self):
        if self._child is not None:
            await self._child.kill()
            self._child = None

    def pay(self, wallet):
        """Let the account have another balance."""
        self.venue.pay(wallet)

    async def _ask(self, event):
        self._child.send(event, self.venue)
        return await self._child.answer()


async def kept(redis, memory):
    """Wait until Redis holds what the node remembers: it is handed over by a thread."""
    for _ in range(600):
        rails, drift = redis.value(KEY), redis.value(f"{KEY}.drift")
        if rails and json.loads(rails["rails"]) == memory["rails"] and drift == memory["drift"]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"Redis holds {redis.value(KEY)}, the node remembers {memory['rails']}")


@pytest.mark.slow
def test_drawdown_cooldown_and_drift_survive_a_kill_through_redis(redis, model):
    async def scenario():
        venue = BinanceVenue(FuturesAccount(wallet="50000"))
        await venue.start()
        run = Run(venue, model, redis.port)
        try:
            await run.start()
            for _ in range(OBSERVED):
                assert (await run.hour(EVERY))["allowed"] > 0.0
            run.pay("30000")
            fallen = await run.hour(1)
            before = await run.memory()
            await kept(redis, before)
            await run.kill()
            await run.start()
            after = await run.memory()
            run.pay("50000")
            cooling = await run.hour(1)
            cooled = await run.hour(EVERY)
        finally:
            await run.kill()
            await venue.stop()
        return fallen, before, after, cooling, cooled

    fallen, before, after, cooling, cooled = asyncio.run(scenario())
    assert (fallen["allowed"], fallen["rail"]) == (0.0, "drawdown")
    assert before["rails"]["drawn_down"] and before["rails"]["closed_until"] > fallen["ts"]
    assert before["rails"]["peak_equity"] > 49_000.0
    assert before["drift"]["demoted"].startswith("drift of ")
    assert len(before["drift"]["inputs"]) > 100
    assert after == before
    assert (cooling["allowed"], cooling["rail"]) == (0.0, "drawdown")
    assert cooling["wanted"] > 0.0 and cooled["allowed"] > 0.0
