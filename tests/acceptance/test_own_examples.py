"""The hedge joins a node and a backtest that exist already, in under twenty lines each."""

import ast
import asyncio

import pytest
from fakes.binance_feed import BinanceFeed
from fakes.server import FakeExchanges
from nautilus_trader.adapters.binance import (
    BinanceAccountType,
    BinanceDataClientConfig,
    BinanceLiveDataClientFactory,
)
from nautilus_trader.backtest.config import BacktestDataConfig, BacktestEngineConfig, BacktestRunConfig
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.config import InstrumentProviderConfig, LiveDataEngineConfig, TradingNodeConfig
from nautilus_trader.model.data import Bar
from nautilus_trader.model.identifiers import InstrumentId
from support.live_node import until
from support.models import tiny_card, write_model
from support.paper_run import SECOND_SCHEMA
from support.scripts import ROOT, load

from oi_hedge_adapters.config import OpenInterestClientConfig
from oi_hedge_strategy.live.sandbox import PaperSandboxConfig, SandboxLiveExecClientFactory
from oi_hedge_strategy.simulation.venue import hedge_venue_config

PERPETUAL = "ETHUSDT-PERP.BINANCE"


@pytest.mark.parametrize("name", ["own_node.py", "own_backtest.py"])
def test_the_function_has_under_twenty_statements_lines(name):
    tree = ast.parse((ROOT / "examples" / name).read_text())
    (function,) = [each for each in tree.body if isinstance(each, ast.FunctionDef)]
    body = function.body[1:]
    assert body[-1].end_lineno - body[0].lineno + 1 < 20


def test_a_backtest_of_ones_own_is_hedged(market, short_model):
    bars = f"{PERPETUAL}-1-HOUR-LAST-EXTERNAL"
    yours = BacktestRunConfig(
        engine=BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)),
        venues=[],
        data=[
            BacktestDataConfig(
                data_cls=Bar, catalog_path=str(market), instrument_id=PERPETUAL, bar_spec="1-HOUR-LAST"
            )
        ],
        start="2024-04-01",
        end="2024-04-04",
        raise_exception=True,
        dispose_on_completion=False,
    )
    config = load(ROOT / "examples" / "own_backtest.py").add_hedge(
        yours, str(market), str(short_model), PERPETUAL
    )
    node = BacktestNode([config])
    node.run()
    orders = node.get_engine(config.id).trader.generate_orders_report()
    assert set(orders["instrument_id"]) == {PERPETUAL}
    assert len(orders) > 1
    assert bars in str(config.engine.strategies[0].config)


def test_a_node_of_ones_own_is_hedged(tmp_path):
    pytest.importorskip("ccxt")
    model = write_model(tmp_path / "second.onnx", tiny_card(SECOND_SCHEMA), probability=0.9)
    hedge = InstrumentId.from_str(PERPETUAL)
    example = load(ROOT / "examples" / "own_node.py")
    held = []

    async def scenario():
        feed, exchanges = BinanceFeed(bar_secs=0.3), FakeExchanges()
        await feed.start()
        await exchanges.start()
        yours = TradingNodeConfig(
            trader_id="YOURS-001",
            logging=LoggingConfig(log_level="ERROR"),
            data_clients={
                "BINANCE": BinanceDataClientConfig(
                    account_type=BinanceAccountType.USDT_FUTURES,
                    base_url_http=feed.http,
                    base_url_ws=feed.ws,
                    instrument_provider=InstrumentProviderConfig(load_ids=frozenset([hedge])),
                )
            },
            exec_clients={
                "BINANCE": PaperSandboxConfig(
                    venue="BINANCE",
                    starting_balances=["50000 USDT"],
                    account_file=str(tmp_path / "account.json"),
                    simulation=hedge_venue_config(
                        "BINANCE", ["50000 USDT"], latency_ms=0.0, funding={"rates": "predicted"}
                    ),
                    latency_ms=0.0,
                )
            },
            data_engine=LiveDataEngineConfig(graceful_shutdown_on_exception=True),
            timeout_post_stop=0.1,
        )
        oi = OpenInterestClientConfig(base_urls=exchanges.urls)
        node = example.add_hedge(yours, oi, str(model), f"{PERPETUAL}-1-SECOND-LAST-EXTERNAL")
        node.add_data_client_factory("BINANCE", BinanceLiveDataClientFactory)
        node.add_exec_client_factory("BINANCE", SandboxLiveExecClientFactory)
        node.build()
        running = asyncio.create_task(node.run_async())
        try:
            await until(lambda: node.cache.positions_open(instrument_id=hedge), 40.0)
            held.extend(float(each.signed_qty) for each in node.cache.positions_open(instrument_id=hedge))
        finally:
            await node.stop_async()
            await asyncio.wait_for(running, 15.0)
            await feed.stop()
            await exchanges.stop()
        return node

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    node = loop.run_until_complete(scenario())
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    node.dispose()
    asyncio.set_event_loop(None)
    assert held == [-10.0]
