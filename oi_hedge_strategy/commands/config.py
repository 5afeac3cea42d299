"""``oi-hedge config …``: what is wrong with a settings file, and its JSON schema."""

import json
import sys
from pathlib import Path

import click

from oi_hedge_strategy.settings_check import find_problems
from oi_hedge_strategy.settings_schema import settings_schema


@click.group()
def config() -> None:
    """Check a settings file, or print its JSON schema."""


@config.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
def check(path: Path) -> None:
    """Explain every problem of FILE at once; exit code 1 if there is any."""
    problems = find_problems(path)
    for problem in problems:
        click.echo(f"{path}: {problem}", err=True)
    if problems:
        click.echo(f"{path}: {len(problems)} problem{'s' if len(problems) > 1 else ''}", err=True)
        sys.exit(1)
    click.echo(f"{path}: no problems")


@config.command()
def schema() -> None:
    """Print the JSON schema of settings files, for editors."""
    click.echo(json.dumps(settings_schema(), indent=2))
