"""Binance's archive from a loopback mirror: numbers, labels, defects of the files."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.archive import (
    FUNDING,
    KLINES,
    METRICS,
    Market,
    csv,
    funding_path,
    klines_path,
    metrics_path,
)
from support.command import digest, refuse, succeed

from oi_hedge_adapters.history.known import KNOWN
from oi_hedge_adapters.history.manifest import load_instruments
from oi_hedge_catalog import store

DAY = date(2024, 3, 5)
ETH = "ETHUSDT-PERP.BINANCE"
METRICS_ONLY = ("--dataset", "metrics")


def ns(text):
    return pd.Timestamp(text, tz="UTC").value


def test_instruments_that_are_known_are_those_of_the_example_manifest():
    example = load_instruments(Path(__file__).parents[2] / "examples" / "recorded.toml")

    known = load_instruments(KNOWN)

    assert len(known) > 20
    assert {name: each.to_dict(each) for name, each in known.items()} == {
        name: example[name].to_dict(example[name]) for name in known
    }


def test_metrics_are_one_sided_coins_with_their_usd_value(archive, ingest, catalog):
    rows = [
        "2024-03-05 00:05:00,ETHUSDT,1893129.089,4706583953.32646,1.9,3.2,1.5,1.08",
        "2024-03-05 00:10:00,ETHUSDT,1893000.000,4706000000.00000,1.9,3.2,0.25,1.08",
        "2024-03-06 00:00:00,ETHUSDT,1890000.500,4700000000.00000,1.9,3.2,,1.08",
    ]
    archive.put(metrics_path(DAY), csv(METRICS, rows))

    ingest(*METRICS_ONLY)

    stored = store.read_open_interest(catalog(), ETH)
    np.testing.assert_array_equal(stored.quantity, [1893129.089, 1893000.0, 1890000.5])
    np.testing.assert_array_equal(stored.notional_usd, [4706583953.32646, 4.706e9, 4.7e9])
    assert stored.ts_event.tolist() == [ns("2024-03-05 00:05"), ns("2024-03-05 00:10"), ns("2024-03-06")]
    assert (stored.ts_init - stored.ts_event).tolist() == [5_000_000_000] * 3
    ratios = store.read_long_short(catalog(), ETH)
    np.testing.assert_allclose(ratios.long_share, [0.6, 0.2])


def test_inverse_contracts_carry_coins_in_the_value_column(archive, ingest, catalog, tmp_path):
    day = "data/futures/cm/daily/metrics/ETHUSD_PERP/ETHUSD_PERP-metrics-2024-03-05.zip"
    archive.put(day, csv(METRICS, ["2024-03-05 00:05:00,ETHUSD_PERP,25000000,125000.5,1,1,1,1"]))
    described = tmp_path / "instruments.toml"
    described.write_text(
        '[[instrument]]\nid = "ETHUSD-PERP.BINANCE"\nmarket = "perp"\nbase = "ETH"\nquote = "USD"\n'
        'price_precision = 2\nsize_precision = 3\nmaker_fee = "0"\ntaker_fee = "0"\ninverse = true\n'
    )
    days = ("--from", DAY, "--until", DAY + timedelta(days=1), "--base-url", archive.url)
    places = ("--catalog", tmp_path / "catalog", "--cache", tmp_path / "cache", "--instruments", described)

    succeed("ingest", "binance-vision", "ETHUSD_PERP", *METRICS_ONLY, *days, *places)

    stored = store.read_open_interest(catalog(), "ETHUSD-PERP.BINANCE")
    np.testing.assert_array_equal(stored.quantity, [125000.5])
    np.testing.assert_array_equal(stored.notional_usd, [250e6])


@pytest.mark.parametrize("header", [True, False])
def test_bars_are_stamped_with_their_close(archive, ingest, catalog, header):
    line = "1709596800000,3500.01,3512.5,3499.99,3510.0,1234.567,1709597099999,4320000,99,600,2100000,0"
    archive.put(klines_path(DAY), csv(KLINES, [line]) if header else line + "\n")

    ingest("--dataset", "klines")

    stored = store.read_bars(catalog(), f"{ETH}-5-MINUTE-LAST-EXTERNAL")
    assert stored.ts_event.tolist() == [ns("2024-03-05 00:05")]
    assert stored.ts_init.tolist() == [ns("2024-03-05 00:05:05")]
    values = [stored.values()[name][0] for name in ("open", "high", "low", "close", "volume")]
    assert values == [3500.01, 3512.5, 3499.99, 3510.0, 1234.567]


def test_price_that_the_instrument_cannot_hold_is_refused(archive, ingest, tmp_path):
    line = "1709596800000,3500.01,3512.505,3499.99,3510.0,1234.567,1709597099999,4320000,99,600,2100000,0"
    archive.put(klines_path(DAY), line + "\n")

    sentence = ingest("--dataset", "klines", command=refuse)

    assert "row 0: high 3512.505 has more than the 2 decimals of ETHUSDT-PERP.BINANCE" in sentence


def test_premium_index_is_known_at_the_end_of_its_step(archive, ingest, catalog):
    line = "1709596800000,-0.00042931,-0.00023641,-0.00059406,-0.00043659,0,1709597099999,0,12,0,0,0"
    archive.put(klines_path(DAY).replace("klines", "premiumIndexKlines"), line + "\n")

    assert "added 1 rows" in ingest("--dataset", "premiumIndexKlines")
    assert "added 0 rows" in ingest("--dataset", "premiumIndexKlines")

    stored = store.read_premium_index(catalog(), ETH)
    assert stored.ts_event.tolist() == [ns("2024-03-05 00:05")]
    assert stored.ts_init.tolist() == [ns("2024-03-05 00:05:05")]
    assert stored.premium.tolist() == [-0.00043659]


def test_funding_is_stamped_with_the_settlement(archive, ingest, catalog):
    lines = ["1709596800007,8,0.00008191", "1709625600000,8,-0.00010000", "1709700000000,4,0.5"]
    archive.put(funding_path("2024-03"), csv(FUNDING, lines))

    ingest("--dataset", "fundingRate")

    stored = store.read_funding(catalog(), ETH)
    assert stored.ts_event.tolist() == [ns("2024-03-05"), ns("2024-03-05 08:00")]
    assert stored.rate.tolist() == [0.00008191, -0.0001]
    assert stored.interval.tolist() == [480, 480]
    assert stored.next_funding_ns.tolist() == [ns("2024-03-05 08:00"), ns("2024-03-05 16:00")]


def test_price_decides_what_the_labels_are_through_a_change(archive, ingest, catalog):
    start, market = date(2026, 6, 23), Market(date(2026, 6, 23), 4)
    for number, label in enumerate(["end", "end", "start", "start"]):
        day = start + timedelta(days=number)
        archive.put_day(market, day, label)
        archive.put(klines_path(day), csv(KLINES, market.klines(day)))

    text = ingest("--dataset", "metrics", "--dataset", "klines", start=start, until=date(2026, 6, 27))

    assert "2 days by period end verified by price, 2 days by period start verified by price" in text
    assert "they move on 2026-06-25 to start" in text
    stored = store.read_open_interest(catalog(), ETH)
    assert stored.ts_event.tolist() == [ns("2026-06-23") + row * 300 * 10**9 for row in range(1, 4 * 288 + 1)]
    np.testing.assert_array_equal(stored.quantity, market.interest[1 : 4 * 288 + 1])


def test_price_decides_against_the_span_of_the_labels(archive, ingest, catalog):
    market = Market(DAY, 1)
    archive.put_day(market, DAY, "end", first=0)
    archive.put(klines_path(DAY), csv(KLINES, market.klines(DAY)))

    ingest("--dataset", "metrics", "--dataset", "klines")

    stored = store.read_open_interest(catalog(), ETH)
    assert stored.ts_event[0] == ns("2024-03-05 00:00")
    np.testing.assert_array_equal(stored.quantity, market.interest[:288])


@pytest.mark.parametrize(
    ("label", "first", "words"),
    [
        ("end", ns("2024-03-05 00:05"), "period end from the span"),
        ("start", ns("2024-03-05 00:05"), "caution"),
    ],
)
def test_without_bars_the_span_or_caution_decides(archive, ingest, catalog, label, first, words):
    archive.put_day(Market(DAY, 1), DAY, label)

    text = ingest(*METRICS_ONLY, "--notes")

    assert words in text
    assert store.read_open_interest(catalog(), ETH).ts_event[0] == first


def test_label_can_be_given(archive, ingest, catalog):
    archive.put_day(Market(DAY, 1), DAY, "start")

    ingest(*METRICS_ONLY, "--label", "end")

    assert store.read_open_interest(catalog(), ETH).ts_event[0] == ns("2024-03-05 00:00")


def test_defective_rows_are_left_out_and_named(archive, ingest, catalog):
    lines = Market(DAY, 1).metrics(DAY, "end")
    fields = [line.split(",") for line in lines]
    fields[10][2] = fields[10][3] = "0"
    fields[11][2] = '""'
    lines = [",".join(each) for each in fields]
    late, shifted = fields[20].copy(), fields[30].copy()
    late[0] = late[0].replace(":00", ":03") if late[0].endswith("45:00") else late[0][:-2] + "03"
    shifted[0] = shifted[0][:-2] + "59"
    shifted[0] = shifted[0].replace(shifted[0][-5:-3], f"{int(shifted[0][-5:-3]) + 2:02d}")
    lines[20], lines[30] = ",".join(late), ",".join(shifted)
    lines.append(lines[40])
    lines.append(lines[50].replace("ETHUSDT,", "ETHUSDT,9"))
    lines.append("2024-03-09 12:00:00,ETHUSDT,1,1,1,1,1,1")
    lines[100], lines[101] = lines[101], lines[100]
    archive.put(metrics_path(DAY), csv(METRICS, lines))

    text = ingest(*METRICS_ONLY, "--notes")

    for reason, count in {
        "zero": 1,
        "empty": 1,
        "of another day": 1,
        "off the 5-minute grid": 1,
        "there twice": 1,
        "there twice with different values": 2,
    }.items():
        assert f"metrics: rows {reason} left out: {count}, on 2024-03-05 ({count})" in text
    assert "days that are not complete: 2024-03-05 (284 of 288 rows" in text
    stored = store.read_open_interest(catalog(), ETH)
    assert len(stored) == 284
    assert ns("2024-03-05 00:05") + 20 * 300 * 10**9 in stored.ts_event
    assert (np.diff(stored.ts_event) > 0).all()


def test_missing_and_truncated_days_are_findings(archive, ingest, catalog):
    market = Market(DAY, 4)
    archive.put_day(market, DAY)
    archive.put_day(market, DAY + timedelta(days=1), rows=162)
    archive.put_day(market, DAY + timedelta(days=3))

    text = ingest(*METRICS_ONLY, until=DAY + timedelta(days=4))

    assert "metrics: days that the archive does not have, or not whole: 2024-03-07." in text
    assert "days that are not complete: 2024-03-06 (162 of 288 rows, last 13:30)" in text
    assert "1 gap, 414 rows missing; longest: 2070 min after 2024-03-06 13:30" in text
    assert len(store.read_open_interest(catalog(), ETH)) == 288 + 162 + 288


def test_running_twice_adds_nothing_and_asks_for_nothing(archive, ingest, tmp_path):
    archive.put_day(Market(DAY, 1), DAY)
    assert "added 576 rows" in ingest(*METRICS_ONLY)
    before, asked = digest(tmp_path / "catalog"), archive.requests.total()

    text = ingest(*METRICS_ONLY)

    assert "added 0 rows" in text
    assert digest(tmp_path / "catalog") == before
    assert archive.requests.total() == asked


def test_later_days_are_added_to_those_that_are_stored(archive, ingest, catalog):
    market = Market(DAY, 2)
    archive.put_day(market, DAY)
    ingest(*METRICS_ONLY)
    archive.put_day(market, DAY + timedelta(days=1))

    text = ingest(*METRICS_ONLY, until=DAY + timedelta(days=2))

    assert "added 576 rows" in text
    np.testing.assert_array_equal(
        store.read_open_interest(catalog(), ETH).quantity, market.interest[1 : 2 * 288 + 1]
    )
