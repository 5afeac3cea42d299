"""The command line: ``oi-hedge …``."""

import sys
from importlib import import_module
from typing import Any

import click

from oi_hedge_catalog.errors import OIHedgeError

COMMANDS = {
    "backtest": "backtest",
    "check": "data",
    "check-lookahead": "check_lookahead",
    "check-model": "check_model",
    "config": "config",
    "explain": "explain",
    "ingest": "data",
    "init": "init",
    "live": "live",
    "paper": "paper",
    "replay": "replay",
    "retrain": "retrain",
    "scenarios": "scenarios",
    "simulate": "simulate",
    "status": "status",
    "stop": "stop",
    "train": "train",
    "tune": "tune",
    "validate": "validate",
    "venues": "venues",
}
"""Module of each command below ``commands``; it is imported when the command is asked for."""


class _Commands(click.Group):
    """Import what is asked for; turn errors of the input into one sentence and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"oi_hedge_strategy.commands.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

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
