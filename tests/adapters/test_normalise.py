"""Every venue's payload against numbers computed by hand from what the venue documents."""

from decimal import Decimal

import pytest
from nautilus_trader.model.identifiers import InstrumentId
from support.exchange_messages import message

from oi_hedge_adapters import normalise
from oi_hedge_adapters.normalise import PayloadError, Reading
from oi_hedge_adapters.venues import row_of
from oi_hedge_catalog import LiquidationRecord

NOW = 1_800_000_000_000_000_000
MS = 1_000_000


def reading(instrument, payload, **known):
    return Reading(row_of(instrument), InstrumentId.from_str(instrument), payload, NOW, **known)


# file, part, instrument, what is known beside it, quantity, notional, ts_event
RECORDED = [
    (
        "binance/cmp_openInterest_fapi.json",
        "",
        "BTCUSDT-PERP.BINANCE",
        {"price": 30_000.0},
        84617.188,
        84617.188 * 30_000,
        1654336844754 * MS,
    ),
    (
        "binance/nt_open_interest_historical.json",
        "0",
        "BTCUSDT-PERP.BINANCE",
        {},
        20403.637,
        150570784.07809979,
        1583127900000 * MS,
    ),
    (  # a contract is 100 USD
        "binance/cmp_openInterest_dapi.json",
        "",
        "BTCUSD-PERP.BINANCE",
        {"contract_size": 100.0, "price": 30_000.0},
        5827897 * 100 / 30_000,
        582_789_700.0,
        1654336819740 * MS,
    ),
    (  # both sides
        "bybit/nt_ws_ticker_linear.json",
        "data",
        "BTCUSDT-LINEAR.BYBIT",
        {"time_ns": 1673272861686 * MS},
        34372.3805,
        1183601235.91 / 2,
        1673272861686 * MS,
    ),
    (  # both sides, USD; its value is coin
        "bybit/jk_v5_tickers_linear.json",
        "result/list/0",
        "BTCUSD-INVERSE.BYBIT",
        {},
        22505.67 / 2,
        373504107 / 2,
        NOW,
    ),
    (
        "bybit/jk_v5_open_interest.json",
        "result/list/0",
        "BTCUSD-INVERSE.BYBIT",
        {"price": 16_000.0},
        461134384 / 2 / 16_000,
        461134384 / 2,
        1669571400000 * MS,
    ),
    (  # contracts and coin
        "okx/jk_public_open_interest.json",
        "data/0",
        "BTC-USDT-SWAP.OKX",
        {"contract_size": 0.01},
        555.55,
        None,
        1597026383085 * MS,
    ),
    (
        "okx/cmp_public_open_interest_inverse_swap.json",
        "data/1",
        "ETH-USD-SWAP.OKX",
        {"contract_size": 10.0},
        123562.1205163528751467,
        217_952_460.0,
        1654348683853 * MS,
    ),
    (  # USD
        "deribit/cmp_get_book_summary_by_instrument_perpetual.json",
        "result/0",
        "BTC-PERPETUAL.DERIBIT",
        {},
        560105870 / 29700.53,
        560105870.0,
        1654340303741 * MS,
    ),
    (
        "deribit/nt_ws_ticker.json",
        "params/data",
        "BTC-PERPETUAL.DERIBIT",
        {},
        1132329370 / 92281.78,
        1132329370.0,
        1765541474086 * MS,
    ),
    (  # coins
        "deribit/cmp_get_book_summary_by_currency_future.json",
        "result/0",
        "BTC-24JUN22-30000-C.DERIBIT",
        {},
        1124.7,
        1124.7 * 29755.49,
        1654338604906 * MS,
    ),
    (  # no time
        "hyperliquid/nt_ws_all_dexs_asset_ctxs.json",
        "data/ctxs/0/1/1",
        "ETH-USD-PERP.HYPERLIQUID",
        {},
        605822.2557999999,
        605822.2557999999 * 2123.7,
        NOW,
    ),
    (  # contracts of 0.0001 coins
        "gate/cmp_contract_stats_linear.json",
        "0",
        "BTC_USDT-PERP.GATE",
        {"contract_size": 0.0001},
        74977.3515,
        2226295750.1279,
        1654335300 * 1000 * MS,
    ),
    (
        "kraken_futures/nt_ws_futures_ticker.json",
        "",
        "PI_XBTUSD.KRAKEN",
        {},
        30072580 / 21979.68641534714,
        30072580.0,
        1676393235406 * MS,
    ),
    (
        "bitget/cmp_open_interest_linear.json",
        "data",
        "BTCUSDT-PERP.BITGET",
        {},
        89481.932,
        None,
        1654337723059 * MS,
    ),
    (  # contracts of 0.001 coins
        "kucoin/cmp_contracts_active.json",
        "data/0",
        "XBTUSDTM.KUCOIN",
        {"contract_size": 0.001},
        9876.432,
        9876.432 * 29538.28,
        NOW,
    ),
    (  # 288,491 contracts of 10 coins, buyers and sellers added up
        "huobi/cmp_linear_swap_open_interest.json",
        "data/0",
        "MANA-USDT.HTX",
        {},
        2884910.0 / 2,
        2788265.515 / 2,
        NOW,
    ),
    (
        "dydx/nt_http_get_perpetual_markets.json",
        "result/markets/ETH-USD",
        "ETH-USD-PERP.DYDX",
        {},
        7457.108,
        7457.108 * 3103.01,
        NOW,
    ),
    ("ftx/cmp_futures.json", "result/0", "1INCH-PERP.FTX", {}, 16277750.0, 13881665.2, NOW),
    (
        "bitmex/nt_ws_instrument.json",
        "",
        "XBTUSD.BITMEX",
        {},
        123456789 / 95125.7,
        123456789.0,
        NOW,
    ),
]

