"""Build the training set: the strategy's own market state replayed over a catalog, in parallel, cached."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from joblib import delayed
from numpy.typing import NDArray
from torch import Tensor

from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy import cascades
from oi_hedge_strategy import history as history_module
from oi_hedge_strategy.cascades import CascadeDefinition, label_cascades
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.forecast import drift
from oi_hedge_strategy.forecast.drift import drift_inputs
from oi_hedge_strategy.history import DECISION_LAG_NS, AssetHistory
from oi_hedge_strategy.state import CHANNELS, StateSchema, Stream, asof, liquidation_map, market, schema
from oi_hedge_strategy.state.schema import NANOSECONDS_PER_HOUR
from oi_hedge_strategy.training import disturb as disturbing
from oi_hedge_strategy.training import features, recording, targets
from oi_hedge_strategy.training.disturb import disturb
from oi_hedge_strategy.training.feature_set import HEAD, VIEWS, FeatureSet, View, allocate, load, view_arrays
from oi_hedge_strategy.training.features import MarketFeatures
from oi_hedge_strategy.training.parallel import run_jobs
from oi_hedge_strategy.training.recording import Snapshots, record
from oi_hedge_strategy.training.targets import auxiliary_targets

_BLOCK_HOURS = 4_380
_CACHED_SETS = 4
_HALF_HOUR_NS = NANOSECONDS_PER_HOUR // 2
_DONE = "done"
_MADE_BY = (
    *(cascades, history_module, drift),
    *(asof, liquidation_map, market, schema),
    *(disturbing, features, recording, targets),
)
"""The code that turns events into features: a set made by other code is not opened."""


@dataclass(frozen=True, slots=True)
class _Labelled:
    """Hold when one asset is sampled and what followed; arrays have one row a sample."""

    ts: NDArray[np.int64]
    cascade: NDArray[np.float32]
    change: NDArray[np.float32]
    onset_hours: NDArray[np.float32]
    auxiliary: NDArray[np.float32]


def build_dataset(
    histories: Sequence[AssetHistory],
    schema: StateSchema,
    definition: CascadeDefinition,
    cache: Path,
    parallel: str = "local",
) -> FeatureSet:
    """
    Replay each asset's history through a market state and keep features and outcomes of every hour.

    Open interest finer than hourly gives a sample at every half hour too, which is labelled with what follows
    the next full hour. Blocks of half a year and an asset are jobs of their own; each replays only as much
    before its first sample as can have an influence. A build that was stopped goes on where it was; one that
    is complete is opened as it is.

    Parameters
    ----------
    histories : sequence of AssetHistory
        One for each asset, read up to the end of the training data.
    schema : StateSchema
        The inputs.
    definition : CascadeDefinition
        The outcome.
    cache : Path
        Directory of all sets; each lies under its fingerprint, and the last few are kept.
    parallel : str
        See `run_jobs`.

    Raises
    ------
    CatalogError
        If no hour has both open interest and a known outcome.

    """
    digest = fingerprint(histories, schema, definition)
    path = cache / digest[:20]
    if not (path / HEAD).exists():
        _build(path, digest, histories, schema, definition, parallel)
        _prune(cache)
    os.utime(path)
    return FeatureSet.open(path)


def fingerprint(histories: Sequence[AssetHistory], schema: StateSchema, definition: CascadeDefinition) -> str:
    """Return the SHA-256 of schema, outcome, all events, and the code that turns them into features."""
    digest = hashlib.sha256(schema.to_json().encode())
    digest.update(json.dumps(asdict(definition), sort_keys=True).encode())
    for module in _MADE_BY:
        digest.update(Path(str(module.__file__)).read_bytes())
    for history in histories:
        digest.update(f"{history.asset} {history.reference} {history.venues}".encode())
        for array in (history.ts, history.stream, history.venue, history.fields, history.bars):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def seen_channels(histories: Sequence[AssetHistory]) -> tuple[int, ...]:
    """Return the indices of the channels that any of the histories brings."""
    streams = {Stream(int(s)) for each in histories for s in np.unique(each.stream)}
    return tuple(at for at, channel in enumerate(CHANNELS) if channel.stream in streams)


def _build(
    path: Path,
    digest: str,
    histories: Sequence[AssetHistory],
    schema: StateSchema,
    definition: CascadeDefinition,
    parallel: str,
) -> None:
    channels = seen_channels(histories)
    labelled = run_jobs([delayed(_label)(history, definition) for history in histories], "label", parallel)
    sizes = [each.ts.size for each in labelled]
    if not sum(sizes):
        raise CatalogError("no hour has both open interest and a known outcome; ingest a longer history")
    ts = np.concatenate([each.ts for each in labelled])
    asset = np.repeat(np.arange(len(histories), dtype=np.int8), sizes)
    order = np.argsort(ts, kind="stable")
    place = np.empty(ts.size, np.int64)
    place[order] = np.arange(ts.size)
    extractor = MarketFeatures(schema, channels)
    drift_names = _drift_names(schema, channels)
    if not (path / _DONE).exists():
        path.mkdir(parents=True, exist_ok=True)
        outcomes = {
            name: np.concatenate([getattr(each, name) for each in labelled])[order]
            for name in ("cascade", "change", "onset_hours", "auxiliary")
        }
        for name, values in {"ts": ts[order], "asset": asset[order], **outcomes}.items():
            np.save(path / f"{name}.npy", values)
        shapes = view_arrays(ts.size, len(schema.venues), extractor)
        for view in VIEWS:
            allocate(path, {f"{view}_{name}": shape for name, shape in shapes.items()})
        allocate(path, {"drift": ((ts.size, len(drift_names)), np.float32)})
        (path / _DONE).mkdir()
    starts = np.cumsum([0, *sizes])
    jobs = [
        delayed(_fill)(path, f"{history.asset}-{block}", history, times, rows, schema, channels)
        for history, own, start in zip(histories, labelled, starts, strict=False)
        for block, times, rows in _blocks(own.ts, place[start : start + own.ts.size])
        if not (path / _DONE / f"{history.asset}-{block}").exists()
    ]
    run_jobs(jobs, "replay", parallel)
    head = {
        "assets": [each.asset for each in histories],
        "names": extractor.names,
        "drift_names": drift_names,
        "channels": channels,
        "schema": schema.to_json(),
        "definition": asdict(definition),
        "fingerprint": digest,
    }
    write_text(path / HEAD, json.dumps(head))


def _label(history: AssetHistory, definition: CascadeDefinition) -> _Labelled:
    market = history.hourly()
    labels = label_cascades(market, definition)
    auxiliary = auxiliary_targets(market, definition)
    known = np.isfinite(labels.cascade).any(axis=(1, 2)) & np.isfinite(market.open_interest).any(axis=1)
    rows = np.flatnonzero(known)
    ts = market.ts[rows] + DECISION_LAG_NS
    if _finer_than_hourly(history):
        rows, ts = np.repeat(rows, 2), np.repeat(ts, 2)
        ts[::2] -= _HALF_HOUR_NS
    outcomes = (labels.cascade, labels.change, labels.onset_hours, auxiliary)
    return _Labelled(ts, *(each[rows].astype(np.float32) for each in outcomes))


def _finer_than_hourly(history: AssetHistory) -> bool:
    """Return whether the open interest of some venue comes more often than once an hour."""
    of_interest = history.stream == Stream.OPEN_INTEREST
    for venue in np.unique(history.venue[of_interest]):
        steps = np.diff(history.ts[of_interest & (history.venue == venue)])
        if steps.size and np.median(steps) <= _HALF_HOUR_NS:
            return True
    return False


def _blocks(
    ts: NDArray[np.int64], place: NDArray[np.int64]
) -> list[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Return number, times and rows of each block, on a fixed calendar."""
    block = ts // (_BLOCK_HOURS * NANOSECONDS_PER_HOUR)
    return [(int(each), ts[block == each], place[block == each]) for each in np.unique(block)]


