"""The embedded store of a node's state: generations of checkpoints, each with the journal that follows it."""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from oi_hedge_catalog.errors import StateError
from oi_hedge_strategy.live.journal import OWNER_ONLY, Journal, read_journal
from oi_hedge_strategy.live.lock import InstanceLock

FORMAT = 1
LOCK_FILE = "state.lock"
_MAGIC = b"oi-hedge-state"
_KEPT = 2
Arrays = Mapping[str, NDArray[Any]]


@dataclass(slots=True)
class Saved:
    """
    Hold what a store had: the newest whole checkpoint and all that was journalled after it.

    Parameters
    ----------
    arrays : dict of array
        The checkpoint's arrays by name.
    facts : dict
        The checkpoint's facts.
    records : list of (int, bytes)
        Kind and payload of each journalled record, the oldest first.
    notices : list of str
        What was damaged, and what was used in its place.

    """

    arrays: dict[str, NDArray[Any]]
    facts: dict[str, Any]
    records: list[tuple[int, bytes]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


class StateStore:
    """
    Keep a node's state in a directory, for the owner alone, so that it survives being killed at any moment.

    A checkpoint is written to a temporary file, synced and renamed; what happens after it goes to a journal.
    The generation before the newest is kept whole: should a checkpoint turn out damaged, the one before it
    and both journals give the same state.

    Parameters
    ----------
    directory : Path
        Where the state is; made where it is missing.

    Raises
    ------
    StateError
        If another process holds the directory, or others than the owner may write to it.

    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = directory.stat().st_mode & 0o777
        if mode & 0o022:
            raise StateError(
                f"state directory {directory}: others than its owner may write to it (mode {mode:o}, "
                f"expected 700); run: chmod 700 {directory}"
            )
        self._lock = InstanceLock(directory / LOCK_FILE, f"state directory {directory}")
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="state")
        self._pending: Future[None] | None = None
        self._journal: Journal | None = None
        self._generation = max(self._generations(), default=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def records(self) -> int:
        """Return how many records the journal has gained since the last checkpoint of this process."""
        return self._journal.records if self._journal is not None else 0

    def load(self) -> Saved | None:
        """
        Return the newest state that is whole, None where there is none at all.

        Raises
        ------
        StateError
            If there are checkpoints and none is whole.

        """
        notices: list[str] = []
        generations = sorted(self._generations(), reverse=True)
        for generation in generations:
            try:
                arrays, facts = read_checkpoint(self._checkpoint(generation))
            except StateError as error:
                notices.append(f"{error}; the generation before it is used")
                continue
            saved = Saved(arrays, facts, notices=notices)
            self._read_journals(generation, saved)
            return saved
        if generations:
            raise StateError(
                f"state directory {self.directory}: none of {len(generations)} checkpoints is whole; move it "
                "away to start without state, and look at what damaged it"
            )
        return None

    def append(self, kind: int, payload: bytes) -> None:
        """
        Add a record to the journal.

        Raises
        ------
        OSError
            If the disk is full or gone.

        """
        assert self._journal is not None, "begin must come first"
        self._journal.append(kind, payload)

    def begin(self, arrays: Arrays, facts: dict[str, Any]) -> None:
        """
        Begin a generation with a checkpoint, written while the node goes on, and an empty journal.

        Raises
        ------
        OSError
            If no journal can be opened, or the checkpoint before could not be written.

        """
        self.wait()
        generation = max(self._generation, *self._journals(), 0) + 1
        journal = Journal(self._journal_path(generation))
        if self._journal is not None:
            self._journal.close()
        self._journal, self._generation = journal, generation
        self._pending = self._pool.submit(self._write, generation, dict(arrays), facts)

    def sync(self) -> None:
        """Bring the journal to the disk without waiting for it."""
        if self._journal is not None and (self._pending is None or self._pending.done()):
            self.wait()
            self._pending = self._pool.submit(self._journal.sync)

    def wait(self) -> None:
        """Wait until what was begun is on the disk."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def close(self) -> None:
        """Wait for what is being written and let go of the directory."""
        try:
            self.wait()
        finally:
            self._pool.shutdown()
            if self._journal is not None:
                self._journal.close()
                self._journal = None
            self._lock.release()

    def _write(self, generation: int, arrays: Arrays, facts: dict[str, Any]) -> None:
        write_checkpoint(self._checkpoint(generation), arrays, facts)
        kept = sorted(self._generations(), reverse=True)[:_KEPT]
        for path in self.directory.glob("*-*.*"):
            number = _number(path)
            if number is not None and number < kept[-1]:
                path.unlink(missing_ok=True)

    def _read_journals(self, generation: int, saved: Saved) -> None:
        """
        Add the records of all journals from a generation on; after a damaged one nothing follows.

        A record that was being written when the process ended is cut off the newest journal.
        """
        following = sorted(number for number in self._journals() if number >= generation)
        for at, number in enumerate(following):
            path = self._journal_path(number)
            reading = read_journal(path)
            while True:
                try:
                    saved.records.append(next(reading))
                except StopIteration as end:
                    rest = int(end.value)
                    break
            if rest:
                saved.notices.append(f"{path}: the last {rest} bytes are no whole record and are left out")
                left = len(following) - at - 1
                if left:
                    saved.notices.append(f"{path}: {left} later journals cannot follow it and are left out")
                else:
                    os.truncate(path, path.stat().st_size - rest)
                break

    def _generations(self) -> list[int]:
        found = (_number(path) for path in self.directory.glob("checkpoint-*.state"))
        return [each for each in found if each is not None]

    def _journals(self) -> list[int]:
        found = (_number(path) for path in self.directory.glob("journal-*.log"))
        return [each for each in found if each is not None]

    def _checkpoint(self, generation: int) -> Path:
        return self.directory / f"checkpoint-{generation:08d}.state"

    def _journal_path(self, generation: int) -> Path:
        return self.directory / f"journal-{generation:08d}.log"


def write_checkpoint(path: Path, arrays: Arrays, facts: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all: temporary file, sync, rename, sync of the directory."""
    body = io.BytesIO()
    text = np.frombuffer(json.dumps(facts, sort_keys=True).encode(), np.uint8)
    np.savez(body, allow_pickle=False, **{"facts": text, **{f"array.{k}": v for k, v in arrays.items()}})
    content = body.getbuffer()
    digest = hashlib.sha256(content).hexdigest().encode()
    staged = path.with_suffix(".tmp")
    file = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, OWNER_ONLY)
    try:
        os.fchmod(file, OWNER_ONLY)
        for part in (b"%s %d %s\n" % (_MAGIC, FORMAT, digest), content):
            rest = memoryview(part)
            while rest.nbytes:
                rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)
    os.replace(staged, path)
    sync_directory(path.parent)


def read_checkpoint(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """
    Return arrays and facts of a checkpoint.

    Raises
    ------
    StateError
        If it is damaged, incomplete, or of another format.

    """
    head, _, body = path.read_bytes().partition(b"\n")
    magic, *rest = head.split(b" ")
    if magic != _MAGIC or len(rest) != 2:
        raise StateError(f"{path} is no checkpoint: its first line is damaged")
    if rest[0] != b"%d" % FORMAT:
        found = rest[0].decode(errors="replace")
        raise StateError(f"{path} is of format {found}, expected {FORMAT}: another version wrote it")
    if hashlib.sha256(body).hexdigest().encode() != rest[1]:
        raise StateError(f"{path} is damaged: its checksum does not match its content")
    with np.load(io.BytesIO(body), allow_pickle=False) as found:
        arrays = {name.removeprefix("array."): found[name] for name in found.files if name != "facts"}
        return arrays, json.loads(found["facts"].tobytes())


def sync_directory(directory: Path) -> None:
    """Bring a directory's entries to the disk."""
    file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _number(path: Path) -> int | None:
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdigit() else None
