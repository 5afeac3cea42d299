"""The networks: a hybrid of convolutions and recurrence over venues and time, and a plain LSTM."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from oi_hedge_strategy.cascades import SIDES
from oi_hedge_strategy.state.schema import StateSchema
from oi_hedge_strategy.training.features import MarketFeatures, Standardiser

Architecture = Literal["hybrid", "lstm"]
QUANTILE_LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
AUXILIARY = ("fall", "rise", "volatility", "open_interest_fall")
"""What else the network learns to foresee at each horizon; it shapes the state and is not exported."""


class HybridReader(nn.Module):
    """
    Read the steps of all venues: convolutions over time by venue, pooling over venues, then a GRU.

    Every venue adds its own embedding. A venue that training never saw has that of no venue in particular,
    which training practises by forgetting venues' names at random. Venues are pooled twice: equally over
    those present, and by their share of open interest.

    Parameters
    ----------
    venues, features : int
        Venue slots; features by step.
    width, hidden : int
        Convolution channels; recurrent state.
    members : int
        Networks that lie side by side.
    anonymity : float
        Probability that training forgets a venue's name.

    """

    def __init__(
        self,
        venues: int,
        features: int,
        members: int = 1,
        width: int = 16,
        hidden: int = 32,
        anonymity: float = 0.15,
    ) -> None:
        super().__init__()
        width, hidden = members * width, members * hidden
        self.hidden = hidden
        self._anonymity = anonymity
        self.names = nn.Parameter(0.1 * torch.randn(venues, width, 1))
        self.anonymous = nn.Parameter(torch.zeros(width, 1))
        self.first = nn.Conv1d(features, width, 3, stride=2, padding=1)
        self.second = nn.Conv1d(width, width, 3, stride=2, padding=1, groups=members)
        self.recurrence = nn.GRU(2 * width, hidden)

    def forward(self, steps: Tensor, weights: Tensor) -> Tensor:
        """Return the recurrent state after the newest step, shape (batch, hidden)."""
        batch, venues, features, length = steps.shape
        maps = self.first(steps.reshape(batch * venues, features, length))
        maps = torch.relu(self.second(torch.relu(maps + self._names(batch))))
        pooled = weights @ maps.reshape(batch, venues, -1)
        sequence = pooled.reshape(batch, 2 * maps.shape[1], -1).permute(2, 0, 1)
        state: Tensor = self.recurrence(sequence.flip(0))[1][0]
        return state

    def forget(self, seen: Tensor) -> None:
        """Give the venues that training did not see, `seen` of shape (venues,) being false, no name."""
        with torch.no_grad():
            self.names[~seen] = self.anonymous

    def _names(self, batch: int) -> Tensor:
        """Return the embedding of each venue of each sample, shape (batch * venues, width, 1)."""
        names = self.names.repeat(batch, 1, 1)
        if not self.training:
            return names
        forgotten = torch.rand(len(names), 1, 1, device=names.device) < self._anonymity
        return torch.where(forgotten, self.anonymous, names)


class LSTMReader(nn.Module):
    """
    Read the mean over venues of each step with an LSTM.

    Parameters
    ----------
    venues, features : int
        Venue slots; features by step.
    members : int
        Networks that lie side by side.
    hidden : int
        Recurrent state.

    """

    def __init__(self, venues: int, features: int, members: int = 1, hidden: int = 32) -> None:
        super().__init__()
        self.venues = venues
        self.hidden = members * hidden
        self.recurrence = nn.LSTM(features, self.hidden)

    def forward(self, steps: Tensor, weights: Tensor) -> Tensor:
        """Return the recurrent state after the newest step, shape (batch, hidden)."""
        batch, venues, features, length = steps.shape
        pooled = weights[:, :1] @ steps.reshape(batch, venues, features * length)
        sequence = pooled.reshape(batch, features, length).permute(2, 0, 1)
        state: Tensor = self.recurrence(sequence.flip(0))[1][0][0]
        return state

    def forget(self, seen: Tensor) -> None:
        """Do nothing: the mean over venues knows no names."""


_READERS: Mapping[str, type[HybridReader] | type[LSTMReader]] = {"hybrid": HybridReader, "lstm": LSTMReader}


class CascadeNetwork(nn.Module):
    """
    Forecast cascades from the features of a snapshot.

    A reader condenses the venues' steps to a state. A dense layer joins it with the market features and leads
    to all outputs. A logistic regression of the market features, fitted beforehand, stands beside the logits,
    so that the network only has to learn what the regression leaves.

    Parameters
    ----------
    schema : StateSchema
        The inputs.
    channels : sequence of int
        Indices into the schema's channels that the training data contain.
    horizons : sequence of int
        Forecast horizons, hours.
    architecture : str
        Which reader.
    members : int
        Networks that lie side by side; fitted one by one and then merged.
    width : int
        Of the dense layers, for each member.
    dropout : float
        In training only.

    """

    def __init__(
        self,
        schema: StateSchema,
        channels: Sequence[int],
        horizons: Sequence[int],
        architecture: Architecture = "hybrid",
        members: int = 1,
        width: int = 96,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self._made = (schema, tuple(channels), tuple(horizons), architecture), width
        self.architecture = architecture
        self.members = members
        self.horizons = tuple(horizons)
        width *= members
        self.features = MarketFeatures(schema, channels)
        market = len(self.features.names)
        self.scale = Standardiser(market)
        self.reader = _READERS[architecture](len(schema.venues), self.features.step_features, members)
        self.heads = len(SIDES) * len(self.horizons)
        self.regression = nn.Linear(market, self.heads)
        self.regression.requires_grad_(False)
        self.first = nn.Linear(self.reader.hidden + market, width)
        self.second = nn.Linear(width, width)
        levels = len(QUANTILE_LEVELS)
        self.sizes = (self.heads, 2 * levels * self.heads, len(AUXILIARY) * len(self.horizons))
        self.out = nn.Linear(width, sum(self.sizes))
        self.dropout = nn.Dropout(dropout)

    def widened(self, members: int) -> "CascadeNetwork":
        """Return a network of the same sizes with room for so many members."""
        made, width = self._made
        return CascadeNetwork(*made, members=members, width=width)

    def forward(self, steps: Tensor, weights: Tensor, market: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Return uncalibrated logits, quantiles of the moves, and the auxiliary outputs.

        Parameters
        ----------
        steps, weights, market : Tensor
            As in `Features`.

        Returns
        -------
        logits : Tensor, shape (batch, sides, horizons)
            Of a cascade to the side within the horizon.
        quantiles : Tensor, shape (batch, 2, levels, sides, horizons)
            Of the change over the horizon to the side if a cascade comes, and of that to the other side if
            none does, in units of the horizon's volatility; ascending over levels.
        auxiliary : Tensor, shape (batch, 4, horizons)
            Standardised.

        """
        market = self.scale(market)
        state = self.dropout(self.reader(steps, weights))
        hidden = self.dropout(torch.relu(self.first(torch.cat([state, market], 1))))
        hidden = self.dropout(torch.relu(self.second(hidden)))
        logits, moves, auxiliary = self.out(hidden).split(self.sizes, 1)
        logits = logits + self.regression(market)
        sides, horizons = len(SIDES), len(self.horizons)
        moves = moves.reshape(-1, 2, len(QUANTILE_LEVELS), sides, horizons)
        return logits.reshape(-1, sides, horizons), ascending(moves), auxiliary.reshape(-1, 4, horizons)


