"""Everything that reaches the simulated market from outside: news, volatility, sentiment, noise."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.simulation.market_config import (
    ASSET_SCALES,
    STEPS_PER_DAY,
    STEPS_PER_HOUR,
    WARM_UP_DAYS,
    SimulatedMarketConfig,
    half_life_decay,
)

Array = NDArray[np.float64]
STEPS_PER_YEAR = 365 * STEPS_PER_DAY
ACTIVITY_SD = 0.15
ACTIVITY_DAYS = 10


@dataclass(frozen=True)
class DayInputs:
    """One day of outside inputs in 5-minute steps; of many paths, a path axis follows that of the steps.

    Parameters
    ----------
    diffusion, jumps : Array, shape (steps,)
        Fundamental log return from ordinary trading and from news.
    sentiment : Array, shape (steps,)
        Mood that does not come from price.
    premium_noise, volume_noise : Array, shape (steps,)
        Standard normal.
    hedged : Array, shape (steps, venues)
        Unleveraged two-sided open interest over its level.
    activity : Array, shape (steps, venues)
        Share of new entries by venue; sums to 1.
    venue_noise : Array, shape (steps, venues)
        Own price noise of each venue, log price.
    trading : Array, shape (steps, venues)
        1 where the venue trades, 0 where it is halted.

    """

    diffusion: Array
    jumps: Array
    sentiment: Array
    premium_noise: Array
    volume_noise: Array
    hedged: Array
    activity: Array
    venue_noise: Array
    trading: Array


class MeanReverting:
    """Draw a stationary Gaussian AR(1) path of unit-free standard deviation, block by block."""

    def __init__(self, sd: float, half_life: float, width: int) -> None:
        self._decay = half_life_decay(half_life)
        self._kick = sd * float(np.sqrt(1.0 - self._decay**2))
        self._path = np.zeros((1, width))

    def advance(self, noise: Array) -> Array:
        """Return the path for standard normal `noise`, shape (steps, width)."""
        self._path = self._follow(self._path[-1], noise)
        return self._path

    def branch(self, step: int, noise: Array) -> Array:
        """
        Return further paths from a step of the last block, which itself stays as it is.

        Parameters
        ----------
        step : int
            The last step that all paths share, counted within the last block.
        noise : Array, shape (steps, paths, width)
            Standard normal.

        """
        steps, paths, width = noise.shape
        start = np.tile(self._path[step], paths)
        return self._follow(start, noise.reshape(steps, paths * width)).reshape(noise.shape)

    def _follow(self, start: Array, noise: Array) -> Array:
        powers = self._decay ** np.arange(1, len(noise) + 1)[:, None]
        path: Array = powers * (start + np.cumsum(self._kick * noise / powers, axis=0))
        return path


class Outside:
    """
    Draw the outside inputs of one asset, day after day.

    News, volatility regimes and sentiment are partly common to all assets: each asset draws the common stream
    anew, so that its path does not depend on which other assets are simulated.

    Parameters
    ----------
    config : SimulatedMarketConfig
        The market.
    asset : str
        Base coin.
    universe : int
        0 for the market itself, 1 for an independent one.

    """

    def __init__(self, config: SimulatedMarketConfig, asset: str, universe: int = 0) -> None:
        agents, prices = config.agents, config.prices
        self._trading = config.trading
        self._next_step = -WARM_UP_DAYS * STEPS_PER_DAY
        self._prices = prices
        self._sentiment_mean = agents.sentiment_mean
        self._shared = np.random.default_rng([config.seed, universe])
        self._own = np.random.default_rng([config.seed, universe, zlib.crc32(asset.encode())])
        annual = prices.annual_volatility * ASSET_SCALES[asset].volatility
        self._step_volatility = annual / float(np.sqrt(STEPS_PER_YEAR))
        self._jump_scale = ASSET_SCALES[asset].volatility
        self._shares = np.array([venue.share for venue in config.venues.values()])
        self._noise = np.array([venue.noise for venue in config.venues.values()])
        venues = len(self._shares)
        slow, fast = (
            prices.slow_volatility_days * STEPS_PER_DAY,
            prices.fast_volatility_hours * STEPS_PER_HOUR,
        )
        self._slow = MeanReverting(prices.slow_volatility_sd, slow, 1)
        self._fast = MeanReverting(prices.fast_volatility_sd, fast, 1)
        self._sentiment = MeanReverting(agents.sentiment_sd, agents.sentiment_days * STEPS_PER_DAY, 1)
        self._hedged = MeanReverting(agents.hedged_sd, agents.hedged_days * STEPS_PER_DAY, venues)
        self._activity = MeanReverting(ACTIVITY_SD, ACTIVITY_DAYS * STEPS_PER_DAY, venues)

    def day(self) -> DayInputs:
        """Return the next day's inputs."""
        steps, venues = STEPS_PER_DAY, len(self._shares)
        shared, own = self._shared.standard_normal((steps, 4)), self._own.standard_normal((steps, 6))
        by_venue = self._own.standard_normal((steps, 3, venues))
        weight = self._prices.common
        blend = weight * shared + np.sqrt(1.0 - weight**2) * own[:, :4]
        slow = self._slow.advance(blend[:, 1:2])[:, 0]
        fast = self._fast.advance(blend[:, 2:3])[:, 0]
        activity = self._shares * np.exp(self._activity.advance(by_venue[:, 1]))
        first, self._next_step = self._next_step, self._next_step + steps
        return DayInputs(
            diffusion=self._volatility(slow + fast) * blend[:, 0],
            jumps=self._jumps(),
            sentiment=self._sentiment_mean + self._sentiment.advance(blend[:, 3:4])[:, 0],
            premium_noise=own[:, 4],
            volume_noise=own[:, 5],
            hedged=np.exp(self._hedged.advance(by_venue[:, 0])),
            activity=activity / activity.sum(axis=1, keepdims=True),
            venue_noise=self._noise * by_venue[:, 2],
            trading=self._trading(first, steps),
        )

    def branch(self, step: int, steps: int, paths: int, random: np.random.Generator) -> DayInputs:
        """
        Return fresh inputs that continue the last day from one of its steps, for many paths.

        The streams of the market itself are not touched. For one asset the common and the own part of its
        news cannot be told apart, so both are drawn as one.

        Parameters
        ----------
        step : int
            The last step that all paths share, counted within the day.
        steps, paths : int
            Length and number of the paths.
        random : Generator
            Of the paths.

        """
        venues, after = len(self._shares), self._next_step - STEPS_PER_DAY + step + 1
        blend = random.standard_normal((5, steps, paths))
        by_venue = random.standard_normal((3, steps, paths, venues))
        level = self._slow.branch(step, blend[1][..., None]) + self._fast.branch(step, blend[2][..., None])
        activity = self._shares * np.exp(self._activity.branch(step, by_venue[1]))
        mood = self._sentiment.branch(step, blend[3][..., None])[..., 0]
        return DayInputs(
            diffusion=self._volatility(level[..., 0]) * blend[0],
            jumps=self._jump_scale * self._news(random, (steps, paths)),
            sentiment=self._sentiment_mean + mood,
            premium_noise=blend[4],
            volume_noise=np.zeros((steps, paths)),
            hedged=np.exp(self._hedged.branch(step, by_venue[0])),
            activity=activity / activity.sum(axis=-1, keepdims=True),
            venue_noise=self._noise * by_venue[2],
            trading=np.repeat(self._trading(after, steps)[:, None], paths, axis=1),
        )

    def _volatility(self, level: Array) -> Array:
        """Return the volatility of a step for the sum of both log levels."""
        variance = self._prices.slow_volatility_sd**2 + self._prices.fast_volatility_sd**2
        volatility: Array = self._step_volatility * np.exp(level - variance)
        return volatility

    def _jumps(self) -> Array:
        """Return log returns of news: mostly common, some the asset's own."""
        common, own = self._news(self._shared), self._news(self._own)
        taken = self._shared.random(STEPS_PER_DAY) < self._prices.common
        return self._jump_scale * np.where(taken, common, own)

    def _news(self, random: np.random.Generator, shape: tuple[int, ...] = (STEPS_PER_DAY,)) -> Array:
        prices = self._prices
        arrivals = random.random((*shape, 2)) * STEPS_PER_DAY
        sizes = random.laplace(size=(*shape, 2))
        small = np.where(arrivals[..., 0] < prices.small_news_per_day, prices.small_news * sizes[..., 0], 0.0)
        large = np.where(arrivals[..., 1] < prices.large_news_per_day, prices.large_news * sizes[..., 1], 0.0)
        path: Array = small + large
        return path
