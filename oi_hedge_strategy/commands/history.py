"""The commands that fetch history: ``ingest binance-vision``, ``ingest rest`` and ``ingest tardis``."""

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_adapters.history import binance_vision as vision
from oi_hedge_adapters.history.download import Mirror
from oi_hedge_adapters.history.known import find_instruments
from oi_hedge_adapters.history.metrics import Label
from oi_hedge_adapters.history.rest import Kind, RestRequest
from oi_hedge_adapters.history.rest_sources import rest_sources
from oi_hedge_adapters.history.tardis_sources import tardis_sources
from oi_hedge_adapters.venues import row_of
from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_catalog.ingest import Source
from oi_hedge_catalog.ingest import ingest as run_ingest
from oi_hedge_catalog.quality import report_text
from oi_hedge_strategy.commands.times import UTC_TIME

_DAY_NS = 86_400 * 10**9
_PATH = click.Path(path_type=Path)


def default_cache() -> Path:
    """Return the directory that downloads are kept in unless another is named."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "oi-hedge"


def target_options[F: Callable[..., Any]](command: F) -> F:
    """Add the options that every source of history has."""
    for option in (
        click.option("--notes", is_flag=True, help="Print notes too, such as duplicates that were dropped."),
        click.option("--instruments", type=_PATH, help="TOML file with [[instrument]] tables."),
        click.option(
            "--catalog",
            type=_PATH,
            required=True,
            help="Directory of the catalog; made if it does not exist.",
        ),
    ):
        command = option(command)
    return command


def require_place(catalog: Path) -> None:
    """Raise `CatalogError` before anything is fetched if `catalog` cannot become one."""
    if catalog.exists() and not (catalog.is_dir() and not any(catalog.iterdir())):
        store.open_catalog(catalog)


def require_address(url: str) -> None:
    """Raise `ConfigError` if `url` is no address of a server."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError(f"--base-url {url!r} is not an address such as https://data.binance.vision")


def store_sources(sources: Sequence[Source], catalog: Path, notes: bool, started: float) -> None:
    """Check and store `sources` and print what came of it."""
    result = run_ingest(sources, catalog)
    click.echo(report_text(result.report, notes=notes))
    click.echo(f"\nadded {result.rows:,} rows to {catalog} in {time.monotonic() - started:.0f} s")


@click.command("binance-vision")
@click.argument("symbols", nargs=-1, required=True)
@click.option("--from", "start", type=UTC_TIME, required=True, help="First day.")
@click.option("--until", "end", type=UTC_TIME, show_default="today", help="Day after the last.")
@click.option(
    "--dataset",
    "datasets",
    type=click.Choice([each.value for each in vision.Dataset]),
    multiple=True,
    default=[each.value for each in vision.USUAL],
    show_default=True,
    help="What to take; may be repeated.",
)
@click.option("--interval", type=click.Choice(list(vision.INTERVALS)), default="5m", show_default=True)
@click.option(
    "--label",
    type=click.Choice([each.value for each in Label]),
    show_default="found out for each file",
    help="What the times of metrics are.",
)
@click.option("--lag", type=click.FloatRange(0), show_default="venue's", help="Publication lag in seconds.")
@click.option(
    "--base-url", default=vision.BASE_URL, show_default=True, help="Address of the archive or a mirror."
)
@click.option("--cache", type=_PATH, show_default="user cache", help="Directory that keeps the downloads.")
@click.option(
    "--parallel", type=click.IntRange(1, 64), default=8, show_default=True, help="Downloads at a time."
)
@click.option("--skip-damaged", is_flag=True, help="Leave out files whose checksum is wrong, with a warning.")
@target_options
def binance_vision(
    symbols: tuple[str, ...],
    start: int,
    end: int | None,
    datasets: tuple[str, ...],
    interval: str,
    label: str | None,
    lag: float | None,
    base_url: str,
    cache: Path | None,
    parallel: int,
    skip_damaged: bool,
    catalog: Path,
    instruments: Path | None,
    notes: bool,
) -> None:
    """Take open interest, ratios, bars, funding and premium of SYMBOLS from Binance's public archive.

    SYMBOLS are names such as ETHUSDT, or ids such as ETHUSDT-PERP.BINANCE. Files are kept once they are
    complete and of the right checksum, so a run that was stopped goes on where it was.
    """
    started = time.monotonic()
    require_place(catalog)
    require_address(base_url)
    first, last = _days(start, end)
    ids = [vision.instrument_id(symbol) for symbol in dict.fromkeys(symbols)]
    mirror = Mirror(base_url=base_url, cache=cache or default_cache() / "binance-vision", parallel=parallel)
    sources: list[Source] = []
    for instrument in find_instruments(ids, catalog, instruments):
        request = vision.Request(
            instrument=instrument,
            start=first.date(),
            end=last.date(),
            datasets=tuple(vision.Dataset(name) for name in dict.fromkeys(datasets)),
            interval=interval,
            label=Label(label) if label else None,
            lag_ns=None if lag is None else round(lag * 1e9),
        )
        sources += vision.vision_sources(request, mirror, skip_damaged)
    store_sources(sources, catalog, notes, started)


