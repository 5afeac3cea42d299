"""What every row of the venue table must pass against a loopback exchange that speaks as the venue does."""

import asyncio
import time
from decimal import Decimal
from itertools import pairwise

import pytest
from fakes.server import FakeExchanges
from fakes.state import level
from fakes.venues import VENUES
from nautilus_trader.model.enums import MarketStatusAction

from oi_hedge_adapters.connection import RefusedError, VenueConnection
from oi_hedge_adapters.readers import InstrumentReader
from oi_hedge_adapters.venues import ROWS, Feed
from oi_hedge_adapters.warmup import funding_history, long_short_history, open_interest_history

pytest.importorskip("ccxt")

LIVE = [row for row in ROWS if row.live]
DAYS = 10
HOUR_NS = 3_600 * 10**9
AT_MS = time.time_ns() // 1_000_000_000 * 1000
LIQUIDATIONS = [(True, 3.0, 1990.0, AT_MS - 1000), (False, 1.0, 2010.0, AT_MS)]


async def read_everything(row, exchanges):
    """Read whatever the row says that the venue has."""
    connection = VenueConnection(row, 5.0, exchanges.urls[row.ccxt_id])
    try:
        reader = InstrumentReader(row, row.example, connection, time.time_ns, 5.0)
        found = {"open_interest": await reader.open_interest(), "status": await reader.status()}
        found["unlisted"] = await refusal(connection.market("NOSUCH/USDT:USDT"))
        if Feed.FUNDING in row.live and not row.funding_fields:
            found["funding"] = await reader.funding()
        if Feed.LONG_SHORT in row.live:
            found["long_short"] = await reader.long_short()
        if Feed.LIQUIDATIONS in row.live:
            found["liquidations"] = await distinct_liquidations(reader)
        now = time.time_ns()
        start = now - DAYS * 24 * HOUR_NS
        if Feed.OPEN_INTEREST in row.history_of:
            found["history"] = await open_interest_history(connection, row, row.example, start, now)
        if Feed.LONG_SHORT in row.history_of:
            found["past_ratios"] = await long_short_history(connection, row, row.example, start, now)
        if Feed.FUNDING in row.history_of:
            found["past_funding"] = await funding_history(connection, row, row.example, start, now)
        exchanges[row.ccxt_id].state.funding_hours = 4
        if Feed.FUNDING in row.live:
            found["every_4h"] = await newest_funding(row, reader)
        exchanges[row.ccxt_id].state.halted = True
        found["halted"] = await reader.status()
        return found
    finally:
        await connection.close()


async def newest_funding(row, reader):
    """Read until messages that were under way have passed."""
    found = []
    for _ in range(20 if row.funding_fields else 1):
        found = await (reader.open_interest() if row.funding_fields else reader.funding())
    return found[-1]


async def distinct_liquidations(reader):
    """Read a stream that repeats its message until all of it has come, and leave the repetitions out."""
    found = {}
    for _ in range(20):
        for record in await reader.liquidations():
            found[record.ts_event, record.long_quantity, record.short_quantity] = record
        if len(found) >= len(LIQUIDATIONS):
            break
    return [record for _, record in sorted(found.items())]


async def refusal(asked):
    try:
        return await asked
    except RefusedError as error:
        return str(error)


async def read_all():
    found = {}
    for group in (LIVE[0::2], LIVE[1::2]):  # rows that share an exchange one after the other
        exchanges = FakeExchanges()
        await exchanges.start()
        for exchange in exchanges.exchanges.values():
            exchange.state.liquidations = LIQUIDATIONS
        try:
            results = await asyncio.gather(*(read_everything(row, exchanges) for row in group))
        finally:
            await exchanges.stop()
        found |= dict(zip((row.key for row in group), results, strict=True))
    return found


@pytest.fixture(scope="module")
def found():
    return asyncio.run(read_all())


each_row = pytest.mark.parametrize("row", LIVE, ids=lambda row: row.key)


@each_row
def test_live_venue_has_a_loopback_exchange(row):
    assert row.ccxt_id in VENUES


@each_row
def test_open_interest_is_the_thousand_coins_that_are_open(row, found):
    update = found[row.key]["open_interest"][0]

    assert update.instrument_id == row.example
    assert update.quantity == pytest.approx(1000.0, rel=1e-9)
    if update.notional_usd is not None:
        assert update.notional_usd == pytest.approx(2_000_000.0, rel=1e-9)
    assert 0 <= update.ts_init - update.ts_event < 5 * 10**9
    assert 0 <= time.time_ns() - update.ts_init < 600 * 10**9


