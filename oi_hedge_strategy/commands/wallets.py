"""``oi-hedge ingest wallets``: wallet concentration from an Ethereum node or from files of balances."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import click
from nautilus_trader.model.identifiers import InstrumentId
from tqdm import tqdm

from oi_hedge_adapters.ethereum_rpc import EthereumRpc, node_address
from oi_hedge_adapters.history.spec import parse_duration
from oi_hedge_adapters.onchain import fetch_wallet_concentration, wallet_history
from oi_hedge_adapters.wallet_files import read_balance_file
from oi_hedge_adapters.wallets import WalletSet, load_wallets
from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_catalog.ingest import Loaded
from oi_hedge_catalog.ingest import ingest as run_ingest
from oi_hedge_catalog.input_series import wallet_series
from oi_hedge_catalog.types import WalletConcentration, wallet_id
from oi_hedge_strategy.commands.times import UTC_TIME

_SECOND_NS = 1_000_000_000
_STORED_TOGETHER = 48


@click.command("wallets")
@click.argument("wallets", type=click.Path(path_type=Path))
@click.option(
    "--catalog",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory of the catalog; made if it does not exist.",
)
@click.option("--from", "start", type=UTC_TIME, help="First moment of a history; needs an archive node.")
@click.option("--until", "end", type=UTC_TIME, help="End of the history. [default: the newest block]")
@click.option("--every", default="1h", show_default=True, help="Distance of the moments, such as 1h or 1d.")
@click.option(
    "--balances",
    type=click.Path(path_type=Path),
    help="CSV or Parquet file with the columns time, address and balance, in place of a node.",
)
@click.option("--batch-size", default=100, show_default=True, help="Most calls in one request to the node.")
def ingest_wallets(
    wallets: Path,
    catalog: Path,
    start: int | None,
    end: int | None,
    every: str,
    balances: Path | None,
    batch_size: int,
) -> None:
    """Measure how concentrated a coin is over the addresses in WALLETS and store it.

    WALLETS is a TOML file with the addresses by group, see docs/inputs.md. Balances are read from the
    Ethereum node that the environment variable ETHEREUM_RPC_URL names: those of the newest block, or with
    --from a history, stored as it is read; a run that was stopped is completed by running it again.
    """
    described = load_wallets(wallets)
    if catalog.exists():
        store.open_catalog(catalog, create=True)
    if balances is not None:
        if start is not None or end is not None:
            raise ConfigError("--from and --until have no meaning with --balances: the file has its times")
        rows = _store(read_balance_file(balances, described), catalog)
    else:
        rows = asyncio.run(_read_node(described, catalog, _Span(start, end, every), batch_size))
    click.echo(f"added {rows:,} rows to {catalog}")


@dataclass(frozen=True)
class _Span:
    """The moments asked for; no start means now."""

    start: int | None
    end: int | None
    every: str

    def moments(self, newest_ns: int) -> range:
        """Return the whole multiples of the step from the start to the end or the newest block."""
        step = parse_duration(self.every)
        if step <= 0:
            raise ConfigError(f"--every must be above 0, was {self.every}")
        assert self.start is not None
        first = -(-self.start // step) * step
        last = newest_ns if self.end is None else min(newest_ns, self.end)
        found = range(first, last + 1, step)
        if not found:
            raise ConfigError("the period from --from to --until, or to the newest block, has no moment")
        return found


@dataclass(frozen=True)
class _Measured:
    """Concentrations of one set of addresses as a source of the catalog."""

    instrument_id: InstrumentId
    updates: tuple[WalletConcentration, ...]
    instrument: None = None

    @property
    def name(self) -> str:
        return f"wallets {self.instrument_id}"

    def load(self) -> Loaded:
        return Loaded(wallet_series(self.instrument_id, list(self.updates)))


def _store(updates: Sequence[WalletConcentration], catalog: Path) -> int:
    """Check and store what is new; return how many rows that was."""
    by_id: dict[InstrumentId, list[WalletConcentration]] = {}
    for each in updates:
        by_id.setdefault(each.instrument_id, []).append(each)
    sources = [_Measured(instrument_id, tuple(found)) for instrument_id, found in by_id.items()]
    return run_ingest(sources, catalog).rows


async def _read_node(wallets: WalletSet, catalog: Path, span: _Span, batch_size: int) -> int:
    url = node_address()
    async with aiohttp.ClientSession() as session:
        rpc = EthereumRpc(session, url, batch_size=batch_size)
        if span.start is None:
            if span.end is not None:
                raise ConfigError("--until needs --from")
            return _store(await fetch_wallet_concentration(rpc, wallets), catalog)
        newest = await rpc.block("latest")
        moments = _missing(wallets, catalog, span.moments(newest.timestamp * _SECOND_NS))
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
                rows += _store(complete, catalog)
    finally:
        bar.close()
        if part:
            rows += _store(part, catalog)
    return rows


def _missing(wallets: WalletSet, catalog: Path, moments: range) -> list[int]:
    """
    Return the moments that are not stored, and the last one that is.

    That one is read again, so that a changed set of addresses shows as values that differ.
    """
    if not Path(catalog, "data").is_dir():
        return list(moments)
    opened, whole = store.open_catalog(catalog), wallet_id(wallets.coin)
    if whole not in store.wallet_ids(opened):
        return list(moments)
    stored = set((store.read_wallet_concentration(opened, whole).ts_init - wallets.lag_ns).tolist())
    there = [moment for moment in moments if moment in stored]
    return [moment for moment in moments if moment not in stored or moment == there[-1]]