def _fill(
    path: Path,
    name: str,
    history: AssetHistory,
    times: NDArray[np.int64],
    rows: NDArray[np.int64],
    schema: StateSchema,
    channels: tuple[int, ...],
) -> None:
    """Replay one block and write its rows; the marker comes last."""
    torch.set_num_threads(1)
    extractor = MarketFeatures(schema, channels)
    rng = np.random.default_rng([int(times[0]), *history.asset.encode()])
    inputs = load(path, "drift", "r+")
    views = [[load(path, f"{view}_{name}", "r+") for name in View.__slots__] for view in VIEWS]
    at = 0
    for snapshots in record(history, schema, times):
        part = rows[at : at + len(snapshots)]
        at += len(snapshots)
        inputs[part] = _drift(snapshots, schema, channels)
        for arrays, seen in zip(views, (snapshots, disturb(snapshots, schema, rng)), strict=True):
            for array, values in zip(arrays, _features(extractor, seen), strict=True):
                array[part] = values
    for array in (inputs, *(array for arrays in views for array in arrays)):
        cast(np.memmap, array).flush()
    (path / _DONE / name).touch()


def _features(extractor: MarketFeatures, snapshots: Snapshots) -> list[NDArray[np.float32]]:
    with torch.no_grad():
        given = extractor(*tensors(snapshots))
    return [getattr(given, name).numpy() for name in View.__slots__]


def tensors(snapshots: Snapshots) -> tuple[Tensor, ...]:
    """Return snapshots as the graph's inputs."""
    return tuple(torch.from_numpy(getattr(snapshots, name)) for name in Snapshots.__slots__)


def _drift(snapshots: Snapshots, schema: StateSchema, channels: tuple[int, ...]) -> NDArray[np.float64]:
    return np.stack(list(_drift_inputs(snapshots, schema, channels).values()), axis=1)


def _drift_names(schema: StateSchema, channels: tuple[int, ...]) -> list[str]:
    return list(_drift_inputs(Snapshots.empty(1, schema), schema, channels))


def _drift_inputs(
    snapshots: Snapshots, schema: StateSchema, channels: tuple[int, ...]
) -> dict[str, NDArray[np.float64]]:
    values, mask, age = (each[:, :, list(channels)] for each in snapshots.grids())
    return drift_inputs(values, mask, age, snapshots.liquidation_map, schema, channels)


def _prune(cache: Path) -> None:
    """Remove all sets but the last few used."""
    sets = sorted((each for each in cache.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)
    for old in sets[:-_CACHED_SETS]:
        shutil.rmtree(old)
