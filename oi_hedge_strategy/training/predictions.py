"""What the walk-forward leaves behind: every forecaster's out-of-sample probabilities, and how it was fit."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from oi_hedge_catalog.errors import DataError
from oi_hedge_strategy.cascades import SIDES
from oi_hedge_strategy.evaluation.files import write_bytes
from oi_hedge_strategy.forecast.card import outputs

Singles = NDArray[np.float32]
FORMAT_VERSION = 1
_ARRAYS = ("ts", "asset", "fold", "cascade", "change")
_PROBABILITY = "probability/"
_THRESHOLD = "threshold/"


@dataclass(frozen=True, slots=True)
class Predictions:
    """
    Hold the samples of all test periods, what followed them and what each forecaster said before.

    Parameters
    ----------
    ts : int64 array, shape (n,)
        Decision times in nanoseconds, ascending; assets share times.
    asset : int8 array, shape (n,)
        Index into `assets`.
    assets : tuple of str
        Base coins.
    fold : int16 array, shape (n,)
        The walk-forward fold whose test period holds the sample.
    cascade : float32 array, shape (n, sides, horizons)
        1 where a cascade followed, 0 where none did, NaN where not known.
    change : float32 array, shape (n, horizons)
        The price change over the horizon, NaN where not known.
    horizons_hours : tuple of int
        The horizons, ascending.
    probability : mapping of str to float32 array, shape (seeds, n, sides, horizons)
        Calibrated probabilities by forecaster, NaN where it has none; one seed where it is deterministic.
    threshold : mapping of str to float32 array, shape (folds, sides, horizons)
        Alert thresholds by forecaster, chosen before each fold's test period.
    onset_hours : float32 array, shape (n, sides, horizons), optional
        Hours until a cascade's move reached its threshold, NaN where none followed; lead times need them.

    Raises
    ------
    DataError
        If shapes contradict one another, times do not ascend or a probability is not within [0, 1].

    """

    ts: NDArray[np.int64]
    asset: NDArray[np.int8]
    assets: tuple[str, ...]
    fold: NDArray[np.int16]
    cascade: Singles
    change: Singles
    horizons_hours: tuple[int, ...]
    probability: Mapping[str, Singles]
    threshold: Mapping[str, Singles]
    onset_hours: Singles | None = None

    def __post_init__(self) -> None:
        n, sizes = self.ts.size, (len(SIDES), len(self.horizons_hours))
        if n == 0 or (np.diff(self.ts) < 0).any():
            raise DataError(
                f"predictions: expected ascending times of at least one sample, found {n} samples"
            )
        expected = {
            "asset": (n,),
            "fold": (n,),
            "cascade": (n, *sizes),
            "change": (n, sizes[1]),
        }
        for name, shape in expected.items():
            _check_shape(name, getattr(self, name), shape)
        if self.onset_hours is not None:
            _check_shape("onset_hours", self.onset_hours, (n, *sizes))
        if self.asset.min() < 0 or self.asset.max() >= len(self.assets):
            raise DataError(f"predictions: asset {self.asset.max()} has no name among {self.assets}")
        if not self.probability:
            raise DataError("predictions: expected the probabilities of at least one forecaster, found none")
        for name, values in self.probability.items():
            _check_shape(f"probability of {name}", values, (values.shape[0], n, *sizes))
            known = values[np.isfinite(values)]
            if known.size and (known.min() < 0.0 or known.max() > 1.0):
                raise DataError(
                    f"probability of {name}: expected values within [0, 1], found {known.min():g} to "
                    f"{known.max():g}; calibrate its logits first"
                )
        for name, values in self.threshold.items():
            _check_shape(f"threshold of {name}", values, (values.shape[0], *sizes))
            if self.fold.min() < 0 or self.fold.max() >= values.shape[0]:
                raise DataError(
                    f"threshold of {name}: expected folds 0 to {values.shape[0] - 1}, found "
                    f"{self.fold.min()} to {self.fold.max()}"
                )

    def __len__(self) -> int:
        return int(self.ts.size)

    def outputs(self) -> list[tuple[str, tuple[int, int]]]:
        """Return key, such as ``down_18h``, and index of every output."""
        return outputs(self.horizons_hours)

    def write(self, path: Path) -> Path:
        """Write everything to an .npz file, atomically and without pickle."""
        head = {
            "format_version": FORMAT_VERSION,
            "assets": self.assets,
            "horizons_hours": self.horizons_hours,
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        if self.onset_hours is not None:
            arrays["onset_hours"] = self.onset_hours
        arrays |= {f"{_PROBABILITY}{name}": values for name, values in self.probability.items()}
        arrays |= {f"{_THRESHOLD}{name}": values for name, values in self.threshold.items()}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, head=np.array(json.dumps(head)), **arrays)
        return write_bytes(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path) -> Self:
        """
        Read what `write` wrote.

        Raises
        ------
        DataError
            If the file is missing, no such file or of another version; the message names it.

        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            head = json.loads(str(arrays["head"]))
            version = head["format_version"]
        except FileNotFoundError as error:
            raise DataError(f"{path}: no such file; oi-hedge train writes it") from error
        except (KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: not a file of predictions ({error}); train anew") from error
        if version != FORMAT_VERSION:
            raise DataError(
                f"{path}: expected version {FORMAT_VERSION} of predictions, found {version}; train anew"
            )
        return cls(
            **{name: arrays[name] for name in _ARRAYS},
            assets=tuple(head["assets"]),
            horizons_hours=tuple(head["horizons_hours"]),
            probability=_under(arrays, _PROBABILITY),
            threshold=_under(arrays, _THRESHOLD),
            onset_hours=arrays.get("onset_hours"),
        )


@dataclass(frozen=True, slots=True)
class FoldRecord:
    """
    Hold how one fold of the walk-forward was fit.

    Parameters
    ----------
    name : str
        What the fold is called, such as ``2023-Q1``.
    windows : mapping of str to (str, str)
        First and last decision time of each window, ISO 8601, in the order of time: training, stopping,
        calibration and test. The gaps between them are purge and embargo.
    training_loss, stopping_loss : mapping of str to list of list of float
        The loss after each epoch or round, by forecaster and seed.
    seconds : mapping of str to float
        Time spent on fitting, by forecaster, all seeds together.

    Raises
    ------
    DataError
        If a window's times have no UTC offset, or do not ascend from window to window.

    """

    name: str
    windows: Mapping[str, tuple[str, str]]
    training_loss: Mapping[str, list[list[float]]] = field(default_factory=dict)
    stopping_loss: Mapping[str, list[list[float]]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        last = datetime.min.replace(tzinfo=UTC)
        for window, ends in self.windows.items():
            for text in ends:
                time = datetime.fromisoformat(text)
                if time.tzinfo is None or time < last:
                    raise DataError(
                        f"fold {self.name}, window {window}: expected times with an offset from UTC that "
                        f"ascend, found {text}"
                    )
                last = time


def _check_shape(name: str, values: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise DataError(f"predictions: expected {name} of shape {shape}, found {values.shape}")


def _under(arrays: Mapping[str, Singles], prefix: str) -> dict[str, Singles]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
