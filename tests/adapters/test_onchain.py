"""Wallet concentration against a real Ethereum node: transfers in known blocks, figures computed by hand."""

import asyncio

import aiohttp
import msgspec
import pytest
from support.ethereum_node import ETH, GENESIS, running_node, token_code

from oi_hedge_adapters.ethereum_rpc import Call, EthereumRpc, RpcError
from oi_hedge_adapters.onchain import fetch_wallet_concentration, last_block, read_balances, wallet_history
from oi_hedge_adapters.wallets import WalletSet
from oi_hedge_catalog.errors import DataError

SECOND = 1_000_000_000
A, B, C = (f"0x{digit * 40}" for digit in "abc")
WALLETS = WalletSet("ETH", {"exchange": (A.upper().replace("X", "x"), B), "whale": (C,)}, top=1)
FIRST, THIRD = GENESIS + 12, GENESIS + 100
"""Times of the blocks with transfers: the first, and the third after a gap."""


@pytest.fixture(scope="module")
def node():
    """A chain in which A, B, C hold 5, 3, 2 ETH from block 1 and 5, 3, 12 from block 3."""
    with running_node() as node:
        for address, coins in ((A, 5), (B, 3), (C, 2)):
            node.send(address, coins * ETH)
        node.mine(FIRST)
        node.mine(GENESIS + 24)
        node.send(C, 10 * ETH)
        node.mine(THIRD)
        for number in range(60):
            node.mine(THIRD + 12 + 12 * number + (number > 30) * 500)
        yield node


def with_rpc(node, ask, **options):
    async def main():
        async with aiohttp.ClientSession() as session:
            return await ask(EthereumRpc(session, node.url, **options))

    return asyncio.run(main())


def figures(update):
    return {
        name: getattr(update, name)
        for name in ("addresses", "total", "top", "top_share", "herfindahl", "gini", "block")
    }


EARLY = {
    "ETH": (3, 10.0, 1, 0.5, 0.38, 0.2, 1),  # shares .5 .3 .2
    "ETH-EXCHANGE": (2, 8.0, 1, 0.625, 0.53125, 0.125, 1),  # shares .625 .375
    "ETH-WHALE": (1, 2.0, 1, 1.0, 1.0, 0.0, 1),
}
LATE = {
    "ETH": (3, 20.0, 1, 0.6, 0.445, 0.3, 3),  # shares .25 .15 .6
    "ETH-EXCHANGE": (2, 8.0, 1, 0.625, 0.53125, 0.125, 3),
    "ETH-WHALE": (1, 12.0, 1, 1.0, 1.0, 0.0, 3),
}


def assert_figures(updates, expected, block=None):
    assert [each.instrument_id.symbol.value for each in updates] == list(expected)
    for each in updates:
        *numbers, at = expected[each.instrument_id.symbol.value]
        assert list(figures(each).values()) == [*map(pytest.approx, numbers), block or at]


def history(node, seconds, wallets=WALLETS, **options):
    async def ask(rpc):
        return [each async for each in wallet_history(rpc, wallets, [at * SECOND for at in seconds])]

    return with_rpc(node, ask, **options)


def test_the_newest_block_gives_the_whole_set_and_each_group(node):
    now = 1_800_000_000 * SECOND

    found = with_rpc(node, lambda rpc: fetch_wallet_concentration(rpc, WALLETS, clock=lambda: now))

    assert_figures(found, LATE, block=63)
    assert {(each.ts_event, each.ts_init) for each in found} == {((THIRD + 1220) * SECOND, now)}


def test_old_blocks_give_what_was_then(node):
    times = [FIRST, FIRST + 1, THIRD - 1, THIRD, THIRD + 11]

    found = history(node, times)

    assert_figures(found[0], EARLY)
    assert_figures(found[1], EARLY)
    assert_figures(found[2], EARLY, block=2)
    assert_figures(found[3], LATE)
    assert_figures(found[4], LATE)
    stamps = [(each[0].ts_event // SECOND, each[0].ts_init // SECOND) for each in found]
    assert stamps == [
        (FIRST, FIRST + 60),
        (FIRST, FIRST + 61),
        (GENESIS + 24, THIRD + 59),
        (THIRD, THIRD + 60),
        (THIRD, THIRD + 71),
    ]


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_the_size_of_batches_changes_nothing(node, batch_size):
    (found,) = history(node, [THIRD], batch_size=batch_size)

    assert_figures(found, LATE)


def test_the_last_block_at_a_time_is_found_wherever_it_lies(node):
    blocks = with_rpc(node, lambda rpc: _blocks(rpc, range(64)))
    seen = []

    async def ask(rpc):
        original = rpc.block

        async def counted(number):
            seen.append(number)
            return await original(number)

        rpc.block = counted
        found = []
        for each in blocks:
            for after in (0, 3):
                if each.timestamp + after <= blocks[-1].timestamp:
                    found.append((each, await last_block(rpc, each.timestamp + after, blocks[0], blocks[-1])))
        return found

    found = with_rpc(node, ask)

    assert len(found) == 127
    assert all(expected == got for expected, got in found)
    assert len(seen) / len(found) < 10  # plain bisection takes six, the gap misleads every guess


async def _blocks(rpc, numbers):
    return [await rpc.block(number) for number in numbers]


def test_regular_blocks_are_found_in_two_requests(node):
    low, high = with_rpc(node, lambda rpc: _blocks(rpc, (4, 30)))
    asked = []

    async def ask(rpc):
        original = rpc.block

        async def counted(number):
            asked.append(number)
            return await original(number)

        rpc.block = counted
        return await last_block(rpc, low.timestamp + 12 * 17 + 5, low, high)

    assert with_rpc(node, ask).number == 21
    assert asked == [21, 22]


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (GENESIS - 1, "block 0 of 1700000000 is already after the time 1699999999"),
        (THIRD + 5000, "newest block 63 is of 1700001320, before the time 1700005100 .* still syncing"),
    ],
)
def test_times_outside_the_chain_are_refused(node, at, message):
    with pytest.raises(RpcError, match=message):
        history(node, [at])


