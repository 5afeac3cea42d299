"""Tiny ONNX models with a real card, whose forecast a test can dictate."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from oi_hedge_strategy.cascades import SIDES, CascadeDefinition
from oi_hedge_strategy.forecast.card import CARD_KEY, ModelCard, head
from oi_hedge_strategy.forecast.model import INPUTS, OUTPUTS
from oi_hedge_strategy.state import StateSchema
from oi_hedge_strategy.state.liquidation_map import LiquidationMapConfig

FOREVER = 4_102_444_800_000_000_000  # 2100-01-01T00:00Z
SHORT_SCHEMA = StateSchema(
    venues=("BINANCE", "BYBIT"),
    offsets_hours=(0.0, 1.0, 2.0, 4.0, 8.0),
    max_age_hours=24.0,
    liquidation_map=LiquidationMapConfig(memory_days=0.5),
)
"""Looks back eight hours and remembers half a day, so that small markets fill it."""


def tiny_card(
    schema: StateSchema = SHORT_SCHEMA, horizons: tuple[int, ...] = (4, 18), **changes: Any
) -> ModelCard:
    """Return a valid card; `changes` replace its fields."""
    card = ModelCard(
        name="tiny",
        schema=schema,
        cascade=CascadeDefinition(horizons_hours=horizons),
        channels_seen=("log_price",),
        assets=("ETH",),
        trained_from=0,
        trained_until=0,
        expires=FOREVER,
        simulated=True,
        data_fingerprint="0" * 64,
        splits={},
        metrics={},
        calibration={"method": "platt"},
        architecture="constant",
        quantile_levels=(0.1, 0.5, 0.9),
        alert_threshold={head(side, hours): 0.5 for side in SIDES for hours in horizons},
    )
    return replace(card, **changes)


def model_bytes(
    card: ModelCard | None = None,
    probability: float | tuple[float, float] = 0.9,
    adverse: float = 0.10,
    favourable: float = 0.01,
    sensitivity: float = 0.0,
    graph_schema: StateSchema | None = None,
    card_text: str | None = None,
    element: int = TensorProto.FLOAT,
) -> bytes:
    """
    Return an ONNX model that answers constants.

    Parameters
    ----------
    card : ModelCard
        Its card; `tiny_card()` by default.
    probability : float, or (down, up)
        For every horizon.
    adverse, favourable : float
        For both sides and every horizon.
    sensitivity : float
        Amplitude by which the probability swings with the sine of the sum of all inputs; any change of any
        input then shows in the forecast.
    graph_schema : StateSchema
        Shapes of the graph where they differ from the card's.
    card_text : str
        Stored in place of the card; no card at all when empty.
    element : int
        ONNX element type.

    """
    card = card or tiny_card()
    venues, channels, offsets = (graph_schema or card.schema).shape
    grid = [1, venues, channels, offsets]
    bands = len(card.schema.liquidation_map.bands) - 1
    shapes = dict(zip(INPUTS, (grid, grid, grid, [1, 2, bands], [1, 2]), strict=True))
    heads = len(SIDES), len(card.cascade.horizons_hours)
    out = (1, 3, *heads)
    moves = np.broadcast_to(
        np.reshape([adverse, favourable], (1, 2, 1, 1, 1)), (1, 2, len(card.quantile_levels), *heads)
    )
    constant, swing = np.zeros(out), np.zeros(out)
    constant[0, 0] = np.broadcast_to(np.reshape(probability, (-1, 1)), out[2:])
    constant[0, 1], constant[0, 2], swing[0, 0] = adverse, favourable, sensitivity
    numpy_type = helper.tensor_dtype_to_np_dtype(element)
    nodes = [helper.make_node("ReduceSum", [name], [f"sum_{name}"], keepdims=0) for name in INPUTS]
    nodes += [
        helper.make_node("Sum", [f"sum_{name}" for name in INPUTS], ["total"]),
        helper.make_node("Sin", ["total"], ["wave"]),
        helper.make_node("Mul", ["wave", "swing"], ["moved"]),
        helper.make_node("Add", ["moved", "constant"], [OUTPUTS[0]]),
        helper.make_node("Identity", ["moves"], [OUTPUTS[1]]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, element, shape) for name, shape in shapes.items()],
        [
            helper.make_tensor_value_info(name, element, shape)
            for name, shape in zip(OUTPUTS, (out, moves.shape), strict=True)
        ],
        [
            onnx.numpy_helper.from_array(array.astype(numpy_type), name)
            for name, array in (("constant", constant), ("swing", swing), ("moves", moves))
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    text = card.to_json() if card_text is None else card_text
    if text:
        helper.set_model_props(model, {CARD_KEY: text})
    content: bytes = model.SerializeToString()
    return content


def write_model(path: Path, card: ModelCard | None = None, **values: Any) -> Path:
    """Write `model_bytes` to `path` and return it."""
    path.write_bytes(model_bytes(card, **values))
    return path
