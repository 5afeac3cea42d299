"""One instance at a time: of a state directory, and of an account at a venue."""

import hashlib
import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from oi_hedge_catalog.errors import StateError
from oi_hedge_strategy.live.journal import OWNER_ONLY

LOCK_DIRECTORY = "OI_HEDGE_LOCK_DIR"
"""Environment variable: where the locks of accounts are, in place of the user's state directory."""
_PATIENCE_SECS = 0.3
"""Outlasts a `holder_pid` that looks at the same moment."""


class InstanceLock:
    """
    Hold a lock until released or until the process ends, however it ends.

    The operating system keeps the lock, so that a process that was killed leaves none behind; the file says
    who held it last.

    Parameters
    ----------
    path : Path
        The lock file, for the owner alone.
    what : str
        What is locked, for the error.

    Raises
    ------
    StateError
        If another process, or this one, holds it already; the error names the process.

    """

    def __init__(self, path: Path, what: str) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._owner = path.with_suffix(".owner")
        self._lock = FileLock(path, timeout=_PATIENCE_SECS, mode=OWNER_ONLY)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise StateError(f"{what} is in use by {self._holder()}; stop that node first") from error
        owner = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        descriptor = os.open(self._owner, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
        with os.fdopen(descriptor, "w") as file:
            json.dump(owner, file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let go of it."""
        self._lock.release()

    def _holder(self) -> str:
        with suppress(OSError, ValueError, KeyError):
            owner = json.loads(self._owner.read_text())
            return f"process {owner['pid']}, since {owner['since']}"
        return "another process"


def holder_pid(path: Path) -> int | None:
    """Return the process that holds the lock at `path`, None where nobody does."""
    try:
        with FileLock(path, timeout=0, mode=OWNER_ONLY):
            return None
    except Timeout:
        return int(json.loads(path.with_suffix(".owner").read_text())["pid"])


def lock_account(venue: str, account: str) -> InstanceLock:
    """
    Lock an account at a venue against a second instance of the same user on this machine.

    Parameters
    ----------
    venue : str
        The venue.
    account : str
        What tells its accounts apart, such as the API key; only its hash is stored.

    Raises
    ------
    StateError
        If another process holds the account.

    """
    digest = hashlib.sha256(f"{venue}\n{account}".encode()).hexdigest()[:24]
    return InstanceLock(lock_directory() / f"{venue}-{digest}.lock", f"the account at {venue}")


def lock_directory() -> Path:
    """Return where the locks of accounts are: one place for all nodes of a user."""
    named = os.environ.get(LOCK_DIRECTORY)
    if named:
        return Path(named)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "oi-hedge" / "locks"
