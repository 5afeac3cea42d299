"""Write a simulated market into a new catalog."""

import re
from datetime import UTC, datetime
from pathlib import Path

import click
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from tqdm import tqdm

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.facts import market_facts
from oi_hedge_strategy.simulation.facts_picture import facts_svg
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import check_new, write_market
from oi_hedge_strategy.simulation.market_config import WARM_UP_DAYS, SimulatedMarketConfig, VenueHalt
from oi_hedge_strategy.simulation.market_files import write_files
from oi_hedge_strategy.simulation.market_truth import TruthConfig


@click.command()
@click.option(
    "--catalog", type=click.Path(path_type=Path), required=True, help="Directory of the new catalog."
)
@click.option("--days", type=int, default=365, show_default=True, help="Days to simulate.")
@click.option("--start", default="2024-01-01", show_default=True, help="First day, UTC.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed gives the same market.")
@click.option("--assets", default="ETH", show_default=True, help="Base coins, separated by commas.")
@click.option("--step", default="1h", show_default=True, help="Bar length, such as 5m, 15m or 1h.")
@click.option("--uninformative", is_flag=True, help="Report open interest and funding that say nothing.")
@click.option(
    "--halt",
    "halts",
    type=(str, float, float),
    multiple=True,
    metavar="VENUE HOUR HOURS",
    help="Halt a venue from an hour of the market on, for so many hours; may be given again.",
)
@click.option(
    "--insurance",
    type=float,
    default=float("inf"),
    show_default=True,
    help="Each venue's insurance fund over its open interest; used up, it deleverages winners.",
)
@click.option(
    "--truth-paths",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Continue the market so often from each moment, for its true probabilities of cascades.",
)
@click.option("--truth-every", type=int, default=6, show_default=True, help="Hours between those moments.")
@click.option(
    "--truth-after", type=int, default=0, show_default=True, help="Days before the first of those moments."
)
@click.option(
    "--files",
    type=click.Path(path_type=Path),
    help="Write the venues' files too, in their own units, into this directory, with their manifest.",
)
@click.option(
    "--facts", type=click.Path(path_type=Path), help="Draw the market's stylised facts into this SVG file."
)
@click.option(
    "--beside",
    type=click.Path(path_type=Path),
    help="With --facts: a catalog of recorded data, whose facts of the same coin are drawn beside.",
)
def simulate(
    catalog: Path,
    days: int,
    start: str,
    seed: int,
    assets: str,
    step: str,
    uninformative: bool,
    halts: tuple[tuple[str, float, float], ...],
    insurance: float,
    truth_paths: int,
    truth_every: int,
    truth_after: int,
    files: Path | None,
    facts: Path | None,
    beside: Path | None,
) -> None:
    """Write a simulated market, whose truth is known, into a new catalog.

    The truth lies in the catalog's directory truth, as Parquet: where positions would be liquidated, the
    cascades, and with --truth-paths the true probability of a cascade, which takes about half a second a
    moment and lets oi-hedge backtest add an oracle, the bound of what any forecast could reach.
    """
    if beside is not None and facts is None:
        raise ConfigError(f"--beside {beside} belongs to --facts: name the picture too")
    check_new(catalog)
    recorded = store.open_catalog(beside) if beside is not None else None
    truth = TruthConfig(truth_every, truth_paths, after_days=truth_after) if truth_paths else None
    config = SimulatedMarketConfig(
        seed=seed,
        assets=tuple(name.strip().upper() for name in assets.split(",") if name.strip()),
        start=_midnight(start),
        days=days,
        bar_minutes=_minutes(step),
        halts=tuple(VenueHalt(venue.upper(), start, hours) for venue, start, hours in halts),
        insurance=insurance,
        informative=not uninformative,
    )
    runs = len(config.assets) * (2 if uninformative else 1)
    with tqdm(total=runs * (days + WARM_UP_DAYS), unit="day", desc="simulate", disable=None) as bar:

        def progress(asset: str) -> None:
            bar.set_postfix_str(asset, refresh=False)
            bar.update()

        market = simulate_market(config, progress, truth)
    write_market(market, catalog)
    click.echo(f"Wrote {days} simulated days of {', '.join(config.assets)} to {catalog}")
    if files is not None:
        click.echo(f"Wrote its venues' files: oi-hedge ingest files {write_files(market, files)}")
    if facts is not None:
        _draw(facts, config.assets[0], store.open_catalog(catalog), recorded)


def _draw(path: Path, asset: str, simulated: ParquetDataCatalog, recorded: ParquetDataCatalog | None) -> None:
    """Draw the facts of one asset of the simulated and of the recorded catalog."""
    found = {f"simulated {asset}": market_facts(simulated, asset)}
    if recorded is not None:
        found[f"recorded {asset}"] = market_facts(recorded, asset)
    staged = path.with_name(path.name + ".tmp")
    staged.write_text(facts_svg(found), encoding="utf-8")
    staged.replace(path)
    click.echo(f"Drew its stylised facts into {path}")


def _midnight(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ConfigError(f"--start must be a date such as 2024-01-01, was {text!r}") from error


def _minutes(text: str) -> int:
    found = re.fullmatch(r"(\d+)(m|h)", text)
    if found is None:
        raise ConfigError(f"--step must be minutes or hours such as 5m or 1h, was {text!r}")
    return int(found[1]) * (60 if found[2] == "h" else 1)
