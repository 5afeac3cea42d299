"""Fit the network: likelihood of cascades plus expected moves, stopped early in the order of time."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from oi_hedge_strategy.training.dataset import DataSet, Samples
from oi_hedge_strategy.training.network import CascadeNetwork

Batch = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class FitConfig:
    """
    Configure a fit.

    Parameters
    ----------
    epochs, patience : int
        At most so many passes; stop after so many without a better early-stopping loss.
    batch_size : int
        Samples a step.
    learning_rate, weight_decay : float
        Of AdamW.
    venue_dropout : float
        Probability that a training sample loses a venue, for each venue.
    move_weight : float
        Weight of the expected moves' loss against the cascades' likelihood.
    seed : int
        Of weights, order and dropout.

    """

    epochs: int = 12
    patience: int = 3
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 2e-2
    venue_dropout: float = 0.1
    move_weight: float = 0.02
    seed: int = 0


@dataclass(slots=True)
class FitResult:
    """Hold the network of the best epoch and the losses of all."""

    network: CascadeNetwork
    training_loss: list[float] = field(default_factory=list)
    stopping_loss: list[float] = field(default_factory=list)


def fit(
    network: CascadeNetwork,
    data: DataSet,
    training: NDArray[np.int64],
    stopping: NDArray[np.int64],
    config: FitConfig,
) -> FitResult:
    """Fit `network` on the training rows; keep the epoch with the least loss on the stopping rows."""
    generator = torch.Generator().manual_seed(config.seed)
    samples = data.samples
    fit_scale(network, samples, training)
    start_at_base_rates(network, samples.cascade[training])
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    steps = config.epochs * -(-training.size // config.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=steps)
    result = FitResult(network)
    best, best_weights, waited = np.inf, copy.deepcopy(network.state_dict()), 0
    progress = tqdm(range(config.epochs), desc="fit", unit="epoch", leave=False, disable=None)
    for _ in progress:
        network.train()
        losses = []
        order = training[torch.randperm(training.size, generator=generator).numpy()]
        for rows in np.array_split(order, -(-order.size // config.batch_size)):
            batch = drop_venues(to_batch(samples, rows), config.venue_dropout, generator)
            loss = total_loss(network, batch, *outcomes(samples, rows), config.move_weight)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        result.training_loss.append(float(np.mean(losses)))
        result.stopping_loss.append(mean_loss(network, samples, stopping, config))
        progress.set_postfix(train=result.training_loss[-1], stop=result.stopping_loss[-1])
        if result.stopping_loss[-1] < best:
            best, best_weights, waited = result.stopping_loss[-1], copy.deepcopy(network.state_dict()), 0
        else:
            waited += 1
            if waited >= config.patience:
                break
    network.load_state_dict(best_weights)
    network.eval()
    return result


def to_batch(samples: Samples, rows: NDArray[np.int64]) -> Batch:
    """Return the network's inputs for `rows`."""
    return (
        torch.from_numpy(samples.values[rows]),
        torch.from_numpy(samples.mask[rows].astype(np.float32)),
        torch.from_numpy(samples.age[rows].astype(np.float32)),
        torch.from_numpy(samples.liquidation_map[rows]),
    )


def outcomes(samples: Samples, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Return what followed `rows`: cascades and price changes."""
    return torch.from_numpy(samples.cascade[rows]), torch.from_numpy(samples.change[rows])


def drop_venues(batch: Batch, probability: float, generator: torch.Generator) -> Batch:
    """Mask whole venues at random, but never all of a sample's."""
    values, mask, age, levels = batch
    keep = (torch.rand(mask.shape[:2], generator=generator) >= probability).float()
    keep[(mask.amax((2, 3)) * keep).sum(1) == 0] = 1.0
    keep = keep[:, :, None, None]
    return values * keep, mask * keep, age * keep, levels


def total_loss(
    network: CascadeNetwork, batch: Batch, cascade: Tensor, change: Tensor, move_weight: float
) -> Tensor:
    """
    Return the mean negative log-likelihood of cascades plus the weighted error of the expected moves.

    The adverse move is judged where a cascade came, the favourable one where none did, by squared error in
    units of the horizon's volatility: both become conditional means of the change over the whole horizon, so
    that ``p * adverse - (1 - p) * favourable`` is what a hedge is expected to earn before costs.
    """
    logits, adverse, favourable, volatility = network(*batch)
    known = torch.isfinite(cascade)
    target = torch.nan_to_num(cascade)
    likelihood = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    against = torch.stack([-change, change], 1)
    judged = known & torch.isfinite(against)
    against = torch.nan_to_num(against)
    came, stayed = judged & (target > 0.5), judged & (target < 0.5)
    error = _squared_error(adverse, against, volatility, came)
    error = error + _squared_error(favourable, -against, volatility, stayed)
    return (likelihood * known).sum() / known.sum().clamp(min=1) + move_weight * error


def _squared_error(expected: Tensor, move: Tensor, volatility: Tensor, where: Tensor) -> Tensor:
    error = ((move - expected) / volatility).clamp(-10.0, 10.0).square()
    return (error * where).sum() / where.sum().clamp(min=1)


def mean_loss(network: CascadeNetwork, samples: Samples, rows: NDArray[np.int64], config: FitConfig) -> float:
    """Return the loss on `rows`, without dropout."""
    network.eval()
    with torch.no_grad():
        parts = [
            (
                part.size,
                float(
                    total_loss(network, to_batch(samples, part), *outcomes(samples, part), config.move_weight)
                ),
            )
            for part in _chunks(rows)
        ]
    return float(np.average([loss for _, loss in parts], weights=[size for size, _ in parts]))


def predict_logits(network: CascadeNetwork, samples: Samples, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return uncalibrated logits of `rows`, shape (rows, sides, horizons)."""
    network.eval()
    with torch.no_grad():
        logits = [network(*to_batch(samples, part))[0].double().numpy() for part in _chunks(rows)]
    return np.concatenate(logits)


def fit_scale(network: CascadeNetwork, samples: Samples, rows: NDArray[np.int64]) -> None:
    """Set the graph's standardisation of market features from the training rows."""
    every = rows[:: max(1, rows.size // 4096)]
    with torch.no_grad():
        _, market, _ = network.features(*to_batch(samples, every))
    network.market_scale.fit(market)


def start_at_base_rates(network: CascadeNetwork, cascade: NDArray[np.float32]) -> None:
    """Start at the base rates, adverse moves of one deviation and favourable ones near zero."""
    rate = np.clip(np.nanmean(cascade, axis=0), 1e-3, 1 - 1e-3)
    with torch.no_grad():
        network.direct.weight.zero_()
        logits = torch.from_numpy(np.log(rate / (1 - rate)).ravel())
        moves = (torch.full_like(logits, 0.5), torch.full_like(logits, -3.0))
        network.direct.bias.copy_(torch.cat([logits, *moves]))
        network.joint.weight.mul_(0.1)
        network.joint.bias.zero_()


def _chunks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    yield from np.array_split(rows, max(1, rows.size // 1024))
