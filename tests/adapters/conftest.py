"""A loopback mirror of Binance's archive, the command that reads it, and the catalog that comes of it."""

from datetime import date, timedelta

import pytest
from fakes.archive import Archive
from support.command import succeed

from oi_hedge_catalog import store

DAY = date(2024, 3, 5)


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
