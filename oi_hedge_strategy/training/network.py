"""The network: convolutions over venues and time, recurrence over time, one head for each outcome."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from oi_hedge_strategy.cascades import SIDES
from oi_hedge_strategy.state.schema import StateSchema
from oi_hedge_strategy.training.features import MarketFeatures, Standardiser, horizon_roots


class CascadeNetwork(nn.Module):
    """
    Forecast cascades from a snapshot of the market state.

    One convolution stack runs over every venue with that venue's embedding; venues are pooled by mean and
    maximum over those present; a GRU runs from the oldest to the newest step. A linear path from the market
    features to the outputs stands beside it, so that the network starts from a logistic regression.

    Parameters
    ----------
    schema : StateSchema
        The inputs.
    channels : sequence of int
        Indices into the schema's channels that the training data contain.
    horizons : sequence of int
        Forecast horizons, hours.
    width, hidden : int
        Convolution channels and size of a venue's embedding; recurrent state.
    dropout : float
        In training only.

    """

    roots: Tensor

    def __init__(
        self,
        schema: StateSchema,
        channels: Sequence[int],
        horizons: Sequence[int],
        width: int = 24,
        hidden: int = 32,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        self.horizons = tuple(horizons)
        self.features = MarketFeatures(schema, channels)
        self.market_scale = Standardiser(self.features.scalars)
        self.venues = nn.Parameter(0.1 * torch.randn(len(schema.venues), width, 1))
        self.first = nn.Conv1d(self.features.steps, width, 3, stride=2, padding=1)
        self.second = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.recurrence = nn.GRU(2 * width, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        outputs = 3 * len(SIDES) * len(self.horizons)
        self.direct = nn.Linear(self.features.scalars, outputs)
        self.blend = nn.Linear(hidden + self.features.scalars, hidden)
        self.joint = nn.Linear(hidden, outputs)
        self.register_buffer("roots", torch.tensor(horizon_roots(self.horizons), dtype=torch.float32))

    def forward(
        self, values: Tensor, mask: Tensor, age: Tensor, liquidation_map: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """
        Return uncalibrated logits, the two expected moves, and volatility.

        Returns
        -------
        logits : Tensor, shape (batch, sides, horizons)
            Of a cascade to the side within the horizon.
        adverse : Tensor, shape (batch, sides, horizons)
            Expected change of the price to the side over the horizon if the cascade comes, as a fraction.
        favourable : Tensor, shape (batch, sides, horizons)
            Expected change to the other side if it does not; not negative.
        volatility : Tensor, shape (batch, 1, horizons)
            Of the price over the horizon.

        """
        steps, market, volatility = self.features(values, mask, age, liquidation_map)
        market = self.market_scale(market)
        state = self._read(steps, mask.amax((2, 3)))
        joined = torch.cat([self.dropout(state), market], 1)
        out = (self.direct(market) + self.joint(torch.relu(self.blend(joined)))).view(
            -1, 3, len(SIDES), len(self.horizons)
        )
        scale = volatility[:, None, None] * self.roots
        adverse, favourable = (nn.functional.softplus(out[:, at]) * scale for at in (1, 2))
        return out[:, 0], adverse, favourable, scale

    def _read(self, steps: Tensor, present: Tensor) -> Tensor:
        """Return the recurrent state after the newest step, shape (batch, hidden)."""
        batch, venues, _, _ = steps.shape
        maps = self.first(steps.flatten(0, 1)).view(batch, venues, self.first.out_channels, -1)
        maps = torch.relu(self.second(torch.relu(maps + self.venues).flatten(0, 1)))
        maps = maps.view(batch, venues, self.second.out_channels, -1) * present[:, :, None, None]
        mean = maps.sum(1) / present.sum(1).clamp(min=1.0)[:, None, None]
        sequence = torch.cat([mean, maps.amax(1)], 1).transpose(1, 2).flip(1)
        state: Tensor = self.recurrence(sequence)[1][0]
        return state


class CalibratedForecast(nn.Module):
    """
    Wrap a trained network with its calibration as the graph that is exported.

    Parameters
    ----------
    network : CascadeNetwork
        The trained network.
    channels : sequence of int
        The channels it was trained on.
    slope, intercept : Tensor, shape (sides, horizons)
        Platt scaling of the logits.

    """

    slope: Tensor
    intercept: Tensor
    channels: Tensor

    def __init__(
        self, network: CascadeNetwork, channels: Sequence[int], slope: Tensor, intercept: Tensor
    ) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("channels", torch.tensor(list(channels)))
        self.register_buffer("slope", slope)
        self.register_buffer("intercept", intercept)

    def forward(self, values: Tensor, mask: Tensor, age: Tensor, liquidation_map: Tensor) -> Tensor:
        """
        Return the forecast for a snapshot with all of the schema's channels.

        Returns
        -------
        Tensor, shape (batch, 3, sides, horizons)
            Probability, expected adverse move, expected favourable move.

        """
        picked = [x[:, :, self.channels] for x in (values, mask, age)]
        logits, adverse, favourable, _ = self.network(*picked, liquidation_map)
        probability = torch.sigmoid(self.slope * logits + self.intercept)
        return torch.stack([probability, adverse, favourable], 1)
