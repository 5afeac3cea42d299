"""The market mechanism: agents trade, prices form, leveraged positions are liquidated, step by step."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.simulation.market_config import (
    ASSET_SCALES,
    BANDS,
    FUNDING_HOURS,
    STEP_MINUTES,
    STEPS_PER_DAY,
    STEPS_PER_HOUR,
    WARM_UP_DAYS,
    SimulatedMarketConfig,
    half_life_decay,
)
from oi_hedge_strategy.simulation.market_news import DayInputs, Outside
from oi_hedge_strategy.simulation.market_positions import SIDES, PositionBook

Array = NDArray[np.float64]
COHORT_HOURS = 3
COHORT_DAYS = 30
BASE_FUNDING = 0.0001
FUNDING_CLAMP = 0.0005
FUNDING_CAP = 0.02
FUNDING_STEPS = FUNDING_HOURS * STEPS_PER_HOUR
EDGES = np.array([BANDS[0][0], *(band[1] for band in BANDS)])


@dataclass
class StepRecord:
    """What each 5-minute step did; quantities are fractions of the asset's normal open interest.

    Parameters
    ----------
    index : Array, shape (steps,)
        Log price of spot.
    premium : Array, shape (steps, venues)
        Log price of each venue's perpetual over spot.
    opened, closed, liquidated : Array, shape (steps, 2, venues)
        Speculators' entries, voluntary exits and executed liquidations, longs and shorts.
    speculative : Array, shape (steps, 2, venues)
        Speculators' open quantity after the step, with what the liquidation engine still has to close.
    hedged : Array, shape (steps, venues)
        Unleveraged two-sided open interest.
    funding : Array, shape (settlements, venues)
        Rates settled at 00, 08 and 16 UTC, at the end of the step that ends there.
    levels : Array, shape (bars, 2, bands)
        Open quantity by distance of its liquidation price at each bar's close.
    volume_noise : Array, shape (steps,)
        Standard normal.
    first_index : float
        Log price of spot before the first step.
    first_premium : Array, shape (venues,)
        Premium before the first step.

    """

    index: Array
    premium: Array
    opened: Array
    closed: Array
    liquidated: Array
    speculative: Array
    hedged: Array
    funding: Array
    levels: Array
    volume_noise: Array
    first_index: float
    first_premium: Array

    @classmethod
    def empty(cls, days: int, venues: int, bar_steps: int) -> "StepRecord":
        """Return a record with room for `days`."""
        steps = days * STEPS_PER_DAY
        flows = [np.zeros((steps, 2, venues)) for _ in range(4)]
        return cls(
            index=np.zeros(steps),
            premium=np.zeros((steps, venues)),
            opened=flows[0],
            closed=flows[1],
            liquidated=flows[2],
            speculative=flows[3],
            hedged=np.zeros((steps, venues)),
            funding=np.zeros((steps // FUNDING_STEPS, venues)),
            levels=np.zeros((steps // bar_steps, 2, len(BANDS))),
            volume_noise=np.zeros(steps),
            first_index=0.0,
            first_premium=np.zeros(venues),
        )


class AgentMarket:
    """
    Simulate one asset on all venues.

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
        self._agents, self._prices = agents, prices
        self._days = config.days
        self._bar_steps = config.bar_minutes // STEP_MINUTES
        self._outside = Outside(config, asset, universe)
        venues = list(config.venues.values())
        self._shares = np.array([venue.share for venue in venues])
        self._arbitrage = np.array([half_life_decay(venue.arbitrage_minutes / STEP_MINUTES) for venue in venues])
        effective = np.array(agents.leverage) / (1.0 + np.array(agents.margin_buffer))
        cohorts = COHORT_DAYS * 24 // COHORT_HOURS
        self.book = PositionBook(len(venues), effective, np.array(agents.leverage_shares), agents.mmr, cohorts)
        self._by_side = np.zeros((2, 1))
        self._hold = 1.0 / (agents.hold_days * STEPS_PER_DAY)
        self._trend_decay = half_life_decay(agents.trend_days * STEPS_PER_DAY)
        self._hour_decay = half_life_decay(STEPS_PER_HOUR)
        self._fear_decay = half_life_decay(agents.fear_hours * STEPS_PER_HOUR)
        self._stress_decay = half_life_decay(prices.stress_hours * STEPS_PER_HOUR)
        self._recovery = half_life_decay(prices.recovery_hours * STEPS_PER_HOUR)
        self._pull = 1.0 - half_life_decay(prices.anchor_days * STEPS_PER_DAY)
        self._step_drift = prices.drift / (365 * STEPS_PER_DAY)
        self._anchor = self._fundamental = self._log_price = math.log(ASSET_SCALES[asset].price)
        self._dislocation = self._trend = self._hour_return = self._fear = self._stress = self._lead = 0.0
        self._basis = np.zeros(len(venues))
        self._mark = np.full(len(venues), ASSET_SCALES[asset].price)
        self._premium_sum = np.zeros(len(venues))
        self._exits = np.zeros((2, len(venues)))
        self.backlog = np.zeros((2, len(venues)))
        """Liquidated quantity not yet executed, shape (2, venues)."""

    def run(self, progress: Callable[[], None]) -> StepRecord:
        """Return every step of the configured days, after a warm-up that fills the books; call `progress` daily."""
        record = StepRecord.empty(self._days, len(self._shares), self._bar_steps)
        spare = StepRecord.empty(1, len(self._shares), self._bar_steps)
        for _ in range(WARM_UP_DAYS):
            self.run_day(self._outside.day(), spare, 0)
            progress()
        record.first_index = spare.index[-1]
        record.first_premium = spare.premium[-1]
        for day in range(self._days):
            self.run_day(self._outside.day(), record, day * STEPS_PER_DAY)
            progress()
        return record

    def run_day(self, inputs: DayInputs, record: StepRecord, first: int) -> None:
        """Advance one day and write it to `record` from row `first` on."""
        record.volume_noise[first : first + STEPS_PER_DAY] = inputs.volume_noise
        record.hedged[first : first + STEPS_PER_DAY] = self._agents.hedged * self._shares * inputs.hedged
        diffusion, jumps = inputs.diffusion.tolist(), inputs.jumps.tolist()
        sentiment, noise = inputs.sentiment.tolist(), inputs.premium_noise.tolist()
        for step in range(STEPS_PER_DAY):
            row = first + step
            if step % (COHORT_HOURS * STEPS_PER_HOUR) == 0:
                record.closed[row] = self.book.begin_cohort()
            else:
                record.closed[row] = 0.0
            opened = self._entries(sentiment[step], inputs.activity[step])
            self.book.open(opened, self._mark)
            closed = self.book.close(self._exit_rates())
            forced = self._execute_backlog()
            news = diffusion[step] * (1.0 + self._prices.stress_volatility * self._stress) + jumps[step]
            self._form_price(news, opened - closed - self._exits, forced, inputs.venue_noise[step])
            self._exits = np.zeros_like(opened)
            premium = self._premium(noise[step])
            self._mark = np.exp(self._log_price + premium)
            hit = self.book.liquidate(self._mark)
            if hit is not None:
                self.backlog += hit
            self._write(record, row, premium, opened, closed, forced)
            self._premium_sum += premium
            if (row + 1) % FUNDING_STEPS == 0:
                self._settle_funding(record, row)
            record.speculative[row] = self.book.total + self.backlog
            if (row + 1) % self._bar_steps == 0:
                record.levels[row // self._bar_steps] = self.book.levels(math.exp(self._log_price), EDGES)

    def _entries(self, sentiment: float, activity: Array) -> Array:
        """Return new positions, shape (2, venues): the crowd follows the trend, fear keeps it away."""
        agents = self._agents
        mood = sentiment + agents.trend_weight * math.tanh(self._trend / agents.trend_scale)
        calm = self._hold / (1.0 + agents.fear_gain * self._fear)
        tilt = math.exp(agents.mood_gain * mood)
        self._by_side[0, 0] = calm * agents.long_capacity * tilt
        self._by_side[1, 0] = calm * agents.short_capacity / tilt
        return self._by_side * activity

    def _exit_rates(self) -> Array:
        """Return the closing rates, shape (2, 1): holders leave in time, losers stop out, winners take profit."""
        move = self._hour_return * 100.0
        gain = self._agents.stop_gain if move < 0.0 else self._agents.profit_gain
        long_rate = self._hold * (1.0 + gain * abs(move))
        gain = self._agents.profit_gain if move < 0.0 else self._agents.stop_gain
        short_rate = self._hold * (1.0 + gain * abs(move))
        return np.array([[min(long_rate, 0.2)], [min(short_rate, 0.2)]])

    def _execute_backlog(self) -> Array:
        """Return what the liquidation engines sell and buy in this step, shape (2, venues)."""
        if not self.backlog.any():
            return np.zeros_like(self.backlog)
        forced: Array = np.where(self.backlog < 1e-7, self.backlog, self.backlog * self._prices.liquidation_rate)
        self.backlog = self.backlog - forced
        return forced

    def _form_price(self, news: float, net: Array, forced: Array, venue_noise: Array) -> None:
        """Move fundamental value, dislocation and venue basis by news and by net order flow."""
        prices = self._prices
        by_venue = forced[1] - forced[0]
        flow = float(by_venue.sum())
        stressed = 1.0 + prices.stress_gain * self._stress
        impact = prices.trade_impact * float((net[0] - net[1]).sum())
        impact += stressed * prices.forced_impact * flow / math.sqrt(1.0 + abs(flow) / prices.forced_depth)
        self._anchor += self._step_drift
        self._fundamental += news + prices.permanent * impact + self._pull * (self._anchor - self._fundamental)
        self._dislocation = self._dislocation * self._recovery + (1.0 - prices.permanent) * impact
        before, self._log_price = self._log_price, self._fundamental + self._dislocation
        change = self._log_price - before
        liquidated = float(forced.sum())
        self._trend = self._trend * self._trend_decay + change
        self._hour_return = self._hour_return * self._hour_decay + change
        self._fear = self._fear * self._fear_decay + liquidated
        self._stress = self._stress * self._stress_decay + liquidated
        self._lead = 0.85 * self._lead + prices.premium_lead * impact
        local = prices.premium_lead * prices.forced_impact * (by_venue - flow * self._shares)
        self._basis = self._basis * self._arbitrage + local + venue_noise

    def _premium(self, noise: float) -> Array:
        """Return the log premium of each venue's perpetual: the crowd's side, leading flow, venue noise."""
        longs, shorts = self.book.total
        crowd = (longs - shorts) / (longs + shorts + 1e-12)
        return self._prices.crowd_premium * crowd + (self._lead + 1e-4 * noise) + self._basis

    def _settle_funding(self, record: StepRecord, row: int) -> None:
        """Settle funding from the mean premium; payers beyond the base rate leave."""
        mean = self._premium_sum / FUNDING_STEPS
        self._premium_sum = np.zeros(len(self._shares))
        rate = np.clip(mean + np.clip(BASE_FUNDING - mean, -FUNDING_CLAMP, FUNDING_CLAMP), -FUNDING_CAP, FUNDING_CAP)
        record.funding[row // FUNDING_STEPS] = rate
        burden = np.maximum(SIDES[:, None] * (rate - BASE_FUNDING), 0.0) / BASE_FUNDING
        self._exits = self.book.close(np.minimum(self._agents.funding_exit * burden, 0.1))
        record.closed[row] += self._exits

    def _write(
        self, record: StepRecord, row: int, premium: Array, opened: Array, closed: Array, forced: Array
    ) -> None:
        record.index[row] = self._log_price
        record.premium[row] = premium
        record.opened[row] = opened
        record.closed[row] += closed
        record.liquidated[row] = forced
