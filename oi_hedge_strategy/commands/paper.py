"""``oi-hedge paper``: live data, simulated orders."""

import sys
from pathlib import Path

import click

from oi_hedge_strategy.backtest.settings import load_settings
from oi_hedge_strategy.live.run import run_node


@click.command()
@click.option(
    "--config", "config", type=click.Path(path_type=Path), required=True, help="TOML file with settings."
)
def paper(config: Path) -> None:
    """Run the hedge on live data with simulated orders, until Ctrl-C or SIGTERM; nothing is ever sent.

    The ledger and the simulated account in the settings' `paper.directory` carry on after a restart.
    """
    sys.exit(run_node(load_settings(config), "paper"))
