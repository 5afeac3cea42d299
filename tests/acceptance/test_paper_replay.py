"""A paper run, stopped and started again, leaves two sessions, and both are replayed bit by bit."""

import asyncio

import pytest
from click.testing import CliRunner
from fakes.binance_feed import BinanceFeed
from fakes.server import FakeExchanges
from support.live_node import until
from support.models import tiny_card, write_model
from support.paper_run import SECOND_SCHEMA, paper_settings

from oi_hedge_strategy.cli import main
from oi_hedge_strategy.live.node import build_node
from oi_hedge_strategy.live.recording import convert

pytest.importorskip("ccxt")


def run_paper(directory, decisions):
    """Run a paper node until it decided so often; return its session and what it decided."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    built, made = [], []

    async def scenario():
        feed, exchanges = BinanceFeed(bar_secs=0.3), FakeExchanges()
        await feed.start()
        await exchanges.start()
        built.append(build_node(paper_settings(directory, feed, exchanges), "paper", loop=loop))
        node, _ = built[0]
        node.kernel.msgbus.subscribe("data.HedgeDecision*", made.append)
        running = loop.create_task(node.run_async())
        try:
            await until(lambda: len(made) >= decisions, 60.0)
        finally:
            await node.stop_async()
            await asyncio.wait_for(running, 15.0)
            await feed.stop()
            await exchanges.stop()

    try:
        loop.run_until_complete(scenario())
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        for node, _ in built:
            node.dispose()
        asyncio.set_event_loop(None)
    session = built[0][1]
    session.finish()
    return session, made


def test_both_sessions_of_an_interrupted_paper_run_are_replayed_bit_by_bit(tmp_path):
    write_model(tmp_path / "second.onnx", tiny_card(SECOND_SCHEMA), probability=0.6, sensitivity=0.3)
    sessions = [run_paper(tmp_path, 12) for _ in range(2)]
    assert sessions[0][0].directory != sessions[1][0].directory
    for session, made in sessions:
        convert(session)
        answer = CliRunner().invoke(main, ["replay", str(session.directory)])
        assert answer.exit_code == 0, answer.output
        assert f"{len(made)} forecasts and {len(made)} decisions replayed: equal" in answer.output
    newest = CliRunner().invoke(main, ["status", str(tmp_path / "paper"), "--once"])
    assert newest.exit_code == 0 and "ended" in newest.output
