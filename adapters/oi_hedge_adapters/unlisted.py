"""Live readings of what is about no listed instrument: a coin's options and a set of wallets."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp
from nautilus_trader.core.data import Data
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_adapters.config import OpenInterestClientConfig
from oi_hedge_adapters.connection import RefusedError, UnreachableError
from oi_hedge_adapters.ethereum_rpc import EthereumRpc, node_address
from oi_hedge_adapters.onchain import fetch_wallet_concentration
from oi_hedge_adapters.options import DERIBIT_URL, fetch_options_open_interest
from oi_hedge_adapters.own_socket import own_socket
from oi_hedge_adapters.wallets import load_wallets
from oi_hedge_catalog.errors import OIHedgeError
from oi_hedge_catalog.types import OptionsOpenInterest, WalletConcentration, options_id, wallet_id

UNLISTED: dict[type, str] = {OptionsOpenInterest: "options", WalletConcentration: "wallets"}
"""The data types, and what their feeds are called."""

_DERIBIT = "deribit"


@dataclass(frozen=True)
class UnlistedReading:
    """
    What to read for a subscription, and how often.

    Parameters
    ----------
    read : callable
        Gives the newest records.
    interval_secs : float
        Between two readings.
    """

    read: Callable[[], Awaitable[Sequence[Data]]]
    interval_secs: float


def unlisted_reading(
    kind: type, instrument_id: InstrumentId, settings: OpenInterestClientConfig, clock: Callable[[], int]
) -> UnlistedReading:
    """
    Return how to read `kind`, one of `UNLISTED`, under `instrument_id`.

    Raises
    ------
    RefusedError
        If there is no such options chain or set of wallets, or the configuration lacks what it needs.
    """
    found = _options if kind is OptionsOpenInterest else _wallets
    return found(instrument_id, settings, clock)


def _options(
    instrument_id: InstrumentId, settings: OpenInterestClientConfig, clock: Callable[[], int]
) -> UnlistedReading:
    coin = instrument_id.symbol.value.removesuffix("-OPTIONS")
    if instrument_id != options_id(coin):
        raise RefusedError(f"{instrument_id} is no options chain, expected an id such as {options_id('ETH')}")
    host = settings.base_urls.get(_DERIBIT)
    url = DERIBIT_URL if host is None else f"{host}/api/v2"

    async def read() -> list[Data]:
        async with _session() as session:
            timeout = settings.timeout_secs
            return [
                await fetch_options_open_interest(
                    session, coin, base_url=url, timeout_secs=timeout, clock=clock
                )
            ]

    return UnlistedReading(read, settings.options_secs)


def _wallets(
    instrument_id: InstrumentId, settings: OpenInterestClientConfig, clock: Callable[[], int]
) -> UnlistedReading:
    if not settings.wallet_file:
        raise RefusedError(f"{instrument_id}: wallet_file names no file with the addresses to read")
    try:
        wallets, url = load_wallets(settings.wallet_file), node_address()
    except OIHedgeError as error:
        raise RefusedError(f"{instrument_id}: {error}") from error
    known = [wallet_id(wallets.coin, group) for group in ("", *wallets.groups)]
    if instrument_id not in known:
        there = ", ".join(map(str, known))
        raise RefusedError(f"{instrument_id} is not in {settings.wallet_file}, which has {there}")

    async def read() -> list[Data]:
        async with _session() as session:
            rpc = EthereumRpc(session, url, attempts=1, timeout_secs=settings.timeout_secs)
            try:
                found = await fetch_wallet_concentration(rpc, wallets, clock)
            except OIHedgeError as error:
                raise UnreachableError(f"{instrument_id}: {error}") from error
        return [each for each in found if each.instrument_id == instrument_id]

    return UnlistedReading(read, settings.wallets_secs)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=own_socket))
