"""`oi-hedge explain`: it finds what a model depends on, and reads nothing of the future."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from support.command import refuse, succeed
from support.linear_model import linear_model
from support.models import SHORT_SCHEMA, tiny_card

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.history import load_history
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig
from oi_hedge_strategy.state import CHANNELS, MarketState
from oi_hedge_strategy.training.explain import explain, log_odds
from oi_hedge_strategy.training.explain_page import PAGE_NAME
from oi_hedge_strategy.training.explain_text import band_rows

VENUES = ("ABSENT", "BINANCE", "BYBIT", "GATE", "OKX")
SCHEMA = replace(SHORT_SCHEMA, venues=VENUES)
CHANNEL = {each.name: at for at, each in enumerate(CHANNELS)}
AT = pd.Timestamp("2024-02-15T07:30", tz="UTC").value


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    path = tmp_path_factory.mktemp("explain") / "catalog"
    write_market(simulate_market(SimulatedMarketConfig(seed=5, days=60), lambda _: None), path)
    return path


@pytest.fixture(scope="module")
def history(catalog):
    return load_history(store.open_catalog(catalog), "ETH")


def weights(**by_channel):
    """Return weights of the grid of values: a number for all venues, or numbers by venue, newest offset."""
    grid = np.zeros(SCHEMA.shape)
    for name, weight in by_channel.items():
        grid[:, CHANNEL[name], 0] = weight
    return grid


def model(values=None, bias=0.0, **others):
    others |= {} if values is None else {"values": values}
    card = tiny_card(SCHEMA, assets=("ETH",))
    return Forecaster(linear_model(card, others, bias), "linear.onnx")


def test_a_venue_contributes_what_the_model_takes_from_it(history):
    found = explain(model(weights(funding_8h=[0, 0, 400.0, 0, 0])), history, AT)
    funding = last_funding(history, "BYBIT")
    assert found.venues["BYBIT"] == pytest.approx(np.full((2, 2), 400.0 * funding), abs=1e-4)
    assert abs(400.0 * funding) > 0.01
    for venue in ("BINANCE", "GATE", "OKX"):
        assert (found.venues[venue] == 0.0).all()


def last_funding(history, venue):
    rows = (history.stream == 3) & (history.venue == history.venues.index(venue)) & (history.ts <= AT)
    rate, minutes = history.fields[rows][-1, :2]
    return rate * 480.0 / minutes


def test_a_venue_without_data_contributes_nothing(history):
    everything = dict.fromkeys(("values", "mask", "liquidation_map"), 0.01)
    silent = replace(history, venues=(*history.venues, "ABSENT"))
    found = explain(model(**everything), silent, AT)
    assert (found.venues["ABSENT"] == 0.0).all()
    assert (np.abs(found.venues["BINANCE"]) > 1e-3).all()
    assert "ABSENT" not in explain(model(**everything), history, AT).venues


def test_a_venue_takes_its_positions_out_of_the_liquidation_map(history):
    found = explain(model(liquidation_map=50.0), history, AT)
    assert any((each != 0.0).all() for each in found.venues.values())


@pytest.mark.parametrize(
    ("channel", "group"),
    [("log_volume", "volume"), ("log_open_interest", "open interest"), ("log_range", "price")],
)
def test_a_group_contributes_how_far_it_is_from_what_is_usual(history, channel, group):
    found = explain(model(weights(**{channel: 0.1})), history, AT)
    for name, contribution in found.groups.items():
        assert (contribution == 0.0).all() == (name != group), name
    usual = AT - np.arange(found.usual_moments, 0, -1) * 45 * 3_600_000_000_000
    times = np.append(usual, AT)
    at = CHANNEL[channel]
    sums = [0.1 * s.values[0, :, at, 0].sum() for s in history.replay(MarketState(SCHEMA), times)]
    assert found.groups[group] == pytest.approx(np.full((2, 2), sums[-1] - np.mean(sums[:-1])), abs=1e-4)


def test_map_and_clock_are_groups_of_their_own(history):
    by_map = explain(model(liquidation_map=20.0), history, AT).groups
    by_clock = explain(model(clock=[0.1, 0.0]), history, AT).groups
    assert [name for name, each in by_map.items() if each.any()] == ["liquidation map"]
    assert [name for name, each in by_clock.items() if each.any()] == ["clock"]
    hours = (7.5 - 45 * np.arange(1, 25)) % 24.0
    assert by_clock["clock"][0, 0] == pytest.approx(0.1 * (7.5 - hours.mean()), abs=0.1)


def test_events_after_the_moment_change_nothing(history, catalog):
    forecaster = model(values=0.003, mask=0.001, age=0.002, liquidation_map=1.0, clock=0.01)
    later = history.ts > AT
    wild = replace(history, fields=np.where(later[:, None], 77.0, history.fields))
    known = load_history(store.open_catalog(catalog), "ETH", end_ns=AT)
    assert later.any() and known.ts[-1] <= AT
    first, second, third = (explain(forecaster, each, AT) for each in (history, wild, known))
    for other in (second, third):
        assert other.price == first.price
        np.testing.assert_array_equal(other.forecast.probability, first.forecast.probability)
        for part in ("venues", "groups", "levels"):
            for name, values in getattr(first, part).items():
                np.testing.assert_array_equal(getattr(other, part)[name], values, err_msg=f"{part} {name}")


def test_the_picture_of_the_map_adds_up_to_what_the_model_is_given(history):
    found = explain(model(), history, AT)
    (snapshot,) = history.replay(MarketState(SCHEMA), np.array([AT]))
    interest = sum(last_interest(history, venue) for venue in history.venues)
    bands = band_rows(found)
    shorts = [amount for near, far, amount in bands if far > 0.0][::-1]
    longs = [amount for near, far, amount in bands if far < 0.0]
    np.testing.assert_allclose(
        np.array([longs, shorts]) / interest, snapshot.liquidation_map[0], rtol=1e-4, atol=1e-12
    )
    assert sum(longs) > 0.0 and sum(shorts) > 0.0


def last_interest(history, venue):
    rows = (history.stream == 2) & (history.venue == history.venues.index(venue)) & (history.ts <= AT)
    return history.fields[rows][-1, 0]


def test_a_moment_without_a_past_is_refused(history):
    first = int(history.ts[0])
    with pytest.raises(CatalogError, match="do not tell what is usual"):
        explain(model(), history, first + 3 * 86_400_000_000_000)
    with pytest.raises(CatalogError, match="nothing is known at"):
        explain(model(), history, first - 1)
    with pytest.raises(CatalogError, match="nothing is known at"):
        explain(model(), history, int(history.ts[-1]) + 30 * 86_400_000_000_000)


def test_log_odds_of_certainty_are_finite():
    assert log_odds(np.array([0.0, 0.5, 1.0])) == pytest.approx([-16.118, 0.0, 16.118], abs=1e-3)


def loaded_by(page):
    """Return what the elements of a page would load."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.extend(
        value for name, value in attributes if name in ("src", "href")
    )
    parser.feed(page)
    return found


def test_the_command_prints_the_forecast_and_writes_a_page(catalog, tmp_path):
    card = tiny_card(SCHEMA, metrics={"ETH": {"down_4h": {"prevalence": 0.25}}}, trained_until=AT + 1)
    path = tmp_path / "linear.onnx"
    path.write_bytes(linear_model(card, {"values": weights(funding_8h=400.0)}, bias=-1.0))
    command = ("explain", path, "--catalog", catalog, "--at", "2024-02-15T07:30")
    printed = succeed(*command, "--out", tmp_path / "out")
    assert "ETH at 2024-02-15T07:30" in printed
    assert "note: in sample: the model was trained on data until" in printed
    assert "25.0 %" in printed
    assert "Liquidation map: positions that would be liquidated, million USD" in printed
    page = (tmp_path / "out" / PAGE_NAME).read_text()
    assert "SIMULATED MARKET" in page and "Where leverage would be liquidated" in page
    assert loaded_by(page) == []
    assert "no hourly bars of a perpetual of XYZ" in refuse(*command, "--asset", "XYZ")
