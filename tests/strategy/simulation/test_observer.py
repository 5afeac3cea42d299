"""Own trades move the market that is seen afterwards, and the move decays."""

import math
from typing import Any

import numpy as np
import pytest

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.costs import CostsConfig
from oi_hedge_strategy.simulation.propagator import ImpactTrail, permanent_share, relaxation

HOUR = 3_600_000_000_000
IMPACT = {
    "default_volatility": 0.04,
    "default_volume": 10_000.0,
    "warmup_days": 1000.0,
    "half_spread_bps": 0.0,
    "min_half_spread_bps": 0.0,
    "participation": 1.0,
}
COSTS = CostsConfig(feed_ms=0.0, response_ms=0.0, latency_jitter=0.0, latency_exponent=0.0)
# 100 of 10,000 ETH at 4 % a day: 40 bps, of which 0.314 * 0.04 * 0.01 stay
MOVED, STAYS = 40e-4, 1.256e-4


def left(hours: float) -> float:
    """Return the shift of 100 ETH bought so many hours ago."""
    return STAYS + (MOVED - STAYS) * (math.sqrt(1.0 + hours) - math.sqrt(hours))


def closes(market: Any) -> list[float]:
    return [shift.close for shift in market.ledger.price_shifts]


@pytest.mark.parametrize(
    ("elapsed", "share"), [(0.0, 1.0), (0.5625, 0.5), (1.0, 0.41421356), (24.0, 0.10102051)]
)
def test_decaying_part_relaxes_as_the_linear_order_book_does(elapsed: float, share: float) -> None:
    assert relaxation(elapsed) == pytest.approx(share)


def test_permanent_part_is_linear_in_the_quantity() -> None:
    one = permanent_share(10.0, 0.04, 1000.0, 0.314)
    assert one == pytest.approx(0.314 * 0.04 * 0.01)
    assert permanent_share(30.0, 0.04, 1000.0, 0.314) == pytest.approx(3.0 * one)


def test_trail_sums_the_trades_up_to_a_time() -> None:
    trail = ImpactTrail(HOUR)
    trail.add(0, 0.010, 0.002)
    trail.add(HOUR, -0.005, -0.001)
    assert trail.shift(-1) == 0.0
    assert trail.shift(0) == pytest.approx(0.010)
    assert trail.shift(HOUR - 1) == pytest.approx(0.002 + 0.008 * 0.41421356)
    assert trail.shift(HOUR) == pytest.approx(0.002 + 0.008 * 0.41421356 - 0.005)
    later = 0.002 + 0.008 * (math.sqrt(3.0) - math.sqrt(2.0)) - 0.001 - 0.004 * 0.41421356
    assert trail.shift(2 * HOUR) == pytest.approx(later)


def test_round_trip_leaves_no_permanent_shift() -> None:
    trail = ImpactTrail(HOUR)
    trail.add(0, 0.010, 0.002)
    trail.add(1, -0.005, -0.001)
    trail.add(2, -0.005, -0.001)
    assert trail.shift(10**6 * HOUR) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("minutes", [0.0, -1.0, math.nan])
def test_relaxation_time_must_be_positive(minutes: float) -> None:
    with pytest.raises(ConfigError, match="relaxation"):
        ImpactTrail(minutes)


def test_purchase_raises_the_following_bars_and_the_raise_decays(market: Any) -> None:
    seen: list[float] = []
    actions = {i: (lambda s: seen.append(float(s.cache.bar(s.bar_type).close))) for i in range(1, 4)}
    actions[0] = lambda s: s.market(100.0)
    bars = market.bars(*[2000.0] * 4)
    script = market.run(bars, actions, impact=IMPACT, costs=COSTS)
    # bought 10 s after the first close
    lag = market.LAG / HOUR
    expected = [round(2000.0 * (1.0 + left(h - lag)), 2) for h in (1, 2, 3)]
    assert seen == closes(market) == pytest.approx(expected, abs=1e-9)
    assert float(script.fills[0].last_px) == 2008.0
    assert [shift.recorded_close for shift in market.ledger.price_shifts] == [2000.0] * 3


def test_bar_that_opened_before_the_trade_opens_unmoved_and_peaks_inside(market: Any) -> None:
    bars = market.bars(2000.0, (2000.0, 2000.0, 2000.0, 2000.0))
    market.run(bars, {0: lambda s: s.market(100.0)}, impact=IMPACT, costs=COSTS)
    lag = market.LAG / HOUR
    opened, high, low, close = (float(p) for p in (bars[1].open, bars[1].high, bars[1].low, bars[1].close))
    assert (opened, low) == (2000.0, 2000.0)
    assert close == round(2000.0 * (1.0 + left(1.0 - lag)), 2)
    assert high == round(2000.0 * (1.0 + left(0.5 - lag)), 2) > close


