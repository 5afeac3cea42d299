"""The market mechanism: agents trade, prices form, leveraged positions are liquidated, step by step."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.simulation.market_config import (
    ASSET_SCALES,
    BANDS,
    FUNDING_STEPS,
    STEP_MINUTES,
    STEPS_PER_DAY,
    STEPS_PER_HOUR,
    WARM_UP_DAYS,
    SimulatedMarketConfig,
)
from oi_hedge_strategy.simulation.market_insurance import InsuranceFunds
from oi_hedge_strategy.simulation.market_news import DayInputs, Outside
from oi_hedge_strategy.simulation.market_positions import SIDES, PositionBook
from oi_hedge_strategy.simulation.market_record import StepRecord
from oi_hedge_strategy.simulation.market_state import AgentState, Pace

Array = NDArray[np.float64]
COHORT_HOURS = 3
COHORT_STEPS = COHORT_HOURS * STEPS_PER_HOUR
COHORT_DAYS = 30
BASE_FUNDING = 0.0001
FUNDING_CLAMP = 0.0005
FUNDING_CAP = 0.02
LEAD_DECAY = 0.85
PREMIUM_NOISE = 0.0001
HIGHEST_EXIT_RATE = 0.2
HIGHEST_FUNDING_EXIT = 0.1
LEAST_ORDER = 1e-7
Watch = Callable[[int, StepRecord], None]
"""Called after each recorded step with its row and the record so far."""
EDGES = np.array([BANDS[0][0], *(band[1] for band in BANDS)])


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
        self._agents, self._prices = config.agents, config.prices
        self._days = config.days
        self._bar_steps = config.bar_minutes // STEP_MINUTES
        self.outside = Outside(config, asset, universe)
        self._pace = Pace.of(config)
        venues = len(config.venues)
        self._shares = np.array([venue.share for venue in config.venues.values()])
        agents = config.agents
        effective = np.array(agents.leverage) / (1.0 + np.array(agents.margin_buffer))
        cohorts = COHORT_DAYS * 24 // COHORT_HOURS
        self.book = PositionBook(venues, effective, np.array(agents.leverage_shares), agents.mmr, cohorts)
        self._by_side = np.zeros((2, 1))
        self._anchor = self._fundamental = self._log_price = math.log(ASSET_SCALES[asset].price)
        self._dislocation = self._trend = self._hour_return = self._fear = self._stress = self._lead = 0.0
        self._basis = np.zeros(venues)
        self._mark = np.full(venues, ASSET_SCALES[asset].price)
        self._direction = np.repeat(SIDES, venues)
        self._exits: Array | None = None
        self._forced: Array | None = None
        self._net_flow = 0.0
        self._liquidating = False
        self.backlog = np.zeros((2, venues))
        """Liquidated quantity not yet executed, shape (2, venues)."""
        self._funds: InsuranceFunds | None = None
        if math.isfinite(config.insurance):
            balance = config.insurance * self._shares * ASSET_SCALES[asset].price
            self._funds = InsuranceFunds(balance, np.zeros((2, venues)), agents.mmr)

    def run(self, progress: Callable[[], None], watch: Watch | None = None) -> StepRecord:
        """Warm the books up, then return every step of the configured days; call `progress` daily."""
        record, spare = (
            StepRecord.empty(days, len(self._shares), self._bar_steps, len(self._agents.leverage))
            for days in (self._days, 1)
        )
        for _ in range(WARM_UP_DAYS):
            self.run_day(self.outside.day(), spare, 0)
            progress()
        record.first_index = spare.index[-1]
        record.first_premium = spare.premium[-1]
        self.book.liquidated[:] = 0.0
        for day in range(self._days):
            self.run_day(self.outside.day(), record, day * STEPS_PER_DAY, watch)
            progress()
        return record

    def run_day(self, inputs: DayInputs, record: StepRecord, first: int, watch: Watch | None = None) -> None:
        """Advance one day and write it to `record` from row `first` on; `watch` sees every step."""
        record.volume_noise[first : first + STEPS_PER_DAY] = inputs.volume_noise
        record.hedged[first : first + STEPS_PER_DAY] = self._agents.hedged * self._shares * inputs.hedged
        news = zip(inputs.diffusion.tolist(), inputs.jumps.tolist(), strict=True)
        moods = zip(inputs.sentiment.tolist(), inputs.premium_noise.tolist(), strict=True)
        by_venue = zip(inputs.activity, inputs.venue_noise, inputs.trading, strict=True)
        steps = zip(news, moods, by_venue, strict=True)
        for row, ((diffusion, jump), (sentiment, noise), (activity, venue_noise, trading)) in enumerate(
            steps, first
        ):
            dropped = self.book.begin_cohort() if row % COHORT_STEPS == 0 else None
            self._trade(record, row, self._entries(sentiment, activity * trading), trading)
            if dropped is not None:
                record.closed[row] += dropped
            shock = diffusion * (1.0 + self._prices.stress_volatility * self._stress) + jump
            self._form_price(shock, venue_noise)
            premium = self._premium(noise)
            self._mark = np.exp(self._log_price + premium)
            if self._funds is not None:
                self._insure(self._funds, record, row)
            self._liquidate()
            record.index[row] = self._log_price
            record.premium[row] = premium
            if (row + 1) % FUNDING_STEPS == 0:
                self._settle_funding(record, row)
            record.speculative[row] = self.book.total + self.backlog
            if (row + 1) % self._bar_steps == 0:
                bar = row // self._bar_steps
                record.levels[bar] = self.book.levels(math.exp(self._log_price), EDGES)
                record.liquidated_by_leverage[bar] = self.book.liquidated
                record.insurance[bar] = np.inf if self._funds is None else self._funds.balance
            if watch is not None:
                watch(row, record)

    def state(self, record: StepRecord, row: int) -> AgentState:
        """Return a copy of everything that the next steps depend on, as it stands after step `row`."""
        nothing = np.zeros_like(self.backlog)
        since = (row + 1) // FUNDING_STEPS * FUNDING_STEPS
        return AgentState(
            step=row + 1,
            book=self.book.state(),
            backlog=self.backlog.copy(),
            exits=nothing if self._exits is None else self._exits.copy(),
            basis=self._basis.copy(),
            mark=self._mark.copy(),
            premium_sum=record.premium[since : row + 1].sum(axis=0),
            anchor=self._anchor,
            fundamental=self._fundamental,
            log_price=self._log_price,
            dislocation=self._dislocation,
            trend=self._trend,
            hour_return=self._hour_return,
            fear=self._fear,
            stress=self._stress,
            lead=self._lead,
            insurance=nothing[0] if self._funds is None else self._funds.balance.copy(),
            owed=nothing if self._funds is None else self._funds.owed.copy(),
        )

    def _trade(self, record: StepRecord, row: int, opened: Array, trading: Array) -> None:
        """Open, close and execute liquidations; leave the net order flow for the price to follow."""
        self.book.open(opened, self._mark)
        closed = self.book.close(self._exit_rates() * trading)
        net = opened - closed
        if self._exits is not None:
            net -= self._exits
            self._exits = None
        self._net_flow = float(net.ravel().dot(self._direction))
        record.opened[row] = opened
        record.closed[row] = closed
        self._forced = self._execute_backlog(trading)
        record.liquidated[row] = 0.0 if self._forced is None else self._forced

    def _entries(self, sentiment: float, activity: Array) -> Array:
        """Return new positions, shape (2, venues): the crowd follows the trend, fear keeps it away."""
        agents = self._agents
        mood = sentiment + agents.trend_weight * math.tanh(self._trend / agents.trend_scale)
        calm = self._pace.hold / (1.0 + agents.fear_gain * self._fear)
        tilt = math.exp(agents.mood_gain * agents.mood_cap * math.tanh(mood / agents.mood_cap))
        self._by_side[0, 0] = calm * agents.long_capacity * tilt
        self._by_side[1, 0] = calm * agents.short_capacity / tilt
        return self._by_side * activity

    def _exit_rates(self) -> Array:
        """Return closing rates, shape (2, 1): holders leave in time, losers stop out, winners take profit."""
        percent = self._hour_return * 100.0
        losing = self._pace.hold * (1.0 + self._agents.stop_gain * abs(percent))
        winning = self._pace.hold * (1.0 + self._agents.profit_gain * abs(percent))
        long_rate, short_rate = (losing, winning) if percent < 0.0 else (winning, losing)
        return np.array([[min(long_rate, HIGHEST_EXIT_RATE)], [min(short_rate, HIGHEST_EXIT_RATE)]])

    def _liquidate(self) -> None:
        """Hand positions that the mark price has reached over to the liquidation engines."""
        hit = self.book.liquidate(self._mark)
        if hit is not None:
            self.backlog = self.backlog + hit
            self._liquidating = True
            if self._funds is not None:
                self._funds.take_over(self.book.hit_value)

    def _insure(self, funds: InsuranceFunds, record: StepRecord, row: int) -> None:
        """Settle this step's liquidations with the insurance funds; deleverage where one is used up."""
        if self._forced is not None:
            funds.execute(self.backlog, self._forced, self._mark)
        found = funds.deleverage(self.book, self.backlog)
        if found is not None:
            closed, matched = found
            self.backlog = self.backlog - matched
            record.closed[row] += closed
            record.liquidated[row] += matched

    def _execute_backlog(self, trading: Array) -> Array | None:
        """Return what the liquidation engines sell and buy in this step, shape (2, venues), if anything."""
        if not self._liquidating:
            return None
        worked = self.backlog * self._prices.liquidation_rate
        forced: Array = np.where(self.backlog < LEAST_ORDER, self.backlog, worked) * trading
        self.backlog = self.backlog - forced
        self._liquidating = bool(self.backlog.any())
        return forced

    def _form_price(self, news: float, venue_noise: Array) -> None:
        """Move fundamental value, dislocation and venue basis by news and by net order flow."""
        prices = self._prices
        self._basis = self._basis * self._pace.arbitrage + venue_noise
        impact = prices.trade_impact * self._net_flow
        liquidated = 0.0
        if self._forced is not None:
            impact += self._forced_impact(self._forced)
            liquidated = float(self._forced.sum())
        self._anchor += self._pace.drift
        reversion = self._pace.pull * (self._anchor - self._fundamental)
        self._fundamental += news + prices.permanent * impact + reversion
        self._dislocation = self._dislocation * self._pace.recovery + (1.0 - prices.permanent) * impact
        before, self._log_price = self._log_price, self._fundamental + self._dislocation
        change = self._log_price - before
        self._trend = self._trend * self._pace.trend + change
        self._hour_return = self._hour_return * self._pace.hour + change
        self._fear = self._fear * self._pace.fear + liquidated
        self._stress = self._stress * self._pace.stress + liquidated
        self._lead = LEAD_DECAY * self._lead + prices.premium_lead * impact

    def _forced_impact(self, forced: Array) -> float:
        """Return the impact of liquidations, linear then square root, and move each venue's basis."""
        prices = self._prices
        by_venue = forced[1] - forced[0]
        flow = float(by_venue.sum())
        self._basis += prices.premium_lead * prices.forced_impact * (by_venue - flow * self._shares)
        return prices.forced_impact * flow / math.sqrt(1.0 + abs(flow) / prices.forced_depth)

    def _premium(self, noise: float) -> Array:
        """Return the log premium of each venue's perpetual: the crowd's side, leading flow, venue noise."""
        longs, shorts = self.book.total
        crowd = (longs - shorts) / (longs + shorts + 1e-12)
        return self._prices.crowd_premium * crowd + (self._lead + PREMIUM_NOISE * noise) + self._basis

    def _settle_funding(self, record: StepRecord, row: int) -> None:
        """Settle funding from the mean premium; payers beyond the base rate leave."""
        mean = record.premium[row + 1 - FUNDING_STEPS : row + 1].mean(axis=0)
        rate = mean + np.clip(BASE_FUNDING - mean, -FUNDING_CLAMP, FUNDING_CLAMP)
        rate = np.clip(rate, -FUNDING_CAP, FUNDING_CAP)
        record.funding[row // FUNDING_STEPS] = rate
        burden = np.maximum(SIDES[:, None] * (rate - BASE_FUNDING), 0.0) / BASE_FUNDING
        leaving = np.minimum(self._agents.funding_exit * burden, HIGHEST_FUNDING_EXIT)
        self._exits = self.book.close(leaving)
        record.closed[row] += self._exits
