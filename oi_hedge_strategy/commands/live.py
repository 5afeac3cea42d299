"""``oi-hedge live``: orders at the hedge venue, on its testnet unless told otherwise."""

import sys
from pathlib import Path

import click

from oi_hedge_strategy.backtest.settings import load_settings
from oi_hedge_strategy.live.run import run_node


@click.command()
@click.option(
    "--config", "config", type=click.Path(path_type=Path), required=True, help="TOML file with settings."
)
@click.option(
    "--real-orders", is_flag=True, help="Orders are real: needed where the settings leave the testnet."
)
@click.option(
    "--before-paper-is-over",
    "early",
    is_flag=True,
    help="Real orders although paper has not said to go live.",
)
def live(config: Path, real_orders: bool, early: bool) -> None:
    """Run the hedge with orders at the hedge venue, until Ctrl-C or SIGTERM.

    Orders go to the venue's test environment unless the settings say `live.testnet = false` and
    --real-orders is given, and paper has run for as long as `paper.months` says. Keys are read from the
    environment alone. Your own positions are never touched.
    """
    sys.exit(run_node(load_settings(config), "live", real_orders=real_orders, before_paper=early))
