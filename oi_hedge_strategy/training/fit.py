"""Fit one network: likelihood of cascades, quantiles of moves and auxiliary targets, stopped early."""

import copy
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oi_hedge_strategy.evaluation.files import write_bytes
from oi_hedge_strategy.training.baselines import Logistic, coefficients
from oi_hedge_strategy.training.feature_set import FeatureSet
from oi_hedge_strategy.training.network import QUANTILE_LEVELS, CascadeNetwork

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
_CHUNK = 4096
TABLE_STEP = 2
"""A regression takes every so-many-th row: neighbours hardly differ."""


@dataclass(frozen=True, slots=True)
class FitConfig:
    """
    Configure a fit.

    Parameters
    ----------
    epochs, patience : int
        At most so many passes; stop after so many without a better early-stopping
        loss, never when None: then the last epoch is kept.
    passes : int
        An epoch takes every so-many-th row, another share each time: neighbours hardly differ.
    batch_size : int
        Samples a step.
    learning_rate, weight_decay : float
        Of AdamW.
    disturbed : float
        Probability that a training sample is shown with venues missing or late.
    quantile_weight, auxiliary_weight : float
        Weights of the losses of moves and auxiliary targets beside the cascades' likelihood.
    least_epochs : int
        Of a final fit, which has no window left to stop on.
    regression : bool
        Start from a logistic regression; else from the base rates.
    strengths : tuple of float
        Regularisation of the regression by output; chosen on the stopping window when empty.

    """

    epochs: int = 10
    patience: int | None = 3
    passes: int = 3
    batch_size: int = 512
    learning_rate: float = 3e-3
    weight_decay: float = 5e-2
    disturbed: float = 0.5
    quantile_weight: float = 0.1
    auxiliary_weight: float = 1.0
    least_epochs: int = 6
    regression: bool = True
    strengths: tuple[float, ...] = ()

    def of_seed(self, seed: int) -> "FitConfig":
        """Return the configuration of one member of an ensemble: every other one has no regression beside."""
        return replace(self, regression=seed % 2 == 0)


@dataclass(slots=True)
class FitResult:
    """Hold the network of the best epoch and the losses of all."""

    network: CascadeNetwork
    training_loss: list[float] = field(default_factory=list)
    stopping_loss: list[float] = field(default_factory=list)
    strengths: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Targets:
    """Hold what is learnt of a batch; NaN where not known."""

    cascade: Tensor
    moves: Tensor
    auxiliary: Tensor


