"""From the logits of several seeds to calibrated probabilities, and to the model that is exported."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.evaluation.breakdown import iso
from oi_hedge_strategy.evaluation.daily import DAY_NS
from oi_hedge_strategy.forecast.card import ModelCard, outputs
from oi_hedge_strategy.forecast.drift import DriftReference, drift_outputs
from oi_hedge_strategy.history import AssetHistory
from oi_hedge_strategy.state import CHANNELS
from oi_hedge_strategy.training.calibrate import Calibration, cross_fitted, fit_calibration
from oi_hedge_strategy.training.ensemble import merge
from oi_hedge_strategy.training.export import export_model
from oi_hedge_strategy.training.feature_set import FeatureSet
from oi_hedge_strategy.training.folds import Fold
from oi_hedge_strategy.training.forecasters import Fitted, make_network
from oi_hedge_strategy.training.judge import best_threshold, judge
from oi_hedge_strategy.training.network import QUANTILE_LEVELS, Architecture, CalibratedForecast
from oi_hedge_strategy.training.recording import Snapshots, record

Floats = NDArray[np.float64]
_PARITY_SAMPLES = 64
_DRIFT_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Calibrated:
    """
    Hold a forecaster's calibrated probabilities.

    Parameters
    ----------
    calibration : Calibration
        Fitted on the calibration window.
    crosswise : float64 array, shape (rows, sides, horizons)
        Of the calibration window, each half in time calibrated on the other.
    test : float64 array, shape (rows, sides, horizons)
        Of the test window.
    threshold : float64 array, shape (sides, horizons)
        Alert thresholds from the calibration window.

    """

    calibration: Calibration
    crosswise: Floats
    test: Floats
    threshold: Floats


def calibrate(fitted: Sequence[Fitted], data: FeatureSet, fold: Fold) -> Calibrated:
    """Calibrate the mean logit of several seeds on a fold's calibration window."""
    cascade = np.asarray(data.cascade[fold.calibration], np.float64)
    logits = np.mean([each.calibration for each in fitted], axis=0)
    crosswise = cross_fitted(logits, cascade)
    threshold = np.zeros(logits.shape[1:])
    for _, index in outputs(data.definition.horizons_hours):
        known = np.isfinite(cascade[:, *index])
        threshold[index] = best_threshold(crosswise[known, *index], cascade[known, *index])
    calibration = fit_calibration(logits, cascade)
    test = calibration.apply(np.mean([each.test for each in fitted], axis=0))
    return Calibrated(calibration, crosswise, test, threshold)


def export_fold(
    members: Sequence[Fitted],
    architecture: Architecture,
    data: FeatureSet,
    fold: Fold,
    histories: Sequence[AssetHistory],
    valid_days: int,
    simulated: bool,
    out: Path,
    table: Mapping[str, Any] | None = None,
) -> ModelCard:
    """
    Merge the members of a fold into one graph, calibrate it and write it with its card.

    Parameters
    ----------
    members : sequence of Fitted
        The networks, one a seed.
    architecture : str
        Their architecture.
    data : FeatureSet
        The samples.
    fold : Fold
        The windows.
    histories : sequence of AssetHistory
        The events, for snapshots on which graph and network are compared.
    valid_days : int
        Days until the model expires.
    simulated : bool
        Whether the market is a simulated one.
    out : Path
        The ONNX file.
    table : mapping, optional
        Scores of the walk-forward that the model stems from, for its card.

    """
    networks = []
    for member in members:
        if member.weights is None:
            raise CatalogError(f"{fold.name}: {architecture} has no weights; remove its file and train again")
        network = make_network(data, architecture)
        network.load_state_dict(member.weights)
        networks.append(network.eval())
    network = merge(networks)
    result = calibrate(members, data, fold)
    graph = CalibratedForecast(
        network,
        torch.from_numpy(result.calibration.slope.astype(np.float32)),
        torch.from_numpy(result.calibration.intercept.astype(np.float32)),
    )
    judged = fold.calibration
    outcome = np.asarray(data.cascade[judged], np.float64)
    card = ModelCard(
        name=out.stem,
        schema=data.schema,
        cascade=data.definition,
        channels_seen=tuple(CHANNELS[at].name for at in data.channels),
        assets=data.assets,
        trained_from=int(data.ts[0]),
        trained_until=fold.until_ns,
        expires=fold.until_ns + valid_days * DAY_NS,
        simulated=simulated,
        data_fingerprint=data.fingerprint,
        splits={name: list(ends) for name, ends in fold.windows(data).items() if name != "test"},
        metrics=judge(result.crosswise, outcome, data.asset[judged], data.ts[judged], data),
        calibration=_calibration_card(result.calibration, data),
        alert_threshold={
            key: float(result.threshold[index]) for key, index in outputs(data.definition.horizons_hours)
        },
        reference=_reference(data, fold, result.crosswise, members),
        parameters=sum(each.numel() for each in network.parameters()),
        architecture=architecture,
        members=len(members),
        quantile_levels=QUANTILE_LEVELS,
        walk_forward=table or {},
    )
    return export_model(graph, card, parity_snapshots(data, fold, histories), out)


def parity_snapshots(data: FeatureSet, fold: Fold, histories: Sequence[AssetHistory]) -> Snapshots:
    """Return snapshots of the calibration window, spread over assets."""
    parts = []
    for at, history in enumerate(histories):
        rows = fold.calibration[data.asset[fold.calibration] == at]
        some = rows[-max(2, _PARITY_SAMPLES // len(histories)) :]
        if some.size:
            parts += [each.copy() for each in record(history, data.schema, np.asarray(data.ts[some]))]
    return Snapshots.joined(parts)


def _calibration_card(calibration: Calibration, data: FeatureSet) -> dict[str, Any]:
    card: dict[str, Any] = {"method": "platt", "slope": {}, "intercept": {}}
    for key, index in outputs(data.definition.horizons_hours):
        card["slope"][key] = float(calibration.slope[index])
        card["intercept"][key] = float(calibration.intercept[index])
    return card


def _reference(
    data: FeatureSet, fold: Fold, probability: Floats, members: Sequence[Fitted]
) -> dict[str, Any]:
    """Return how inputs were distributed in training and outputs in calibration, and the losses."""
    rows = fold.whole[:: max(1, fold.whole.size // _DRIFT_ROWS)]
    drift = np.asarray(data.drift[rows], np.float64)
    inputs: Mapping[str, Floats] = {name: drift[:, at] for at, name in enumerate(data.drift_names)}
    said = drift_outputs(probability, data.definition.horizons_hours)
    return {
        "drift": DriftReference.fit({**inputs, **said}).to_dict(),
        "training_loss": [each.training_loss for each in members],
        "stopping_loss": [each.stopping_loss for each in members],
    }


def facts(data: FeatureSet, simulated: bool, purge_hours: float, embargo_hours: float) -> dict[str, Any]:
    """Return what the training report says of a run beside its predictions and folds."""
    return {
        "simulated": simulated,
        "definition": asdict(data.definition),
        "data_from": iso(int(data.ts[0])),
        "data_until": iso(int(data.ts[-1])),
        "purge_hours": purge_hours,
        "embargo_hours": embargo_hours,
        "calibration": "Platt scaling, fitted on each fold's calibration window",
    }
