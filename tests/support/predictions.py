"""A walk-forward's predictions on planted cascades, for the tests of scores and report."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.training.predictions import FoldRecord, Predictions

HOUR = 3_600_000_000_000
START = np.datetime64("2022-09-01T00:00:10", "ns").astype(np.int64)
HORIZONS = (4, 18, 48)
SKILLS = {"prevalence": 0.0, "volatility": 0.3, "logistic": 0.6, "boosted_trees": 0.6, "hybrid": 0.9}
FOLDS = 4


def make_predictions(
    days: int = 240,
    assets: tuple[str, ...] = ("ETH", "BTC"),
    every_hours: int = 3,
    skills: Mapping[str, float] = SKILLS,
    seeds: int = 2,
    seed: int = 0,
    onsets: bool = True,
) -> Predictions:
    """Return forecasters that see so much of what drives the cascades; "hybrid" has several seeds."""
    rng = np.random.default_rng(seed)
    n = days * 24 // every_hours
    state = np.convolve(rng.normal(size=n + 30), np.ones(31) / 31**0.5, "valid")[:n]
    driver = np.column_stack([state + 0.5 * rng.normal(size=n) for _ in assets])
    cascade, onset = _cascades(driver, every_hours, rng)
    total = n * len(assets)
    cascade, onset = cascade.reshape(total, 2, 3), onset.reshape(total, 2, 3)
    rate = np.nanmean(cascade, axis=0)
    logit = np.log(rate / (1 - rate))
    seen = driver.reshape(total)[:, None, None]
    probability = {}
    for name, skill in skills.items():
        noise = rng.normal(0.0, 0.1 if skill else 0.0, (seeds if name == "hybrid" else 1, total, 2, 3))
        probability[name] = _single(1.0 / (1.0 + np.exp(-(logit + skill * seen - skill**2 / 2 + noise))))
    return Predictions(
        ts=np.repeat(START + np.arange(n) * every_hours * HOUR, len(assets)),
        asset=np.tile(np.arange(len(assets)), n).astype(np.int8),
        assets=assets,
        fold=(np.arange(total) * FOLDS // total).astype(np.int16),
        cascade=_single(cascade),
        change=_single(rng.normal(0, 0.02, (total, 3))),
        horizons_hours=HORIZONS,
        probability=probability,
        threshold={
            name: np.repeat(np.quantile(values[0], 0.9, axis=0)[None], FOLDS, axis=0)
            for name, values in probability.items()
        },
        onset_hours=_single(onset) if onsets else None,
    )


def make_folds() -> list[FoldRecord]:
    """Return four quarterly folds."""
    names = ("2022-Q4", "2023-Q1", "2023-Q2", "2023-Q3")
    windows = {
        "training": ("2020-09-01T00:00:10+00:00", "2022-01-31T21:00:10+00:00"),
        "stopping": ("2022-03-10T00:00:10+00:00", "2022-05-01T00:00:10+00:00"),
        "calibration": ("2022-05-04T00:00:10+00:00", "2022-07-20T00:00:10+00:00"),
        "test": ("2022-09-01T00:00:10+00:00", "2022-11-01T00:00:10+00:00"),
    }
    losses = {"hybrid": [[0.3, 0.25, 0.24], [0.31, 0.26, 0.25]]}
    return [FoldRecord(name, windows, losses, losses, {"hybrid": 12.5, "logistic": 1.5}) for name in names]


def _cascades(
    driver: NDArray[np.float64], every_hours: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Plant cascades at a rate that the driver decides; label the samples before each."""
    cascade = np.zeros((*driver.shape, 2, len(HORIZONS)))
    onset = np.full(cascade.shape, np.nan)
    for asset, side in np.ndindex(driver.shape[1], 2):
        for at in np.flatnonzero(rng.random(driver.shape[0]) < 0.012 * np.exp(driver[:, asset])):
            for h, hours in enumerate(HORIZONS):
                rows = np.arange(max(0, at - hours // every_hours + 1), at + 1)
                cascade[rows, asset, side, h] = 1.0
                onset[rows, asset, side, h] = (at - rows) * every_hours + 1.0
    cascade[-HORIZONS[-1] // every_hours :] = np.nan
    return cascade, onset


def _single(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.astype(np.float32)
