"""The kill switch: one file that stops the hedge, whoever writes it, and what became of it."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from oi_hedge_catalog.errors import StateError
from oi_hedge_strategy.live.journal import OWNER_ONLY
from oi_hedge_strategy.live.state_store import sync_directory

Order = Literal["hold", "flatten"]
ORDERS: tuple[Order, ...] = ("hold", "flatten")
SWITCH_FILE = "STOP"
ANSWER_FILE = "STOP.done"
SIGNALS: dict[signal.Signals, Order] = {signal.SIGUSR1: "flatten", signal.SIGUSR2: "hold"}


@dataclass(frozen=True, slots=True)
class Answer:
    """
    Say what a node did about the switch.

    Parameters
    ----------
    order : str
        What was ordered; empty once the switch was taken back.
    done : bool
        Whether it is complete.
    pid : int
        The node's process.
    position_before, position : float
        Hedge position when the node saw the switch, and now; signed base coin.
    stops : int
        Hard stops that rest on the venue now.
    ts : int
        When, nanoseconds since the epoch.

    """

    order: str
    done: bool
    pid: int
    position_before: float
    position: float
    stops: int
    ts: int

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """Return the last answer of a node, None where there is none."""
        try:
            return cls(**json.loads((directory / ANSWER_FILE).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, directory: Path) -> None:
        """Write the answer whole, for the owner alone."""
        write_owned(directory / ANSWER_FILE, json.dumps(asdict(self)) + "\n")


class KillSwitch:
    """
    Read and set the file `STOP` in the state directory, whose one word is ``hold`` or ``flatten``.

    The file outlives the node: a restart does not lift it. A file that says anything else, an empty one too,
    means ``hold``: whoever made it wanted the node to stop trading.

    Parameters
    ----------
    directory : Path
        The state directory.

    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._path = directory / SWITCH_FILE

    def read(self) -> Order | None:
        """Return what is ordered, None where nothing is."""
        try:
            word = self._path.read_bytes()[:64].strip().lower()
        except FileNotFoundError:
            return None
        except OSError:
            return "hold"
        return "flatten" if word == b"flatten" else "hold"

    def set_at(self) -> int:
        """Return when the file was written last, nanoseconds since the epoch; 0 where there is none."""
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0

    def set(self, order: Order) -> Order:
        """Order it, anew where it is ordered already, and return it: ``hold`` takes back no ``flatten``."""
        standing: Order = "flatten" if self.read() == "flatten" else order
        write_owned(self._path, f"{standing}\n")
        return standing

    def lift(self) -> bool:
        """Take the order back and return whether there was one."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        sync_directory(self.directory)
        return True


def listen_to_signals(
    loop: asyncio.AbstractEventLoop, switch: KillSwitch, say: Callable[[str], Any] = lambda text: None
) -> None:
    """
    Let SIGUSR1 order ``flatten`` and SIGUSR2 ``hold``, as the command and the file do.

    SIGTERM and SIGINT remain the node's own: an orderly end that leaves the position and its resting stop.
    """
    for number, order in SIGNALS.items():

        def act(number: signal.Signals = number, order: Order = order) -> None:
            say(f"{number.name}: {switch.set(order)}")

        loop.add_signal_handler(number, act)


def write_owned(path: Path, text: str) -> None:
    """
    Write a small file whole, for the owner alone.

    Raises
    ------
    StateError
        If its directory does not exist or the disk does not take it.

    """
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        file = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
        with os.fdopen(file, "w") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.replace(staged, path)
        sync_directory(path.parent)
    except OSError as error:
        raise StateError(f"{path} could not be written: {error.strerror}") from error
