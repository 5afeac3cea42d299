"""The archive under faults: busy servers, damage, wrong requests, full disks, kills; nothing is lost."""

import itertools
import resource
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from fakes.archive import (
    METRICS,
    Archive,
    Market,
    csv,
    metrics_path,
    zipped,
)
from support.command import digest, refuse, succeed

from oi_hedge_adapters.history.download import Mirror, download
from oi_hedge_catalog import store
from oi_hedge_catalog.errors import DataError

DAY = date(2024, 3, 5)
ETH = "ETHUSDT-PERP.BINANCE"
METRICS_ONLY = ("--dataset", "metrics")


@pytest.mark.parametrize("faults", [[500, 503], ["break"], [429, "break"], [408]])
def test_busy_server_and_broken_connection_are_tried_again(archive, ingest, catalog, faults):
    archive.put_day(Market(DAY, 1), DAY)
    archive.faults[metrics_path(DAY)] = faults.copy()

    ingest(*METRICS_ONLY)

    assert len(store.read_open_interest(catalog(), ETH)) == 288
    assert archive.requests[metrics_path(DAY)] == len(faults) + 1


def test_damage_on_the_way_is_repaired_by_a_second_download(archive, ingest, catalog, tmp_path):
    archive.put_day(Market(DAY, 1), DAY)
    kept = tmp_path / "cache" / metrics_path(DAY)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(archive.files[metrics_path(DAY)][:-20])

    ingest(*METRICS_ONLY)

    assert kept.read_bytes() == archive.files[metrics_path(DAY)]
    assert len(store.read_open_interest(catalog(), ETH)) == 288


def test_wrong_checksum_names_file_expected_and_found(archive, ingest, tmp_path):
    market = Market(DAY, 2)
    archive.put_day(market, DAY)
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
    archive.put_day(market, DAY)
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
    archive.put_day(Market(DAY, 1), DAY)
    archive.faults[metrics_path(DAY)] = [403]

    assert "the server refuses (HTTP 403)" in ingest(*METRICS_ONLY, command=refuse)


def test_server_that_stays_down_is_given_up_and_complete_files_are_kept(archive, tmp_path):
    market = Market(DAY, 2)
    paths = [metrics_path(DAY + timedelta(days=number)) for number in range(2)]
    for number in range(2):
        archive.put_day(market, DAY + timedelta(days=number))
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
    archive.put_day(Market(DAY, 1), DAY)
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
    archive.put_day(market, DAY)
    archive.put_day(market, DAY + timedelta(days=1))
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
            archive.put_day(market, day)
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
