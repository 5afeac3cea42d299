"""A directory of models with a log of promotions: which model was in use at which moment."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.evaluation.files import write_bytes, write_text
from oi_hedge_strategy.forecast.card import day
from oi_hedge_strategy.forecast.model import Forecaster

LOG_NAME = "registry.json"
LOG_VERSION = 1

Signature = tuple[int, int, int]
"""Inode, size and time of change of the log: another one after every write."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """
    Record that a model came into use.

    Parameters
    ----------
    model : str
        Its file name in the registry.
    sha256 : str
        The hash of that file.
    valid_from : int
        From when on it is in use, nanoseconds since the epoch.
    trained_until : int
        The end of its training data.
    reason : str
        Why it was promoted.

    """

    model: str
    sha256: str
    valid_from: int
    trained_until: int
    reason: str


class Registry:
    """
    Keep models and the append-only log of their promotions.

    The model in use at a moment is that of the last promotion whose `valid_from` is not after it, in a
    backtest as live. An object holds the log as it was read; `changed` says when to open it anew.

    Parameters
    ----------
    path : Path
        The directory.
    entries : tuple of Promotion
        The log.
    signature : tuple of int
        Of the log file that was read.

    """

    def __init__(self, path: Path, entries: tuple[Promotion, ...], signature: Signature) -> None:
        self.path = path
        self.entries = entries
        self._signature = signature

    @classmethod
    def create(cls, path: Path | str) -> Self:
        """Make an empty registry and return it, or open the one that is there."""
        path = Path(path)
        if not (path / LOG_NAME).exists():
            write_text(path / LOG_NAME, _to_json(()))
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """
        Read a registry.

        Raises
        ------
        ModelError
            If there is none, or its log is damaged.

        """
        log = Path(path) / LOG_NAME
        try:
            signature, text = _signature(log), log.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(
                f"{path} is not a registry of models: cannot read {LOG_NAME} ({error}); "
                "make one with: oi-hedge train --walk-forward, or: oi-hedge retrain"
            ) from error
        return cls(Path(path), _from_json(text, log), signature)

    @property
    def current(self) -> Promotion | None:
        """Return the last promotion, None where there is none."""
        return self.entries[-1] if self.entries else None

    @property
    def changed(self) -> bool:
        """Return whether the log on disk is no longer the one that was read."""
        try:
            return _signature(self.path / LOG_NAME) != self._signature
        except OSError:
            return True

    def at(self, ns: int) -> Promotion | None:
        """Return the promotion in force at a time, None before the first."""
        return next((each for each in reversed(self.entries) if each.valid_from <= ns), None)

    def load(self, entry: Promotion) -> Forecaster:
        """
        Open a promoted model.

        Raises
        ------
        ModelError
            If its file is missing, is not the one that was promoted, or cannot be run.

        """
        path = self.path / entry.model
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read the model {path} of the registry: {error.strerror}") from error
        found = hashlib.sha256(content).hexdigest()
        if found != entry.sha256:
            raise ModelError(
                f"{path}: expected SHA-256 {entry.sha256[:12]}… by {LOG_NAME}, was {found[:12]}…: the file "
                "was changed after its promotion; restore it or promote a model anew"
            )
        return Forecaster(content, str(path))

    def add(self, model: Path | bytes, valid_from: int, reason: str) -> Promotion:
        """
        Promote a model: copy its file, then append to the log; a promotion that is there is not repeated.

        Parameters
        ----------
        model : Path or bytes
            The ONNX file or its content.
        valid_from : int
            From when on it is in use, nanoseconds since the epoch.
        reason : str
            Why.

        Raises
        ------
        ModelError
            If it cannot be run, is not calibrated, did not exist by `valid_from` or is expired then, or a
            later promotion is in the log.

        """
        content = model if isinstance(model, bytes) else _read(model)
        source = "the model" if isinstance(model, bytes) else str(model)
        forecaster = Forecaster(content, source)
        card = forecaster.card
        card.check_calibrated(source)
        if not card.trained_until <= valid_from < card.expires:
            raise ModelError(
                f"{source}: trained until {day(card.trained_until)} and expiring on {day(card.expires)}, it "
                f"cannot be in use from {day(valid_from)} on; promote it between the two"
            )
        name = f"{day(card.trained_until)}-{forecaster.sha256[:12]}.onnx"
        entry = Promotion(name, forecaster.sha256, valid_from, card.trained_until, reason)
        self._refresh()
        for each in self.entries:
            if (each.sha256, each.valid_from) == (entry.sha256, entry.valid_from):
                return each
        if self.current is not None and valid_from < self.current.valid_from:
            raise ModelError(
                f"{self.path}: {source} would be valid from {day(valid_from)}, the last promotion is from "
                f"{day(self.current.valid_from)}: the log only grows at its end; use a new registry"
            )
        write_bytes(self.path / name, content)
        write_text(self.path / LOG_NAME, _to_json((*self.entries, entry)))
        self._refresh()
        return entry

    def _refresh(self) -> None:
        fresh = type(self).open(self.path)
        self.entries, self._signature = fresh.entries, fresh._signature


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror}") from error


def _signature(path: Path) -> Signature:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _to_json(entries: tuple[Promotion, ...]) -> str:
    promotions = [asdict(each) for each in entries]
    return json.dumps({"version": LOG_VERSION, "promotions": promotions}, indent=2) + "\n"


def _from_json(text: str, source: Path) -> tuple[Promotion, ...]:
    try:
        fields = json.loads(text)
        version, promotions = fields["version"], [Promotion(**each) for each in fields["promotions"]]
        types = {(type(e.model), type(e.sha256), type(e.valid_from)) for e in promotions}
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{source} is damaged ({error}); restore it from a copy") from error
    if version != LOG_VERSION:
        raise ModelError(f"{source}: expected version {LOG_VERSION}, was {version}")
    starts = [each.valid_from for each in promotions]
    if types - {(str, str, int)} or starts != sorted(starts):
        raise ModelError(
            f"{source} is damaged: expected promotions in the order of valid_from; restore it from a copy"
        )
    if any(Path(each.model).name != each.model for each in promotions):
        raise ModelError(f"{source} is damaged: a model's name must be a file of the registry's directory")
    return tuple(promotions)
