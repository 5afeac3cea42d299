"""The truth of the simulated market: probabilities by continuation, stored beside the catalog."""

import dataclasses
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from oi_hedge_catalog.errors import CatalogError, ConfigError
from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.commands.simulate import simulate
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import BANDS, SimulatedMarketConfig
from oi_hedge_strategy.simulation.market_result import CascadeOutlook, SimulatedMarket
from oi_hedge_strategy.simulation.market_truth import TruthConfig
from oi_hedge_strategy.simulation.market_truth_store import read_levels, read_outlook, truth_file
from oi_hedge_strategy.simulation.oracle import Oracle

HOUR = 3_600_000_000_000
CONFIG = SimulatedMarketConfig(seed=13, days=3)
TRUTH = TruthConfig(24, 60, CascadeDefinition(horizons_hours=(4, 12), floor=0.02, volatility_hours=24))


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return simulate_market(CONFIG, truth=TRUTH)


@pytest.fixture(scope="module")
def catalog(market: SimulatedMarket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("truth") / "catalog"
    write_market(market, path)
    return path


def outlook_of(market: SimulatedMarket) -> CascadeOutlook:
    found = market.assets["ETH"].truth.outlook
    assert found is not None
    return found


def same(one: CascadeOutlook, other: CascadeOutlook) -> None:
    for name in ("times", "probability", "adverse", "favourable"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_truth_begins_when_the_volatility_is_known_and_comes_at_its_hours(market: SimulatedMarket) -> None:
    np.testing.assert_array_equal(outlook_of(market).times, CONFIG.start_ns + np.array([48, 72]) * HOUR)


def test_looking_at_the_truth_does_not_change_the_market(market: SimulatedMarket) -> None:
    blind = simulate_market(CONFIG).assets["ETH"]
    np.testing.assert_array_equal(blind.spot.close, market.assets["ETH"].spot.close)
    np.testing.assert_array_equal(blind.truth.liquidated, market.assets["ETH"].truth.liquidated)
    assert blind.truth.outlook is None


def test_truth_is_the_same_for_the_same_seed_and_for_a_longer_market(market: SimulatedMarket) -> None:
    longer = outlook_of(simulate_market(dataclasses.replace(CONFIG, days=4), truth=TRUTH))
    count = len(outlook_of(market).times)
    begins = {
        name: getattr(longer, name)[:count] for name in ("times", "probability", "adverse", "favourable")
    }
    same(dataclasses.replace(longer, **begins), outlook_of(market))


def test_probability_grows_with_the_horizon_and_moves_come_only_with_cascades(
    market: SimulatedMarket,
) -> None:
    found = outlook_of(market)
    assert found.probability.shape == (2, 2, 2)
    assert (found.probability >= 0.0).all()
    assert found.probability[..., 1].max() > 0.2
    assert (found.adverse[found.probability == 0.0] == 0.0).all()
    assert (found.favourable >= 0.0).all()


def test_tables_beside_the_catalog_give_the_truth_back(market: SimulatedMarket, catalog: Path) -> None:
    same(read_outlook(truth_file(catalog, "ETH", "probabilities")), outlook_of(market))
    assert read_outlook(truth_file(catalog, "ETH", "probabilities")).definition == TRUTH.definition
    ts, levels = read_levels(truth_file(catalog, "ETH", "levels"))
    np.testing.assert_array_equal(ts, market.times)
    np.testing.assert_array_equal(levels, market.assets["ETH"].truth.levels)
    table = pq.read_table(truth_file(catalog, "ETH", "levels")).to_pandas()
    assert list(table.columns) == ["ts", "side", "nearest", "furthest", "quantity"]
    assert table.side[len(BANDS)] == "short"
    positions = pq.read_table(truth_file(catalog, "ETH", "positions")).to_pandas()
    entered, forced = positions.opened.sum(), positions.liquidated.sum()
    truth = market.assets["ETH"].truth
    assert entered == pytest.approx(truth.entered.sum())
    assert 0.0 < forced < entered
    assert positions.groupby("leverage").liquidated.sum().loc[5.0] < forced / 20


def test_engines_execute_what_the_mark_price_liquidated(market: SimulatedMarket) -> None:
    truth = market.assets["ETH"].truth
    assert truth.liquidated.sum() == pytest.approx(truth.forced.sum(), rel=0.01)


def test_oracle_knows_the_last_moment_and_never_the_next(market: SimulatedMarket, catalog: Path) -> None:
    outlook = outlook_of(market)
    oracle = Oracle.load(truth_file(catalog, "ETH", "probabilities"), TRUTH.definition, 5)
    first, second = outlook.times.tolist()
    for now, row in ((first, 0), (second - 1, 0), (second, 1), (second + 24 * HOUR, 1)):
        forecast, problem = oracle.forecast(now)
        assert problem == ""
        assert forecast is not None
        assert forecast.is_sane
        np.testing.assert_array_equal(forecast.probability, outlook.probability[row].astype(np.float32))
        assert forecast.quantiles.shape == (2, 5, 2, 2)
    for now in (first - 1, second + 24 * HOUR + 1):
        assert oracle.forecast(now) == (None, "the truth of this moment is not known")


def test_oracle_of_another_cascade_is_refused(catalog: Path) -> None:
    with pytest.raises(ConfigError, match="simulate the truth of that definition"):
        Oracle.load(truth_file(catalog, "ETH", "probabilities"), CascadeDefinition(), 5)


def test_file_that_holds_no_probabilities_is_refused(catalog: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.parquet").write_bytes(b"")
    for path in (truth_file(catalog, "ETH", "levels"), tmp_path / "empty.parquet", tmp_path / "missing"):
        with pytest.raises(CatalogError, match="holds no true probabilities"):
            read_outlook(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"every_hours": 5}, "must divide a day, was 5"), ({"paths": 1}, "at least 2, was 1")],
)
def test_impossible_truth_is_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TruthConfig(**change)


def test_truth_that_begins_after_the_market_is_refused_before_the_market_is_made() -> None:
    with pytest.raises(ConfigError, match="first moment lies 96 hours into the market, which ends after 72"):
        simulate_market(CONFIG, truth=dataclasses.replace(TRUTH, after_days=4))


def test_command_refuses_a_catalog_with_data_before_it_simulates(catalog: Path) -> None:
    result = CliRunner().invoke(simulate, ["--catalog", str(catalog), "--days", "100000"])
    assert isinstance(result.exception, CatalogError)
    assert "already holds data" in str(result.exception)


def test_command_stores_the_truth_and_draws_the_facts(tmp_path: Path) -> None:
    picture, target = tmp_path / "facts.svg", tmp_path / "catalog"
    options = ["--catalog", str(target), "--days", "32", "--facts", str(picture), "--beside", str(target)]
    wrong = CliRunner().invoke(simulate, [*options[:4], "--beside", str(target)])
    assert isinstance(wrong.exception, ConfigError)
    result = CliRunner().invoke(simulate, options[:6])
    assert result.exit_code == 0, result.output
    drawn = ElementTree.fromstring(picture.read_text())
    texts = [each.text or "" for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.startswith("simulated ETH: volatility") for text in texts)
    assert "funding lasts" in texts
    lines = list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))
    assert len(lines) == 4
    assert "nan" not in picture.read_text().lower()
    assert not truth_file(target, "ETH", "probabilities").exists()
    assert truth_file(target, "ETH", "cascades").exists()
