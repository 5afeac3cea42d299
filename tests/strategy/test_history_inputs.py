"""An asset's history with further inputs: what is read from the catalog, and what the state makes of it."""

from math import log

import numpy as np
import pytest
from nautilus_trader.model.data import BarType

from oi_hedge_catalog import OptionsOpenInterest, WalletConcentration, store, writer
from oi_hedge_catalog.input_series import options_series, wallet_series
from oi_hedge_catalog.instruments import InstrumentSpec, build_instrument
from oi_hedge_catalog.positioning import LiquidationSeries, LongShortSeries
from oi_hedge_catalog.series import BarSeries, OpenInterestSeries
from oi_hedge_catalog.types import options_id, wallet_id
from oi_hedge_strategy.cascades import CascadeDefinition, label_cascades
from oi_hedge_strategy.history import load_history
from oi_hedge_strategy.state import CHANNELS, MarketState, StateSchema, Stream

HOUR = 3_600_000_000_000
START = 1_700_000_000 // 3600 * HOUR
HOURS = 60
TIMES = START + np.arange(HOURS) * HOUR
SPEC = InstrumentSpec(
    id="ETHUSDT-LINEAR.BYBIT",
    market="perp",
    base="ETH",
    quote="USDT",
    price_precision=2,
    size_precision=3,
    maker_fee="0.0002",
    taker_fee="0.00055",
)
PERP = build_instrument(SPEC)
AT = {channel.name: i for i, channel in enumerate(CHANNELS)}


def add(catalog, *series):
    with writer.exclusive(catalog):
        writer.write_instrument(catalog, PERP)
        for each in series:
            writer.write(catalog, writer.plan_append(catalog, each))


def market():
    rng = np.random.default_rng(2)
    close = np.round(2000.0 * np.exp(np.cumsum(rng.normal(0, 0.01, HOURS))), 2)
    bar_type = BarType.from_str(f"{PERP.id}-1-HOUR-LAST-EXTERNAL")
    bars = BarSeries(
        TIMES, TIMES + 1, bar_type, 2, 3, close, close + 5.0, close - 5.0, close, np.full(HOURS, 9.0)
    )
    quantity = rng.uniform(900.0, 1100.0, HOURS)
    return bars, OpenInterestSeries(TIMES, TIMES + 5, PERP.id, quantity, quantity * close)


def options_row(ts, puts):
    lists = ([1800.0, 2200.0], [ts + 100 * HOUR] * 2, [False, True], [puts, 10.0])
    return OptionsOpenInterest(options_id("ETH"), 2000.0, *lists, ts, ts + 60)


def wallet_row(coin, group, ts, herfindahl):
    return WalletConcentration(
        wallet_id(coin, group), 5, 100.0, 1, 0.5, herfindahl, 0.2, ts // HOUR, ts, ts + 90
    )