# the same where no recorded message is at hand: samples of the venues' documentation
DOCUMENTED = [
    ("BTCUSDT-LINEAR.BYBIT", {"openInterest": "100", "singleOpenInterest": "50.5"}, {}, 50.5, None, NOW),
    ("BTC-USDT-SWAP.OKX", ["1790550000000", "2800476.45", "28006.5419", "2360916466.88"], {},
     28006.5419, 2360916466.88, 1790550000000 * MS),
    ("PF_ETHUSD.KRAKEN", {"openInterest": 72513.0, "markPrice": 2000.0, "time": 1676393235406}, {},
     72513.0, 145_026_000.0, 1676393235406 * MS),
    ("BTCUSDT-PERP.BITGET",
     {"openInterestList": [{"symbol": "BTCUSDT", "size": "52234.134"}], "ts": "1700866041023"}, {},
     52234.134, None, 1700866041023 * MS),
    ("BTCUSDT-PERP.BITGET", {"instId": "BTCUSDT", "markPrice": "27000", "holdingAmount": "64.5",
     "fundingRate": "0.000010", "ts": "1695715383021"}, {}, 64.5, 64.5 * 27000, 1695715383021 * MS),
    ("ETHUSDTM.KUCOIN", {"symbol": "ETHUSDTM", "openInterest": "8053960", "ts": 1774007467050},
     {"contract_size": 0.01}, 80539.6, None, 1774007467050 * MS),
    ("BTC-USDT.HTX", {"volume": "4385.435", "amount_type": "2", "ts": "1648220400000",
     "value": "194059884.185"}, {}, 4385.435 / 2, 194059884.185 / 2, 1648220400000 * MS),
    ("BTC-USDT.HTX", {"volume": "5000", "amount_type": "1", "ts": "1648220400000"},
     {"contract_size": 0.001}, 2.5, None, 1648220400000 * MS),
    ("BTC_USDT-PERP.GATE", {"contract": "BTC_USDT", "total_size": "32323904", "mark_price": "6531"},
     {"contract_size": 0.0001}, 3232.3904, 3232.3904 * 6531, NOW),
    ("BTCUSD-PERP.BINANCE", {"sumOpenInterest": "13069401", "sumOpenInterestValue": "15796.96988405",
     "timestamp": 1791835200000}, {"contract_size": 100.0}, 15796.96988405, 1_306_940_100.0,
     1791835200000 * MS),
]  # fmt: skip


def check(update, instrument, quantity, notional, ts_event):
    assert str(update.instrument_id) == instrument
    assert update.quantity == pytest.approx(quantity, rel=1e-12)
    assert update.notional_usd == (None if notional is None else pytest.approx(notional, rel=1e-12))
    assert (update.ts_event, update.ts_init) == (ts_event, NOW)


@pytest.mark.parametrize(
    ("name", "part", "instrument", "known", "quantity", "notional", "ts_event"),
    RECORDED,
    ids=[f"{case[0]}:{case[2]}" for case in RECORDED],
)
def test_recorded_open_interest_is_one_sided_base_coin(
    name, part, instrument, known, quantity, notional, ts_event
):
    update = normalise.open_interest(reading(instrument, message(name, part), **known))

    check(update, instrument, quantity, notional, ts_event)


