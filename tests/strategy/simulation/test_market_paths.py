"""Continuations of the simulated market: the same mechanism as the market itself."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from oi_hedge_strategy.simulation.market_agents import AgentMarket
from oi_hedge_strategy.simulation.market_config import STEPS_PER_DAY, SimulatedMarketConfig, VenueHalt
from oi_hedge_strategy.simulation.market_news import DayInputs
from oi_hedge_strategy.simulation.market_paths import MarketPaths
from oi_hedge_strategy.simulation.market_record import StepRecord
from oi_hedge_strategy.simulation.market_state import AgentState

CONFIG = SimulatedMarketConfig(seed=3, days=4)
HOUR = 12


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


@pytest.mark.parametrize(
    ("shock", "changes"),
    [
        (-0.06, {}),
        (0.06, {}),
        (0.0, {}),
        (-0.06, {"halts": (VenueHalt("BYBIT", 3.0, 4.0), VenueHalt("OKX", 4.0, 99.0))}),
        (-0.06, {"insurance": 0.0001}),
    ],
)
def test_path_with_the_market_s_own_inputs_is_the_market(shock: float, changes: dict[str, Any]) -> None:
    row, paths = 40, 2
    config = dataclasses.replace(CONFIG, **changes)
    day, repeated = same_inputs(config, row, shock, paths)
    market = AgentMarket(config, "ETH")
    record = StepRecord.empty(1, len(config.venues), HOUR)
    for _ in range(25):
        market.run_day(market.outside.day(), record, 0)
    states: list[AgentState] = []
    market.run_day(day, record, 0, lambda at, so_far: states.append(market.state(so_far, at)))
    found = MarketPaths(config, states[row], STEPS_PER_DAY, paths).run(repeated)
    price = record.index[:, None] + record.premium
    for path in range(paths):
        np.testing.assert_allclose(found.log_price[:, path], price[row + 1 :], atol=1e-10)
        total = record.speculative.max(axis=1).sum(axis=1) + record.hedged.sum(axis=1)
        np.testing.assert_allclose(found.open_interest[:, path], total[row + 1 :], atol=1e-10)
        np.testing.assert_allclose(
            found.liquidated[:, path], record.liquidated[row + 1 :].sum(axis=2), atol=1e-10
        )
    assert record.liquidated[row:].sum() > 0.05
    if "insurance" in changes:
        assert record.insurance[-1].max() < 0.05 * record.insurance[0].min()
    assert STEPS_PER_DAY - row - 1 == len(found.open_interest)


def test_paths_know_a_halt_by_the_time_of_day_and_differ_from_one_another() -> None:
    config = dataclasses.replace(CONFIG, halts=(VenueHalt("GATE", 30.0, 2.0),))
    market = AgentMarket(config, "ETH")
    record = StepRecord.empty(2, len(config.venues), HOUR)
    for day in range(-25, 2):
        market.run_day(market.outside.day(), record, max(0, day) * STEPS_PER_DAY)
    inputs = market.outside.branch(11, 30 * HOUR, 3, np.random.default_rng(1))
    # the last day began at hour 24, so step 11 ends hour 25 and the halt lies 5 to 7 hours on
    gate = list(config.venues).index("GATE")
    np.testing.assert_array_equal(np.flatnonzero(inputs.trading[:, 0, gate] == 0.0), np.arange(60, 84))
    assert np.abs(inputs.diffusion[:, 0] - inputs.diffusion[:, 1]).max() > 0.0
