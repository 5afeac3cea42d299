"""Networks with random weights, and model files made of them."""

from pathlib import Path

import numpy as np
import torch
from support.models import tiny_card

from oi_hedge_strategy.forecast.conformance import made_up_market
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.state import CHANNELS, Snapshot, StateSchema
from oi_hedge_strategy.training.ensemble import merge
from oi_hedge_strategy.training.export import export_model
from oi_hedge_strategy.training.network import (
    QUANTILE_LEVELS,
    Architecture,
    CalibratedForecast,
    CascadeNetwork,
)
from oi_hedge_strategy.training.recording import Snapshots

HORIZONS = (4, 18, 48)
SEEN = (0, 1, 2, 4, 5, 6)
"""Channels of which random networks know."""


def random_network(
    schema: StateSchema, architecture: Architecture, seed: int, scale: float = 1.0
) -> CascadeNetwork:
    """Return a network with random weights, `scale` times as large as fresh ones."""
    torch.manual_seed(seed)
    network = CascadeNetwork(schema, SEEN, HORIZONS, architecture)
    with torch.no_grad():
        for each in network.parameters():
            each.mul_(scale)
    return network.eval()


def calibrated(network: CascadeNetwork) -> CalibratedForecast:
    """Return the graph that is exported, with a calibration that differs by output."""
    slope = torch.linspace(0.6, 1.2, 6).reshape(2, 3)
    return CalibratedForecast(network, slope, torch.linspace(-2.0, -1.0, 6).reshape(2, 3)).eval()


def write_network(
    path: Path, schema: StateSchema, architecture: Architecture, members: int = 1
) -> Forecaster:  # fmt: skip
    """Export a merged network with random weights and open the file."""
    network = merge([random_network(schema, architecture, seed) for seed in range(members)])
    seen = tuple(CHANNELS[at].name for at in SEEN)
    card = tiny_card(
        schema,
        HORIZONS,
        channels_seen=seen,
        quantile_levels=QUANTILE_LEVELS,
        architecture=architecture,
        members=members,
    )
    rng = np.random.default_rng(7)
    samples = Snapshots.joined([rows(made_up_market(schema, seen, rng)) for _ in range(4)])
    export_model(calibrated(network), card, samples, path)
    return Forecaster.load(path)


def rows(snapshot: Snapshot) -> Snapshots:
    """Return one snapshot as a row."""
    return Snapshots(*(getattr(snapshot, name) for name in Snapshot.__slots__))