def ascending(moves: Tensor) -> Tensor:
    """Return the first level and, above it, the sums of positive increments."""
    steps = torch.cat([moves[:, :, :1], nn.functional.softplus(moves[:, :, 1:])], 2)
    return steps.cumsum(2)


class CalibratedForecast(nn.Module):
    """
    Wrap a trained network with its calibration as the graph that is exported.

    Parameters
    ----------
    network : CascadeNetwork
        The trained network.
    slope, intercept : Tensor, shape (sides, horizons)
        Platt scaling of the logits.

    """

    slope: Tensor
    intercept: Tensor
    roots: Tensor

    def __init__(self, network: CascadeNetwork, slope: Tensor, intercept: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("slope", slope)
        self.register_buffer("intercept", intercept)
        self.register_buffer("roots", torch.tensor(network.horizons, dtype=torch.float32).sqrt())

    def forward(
        self, values: Tensor, mask: Tensor, age: Tensor, liquidation_map: Tensor, clock: Tensor
    ) -> tuple[Tensor, Tensor]:
        """
        Return the forecast for snapshots.

        Returns
        -------
        forecast : Tensor, shape (batch, 3, sides, horizons)
            Probability; expected adverse and favourable move, the means of their quantiles, not negative.
        quantiles : Tensor, shape (batch, 2, levels, sides, horizons)
            Of the adverse and of the favourable move, as fractions of the price.

        """
        given = self.network.features(values, mask, age, liquidation_map, clock)
        logits, quantiles, _ = self.network(given.steps, given.weights, given.market)
        probability = torch.sigmoid(self.slope * logits + self.intercept)
        quantiles = quantiles * (given.volatility * self.roots).reshape(-1, 1, 1, 1, len(self.roots))
        expected = torch.relu(quantiles.mean(2))
        return torch.cat([probability[:, None], expected], 1), quantiles
