"""Record what the strategy's own market state would have shown at given times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.history import AssetHistory
from oi_hedge_strategy.state import MarketState, Snapshot, StateSchema
from oi_hedge_strategy.state.schema import NANOSECONDS_PER_HOUR

Singles = NDArray[np.float32]
_DAY_NS = 24 * NANOSECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Snapshots:
    """
    Hold snapshots, one a row; see `Snapshot`.

    Parameters
    ----------
    values, mask, age : float32 array, shape (n, venues, channels, offsets)
        As-of samples.
    liquidation_map : float32 array, shape (n, 2, bands)
        Where leverage would be liquidated.
    clock : float32 array, shape (n, 2)
        Hours of the day and of the week.

    """

    values: Singles
    mask: Singles
    age: Singles
    liquidation_map: Singles
    clock: Singles

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @classmethod
    def empty(cls, rows: int, schema: StateSchema) -> "Snapshots":
        """Return room for so many snapshots."""
        values, mask, age = np.zeros((3, rows, *schema.shape), np.float32)
        levels = np.zeros((rows, 2, len(schema.liquidation_map.bands) - 1), np.float32)
        return cls(values, mask, age, levels, np.zeros((rows, 2), np.float32))

    def snapshot(self, row: int) -> Snapshot:
        """Return one of them as the market state gives it."""
        return Snapshot(*(getattr(self, name)[row : row + 1] for name in Snapshot.__slots__))

    def grids(self) -> tuple[Singles, Singles, Singles]:
        """Return values, mask and age."""
        return self.values, self.mask, self.age

    def copy(self) -> "Snapshots":
        """Return snapshots that the next chunk leaves alone."""
        return Snapshots(*(getattr(self, name).copy() for name in self.__slots__))

    @classmethod
    def joined(cls, parts: Sequence["Snapshots"]) -> "Snapshots":
        """Return all rows of all parts."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def rows(self, rows: slice | NDArray[np.int64]) -> "Snapshots":
        """Return some of them."""
        return Snapshots(*(getattr(self, name)[rows] for name in self.__slots__))


def record(
    history: AssetHistory, schema: StateSchema, times: NDArray[np.int64], chunk: int = 512
) -> Iterator[Snapshots]:
    """
    Yield the snapshots at the ascending `times` in chunks; the arrays are reused by the next chunk.

    Only as much history is replayed before the first time as can have an influence.
    """
    if not times.size:
        return
    room = Snapshots.empty(min(chunk, times.size), schema)
    filled = 0
    for snapshot in history.since(int(times[0]) - warm_up_ns(schema)).replay(MarketState(schema), times):
        for name in Snapshots.__slots__:
            getattr(room, name)[filled] = getattr(snapshot, name)[0]
        filled += 1
        if filled == len(room):
            yield room
            filled = 0
    if filled:
        yield room.rows(slice(filled))


def warm_up_ns(schema: StateSchema) -> int:
    """Return how long before a sample an event can still have an influence on it, nanoseconds."""
    look_back = schema.look_back_ns + int(schema.max_age_hours * NANOSECONDS_PER_HOUR)
    return max(look_back, int(schema.liquidation_map.memory_days * _DAY_NS)) + _DAY_NS
