"""Predict with an ONNX model in a preallocated, single-threaded session."""

import hashlib
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.cascades import SIDES
from oi_hedge_strategy.forecast.card import CARD_KEY, ModelCard
from oi_hedge_strategy.state import Snapshot

INPUTS = ("values", "mask", "age", "liquidation_map", "clock")
OUTPUTS = ("forecast", "quantiles")


@dataclass(frozen=True, slots=True)
class Forecast:
    """
    Hold one prediction.

    Parameters
    ----------
    probability : float32 array, shape (sides, horizons)
        Calibrated probability of a cascade to the side within the horizon.
    adverse : float32 array, shape (sides, horizons)
        Expected change of the price to the side over the horizon if it comes, as a fraction: the mean of its
        predicted quantiles.
    favourable : float32 array, shape (sides, horizons)
        Expected change to the other side if it does not, likewise; not negative.
    quantiles : float32 array, shape (2, levels, sides, horizons)
        Quantiles of the two changes at the card's levels, adverse first.

    """

    probability: NDArray[np.float32]
    adverse: NDArray[np.float32]
    favourable: NDArray[np.float32]
    quantiles: NDArray[np.float32]

    @property
    def is_sane(self) -> bool:
        """Return whether every number is finite, no move negative and every probability within [0, 1]."""
        likely = self.probability.ravel().tolist()
        moves = self.adverse.ravel().tolist() + self.favourable.ravel().tolist()
        return all(0.0 <= p <= 1.0 for p in likely) and all(0.0 <= move < inf for move in moves)


class Forecaster:
    """
    Run one model file.

    Parameters
    ----------
    model : bytes
        The ONNX file's content.
    source : str
        Its name, for errors.

    Raises
    ------
    ModelError
        If it is no ONNX file, carries no card, or its inputs do not match its schema.

    """

    def __init__(self, model: bytes, source: str) -> None:
        self.source = source
        self.sha256 = hashlib.sha256(model).hexdigest()
        self._session = _open_session(model, source)
        self.card = _read_card(self._session, source)
        venues, channels, offsets = self.card.schema.shape
        bands = len(self.card.schema.liquidation_map.bands) - 1
        grid = (1, venues, channels, offsets)
        shapes = dict(zip(INPUTS, (grid, grid, grid, (1, 2, bands), (1, 2)), strict=True))
        heads = len(SIDES), len(self.card.cascade.horizons_hours)
        levels = len(self.card.quantile_levels)
        out = dict(zip(OUTPUTS, ((1, 3, *heads), (1, 2, levels, *heads)), strict=True))
        _check_shapes(self._session, shapes, out, source)
        self._inputs = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        self._outputs = {name: np.zeros(shape, np.float32) for name, shape in out.items()}
        self._binding = self._session.io_binding()
        for name, array in self._inputs.items():
            self._binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for name, array in self._outputs.items():
            self._binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """
        Open a model file.

        Raises
        ------
        ModelError
            If the file is missing or is not a model of this version.

        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read the model {path}: {error.strerror}; train one first") from error
        return cls(content, str(path))

    def predict(self, snapshot: Snapshot) -> Forecast:
        """Return the forecast for a snapshot of the card's schema; its arrays are the caller's."""
        for name, array in self._inputs.items():
            np.copyto(array, getattr(snapshot, name))
        self._session.run_with_iobinding(self._binding)
        forecast, quantiles = (array[0].copy() for array in self._outputs.values())
        probability, adverse, favourable = forecast
        return Forecast(probability, adverse, favourable, quantiles)


def _open_session(model: bytes, source: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    for pool in ("intra", "inter"):
        options.add_session_config_entry(f"session.{pool}_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(
            f"{source} is not an ONNX model that can be run ({_first_line(error)}); "
            "train one with: oi-hedge train"
        ) from error


def _read_card(session: ort.InferenceSession, source: str) -> ModelCard:
    text = session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
    if text is None:
        raise ModelError(f"{source} carries no card ({CARD_KEY}): it was not written by oi-hedge train")
    return ModelCard.from_json(text, source)


def _check_shapes(
    session: ort.InferenceSession,
    inputs: dict[str, tuple[int, ...]],
    outputs: dict[str, tuple[int, ...]],
    source: str,
) -> None:
    found = {each.name: tuple(each.shape) for each in session.get_inputs()}
    if found != inputs:
        raise ModelError(f"{source}: expected inputs {inputs} by its card, was {found}; train it anew")
    found = {each.name: tuple(each.shape) for each in session.get_outputs()}
    if found != outputs:
        raise ModelError(f"{source}: expected outputs {outputs} by its card, was {found}; train it anew")
    types = {each.type for each in (*session.get_inputs(), *session.get_outputs())}
    if types != {"tensor(float)"}:
        raise ModelError(f"{source}: expected 32-bit floats only, was {sorted(types)}; train it anew")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
