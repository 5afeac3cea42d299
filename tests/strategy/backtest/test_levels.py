from dataclasses import replace

import numpy as np
import pytest

from oi_hedge_strategy.backtest.levels import liquidation_levels, spread_over
from oi_hedge_strategy.backtest.market import outcomes_at
from oi_hedge_strategy.cascades import CascadeDefinition, CascadeLabels, HourlyMarket
from oi_hedge_strategy.history import AssetHistory
from oi_hedge_strategy.state import LiquidationMapConfig, StateSchema, Stream

HOUR = 3_600_000_000_000
LAG = 10_000_000_000
TEN_TIMES = LiquidationMapConfig(leverage=((10.0, 1.0),), maintenance_margin_rate=0.005)


def history(hours: int, seed: int = 3) -> AssetHistory:
    """Two venues' hourly bars and open interest, both known ten seconds after the hour."""
    rng = np.random.default_rng(seed)
    close = 2_000.0 * np.exp(np.cumsum(rng.normal(0.0, 0.006, hours)))
    parts = []
    for venue in (0, 1):
        ts = HOUR * np.arange(1, hours + 1) + LAG
        bars = np.column_stack([close * 1.002, close * 0.998, close, np.ones(hours)])
        interest = np.column_stack(
            [1e5 * np.exp(np.cumsum(rng.normal(0, 0.01, hours))), np.zeros((hours, 3))]
        )
        parts += [(ts, Stream.PERPETUAL, venue, bars), (ts, Stream.OPEN_INTEREST, venue, interest)]
    ts = np.concatenate([part[0] for part in parts])
    stream = np.repeat([int(part[1]) for part in parts], hours).astype(np.int8)
    venue = np.repeat([part[2] for part in parts], hours).astype(np.int16)
    fields = np.concatenate([part[3] for part in parts])
    order = np.lexsort((venue, stream, ts))
    return AssetHistory(
        "ETH", "ETHUSDT-PERP.BINANCE", ("BINANCE", "BYBIT"),
        ts[order], stream[order], venue[order], fields[order], np.zeros((0, 4)), np.zeros(0, np.int64),
    )  # fmt: skip


def until(whole: AssetHistory, ts: int) -> AssetHistory:
    kept = int(np.searchsorted(whole.ts, ts, side="right"))
    columns = {name: getattr(whole, name)[:kept] for name in ("ts", "stream", "venue", "fields")}
    return replace(whole, **columns)


def test_a_density_by_distance_lands_at_its_prices() -> None:
    bands = np.array([0.0, 0.1, 0.2])
    density = np.array([[4.0, 8.0], [2.0, 6.0]])
    edges = np.log([70.0, 80.0, 90.0, 100.0, 110.0, 120.0, 130.0])
    longs, shorts = spread_over(density, bands, 100.0, edges)
    assert longs.tolist() == pytest.approx([0.0, 8.0, 4.0, 0.0, 0.0, 0.0])
    assert shorts.tolist() == pytest.approx([0.0, 0.0, 0.0, 2.0, 6.0, 0.0])


def test_a_band_over_two_bins_is_split_by_the_logarithm_of_price() -> None:
    edges = np.log([81.0, 90.0, 100.0])
    longs, _ = spread_over(np.array([[6.0], [0.0]]), np.array([0.0, 0.19]), 100.0, edges)
    assert longs.tolist() == pytest.approx([3.0, 3.0])


def test_a_rise_of_open_interest_stands_at_its_liquidation_prices() -> None:
    ts = np.array([1, 1, 2, 2], np.int64) * HOUR
    stream = np.array([Stream.PERPETUAL, Stream.OPEN_INTEREST] * 2, np.int8)
    bar = [100.0, 100.0, 100.0, 1.0]
    fields = np.array([bar, [1_000.0, 0, 0, 0], bar, [1_600.0, 0, 0, 0]])
    one = AssetHistory(
        "ETH", "ETHUSDT-PERP.BINANCE", ("BINANCE",), ts, stream, np.zeros(4, np.int16), fields,
        np.zeros((0, 4)), np.zeros(0, np.int64),
    )  # fmt: skip
    schema = StateSchema(venues=("BINANCE",), liquidation_map=TEN_TIMES)
    levels = liquidation_levels(one, schema, ts[[1, 3]], 95.0, 105.0)
    assert levels.longs[0].sum() == levels.shorts[0].sum() == 0.0
    assert levels.longs[1].sum() == pytest.approx(600.0)
    assert levels.shorts[1].sum() == pytest.approx(600.0)
    middle = np.sqrt(levels.edges[1:] * levels.edges[:-1])
    assert middle[levels.longs[1].argmax()] == pytest.approx(100.0 * 0.9 / 0.995, rel=0.006)
    assert middle[levels.shorts[1].argmax()] == pytest.approx(100.0 * 1.1 / 1.005, rel=0.006)


def test_levels_do_not_change_when_the_future_is_cut_off() -> None:
    whole = history(300)
    schema = StateSchema(venues=("BINANCE", "BYBIT"))
    times = HOUR * np.array([60, 130, 200]) + LAG
    full = liquidation_levels(whole, schema, times, 1_500.0, 2_500.0)
    cut = liquidation_levels(until(whole, int(times[1])), schema, times[:2], 1_500.0, 2_500.0)
    assert full.longs[1].sum() > 0.0
    assert np.array_equal(full.longs[:2], cut.longs)
    assert np.array_equal(full.shorts[:2], cut.shorts)


def test_longs_stand_below_the_price_and_shorts_above() -> None:
    whole = history(300)
    times = HOUR * np.arange(20, 300, 20) + LAG
    levels = liquidation_levels(whole, StateSchema(venues=("BINANCE", "BYBIT")), times, 1_500.0, 2_500.0)
    bars = whole.fields[(whole.stream == Stream.PERPETUAL) & (whole.venue == 0)]
    price = bars[times // HOUR - 1, 2]
    assert not levels.longs[levels.edges[None, :-1] > price[:, None] * 1.002].any()
    assert not levels.shorts[levels.edges[None, 1:] < price[:, None] * 0.998].any()


def test_outcomes_are_those_of_the_hour_a_decision_lies_in() -> None:
    ts = HOUR * np.arange(1, 5)
    cascade = np.arange(4 * 2 * 3, dtype=np.float64).reshape(4, 2, 3)
    empty = np.zeros((4, 2, 3))
    labels = CascadeLabels(cascade, empty, np.zeros((4, 3)), empty)
    market = HourlyMarket(ts, *np.ones((3, 4)), np.ones((4, 1)))
    decisions = np.array([ts[0] - 1, ts[1] + LAG, ts[2], ts[3] + 2 * HOUR])
    outcomes = outcomes_at(decisions, market, labels, CascadeDefinition())
    assert list(outcomes) == ["down_4h", "down_18h", "down_48h", "up_4h", "up_18h", "up_48h"]
    assert np.isnan(outcomes.iloc[0]).all()
    assert outcomes.iloc[1].tolist() == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    assert outcomes.iloc[2].tolist() == [12.0, 13.0, 14.0, 15.0, 16.0, 17.0]
    assert np.isnan(outcomes.iloc[3]).all()
