"""Binance's archive from a loopback mirror: numbers, labels, defects, and what a user is told."""

import itertools
import resource
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.archive import (
    FUNDING,
    KLINES,
    METRICS,
    Archive,
    Market,
    csv,
    funding_path,
    klines_path,
    metrics_path,
    zipped,
)
from support.command import digest, refuse, succeed

from oi_hedge_adapters.history.download import Mirror, download
from oi_hedge_adapters.history.known import KNOWN
from oi_hedge_adapters.history.manifest import load_instruments
from oi_hedge_catalog import store
from oi_hedge_catalog.errors import DataError

DAY = date(2024, 3, 5)
ETH = "ETHUSDT-PERP.BINANCE"


@pytest.fixture
def archive():
    with Archive() as running:
        yield running


@pytest.fixture
def ingest(archive, tmp_path):
    def run(*arguments, until=DAY + timedelta(days=1), start=DAY, command=succeed):
        days = ("--from", start, "--until", until)
        places = ("--catalog", tmp_path / "catalog", "--cache", tmp_path / "cache", "--base-url", archive.url)
        return command("ingest", "binance-vision", "ETHUSDT", *days, *places, *arguments)

    return run


@pytest.fixture
def catalog(tmp_path):
    return lambda: store.open_catalog(tmp_path / "catalog")


def ns(text):
    return pd.Timestamp(text, tz="UTC").value


def put_day(archive, market, day, label="end", **changes):
    archive.put(metrics_path(day), csv(METRICS, market.metrics(day, label, **changes)))


METRICS_ONLY = ("--dataset", "metrics")


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
        put_day(archive, market, day, label)
        archive.put(klines_path(day), csv(KLINES, market.klines(day)))

    text = ingest("--dataset", "metrics", "--dataset", "klines", start=start, until=date(2026, 6, 27))

    assert "2 days by period end verified by price, 2 days by period start verified by price" in text
    assert "they move on 2026-06-25 to start" in text
    stored = store.read_open_interest(catalog(), ETH)
    assert stored.ts_event.tolist() == [ns("2026-06-23") + row * 300 * 10**9 for row in range(1, 4 * 288 + 1)]
    np.testing.assert_array_equal(stored.quantity, market.interest[1 : 4 * 288 + 1])


def test_price_decides_against_the_span_of_the_labels(archive, ingest, catalog):
    market = Market(DAY, 1)
    put_day(archive, market, DAY, "end", first=0)
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
    put_day(archive, Market(DAY, 1), DAY, label)

    text = ingest(*METRICS_ONLY, "--notes")

    assert words in text
    assert store.read_open_interest(catalog(), ETH).ts_event[0] == first


def test_label_can_be_given(archive, ingest, catalog):
    put_day(archive, Market(DAY, 1), DAY, "start")

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
    put_day(archive, market, DAY)
    put_day(archive, market, DAY + timedelta(days=1), rows=162)
    put_day(archive, market, DAY + timedelta(days=3))

    text = ingest(*METRICS_ONLY, until=DAY + timedelta(days=4))

    assert "metrics: days that the archive does not have, or not whole: 2024-03-07." in text
    assert "days that are not complete: 2024-03-06 (162 of 288 rows, last 13:30)" in text
    assert "1 gap, 414 rows missing; longest: 2070 min after 2024-03-06 13:30" in text
    assert len(store.read_open_interest(catalog(), ETH)) == 288 + 162 + 288


def test_running_twice_adds_nothing_and_asks_for_nothing(archive, ingest, tmp_path):
    put_day(archive, Market(DAY, 1), DAY)
    assert "added 576 rows" in ingest(*METRICS_ONLY)
    before, asked = digest(tmp_path / "catalog"), archive.requests.total()

    text = ingest(*METRICS_ONLY)

    assert "added 0 rows" in text
    assert digest(tmp_path / "catalog") == before
    assert archive.requests.total() == asked


def test_later_days_are_added_to_those_that_are_stored(archive, ingest, catalog):
    market = Market(DAY, 2)
    put_day(archive, market, DAY)
    ingest(*METRICS_ONLY)
    put_day(archive, market, DAY + timedelta(days=1))

    text = ingest(*METRICS_ONLY, until=DAY + timedelta(days=2))

    assert "added 576 rows" in text
    np.testing.assert_array_equal(
        store.read_open_interest(catalog(), ETH).quantity, market.interest[1 : 2 * 288 + 1]
    )


