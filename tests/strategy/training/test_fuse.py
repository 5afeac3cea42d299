"""The graph in fewer operations says what the network says."""

import numpy as np
import pytest
import torch
from support.networks import SEEN, calibrated, random_network, rows

from oi_hedge_strategy.forecast.conformance import made_up_market, masked
from oi_hedge_strategy.state import CHANNELS, StateSchema
from oi_hedge_strategy.training.dataset import tensors
from oi_hedge_strategy.training.ensemble import merge
from oi_hedge_strategy.training.fuse import FusedReader, fused
from oi_hedge_strategy.training.recording import Snapshots

SCHEMA = StateSchema(("BINANCE", "BYBIT", "OKX"))


@pytest.mark.parametrize("members", [1, 2, 3])
def test_a_fused_graph_computes_the_same(members):
    graph = calibrated(merge([random_network(SCHEMA, "hybrid", seed, 1.5) for seed in range(members)]))
    rng = np.random.default_rng(members)
    names = tuple(CHANNELS[at].name for at in SEEN)
    markets = Snapshots.joined([rows(made_up_market(SCHEMA, names, rng)) for _ in range(8)])
    for given in (markets, masked(markets, np.array([False, True, False]))):
        with torch.no_grad():
            expected, found = graph(*tensors(given)), fused(graph)(*tensors(given))
        assert (expected[0][0] - expected[0][1]).abs().max() > 1e-3
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert isinstance(fused(graph).network.reader, FusedReader)
    assert not isinstance(graph.network.reader, FusedReader)


def test_a_graph_without_convolutions_is_left_as_it_is():
    graph = calibrated(random_network(SCHEMA, "lstm", 0))
    assert fused(graph) is graph
