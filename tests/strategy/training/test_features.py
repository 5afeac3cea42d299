"""Features, merged networks, disturbed samples and auxiliary targets against slow, obvious references."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import SEEN, random_network, rows

from oi_hedge_strategy.cascades import CascadeDefinition, HourlyMarket, hourly_volatility
from oi_hedge_strategy.forecast.conformance import made_up_market, masked
from oi_hedge_strategy.state import CHANNELS, StateSchema
from oi_hedge_strategy.training.dataset import tensors
from oi_hedge_strategy.training.disturb import disturb
from oi_hedge_strategy.training.ensemble import merge
from oi_hedge_strategy.training.features import MarketFeatures
from oi_hedge_strategy.training.recording import Snapshots
from oi_hedge_strategy.training.targets import auxiliary_targets

SCHEMA = StateSchema(("BINANCE", "BYBIT", "OKX"))
NAMES = tuple(CHANNELS[at].name for at in SEEN)
AT = {channel.name: at for at, channel in enumerate(CHANNELS)}
OFFSETS = np.asarray(SCHEMA.offsets_hours)
FEATURES = MarketFeatures(SCHEMA, SEEN)
SEEDS = st.integers(0, 2**31)
HOUR = 3_600_000_000_000


def markets(seed, count=2, holes=False):
    rng = np.random.default_rng(seed)
    found = Snapshots.joined([rows(made_up_market(SCHEMA, NAMES, rng)) for _ in range(count)])
    if holes:
        there = rng.random(found.mask.shape) < 0.8
        found = replace(found, **{name: getattr(found, name) * there for name in ("values", "mask", "age")})
    return found


def features(snapshots, extractor=FEATURES):
    with torch.no_grad():
        return extractor(*tensors(snapshots))


def scaled(snapshots, venues, price, interest):
    """Return snapshots with prices and open interest of some venues in other units."""
    values = snapshots.values.copy()
    for name, factor in (("log_price", price), ("log_spot_price", price), ("log_open_interest", interest)):
        values[:, venues, AT[name]] += np.float32(np.log(factor))
    return replace(snapshots, values=values * snapshots.mask)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0.05, 20.0), st.floats(0.05, 20.0), st.booleans())
def test_the_unit_of_price_and_open_interest_means_nothing(seed, price, interest, holes):
    given_ = markets(seed, holes=holes)
    before, after = features(given_), features(scaled(given_, slice(None), price, interest))
    for name in ("steps", "weights", "market", "volatility"):
        torch.testing.assert_close(getattr(after, name), getattr(before, name), rtol=1e-3, atol=5e-3)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0.05, 20.0), st.floats(0.05, 20.0))
def test_one_venue_in_another_unit_changes_nothing_but_its_share(seed, price, interest):
    given_ = markets(seed)
    before, after = features(given_), features(scaled(given_, 1, price, interest))
    for name in ("steps", "market", "volatility"):
        torch.testing.assert_close(getattr(after, name), getattr(before, name), rtol=1e-3, atol=5e-3)
    torch.testing.assert_close(after.weights[:, 0], before.weights[:, 0])
    odds = (
        after.weights[:, 1, 1] / after.weights[:, 1, 0] / (before.weights[:, 1, 1] / before.weights[:, 1, 0])
    )
    torch.testing.assert_close(odds, torch.full_like(odds, interest), rtol=1e-3, atol=0.0)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(0, 2), st.booleans())
def test_a_masked_venue_is_one_that_the_schema_does_not_have(seed, gone, holes):
    given_ = markets(seed, holes=holes)
    others = [at for at in range(3) if at != gone]
    smaller = MarketFeatures(replace(SCHEMA, venues=tuple(SCHEMA.venues[at] for at in others)), SEEN)
    without = masked(given_, np.arange(3) == gone)
    fewer = replace(given_, **{name: getattr(given_, name)[:, others] for name in ("values", "mask", "age")})
    found, expected = features(without), features(fewer, smaller)
    torch.testing.assert_close(found.market, expected.market, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.volatility, expected.volatility)
    torch.testing.assert_close(found.steps[:, others], expected.steps, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.weights[:, :, others], expected.weights)
    assert (found.weights[:, :, gone] == 0.0).all()
    assert (found.steps[:, gone] == 0.0).all()


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from([24, 72, 336]))
def test_a_window_does_not_see_beyond_itself(seed, hours):
    given_ = markets(seed)
    older = np.flatnonzero(hours < OFFSETS)[1:]
    values = given_.values.copy()
    values[..., older] = markets(seed + 1).values[..., older]
    before, after = features(given_).market, features(replace(given_, values=values)).market
    own = [f"log_volatility_{hours}h", f"log_range_{hours}h", f"funding_8h_mean_{hours}h"]
    for name in own:
        at = FEATURES.names.index(name)
        torch.testing.assert_close(after[:, at], before[:, at], rtol=1e-5, atol=1e-6)
    assert (before != after).any()


def test_volatility_and_changes_by_hand():
    given_ = markets(5, count=1)
    price = given_.values[0, :, AT["log_price"]].astype(np.float64).mean(axis=0)
    moves, gaps = price[:-1] - price[1:], np.diff(OFFSETS)
    rate = moves**2 / gaps
    hours = {each: gaps[OFFSETS[:-1] < each].sum() for each in (24, 336)}
    found = features(given_).market[0]
    for window, total in hours.items():
        inside = OFFSETS[:-1] < window
        expected = 0.5 * np.log((rate * gaps)[inside].sum() / total + 1e-8)
        at = FEATURES.names.index(f"log_volatility_{window}h")
        assert float(found[at]) == pytest.approx(expected, abs=1e-3)
    interest = given_.values[0, :, AT["log_open_interest"]].astype(np.float64)
    day = int(np.flatnonzero(OFFSETS == 24)[0])
    expected = np.clip((interest[:, 0] - interest[:, day]) * 100.0 / np.sqrt(24), -8.0, 8.0).mean()
    at = FEATURES.names.index("log_open_interest_since_24h")
    assert float(found[at]) == pytest.approx(expected, abs=1e-3)


def raw_moves(quantiles):
    """Return what the increments of ascending quantiles were made of."""
    return torch.cat([quantiles[:, :, :1], torch.log(torch.expm1(quantiles.diff(dim=2)))], 2)


@pytest.mark.parametrize("architecture", ["hybrid", "lstm"])
@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 4))
def test_a_merged_network_says_the_mean_of_its_members(architecture, seed, count):
    members = [random_network(SCHEMA, architecture, seed + at, 1.5) for at in range(count)]
    given_ = features(markets(seed, count=3, holes=True))
    inputs = (given_.steps, given_.weights, given_.market)
    with torch.no_grad():
        whole = merge(members)(*inputs)
        each = [member(*inputs) for member in members]
    assert (each[0][0] - each[1][0]).abs().max() > 1e-2
    for at, form in ((0, torch.clone), (1, raw_moves), (2, torch.clone)):
        expected = torch.stack([form(said[at]) for said in each]).mean(0)
        torch.testing.assert_close(form(whole[at]), expected, rtol=1e-3, atol=2e-3)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_disturbing_only_ages_and_never_takes_every_venue(seed):
    before = markets(seed, count=40)
    kept = {name: getattr(before, name).copy() for name in Snapshots.__slots__}
    after = disturb(before, SCHEMA, np.random.default_rng(seed))
    for name, values in kept.items():
        np.testing.assert_array_equal(getattr(before, name), values)
    assert after.mask.max(axis=(2, 3)).any(axis=1).all()
    there = after.mask.max(axis=(2, 3)) > 0
    np.testing.assert_array_equal(after.liquidation_map, kept["liquidation_map"])
    np.testing.assert_array_equal(after.clock, kept["clock"])
    np.testing.assert_array_equal(after.values[there][..., 1:], kept["values"][there][..., 1:])
    np.testing.assert_array_equal(after.age[there][..., 1:], kept["age"][there][..., 1:])
    late = (after.age[..., 0] > kept["age"][..., 0]).any(axis=2) & there
    newest = np.where(late[..., None], kept["values"][..., 1], kept["values"][..., 0])
    np.testing.assert_array_equal(after.values[there][..., 0], newest[there])
    assert (after.age[..., 0][there] >= kept["age"][..., 0][there]).all()
    assert not after.values[~there].any() and not after.age[~there].any()


def reference_targets(market, definition):
    """Return the auxiliary targets by loops over hours and horizons."""
    n, horizons = market.close.size, definition.horizons_hours
    sigma = hourly_volatility(market.close, definition.volatility_hours)
    out = np.full((n, 4, len(horizons)), np.nan)
    for t in range(n):
        for h, hours in enumerate(horizons):
            if t + hours >= n:
                continue
            ahead = range(t + 1, t + hours + 1)
            spread = sigma[t] * np.sqrt(hours)
            out[t, 0, h] = np.log(min(market.low[s] for s in ahead) / market.close[t]) / spread
            out[t, 1, h] = np.log(max(market.high[s] for s in ahead) / market.close[t]) / spread
            squares = [np.log(market.close[s] / market.close[s - 1]) ** 2 for s in ahead]
            out[t, 2, h] = 0.5 * np.log(sum(squares) / hours + 1e-8) - np.log(sigma[t])
            left = [market.open_interest[s].sum() / market.open_interest[t].sum() for s in ahead]
            out[t, 3, h] = (1.0 - min(left)) * 20.0 / np.sqrt(hours)
    return np.clip(out, -6.0, 6.0)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_auxiliary_targets_equal_a_loop(seed):
    rng = np.random.default_rng(seed)
    close = 2000.0 * np.exp(np.cumsum(0.01 * rng.standard_normal(60)))
    spread = 0.01 * rng.random((2, 60))
    interest = 1000.0 * np.exp(np.cumsum(0.02 * rng.standard_normal((60, 2)), axis=0))
    ts = np.arange(60) * HOUR
    market = HourlyMarket(ts, close * (1 + spread[0]), close * (1 - spread[1]), close, interest)
    definition = CascadeDefinition(horizons_hours=(1, 4, 18), volatility_hours=6)
    with np.errstate(invalid="ignore"):
        found = auxiliary_targets(market, definition)
    np.testing.assert_allclose(found, reference_targets(market, definition), rtol=1e-9, atol=1e-9)
    assert np.isfinite(found[6:42]).all()
