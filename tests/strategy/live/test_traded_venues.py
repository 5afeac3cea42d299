"""Every row of the table of traded venues builds Nautilus's own clients, offline."""

import asyncio

import pytest
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.config import LiveExecEngineConfig, TradingNodeConfig
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.identifiers import ClientId, InstrumentId, TraderId

from oi_hedge_adapters.venues import row_of
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.live.config import VenueUrls
from oi_hedge_strategy.live.venues import VENUES, find_venue

EXAMPLES = {
    "BINANCE": "ETHUSDT-PERP.BINANCE",
    "BINANCE_SPOT": "ETHUSDT.BINANCE_SPOT",
    "BYBIT": "ETHUSDT-LINEAR.BYBIT",
    "OKX": "ETH-USDT-SWAP.OKX",
    "HYPERLIQUID": "ETH-USD-PERP.HYPERLIQUID",
    "DERIBIT": "ETH-PERPETUAL.DERIBIT",
    "KRAKEN": "PF_ETHUSD.KRAKEN",
}
SECRET = "planted-secret"


def secret(name):
    return "0x" + "1" * 64 if name.endswith("_PK") else SECRET


def ids(row):
    return [InstrumentId.from_str(EXAMPLES[row.venue])]


def test_every_row_has_an_example_that_the_venue_table_knows():
    assert EXAMPLES.keys() == {row.venue for row in VENUES}
    for venue, example in EXAMPLES.items():
        if venue != "BINANCE_SPOT":
            assert row_of(example).venue == venue


@pytest.mark.parametrize("testnet", [False, True], ids=["own", "testnet"])
def test_every_row_builds_its_clients_with_keys_from_the_environment_alone(testnet, monkeypatch):
    for row in VENUES:
        for name in row.keys_for(testnet):
            monkeypatch.setenv(name, secret(name))
    config = TradingNodeConfig(
        trader_id=TraderId("TABLE-001"),
        logging=LoggingConfig(log_level="ERROR"),
        exec_engine=LiveExecEngineConfig(reconciliation=False),
        data_clients={row.venue: row.data_client(ids(row), False) for row in VENUES},
        exec_clients={row.venue: row.exec_client(ids(row), testnet) for row in VENUES},
    )
    assert SECRET not in config.json().decode()
    loop = asyncio.new_event_loop()
    node = TradingNode(config=config, loop=loop)
    try:
        for row in VENUES:
            node.add_data_client_factory(row.venue, row.data_factory)
            node.add_exec_client_factory(row.venue, row.exec_factory)
        node.build()
        data = {str(each) for each in node.kernel.data_engine.registered_clients}
        execution = {str(each) for each in node.kernel.exec_engine.registered_clients}
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        node.dispose()
    assert data == execution == {str(ClientId(row.venue)) for row in VENUES}


def test_a_test_environment_is_another_than_the_venues_own():
    for row in VENUES:
        own, test = row.environments
        assert row.exec_client(ids(row), False).environment == own
        assert row.exec_client(ids(row), True).environment == test
        assert own != test


def test_addresses_can_be_set_where_the_adapter_has_them():
    urls = VenueUrls(http="http://127.0.0.1:1", ws="ws://127.0.0.1:1")
    for row in VENUES:
        data, execution = row.data_client(ids(row), False, urls), row.exec_client(ids(row), False, urls)
        for config, fields in ((data, row.data_urls), (execution, row.exec_urls)):
            assert fields
            assert {getattr(config, name) for name in fields} <= {urls.http, urls.ws}
        only_http = row.data_client(ids(row), False, VenueUrls(http=urls.http))
        assert all(getattr(only_http, name) is None for name, of in row.data_urls.items() if of == "ws")


def test_an_unknown_venue_names_those_that_there_are():
    with pytest.raises(ConfigError, match=r"'MTGOX', expected one of BINANCE, BINANCE_SPOT, BYBIT"):
        find_venue("MTGOX")
