"""Write a trained network as an ONNX file with its card, and prove that it computes the same."""

import os
import warnings
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import torch

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.forecast.card import CARD_KEY, ModelCard
from oi_hedge_strategy.forecast.model import INPUTS, OUTPUT, Forecaster
from oi_hedge_strategy.state import CHANNELS, Snapshot
from oi_hedge_strategy.training.dataset import Samples
from oi_hedge_strategy.training.network import CalibratedForecast

_OPSET = 17
_PARITY = 1e-5


def export_model(graph: CalibratedForecast, card: ModelCard, samples: Samples, path: Path) -> ModelCard:
    """
    Write `graph` to `path` and return its card with the parity that was measured.

    Parameters
    ----------
    graph : CalibratedForecast
        The trained, calibrated network.
    card : ModelCard
        Its card.
    samples : Samples
        Real inputs on which the exported graph must equal the torch network.
    path : Path
        The file; it appears whole or not at all.

    Raises
    ------
    ModelError
        If the exported graph differs from the network by more than 1e-5.

    """
    graph.eval()
    model = _to_onnx(graph, card)
    parity = measure_parity(graph, Forecaster(_with_card(model, card), path.name), samples)
    if not parity <= _PARITY:
        raise ModelError(f"{path}: the exported graph differs from the network by {parity:.2e} > {_PARITY}")
    card = replace(card, parity=parity)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(path.name + ".tmp")
    staged.write_bytes(_with_card(model, card))
    os.replace(staged, path)
    return card


def measure_parity(graph: CalibratedForecast, forecaster: Forecaster, samples: Samples) -> float:
    """Return the largest difference between network and exported graph, all samples one by one."""
    worst = 0.0
    for row in range(len(samples)):
        snapshot = _snapshot(graph, samples, row)
        with torch.no_grad():
            expected = graph(*(torch.from_numpy(getattr(snapshot, name)) for name in INPUTS))[0].numpy()
        found = forecaster.predict(snapshot)
        for want, got in zip(expected, (found.probability, found.adverse, found.favourable), strict=True):
            worst = max(worst, float(np.abs(want - got).max()))
    return worst


def _snapshot(graph: CalibratedForecast, samples: Samples, row: int) -> Snapshot:
    """Return one sample with all of the schema's channels."""
    seen = graph.channels.numpy()
    _, venues, _, offsets = samples.values.shape
    grid = np.zeros((3, 1, venues, len(CHANNELS), offsets), np.float32)
    for out, part in zip(grid, (samples.values, samples.mask, samples.age), strict=True):
        out[0][:, seen] = part[row]
    values, mask, age = grid
    return Snapshot(values, mask, age, samples.liquidation_map[row : row + 1])


def _to_onnx(graph: CalibratedForecast, card: ModelCard) -> onnx.ModelProto:
    venues, channels, offsets = card.schema.shape
    grid = torch.zeros(1, venues, channels, offsets)
    levels = torch.zeros(1, 2, len(card.schema.liquidation_map.bands) - 1)
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            (grid, grid, grid, levels),
            buffer,  # type: ignore[arg-type]
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            opset_version=_OPSET,
            dynamo=False,
        )
    return onnx.load_from_string(buffer.getvalue())


def _with_card(model: onnx.ModelProto, card: ModelCard) -> bytes:
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {CARD_KEY: card.to_json()})
    content: bytes = model.SerializeToString()
    return content
