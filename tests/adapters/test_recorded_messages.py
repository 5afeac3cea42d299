"""Messages recorded of the venues, sent over the loopback interface and read through ccxt."""

import asyncio
import json
import time

import pytest
from fakes.server import FakeExchanges
from support.exchange_messages import message

from oi_hedge_adapters.connection import VenueConnection
from oi_hedge_adapters.readers import InstrumentReader
from oi_hedge_adapters.venues import find_row

pytest.importorskip("ccxt")

MS = 1_000_000


def of_eth(name, part=""):
    """Return a recorded message with its bitcoin contract renamed to the one that the exchange here lists."""
    text = json.dumps(message(name, part))
    return json.loads(text.replace("XBT", "ETH").replace("BTC", "ETH"))


# row, path, message, quantity, USD, time; contracts and prices that are not in it are the exchange's own
OPEN_INTEREST = [
    ("binance-linear", "/fapi/v1/openInterest", ("binance/cmp_openInterest_fapi.json",),
     84617.188, 84617.188 * 2000, 1654336844754),
    ("binance-inverse", "/dapi/v1/openInterest", ("binance/cmp_openInterest_dapi.json",),
     5827897 * 10 / 2000, 58_278_970.0, 1654336819740),
    ("okx-linear", "/api/v5/public/open-interest", ("okx/jk_public_open_interest.json",),
     555.55, None, 1597026383085),
    ("bybit-linear", "stream", ("bybit/nt_ws_ticker_linear.json",),
     68744.761 / 2, 1183601235.91 / 2, 1673272861686),
    ("deribit-perpetual", "stream", ("deribit/nt_ws_ticker.json",),
     1132329370 / 92281.78, 1132329370.0, 1765541474086),
    ("kraken-inverse", "stream", ("kraken_futures/nt_ws_futures_ticker.json",),
     30072580 / 21979.68641534714, 30072580.0, 1676393235406),
    ("dydx", "/v4/perpetualMarkets", ("dydx/nt_http_get_perpetual_markets.json", "result"),
     7457.108, 7457.108 * 3103.01, None),
]  # fmt: skip

RATIOS = [
    ("binance-linear", "/futures/data/globalLongShortAccountRatio",
     "binance/nt_global_long_short_account_ratio.json", 0.6617),
    ("bybit-linear", "/v5/market/account-ratio", "bybit/jk_v5_account_ratio.json", 0.5777),
    ("gate", "/api/v4/futures/usdt/contract_stats", "gate/cmp_contract_stats_linear.json",
     1.7864954826438 / 2.7864954826438),
]  # fmt: skip


def read(key, path, body, what):
    """Return what a reader makes of `body` at `path`."""
    row = find_row(key)

    async def scenario():
        exchanges = FakeExchanges()
        await exchanges.start()
        exchanges[row.ccxt_id].recorded[path] = body
        connection = VenueConnection(row, 5.0, exchanges.urls[row.ccxt_id])
        try:
            reader = InstrumentReader(row, row.example, connection, time.time_ns, 5.0)
            return await getattr(reader, what)()
        finally:
            await connection.close()
            await exchanges.stop()

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("key", "path", "source", "quantity", "usd", "time_ms"), OPEN_INTEREST, ids=[c[0] for c in OPEN_INTEREST]
)
def test_open_interest_of_a_recorded_message(key, path, source, quantity, usd, time_ms):
    update = read(key, path, of_eth(*source), "open_interest")[0]

    assert update.quantity == pytest.approx(quantity, rel=1e-12)
    assert update.notional_usd == (None if usd is None else pytest.approx(usd, rel=1e-12))
    assert update.ts_event == (update.ts_init if time_ms is None else time_ms * MS)


@pytest.mark.parametrize(("key", "path", "name", "share"), RATIOS, ids=[c[0] for c in RATIOS])
def test_long_share_of_a_recorded_message(key, path, name, share):
    (ratio,) = read(key, path, of_eth(name), "long_short")

    assert ratio.long_share == pytest.approx(share, rel=1e-12)


def test_funding_of_a_recorded_message_is_that_of_the_running_interval():
    (update,) = read(
        "okx-linear", "/api/v5/public/funding-rate", of_eth("okx/jk_public_funding_rate.json"), "funding"
    )

    assert float(update.rate) == 0.0000792386885340
    assert (update.interval, update.next_funding_ns) == (480, 1703088000000 * MS)
