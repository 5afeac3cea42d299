"""Sets of addresses whose holdings are measured, and the measures of concentration."""

import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from oi_hedge_adapters.history.spec import parse_duration
from oi_hedge_catalog.errors import DataError, ManifestError
from oi_hedge_catalog.types import WalletConcentration, wallet_id

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class WalletSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    Addresses by group, and the coin that they hold.

    Parameters
    ----------
    coin : str
        What is counted, such as ``ETH``; the strategy reads the set of its hedge's base coin.
    groups : dict of str to tuple of str
        Addresses by the name of their group, such as ``exchange``, ``whale`` and ``staking_pool``.
    top : int, default 10
        How many of the largest holders the top share counts.
    token : str, optional
        Contract of an ERC-20 token; the chain's own coin without it.
    decimals : int, default 18
        Decimals of the coin.
    chain_id : int, default 1
        Number of the chain, 1 for the Ethereum main network; a node of another one is refused.
    publication_lag : str, default "60s"
        How long after a moment the balances at that moment could be known.
    """

    coin: str
    groups: dict[str, tuple[str, ...]]
    top: int = 10
    token: str = ""
    decimals: int = 18
    chain_id: int = 1
    publication_lag: str = "60s"

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses, group by group, in lower case."""
        return tuple(address.lower() for group in self.groups.values() for address in group)

    @property
    def lag_ns(self) -> int:
        """`publication_lag` in nanoseconds."""
        return parse_duration(self.publication_lag)


def load_wallets(path: str | os.PathLike[str]) -> WalletSet:
    """
    Read and check the TOML file at `path`.

    Raises
    ------
    ManifestError
        Naming the first thing that is wrong.
    """
    try:
        raw = tomllib.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise ManifestError(f"wallet file {path} does not exist") from error
    except OSError as error:
        raise ManifestError(f"wallet file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"wallet file {path} is not valid TOML: {error}") from error
    try:
        found = msgspec.convert(raw, WalletSet)
        _check(found)
    except (msgspec.ValidationError, ManifestError) as error:
        raise ManifestError(f"wallet file {path}: {error}") from error
    return found


def _check(wallets: WalletSet) -> None:
    if not re.fullmatch("[A-Z0-9]+", wallets.coin):
        raise ManifestError(f"coin must be of capital letters and digits, was {wallets.coin!r}")
    if wallets.top < 1:
        raise ManifestError(f"top must be at least 1, was {wallets.top}")
    if not 0 <= wallets.decimals <= 77:
        raise ManifestError(f"decimals must lie within 0 and 77, was {wallets.decimals}")
    if wallets.token and not _ADDRESS.fullmatch(wallets.token):
        raise ManifestError(f"token {wallets.token!r} is no address, expected 0x and 40 hexadecimal digits")
    parse_duration(wallets.publication_lag)
    groups: dict[str, str] = {}
    for name, addresses in wallets.groups.items():
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise ManifestError(f"group {name!r} must be of small letters, digits and underscores")
        if not addresses:
            raise ManifestError(f"group {name} has no address")
        for address in addresses:
            if not _ADDRESS.fullmatch(address):
                raise ManifestError(
                    f"group {name}: {address!r} is no address, expected 0x and 40 hexadecimal digits"
                )
            if address.lower() in groups:
                raise ManifestError(
                    f"address {address} is in {groups[address.lower()]} and again in {name}; it would be "
                    "counted twice"
                )
            groups[address.lower()] = name
    if not groups:
        raise ManifestError("there is no group with an address")


def top_share(balances: Sequence[float], top: int) -> float:
    """Return the part that the `top` largest of `balances` have of all."""
    ordered = np.sort(np.asarray(balances, np.float64))
    return float(ordered[-top:].sum() / ordered.sum())


def herfindahl(balances: Sequence[float]) -> float:
    """Return the Herfindahl index of `balances`: the sum of squared shares."""
    values = np.asarray(balances, np.float64)
    return float(np.square(values / values.sum()).sum())


def gini(balances: Sequence[float]) -> float:
    """
    Return the Gini coefficient of `balances`.

    Half the mean absolute difference of two holders over the mean, here by ranks: with x ascending,
    ``2 * sum(i * x_i) / (n * sum(x)) - (n + 1) / n``.
    """
    ordered = np.sort(np.asarray(balances, np.float64))
    ranks = np.arange(1, ordered.size + 1)
    count = ordered.size
    value = 2.0 * float(ranks @ ordered) / (count * float(ordered.sum())) - (count + 1) / count
    return max(0.0, value)  # equal holdings round to just below zero


@dataclass(frozen=True, slots=True)
class Moment:
    """When balances were true, when they could be known (UNIX nanoseconds), and their block."""

    ts_event: int
    ts_init: int
    block: int | None = None

    @property
    def name(self) -> str:
        """What to call the moment in errors."""
        return f"block {self.block}" if self.block is not None else f"time {self.ts_event}"


def concentrations(
    wallets: WalletSet, balances: Sequence[float], moment: Moment
) -> list[WalletConcentration]:
    """
    Return the concentration of the whole set, then of each group that holds anything.

    Parameters
    ----------
    wallets : WalletSet
        The addresses.
    balances : sequence of float
        What each of `wallets.addresses` holds, in coins.
    moment : Moment
        When.

    Raises
    ------
    DataError
        If the whole set holds nothing, or a balance is none.
    """
    for address, balance in zip(wallets.addresses, balances, strict=True):
        if not 0.0 <= balance < float("inf"):
            raise DataError(f"{wallets.coin} of {address} at {moment.name}: {balance} is no balance")
    if not sum(balances) > 0.0:
        raise DataError(
            f"no address of the set holds any {wallets.coin} at {moment.name}: there is no concentration; "
            "begin later, or check coin, token and addresses"
        )
    found = [_concentration(wallets, "", balances, moment)]
    start = 0
    for name, addresses in wallets.groups.items():
        own = balances[start : start + len(addresses)]
        start += len(addresses)
        if sum(own) > 0.0:
            found.append(_concentration(wallets, name, own, moment))
    return found


def _concentration(
    wallets: WalletSet, group: str, balances: Sequence[float], moment: Moment
) -> WalletConcentration:
    top = min(wallets.top, len(balances))
    figures: dict[str, Any] = {
        "addresses": len(balances),
        "total": float(sum(balances)),
        "top": top,
        "top_share": top_share(balances, top),
        "herfindahl": herfindahl(balances),
        "gini": gini(balances),
        "block": moment.block,
    }
    identifier = wallet_id(wallets.coin, group)
    return WalletConcentration(
        instrument_id=identifier, ts_event=moment.ts_event, ts_init=moment.ts_init, **figures
    )
