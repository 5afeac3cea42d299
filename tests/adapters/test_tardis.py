"""Tardis's CSV files: every venue's unit, settlements, liquidations, and what a user is told."""

import gzip

import numpy as np
import pandas as pd
import pytest
from support.command import digest, refuse, succeed

from oi_hedge_adapters.history.tardis import EXCHANGES, find_market, open_interest, read_file
from oi_hedge_catalog import store

TICKER = (
    "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,predicted_funding_rate,"
    "open_interest,last_price,index_price,mark_price"
)
MINUTE = 60 * 10**9
LIQUIDATIONS = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"


def us(text):
    return pd.Timestamp(text, tz="UTC").value // 1000


def ns(text):
    return pd.Timestamp(text, tz="UTC").value


@pytest.fixture
def write(tmp_path):
    def run(name, header, rows):
        path = tmp_path / f"{name}.csv.gz"
        path.write_bytes(gzip.compress("\n".join([header, *rows, ""]).encode()))
        return path

    return run


@pytest.fixture
def take(tmp_path):
    def run(*arguments, command=succeed):
        return command("ingest", "tardis", *arguments, "--catalog", tmp_path / "catalog")

    return run


@pytest.fixture
def catalog(tmp_path):
    return lambda: store.open_catalog(tmp_path / "catalog")


def ticker(exchange, symbol, time, interest, mark="2000", due="", rate=""):
    return f"{exchange},{symbol},{us(time)},{us(time) + 150_000},{due},{rate},,{interest},,,{mark}"


@pytest.mark.parametrize(
    ("exchange", "symbol", "instrument", "raw", "size", "coins"),
    [
        ("binance-futures", "ETHUSDT", "ETHUSDT-PERP.BINANCE", 1500.5, None, 1500.5),
        ("bybit", "ETHUSDT", "ETHUSDT-LINEAR.BYBIT", 3000.0, None, 1500.0),
        ("okex-swap", "ETH-USDT-SWAP", "ETH-USDT-SWAP.OKX", 15000.0, 0.1, 1500.0),
        ("deribit", "ETH-PERPETUAL", "ETH-PERPETUAL.DERIBIT", 3_000_000.0, None, 1500.0),
        ("gate-io-futures", "ETH_USDT", "ETH_USDT-PERP.GATE", 150_000.0, 0.01, 1500.0),
        ("hyperliquid", "ETH", "ETH-USD-PERP.HYPERLIQUID", 1500.0, None, 1500.0),
        ("ftx", "ETH-PERP", "ETH-PERP.FTX", 1500.0, None, 1500.0),
    ],
)
def test_open_interest_is_one_sided_coins(
    write, take, catalog, exchange, symbol, instrument, raw, size, coins
):
    path = write("derivative_ticker", TICKER, [ticker(exchange, symbol, "2024-03-05 00:00:30", raw)])

    take(path, *(["--contract-size", size] if size else []))

    stored = store.read_open_interest(catalog(), instrument)
    np.testing.assert_allclose(stored.quantity, [coins])
    np.testing.assert_allclose(stored.notional_usd, [coins * 2000])
    assert stored.ts_event.tolist() == [ns("2024-03-05 00:00:30")]
    assert stored.ts_init.tolist() == [ns("2024-03-05 00:00:30.15")]


def test_every_exchange_is_one_of_the_venue_table(tmp_path):
    symbols = {"binance-delivery": "ETHUSD_PERP", "bitmex": "XBTUSD", "cryptofacilities": "PF_ETHUSD"}
    symbols |= {"deribit": "ETH-PERPETUAL", "okex-swap": "ETH-USD-SWAP", "gate-io-futures": "ETH_USDT"}
    symbols |= {"hyperliquid": "ETH", "dydx-v4": "ETH-USD", "ftx": "ETH-PERP", "kucoin-futures": "ETHUSDTM"}
    symbols |= {"huobi-dm-linear-swap": "ETH-USDT"}

    for exchange, (keys, path) in EXCHANGES.items():
        market = find_market(tmp_path, exchange, symbols.get(exchange, "ETHUSDT"), None)
        assert market.row.key in keys
        assert path in {field.path for field in market.row.open_interest}


