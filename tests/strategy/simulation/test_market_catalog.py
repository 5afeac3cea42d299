"""A simulated market in a Parquet catalog, and the command that writes it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from oi_hedge_catalog.errors import CatalogError, ConfigError
from oi_hedge_catalog.store import (
    bar_types,
    funding_ids,
    instruments,
    open_catalog,
    open_interest_ids,
    read_bars,
    read_funding,
    read_info,
    read_open_interest,
)
from oi_hedge_strategy.commands.simulate import simulate
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import instrument_specs, write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig, VenueProfile
from oi_hedge_strategy.simulation.market_result import SimulatedMarket

SECOND = 1_000_000_000
PERPETUALS = ["ETH-USDT-SWAP.OKX", "ETHUSDT-LINEAR.BYBIT", "ETHUSDT-PERP.BINANCE", "ETH_USDT-PERP.GATE"]


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return simulate_market(SimulatedMarketConfig(seed=5, days=2))


@pytest.fixture(scope="module")
def path(market: SimulatedMarket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated") / "catalog"
    write_market(market, path)
    return path


def test_catalog_holds_every_instrument_and_series(path: Path) -> None:
    catalog = open_catalog(path)
    found = {str(instrument.id): instrument for instrument in instruments(catalog)}
    assert sorted(found) == sorted([*PERPETUALS, "ETHUSDT.BINANCE_SPOT"])
    assert str(found["ETHUSDT-PERP.BINANCE"].taker_fee) == "0.0005"
    assert str(found["ETHUSDT.BINANCE_SPOT"].taker_fee) == "0.001"
    assert sorted(map(str, open_interest_ids(catalog))) == sorted(PERPETUALS)
    assert sorted(map(str, funding_ids(catalog))) == sorted(PERPETUALS)
    assert len(bar_types(catalog)) == 5


def test_catalog_gives_back_what_was_simulated(path: Path, market: SimulatedMarket) -> None:
    catalog, published = open_catalog(path), market.assets["ETH"].venues["OKX"]
    bars = read_bars(catalog, "ETH-USDT-SWAP.OKX-1-HOUR-LAST-EXTERNAL")
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(bars, name), getattr(published.bars, name), err_msg=name)
    interest = read_open_interest(catalog, "ETH-USDT-SWAP.OKX")
    np.testing.assert_array_equal(interest.quantity, published.open_interest)
    np.testing.assert_array_equal(interest.notional_usd, published.notional)
    np.testing.assert_array_equal(read_funding(catalog, "ETH-USDT-SWAP.OKX").rate, published.funding)


@pytest.mark.parametrize(
    ("bar_type", "lag_seconds"),
    [("ETHUSDT-PERP.BINANCE", 10), ("ETHUSDT-LINEAR.BYBIT", 1), ("ETHUSDT.BINANCE_SPOT", 1)],
)
def test_bars_become_known_after_their_publication_lag(path: Path, bar_type: str, lag_seconds: int) -> None:
    bars = read_bars(open_catalog(path), f"{bar_type}-1-HOUR-LAST-EXTERNAL")
    np.testing.assert_array_equal(bars.ts_init - bars.ts_event, lag_seconds * SECOND)


def test_open_interest_and_funding_become_known_before_the_hedge_bar(path: Path) -> None:
    catalog = open_catalog(path)
    interest, funding = read_open_interest(catalog, PERPETUALS[2]), read_funding(catalog, PERPETUALS[2])
    np.testing.assert_array_equal(interest.ts_init - interest.ts_event, 5 * SECOND)
    np.testing.assert_array_equal(funding.ts_init - funding.ts_event, 2 * SECOND)
    np.testing.assert_array_equal(funding.next_funding_ns - funding.ts_event, 8 * 3600 * SECOND)
    np.testing.assert_array_equal(funding.interval, 480)


def test_catalog_says_that_it_is_simulated(path: Path) -> None:
    info = read_info(open_catalog(path))
    assert info["simulated"] is True
    assert info["seed"] == 5
    assert "Not market data" in info["description"]


def test_second_market_is_not_mixed_into_a_catalog(path: Path, market: SimulatedMarket) -> None:
    with pytest.raises(CatalogError, match="already holds data"):
        write_market(market, path)


def test_unknown_venue_has_no_symbol() -> None:
    venues = {"BINANCE": VenueProfile(0.5, 4.0, 0.0), "NOWHERE": VenueProfile(0.5, 4.0, 0.0)}
    with pytest.raises(CatalogError, match="'NOWHERE' has no symbol form"):
        instrument_specs(dataclasses.replace(SimulatedMarketConfig(), venues=venues))


def test_command_writes_the_market_it_is_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "catalog"
    options = [
        "--catalog",
        str(target),
        "--days",
        "1",
        "--start",
        "2023-05-01",
        "--seed",
        "3",
        "--assets",
        "eth,BTC",
        "--halt",
        "gate",
        "2",
        "1.5",
    ]
    result = CliRunner().invoke(simulate, [*options, "--step", "30m", "--uninformative"])
    assert result.exit_code == 0, result.output
    assert "Wrote 1 simulated days of ETH, BTC" in result.output
    catalog = open_catalog(target)
    assert read_info(catalog)["informative"] is False
    bars = read_bars(catalog, "BTCUSDT-PERP.BINANCE-30-MINUTE-LAST-EXTERNAL")
    assert len(bars) == 48
    assert bars.ts_event[0] == 1_682_899_200 * SECOND + 1_800 * SECOND
    halted = read_bars(catalog, "BTC_USDT-PERP.GATE-30-MINUTE-LAST-EXTERNAL")
    assert set(bars.ts_event[4:7]) == set(bars.ts_event) - set(halted.ts_event)
    assert len(read_open_interest(catalog, "BTC_USDT-PERP.GATE")) == 45


@pytest.mark.parametrize(
    ("option", "message"), [(["--step", "1d"], "--step must be"), (["--start", "May"], "--start must be")]
)
def test_command_names_a_wrong_option(tmp_path: Path, option: list[str], message: str) -> None:
    result = CliRunner().invoke(simulate, ["--catalog", str(tmp_path / "c"), "--days", "1", *option])
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)
