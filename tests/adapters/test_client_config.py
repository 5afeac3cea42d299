import sys

import pytest

from oi_hedge_adapters.config import OpenInterestClientConfig
from oi_hedge_adapters.connection import RefusedError, VenueConnection
from oi_hedge_adapters.venues import VenueError, find_row
from oi_hedge_catalog.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"base_urls": {"binance": "http://x"}}, "base_urls names 'binance', expected one of binancecoinm"),
        ({"base_urls": {"okx": "localhost:80"}}, "base_urls.okx must begin with http:// or https://"),
        ({"backoff_initial_secs": 9.0, "backoff_max_secs": 5.0}, "backoff_max_secs 5.0 is below"),
        ({"stale_after_secs": 0.0}, "stale_after_secs must be above 0 seconds, was 0.0"),
        ({"cadence_secs": {"gate": -1.0}}, "cadence_secs.gate must be above 0 seconds, was -1.0"),
    ],
)
def test_wrong_setting_is_named(settings, text):
    with pytest.raises(ConfigError, match=text):
        OpenInterestClientConfig(**settings).check()


def test_unknown_venue_in_the_cadence_is_named():
    with pytest.raises(VenueError, match="unknown venue 'okex', expected one of binance-linear"):
        OpenInterestClientConfig(cadence_secs={"okex": 1.0}).check()


def test_configuration_survives_json():
    config = OpenInterestClientConfig(cadence_secs={"gate": 2.0}, base_urls={"okx": "https://mirror.example"})

    assert OpenInterestClientConfig.parse(config.json()) == config
    config.check()


def test_missing_ccxt_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "ccxt.pro", None)

    with pytest.raises(RefusedError, match="Gate is read through ccxt, install it: pip install ccxt"):
        VenueConnection(find_row("gate"), 1.0)


def test_closed_venue_has_no_connection():
    with pytest.raises(RefusedError, match="FTX is closed: it has recorded history only"):
        VenueConnection(find_row("ftx"), 1.0)
