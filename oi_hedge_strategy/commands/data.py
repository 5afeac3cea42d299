"""The commands that bring data into a catalog and judge it: ``ingest`` and ``check``."""

import time
from pathlib import Path

import click

from oi_hedge_adapters.history import file_sources, load_manifest
from oi_hedge_catalog import store
from oi_hedge_catalog.ingest import check_catalog
from oi_hedge_catalog.ingest import ingest as run_ingest
from oi_hedge_catalog.quality import report_text
from oi_hedge_strategy.commands.history import binance_vision, rest, tardis
from oi_hedge_strategy.commands.wallets import ingest_wallets


@click.group()
def ingest() -> None:
    """Bring recorded data into a catalog."""


ingest.add_command(binance_vision)
ingest.add_command(rest)
ingest.add_command(tardis)
ingest.add_command(ingest_wallets)


@ingest.command("files")
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("."),
    show_default="current directory",
    help="Directory that the file names of MANIFEST are below.",
)
@click.option(
    "--catalog",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory of the catalog; made if it does not exist.",
)
@click.option("--notes", is_flag=True, help="Print notes too, such as rows left out because they are empty.")
def files(manifest: Path, data: Path, catalog: Path, notes: bool) -> None:
    """Read the Parquet and CSV files that MANIFEST describes, check them and store what is new.

    Nothing is stored before every file has passed its checks, and no reader ever sees half a file. A run that
    was stopped is completed by running it again; files that grew add their new rows.

    MANIFEST is a TOML file, see examples/recorded.toml.
    """
    started = time.monotonic()
    described = load_manifest(manifest)
    info = None
    if described.catalog.description:
        info = {"simulated": False, "description": described.catalog.description}
    result = run_ingest(file_sources(described, data), catalog, info)
    click.echo(report_text(result.report, notes=notes))
    click.echo(f"\nadded {result.rows:,} rows to {catalog} in {time.monotonic() - started:.0f} s")


@click.command()
@click.argument("catalog", type=click.Path(path_type=Path))
def check(catalog: Path) -> None:
    """Judge the data in CATALOG: gaps, changes of unit, impossible values.

    Exits with 0 if there is nothing to report or only warnings, with 1 if there are errors.
    """
    report = check_catalog(store.open_catalog(catalog))
    click.echo(report_text(report))
    if report.verdict == "errors":
        raise SystemExit(1)