EVERY_EXCHANGE = [
    ("binance-futures", "ETHUSDT", 1500.0, None),
    ("binance-delivery", "ETHUSD_PERP", 300_000.0, 10.0),
    ("bybit", "ETHUSDT", 3000.0, None),
    ("bybit", "ETHUSD", 6_000_000.0, None),
    ("okex-swap", "ETH-USDT-SWAP", 15_000.0, 0.1),
    ("okex-swap", "ETH-USD-SWAP", 300_000.0, 10.0),
    ("deribit", "ETH-PERPETUAL", 3_000_000.0, None),
    ("hyperliquid", "ETH", 1500.0, None),
    ("gate-io-futures", "ETH_USDT", 150_000.0, 0.01),
    ("cryptofacilities", "PF_ETHUSD", 1500.0, None),
    ("cryptofacilities", "PI_ETHUSD", 3_000_000.0, None),
    ("huobi-dm-linear-swap", "ETH-USDT", 300_000.0, 0.01),
    ("kucoin-futures", "ETHUSDTM", 150_000.0, 0.01),
    ("dydx-v4", "ETH-USD", 1500.0, None),
    ("bitmex", "XBTUSD", 3_000_000.0, None),
    ("ftx", "ETH-PERP", 1500.0, None),
]


def test_no_exchange_is_left_untried():
    assert {exchange for exchange, *_ in EVERY_EXCHANGE} == set(EXCHANGES)


@pytest.mark.parametrize(("exchange", "symbol", "raw", "size"), EVERY_EXCHANGE)
def test_number_of_every_exchange_becomes_one_sided_coins(write, exchange, symbol, raw, size):
    path = write("derivative_ticker", TICKER, [ticker(exchange, symbol, "2024-03-05 00:00:30", raw)])

    series = open_interest([read_file(path)], find_market(path, exchange, symbol, size), MINUTE)

    np.testing.assert_allclose(series.quantity, [1500.0])
    np.testing.assert_allclose(series.notional_usd, [3_000_000.0])


def test_last_value_of_each_span_is_taken(write, take, catalog):
    rows = [
        ticker("binance-futures", "ETHUSDT", "2024-03-05 00:00:01", 10),
        ticker("binance-futures", "ETHUSDT", "2024-03-05 00:00:58", 11),
        ticker("binance-futures", "ETHUSDT", "2024-03-05 00:01:05", ""),
        ticker("binance-futures", "ETHUSDT", "2024-03-05 00:01:10", 12, mark=""),
        ticker("binance-futures", "ETHUSDT", "2024-03-05 00:04:00", 0),
    ]

    take(write("derivative_ticker", TICKER, rows))

    stored = store.read_open_interest(catalog(), "ETHUSDT-PERP.BINANCE")
    assert stored.quantity.tolist() == [11, 12]
    np.testing.assert_array_equal(stored.notional_usd, [22000, np.nan])


def test_last_rate_before_a_settlement_is_taken(write, take, catalog):
    eight, sixteen = us("2024-03-05 08:00"), us("2024-03-05 16:00")
    rows = [
        ticker("binance-futures", "ETHUSDT", "2024-03-05 07:00", 10, due=eight, rate="0.0003"),
        ticker("binance-futures", "ETHUSDT", "2024-03-05 07:59:58", 10, due=eight, rate="0.0001"),
        ticker("binance-futures", "ETHUSDT", "2024-03-05 08:00:01", 10, due=eight, rate="0.0009"),
        ticker("binance-futures", "ETHUSDT", "2024-03-05 15:00", 10, due=sixteen, rate="-0.0002"),
        ticker(
            "binance-futures", "ETHUSDT", "2024-03-05 16:00:03", 10, due=sixteen + 28_800_000_000, rate="1"
        ),
    ]

    take(write("derivative_ticker", TICKER, rows))

    stored = store.read_funding(catalog(), "ETHUSDT-PERP.BINANCE")
    assert stored.ts_event.tolist() == [ns("2024-03-05 08:00"), ns("2024-03-05 16:00")]
    assert stored.rate.tolist() == [0.0001, -0.0002]
    assert stored.interval.tolist() == [480, 480]


