"""``oi-hedge ingest wallets`` against a real Ethereum node and from files: stores, resumes, refuses."""

from functools import partial

import numpy as np
import pytest
from support.command import digest, oi_hedge, refuse, succeed
from support.ethereum_node import ETH, GENESIS, running_node

from oi_hedge_adapters.ethereum_rpc import URL_VARIABLE, EthereumRpc, RpcError
from oi_hedge_catalog import store
from oi_hedge_strategy.commands import wallet_node as command

A, B, C = (f"0x{digit * 40}" for digit in "abc")
TEXT = f"""
coin = "ETH"
top = 1
[groups]
exchange = ["{A}", "{B}"]
whale = ["{C}"]
"""
HOUR = 3600
FIRST = GENESIS // HOUR * HOUR + HOUR
HOURS = 6
SECOND = 1_000_000_000


def iso(second):
    return str(np.datetime64(second, "s")) + "+00:00"


@pytest.fixture(scope="module")
def node():
    """A chain with a block every ten minutes; each hour, half a minute before the full one, C gets 1 ETH."""
    with running_node() as node:
        for address, coins in ((A, 5), (B, 3), (C, 2)):
            node.send(address, coins * ETH)
        node.mine(FIRST - 600)
        for hour in range(HOURS):
            for minute in range(0, 60, 10):
                if minute == 50:
                    node.send(C, ETH)
                node.mine(FIRST + hour * HOUR + minute * 60 + (570 if minute == 50 else 0))
        yield node


@pytest.fixture
def wallets(tmp_path, node, monkeypatch):
    monkeypatch.setenv(URL_VARIABLE, node.url)
    path = tmp_path / "wallets.toml"
    path.write_text(TEXT)
    return path


def stored(catalog, identifier="ETH.ETHEREUM"):
    return store.read_wallet_concentration(store.open_catalog(catalog), identifier)


def totals(catalog):
    return stored(catalog).total.tolist()