@pytest.mark.parametrize("faults", [[500, 503], ["break"], [429, "break"], [408]])
def test_busy_server_and_broken_connection_are_tried_again(archive, ingest, catalog, faults):
    put_day(archive, Market(DAY, 1), DAY)
    archive.faults[metrics_path(DAY)] = faults.copy()

    ingest(*METRICS_ONLY)

    assert len(store.read_open_interest(catalog(), ETH)) == 288
    assert archive.requests[metrics_path(DAY)] == len(faults) + 1


def test_damage_on_the_way_is_repaired_by_a_second_download(archive, ingest, catalog, tmp_path):
    put_day(archive, Market(DAY, 1), DAY)
    kept = tmp_path / "cache" / metrics_path(DAY)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(archive.files[metrics_path(DAY)][:-20])

    ingest(*METRICS_ONLY)

    assert kept.read_bytes() == archive.files[metrics_path(DAY)]
    assert len(store.read_open_interest(catalog(), ETH)) == 288


def test_wrong_checksum_names_file_expected_and_found(archive, ingest, tmp_path):
    market = Market(DAY, 2)
    put_day(archive, market, DAY)
    path = metrics_path(DAY + timedelta(days=1))
    archive.put(path, csv(METRICS, market.metrics(DAY + timedelta(days=1), "end")), checksum="0" * 64)

    sentence = ingest(*METRICS_ONLY, until=DAY + timedelta(days=2), command=refuse)

    assert path in sentence
    assert f"expected SHA-256 {'0' * 64}, found " in sentence
    assert archive.requests[path] == 2
    assert not (tmp_path / "catalog").exists()
    kept = [str(each.relative_to(tmp_path / "cache")) for each in (tmp_path / "cache").rglob("*.zip*")]
    assert sorted(kept) == [metrics_path(DAY), metrics_path(DAY) + ".CHECKSUM"]


def test_damaged_file_can_be_left_out(archive, ingest, catalog):
    market = Market(DAY, 2)
    put_day(archive, market, DAY)
    archive.put(metrics_path(DAY + timedelta(days=1)), "x", checksum="0" * 64)

    text = ingest(*METRICS_ONLY, "--skip-damaged", until=DAY + timedelta(days=2))

    assert "does not have, or not whole: 2024-03-06" in text
    assert len(store.read_open_interest(catalog(), ETH)) == 288


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"PK\x03\x04 not a zip", "is not a complete zip file"),
        (zipped("a.csv", "create_time,symbol\n"), "has no column 'sum_open_interest'"),
        (zipped("a.csv", csv(METRICS, ["2024-03-05 00:05:00,BTCUSDT,1,1,1,1,1,1"])), "found BTCUSDT"),
        (zipped("a.csv", csv(METRICS, ["yesterday,ETHUSDT,1,1,1,1,1,1"])), "neither a UTC date nor"),
        (zipped("a.csv", csv(METRICS, ["2024-03-05 00:05:00,ETHUSDT,many,1,1,1,1,1"])), "not readable"),
        (zipped("a.txt", "hello"), "expected one CSV file inside"),
    ],
)
def test_wrong_file_of_the_right_checksum_is_one_sentence(archive, ingest, tmp_path, body, words):
    archive.put_bytes(metrics_path(DAY), body)

    assert words in ingest(*METRICS_ONLY, command=refuse)
    assert not (tmp_path / "catalog").exists()


def test_server_that_refuses_is_one_sentence(archive, ingest):
    put_day(archive, Market(DAY, 1), DAY)
    archive.faults[metrics_path(DAY)] = [403]

    assert "the server refuses (HTTP 403)" in ingest(*METRICS_ONLY, command=refuse)


def test_server_that_stays_down_is_given_up_and_complete_files_are_kept(archive, tmp_path):
    market = Market(DAY, 2)
    paths = [metrics_path(DAY + timedelta(days=number)) for number in range(2)]
    for number in range(2):
        put_day(archive, market, DAY + timedelta(days=number))
    archive.faults[paths[1]] = list(itertools.repeat(503, 3))
    mirror = Mirror(base_url=archive.url, cache=tmp_path, parallel=1, attempts=3, backoff_secs=0.01)

    with pytest.raises(DataError, match="no complete answer in 3 attempts, the last ended with HTTP 503"):
        download(paths, mirror)

    assert (tmp_path / paths[0]).is_file()
    assert download(paths, mirror).present == tuple(paths)
    assert archive.requests[paths[0]] == 1