def test_liquidations_of_one_moment_are_added_up(write, take, catalog):
    time = us("2024-08-05 01:02:03")
    rows = [
        f"bybit,ETHUSDT,{time},{time + 40},,sell,2200,3",
        f"bybit,ETHUSDT,{time},{time + 40},,sell,2300,1",
        f"bybit,ETHUSDT,{time},{time + 40},,buy,2250,2",
        f"bybit,ETHUSDT,{time + 500_000},{time + 500_040},,buy,2210,5",
    ]

    take(write("bybit_liquidations_2024-08-05_ETHUSDT", LIQUIDATIONS, rows))

    stored = store.read_liquidations(catalog(), "ETHUSDT-LINEAR.BYBIT")
    assert stored.long_quantity.tolist() == [4, 0]
    assert stored.short_quantity.tolist() == [2, 5]
    np.testing.assert_allclose(stored.price, [(2200 * 3 + 2300 + 2250 * 2) / 6, 2210])


def test_running_twice_adds_nothing(write, take, tmp_path):
    rows = [ticker("bybit", "ETHUSDT", f"2024-03-05 00:{minute:02d}", 3000 + minute) for minute in range(30)]
    path = write("derivative_ticker", TICKER, rows)
    assert "added 30 rows" in take(path)
    before = digest(tmp_path / "catalog")

    assert "added 0 rows" in take(path)

    assert digest(tmp_path / "catalog") == before


def test_directories_are_searched(tmp_path, take, catalog):
    for day in ("01", "02"):
        directory = tmp_path / "bybit" / "derivative_ticker" / "2024" / "03" / day
        directory.mkdir(parents=True)
        row = ticker("bybit", "ETHUSDT", f"2024-03-{day}", 3000)
        (directory / "ETHUSDT.csv.gz").write_bytes(gzip.compress(f"{TICKER}\n{row}\n".encode()))

    take(tmp_path / "bybit")

    assert len(store.read_open_interest(catalog(), "ETHUSDT-LINEAR.BYBIT")) == 2


def test_wrong_files_are_one_sentence(write, take, tmp_path):
    row = ticker("bybit", "ETHUSDT", "2024-03-05", 3000)
    assert "does not exist" in take(tmp_path / "derivative_ticker.csv.gz", command=refuse)
    assert "in the file's name" in take(write("trades", LIQUIDATIONS, []), command=refuse)
    wrong = write("derivative_ticker_a", LIQUIDATIONS, ["bybit,ETHUSDT,1,1,,sell,1,1"])
    assert "is not a complete derivative_ticker file" in take(wrong, command=refuse)
    cut = write("derivative_ticker_b", TICKER, [row] * 500)
    cut.write_bytes(cut.read_bytes()[:60])
    assert "is not a complete derivative_ticker file" in take(cut, command=refuse)
    unknown = write("derivative_ticker_c", TICKER, [row.replace("bybit", "mtgox")])
    assert "unknown exchange 'mtgox'" in take(unknown, command=refuse)
    dated = write("derivative_ticker_d", TICKER, [row.replace("ETHUSDT", "ETH-29MAR24")])
    assert "is not a perpetual" in take(dated, command=refuse)
    contracts = write("derivative_ticker_e", TICKER, [ticker("okex-swap", "ETH-USDT-SWAP", "2024-03-05", 9)])
    assert "the size of a contract is unknown" in take(contracts, command=refuse)
    assert "no row of Tardis data" in take(write("derivative_ticker_f", TICKER, []), command=refuse)
    assert not (tmp_path / "catalog").exists()
