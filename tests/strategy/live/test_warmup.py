"""The look-back is filled before the first forecast, from a catalog and from what venues answer."""

import asyncio
import time
from decimal import Decimal

import numpy as np
import pytest
from fakes.binance_venue import BinanceVenue
from nautilus_trader.model.data import Bar, CustomData, DataType, FundingRateUpdate
from nautilus_trader.model.objects import Price, Quantity
from support.engine import HEDGE, HELD, HOUR, LAGS, SECOND, SPOT, START, bar_type, specs
from support.live_hedge import LiveHedge
from support.live_node import run_live, until
from support.models import SHORT_SCHEMA, write_model

from oi_hedge_catalog.instruments import build_instrument
from oi_hedge_catalog.series import BarSeries, FundingSeries, OpenInterestSeries
from oi_hedge_catalog.store import open_catalog
from oi_hedge_catalog.types import LongShortRatio, OpenInterestUpdate
from oi_hedge_catalog.writer import plan_append, write, write_instrument
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExposureConfig
from oi_hedge_strategy.hedging.desk import HedgeDesk
from oi_hedge_strategy.live.warmup import LookBack, missing
from oi_hedge_strategy.state import CHANNELS, Stream

HOURS = 30


def prices():
    return 2000.0 * np.exp(np.cumsum(np.random.default_rng(2).normal(0.0, 0.01, HOURS))).round(4)


def interest():
    return np.random.default_rng(3).uniform(900.0, 1100.0, HOURS).round(3)


@pytest.fixture
def catalog(tmp_path):
    """Store bars, open interest and funding of two venues."""
    path = tmp_path / "catalog"
    found, ts = open_catalog(path, create=True), START + np.arange(1, HOURS + 1) * HOUR
    for spec in specs():
        instrument, price = build_instrument(spec), prices().round(2)
        write_instrument(found, instrument)
        if instrument.id == SPOT:
            continue
        bars = BarSeries(
            ts_event=ts, ts_init=ts + LAGS[instrument.id], bar_type=bar_type(instrument.id),
            price_precision=2, size_precision=3, open=price, high=price, low=price, close=price,
            volume=np.full(HOURS, 10.0),
        )  # fmt: skip
        write(found, plan_append(found, bars))
        usd = interest() * price
        level = OpenInterestSeries(
            ts_event=ts, ts_init=ts + 5 * SECOND, id=instrument.id, quantity=interest(), notional_usd=usd
        )
        write(found, plan_append(found, level))
    funding = FundingSeries(
        ts_event=ts[::8], ts_init=ts[::8] + 2 * SECOND, id=HEDGE, rate=np.full(ts[::8].size, 1e-4),
        interval=np.full(ts[::8].size, 480), next_funding_ns=ts[::8] + 8 * HOUR,
    )  # fmt: skip
    write(found, plan_append(found, funding))
    return str(path)


@pytest.fixture
def desk(tmp_path):
    path = str(write_model(tmp_path / "model.onnx"))

    def make():
        config = OIHedgeConfig(bar_type=bar_type(HEDGE), model=path, exposure=ExposureConfig(quantity=10.0))
        return HedgeDesk(config, build_instrument(specs()[0]), SHORT_SCHEMA.venues, START)

    return make


def seen_live(desk):
    """Feed all of the catalog's events as they come live."""
    for hour in range(1, HOURS + 1):
        ts, price = START + hour * HOUR, float(prices().round(2)[hour - 1])
        for venue, lag in (("BYBIT", LAGS[HELD]), ("BINANCE", LAGS[HEDGE])):
            if venue == "BINANCE":
                if (hour - 1) % 8 == 0:
                    desk.on_funding("BINANCE", ts + 2 * SECOND, 1e-4, 480.0)
                for each in ("BINANCE", "BYBIT"):
                    desk.on_open_interest(each, ts + 5 * SECOND, float(interest()[hour - 1]))
            desk.on_bar(venue, False, ts + lag, price, price, price, 10.0)
    return desk


def assert_equal_looks(one, other, now):
    expected, found = one.look(now).copy(), other.look(now)
    for name in expected.__slots__:
        assert getattr(expected, name).tobytes() == getattr(found, name).tobytes(), name


NOW = START + HOURS * HOUR + 600 * SECOND
REACH = 32 * HOUR  # eight hours of look-back, whose oldest sample may be a day old