def fit(
    make: Callable[[], CascadeNetwork],
    data: FeatureSet,
    training: Rows,
    stopping: Rows,
    config: FitConfig,
    seed: int,
    checkpoint: Path | None = None,
) -> FitResult:
    """
    Fit a network on the training rows; keep the epoch with the least loss on the stopping rows.

    Parameters
    ----------
    make : callable
        Returns an unfitted network; its weights come from `seed`.
    data : FeatureSet
        The samples.
    training, stopping : int64 array
        Rows of `data`.
    config : FitConfig
        How to fit.
    seed : int
        Of weights, order and dropout.
    checkpoint : Path, optional
        Tensors and losses after each epoch; a fit that was stopped goes on from there.

    """
    torch.manual_seed(seed)
    result = FitResult(make())
    network = result.network
    result.strengths = prepare(network, data, training, stopping, config)
    centre, spread = _moments(data.auxiliary[training])
    optimiser = torch.optim.AdamW(
        [each for each in network.parameters() if each.requires_grad],
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    parts = [training[at :: config.passes] for at in range(config.passes)]
    steps = config.epochs * -(-parts[0].size // config.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=steps)
    best, waited, start = copy.deepcopy(network.state_dict()), 0, 0
    saved = _restore(checkpoint)
    if saved is not None:
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        schedule.load_state_dict(saved["schedule"])
        best, waited, start = saved["best"], saved["waited"], saved["epoch"]
        result.training_loss, result.stopping_loss = saved["training_loss"], saved["stopping_loss"]
    for epoch in range(start, config.epochs):
        if config.patience is not None and waited >= config.patience:
            break
        torch.manual_seed(seed * 1_000_003 + epoch + 1)
        part = parts[epoch % config.passes]
        order = np.sort(part)[torch.randperm(part.size).numpy()]
        network.train()
        losses = []
        for rows in np.array_split(order, -(-order.size // config.batch_size)):
            view = data.views[int(torch.rand(()) < config.disturbed)]
            loss = total_loss(network, view.batch(rows), targets(data, rows, centre, spread), config)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        result.training_loss.append(float(np.mean(losses)))
        if config.patience is not None:
            result.stopping_loss.append(stopping_loss(network, data, stopping))
        if config.patience is None or result.stopping_loss[-1] <= min(result.stopping_loss):
            best, waited = copy.deepcopy(network.state_dict()), 0
        else:
            waited += 1
        if checkpoint is not None:
            _save(checkpoint, network, optimiser, schedule, best, waited, epoch + 1, result)
    network.load_state_dict(best)
    network.reader.forget(torch.from_numpy(data.seen_venues(training)))
    network.eval()
    return result


def prepare(
    network: CascadeNetwork, data: FeatureSet, training: Rows, stopping: Rows, config: FitConfig
) -> tuple[float, ...]:
    """Set the scale of the market features and the regression beside the network; return its strengths."""
    market = data.views[0].market
    network.scale.fit(torch.from_numpy(np.asarray(market[training[:: max(1, training.size // 20_000)]])))
    with torch.no_grad():
        network.out.bias.zero_()
    tables = [_scaled(network, market[rows[::TABLE_STEP]]) for rows in (training, stopping)]
    cascade = [np.asarray(data.cascade[rows[::TABLE_STEP]]) for rows in (training, stopping)]
    if config.regression:
        found = (
            np.reshape(config.strengths, cascade[0].shape[1:])
            if config.strengths
            else (Logistic().choose(tables[0], cascade[0], tables[1], cascade[1]))
        )
        slope, intercept = coefficients(tables[0], cascade[0], found)
        with torch.no_grad():
            network.out.weight.mul_(0.1)
            network.regression.weight.copy_(torch.from_numpy(slope.reshape(slope.shape[0], -1).T))
            network.regression.bias.copy_(torch.from_numpy(intercept.ravel()))
        return tuple(found.ravel().tolist())
    rate = np.clip(np.nanmean(cascade[0], axis=0), 1e-4, 1 - 1e-4)
    with torch.no_grad():
        network.regression.weight.zero_()
        network.regression.bias.copy_(torch.from_numpy(np.log(rate / (1 - rate)).ravel()))
    return ()


def _scaled(network: CascadeNetwork, market: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.no_grad():
        scaled: NDArray[np.float32] = network.scale(torch.from_numpy(np.asarray(market))).numpy()
    return scaled


def targets(data: FeatureSet, rows: Rows, centre: Tensor, spread: Tensor) -> Targets:
    """Return what is learnt of `rows`: moves in units of the horizon's volatility, auxiliary standardised."""
    cascade = torch.from_numpy(data.cascade[rows])
    change = torch.from_numpy(data.change[rows])
    roots = torch.tensor(data.definition.horizons_hours, dtype=torch.float32).sqrt()
    volatility = torch.from_numpy(np.asarray(data.views[0].volatility[rows])) * roots
    to_side = torch.stack([-change, change], 1) / volatility[:, None]
    nothing = torch.full_like(to_side, torch.nan)
    came, stayed = cascade > 0.5, cascade < 0.5
    moves = torch.stack([torch.where(came, to_side, nothing), torch.where(stayed, -to_side, nothing)], 1)
    auxiliary = (torch.from_numpy(data.auxiliary[rows]) - centre) / spread
    return Targets(cascade, moves.clamp(-10.0, 10.0), auxiliary)


def total_loss(
    network: CascadeNetwork, batch: tuple[Tensor, Tensor, Tensor], wanted: Targets, config: FitConfig
) -> Tensor:
    """Return the cascades' mean negative log-likelihood plus the weighted losses of the other outputs."""
    logits, quantiles, auxiliary = network(*batch)
    loss = likelihood(logits, wanted.cascade)
    loss = loss + config.quantile_weight * pinball(quantiles, wanted.moves)
    known = torch.isfinite(wanted.auxiliary)
    error = (auxiliary - torch.nan_to_num(wanted.auxiliary)).square() * known
    return loss + config.auxiliary_weight * error.sum() / known.sum().clamp(min=1)


def likelihood(logits: Tensor, cascade: Tensor) -> Tensor:
    """Return the mean negative log-likelihood of the known cascades."""
    known = torch.isfinite(cascade)
    each = nn.functional.binary_cross_entropy_with_logits(logits, torch.nan_to_num(cascade), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def pinball(quantiles: Tensor, moves: Tensor) -> Tensor:
    """Return the mean pinball loss of quantiles, shape (n, 2, levels, ...), of moves, shape (n, 2, ...)."""
    level = torch.tensor(QUANTILE_LEVELS)[:, None, None]
    known = torch.isfinite(moves)[:, :, None].expand_as(quantiles)
    gap = torch.nan_to_num(moves)[:, :, None] - quantiles
    each = torch.maximum(level * gap, (level - 1.0) * gap)
    return (each * known).sum() / known.sum().clamp(min=1)


def stopping_loss(network: CascadeNetwork, data: FeatureSet, rows: Rows) -> float:
    """Return the cascades' negative log-likelihood on `rows`, without dropout."""
    logits = torch.from_numpy(predict_logits(network, data, rows))
    return float(likelihood(logits, torch.from_numpy(data.cascade[rows].astype(np.float64))))


def predict_logits(network: CascadeNetwork, data: FeatureSet, rows: Rows, view: int = 0) -> Floats:
    """Return uncalibrated logits of `rows`, shape (rows, sides, horizons)."""
    network.eval()
    with torch.no_grad():
        logits = [network(*data.views[view].batch(part))[0].double().numpy() for part in _chunks(rows)]
    return np.concatenate(logits)


def _chunks(rows: Rows) -> Iterator[Rows]:
    yield from np.array_split(rows, max(1, -(-rows.size // _CHUNK)))


def _moments(values: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    centre, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    return torch.from_numpy(centre), torch.from_numpy(np.maximum(spread, 1e-3))


def _save(
    path: Path,
    network: CascadeNetwork,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    best: dict[str, Any],
    waited: int,
    epoch: int,
    result: FitResult,
) -> None:
    content = {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "best": best,
        "waited": waited,
        "epoch": epoch,
        "training_loss": result.training_loss,
        "stopping_loss": result.stopping_loss,
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())


def _restore(path: Path | None) -> dict[str, Any] | None:
    """Return what `_save` wrote; only tensors and plain values are read."""
    if path is None or not path.exists():
        return None
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content