def test_unknown_symbol_wrong_days_and_wrong_address_are_one_sentence(ingest, archive, tmp_path):
    assert "has no metrics of ETHUSDT from 2024-03-05 to 2024-03-06" in ingest(*METRICS_ONLY, command=refuse)
    assert "is not before" in ingest(until=DAY, command=refuse)
    assert "no whole day" in ingest(start="2024-03-05T12:00", command=refuse)
    days = ("--from", DAY, "--catalog", tmp_path / "catalog", "--base-url", archive.url)
    assert "is not defined: name a TOML file" in refuse("ingest", "binance-vision", "DOGEUSDT", *days)
    assert "of this form" in refuse("ingest", "binance-vision", "ETH", *days)
    assert "instruments of Binance" in refuse("ingest", "binance-vision", "ETHUSDT-LINEAR.BYBIT", *days)
    assert "is not an address" in ingest("--base-url", "mirror", command=refuse)
    assert not (tmp_path / "catalog").exists()
    asked = archive.requests.total()
    (tmp_path / "catalog").write_text("")
    assert "is a file, expected the directory of a catalog" in ingest(command=refuse)
    assert archive.requests.total() == asked


def test_full_disk_is_one_sentence_and_leaves_no_half_file(archive, ingest, tmp_path):
    put_day(archive, Market(DAY, 1), DAY)
    part = tmp_path / "cache" / (metrics_path(DAY) + ".part")
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")

    sentence = ingest(*METRICS_ONLY, command=refuse)

    assert "No space left on device" in sentence
    assert "run again to go on" in sentence
    assert list((tmp_path / "cache").rglob("*.zip*")) == []


@pytest.mark.slow
def test_disk_that_is_full_for_the_catalog_is_one_sentence(archive, ingest, tmp_path):
    market = Market(DAY, 2)
    put_day(archive, market, DAY)
    put_day(archive, market, DAY + timedelta(days=1))
    ingest(*METRICS_ONLY)
    download([metrics_path(DAY + timedelta(days=1))], Mirror(base_url=archive.url, cache=tmp_path / "cache"))
    before = digest(tmp_path / "catalog")
    places = ("--catalog", tmp_path / "catalog", "--cache", tmp_path / "cache", "--base-url", archive.url)
    days = ("--from", DAY, "--until", DAY + timedelta(days=2))
    command = ("oi-hedge", "ingest", "binance-vision", "ETHUSDT", *days, *places, *METRICS_ONLY)

    result = subprocess.run(
        [Path(sys.executable).with_name("oi-hedge"), *map(str, command[1:])],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        capture_output=True,
        text=True,
    )

    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"Error: cannot write to {tmp_path / 'catalog'}: ")
    assert "what was stored is kept, run again to go on" in result.stderr
    assert digest(tmp_path / "catalog") == before
    assert "added 576 rows" in ingest(*METRICS_ONLY, until=DAY + timedelta(days=2))


@pytest.mark.slow
def test_killed_download_goes_on_where_it_was(tmp_path):
    market, days = Market(DAY, 20), [DAY + timedelta(days=number) for number in range(20)]
    with Archive(delay_secs=0.1) as archive:
        for day in days:
            put_day(archive, market, day)
        places = ("--catalog", tmp_path / "catalog", "--cache", tmp_path / "cache", "--base-url", archive.url)
        arguments = [
            "ingest",
            "binance-vision",
            "ETHUSDT",
            "--from",
            DAY,
            "--until",
            days[-1] + timedelta(days=1),
        ]
        command = [str(each) for each in (*arguments, *places, *METRICS_ONLY, "--parallel", 2)]
        process = subprocess.Popen([Path(sys.executable).with_name("oi-hedge"), *command])
        deadline = time.monotonic() + 60
        while sum(path.endswith("CHECKSUM") for path in archive.requests) < 8:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        complete = [path.name for path in (tmp_path / "cache").rglob("*.CHECKSUM")]
        assert 0 < len(complete) < 20
        assert not (tmp_path / "catalog").exists()
        archive.requests.clear()
        archive.delay_secs = 0.0

        text = succeed(*command)

        asked = {path.rsplit("/", 1)[-1] for path in archive.requests}
        assert not asked & set(complete)
        assert f"added {2 * 20 * 288:,} rows" in text
    stored = store.read_open_interest(store.open_catalog(tmp_path / "catalog"), ETH)
    np.testing.assert_array_equal(stored.quantity, market.interest[1 : 20 * 288 + 1])
    assert list((tmp_path / "cache").rglob("*.part")) == []