@pytest.mark.parametrize(("instrument", "payload", "known", "quantity", "notional", "ts_event"), DOCUMENTED)
def test_documented_open_interest_is_one_sided_base_coin(
    instrument, payload, known, quantity, notional, ts_event
):
    check(
        normalise.open_interest(reading(instrument, payload, **known)),
        instrument,
        quantity,
        notional,
        ts_event,
    )


def test_inverse_contracts_without_a_price_are_an_error_not_a_guess():
    payload = {"openInterest": "5827897", "time": 1654336819740}

    with pytest.raises(PayloadError, match=r"Binance COIN-M: BTCUSD-PERP\.BINANCE: open interest is in USD"):
        normalise.open_interest(reading("BTCUSD-PERP.BINANCE", payload, contract_size=100.0))


def test_contracts_without_their_size_are_an_error():
    with pytest.raises(PayloadError, match="the size of a contract is unknown"):
        normalise.open_interest(reading("ETHUSDTM.KUCOIN", {"openInterest": "1"}))


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({}, "has no open interest, expected one of openInterest, sumOpenInterest"),
        ({"openInterest": "many"}, "openInterest 'many' is not a number"),
        ({"openInterest": "NaN"}, "is not a finite number"),
        ({"openInterest": "-5"}, "openInterest -5.0 is below zero"),
        ({"openInterest": ""}, "has no open interest"),
        ("<html>", "has no open interest"),
    ],
)
def test_wrong_payload_is_named(payload, text):
    with pytest.raises(PayloadError, match=text):
        normalise.open_interest(reading("ETHUSDT-PERP.BINANCE", payload))


FUNDING = [
    ("bybit/nt_ws_ticker_linear.json", "data", "BTCUSDT-LINEAR.BYBIT", "-0.000212", 480, 1673280000000),
    ("kraken_futures/nt_ws_futures_ticker.json", "", "PI_XBTUSD.KRAKEN", "-0.000001380384722222", 60,
     1676394000000),
    ("deribit/nt_ws_ticker.json", "params/data", "BTC-PERPETUAL.DERIBIT", "0.0", 480, None),
    ("hyperliquid/nt_ws_all_dexs_asset_ctxs.json", "data/ctxs/0/1/1", "ETH-USD-PERP.HYPERLIQUID",
     "0.0000125", 60, 1_800_003_600_000),
    ("dydx/nt_http_get_perpetual_markets.json", "result/markets/ETH-USD", "ETH-USD-PERP.DYDX",
     "0.00000125", 60, 1_800_003_600_000),
]  # fmt: skip


@pytest.mark.parametrize(("name", "part", "instrument", "rate", "interval", "due"), FUNDING)
def test_funding_in_a_ticker_has_rate_interval_and_next_payment(name, part, instrument, rate, interval, due):
    update = normalise.funding_rate(reading(instrument, message(name, part)))

    assert update.rate == Decimal(rate)
    assert update.interval == interval
    assert update.next_funding_ns == (None if due is None else due * MS)


def test_unified_funding_rate_keeps_the_interval_of_the_venue():
    structure = {
        "fundingRate": 0.0001,
        "interval": "4h",
        "fundingTimestamp": 1_800_014_400_000,
        "timestamp": 1_800_000_000_000,
    }

    update = normalise.unified_funding_rate(reading("ETHUSDT-PERP.BINANCE", structure))

    assert (update.rate, update.interval) == (Decimal("0.0001"), 240)
    assert (update.ts_event, update.next_funding_ns) == (NOW, NOW + 4 * 3600 * 10**9)


def test_interval_that_ccxt_has_no_name_for_is_milliseconds():
    structure = {"fundingRate": 0.0001, "interval": "7200000"}

    assert normalise.unified_funding_rate(reading("ETHUSDTM.KUCOIN", structure)).interval == 120


def test_usual_interval_stands_in_where_the_venue_says_none():
    update = normalise.unified_funding_rate(reading("ETHUSDT-PERP.BINANCE", {"fundingRate": 0.0}))

    assert (update.rate, update.interval, update.next_funding_ns) == (0, 480, None)


