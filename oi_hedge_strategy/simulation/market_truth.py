"""The true probability of a cascade in a simulated market, by Monte Carlo continuation of its state."""

import zlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.cascades import SIDES, CascadeDefinition, hourly_volatility
from oi_hedge_strategy.simulation.market_agents import AgentMarket
from oi_hedge_strategy.simulation.market_config import (
    ASSET_SCALES,
    STEPS_PER_DAY,
    STEPS_PER_HOUR,
    SimulatedMarketConfig,
)
from oi_hedge_strategy.simulation.market_paths import MarketPaths, PathRecord
from oi_hedge_strategy.simulation.market_record import StepRecord
from oi_hedge_strategy.simulation.market_result import CascadeOutlook

Array = NDArray[np.float64]
REFERENCE_VENUE = "BINANCE"
"""The venue whose price and bars a cascade is told by."""
_STREAM = 2


@dataclass(frozen=True)
class TruthConfig:
    """
    Say how the true probabilities are found.

    Parameters
    ----------
    every_hours : int
        Spacing of the moments at which the market is continued.
    paths : int
        Continuations from each; the standard error of a probability p is ``sqrt(p (1 - p) / paths)``.
    definition : CascadeDefinition
        What counts as a cascade, and the horizons.
    after_days : int
        The first moment lies this far into the market, so that a model's look-back is filled by then.

    """

    every_hours: int = 6
    paths: int = 200
    definition: CascadeDefinition = field(default_factory=CascadeDefinition)
    after_days: int = 0

    def __post_init__(self) -> None:
        """Raise `ConfigError` for a value out of its range."""
        if not 1 <= self.every_hours <= 24 or 24 % self.every_hours:
            raise ConfigError(f"Truth: every_hours must divide a day, was {self.every_hours}")
        if self.paths < 2:
            raise ConfigError(f"Truth: paths must be at least 2, was {self.paths}")
        if self.after_days < 0:
            raise ConfigError(f"Truth: after_days must not be negative, was {self.after_days}")

    @property
    def first_hour(self) -> int:
        """Return the hour of the market before which there is no moment: volatility must be known."""
        return max(24 * self.after_days, self.definition.volatility_hours + 1)

    def check_fits(self, days: int) -> None:
        """Raise `ConfigError` if a market of `days` has no moment at all."""
        first = -(-self.first_hour // self.every_hours) * self.every_hours
        if first > 24 * days:
            raise ConfigError(
                f"Truth: the first moment lies {first} hours into the market, which ends after {24 * days}; "
                "simulate more days, or lower after_days"
            )


@dataclass(frozen=True, eq=False)
class _Branch:
    """
    Hold what one moment's paths did, by horizon.

    Parameters
    ----------
    hour : int
        Hours from the start of the market.
    furthest : Array, shape (sides, horizons, paths)
        Largest move to each side, a fraction of the price at the moment.
    least : Array, shape (horizons, paths)
        Least open interest of the hourly reports over that of the moment.
    change : Array, shape (horizons, paths)
        Price at the end over that at the moment, less one.

    """

    hour: int
    furthest: Array
    least: Array
    change: Array


class TruthSampler:
    """
    Watch a running market and continue it from its state at regular moments.

    The market's own random streams are not touched. A moment's paths depend on the seed, the asset and the
    moment only, so a longer market has the same truth in its first days.

    Parameters
    ----------
    config : SimulatedMarketConfig
        The market.
    asset : str
        Base coin.
    truth : TruthConfig
        When and how often.

    """

    def __init__(self, config: SimulatedMarketConfig, asset: str, truth: TruthConfig) -> None:
        self._config, self._asset, self._truth = config, asset, truth
        self._every = truth.every_hours * STEPS_PER_HOUR
        self._venue = list(config.venues).index(REFERENCE_VENUE)
        self._branches: list[_Branch] = []

    def watch(self, market: AgentMarket, row: int, record: StepRecord) -> None:
        """Continue the market when step `row` ends a moment whose volatility is known."""
        hour = (row + 1) // STEPS_PER_HOUR
        if (row + 1) % self._every or hour < self._truth.first_hour:
            return
        steps = self._truth.definition.horizons_hours[-1] * STEPS_PER_HOUR
        name = zlib.crc32(self._asset.encode())
        random = np.random.default_rng([self._config.seed, _STREAM, name, row])
        inputs = market.outside.branch(row % STEPS_PER_DAY, steps, self._truth.paths, random)
        state = market.state(record, row)
        found = MarketPaths(self._config, state, steps, self._truth.paths).run(inputs)
        start = record.index[row] + record.premium[row, self._venue]
        held = record.speculative[row].max(axis=0).sum() + record.hedged[row].sum()
        self._branches.append(self._reduce(hour, found, float(start), float(held)))

    def outlook(self, record: StepRecord) -> CascadeOutlook:
        """Return the true probabilities and moves of all moments, `record` being complete."""
        definition, branches = self._truth.definition, self._branches
        path = record.index + record.premium[:, self._venue]
        hourly = np.round(np.exp(path), ASSET_SCALES[self._asset].price_decimals)[
            STEPS_PER_HOUR - 1 :: STEPS_PER_HOUR
        ]
        sigma = hourly_volatility(hourly, definition.volatility_hours)
        shape = (len(branches), len(SIDES), len(definition.horizons_hours))
        probability, adverse, favourable = (np.zeros(shape) for _ in range(3))
        for i, branch in enumerate(branches):
            for h, hours in enumerate(definition.horizons_hours):
                usual = definition.sigma_multiple * sigma[branch.hour - 1] * np.sqrt(hours)
                fell = branch.least[h] <= 1.0 - definition.open_interest_fall
                for side, sign in enumerate((-1.0, 1.0)):
                    came = fell & (branch.furthest[side, h] >= max(definition.floor, usual))
                    to_side = sign * branch.change[h]
                    probability[i, side, h] = came.mean()
                    adverse[i, side, h] = max(0.0, to_side[came].mean()) if came.any() else 0.0
                    favourable[i, side, h] = max(0.0, -to_side[~came].mean()) if not came.all() else 0.0
        hour_ns = 3_600_000_000_000
        times = self._config.start_ns + np.array([each.hour for each in branches], np.int64) * hour_ns
        return CascadeOutlook(definition, self._truth.paths, times, probability, adverse, favourable)

    def _reduce(self, hour: int, found: PathRecord, start: float, held: float) -> _Branch:
        """Return what the cascade's definition asks of the paths."""
        hours = self._truth.definition.horizons_hours
        ends = np.array(hours) * STEPS_PER_HOUR
        moved = np.exp(found.log_price[:, :, self._venue] - start) - 1.0
        reports = found.open_interest[STEPS_PER_HOUR - 1 :: STEPS_PER_HOUR] / held
        down, up, least = np.zeros((3, len(hours), self._truth.paths))
        for h, (end, length) in enumerate(zip(ends, hours, strict=True)):
            down[h], up[h] = -moved[:end].min(axis=0), moved[:end].max(axis=0)
            least[h] = reports[:length].min(axis=0)
        return _Branch(hour, np.stack([down, up]), least, moved[ends - 1])
