"""``oi-hedge ingest wallets``: wallet concentration from an Ethereum node or from files of balances."""

import asyncio
from pathlib import Path

import click

from oi_hedge_adapters.wallet_files import read_balance_file
from oi_hedge_adapters.wallets import load_wallets
from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.commands.times import UTC_TIME
from oi_hedge_strategy.commands.wallet_store import Span, store_concentrations


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
        rows = store_concentrations(read_balance_file(balances, described), catalog)
    else:
        from oi_hedge_strategy.commands.wallet_node import read_node

        rows = asyncio.run(read_node(described, catalog, Span(start, end, every), batch_size))
    click.echo(f"added {rows:,} rows to {catalog}")