def inputs():
    rng = np.random.default_rng(3)
    share = rng.uniform(0.4, 0.6, HOURS)
    options, wallets = options_id("ETH"), wallet_id("ETH")
    whales, other = wallet_id("ETH", "whale"), wallet_id("WBTC")
    closed = rng.uniform(0.0, 5.0, (2, HOURS))
    return (
        LongShortSeries(TIMES, TIMES + 30, PERP.id, share),
        LiquidationSeries(TIMES + 7, TIMES + 8, PERP.id, *closed, np.full(HOURS, 2000.0)),
        options_series(options, [options_row(ts, 4.0 + at) for at, ts in enumerate(TIMES.tolist())]),
        wallet_series(wallets, [wallet_row("ETH", "", ts, 0.3) for ts in TIMES.tolist()]),
        wallet_series(whales, [wallet_row("ETH", "whale", ts, 0.9) for ts in TIMES.tolist()]),
        wallet_series(other, [wallet_row("WBTC", "", ts, 0.8) for ts in TIMES.tolist()]),
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    catalog = store.open_catalog(tmp_path_factory.mktemp("plain") / "catalog", create=True)
    add(catalog, *market())
    return catalog


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    catalog = store.open_catalog(tmp_path_factory.mktemp("full") / "catalog", create=True)
    add(catalog, *market(), *inputs())
    return catalog


def of(history, stream):
    rows = history.stream == stream
    return history.ts[rows], [history.venues[at] for at in history.venue[rows]], history.fields[rows]


def test_every_input_is_read_with_its_venue_and_the_time_it_was_known(full):
    history = load_history(full, "ETH")
    ratios, closed, *_ = inputs()

    assert history.venues == ("BYBIT", "DERIBIT", "ETHEREUM")
    ts, venues, fields = of(history, Stream.LONG_SHORT_RATIO)
    np.testing.assert_array_equal(ts, TIMES + 30)
    np.testing.assert_allclose(fields[:, 0], ratios.long_share / (1 - ratios.long_share))
    assert set(venues) == {"BYBIT"}
    ts, venues, fields = of(history, Stream.LIQUIDATIONS)
    np.testing.assert_array_equal(ts, TIMES + 8)
    np.testing.assert_array_equal(fields[:, :2].T, [closed.long_quantity, closed.short_quantity])
    assert set(venues) == {"BYBIT"}
    ts, venues, fields = of(history, Stream.OPTIONS_OPEN_INTEREST)
    np.testing.assert_array_equal(ts, TIMES + 60)
    np.testing.assert_allclose(fields[:, 0], (4.0 + np.arange(HOURS)) / 10.0)
    assert set(venues) == {"DERIBIT"}
    ts, venues, fields = of(history, Stream.WALLET_CONCENTRATION)
    np.testing.assert_array_equal(ts, TIMES + 90)
    assert set(fields[:, 0]) == {0.3}
    assert set(venues) == {"ETHEREUM"}
    assert history.live_venues(int(TIMES[-1]) + HOUR) == {"BYBIT", "DERIBIT", "ETHEREUM"}


def test_without_inputs_the_history_is_what_it_was(plain, full):
    bare, rich = load_history(plain, "ETH"), load_history(full, "ETH")

    assert bare.venues == ("BYBIT",)
    assert set(bare.stream) == {Stream.PERPETUAL, Stream.OPEN_INTEREST}
    for stream in (Stream.PERPETUAL, Stream.OPEN_INTEREST):
        for a, b in zip(of(bare, stream), of(rich, stream), strict=True):
            np.testing.assert_array_equal(a, b)
    easy = CascadeDefinition((2, 4), 0.0, 0.01, 0.01, 2)
    for a, b in zip(
        *(
            (labels.cascade, labels.change, labels.excursion)
            for labels in (label_cascades(each.hourly(), easy) for each in (bare, rich))
        ),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_replay_samples_the_inputs_and_cutting_off_the_future_changes_nothing(full):
    history = load_history(full, "ETH")
    schema = StateSchema(history.venues)
    moments = TIMES[10:50:5] + 1000
    whole = [each.copy() for each in history.replay(MarketState(schema), moments)]
    for now, snapshot in zip(moments.tolist(), whole, strict=True):
        cut = load_history(full, "ETH", end_ns=now)
        assert cut.ts[-1] <= now
        (again,) = cut.replay(MarketState(schema), np.array([now]))
        for name in ("values", "mask", "age", "liquidation_map"):
            np.testing.assert_array_equal(getattr(again, name), getattr(snapshot, name))
    last, (deribit, ethereum) = whole[-1], (1, 2)
    assert last.values[0, deribit, AT["log_put_call_ratio"], 0] == pytest.approx(log((4 + 45) / 10))
    assert last.values[0, ethereum, AT["wallet_concentration"], 0] == pytest.approx(0.3)
    for name in ("log_long_short_ratio", "log_long_liquidations", "log_short_liquidations"):
        assert last.mask[0, 0, AT[name], :24].all()
