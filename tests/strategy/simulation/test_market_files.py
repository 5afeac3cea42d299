"""The simulated venues' files: ingested, they give the catalog that the simulation writes itself."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from oi_hedge_catalog.store import open_catalog, read_bars, read_funding, read_open_interest
from oi_hedge_strategy.cli import main
from oi_hedge_strategy.commands.simulate import simulate
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import perpetual_id, write_market
from oi_hedge_strategy.simulation.market_config import (
    SimulatedMarketConfig,
    VenueHalt,
    VenueReport,
    default_venues,
)
from oi_hedge_strategy.simulation.market_files import reported, write_files


@pytest.mark.parametrize(
    ("report", "value"),
    [
        (VenueReport(), 10.04),
        (VenueReport(sides="both"), 20.08),
        (VenueReport(unit="usd"), 20_080.0),
        (VenueReport(unit="contracts", contract_size=0.1), 100.0),
        (VenueReport(unit="contracts", contract_size=0.01, sides="both"), 2_008.0),
    ],
)
def test_open_interest_is_reported_in_the_venue_s_unit(report: VenueReport, value: float) -> None:
    assert reported(report, np.array([10.04]), np.array([2_000.0]))[0] == pytest.approx(value)


def test_ingested_files_give_the_same_catalog(tmp_path: Path) -> None:
    slow = dataclasses.replace(default_venues()["OKX"], report=VenueReport(8.0, "contracts"))
    config = SimulatedMarketConfig(
        seed=5, days=3, venues=default_venues() | {"OKX": slow}, halts=(VenueHalt("BYBIT", 20.0, 5.0),)
    )
    market = simulate_market(config)
    write_market(market, tmp_path / "direct")
    manifest = write_files(market, tmp_path / "files")
    options = ["--data", str(tmp_path / "files"), "--catalog", str(tmp_path / "ingested")]
    result = CliRunner().invoke(main, ["ingest", "files", str(manifest), *options])
    assert result.exit_code == 0, result.output
    direct, ingested = (open_catalog(tmp_path / name) for name in ("direct", "ingested"))
    for venue, profile in config.venues.items():
        name = perpetual_id("ETH", venue)
        one, other = (read_open_interest(catalog, name) for catalog in (direct, ingested))
        np.testing.assert_array_equal(one.ts_init, other.ts_init)
        assert set(one.ts_init - one.ts_event) == {int(profile.report.lag_seconds * 1e9)}
        step = 0.05 if profile.report.unit == "contracts" else 1e-3
        np.testing.assert_allclose(one.quantity, other.quantity, atol=step + 1e-9)
        np.testing.assert_allclose(one.notional_usd, other.notional_usd, rtol=1e-5)
        bars = [read_bars(catalog, f"{name}-1-HOUR-LAST-EXTERNAL") for catalog in (direct, ingested)]
        for field in ("ts_event", "ts_init", "open", "high", "low", "close", "volume"):
            np.testing.assert_array_equal(getattr(bars[0], field), getattr(bars[1], field), err_msg=field)
        rates = [read_funding(catalog, name) for catalog in (direct, ingested)]
        np.testing.assert_array_equal(rates[0].rate, rates[1].rate)
    assert len(read_open_interest(direct, perpetual_id("ETH", "BYBIT"))) == 72 - 5


def test_command_writes_the_files_beside_the_catalog(tmp_path: Path) -> None:
    options = ["--catalog", str(tmp_path / "catalog"), "--days", "1", "--files", str(tmp_path / "files")]
    result = CliRunner().invoke(simulate, options)
    assert result.exit_code == 0, result.output
    assert "oi-hedge ingest files" in result.output
    assert (tmp_path / "files" / "ETH-okx-open-interest.parquet").exists()
