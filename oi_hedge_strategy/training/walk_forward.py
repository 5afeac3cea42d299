"""Train a model for every date of a walk-forward, beside all baselines, and judge them on what came after."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from numpy.typing import NDArray

from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.forecast.card import ModelCard
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.training.assemble import Calibrated, calibrate, facts
from oi_hedge_strategy.training.feature_set import FeatureSet
from oi_hedge_strategy.training.folds import Fold, fold_dates, make_fold
from oi_hedge_strategy.training.forecasters import NETWORKS, Fitted
from oi_hedge_strategy.training.predictions import FoldRecord, Predictions
from oi_hedge_strategy.training.report import write_training_report
from oi_hedge_strategy.training.score import Scores, score
from oi_hedge_strategy.training.split import EMBARGO_HOURS
from oi_hedge_strategy.training.train import Material, TrainConfig, export, fit_all, prepare

FORECASTERS = ("prevalence", "volatility", "oi_rule", "logistic", "boosted_trees", "lstm", "hybrid")
PREDICTIONS = "predictions.npz"
REPORT = "training_report.html"
_MEMBER = "_member"
_WITH_TREES = "_and_trees"

Results = dict[tuple[str, str, int], Fitted]
"""By date of the fold, forecaster and seed."""


@dataclass(frozen=True, slots=True)
class WalkForward:
    """
    Hold what a walk-forward left.

    Parameters
    ----------
    registry : Registry
        The models, each valid from its own date.
    cards : tuple of ModelCard
        Their cards.
    predictions : Predictions
        What every forecaster said of the time after its date.
    scores : Scores
        The table.
    report : Path
        The HTML report.
    seconds : float
        Wall time.

    """

    registry: Registry
    cards: tuple[ModelCard, ...]
    predictions: Predictions
    scores: Scores
    report: Path
    seconds: float


def walk_forward(
    catalog: ParquetDataCatalog,
    assets: Sequence[str] | None,
    start_ns: int,
    end_ns: int,
    frequency: str,
    out: Path,
    config: TrainConfig,
) -> WalkForward:
    """
    Train a model at every date from `start_ns` to `end_ns` and judge all forecasters on what came after.

    Folds, forecasters and seeds are jobs of one pool. A run that was stopped goes on with the jobs that are
    not done.

    Parameters
    ----------
    catalog : ParquetDataCatalog
        Bars, open interest and funding.
    assets : sequence of str, optional
        Base coins to train on; all with open interest by default.
    start_ns, end_ns : int
        The first model's date at the earliest, and the end of the last test window.
    frequency : str
        A key of `FREQUENCIES`.
    out : Path
        Directory of the registry, the predictions and the report.
    config : TrainConfig
        How to train.

    Raises
    ------
    CatalogError
        If the period holds no date, or a model's history is too short.

    """
    config.check()
    started = time.monotonic()
    dates = _dates(start_ns, end_ns, frequency)
    material = prepare(catalog, assets, end_ns, config, [date for date, _ in dates])
    folds = [make_fold(material.data, date, following) for date, following in dates]
    results = fit_all(material, folds[::-1], FORECASTERS[::-1], config)
    predictions, records = _judge(material.data, folds, results)
    predictions.write(out / PREDICTIONS)
    scores = score(predictions, reference=config.architecture)
    registry, cards = _export(material, folds, results, scores, out, config)
    seconds = time.monotonic() - started
    told = _facts(material, folds, results, cards, seconds, config)
    report = write_training_report(predictions, records, told, out / REPORT, scores)
    return WalkForward(registry, cards, predictions, scores, report, seconds)


def _dates(start_ns: int, end_ns: int, frequency: str) -> list[tuple[int, int]]:
    dates = list(fold_dates(start_ns, end_ns, frequency))
    if not dates:
        raise CatalogError(
            f"no {frequency} date lies in the period; name an earlier --from or a later --until"
        )
    return dates


def members_of(results: Results, fold: Fold, name: str) -> list[Fitted]:
    """Return one forecaster's results of all seeds."""
    return [each for (date, other, _), each in sorted(results.items()) if (date, other) == (fold.name, name)]


