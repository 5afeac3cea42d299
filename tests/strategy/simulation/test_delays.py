"""Three delays that grow with volatility, and what the market moves on meanwhile."""

import math
from random import Random
from typing import Any

import pytest

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.costs import CostsConfig
from oi_hedge_strategy.simulation.delays import DelayParameters, adverse_move, range_volatility

MS = 1_000_000
STILL = {"impact_coefficient": 0.0, "half_spread_bps": 0.0, "min_half_spread_bps": 0.0}
DEFAULTS = {"default_volatility": 0.04, "warmup_days": 1000.0}


def parameters(**values: float) -> DelayParameters:
    defaults = {"feed_ms": 100.0, "entry_ms": 200.0, "response_ms": 50.0, "exponent": 1.0}
    return DelayParameters(**({**defaults, "jitter": 0.0, "cap_ms": 60_000.0} | values))


def constant(**values: float) -> CostsConfig:
    defaults = {"feed_ms": 0.0, "response_ms": 0.0, "latency_jitter": 0.0, "latency_exponent": 0.0}
    return CostsConfig(**(defaults | values))


def sent_to_filled(market: Any, script: Any, bar: int) -> float:
    """Return the milliseconds from the moment that a bar was known to the first fill."""
    known = market.START + (bar + 1) * market.HOUR + market.LAG
    return float(script.fills[0].ts_event - known) / MS


@pytest.mark.parametrize(("stress", "ms"), [(0.2, 200), (1.0, 200), (3.0, 600), (1000.0, 60_000)])
def test_delay_grows_with_volatility_up_to_its_cap(stress: float, ms: int) -> None:
    assert parameters().sample(200.0, stress, Random(1)) == ms * MS


def test_exponent_shapes_the_growth() -> None:
    assert parameters(exponent=0.5).sample(200.0, 4.0, Random(1)) == 400 * MS
    assert parameters(exponent=0.0).sample(200.0, 4.0, Random(1)) == 200 * MS


def test_jitter_is_log_normal_about_the_median() -> None:
    shape, random = parameters(jitter=0.5), Random(3)
    logs = sorted(math.log(shape.sample(200.0, 1.0, random) / (200.0 * MS)) for _ in range(4001))
    assert logs[2000] == pytest.approx(0.0, abs=0.03)
    # one standard deviation above the median
    assert logs[round(0.841345 * 4000)] == pytest.approx(0.5, abs=0.04)


def test_range_of_a_bar_gives_its_volatility() -> None:
    # ln(1.1) / (2 sqrt(ln 2)) over a day, times sqrt(24) over an hour
    assert range_volatility(2200.0, 2000.0, 1.0) == pytest.approx(0.0572396, rel=1e-5)
    assert range_volatility(2200.0, 2000.0, 1.0 / 24.0) == pytest.approx(
        0.0572396 * math.sqrt(24.0), rel=1e-5
    )
    assert range_volatility(2000.0, 2000.0, 1.0) == 0.0


def test_adverse_move_is_the_mean_of_the_worse_half() -> None:
    # 4 % a day over 0.864 s, a hundred-thousandth of a day: 0.04 * sqrt(1e-5) / sqrt(2 pi)
    assert adverse_move(0.04, 1.0, 864 * MS) == pytest.approx(5.046265e-5)
    assert adverse_move(0.04, 5.0, 864 * MS) == pytest.approx(5.0 * 5.046265e-5)
    assert adverse_move(0.04, 1.0, 4 * 864 * MS) == pytest.approx(2.0 * 5.046265e-5)


@pytest.mark.parametrize("name", ["feed_ms", "entry_ms", "response_ms", "exponent", "jitter", "cap_ms"])
def test_negative_value_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        parameters(**{name: -1.0})


def test_order_answering_a_bar_is_late_by_feed_and_entry(market: Any) -> None:
    script = market.run(
        market.bars(2000.0, 2000.0),
        {0: lambda s: s.market(1.0)},
        latency_ms=200.0,
        costs=constant(feed_ms=70.0, response_ms=900.0),
    )
    assert sent_to_filled(market, script, 0) == 270.0


def test_order_answering_a_fill_is_late_by_response_and_entry(market: Any) -> None:
    def act(s: Any) -> None:
        original = s.on_order_filled

        def on_order_filled(event: Any) -> None:
            original(event)
            if len(s.fills) == 1:
                s.market(-1.0)

        s.on_order_filled = on_order_filled
        s.market(1.0)

    script = market.run(
        market.bars(2000.0, 2000.0),
        {0: act},
        latency_ms=200.0,
        costs=constant(feed_ms=70.0, response_ms=900.0),
    )
    first, second = script.fills
    assert second.ts_event - first.ts_event == 1100 * MS


def test_order_after_a_crash_is_late_by_as_much_as_the_crash_was_unusual(market: Any) -> None:
    crash = (2000.0, 2000.0, 1800.0, 1900.0)
    calm = market.run(
        market.bars(2000.0, 2000.0, 2000.0),
        {1: lambda s: s.market(1.0)},
        latency_ms=200.0,
        impact=STILL | DEFAULTS,
        costs=constant(latency_exponent=1.0),
    )
    assert sent_to_filled(market, calm, 1) == 200.0
    late = market.run(
        market.bars(2000.0, crash, 1900.0),
        {1: lambda s: s.market(1.0)},
        latency_ms=200.0,
        impact=STILL | DEFAULTS,
        costs=constant(latency_exponent=1.0),
    )
    # ln(2000 / 1800) / (2 sqrt(ln 2)) * sqrt(24) over 4 %
    stress = 0.105360516 / 1.665109222 * math.sqrt(24.0) / 0.04
    assert stress == pytest.approx(7.7496, abs=1e-4)
    assert sent_to_filled(market, late, 1) == pytest.approx(200.0 * stress, abs=0.001)
    (cost,) = market.ledger.fill_costs
    moved = 0.04 * stress * math.sqrt(0.2 * stress / 86_400.0) / math.sqrt(2.0 * math.pi)
    assert cost.latency_bps == pytest.approx(1e4 * moved, rel=1e-6)
    assert float(late.fills[0].last_px) == math.ceil(190_000.0 * (1.0 + moved)) / 100.0


def test_resting_stop_does_not_pay_for_the_way(market: Any) -> None:
    bars = market.bars(2000.0, 2000.0, (2000.0, 2000.0, 1900.0, 1950.0))
    market.run(
        bars,
        {0: lambda s: s.market(1.0), 1: lambda s: s.stop_market(-1.0, "1960.00")},
        latency_ms=200.0,
        impact=STILL,
        costs=constant(),
    )
    entry, stop = market.ledger.fill_costs
    assert entry.latency_bps > 0.0
    assert (stop.latency_bps, stop.price) == (0.0, 1960.0)


def test_same_seed_gives_the_same_delays_and_another_does_not(market: Any) -> None:
    def arrivals(seed: int) -> list[int]:
        script = market.run(
            market.bars(*[2000.0] * 6),
            {i: (lambda s: s.market(1.0)) for i in range(5)},
            latency_ms=200.0,
            costs=CostsConfig(seed=seed),
        )
        return [fill.ts_event for fill in script.fills]

    first = arrivals(1)
    assert arrivals(1) == first
    assert arrivals(2) != first
    assert len({ts % market.HOUR for ts in first}) == 5