@click.command("rest")
@click.argument("instruments_wanted", metavar="INSTRUMENTS...", nargs=-1, required=True)
@click.option("--from", "start", type=UTC_TIME, required=True, help="First time.")
@click.option("--until", "end", type=UTC_TIME, show_default="now", help="Time after the last.")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([each.value for each in Kind]),
    multiple=True,
    default=(Kind.OPEN_INTEREST.value, Kind.FUNDING.value),
    show_default=True,
    help="What to take; may be repeated.",
)
@click.option("--timeframe", default="1h", show_default=True, help="Step of open interest and bars.")
@click.option("--base-url", help="Asked in place of the venue's own hosts.")
@click.option("--cache", type=_PATH, show_default="user cache", help="Directory that keeps the pages.")
@target_options
def rest(
    instruments_wanted: tuple[str, ...],
    start: int,
    end: int | None,
    kinds: tuple[str, ...],
    timeframe: str,
    base_url: str | None,
    cache: Path | None,
    catalog: Path,
    instruments: Path | None,
    notes: bool,
) -> None:
    """Take history of INSTRUMENTS, such as ETHUSDT-LINEAR.BYBIT, from their venues page by page.

    Every complete page is kept, so a run that was stopped goes on where it was. What each venue has is in
    `oi-hedge venues`.
    """
    started = time.monotonic()
    require_place(catalog)
    if base_url is not None:
        require_address(base_url)
    until = time.time_ns() if end is None else end
    if start >= until:
        raise ConfigError("--from is not before --until")
    sources: list[Source] = []
    for name in dict.fromkeys(instruments_wanted):
        row_of(name)
        request = RestRequest(
            instrument_id=InstrumentId.from_str(name),
            start_ns=start,
            end_ns=until,
            timeframe=timeframe,
            base_url=base_url,
            cache=cache or default_cache() / "rest",
        )
        sources += rest_sources(request, [Kind(kind) for kind in dict.fromkeys(kinds)], catalog, instruments)
    store_sources(sources, catalog, notes, started)


@click.command("tardis")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=_PATH)
@click.option("--every", type=click.FloatRange(min=0.001), default=60.0, show_default=True,
              help="Seconds: the last open interest of each such span is taken.")  # fmt: skip
@click.option(
    "--contract-size",
    type=click.FloatRange(min=0, min_open=True),
    help="Coins a contract, USD of inverse ones, where the venue counts contracts.",
)
@target_options
def tardis(
    files: tuple[Path, ...],
    every: float,
    contract_size: float | None,
    catalog: Path,
    instruments: Path | None,
    notes: bool,
) -> None:
    """Take open interest, funding and liquidations from FILES of Tardis, or directories of them.

    FILES are .csv or .csv.gz of derivative_ticker and liquidations; the name or directory of each says which.
    """
    started = time.monotonic()
    require_place(catalog)
    sources = tardis_sources(files, catalog, instruments, round(every * 1e9), contract_size)
    store_sources(sources, catalog, notes, started)


def _days(start: int, end: int | None) -> tuple[datetime, datetime]:
    """Return the first day and the day after the last."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = datetime.fromtimestamp(start // 10**9, UTC)
    last = today if end is None else datetime.fromtimestamp(end // 10**9, UTC)
    for name, given in (("--from", first), ("--until", last)):
        if given.timestamp() % 86_400:
            raise ConfigError(f"{name} {given:%Y-%m-%d %H:%M} is no whole day; files of the archive are")
    if last > today + timedelta(days=1):
        raise ConfigError(f"--until {last:%Y-%m-%d} lies in the future")
    if first >= last:
        raise ConfigError(f"--from {first:%Y-%m-%d} is not before --until {last:%Y-%m-%d}")
    return first, last
