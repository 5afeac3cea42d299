"""The training set: the strategy's own market state, replayed over a catalog, beside what followed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.cascades import CascadeDefinition, label_cascades
from oi_hedge_strategy.history import DECISION_LAG_NS, AssetHistory
from oi_hedge_strategy.state import CHANNELS, MarketState, StateSchema, Stream

Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Samples:
    """
    Hold snapshots and outcomes; every array has one row for each sample.

    Parameters
    ----------
    ts : int64 array
        Decision times.
    asset : int8 array
        Index into the assets of the data set.
    values : float32 array, shape (n, venues, channels, offsets)
        Raw as-of samples of the channels that the data contain.
    mask : bool array, of the same shape
        Where they were known.
    age : float16 array, of the same shape
        Their ages in hours.
    liquidation_map : float32 array, shape (n, 2, bands)
        The liquidation map.
    cascade : float32 array, shape (n, sides, horizons)
        Whether a cascade followed, NaN where not known.
    change : float32 array, shape (n, horizons)
        The price change over the horizon, NaN where not known.

    """

    ts: NDArray[np.int64]
    asset: NDArray[np.int8]
    values: Singles
    mask: NDArray[np.bool_]
    age: NDArray[np.float16]
    liquidation_map: Singles
    cascade: Singles
    change: Singles

    def __len__(self) -> int:
        return int(self.ts.size)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Samples":
        """Return the samples of `rows`."""
        return Samples(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class DataSet:
    """
    Hold all assets' samples, sorted by time, and what they were made from.

    Parameters
    ----------
    samples : Samples
        The samples.
    assets : tuple of str
        Names that `Samples.asset` indexes.
    channels : tuple of int
        Indices into `CHANNELS` of the sampled channels.
    fingerprint : str
        SHA-256 over all events and the schema.

    """

    samples: Samples
    assets: tuple[str, ...]
    channels: tuple[int, ...]
    fingerprint: str


def build_dataset(
    histories: Sequence[AssetHistory],
    schema: StateSchema,
    definition: CascadeDefinition,
    every_hours: int = 3,
) -> DataSet:
    """
    Replay each asset's history through a market state and label the samples.

    Parameters
    ----------
    histories : sequence of AssetHistory
        One for each asset, read up to the end of the training data.
    schema : StateSchema
        The inputs.
    definition : CascadeDefinition
        The outcome.
    every_hours : int
        One sample for so many hours; neighbours share almost all of their look-back.

    Raises
    ------
    CatalogError
        If no hour has both open interest and a known outcome.

    """
    streams = {Stream(int(s)) for each in histories for s in np.unique(each.stream)}
    channels = tuple(at for at, channel in enumerate(CHANNELS) if channel.stream in streams)
    parts = [
        _asset_samples(history, index, schema, definition, channels, every_hours)
        for index, history in enumerate(
            tqdm(histories, desc="replay", unit="asset", leave=False, disable=None)
        )
    ]
    joined = Samples(*(np.concatenate([getattr(p, n) for p in parts]) for n in Samples.__slots__))
    if not len(joined):
        raise CatalogError("no hour has both open interest and a known outcome; ingest a longer history")
    return DataSet(
        joined.take(np.argsort(joined.ts, kind="stable")),
        tuple(each.asset for each in histories),
        channels,
        fingerprint(histories, schema),
    )


def fingerprint(histories: Sequence[AssetHistory], schema: StateSchema) -> str:
    """Return the SHA-256 of a schema and all events."""
    digest = hashlib.sha256(schema.to_json().encode())
    for each in histories:
        digest.update(f"{each.asset} {each.reference} {each.venues}".encode())
        for array in (each.ts, each.stream, each.venue, each.fields, each.bars):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _asset_samples(
    history: AssetHistory,
    asset: int,
    schema: StateSchema,
    definition: CascadeDefinition,
    channels: tuple[int, ...],
    every_hours: int,
) -> Samples:
    market = history.hourly()
    labels = label_cascades(market, definition)
    labelled = np.isfinite(labels.cascade).any(axis=(1, 2)) & np.isfinite(market.open_interest).any(axis=1)
    rows = np.flatnonzero(labelled)[::every_hours]
    picked = list(channels)
    shape = (rows.size, len(schema.venues), len(channels), len(schema.offsets_hours))
    values, mask = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
    age = np.zeros(shape, np.float16)
    bands = len(schema.liquidation_map.bands) - 1
    levels = np.zeros((rows.size, 2, bands), np.float32)
    times = market.ts[rows] + DECISION_LAG_NS
    for at, snapshot in enumerate(history.replay(MarketState(schema), times)):
        values[at] = snapshot.values[0][:, picked]
        mask[at] = snapshot.mask[0][:, picked]
        age[at] = snapshot.age[0][:, picked]
        levels[at] = snapshot.liquidation_map[0]
    outcome = labels.cascade[rows].astype(np.float32), labels.change[rows].astype(np.float32)
    return Samples(times, np.full(rows.size, asset, np.int8), values, mask, age, levels, *outcome)
