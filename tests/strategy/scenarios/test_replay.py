"""A shock laid over a market: prices, open interest, funding, halts."""

from types import MappingProxyType

import numpy as np
import pytest
from nautilus_trader.model.data import BarType, InstrumentStatus
from nautilus_trader.model.enums import MarketStatusAction
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog import store
from oi_hedge_catalog.instruments import InstrumentSpec, build_instrument
from oi_hedge_catalog.series import BarSeries, FundingSeries, OpenInterestSeries
from oi_hedge_strategy.scenarios.replay import BaseMarket, write_replay
from oi_hedge_strategy.scenarios.shock import Shock

HOUR = 3_600_000_000_000
ONSET = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z
HEDGE, OTHER, DOLLAR = "ETHUSDT-PERP.BINANCE", "ETHUSDT-LINEAR.BYBIT", "ETH-PERPETUAL.DERIBIT"
TIMES = ONSET + np.arange(-2, 5) * HOUR
FEES = MappingProxyType({"price_precision": 2, "size_precision": 3, "maker_fee": "0", "taker_fee": "0"})


def perpetual(name, quote):
    return build_instrument(InstrumentSpec(id=name, market="perp", base="ETH", quote=quote, **FEES))


def flat_bars(name):
    flat = np.full(TIMES.size, 1000.0)
    return BarSeries(
        ts_event=TIMES,
        ts_init=TIMES + 1,
        bar_type=BarType.from_str(f"{name}-1-HOUR-LAST-EXTERNAL"),
        price_precision=2,
        size_precision=3,
        open=flat,
        high=flat,
        low=flat,
        close=flat,
        volume=flat,
    )


def interest(name):
    quantity = np.full(TIMES.size, 50.0)
    return OpenInterestSeries(TIMES, TIMES + 2, InstrumentId.from_str(name), quantity, 1000.0 * quantity)


def funding(name, minutes=480):
    rows = np.full(TIMES.size, 0.0001)
    interval = np.full(TIMES.size, minutes, np.int64)
    return FundingSeries(TIMES, TIMES + 3, InstrumentId.from_str(name), rows, interval, TIMES + HOUR)


def replay(shock, directory, long=True, minutes=480):
    names = ((HEDGE, "USDT"), (OTHER, "USDT"), (DOLLAR, "USD"))
    kinds = [(flat_bars(n), interest(n), funding(n, minutes)) for n, _ in names]
    base = BaseMarket(
        tuple(perpetual(*each) for each in names),
        tuple(series for each in kinds for series in each),
        InstrumentId.from_str(HEDGE),
        "USDT",
        long,
        ONSET - 2 * HOUR,
        ONSET,
        False,
    )
    return write_replay(base, shock, directory / "catalog", "a test")


def closes(catalog, name):
    return store.read_bars(catalog, f"{name}-1-HOUR-LAST-EXTERNAL").close.tolist()


def test_every_venue_follows_the_price(tmp_path):
    catalog = replay(Shock(price=((0.0, 1.0), (2.0, 0.5))), tmp_path)
    for name in (HEDGE, OTHER, DOLLAR):
        assert closes(catalog, name) == [1000.0, 1000.0, 1000.0, 750.0, 500.0, 500.0, 500.0]
    bars = store.read_bars(catalog, f"{HEDGE}-1-HOUR-LAST-EXTERNAL")
    assert bars.open.tolist() == [1000.0, 1000.0, 1000.0, 1000.0, 750.0, 500.0, 500.0]
    assert (bars.high.tolist(), bars.low.tolist()) == (
        [1000.0, 1000.0, 1000.0, 1000.0, 750.0, 500.0, 500.0],
        [1000.0, 1000.0, 1000.0, 750.0, 500.0, 500.0, 500.0],
    )


def test_an_extreme_between_open_and_close_is_kept(tmp_path):
    catalog = replay(Shock(venue_price=((0.3, 1.0), (0.5, 2.687), (0.7, 1.0))), tmp_path)
    bars = store.read_bars(catalog, f"{HEDGE}-1-HOUR-LAST-EXTERNAL")
    assert bars.high[3] == 2687.0 and bars.low[3] == bars.open[3] == bars.close[3] == 1000.0
    assert store.read_bars(catalog, f"{OTHER}-1-HOUR-LAST-EXTERNAL").high.max() == 1000.0


def test_prices_in_a_quote_currency_that_falls_rise_and_others_stand(tmp_path):
    catalog = replay(Shock(quote=((0.0, 1.0), (1.0, 0.8))), tmp_path)
    assert closes(catalog, HEDGE)[-1] == closes(catalog, OTHER)[-1] == 1250.0
    assert closes(catalog, DOLLAR)[-1] == 1000.0


def test_open_interest_falls_and_its_value_with_the_price_too(tmp_path):
    shock = Shock(price=((0.0, 1.0), (1.0, 0.5)), open_interest=((0.0, 1.0), (1.0, 0.6)))
    found = store.read_open_interest(replay(shock, tmp_path), OTHER)
    assert found.quantity[-1] == pytest.approx(30.0)
    assert found.notional_usd[-1] == pytest.approx(15_000.0)


def test_open_interest_that_falls_silent_has_no_rows(tmp_path):
    found = store.read_open_interest(replay(Shock(silent_interest=(-1.0, 2.0)), tmp_path), OTHER)
    assert ((found.ts_event - ONSET) // HOUR).tolist() == [-2, -1, 3, 4]


@pytest.mark.parametrize(
    ("long", "minutes", "rate"), [(True, 480, -0.004), (False, 480, 0.004), (True, 60, -0.0005)]
)
def test_the_hedge_pays_at_its_venue_alone_per_its_own_interval(tmp_path, long, minutes, rate):
    catalog = replay(Shock(hedge_pays=((0.0, 2.0, 0.004),)), tmp_path, long, minutes)
    paid = store.read_funding(catalog, HEDGE).rate.tolist()
    assert paid == pytest.approx([0.0001, 0.0001, 0.0001, rate, rate, 0.0001, 0.0001])
    assert set(store.read_funding(catalog, OTHER).rate.tolist()) == {0.0001}


def test_a_venue_that_is_down_publishes_nothing_but_its_status(tmp_path):
    catalog = replay(Shock(halt=(0.0, 2.0)), tmp_path)
    for found in (
        store.read_bars(catalog, f"{HEDGE}-1-HOUR-LAST-EXTERNAL"),
        store.read_open_interest(catalog, HEDGE),
    ):
        assert ((found.ts_event - ONSET) // HOUR).tolist() == [-2, -1, 0, 3, 4]
    assert len(closes(catalog, OTHER)) == TIMES.size
    stored = catalog.query(InstrumentStatus, identifiers=[HEDGE])
    assert [(each.action, (each.ts_init - ONSET) // HOUR) for each in stored] == [
        (MarketStatusAction.HALT, 0),
        (MarketStatusAction.TRADING, 2),
    ]


def test_without_a_shock_everything_is_as_it_was(tmp_path):
    catalog = replay(Shock(), tmp_path)
    assert set(closes(catalog, HEDGE)) == {1000.0}
    assert store.read_open_interest(catalog, HEDGE).quantity.tolist() == [50.0] * TIMES.size
    assert store.read_info(catalog) == {"simulated": False, "description": "a test"}