@pytest.mark.parametrize("row", [r for r in LIVE if Feed.FUNDING in r.live], ids=lambda row: row.key)
def test_funding_has_rate_and_interval(row, found):
    values = found[row.key]
    update = values["funding"][0] if "funding" in values else values["open_interest"][1]

    assert update.instrument_id == row.example
    assert Decimal(str(update.rate)) == Decimal("0.0001")
    assert update.interval == row.funding.interval_minutes
    if row.key != "deribit-perpetual":
        assert update.next_funding_ns > AT_MS * 10**6


@pytest.mark.parametrize("row", [r for r in LIVE if Feed.FUNDING in r.live], ids=lambda row: row.key)
def test_interval_is_the_contract_s_own_where_the_venue_has_several(row, found):
    has_one = row.key == "deribit-perpetual" or row.funding.interval_minutes == 60
    expected = row.funding.interval_minutes if has_one else 240

    assert found[row.key]["every_4h"].interval == expected


@pytest.mark.parametrize("row", [r for r in LIVE if Feed.LONG_SHORT in r.live], ids=lambda row: row.key)
def test_three_of_five_accounts_are_long(row, found):
    (ratio,) = found[row.key]["long_short"]

    assert ratio.long_share == pytest.approx(0.6)


@pytest.mark.parametrize("row", [r for r in LIVE if Feed.LIQUIDATIONS in r.live], ids=lambda row: row.key)
def test_every_liquidation_of_a_message_arrives_with_its_side(row, found):
    records = found[row.key]["liquidations"]

    closed = [(r.long_quantity, r.short_quantity, r.price, r.ts_event) for r in records]
    assert closed == [
        (pytest.approx(3.0), 0.0, 1990.0, (AT_MS - 1000) * 1_000_000),
        (0.0, pytest.approx(1.0), 2010.0, AT_MS * 1_000_000),
    ]


@pytest.mark.parametrize(
    "row", [r for r in LIVE if Feed.OPEN_INTEREST in r.history_of], ids=lambda row: row.key
)
def test_history_has_every_hour_once_with_its_value(row, found):
    updates = found[row.key]["history"]

    hours = [update.ts_event for update in updates]
    # a page of the newest rows ends beyond what was asked for where an hour passes in between
    assert len(hours) in ((199, 200) if row.history.pages_backward else (DAYS * 24,))
    assert {after - before for before, after in pairwise(hours)} == {HOUR_NS}
    assert [update.quantity for update in updates] == pytest.approx([level(at // 10**6) for at in hours])
    lag = round(row.publication_lag_secs * 10**9)
    assert {update.ts_init - update.ts_event for update in updates} == {lag}


@pytest.mark.parametrize("row", [r for r in LIVE if Feed.LONG_SHORT in r.history_of], ids=lambda row: row.key)
def test_history_of_ratios_has_every_hour_once(row, found):
    ratios = found[row.key]["past_ratios"]

    hours = [ratio.ts_event for ratio in ratios]
    assert len(hours) == DAYS * 24
    assert {after - before for before, after in pairwise(hours)} == {HOUR_NS}
    assert {round(ratio.long_share, 9) for ratio in ratios} == {0.6}
    assert {ratio.ts_init - ratio.ts_event for ratio in ratios} == {5 * 10**9}


@pytest.mark.parametrize("row", [r for r in LIVE if Feed.FUNDING in r.history_of], ids=lambda row: row.key)
def test_funding_history_is_ordered_and_complete(row, found):
    updates = found[row.key]["past_funding"]

    hourly = row.key in ("deribit-perpetual", "hyperliquid", "kraken-linear", "kraken-inverse", "dydx")
    assert len(updates) in ((DAYS * 24 - 1, DAYS * 24) if hourly else (DAYS * 3,))
    assert [u.ts_event for u in updates] == sorted({u.ts_event for u in updates})
    of_8h = [u.rate * 480 / u.interval for u in updates]
    usual = 0.0001 * (1 if row.key == "deribit-perpetual" or not hourly else 8)
    assert [float(rate) for rate in of_8h] == pytest.approx([usual] * len(updates))
    assert {u.interval for u in updates} == {60 if hourly else 480}
    assert {u.next_funding_ns - u.ts_event for u in updates} == {HOUR_NS * (1 if hourly else 8)}


@each_row
def test_halt_is_told_once_it_happens(row, found):
    (before,), (after,) = found[row.key]["status"], found[row.key]["halted"]

    assert (before.action, after.action) == (MarketStatusAction.TRADING, MarketStatusAction.HALT)
    assert after.instrument_id == row.example


@each_row
def test_unlisted_symbol_is_one_clear_sentence(row, found):
    assert found[row.key]["unlisted"].startswith(f"{row.title}: NOSUCH/USDT:USDT is not listed; ")
