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
from oi_hedge_strategy.forecast.model import INPUTS, OUTPUTS, Forecaster
from oi_hedge_strategy.training.fuse import fused
from oi_hedge_strategy.training.network import CalibratedForecast
from oi_hedge_strategy.training.recording import Snapshots

_OPSET = 17
_PARITY = 1e-5


def export_model(graph: CalibratedForecast, card: ModelCard, samples: Snapshots, path: Path) -> ModelCard:
    """
    Write `graph` to `path` and return its card with the parity that was measured.

    Parameters
    ----------
    graph : CalibratedForecast
        The trained, calibrated network.
    card : ModelCard
        Its card.
    samples : Snapshots
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


def measure_parity(graph: CalibratedForecast, forecaster: Forecaster, samples: Snapshots) -> float:
    """Return the largest difference between network and exported graph, all samples one by one."""
    worst = 0.0
    for row in range(len(samples)):
        one = samples.rows(slice(row, row + 1))
        with torch.no_grad():
            expected = graph(*(torch.from_numpy(getattr(one, name)) for name in INPUTS))
        found = forecaster.predict(samples.snapshot(row))
        got = np.stack([found.probability, found.adverse, found.favourable]), found.quantiles
        for ours, theirs in zip(expected, got, strict=True):
            worst = max(worst, float(np.abs(ours[0].numpy() - theirs).max()))
    return worst


def _to_onnx(graph: CalibratedForecast, card: ModelCard) -> onnx.ModelProto:
    venues, channels, offsets = card.schema.shape
    grid = torch.zeros(1, venues, channels, offsets)
    levels = torch.zeros(1, 2, len(card.schema.liquidation_map.bands) - 1)
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            fused(graph),
            (grid, grid, grid, levels, torch.zeros(1, 2)),
            buffer,  # type: ignore[arg-type]
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            opset_version=_OPSET,
            dynamo=False,
        )
    return onnx.load_from_string(buffer.getvalue())


def _with_card(model: onnx.ModelProto, card: ModelCard) -> bytes:
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {CARD_KEY: card.to_json()})
    content: bytes = model.SerializeToString()
    return content
