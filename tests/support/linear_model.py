"""A model whose log-odds are a known linear function of its inputs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from oi_hedge_strategy.cascades import SIDES
from oi_hedge_strategy.forecast.card import CARD_KEY, ModelCard
from oi_hedge_strategy.forecast.model import INPUTS, OUTPUTS


def linear_model(card: ModelCard, weights: Mapping[str, Any], bias: float = 0.0) -> bytes:
    """
    Return an ONNX model: every probability is the sigmoid of the bias plus the weighted sum of all inputs.

    Parameters
    ----------
    card : ModelCard
        Its card.
    weights : mapping of str to array
        By input, of the input's shape without the batch; inputs that are not named have no influence.
    bias : float
        Log-odds where all weighted inputs are zero.

    """
    venues, channels, offsets = card.schema.shape
    grid = (1, venues, channels, offsets)
    shapes = dict(
        zip(
            INPUTS,
            (grid, grid, grid, (1, 2, len(card.schema.liquidation_map.bands) - 1), (1, 2)),
            strict=True,
        )
    )
    heads = len(SIDES), len(card.cascade.horizons_hours)
    constants = {
        f"w_{name}": np.zeros(shape, np.float32) + weights.get(name, 0.0) for name, shape in shapes.items()
    }
    constants["bias"] = np.full((1, 1, *heads), bias, np.float32)
    constants["expected"] = np.full((1, 2, *heads), 0.05, np.float32)
    constants["moves"] = np.full((1, 2, len(card.quantile_levels), *heads), 0.05, np.float32)
    nodes = []
    for name in INPUTS:
        nodes.append(helper.make_node("Mul", [name, f"w_{name}"], [f"part_{name}"]))
        nodes.append(helper.make_node("ReduceSum", [f"part_{name}"], [f"sum_{name}"], keepdims=0))
    nodes += [
        helper.make_node("Sum", [f"sum_{name}" for name in INPUTS], ["total"]),
        helper.make_node("Add", ["bias", "total"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probability"]),
        helper.make_node("Concat", ["probability", "expected"], [OUTPUTS[0]], axis=1),
        helper.make_node("Identity", ["moves"], [OUTPUTS[1]]),
    ]
    kind = TensorProto.FLOAT
    outputs = zip(OUTPUTS, ((1, 3, *heads), constants["moves"].shape), strict=True)
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in outputs],
        [onnx.numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    content: bytes = model.SerializeToString()
    return content