def test_ratios_that_a_venue_answers_fill_the_look_back(desk):
    seen, filled = desk(), desk()
    back = LookBack(filled, NOW)
    for hours in (30, 12, 4):
        ts = NOW - hours * HOUR
        ratio = LongShortRatio(HEDGE, 0.6, ts - 5 * SECOND, ts)
        back.take(ratio, "BINANCE", False)
        seen.on_input(Stream.LONG_SHORT_RATIO, "BINANCE", ts, (ratio.ratio,))
    back.finish()

    assert_equal_looks(seen, filled, NOW)
    channel = [each.name for each in CHANNELS].index("log_long_short_ratio")
    row = SHORT_SCHEMA.venues.index("BINANCE")
    look = filled.look(NOW)
    assert look.values.reshape(SHORT_SCHEMA.shape)[row, channel, 0] == pytest.approx(np.log(1.5))


def test_a_catalog_fills_the_look_back_as_if_all_had_been_seen(desk, catalog):
    filled = desk()
    back = LookBack(filled, NOW)
    assert back.start == NOW - REACH
    assert back.read_catalog(catalog, "ETH", HEDGE) > 0
    assert back.finish() == ["look-back of BYBIT, of 0.3 days: funding none"]
    expected, found = seen_live(desk()).look(NOW).copy(), filled.look(NOW)
    for name in ("values", "mask", "age", "clock"):
        assert getattr(expected, name).tobytes() == getattr(found, name).tobytes(), name
    np.testing.assert_allclose(found.liquidation_map, expected.liquidation_map, atol=1e-6)


def test_what_is_known_is_not_given_again(desk, catalog):
    known = seen_live(desk())
    again = LookBack(known, NOW)
    assert again.start == known.newest + 1
    assert again.read_catalog(catalog, "ETH", HEDGE) == 0
    again.finish()
    assert_equal_looks(seen_live(desk()), known, NOW)


def test_nothing_known_after_now_is_taken_and_a_bar_is_known_ten_seconds_after_its_close(desk):
    filled = desk()
    back = LookBack(filled, NOW)
    price = [Price(2000.0, 2)] * 4
    for close in (NOW - HOUR, NOW - 9 * SECOND):
        back.take(Bar(bar_type(HEDGE), *price, Quantity(1.0, 3), close, NOW + HOUR), "BINANCE", False)
    back.finish()
    assert filled.newest == NOW
    assert filled._price_ts == NOW - HOUR + 10 * SECOND


def test_what_arrives_meanwhile_follows_history(desk):
    filled = desk()
    back = LookBack(filled, NOW)
    back.on_bar("BINANCE", False, NOW + 1, 2100.0, 2100.0, 2100.0, 1.0)
    update = OpenInterestUpdate(HEDGE, 900.0, None, NOW - HOUR, NOW - HOUR)
    back.take(update, "BINANCE", False)
    assert filled.price == 0.0
    back.finish()
    assert (filled.price, filled._state.open_interest_ts) == (2100.0, NOW - HOUR)


def test_what_the_look_back_lacks_is_named_by_venue(desk):
    filled = desk()
    seen = LookBack(filled, NOW)
    update = OpenInterestUpdate(HEDGE, 900.0, None, NOW - 5 * HOUR, NOW - 5 * HOUR)
    seen.take(update, "BINANCE", False)
    said = seen.finish()
    assert said == missing(filled.look(filled.newest), SHORT_SCHEMA)
    assert said == [
        "look-back of BINANCE, of 0.3 days: price none, open interest 0.2, funding none",
        "look-back of BYBIT, of 0.3 days: price none, open interest none, funding none",
    ]


def test_a_node_forecasts_only_once_its_requests_for_history_are_answered(tmp_path):
    model = str(write_model(tmp_path / "model.onnx"))
    venue, now = BinanceVenue(), time.time_ns()
    hours = [now // HOUR * HOUR - back * HOUR for back in range(10, -1, -1)]
    price = [Price(2000.0, 2)] * 4
    history = [Bar(bar_type(HEDGE), *price, Quantity(1.0, 3), ts, now) for ts in hours]
    levels = [OpenInterestUpdate(HEDGE, 1000.0, None, ts, ts) for ts in hours]
    history += [CustomData(DataType(OpenInterestUpdate), each) for each in levels]
    history.append(FundingRateUpdate(HEDGE, Decimal("0.0001"), hours[0], hours[0], interval=480))

    async def scenario():
        await venue.start()
        live = LiveHedge(venue.base, model, tmp_path / "state", request_look_back=True)
        try:
            async with live:
                await until(lambda: live.feed is not None)
                live.feed.history = history
                live.feed.answers.clear()
                await until(lambda: live.strategy.is_running)
                live.bar()
                await asyncio.sleep(0.3)
                assert live.recorder.decisions == []
                live.feed.answers.set()
                await until(lambda: live.strategy._look_back is None)
                live.bar()
                await until(lambda: live.recorder.decisions)
                mask = live.strategy._desk.look(live.strategy._desk.newest).mask[0, 0]
                assert mask[0].min() == mask[5].min() == mask[6].min() == 1.0
        finally:
            await venue.stop()

    run_live(scenario)
