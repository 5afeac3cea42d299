"""The directory of one paper or live session: what ran, and what it was given and said."""

import json
import os
import platform
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import pandas as pd
from nautilus_trader.persistence.config import StreamingConfig
from nautilus_trader.persistence.writer import RotationMode

from oi_hedge_catalog.errors import ConfigError, DataError
from oi_hedge_catalog.types import CatalogData
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.records import Alert, SessionEntry, StageTiming

FORMAT = 1
INFO_FILE, STATUS_FILE, MODEL_FILE, DESK_FILE, DATA_DIR = (
    "session.json",
    "status.json",
    "model.onnx",
    "desk.state",
    "data",
)
STREAMED: tuple[type[CatalogData], ...] = (SessionEntry, StageTiming, Alert)
_PACKAGES = ("nautilus_trader", "onnxruntime", "numpy", "oi-hedge-strategy")
_OWNER_ONLY = 0o600


class Session:
    """
    Open the directory of a session.

    Parameters
    ----------
    directory : Path
        As `create` made it.

    Raises
    ------
    DataError
        If it is not the directory of a session, or one of a later format.

    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            self.info: dict[str, Any] = json.loads((directory / INFO_FILE).read_text())
        except (OSError, ValueError) as error:
            raise DataError(
                f"{directory} is not a recorded session ({INFO_FILE} cannot be read: {error}); name one of "
                "the directories that oi-hedge paper or live made"
            ) from error
        if self.info.get("format") != FORMAT:
            raise DataError(
                f"{directory} is a session of format {self.info.get('format')}, expected {FORMAT}: it was "
                "recorded by another version"
            )

    @classmethod
    def create(
        cls,
        root: Path,
        mode: str,
        strategy: OIHedgeConfig,
        settings: Mapping[str, Any],
    ) -> Self:
        """
        Make a new session's directory for the owner alone, with the model in it.

        From then on the process makes every file for its owner alone.

        Parameters
        ----------
        root : Path
            Where sessions are kept.
        mode : str
            ``paper`` or ``live``.
        strategy : OIHedgeConfig
            As the strategy runs.
        settings : mapping
            The rest of the configuration; without secrets.

        Raises
        ------
        ConfigError
            If the directory cannot be made or the model not be copied.

        """
        os.umask(0o077)
        started = datetime.now(UTC)
        directory = root / f"{started:%Y%m%dT%H%M%S.%fZ}-{mode}"
        try:
            directory.mkdir(mode=0o700, parents=True)
            if strategy.model:
                shutil.copyfile(strategy.model, directory / MODEL_FILE)
        except OSError as error:
            raise ConfigError(f"cannot record the session in {directory}: {error}") from error
        info = {
            "format": FORMAT,
            "mode": mode,
            "started": started.isoformat(),
            "ended": None,
            "pid": os.getpid(),
            "strategy": strategy.json_primitives(),
            "settings": dict(settings),
            "machine": platform.machine(),
            "versions": _versions(),
        }
        write_json(directory / INFO_FILE, info)
        return cls(directory)

    @property
    def strategy(self) -> OIHedgeConfig:
        """Return the configuration of the strategy, with the session's own copy of the model."""
        values = dict(self.info["strategy"])
        if values.get("model"):
            values["model"] = str(self.directory / MODEL_FILE)
        found: OIHedgeConfig = OIHedgeConfig.parse(json.dumps(values))
        return found

    @property
    def catalog_path(self) -> Path:
        """Return where the session's catalog is, or will be once it is over."""
        return self.directory / DATA_DIR

    def streaming(self) -> StreamingConfig:
        """Return what makes a node record into the session: one file a type and day."""
        return StreamingConfig(
            catalog_path=str(self.directory),
            fs_protocol="file",
            flush_interval_ms=250,
            include_types=list(STREAMED),
            rotation_mode=RotationMode.INTERVAL,
            rotation_interval=pd.Timedelta(days=1),
        )

    def changed_versions(self) -> list[str]:
        """Return in words what runs here in another version than it did in the session."""
        ran = {**self.info["versions"], "machine": self.info["machine"]}
        here = {**_versions(), "machine": platform.machine()}
        return [
            f"{name} was {ran[name]} in the session and is {here[name]} here: last bits may differ by it"
            for name in here
            if ran.get(name) != here[name]
        ]

    def finish(self) -> None:
        """Note that the session ended as it should."""
        self.info["ended"] = datetime.now(UTC).isoformat()
        write_json(self.directory / INFO_FILE, self.info)

    @property
    def is_running(self) -> bool:
        """Return whether the process that records the session is alive."""
        if self.info["ended"] is not None:
            return False
        try:
            os.kill(int(self.info["pid"]), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _PACKAGES}


def write_json(path: Path, value: Any) -> None:
    """Write a file for the owner alone, in one step."""
    staged = path.with_suffix(".tmp")
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY), "w") as file:
        json.dump(value, file, indent=2, default=str)
    os.replace(staged, path)
