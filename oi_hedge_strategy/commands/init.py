"""``oi-hedge init``: a settings file to start from."""

from importlib.resources import files
from pathlib import Path

import click

from oi_hedge_catalog.errors import ConfigError

TEMPLATE = files("oi_hedge_strategy") / "settings.toml"


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("oi-hedge.toml"))
def init(path: Path) -> None:
    """Write a commented settings file, every key at its default, to PATH (oi-hedge.toml)."""
    try:
        with path.open("x") as file:
            file.write(TEMPLATE.read_text())
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already and is kept as it is; name another file") from error
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
    click.echo(f"{path}: set exposure and hedge there, then see: oi-hedge config check {path}")
