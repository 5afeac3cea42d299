"""Continuations of the simulated market: the same mechanism as the market itself, fresh noise, no side effect."""

import numpy as np
import pytest

from oi_hedge_strategy.simulation.market_agents import AgentMarket
from oi_hedge_strategy.simulation.market_config import STEPS_PER_DAY, SimulatedMarketConfig
from oi_hedge_strategy.simulation.market_news import DayInputs
from oi_hedge_strategy.simulation.market_paths import MarketPaths
from oi_hedge_strategy.simulation.market_record import StepRecord
from oi_hedge_strategy.simulation.market_state import AgentState

CONFIG = SimulatedMarketConfig(seed=3, days=4)
HOUR = 12


def forked(config: SimulatedMarketConfig, row: int) -> tuple[AgentState, StepRecord, AgentMarket]:
    """Return the state after step `row` of the recorded days, the whole record and the market at its end."""
    market, found = AgentMarket(config, "ETH"), []

    def watch(at: int, record: StepRecord) -> None:
        if at == row:
            found.append(market.state(record, at))

    record = market.run(lambda: None, watch)
    return found[0], record, market


def same_inputs(config: SimulatedMarketConfig, row: int, shock: float, paths: int) -> list[DayInputs]:
    """Return the market's own inputs of the day of `row`, with a shock after it, for it and for the paths."""
    market = AgentMarket(config, "ETH")
    spare = StepRecord.empty(1, len(config.venues), HOUR)
    for _ in range(25):
        market.run_day(market.outside.day(), spare, 0)
    day = market.outside.day()
    day.jumps[row + 1 + HOUR] = shock
    rest = {name: values[row + 1 :] for name, values in vars(day).items()}
    tiled = {name: np.repeat(values[:, None], paths, axis=1) for name, values in rest.items()}
    return [day, DayInputs(**tiled)]


@pytest.mark.parametrize("shock", [-0.06, 0.06, 0.0])
def test_path_with_the_market_s_own_inputs_is_the_market(shock: float) -> None:
    row, paths = 40, 2
    day, repeated = same_inputs(CONFIG, row, shock, paths)
    market = AgentMarket(CONFIG, "ETH")
    record = StepRecord.empty(1, len(CONFIG.venues), HOUR)
    for _ in range(25):
        market.run_day(market.outside.day(), record, 0)
    states: list[AgentState] = []
    market.run_day(day, record, 0, lambda at, so_far: states.append(market.state(so_far, at)))
    found = MarketPaths(CONFIG, states[row], STEPS_PER_DAY, paths).run(repeated)
    price = record.index[:, None] + record.premium
    for path in range(paths):
        np.testing.assert_allclose(found.log_price[:, path], price[row + 1 :], atol=1e-10)
        total = record.speculative.max(axis=1).sum(axis=1) + record.hedged.sum(axis=1)
        np.testing.assert_allclose(found.open_interest[:, path], total[row + 1 :], atol=1e-10)
        np.testing.assert_allclose(
            found.liquidated[:, path], record.liquidated[row + 1 :].sum(axis=2), atol=1e-10
        )
    assert record.liquidated[row:].sum() > 0.05
    assert STEPS_PER_DAY - row - 1 == len(found.open_interest)
