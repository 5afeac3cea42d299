"""A real node hedges on loopback venues, is recorded, and its session gives the same decisions again."""

import asyncio
import os
import stat

import pytest
from support.recorded_node import run_recorded, status_of

from oi_hedge_strategy.live.recording import convert, read_recorded
from oi_hedge_strategy.live.replay import replay
from oi_hedge_strategy.records import HedgeDecision, SessionEntry, StageTiming

pytest.importorskip("ccxt")


async def enough_decisions(node, session, exchanges):
    for _ in range(400):
        status = status_of(session)
        if len(status.get("orders", ())) >= 12 and status["timing"]["receive"]["count"] >= 60:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"too few orders or decisions: {status_of(session)}")


def test_a_session_of_a_real_node_is_replayed_bit_by_bit(tmp_path):
    session = run_recorded(tmp_path, enough_decisions)
    again = replay(session)
    print(again)
    assert again.difference is None