def _judge(data: FeatureSet, folds: Sequence[Fold], results: Results) -> tuple[Predictions, list[FoldRecord]]:
    calibrated = [_calibrated(data, fold, results) for fold in folds]
    rows = np.concatenate([fold.test for fold in folds])
    names = list(calibrated[0])
    probability = {name: _joined([each[name] for each in calibrated]) for name in names}
    threshold = {name: np.stack([each[name][0].threshold for each in calibrated]) for name in names}
    predictions = Predictions(
        ts=np.asarray(data.ts[rows]),
        asset=np.asarray(data.asset[rows]),
        assets=data.assets,
        fold=np.repeat(np.arange(len(folds), dtype=np.int16), [fold.test.size for fold in folds]),
        cascade=np.asarray(data.cascade[rows]),
        change=np.asarray(data.change[rows]),
        horizons_hours=data.definition.horizons_hours,
        probability=probability,
        threshold={name: values.astype(np.float32) for name, values in threshold.items()},
        onset_hours=np.asarray(data.onset_hours[rows]),
    )
    return predictions, [_record(data, fold, results) for fold in folds]


def _calibrated(data: FeatureSet, fold: Fold, results: Results) -> dict[str, list[Calibrated]]:
    """
    Return each forecaster's calibrated results, one a seed.

    A network stands there as it is exported, merged from all seeds; its members by themselves beside it, and
    it together with the boosted trees.
    """
    found: dict[str, list[Calibrated]] = {}
    trees = members_of(results, fold, "boosted_trees")
    for name in FORECASTERS:
        members = members_of(results, fold, name)
        if name in NETWORKS:
            found[name] = [calibrate(members, data, fold)]
            found[name + _MEMBER] = [calibrate([each], data, fold) for each in members]
        else:
            found[name] = [calibrate([each], data, fold) for each in members]
    both = [_mean(members_of(results, fold, "hybrid")), _mean(trees)]
    found["hybrid" + _WITH_TREES] = [calibrate(both, data, fold)]
    return found


def _mean(members: Sequence[Fitted]) -> Fitted:
    return Fitted(
        np.mean([each.calibration for each in members], axis=0),
        np.mean([each.test for each in members], axis=0),
    )


def _joined(parts: Sequence[list[Calibrated]]) -> NDArray[np.float32]:
    """Return the test probabilities of all folds, shape (seeds, n, sides, horizons)."""
    seeds = zip(*parts, strict=True)
    return np.stack([np.concatenate([each.test for each in seed]) for seed in seeds]).astype(np.float32)


def _record(data: FeatureSet, fold: Fold, results: Results) -> FoldRecord:
    training: dict[str, list[list[float]]] = {}
    stopping: dict[str, list[list[float]]] = {}
    seconds = {}
    for name in FORECASTERS:
        members = members_of(results, fold, name)
        seconds[name] = sum(each.seconds for each in members)
        if name in NETWORKS:
            training[name] = [each.training_loss for each in members]
            stopping[name] = [each.stopping_loss for each in members]
    windows = {name: ends for name, ends in fold.windows(data).items() if name != "whole"}
    return FoldRecord(fold.name, windows, training, stopping, seconds)


def _export(
    material: Material,
    folds: Sequence[Fold],
    results: Results,
    scores: Scores,
    out: Path,
    config: TrainConfig,
) -> tuple[Registry, tuple[ModelCard, ...]]:
    """Write each fold's model into the registry, valid from its date."""
    registry = Registry.create(out)
    table = scores.to_dict()
    cards = []
    for fold in folds:
        path = material.work / f"{fold.name}-{config.architecture}.onnx"
        members = members_of(results, fold, config.architecture)
        card = export(material, fold, members, path, config, table if fold is folds[-1] else None)
        registry.add(path, fold.until_ns, "walk-forward")
        cards.append(card)
    return registry, tuple(cards)


def _facts(
    material: Material,
    folds: Sequence[Fold],
    results: Results,
    cards: Sequence[ModelCard],
    seconds: float,
    config: TrainConfig,
) -> Any:
    data = material.data
    purge = data.definition.horizons_hours[-1] + data.schema.offsets_hours[-1]
    told = facts(data, material.simulated, purge, EMBARGO_HOURS)
    sizes = {name: _parameters(members_of(results, folds[-1], name)) for name in NETWORKS}
    return told | {
        "parameters": sizes,
        "seconds": seconds,
        "settings": {
            "models": len(cards),
            "seeds": config.seeds,
            "exported": config.architecture,
            "parity of torch and ONNX": max(card.parity for card in cards),
        },
        "notes": [
            "The first fit of a fold decides when to stop, how much to regularise and how to calibrate, with "
            "the purge between its windows; the model itself is then fitted on everything whose outcome was "
            "known by its date, less the embargo.",
        ],
    }


def _parameters(members: Sequence[Fitted]) -> int:
    return sum(weight.numel() for each in members for weight in (each.weights or {}).values())
