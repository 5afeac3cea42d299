"""Wallet concentration read from an Ethereum node: all balances of a set at one and the same block."""

import time
from collections.abc import AsyncIterator, Callable, Sequence

from oi_hedge_adapters.ethereum_rpc import Block, Call, EthereumRpc, RpcError, quantity
from oi_hedge_adapters.wallets import Moment, WalletSet, concentrations
from oi_hedge_catalog.types import WalletConcentration

_SECOND_NS = 1_000_000_000
_BALANCE_OF = "0x70a08231"
_DECIMALS = "0x313ce567"


async def read_balances(rpc: EthereumRpc, wallets: WalletSet, block: Block) -> list[float]:
    """
    Return what each of the set's addresses holds at `block`, in coins.

    The block is named by its number in every call, and its hash is compared afterwards, so that a
    reorganisation in between cannot mix two chains.

    Raises
    ------
    RpcError
        If a balance cannot be read, the token is no contract there, or the block was reorganised.
    """
    raw = await rpc.batch([_balance_call(wallets, address, block.number) for address in wallets.addresses])
    after = await rpc.block(block.number)
    if after.hash != block.hash:
        raise RpcError(f"block {block.number} was reorganised while balances were read, ask again")
    scale = 10**wallets.decimals
    return [
        _coins(wallets, value, address, block.number) / scale
        for address, value in zip(wallets.addresses, raw, strict=True)
    ]


def _balance_call(wallets: WalletSet, address: str, block: int) -> Call:
    about = f"the {wallets.coin} of {address} at block {block}"
    if not wallets.token:
        return Call("eth_getBalance", (address, hex(block)), about)
    data = _BALANCE_OF + address.removeprefix("0x").rjust(64, "0")
    return Call("eth_call", ({"to": wallets.token, "data": data}, hex(block)), about)


def _coins(wallets: WalletSet, value: object, address: str, block: int) -> int:
    if wallets.token and value == "0x":
        raise RpcError(f"token {wallets.token} answers nothing at block {block}: no such contract there yet")
    return quantity(value, f"the {wallets.coin} of {address} at block {block}")


async def check_chain(rpc: EthereumRpc, wallets: WalletSet, block: Block) -> None:
    """
    Compare the configured chain, and the decimals of a token, with what the node says.

    Raises
    ------
    RpcError
        If they differ, or the token's contract does not say.
    """
    (raw,) = await rpc.batch([Call("eth_chainId", (), "the number of its chain")])
    chain = quantity(raw, "the number of its chain")
    if chain != wallets.chain_id:
        raise RpcError(
            f"the Ethereum node is of chain {chain}, the wallet file wants chain {wallets.chain_id}; name a "
            "node of that chain, or set chain_id"
        )
    if not wallets.token:
        return
    request = ({"to": wallets.token, "data": _DECIMALS}, hex(block.number))
    (raw,) = await rpc.batch([Call("eth_call", request, f"the decimals of token {wallets.token}")])
    found = quantity(raw, f"the decimals of token {wallets.token}")
    if found != wallets.decimals:
        raise RpcError(
            f"token {wallets.token} has {found} decimals, the wallet file says {wallets.decimals}; set "
            f"decimals = {found}"
        )


async def fetch_wallet_concentration(
    rpc: EthereumRpc, wallets: WalletSet, clock: Callable[[], int] = time.time_ns
) -> list[WalletConcentration]:
    """
    Return the concentration at the newest block: of the whole set, then of its groups.

    Parameters
    ----------
    rpc : EthereumRpc
        The node.
    wallets : WalletSet
        The addresses.
    clock : callable
        Gives UNIX nanoseconds; asked after the last answer, for `ts_init`.

    Raises
    ------
    RpcError
        If the node fails.
    DataError
        If the set holds nothing.
    """
    block = await rpc.block("latest")
    await check_chain(rpc, wallets, block)
    balances = await read_balances(rpc, wallets, block)
    return concentrations(wallets, balances, Moment(block.timestamp * _SECOND_NS, clock(), block.number))


async def wallet_history(
    rpc: EthereumRpc, wallets: WalletSet, times_ns: Sequence[int]
) -> AsyncIterator[list[WalletConcentration]]:
    """
    Yield the concentration as of each of `times_ns`, from a node that keeps the state of old blocks.

    The balances are those of the last block that was there at the time, and are known `publication_lag`
    after that time, as if they had been asked for then.

    Parameters
    ----------
    rpc : EthereumRpc
        An archive node.
    wallets : WalletSet
        The addresses.
    times_ns : sequence of int
        UNIX nanoseconds, ascending, not after the newest block.

    Raises
    ------
    RpcError
        If the node fails, has no state of a block, or no block at a time.
    DataError
        If the set holds nothing at a time.
    """
    head = await rpc.block("latest")
    await check_chain(rpc, wallets, head)
    below = await rpc.block(0)
    for time_ns in times_ns:
        below = await last_block(rpc, time_ns // _SECOND_NS, below, head)
        balances = await read_balances(rpc, wallets, below)
        moment = Moment(below.timestamp * _SECOND_NS, time_ns + wallets.lag_ns, below.number)
        yield concentrations(wallets, balances, moment)


async def last_block(rpc: EthereumRpc, timestamp: int, low: Block, high: Block) -> Block:
    """
    Return the last block whose time is not after `timestamp`, found by bisection between two blocks.

    Parameters
    ----------
    rpc : EthereumRpc
        The node.
    timestamp : int
        UNIX seconds.
    low, high : Block
        A block not after the time, and the newest block.

    Raises
    ------
    RpcError
        If `timestamp` lies before `low` or after `high`.
    """
    if timestamp < low.timestamp:
        raise RpcError(f"block {low.number} of {low.timestamp} is already after the time {timestamp}")
    if timestamp > high.timestamp:
        raise RpcError(
            f"the node's newest block {high.number} is of {high.timestamp}, before the time {timestamp} that "
            "was asked for; is the node still syncing?"
        )
    if timestamp == high.timestamp:
        return high
    low, high = await _bracket(rpc, timestamp, low, high)
    while high.number - low.number > 1:
        found = await rpc.block((low.number + high.number) // 2)
        low, high = (low, found) if found.timestamp > timestamp else (found, high)
    return low


async def _bracket(rpc: EthereumRpc, timestamp: int, low: Block, high: Block) -> tuple[Block, Block]:
    """
    Narrow the bounds of a bisection: guess by the mean block time, then step away from there, doubling.

    Where blocks are regular the bounds are neighbours after two requests.
    """
    mean = (high.timestamp - low.timestamp) / (high.number - low.number)
    at = low.number + int((timestamp - low.timestamp) / mean)
    at = min(max(at, low.number + 1), high.number - 1)
    step, first_is_after = 1, None
    while low.number < at < high.number:
        found = await rpc.block(at)
        after = found.timestamp > timestamp
        low, high = (low, found) if after else (found, high)
        if first_is_after is None:
            first_is_after = after
        elif after is not first_is_after:
            break
        at += -step if first_is_after else step
        step *= 2
    return low, high
