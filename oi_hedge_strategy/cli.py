"""The command line: ``oi-hedge …``."""

import sys
from typing import Any

import click

from oi_hedge_catalog.errors import OIHedgeError
from oi_hedge_strategy.commands.backtest import backtest
from oi_hedge_strategy.commands.check_lookahead import check_lookahead
from oi_hedge_strategy.commands.check_model import check_model
from oi_hedge_strategy.commands.data import check, ingest
from oi_hedge_strategy.commands.explain import explain
from oi_hedge_strategy.commands.retrain import retrain
from oi_hedge_strategy.commands.simulate import simulate
from oi_hedge_strategy.commands.stop import stop
from oi_hedge_strategy.commands.train import train
from oi_hedge_strategy.commands.validate import validate
from oi_hedge_strategy.commands.venues import venues


class _Commands(click.Group):
    """A group that turns errors of the input into one sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OIHedgeError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            click.echo("\ninterrupted; what was complete is kept", err=True)
            sys.exit(130)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="oi-hedge-strategy")
def main() -> None:
    """Forecast liquidation cascades from open interest and hedge the ETH you hold.

    Trading can lose money, and nothing here is advice. `oi-hedge backtest` without options runs a demo on a
    simulated market.
    """


for command in (
    backtest,
    check,
    check_lookahead,
    check_model,
    explain,
    ingest,
    retrain,
    simulate,
    stop,
    train,
    validate,
    venues,
):
    main.add_command(command)
