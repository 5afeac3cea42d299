"""Many continuations of one simulated market from one state, with fresh noise: the truth by Monte Carlo."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.simulation.market_agents import (
    BASE_FUNDING,
    COHORT_STEPS,
    FUNDING_CAP,
    FUNDING_CLAMP,
    HIGHEST_EXIT_RATE,
    HIGHEST_FUNDING_EXIT,
    LEAD_DECAY,
    LEAST_ORDER,
    PREMIUM_NOISE,
)
from oi_hedge_strategy.simulation.market_config import FUNDING_STEPS, SimulatedMarketConfig
from oi_hedge_strategy.simulation.market_insurance import InsuranceFunds
from oi_hedge_strategy.simulation.market_news import DayInputs
from oi_hedge_strategy.simulation.market_path_positions import PathBooks
from oi_hedge_strategy.simulation.market_positions import SIDES
from oi_hedge_strategy.simulation.market_state import AgentState, Pace

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PathRecord:
    """
    Hold what the paths did.

    Parameters
    ----------
    log_price : Array, shape (steps, paths, venues)
        Of each venue's perpetual.
    open_interest : Array, shape (steps, paths)
        One-sided, over all venues, as a fraction of the asset's normal open interest.
    liquidated : Array, shape (steps, paths, 2)
        Executed liquidations over all venues, longs and shorts.

    """

    log_price: Array
    open_interest: Array
    liquidated: Array


class MarketPaths:
    """
    Continue one market on many paths at once; step for step the same mechanism as `AgentMarket`.

    Parameters
    ----------
    config : SimulatedMarketConfig
        The market.
    state : AgentState
        Where all paths begin.
    steps, paths : int
        Length and number of the paths.

    """

    def __init__(self, config: SimulatedMarketConfig, state: AgentState, steps: int, paths: int) -> None:
        self._agents, self._prices = config.agents, config.prices
        self._pace = Pace.of(config)
        self._shares = np.array([venue.share for venue in config.venues.values()])
        self._step = state.step
        self._book = PathBooks(state.book, paths, steps // COHORT_STEPS + 2)
        self._backlog, self._exits = (np.tile(each, (paths, 1, 1)) for each in (state.backlog, state.exits))
        self._basis, self._mark, self._premium_sum = (
            np.tile(each, (paths, 1)) for each in (state.basis, state.mark, state.premium_sum)
        )
        self._anchor = state.anchor
        self._fundamental, self._log_price, self._dislocation = (
            np.full(paths, each) for each in (state.fundamental, state.log_price, state.dislocation)
        )
        self._trend, self._hour_return, self._fear, self._stress, self._lead = (
            np.full(paths, each)
            for each in (state.trend, state.hour_return, state.fear, state.stress, state.lead)
        )

        self._funds: InsuranceFunds | None = None
        if isfinite(config.insurance):
            balance, owed = np.tile(state.insurance, (paths, 1)), np.tile(state.owed, (paths, 1, 1))
            self._funds = InsuranceFunds(balance, owed, config.agents.mmr)

    def run(self, inputs: DayInputs) -> PathRecord:
        """Return what follows under `inputs`, whose first axes are steps and paths."""
        steps, paths = inputs.diffusion.shape
        hedged = self._agents.hedged * (self._shares * inputs.hedged).sum(axis=2)
        log_price = np.empty((steps, paths, len(self._shares)))
        open_interest, liquidated = np.empty((steps, paths)), np.empty((steps, paths, 2))
        for row in range(steps):
            if self._step % COHORT_STEPS == 0:
                self._book.begin_cohort()
            trading = inputs.trading[row]
            flow = self._trade(self._entries(inputs.sentiment[row], inputs.activity[row] * trading), trading)
            forced = self._execute_backlog(trading)
            shock = inputs.diffusion[row] * (1.0 + self._prices.stress_volatility * self._stress)
            self._form_price(shock + inputs.jumps[row], inputs.venue_noise[row], flow, forced)
            log_price[row] = self._log_price[:, None] + self._premium(inputs.premium_noise[row])
            self._mark = np.exp(log_price[row])
            matched = self._insure(self._funds, forced) if self._funds is not None else 0.0
            self._liquidate()
            self._step += 1
            if self._step % FUNDING_STEPS == 0:
                self._settle_funding()
            held = (self._book.total + self._backlog).max(axis=1).sum(axis=1)
            open_interest[row] = held + hedged[row]
            liquidated[row] = (forced + matched).sum(axis=2)
        return PathRecord(log_price, open_interest, liquidated)

    def _entries(self, sentiment: Array, activity: Array) -> Array:
        """Return new positions, shape (paths, 2, venues)."""
        agents = self._agents
        mood = sentiment + agents.trend_weight * np.tanh(self._trend / agents.trend_scale)
        calm = self._pace.hold / (1.0 + agents.fear_gain * self._fear)
        tilt = np.exp(agents.mood_gain * agents.mood_cap * np.tanh(mood / agents.mood_cap))
        by_side = np.stack([calm * agents.long_capacity * tilt, calm * agents.short_capacity / tilt], axis=1)
        return by_side[:, :, None] * activity[:, None]

    def _trade(self, opened: Array, trading: Array) -> Array:
        """Open and close positions; return the net order flow, shape (paths,)."""
        self._book.open(opened, self._mark)
        closed = self._book.close(self._exit_rates()[:, :, None] * trading[:, None])
        net = (opened - closed - self._exits).sum(axis=2)
        self._exits = np.zeros_like(self._exits)
        flow: Array = net @ SIDES
        return flow

    def _exit_rates(self) -> Array:
        """Return closing rates, shape (paths, 2)."""
        percent = self._hour_return * 100.0
        losing = self._pace.hold * (1.0 + self._agents.stop_gain * np.abs(percent))
        winning = self._pace.hold * (1.0 + self._agents.profit_gain * np.abs(percent))
        falls = percent < 0.0
        rates = np.stack([np.where(falls, losing, winning), np.where(falls, winning, losing)], axis=1)
        return np.minimum(rates, HIGHEST_EXIT_RATE)

    def _execute_backlog(self, trading: Array) -> Array:
        """Return what the liquidation engines sell and buy, shape (paths, 2, venues)."""
        worked = self._backlog * self._prices.liquidation_rate
        forced: Array = np.where(self._backlog < LEAST_ORDER, self._backlog, worked) * trading[:, None]
        self._backlog = self._backlog - forced
        return forced

    def _liquidate(self) -> None:
        """Hand positions that the mark price has reached over to the liquidation engines."""
        hit = self._book.liquidate(self._mark)
        if hit is not None:
            self._backlog += hit
            if self._funds is not None:
                self._funds.take_over(self._book.hit_value)

    def _insure(self, funds: InsuranceFunds, forced: Array) -> Array:
        """Settle with the insurance funds; return what was closed against winners, (paths, 2, venues)."""
        funds.execute(self._backlog, forced, self._mark)
        found = funds.deleverage(self._book, self._backlog)
        if found is None:
            return np.zeros_like(forced)
        self._backlog = self._backlog - found[1]
        return found[1]

    def _form_price(self, news: Array, venue_noise: Array, flow: Array, forced: Array) -> None:
        """Move fundamental value, dislocation and venue basis by news and by net order flow."""
        prices, pace = self._prices, self._pace
        by_venue = forced[:, 1] - forced[:, 0]
        net = by_venue.sum(axis=1)
        own = prices.premium_lead * prices.forced_impact * (by_venue - net[:, None] * self._shares)
        self._basis = self._basis * pace.arbitrage + venue_noise + own
        impact = prices.trade_impact * flow
        impact += prices.forced_impact * net / np.sqrt(1.0 + np.abs(net) / prices.forced_depth)
        self._anchor += pace.drift
        reversion = pace.pull * (self._anchor - self._fundamental)
        self._fundamental = self._fundamental + news + prices.permanent * impact + reversion
        self._dislocation = self._dislocation * pace.recovery + (1.0 - prices.permanent) * impact
        before, self._log_price = self._log_price, self._fundamental + self._dislocation
        change, liquidated = self._log_price - before, forced.sum(axis=(1, 2))
        self._trend = self._trend * pace.trend + change
        self._hour_return = self._hour_return * pace.hour + change
        self._fear = self._fear * pace.fear + liquidated
        self._stress = self._stress * pace.stress + liquidated
        self._lead = LEAD_DECAY * self._lead + prices.premium_lead * impact

    def _premium(self, noise: Array) -> Array:
        """Return the log premium of each venue's perpetual, shape (paths, venues)."""
        longs, shorts = self._book.total[:, 0], self._book.total[:, 1]
        crowd = (longs - shorts) / (longs + shorts + 1e-12)
        lead = self._lead + PREMIUM_NOISE * noise
        premium: Array = self._prices.crowd_premium * crowd + lead[:, None] + self._basis
        self._premium_sum += premium
        return premium

    def _settle_funding(self) -> None:
        """Settle funding from the mean premium; payers beyond the base rate leave."""
        mean = self._premium_sum / FUNDING_STEPS
        rate = mean + np.clip(BASE_FUNDING - mean, -FUNDING_CLAMP, FUNDING_CLAMP)
        rate = np.clip(rate, -FUNDING_CAP, FUNDING_CAP)
        burden = np.maximum(SIDES[:, None] * (rate[:, None] - BASE_FUNDING), 0.0) / BASE_FUNDING
        self._exits = self._book.close(np.minimum(self._agents.funding_exit * burden, HIGHEST_FUNDING_EXIT))
        self._premium_sum = np.zeros_like(self._premium_sum)