def test_a_history_is_stored_by_group_and_a_second_run_adds_nothing(wallets, tmp_path):
    catalog = tmp_path / "catalog"
    order = ("ingest", "wallets", wallets, "--catalog", catalog, "--from", iso(FIRST), "--until")

    assert succeed(*order, iso(FIRST + 2 * HOUR)) == f"added 9 rows to {catalog}\n"
    assert totals(catalog) == [10.0, 11.0, 12.0]
    assert succeed(*order, iso(FIRST + 5 * HOUR)) == f"added 9 rows to {catalog}\n"
    assert totals(catalog) == [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
    before = digest(catalog)
    assert succeed(*order, iso(FIRST + 5 * HOUR)) == f"added 0 rows to {catalog}\n"
    assert digest(catalog) == before
    whole = stored(catalog)
    np.testing.assert_array_equal(whole.ts_init // SECOND, FIRST + HOUR * np.arange(6) + 60)
    np.testing.assert_allclose(whole.herfindahl[:2], [0.38, (25 + 9 + 9) / 121])
    np.testing.assert_array_equal(stored(catalog, "ETH-WHALE.ETHEREUM").total, [2, 3, 4, 5, 6, 7])
    assert "wallet_concentration" in succeed("check", catalog)


def test_the_newest_block_is_stored_when_no_period_is_named(wallets, tmp_path):
    catalog = tmp_path / "catalog"

    assert succeed("ingest", "wallets", wallets, "--catalog", catalog) == f"added 3 rows to {catalog}\n"

    found = stored(catalog)
    assert (found.total.tolist(), found.block.tolist()) == ([16.0], [1 + 6 * HOURS])
    assert found.ts_init[0] > found.ts_event[0]


def test_what_was_read_before_a_fault_is_kept_and_completed(wallets, tmp_path, monkeypatch):
    catalog = tmp_path / "catalog"
    order = ("ingest", "wallets", wallets, "--catalog", catalog, "--from", iso(FIRST))
    original = command.wallet_history

    async def failing(rpc, described, times):
        count = 0
        async for each in original(rpc, described, times):
            yield each
            count += 1
            if count == 3:
                raise RpcError("the Ethereum node failed 5 times, at last: HTTP 503")

    monkeypatch.setattr(command, "wallet_history", failing)
    monkeypatch.setattr(command, "_STORED_TOGETHER", 2)
    assert "HTTP 503" in refuse(*order)
    assert totals(catalog) == [10.0, 11.0, 12.0]
    monkeypatch.setattr(command, "wallet_history", original)
    succeed(*order)
    assert totals(catalog) == [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]


def test_another_set_of_addresses_cannot_be_mixed_in(wallets, tmp_path):
    catalog = tmp_path / "catalog"
    order = ("ingest", "wallets", wallets, "--catalog", catalog, "--from", iso(FIRST), "--until")
    succeed(*order, iso(FIRST + HOUR))
    before = digest(catalog)
    wallets.write_text(TEXT.replace(A, "0x" + "d" * 40))

    result = oi_hedge(*order, iso(FIRST + 3 * HOUR))

    assert result.exit_code == 1
    whole, exchange = result.stderr.splitlines()
    assert "ETH.ETHEREUM" in whole
    assert "total is stored as 11.0 but the new data says 6.0" in whole
    assert "total is stored as 8.0 but the new data says 3.0" in exchange
    assert digest(catalog) == before


@pytest.mark.parametrize("change", [("top = 1", "top = 2"), (f'"{A}", ', "")])
def test_a_set_of_another_size_is_refused_for_other_times_too(wallets, tmp_path, change):
    catalog = tmp_path / "catalog"
    order = ("ingest", "wallets", wallets, "--catalog", catalog)
    succeed(*order, "--from", iso(FIRST), "--until", iso(FIRST + HOUR))
    before = digest(catalog)
    wallets.write_text(TEXT.replace(*change))

    message = refuse(*order, "--from", iso(FIRST + 3 * HOUR))

    assert "ETH.ETHEREUM is stored for 3 addresses with the top 1 counted" in message
    assert digest(catalog) == before


def test_files_of_balances_need_no_node(tmp_path, monkeypatch):
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    path, balances, catalog = (tmp_path / name for name in ("wallets.toml", "balances.csv", "catalog"))
    path.write_text(TEXT)
    rows = [f"2024-01-0{day}T00:00:00Z,{a},{n}" for day in (1, 2) for a, n in ((A, 5), (B, 3), (C, 2 * day))]
    balances.write_text("\n".join(["time,address,balance", *rows, ""]))

    succeed("ingest", "wallets", path, "--catalog", catalog, "--balances", balances)

    assert totals(catalog) == [10.0, 12.0]
    assert stored(catalog).block.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", iso(GENESIS + 100 * HOUR)), "has no moment"),
        (("--from", iso(FIRST), "--until", iso(FIRST - HOUR)), "has no moment"),
        (("--from", iso(FIRST), "--every", "hourly"), "'hourly' is not a duration"),
        (("--from", iso(FIRST), "--every", "0s"), "--every must be above 0"),
        (("--from", iso(GENESIS - 100 * HOUR)), "block 0 of 1700000000 is already after the time"),
        (("--until", iso(FIRST)), "--until needs --from"),
        (("--batch-size", "0"), "batch_size and attempts must be at least 1"),
        (("--balances", "none.csv"), "file none.csv does not exist"),
        (("--balances", "none.csv", "--from", iso(FIRST)), "have no meaning with --balances"),
    ],
)
def test_orders_that_cannot_be_meant_are_refused(wallets, tmp_path, arguments, message):
    catalog = tmp_path / "catalog"

    assert message in refuse("ingest", "wallets", wallets, "--catalog", catalog, *arguments)
    assert not catalog.exists()


def test_a_directory_of_something_else_is_refused_before_the_node_is_asked(wallets, tmp_path, monkeypatch):
    monkeypatch.delenv(URL_VARIABLE)

    assert "neither a catalog nor empty" in refuse("ingest", "wallets", wallets, "--catalog", tmp_path)


def test_a_missing_address_of_the_node_is_named(wallets, tmp_path, monkeypatch):
    monkeypatch.delenv(URL_VARIABLE)

    message = refuse("ingest", "wallets", wallets, "--catalog", tmp_path / "catalog")

    assert "environment variable ETHEREUM_RPC_URL is not set" in message


def test_an_unreachable_node_is_an_error_without_its_address(wallets, tmp_path, monkeypatch):
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9/v3/secret-key")
    monkeypatch.setattr(command, "EthereumRpc", partial(EthereumRpc, first_wait_secs=0.001))

    message = refuse("ingest", "wallets", wallets, "--catalog", tmp_path / "catalog")

    assert message.startswith("the Ethereum node failed 5 times")
    assert "secret" not in message
