"""Measure engine, model and catalog on a simulated market and print a table."""

import tempfile
from pathlib import Path

import click

from benchmarks.archive import measure_archive
from benchmarks.catalog import ROWS, measure_catalog
from benchmarks.engine import measure_engine
from benchmarks.inference import measure_inference
from oi_hedge_strategy.backtest.demo import build_demo_catalog
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.shipped import shipped_model


@click.command()
@click.option("--catalog", type=click.Path(path_type=Path), help="A catalog; the demo market by default.")
@click.option("--model", type=click.Path(path_type=Path), help="A model; the shipped one by default.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Runs of each.")
def main(catalog: Path | None, model: Path | None, rounds: int) -> None:
    """Print speeds, each beside what it is measured against."""
    with tempfile.TemporaryDirectory() as scratch:
        path = catalog or build_demo_catalog(Path(scratch))
        chosen = model or shipped_model(simulated=catalog is None)
        engine = measure_engine(path, chosen, rounds)
        inference = measure_inference(Forecaster.load(chosen))
        stored = measure_catalog(Path(scratch))
        archive = measure_archive(Path(scratch) / "archive")
    click.echo(f"hedged backtest       {engine.hedged:10,.0f} bars/s of all venues")
    ratio = engine.hedged / engine.idle
    click.echo(f"idle strategy         {engine.idle:10,.0f} bars/s; hedged / idle = {ratio:.2f}")
    click.echo(f"on_bar with the model {engine.on_bar_p50:10.0f} us p50 {engine.on_bar_p99:8.0f} us p99")
    click.echo(f"  sample the state    {inference.sample[0]:10.0f} us p50 {inference.sample[1]:8.0f} us p99")
    click.echo(
        f"  run the model       {inference.predict[0]:10.0f} us p50 {inference.predict[1]:8.0f} us p99"
    )
    click.echo(f"  and once more       {inference.again[0]:10.0f} us p50 {inference.again[1]:8.0f} us p99")
    click.echo(f"  sum(range(1000))    {inference.loop[0]:10.0f} us p50 {inference.loop[1]:8.0f} us p99")
    click.echo(f"  feed one event      {inference.feed:10.1f} us")
    click.echo(f"{ROWS:,} rows of open interest: into the catalog {stored.write:.1f} s (plain Parquet "
               f"{stored.plain_write:.1f} s), out as columns {stored.read_columns:.1f} s (plain "
               f"{stored.plain_read:.1f} s), as Nautilus objects {stored.read_objects:.1f} s")  # fmt: skip
    click.echo(f"a year of 5-minute metrics, 365 zips of a loopback mirror: {archive.year:.1f} s, run again "
               f"{archive.again:.1f} s (the zips read by pandas {archive.plain:.1f} s)")  # fmt: skip
    click.echo(f"checked and stored    {archive.rows_per_second:10,.0f} rows of open interest a second")


if __name__ == "__main__":
    main()
