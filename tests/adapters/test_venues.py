import pytest

from oi_hedge_adapters.venues import ROWS, Transport, VenueError, find_row, row_of

INSTRUMENTS = {
    "binance-linear": ("ETHUSDT-PERP.BINANCE", "ETH/USDT:USDT"),
    "binance-inverse": ("ETHUSD-PERP.BINANCE", "ETH/USD:ETH"),
    "bybit-linear": ("ETHUSDT-LINEAR.BYBIT", "ETH/USDT:USDT"),
    "bybit-inverse": ("ETHUSD-INVERSE.BYBIT", "ETH/USD:ETH"),
    "okx-linear": ("ETH-USDT-SWAP.OKX", "ETH/USDT:USDT"),
    "okx-inverse": ("ETH-USD-SWAP.OKX", "ETH/USD:ETH"),
    "deribit-perpetual": ("ETH-PERPETUAL.DERIBIT", "ETH/USD:ETH"),
    "deribit-option": ("ETH-27DEC24-3000-C.DERIBIT", "ETH/USD:ETH-241227-3000-C"),
    "hyperliquid": ("ETH-USD-PERP.HYPERLIQUID", "ETH/USDC:USDC"),
    "gate": ("ETH_USDT-PERP.GATE", "ETH/USDT:USDT"),
    "kraken-linear": ("PF_ETHUSD.KRAKEN", "ETH/USD:USD"),
    "kraken-inverse": ("PI_ETHUSD.KRAKEN", "ETH/USD:ETH"),
    "bitget": ("ETHUSDT-PERP.BITGET", "ETH/USDT:USDT"),
    "kucoin": ("ETHUSDTM.KUCOIN", "ETH/USDT:USDT"),
    "htx": ("ETH-USDT.HTX", "ETH/USDT:USDT"),
    "dydx": ("ETH-USD-PERP.DYDX", "ETH/USDC:USDC"),
    "ftx": ("ETH-PERP.FTX", "ETH/USD:USD"),
    "bitmex": ("XBTUSD.BITMEX", "BTC/USD:BTC"),
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_instrument_and_ccxt_symbol_translate_both_ways(row):
    instrument, symbol = INSTRUMENTS[row.key]

    assert str(row.example) == instrument
    assert row_of(instrument) is row is find_row(row.key)
    assert row.ccxt_symbol(instrument) == symbol
    assert row.from_ccxt(symbol) == row.example


@pytest.mark.parametrize(
    ("key", "instrument"),
    [("kucoin", "XBTUSDTM.KUCOIN"), ("kraken-linear", "PF_XBTUSD.KRAKEN"), ("bitmex", "XBTUSD.BITMEX")],
)
def test_bitcoin_has_its_own_name_where_the_venue_gives_it_one(key, instrument):
    row = find_row(key)

    assert str(row.instrument_id("BTC")) == instrument
    assert row.ccxt_symbol(instrument).startswith("BTC/")
    assert str(row.from_ccxt(row.ccxt_symbol(instrument))) == instrument


def test_quote_of_the_symbol_is_kept():
    row = row_of("ETHUSDC-PERP.BINANCE")

    assert row.key == "binance-linear"
    assert row.ccxt_symbol("ETHUSDC-PERP.BINANCE") == "ETH/USDC:USDC"
    assert str(row.from_ccxt("ETH/USDC:USDC")) == "ETHUSDC-PERP.BINANCE"


def test_day_of_an_option_has_no_leading_zero():
    row = find_row("deribit-option")

    assert row.ccxt_symbol("BTC-3MAY24-60000-P.DERIBIT") == "BTC/USD:BTC-240503-60000-P"
    assert str(row.from_ccxt("BTC/USD:BTC-240503-60000-P")) == "BTC-3MAY24-60000-P.DERIBIT"


def test_unknown_venue_is_named_with_those_that_are_known():
    with pytest.raises(VenueError, match=r"ETHUSDT\.BINACE: unknown venue 'BINACE', expected one of BINANCE"):
        row_of("ETHUSDT.BINACE")
    with pytest.raises(VenueError, match="unknown venue 'binance', expected one of binance-linear"):
        find_row("binance")


def test_symbol_of_another_form_is_named_with_an_example():
    with pytest.raises(VenueError, match=r"such as ETHUSDT-PERP\.BINANCE, ETHUSD-PERP\.BINANCE"):
        row_of("ETHUSDT.BINANCE")
    with pytest.raises(VenueError, match="is not an instrument of OKX linear, such as ETH-USDT-SWAP"):
        find_row("okx-linear").ccxt_symbol("ETHUSDT-PERP.BINANCE")
    with pytest.raises(VenueError, match="'ETH/USD' is not a ccxt symbol of Gate, such as ETH/USDT:USDT"):
        find_row("gate").from_ccxt("ETH/USD")


def test_bitmex_contracts_other_than_bitcoin_are_refused():
    with pytest.raises(VenueError, match="BITMEX has no instruments of this form"):
        row_of("ETHUSD.BITMEX")
    with pytest.raises(VenueError, match="has no row for 'ETH', only for BTC"):
        find_row("bitmex").instrument_id("ETH")


def test_unknown_quote_is_named():
    with pytest.raises(VenueError, match="has no contracts quoted in 'EUR', expected USDT"):
        find_row("gate").instrument_id("ETH", "EUR")


def test_incomplete_option_is_named():
    with pytest.raises(VenueError, match="an option needs expiry, strike and kind"):
        find_row("deribit-option").instrument_id("ETH", strike="3000")


@pytest.mark.parametrize("row", [r for r in ROWS if r.ccxt_id], ids=lambda row: row.key)
def test_rate_limit_is_no_higher_than_that_of_ccxt(row):
    ccxt = pytest.importorskip("ccxt")

    assert row.requests_per_second <= 1000.0 / getattr(ccxt, row.ccxt_id)().rateLimit + 1e-9


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_closed_venues_have_no_live_feed_and_others_have_open_interest(row):
    assert (row.transport is Transport.NONE) == (not row.live) == (row.ccxt_id is None)
    assert (row.history is not None) <= bool(row.history_of)
