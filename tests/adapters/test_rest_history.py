"""History from the venues' interfaces, taken from loopback exchanges: numbers, pages, faults, resuming."""

import asyncio
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from fakes.server import FakeExchanges, Fault
from fakes.state import HOUR_MS, level
from nautilus_trader.model.identifiers import InstrumentId
from support.command import digest, refuse, succeed

from oi_hedge_adapters.history.rest import Kind, RestRequest
from oi_hedge_adapters.history.rest_sources import rest_sources
from oi_hedge_adapters.venues import ROWS, Feed, find_row
from oi_hedge_catalog import store
from oi_hedge_catalog.errors import DataError

HOUR = HOUR_MS * 1_000_000
BYBIT = "ETHUSDT-LINEAR.BYBIT"
END = time.time_ns() // HOUR * HOUR - 2 * HOUR
START = END - 20 * 24 * HOUR


@contextmanager
def running():
    """Serve the exchanges from a thread of their own."""
    loop, exchanges = asyncio.new_event_loop(), FakeExchanges()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(exchanges.start(), loop).result(10)
    try:
        yield exchanges
    finally:
        asyncio.run_coroutine_threadsafe(exchanges.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture
def exchanges():
    with running() as found:
        yield found


@pytest.fixture
def take(exchanges, tmp_path):
    def run(*arguments, instrument=BYBIT, exchange="bybit", start=START, end=END, command=succeed):
        times = ("--from", iso(start), "--until", iso(end), "--base-url", exchanges.urls[exchange])
        places = ("--catalog", tmp_path / "catalog", "--cache", tmp_path / "cache")
        return command("ingest", "rest", instrument, *times, *places, *arguments)

    return run


def iso(ns):
    return str(np.datetime64(ns, "ns"))[:19]


def request_of(exchanges, tmp_path, instrument=BYBIT, exchange="bybit", **changes):
    values = {"start_ns": START, "end_ns": END, "cache": tmp_path / "cache", "backoff_secs": 0.01}
    return RestRequest(
        instrument_id=InstrumentId.from_str(instrument),
        base_url=exchanges.urls[exchange],
        **(values | changes),
    )


def test_open_interest_and_funding_are_stored_one_sided(take, tmp_path):
    take()

    catalog = store.open_catalog(tmp_path / "catalog")
    interest = store.read_open_interest(catalog, BYBIT)
    assert interest.ts_event.tolist() == list(range(START, END, HOUR))
    np.testing.assert_array_equal(interest.quantity, [level(at // 10**6) for at in interest.ts_event])
    assert set(interest.ts_init - interest.ts_event) == {5_000_000_000}
    funding = store.read_funding(catalog, BYBIT)
    assert set(np.diff(funding.ts_event)) == {8 * HOUR}
    assert set(funding.interval) == {480}
    assert set(funding.rate) == {0.0001}


def test_bars_are_stamped_with_their_close(take, tmp_path):
    take("--kind", "bars")

    bars = store.read_bars(store.open_catalog(tmp_path / "catalog"), f"{BYBIT}-1-HOUR-LAST-EXTERNAL")
    assert bars.ts_event.tolist() == list(range(START + HOUR, END + HOUR, HOUR))
    assert set(bars.close) == {2000.0}
    assert set(bars.volume) == {1.0}


LISTED = [row for row in ROWS if row.ccxt_id and row.history_of & {Feed.OPEN_INTEREST, Feed.FUNDING}]


@pytest.mark.slow
@pytest.mark.parametrize("row", LISTED, ids=lambda row: row.key)
def test_every_venue_that_has_history_gives_it(row, exchanges, tmp_path):
    kinds = [Kind.FUNDING] if Feed.FUNDING in row.history_of else []
    kinds += [Kind.OPEN_INTEREST] if row.history else []
    wanted = request_of(exchanges, tmp_path, str(row.example), row.ccxt_id, start_ns=END - 48 * HOUR)

    sources = rest_sources(wanted, kinds, tmp_path / "catalog")

    assert [source.instrument.id for source in sources] == [row.example] * len(kinds)
    for source in sources:
        series = source.load().series
        assert (np.diff(series.ts_event) > 0).all()
        assert (series.ts_event >= END - 48 * HOUR).all() and (series.ts_event < END).all()
    if row.history:
        np.testing.assert_allclose(series.quantity, [level(at // 10**6) for at in series.ts_event])
        assert len(series) == 48


@pytest.mark.parametrize(
    ("instrument", "exchange"),
    [(BYBIT, "bybit"), ("ETH_USDT-PERP.GATE", "gate"), ("ETH-USDT-SWAP.OKX", "okx")],
)
def test_long_short_ratios_are_stored_page_after_page(instrument, exchange, take, exchanges, tmp_path):
    take("--kind", "long-short", instrument=instrument, exchange=exchange)
    asked = len(exchanges[exchange].requests)

    assert "added 0 rows" in take("--kind", "long-short", instrument=instrument, exchange=exchange)

    ratios = store.read_long_short(store.open_catalog(tmp_path / "catalog"), instrument)
    assert ratios.ts_event.tolist() == list(range(START, END, HOUR))
    np.testing.assert_allclose(ratios.long_share, 0.6)
    assert set(ratios.ts_init - ratios.ts_event) == {5_000_000_000}
    assert len(exchanges[exchange].requests) < 2 * asked


def test_ratios_that_a_venue_gives_no_history_of_are_one_sentence(take):
    bitget = {"instrument": "ETHUSDT-PERP.BITGET", "exchange": "bitget"}

    assert "Bitget has no history of long/short" in take("--kind", "long-short", command=refuse, **bitget)


NEWEST_FIRST = ["okx-linear", "bitget", "htx", "dydx"]


@pytest.mark.parametrize("key", NEWEST_FIRST)
def test_funding_of_many_pages_is_complete_where_the_venue_gives_the_newest_first(key, exchanges, tmp_path):
    row = find_row(key)
    days = 10 if key == "dydx" else 60
    wanted = request_of(exchanges, tmp_path, str(row.example), row.ccxt_id, start_ns=END - days * 24 * HOUR)

    (source,) = rest_sources(wanted, [Kind.FUNDING], tmp_path / "catalog")

    funding = source.load().series
    step = row.funding.interval_minutes // 60 * HOUR
    assert funding.ts_event.tolist() == [at for at in range(wanted.start_ns, END, HOUR) if at % step == 0]
    assert set(funding.interval) == {row.funding.interval_minutes}
    assert set(funding.rate) == {0.0001}


def test_continuous_funding_is_what_was_paid_over_each_hour(exchanges, tmp_path):
    wanted = request_of(exchanges, tmp_path, "ETH-PERPETUAL.DERIBIT", "deribit", start_ns=END - 48 * HOUR)

    (source,) = rest_sources(wanted, [Kind.FUNDING], tmp_path / "catalog")

    funding = source.load().series
    assert set(np.diff(funding.ts_event)) == {HOUR}
    assert set(funding.interval) == {60}
    np.testing.assert_allclose(funding.rate, 0.0001 / 8)


def test_history_that_begins_later_than_asked_is_told(take, exchanges):
    exchanges["okx"].state.listed_ms = (END - 5 * 24 * HOUR) // 10**6

    text = take("--kind", "funding", instrument="ETH-USDT-SWAP.OKX", exchange="okx")

    assert f"OKX linear has no funding before {iso(END - 5 * 24 * HOUR)[:10]}" in text


def test_running_twice_adds_nothing_and_asks_for_the_last_page_only(take, exchanges, tmp_path):
    take("--kind", "open-interest")
    before, asked = digest(tmp_path / "catalog"), len(pages_of(exchanges))

    assert "added 0 rows" in take("--kind", "open-interest")

    assert digest(tmp_path / "catalog") == before
    assert asked in (3, 4)
    assert len(pages_of(exchanges)) - asked <= 1


def pages_of(exchanges):
    return [each for each in exchanges["bybit"].requests if "open-interest" in each]


def test_venue_that_fails_in_the_middle_is_gone_on_with(exchanges, tmp_path):
    wanted = request_of(exchanges, tmp_path, attempts=2)
    second = (START // (199 * HOUR) + 1) * 199 * HOUR
    exchanges["bybit"].take_fault = failing_from(exchanges["bybit"], second // 10**6)
    with pytest.raises(DataError, match="gave up after 2 attempts, pages that are complete are kept"):
        rest_sources(wanted, [Kind.OPEN_INTEREST], tmp_path / "catalog")
    assert len(list(wanted.cache.rglob("*.json"))) == 1
    del exchanges["bybit"].take_fault
    exchanges["bybit"].requests.clear()

    (source,) = rest_sources(wanted, [Kind.OPEN_INTEREST], tmp_path / "catalog")

    assert source.load().series.ts_event.tolist() == list(range(START, END, HOUR))
    assert not [
        each for each in pages_of(exchanges) if f"startTime={second // 10**6 - 199 * HOUR_MS}" in each
    ]


def failing_from(exchange, since_ms):
    """Return what fails requests for pages from a time on."""

    def take_fault(path):
        asked = exchange.requests[-1]
        late = "open-interest" in asked and f"startTime={since_ms}" in asked
        return Fault("500") if late else None

    return take_fault


@pytest.mark.parametrize("kind", ["429", "503", "half_json", "disconnect", "html"])
def test_faults_lose_nothing(kind, exchanges, tmp_path):
    exchanges["bybit"].faults.append(Fault(kind, 2, "open-interest"))

    (source,) = rest_sources(request_of(exchanges, tmp_path), [Kind.OPEN_INTEREST], tmp_path / "catalog")

    assert source.load().series.ts_event.tolist() == list(range(START, END, HOUR))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("401", "Bybit linear denies load_markets with HTTP 401, for a ban or for where we ask from"),
        ("403", "Bybit linear denies load_markets with HTTP 403, for a ban or for where we ask from"),
        ("418", "Bybit linear limits our requests"),
        ("500", "Bybit linear is not available"),
    ],
)
def test_venue_that_does_not_let_us_in_is_one_sentence(kind, words, exchanges, tmp_path):
    exchanges["bybit"].faults.append(Fault(kind, 99, "instruments-info"))

    with pytest.raises(DataError) as caught:
        rest_sources(request_of(exchanges, tmp_path, attempts=2), [Kind.FUNDING], tmp_path / "catalog")

    assert str(caught.value).startswith(words)
    assert "gave up after 2 attempts" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_ban_is_neither_hammered_nor_waited_out(exchanges, tmp_path):
    exchanges["bybit"].faults.append(Fault("418", 99, "funding", retry_after=7200))

    with pytest.raises(DataError, match=r"waiting 7200 s; gave up after 1 attempt, pages that are complete"):
        rest_sources(request_of(exchanges, tmp_path), [Kind.FUNDING], tmp_path / "catalog")

    assert len([each for each in exchanges["bybit"].requests if "funding" in each]) == 1


def test_venue_that_asks_to_wait_is_given_the_time(exchanges, tmp_path):
    exchanges["bybit"].faults.append(Fault("429", 1, "funding", retry_after=2))
    before = time.monotonic()

    rest_sources(
        request_of(exchanges, tmp_path, start_ns=END - 24 * HOUR), [Kind.FUNDING], tmp_path / "catalog"
    )

    assert time.monotonic() - before >= 2.0


def test_depth_that_a_venue_does_not_keep_is_told(take):
    text = take(
        "--kind",
        "open-interest",
        instrument="ETHUSDT-PERP.BINANCE",
        exchange="binanceusdm",
        start=END - 40 * 24 * HOUR,
    )

    assert "Binance USD-M keeps 30 days of open interest: taken from" in text


def test_wrong_requests_are_one_sentence(take, tmp_path):
    bybit = "Bybit linear has no history in steps of '7m', only of 5m"
    assert bybit in take("--timeframe", "7m", command=refuse)
    deribit = {"instrument": "ETH-PERPETUAL.DERIBIT", "exchange": "deribit"}
    assert "no history of open interest" in take(command=refuse, **deribit)
    assert "volume of its bars" in take("--kind", "bars", command=refuse, **deribit)
    assert "not listed" in take(instrument="DOGEUSDT-LINEAR.BYBIT", command=refuse)
    assert "unknown venue" in take(instrument="ETHUSDT.NOWHERE", command=refuse)
    assert "is closed" in take("--kind", "funding", instrument="ETH-PERP.FTX", command=refuse)
    assert "not before" in take(start=END, command=refuse)
    assert "is not an address" in take("--base-url", "mirror", command=refuse)
    assert not (tmp_path / "catalog").exists()


def test_damaged_page_is_one_sentence(take, tmp_path):
    take("--kind", "open-interest")
    page = next((tmp_path / "cache").rglob("*.json"))
    page.write_text("[[1,")

    assert f"{page} is not a page that was kept" in take("--kind", "open-interest", command=refuse)