def test_a_set_that_held_nothing_yet_is_named(node):
    with pytest.raises(DataError, match="no address of the set holds any ETH at block 0"):
        history(node, [GENESIS])


def test_a_group_that_holds_nothing_has_no_row(node):
    wallets = WalletSet("ETH", {"exchange": (A,), "empty": ("0x" + "d" * 40,)})

    (found,) = history(node, [FIRST], wallets)

    assert [each.instrument_id.symbol.value for each in found] == ["ETH", "ETH-EXCHANGE"]
    assert (found[0].addresses, found[0].top, found[0].gini) == (2, 2, 0.5)


def test_one_call_that_fails_fails_the_batch_and_is_named(node):
    calls = [
        Call("eth_getBalance", (A, "0x1"), "the ETH of A"),
        Call("eth_getBalance", ("0x12", "0x1"), "the ETH of nobody"),
        Call("eth_getBalance", (B, "0x1"), "the ETH of B"),
    ]

    with pytest.raises(RpcError, match=r"refused the ETH of nobody: .* \(1 of 3 calls of the batch failed\)"):
        with_rpc(node, lambda rpc: rpc.batch(calls))
    assert with_rpc(node, lambda rpc: rpc.batch(calls[::2])) == [hex(5 * ETH), hex(3 * ETH)]


def test_a_block_that_does_not_exist_is_named(node):
    with pytest.raises(RpcError, match="the Ethereum node has no block 5000"):
        with_rpc(node, lambda rpc: rpc.block(5000))


def test_a_node_of_another_chain_is_refused():
    with running_node() as node:
        other = msgspec.structs.replace(WALLETS, chain_id=11155111)
        with pytest.raises(RpcError, match="is of chain 1, the wallet file wants chain 11155111"):
            with_rpc(node, lambda rpc: fetch_wallet_concentration(rpc, other))
        with pytest.raises(RpcError, match="is of chain 1, the wallet file wants chain 11155111"):
            history(node, [GENESIS], other)


def test_a_reorganisation_between_the_reads_is_noticed():
    with running_node() as node:
        node.send(A, ETH)
        node.mine(FIRST)
        snapshot = node.ask("evm_snapshot")
        node.mine(GENESIS + 24)
        before = with_rpc(node, lambda rpc: rpc.block(2))
        node.ask("evm_revert", snapshot)
        node.mine(GENESIS + 25)

        with pytest.raises(RpcError, match="block 2 was reorganised while balances were read"):
            with_rpc(node, lambda rpc: read_balances(rpc, WALLETS, before))


def test_a_node_without_old_states_is_told_from_an_archive():
    with running_node("--prune-history") as node:
        node.send(A, ETH)
        for number in range(1, 30):
            node.mine(GENESIS + 12 * number)

        (found,) = history(node, [GENESIS + 12 * 29])
        assert found[0].total == 1.0
        with pytest.raises(
            RpcError, match="the ETH of 0xa+ at block 1: .*an old block needs an archive node"
        ):
            history(node, [FIRST])


DECIMALS = 6


def call_data(selector, *words):
    return selector + "".join(f"{word:064x}" for word in words)


def test_tokens_are_counted_by_their_contract():
    with running_node() as node:
        token = node.deploy(token_code(1_000 * 10**DECIMALS, DECIMALS), FIRST)
        for address, coins in ((A, 60), (B, 30), (C, 10)):
            node.send(token, data=call_data("0xa9059cbb", int(address, 16), coins * 10**DECIMALS))
        node.mine(GENESIS + 24)
        wallets = WalletSet("USDX", WALLETS.groups, top=2, token=token, decimals=DECIMALS)

        (found,) = history(node, [GENESIS + 24], wallets)

        assert str(found[0].instrument_id) == "USDX.ETHEREUM"
        assert list(figures(found[0]).values()) == [
            3,
            100.0,
            2,
            pytest.approx(0.9),
            *map(pytest.approx, (0.46, 1 / 3)),
            2,
        ]
        with pytest.raises(DataError, match="no address of the set holds any USDX at block 1"):
            history(node, [FIRST], wallets)
        with pytest.raises(RpcError, match="answers nothing at block 0: no such contract there yet"):
            history(node, [GENESIS], wallets)
        with pytest.raises(RpcError, match="has 6 decimals, the wallet file says 18; set decimals = 6"):
            history(node, [GENESIS + 24], msgspec.structs.replace(wallets, decimals=18))
