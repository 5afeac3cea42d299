"""Disturb recorded snapshots as live feeds are: venues missing, venues late."""

import numpy as np

from oi_hedge_strategy.state import StateSchema
from oi_hedge_strategy.training.recording import Snapshots

_MISSING, _LATE = 0.12, 0.12
"""Probabilities by sample and venue."""


def disturb(snapshots: Snapshots, schema: StateSchema, rng: np.random.Generator) -> Snapshots:
    """
    Return a copy in which some venues are missing and some have brought nothing for the last hour.

    A sample never loses all its venues. The liquidation map stays: its venues cannot be told apart.
    """
    values, mask, age = (each.copy() for each in snapshots.grids())
    shape = mask.shape[:2]
    late = rng.random(shape) < _LATE
    _delay(values, mask, age, late, schema)
    gone = rng.random(shape) < _MISSING
    there = mask.max(axis=(2, 3)) > 0.0
    gone[~(there & ~gone).any(axis=1)] = False
    for each in (values, mask, age):
        each[gone] = 0.0
    return Snapshots(values, mask, age, snapshots.liquidation_map, snapshots.clock)


def _delay(
    values: np.ndarray, mask: np.ndarray, age: np.ndarray, late: np.ndarray, schema: StateSchema
) -> None:
    """Show the newest offset what was known at the next one, where `late`, of shape (n, venues)."""
    gap = schema.offsets_hours[1] - schema.offsets_hours[0]
    values[late, :, 0], mask[late, :, 0] = values[late, :, 1], mask[late, :, 1]
    age[late, :, 0] = (age[late, :, 1] + gap) * mask[late, :, 1]
