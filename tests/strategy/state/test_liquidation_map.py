"""The liquidation map against hand-computed levels and a slow reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oi_hedge_strategy.margin import liquidation_price
from oi_hedge_strategy.state import LiquidationMap, LiquidationMapConfig

DAY = 86_400_000_000_000
ONE = LiquidationMapConfig(leverage=((25.0, 1.0),))


def opened(config, price, before, after):
    levels = LiquidationMap(config)
    levels.update_open_interest(0, before)
    levels.update_bar(price, price, price)
    levels.update_open_interest(1, after)
    return levels


def test_a_long_at_25x_is_liquidated_3_52_percent_below_its_entry():
    assert liquidation_price(2000.0, 25.0, 0.005, 1) == pytest.approx(2000 * 0.96 / 0.995)
    density = opened(ONE, 2000.0, 1000.0, 1100.0).density()
    assert density[0].tolist() == pytest.approx([0, 100, 0, 0, 0, 0])
    assert density[1].tolist() == pytest.approx([0, 100, 0, 0, 0, 0])


def test_the_default_leverage_menu_fills_the_bands_by_its_shares():
    density = opened(LiquidationMapConfig(), 2000.0, 1000.0, 1100.0).density()
    assert density[0].tolist() == pytest.approx([30, 25, 30, 0, 15, 0])  # 100x+50x, 25x, 10x, -, 5x
    assert density[1].tolist() == pytest.approx([30, 25, 30, 0, 15, 0])


def test_a_fall_of_open_interest_closes_positions_pro_rata():
    levels = opened(ONE, 2000.0, 1000.0, 1100.0)
    levels.update_open_interest(2, 550.0)
    assert levels.density()[0, 1] == pytest.approx(50.0)


def test_a_bar_that_trades_through_a_level_consumes_it_on_its_side_only():
    levels = opened(ONE, 2000.0, 1000.0, 1100.0)
    levels.update_bar(2000.0, 1920.0, 1990.0)
    density = levels.density()
    assert density[0].sum() == pytest.approx(0.0)
    assert density[1].sum() == pytest.approx(100.0)


def test_a_bar_that_stops_short_of_a_level_leaves_it():
    levels = opened(ONE, 2000.0, 1000.0, 1100.0)
    levels.update_bar(2000.0, 1935.0, 1990.0)
    assert levels.density()[0].sum() == pytest.approx(100.0)


def test_the_first_open_interest_opens_nothing():
    levels = LiquidationMap(ONE)
    levels.update_bar(2000.0, 2000.0, 2000.0)
    levels.update_open_interest(1, 1000.0)
    assert levels.density().sum() == 0.0


def test_positions_older_than_the_memory_are_forgotten():
    levels = opened(ONE, 2000.0, 1000.0, 1100.0)
    levels.update_open_interest(90 * DAY, 1100.0)
    assert levels.density().sum() == pytest.approx(200.0)
    levels.update_open_interest(90 * DAY + 2, 1100.0)
    assert levels.density().sum() == pytest.approx(0.0, abs=1e-9)


STEPS = st.lists(st.tuples(st.floats(-0.06, 0.06), st.floats(-0.2, 0.25)), min_size=1, max_size=40)


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_it_equals_a_list_of_positions_kept_one_by_one(steps):
    config = LiquidationMapConfig()
    levels, positions = LiquidationMap(config), []
    price, interest = 2000.0, 1000.0
    levels.update_open_interest(0, interest)
    for i, (move, change) in enumerate(steps):
        before, price = price, price * (1 + move)
        high, low = max(before, price), min(before, price)
        levels.update_bar(high, low, price)
        positions = [p for p in positions if not hit(p, high, low, config)]
        traded, grown = (high + low + price) / 3, interest * (1 + change)
        if grown > interest:
            for leverage, share in config.leverage:
                for side in (1, -1):
                    at = liquidation_price(traded, leverage, config.maintenance_margin_rate, side)
                    positions.append([side, at, share * (grown - interest)])
            positions = [p for p in positions if not hit(p, price, price, config)]
        else:
            for position in positions:
                position[2] *= grown / interest
        interest = grown
        levels.update_open_interest(i + 1, interest)
    found = levels.density()
    total = {
        side: sum(q for s, at, q in positions if s == side and near(at, price, side)) for side in (1, -1)
    }
    assert found[0].sum() == pytest.approx(total[1], rel=1e-6, abs=1e-6)
    assert found[1].sum() == pytest.approx(total[-1], rel=1e-6, abs=1e-6)


def bin_of(price, config):
    return int(np.floor(np.log(price) / config.bin_width))


def hit(position, high, low, config):
    side, at, _ = position
    if side == 1:
        return bin_of(at, config) >= bin_of(low, config)
    return bin_of(at, config) <= bin_of(high, config)


def near(at, price, side):
    """Tell whether a level lies in the outermost band, to one bin."""
    width, edge = 0.001, np.log(0.7) if side == 1 else np.log(1.3)
    reach = np.floor(np.log(price) / width) + np.rint(edge / width)
    level = np.floor(np.log(at) / width)
    return level >= reach if side == 1 else level < reach