LONG_SHORT = [
    ("binance/nt_global_long_short_account_ratio.json", "0", "BTCUSDT-PERP.BINANCE", 0.6622, 1583139600000),
    ("bybit/jk_v5_account_ratio.json", "result/list/0", "BTCUSDT-LINEAR.BYBIT", 0.5777, 1695772800000),
    ("gate/cmp_contract_stats_linear.json", "0", "BTC_USDT-PERP.GATE", 1.7797816801139 / 2.7797816801139,
     1654335300000),
]  # fmt: skip


@pytest.mark.parametrize(("name", "part", "instrument", "share", "time"), LONG_SHORT)
def test_long_share_of_accounts(name, part, instrument, share, time):
    ratio = normalise.long_short_ratio(reading(instrument, message(name, part)))

    assert ratio.long_share == pytest.approx(share, rel=1e-12)
    assert ratio.ts_event == time * MS


def test_ratio_of_okx_becomes_a_share():
    payload = {"timestamp": "1630502100000", "longShortRatio": "1.25"}

    ratio = normalise.long_short_ratio(reading("BTC-USDT-SWAP.OKX", payload))

    assert ratio.long_share == pytest.approx(1.25 / 2.25)
    assert ratio.ratio == pytest.approx(1.25)


# instrument, payload, contract size, (long, short, price, ts_event)
LIQUIDATIONS = [
    ("BTCUSD-PERP.BINANCE", {"S": "BUY", "z": "3", "l": "1", "ap": "30000", "T": 5}, 100.0,
     [(0.0, 0.01, 30_000.0, 5)]),
    ("ETHUSDT-LINEAR.BYBIT", {"T": 7, "s": "ETHUSDT", "S": "Buy", "v": "20", "p": "2000.5"}, None,
     [(20.0, 0.0, 2000.5, 7)]),
    ("BTCUSD-INVERSE.BYBIT", {"T": 7, "s": "BTCUSD", "S": "Sell", "v": "60000", "p": "30000"}, None,
     [(0.0, 2.0, 30_000.0, 7)]),
    ("ETH-USDT-SWAP.OKX", {"instId": "ETH-USDT-SWAP", "details": [
        {"bkPx": "2000", "posSide": "long", "side": "sell", "sz": "13", "ts": "9"},
        {"bkPx": "2010", "posSide": "short", "side": "buy", "sz": "5", "ts": "10"},
     ]}, 0.1, [(1.3, 0.0, 2000.0, 9), (0.0, 0.5, 2010.0, 10)]),
    ("BTC_USDT-PERP.GATE", {"size": -165, "order_size": 65, "left": 5, "fill_price": "28070",
     "time": 1696736132}, 0.0001, [(0.0, 0.006, 28_070.0, 1696736132000)]),
    ("BTC_USDT-PERP.GATE", {"size": 600, "order_size": -600, "left": 0, "fill_price": "3424",
     "time": 1548654951}, 0.0001, [(0.06, 0.0, 3424.0, 1548654951000)]),
    ("BTC-USDT.HTX", {"liquidation_time": "1781849094165", "side": "buy", "position_side": "short",
     "volume": "2", "amount": "2", "bankrupt_price": "62978.5"}, 0.001,
     [(0.0, 0.002, 62_978.5, 1781849094165)]),
]  # fmt: skip


@pytest.mark.parametrize(("instrument", "payload", "size", "expected"), LIQUIDATIONS)
def test_liquidation_names_the_position_that_was_closed(instrument, payload, size, expected):
    records = normalise.liquidations(reading(instrument, payload, contract_size=size))

    assert len(records) == len(expected)
    for record, (long, short, price, time) in zip(records, expected, strict=True):
        assert (record.long_quantity, record.short_quantity) == pytest.approx((long, short))
        assert (record.price, record.ts_event) == (price, time * MS)


def test_recorded_liquidation_of_a_long():
    payload = message("binance/nt_ws_liquidation_stream.json", "o")

    records = normalise.liquidations(reading("BTCUSDT-PERP.BINANCE", payload))

    instrument = InstrumentId.from_str("BTCUSDT-PERP.BINANCE")
    assert records == [LiquidationRecord(instrument, 0.014, 0.0, 9910.12345678, 1568014460893 * MS, NOW)]


def test_incomplete_liquidation_is_named():
    with pytest.raises(PayloadError, match="a liquidation lacks size, price, side or time"):
        normalise.liquidations(reading("ETHUSDT-LINEAR.BYBIT", {"v": "1", "S": "Buy"}))
    with pytest.raises(PayloadError, match="expected a list of liquidations at 'details'"):
        normalise.liquidations(reading("ETH-USDT-SWAP.OKX", {"sz": "1"}))
