"""``oi-hedge stop``: the kill switch."""

import time
import tomllib
from pathlib import Path

import click

from oi_hedge_catalog.errors import ConfigError, StateError
from oi_hedge_strategy.live.kill_switch import Answer, KillSwitch, Order
from oi_hedge_strategy.live.lock import holder_pid
from oi_hedge_strategy.live.state_store import LOCK_FILE

_LOOK_SECS = 0.1


@click.command("stop")
@click.argument("where", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--flatten", "order", flag_value="flatten", help="Close the hedge, take its stop off, then hold."
)
@click.option("--hold", "order", flag_value="hold", help="Send no more orders; position and stop stay.")
@click.option("--lift", "order", flag_value="lift", help="Take the order back: the hedge goes on.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.0),
    default=60.0,
    show_default=True,
    help="Seconds to wait for the node to say what it did.",
)
def stop(where: Path, order: str | None, timeout: float) -> None:
    """Stop the hedge of WHERE: a run's directory, or the configuration file that names it.

    The order stands until it is lifted, over restarts too; giving it again does no harm. Your own positions
    are never touched. Exits with 1 where the node has not done it, or none runs that could.
    """
    if order is None:
        raise click.UsageError("say --flatten, --hold or --lift")
    failed = [directory for directory in state_directories(where) if not _order(directory, order, timeout)]
    raise SystemExit(1 if failed else 0)


def state_directories(where: Path) -> list[Path]:
    """
    Return the state directories that a run's directory or a configuration file stands for.

    Of a file that names several, those that a node holds; all of them where none does.

    Raises
    ------
    ConfigError
        If there is none, or the file cannot be read.

    """
    if where.is_dir():
        named = [where]
    else:
        try:
            settings = tomllib.loads(where.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{where} is no TOML file: {error}") from error
        modes = (settings.get(mode, {}).get("directory", mode) for mode in ("paper", "live"))
        named = [Path(each) for each in modes]
    found = [path for each in named for path in (each, each / "state") if (path / LOCK_FILE).exists()]
    if not found:
        looked = ", ".join(map(str, named))
        raise ConfigError(f"{looked}: no node has kept its state there; name the run's directory")
    running = [each for each in found if holder_pid(each / LOCK_FILE) is not None]
    return running or found


def _order(directory: Path, order: str, timeout: float) -> bool:
    """Set or lift the switch of one state directory, say what became of it, and return whether it is done."""
    switch, pid = KillSwitch(directory), holder_pid(directory / LOCK_FILE)
    if order == "lift":
        lifted = switch.lift()
        click.echo(f"{directory}: {'lifted; the hedge goes on' if lifted else 'nothing was ordered'}")
        return True
    ordered = switch.set("flatten" if order == "flatten" else "hold")
    if ordered != order:
        click.echo(f"{directory}: flatten stands already and is more; lift it first to hold only")
    if pid is None:
        click.echo(f"{directory}: no node runs here; {ordered} is the order for the next one that starts")
        if ordered == "flatten":
            click.echo("nothing was closed: look at the account, and close what is open by hand", err=True)
        return ordered == "hold"
    answer = _wait(switch, ordered, timeout)
    if answer is None:
        raise StateError(
            f"{directory}: the node, process {pid}, has not done {ordered} within {timeout:g} s; the order "
            "stands: look at its log and at the account"
        )
    stops = f"{answer.stops} hard stop{'' if answer.stops == 1 else 's'} at the venue"
    click.echo(
        f"{directory}: {_DONE[ordered]}; the hedge was {answer.position_before:g} and is "
        f"{answer.position:g}, {stops} (process {answer.pid})"
    )
    return True


_DONE: dict[Order, str] = {"hold": "held, no more orders", "flatten": "flattened, no more orders"}


def _wait(switch: KillSwitch, order: Order, timeout: float) -> Answer | None:
    since, deadline = switch.set_at(), time.monotonic() + timeout
    while time.monotonic() < deadline:
        answer = Answer.read(switch.directory)
        if answer is not None and answer.order == order and answer.done and answer.ts >= since:
            return answer
        time.sleep(_LOOK_SECS)
    return None
