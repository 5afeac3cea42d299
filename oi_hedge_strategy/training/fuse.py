"""The hybrid's reader in fewer and larger operations, for the graph: a small graph's time is its nodes."""

import copy

import torch
from torch import Tensor, nn

from oi_hedge_strategy.training.network import CalibratedForecast, HybridReader


def fused(graph: CalibratedForecast) -> CalibratedForecast:
    """Return a graph that computes the same in fewer operations, or `graph` where there are none to save."""
    reader = graph.network.reader
    if not isinstance(reader, HybridReader):
        return graph
    whole = copy.deepcopy(graph)
    whole.network.add_module("reader", FusedReader(reader, graph.network.features.steps))
    return whole


class FusedReader(nn.Module):
    """
    Compute what a trained `HybridReader` computes.

    Venues are groups of the first convolution, so that their names are part of its bias; the second, over a
    handful of steps, is one matrix.

    Parameters
    ----------
    reader : HybridReader
        In evaluation mode.
    length : int
        Steps.

    """

    weight: Tensor
    bias: Tensor
    matrix: Tensor
    offset: Tensor

    def __init__(self, reader: HybridReader, length: int) -> None:
        super().__init__()
        first, second = reader.first, reader.second
        venues, width, _ = reader.names.shape
        assert first.bias is not None and second.bias is not None
        self.stride, self.padding = first.stride, first.padding
        self.recurrence = reader.recurrence
        with torch.no_grad():
            kept = first(torch.zeros(1, first.in_channels, length)).shape[2]
            each = torch.eye(width * kept).reshape(-1, width, kept)
            offset = second(torch.zeros(1, width, kept)).flatten()
            self.register_buffer("weight", first.weight.repeat(venues, 1, 1))
            self.register_buffer("bias", (first.bias + reader.names[..., 0]).flatten())
            self.register_buffer("matrix", second(each).flatten(1) - offset)
            self.register_buffer("offset", offset)

    def forward(self, steps: Tensor, weights: Tensor) -> Tensor:
        """Return the recurrent state after the newest step, shape (batch, hidden)."""
        batch, venues, features, length = steps.shape
        maps = nn.functional.conv1d(
            steps.reshape(batch, venues * features, length),
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            groups=venues,
        )
        maps = torch.relu(maps).reshape(batch * venues, len(self.matrix))
        maps = torch.relu(torch.addmm(self.offset, maps, self.matrix))
        pooled = weights @ maps.reshape(batch, venues, -1)
        sequence = pooled.reshape(batch, self.recurrence.input_size, -1).permute(2, 0, 1)
        state: Tensor = self.recurrence(sequence.flip(0))[1][0]
        return state
