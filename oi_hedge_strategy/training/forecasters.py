"""Fit one forecaster on one fold: the job that folds, seeds and forecasters are cut into."""

import io
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.files import write_bytes
from oi_hedge_strategy.training.baselines import baselines
from oi_hedge_strategy.training.feature_set import FeatureSet
from oi_hedge_strategy.training.fit import TABLE_STEP, FitConfig, fit, predict_logits
from oi_hedge_strategy.training.folds import Fold
from oi_hedge_strategy.training.network import Architecture, CascadeNetwork

Floats = NDArray[np.float64]
NETWORKS: tuple[Architecture, Architecture] = ("hybrid", "lstm")
RULE_COLUMNS = ("log_open_interest_since_24h", "funding_8h_mean_24h")


@dataclass(slots=True)
class Fitted:
    """
    Hold what one forecaster of one seed said.

    Parameters
    ----------
    calibration : float64 array, shape (rows, sides, horizons)
        Logits of the first fit on the calibration window.
    test : float64 array, shape (rows, sides, horizons)
        Logits of the final fit on the test window.
    training_loss, stopping_loss : list of float
        Of the first fit, by epoch.
    seconds : float
        Time of both fits.
    weights : dict of str to Tensor, optional
        Of a network's final fit.

    """

    calibration: Floats
    test: Floats
    training_loss: list[float] = field(default_factory=list)
    stopping_loss: list[float] = field(default_factory=list)
    seconds: float = 0.0
    weights: dict[str, torch.Tensor] | None = None


def make_network(data: FeatureSet, architecture: Architecture) -> CascadeNetwork:
    """Return an unfitted network for a data set."""
    return CascadeNetwork(data.schema, data.channels, data.definition.horizons_hours, architecture)


def fit_forecaster(path: Path, fold: Fold, name: str, seed: int, config: FitConfig, out: Path) -> Fitted:
    """
    Fit a forecaster twice and keep what it says.

    The first fit sees the training window only; early stopping and regularisation are chosen on the stopping
    window, calibration later on the calibration window. The final fit repeats it, with what was chosen, on
    everything known by the fold's date, since the purge costs a good part of a short history.

    Parameters
    ----------
    path : Path
        The feature set.
    fold : Fold
        The windows.
    name : str
        A network's architecture or a baseline.
    seed : int
        Of whatever is random.
    config : FitConfig
        How networks are fitted.
    out : Path
        Where the result is kept; a job that is done is read from there, one that was stopped goes on.

    """
    done = out / f"{fold.key}-{name}-{seed}.pt"
    if done.exists():
        return _read(done)
    torch.set_num_threads(1)
    data = FeatureSet.open(path)
    started = time.monotonic()
    if name in NETWORKS:
        fitted = _fit_network(data, fold, name, seed, config, done)
    else:
        fitted = _fit_baseline(data, fold, name, seed)
    fitted.seconds = time.monotonic() - started
    _write(done, fitted)
    return fitted


def _fit_network(
    data: FeatureSet, fold: Fold, name: Architecture, seed: int, config: FitConfig, done: Path
) -> Fitted:
    make = partial(make_network, data, name)
    config = config.of_seed(seed)
    stages = [done.with_suffix(f".{stage}.pt") for stage in ("first", "final")]
    first = fit(make, data, fold.training, fold.stopping, config, seed, stages[0])
    best = int(np.argmin(first.stopping_loss)) + 1
    chosen = replace(
        config,
        epochs=min(config.epochs, max(config.least_epochs, best)),
        strengths=first.strengths,
        patience=None,
    )
    final = fit(make, data, fold.whole, fold.stopping, chosen, seed, stages[1])
    result = Fitted(
        calibration=predict_logits(first.network, data, fold.calibration),
        test=_logits(final.network, data, fold.test),
        training_loss=first.training_loss,
        stopping_loss=first.stopping_loss,
        weights=final.network.state_dict(),
    )
    for stage in stages:
        stage.unlink(missing_ok=True)
    return result


def _logits(network: CascadeNetwork, data: FeatureSet, rows: NDArray[np.int64]) -> Floats:
    if not rows.size:
        return np.zeros((0, *data.cascade.shape[1:]))
    return predict_logits(network, data, rows)


def _fit_baseline(data: FeatureSet, fold: Fold, name: str, seed: int) -> Fitted:
    forecaster = baselines(data.names, RULE_COLUMNS)[name]
    market, cascade = data.views[0].market, data.cascade

    def table(rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return np.asarray(market[rows]), np.asarray(cascade[rows])

    stop = table(fold.stopping)
    first = forecaster.fit(*table(fold.training[::TABLE_STEP]), *stop, seed)
    final = forecaster.refit(*table(fold.whole[::TABLE_STEP]), first, seed)
    return Fitted(first(market[fold.calibration]), final(market[fold.test]))


def _write(path: Path, fitted: Fitted) -> None:
    content: dict[str, Any] = {
        "calibration": torch.from_numpy(fitted.calibration),
        "test": torch.from_numpy(fitted.test),
        "weights": fitted.weights,
        "facts": json.dumps([fitted.training_loss, fitted.stopping_loss, fitted.seconds]),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())


def _read(path: Path) -> Fitted:
    content = torch.load(path, weights_only=True)
    training_loss, stopping_loss, seconds = json.loads(content["facts"])
    arrays = content["calibration"].numpy(), content["test"].numpy()
    return Fitted(*arrays, training_loss, stopping_loss, seconds, content["weights"])


def seeds_of(name: str, seeds: int) -> Sequence[int]:
    """Return the seeds of a forecaster: one where nothing is random."""
    return range(seeds if name in (*NETWORKS, "boosted_trees") else 1)
