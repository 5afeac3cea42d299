"""``oi-hedge paper``: live data, simulated orders, and what came of it."""

import sys
from pathlib import Path

import click

from oi_hedge_strategy.backtest.settings import load_settings
from oi_hedge_strategy.live.config import REPORT
from oi_hedge_strategy.live.paper_report import format_report, make_report
from oi_hedge_strategy.live.run import run_node

NOT_YET = 3


@click.group(invoke_without_command=True)
@click.option("--config", "config", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.pass_context
def paper(ctx: click.Context, config: Path | None) -> None:
    """Run the hedge on live data with simulated orders, until Ctrl-C or SIGTERM; nothing is ever sent.

    The ledger and the simulated account in the settings' `paper.directory` carry on after a restart.
    """
    ctx.obj = config
    if ctx.invoked_subcommand is None:
        sys.exit(run_node(load_settings(_named(config)), "paper"))


@paper.command()
@click.option("--config", "config", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.option(
    "--backtest", type=click.Path(path_type=Path), help="result.json of a backtest to compare with."
)
@click.option(
    "--catalog",
    type=click.Path(path_type=Path),
    help="In place of --backtest: data of the same time, over which the backtest is run now.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where the files go; `report` in the run's directory by default.",
)
@click.pass_obj
def report(
    given: Path | None, config: Path | None, backtest: Path | None, catalog: Path | None, out: Path | None
) -> None:
    """Say whether paper agrees with the backtest within its interval, and whether to go live.

    Writes result.json, verdict.json, daily.csv and monthly.csv. The exit code is 0 where the verdict is to go
    live, 3 where it is not, or not yet.
    """
    settings = load_settings(_named(config or given))
    made = make_report(settings, backtest, catalog, out or Path(settings.paper.directory) / REPORT)
    click.echo(format_report(made))
    sys.exit(0 if made.verdict.answer == "go live" else NOT_YET)


def _named(config: Path | None) -> Path:
    if config is None:
        raise click.UsageError("Missing option '--config'.")
    return config
