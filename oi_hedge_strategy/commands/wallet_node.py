"""Reading wallet concentration from an Ethereum node into a catalog; needs aiohttp."""

import sys
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from tqdm import tqdm

from oi_hedge_adapters.ethereum_rpc import EthereumRpc, node_address
from oi_hedge_adapters.onchain import fetch_wallet_concentration, wallet_history
from oi_hedge_adapters.wallets import WalletSet
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_catalog.types import WalletConcentration
from oi_hedge_strategy.commands.wallet_store import Span, missing_moments, store_concentrations

_SECOND_NS = 1_000_000_000
_STORED_TOGETHER = 48


async def read_node(wallets: WalletSet, catalog: Path, span: Span, batch_size: int) -> int:
    """
    Store the concentration at the newest block, or of the span's moments that are missing.

    Returns
    -------
    int
        How many rows were new.

    Raises
    ------
    ConfigError
        If the environment names no node, or the span has no moment.
    RpcError
        If the node fails; what was read before is stored.
    DataError
        If the set holds nothing, or other figures are stored.
    """
    url = node_address()
    async with aiohttp.ClientSession() as session:
        rpc = EthereumRpc(session, url, batch_size=batch_size)
        if span.start is None:
            if span.end is not None:
                raise ConfigError("--until needs --from")
            return store_concentrations(await fetch_wallet_concentration(rpc, wallets), catalog)
        newest = await rpc.block("latest")
        moments = missing_moments(wallets, catalog, span.moments(newest.timestamp * _SECOND_NS))
        return await _read_history(rpc, wallets, catalog, moments)


async def _read_history(rpc: EthereumRpc, wallets: WalletSet, catalog: Path, moments: Sequence[int]) -> int:
    """Store the history in parts, so that what was read is kept when a later part fails."""
    rows = 0
    part: list[WalletConcentration] = []
    bar = tqdm(total=len(moments), desc="wallets", unit="moment", file=sys.stderr, disable=None, leave=False)
    try:
        async for found in wallet_history(rpc, wallets, moments):
            part += found
            bar.update()
            if bar.n % _STORED_TOGETHER == 0:
                complete, part = part, []
                rows += store_concentrations(complete, catalog)
    finally:
        bar.close()
        if part:
            rows += store_concentrations(part, catalog)
    return rows