def test_second_order_pays_what_the_first_has_moved(market: Any) -> None:
    def both(s: Any) -> None:
        s.market(100.0)
        s.market(100.0)

    script = market.run(
        market.bars(2000.0, 2000.0), {0: both}, impact=IMPACT | {"participation": 2.0}, costs=COSTS
    )
    first, second = (float(f.last_px) for f in script.fills)
    assert first == 2008.0
    # 40 bps on a market that is 40 bps higher
    assert market.ledger.fill_costs[1].reference_price == pytest.approx(2008.0)
    assert second == pytest.approx(2008.0 * 1.004, abs=0.01)


def test_own_sale_triggers_the_stop_that_the_recorded_market_would_not_reach(market: Any) -> None:
    bars = market.bars(2000.0, (2000.0, 2000.0, 1999.0, 2000.0), (2000.0, 2000.0, 1999.0, 2000.0))
    actions = {0: lambda s: (s.market(-100.0), s.stop_market(-1.0, "1997.00"))}
    alone = market.run(market.bars(2000.0, 2000.0), {}, impact=IMPACT, costs=COSTS)
    assert alone.fills == []
    script = market.run(bars, actions, impact=IMPACT, costs=COSTS)
    assert [float(f.last_qty) for f in script.fills] == [100.0, 1.0]


def test_equity_is_marked_at_the_moved_price_and_adds_up(market: Any) -> None:
    script = market.run(
        market.bars(*[2000.0] * 3), {0: lambda s: s.market(-100.0)}, impact=IMPACT, costs=COSTS
    )
    mark = closes(market)[-1]
    assert mark < 2000.0
    unrealized = float(script.portfolio.unrealized_pnl(market.instrument.id))
    assert unrealized == pytest.approx(100.0 * (float(script.fills[0].last_px) - mark))
    assert market.balance() == 1_000_000.0


def test_forced_close_moves_the_market_too(market: Any) -> None:
    rows = [2000.0, (2000.0, 2000.0, 1700.0, 1750.0), 1750.0]
    market.run(
        market.bars(*rows),
        {0: lambda s: s.market(100.0)},
        impact=IMPACT,
        costs=COSTS,
        balance="20000 USDT",
        leverage=10.0,
    )
    (liquidation,) = market.ledger.liquidations
    assert (liquidation.impact_bps, liquidation.permanent_bps) == (pytest.approx(40.0), pytest.approx(1.256))
    # both trades' permanent parts cancel, an hour of decay is left of the later one and two of the earlier
    lag = market.LAG / HOUR
    expected = left(2.0 - lag) - left(1.0 - lag)
    assert market.ledger.price_shifts[-1].shift_bps == pytest.approx(1e4 * expected)


def test_reset_gives_the_data_back_their_recorded_prices(market: Any) -> None:
    bars = market.bars(2000.0, 2000.0, 2000.0)
    market.run(bars, {0: lambda s: s.market(100.0)}, impact=IMPACT, costs=COSTS)
    assert float(bars[1].close) > 2000.0
    market.engine.reset()
    assert [float(bar.close) for bar in bars] == [2000.0] * 3


def test_ledger_gives_the_closes_as_they_were_seen(market: Any) -> None:
    bars = market.bars(2000.0, 2000.0, 2000.0)
    ts = np.array([bar.ts_init for bar in bars], np.int64)
    recorded = np.array([2000.0, 2000.0, 2000.0])
    market.run(bars, {0: lambda s: s.market(100.0)}, impact=IMPACT, costs=COSTS)
    seen = market.ledger.close_of(market.instrument.id, ts, recorded)
    assert seen.tolist() == [2000.0, *closes(market)]
    assert recorded.tolist() == [2000.0] * 3


@pytest.mark.parametrize("costs", [None, CostsConfig(moves_market=False)])
def test_without_it_own_trades_leave_the_market_where_it_is(market: Any, costs: CostsConfig | None) -> None:
    bars = market.bars(2000.0, 2000.0)
    market.run(bars, {0: lambda s: s.market(100.0)}, impact=IMPACT, costs=costs)
    assert float(bars[1].close) == 2000.0
    assert market.ledger.price_shifts == []
