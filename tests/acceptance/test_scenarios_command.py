"""`oi-hedge scenarios` end to end: the real engine, what it writes, and what the stress rail is good for."""

import asyncio
import json

import pytest
from support.browser import browser_page
from support.command import digest, oi_hedge, refuse, succeed
from support.models import tiny_card, write_model
from support.recorded_files import write_files

from oi_hedge_strategy.scenarios.definitions import SCENARIOS

THIN = "collateral = 0.30\n"
WITHOUT_STRESS = """
[rails]
stress_rise = 0.0
stress_carry = 0.0
"""
CHOSEN = "outage,outage-squeeze,stuck-funding,stale-interest,quote-depeg"


def run(market, model, directory, settings="", only=CHOSEN):
    config = directory / "settings.toml"
    config.write_text(settings)
    arguments = ("--catalog", market, "--model", model, "--config", config, "--only", only)
    printed = succeed("scenarios", *arguments, "--out", directory / "out")
    result = json.loads((directory / "out" / "scenarios.json").read_text())
    return printed, result, {each["key"]: each for each in result["scenarios"]}


@pytest.fixture(scope="module")
def finished(market, short_model, tmp_path_factory):
    before = digest(market)
    directory = tmp_path_factory.mktemp("scenarios")
    found = run(market, short_model, directory)
    assert digest(market) == before
    return *found, directory / "out"


def test_every_figure_of_the_table_is_written(finished):
    _, result, rows = finished[:3]
    assert ",".join(rows) == CHOSEN
    for row in rows.values():
        assert row["data"] == "replay" and row["source"] and row["start"] < row["onset"] < row["end"]
        for figures in (row["configured"], row["full"]):
            assert figures["loss_unhedged"] >= 0.0 and figures["loss_hedged"] >= 0.0
            assert figures["solvent"] is True and figures["liquidations"] == 0
    assert result["simulated"] is True and result["stress"]["covers"] is True


def test_a_full_hedge_is_on_when_the_shock_comes(finished):
    rows = finished[2]
    assert all(row["full"]["held_at_onset"] == 1.0 for row in rows.values())
    assert all(row["full"]["policy"] == "constant ratio 100%" for row in rows.values())
    assert all(row["configured"]["policy"] == "kelly by short.onnx" for row in rows.values())


def test_a_crash_hurts_the_unhedged_book_and_not_the_hedged_one(finished):
    crash = finished[2]["outage"]["full"]
    assert 0.40 < crash["loss_unhedged"] < 0.50
    assert crash["loss_hedged"] < 0.06


def test_funding_that_is_stuck_costs_what_was_settled(finished):
    # one settlement at the full hedge, then the funding rail holds a quarter for the eight others
    full = finished[2]["stuck-funding"]["full"]
    assert full["cost"] == pytest.approx(0.003563 * (1.0 + 8 * 0.25), rel=0.3)
    assert full["rails"]["funding"] > 0


def test_silent_open_interest_lets_the_freshness_rail_act(finished):
    assert finished[2]["stale-interest"]["full"]["rails"]["freshness"] > 48
    assert finished[2]["stale-interest"]["full"]["held_at_onset"] == 1.0


def test_a_depeg_costs_the_hedged_book_its_collateral(finished):
    depeg = finished[2]["quote-depeg"]
    assert depeg["full"]["loss_hedged"] > 0.15 > depeg["full"]["loss_unhedged"] + 0.05
    assert depeg["full"]["stops"] == 1


def test_the_table_is_printed_and_written_as_a_page_and_as_markdown(finished):
    printed, result, _, out = finished
    html, markdown = (out / "scenarios.html").read_text(), (out / "scenarios.md").read_text()
    for row in result["scenarios"]:
        assert row["title"] in printed and row["title"] in html and row["title"] in markdown
    assert "PARAMETRIC REPLAY" in html and "SIMULATED" in html
    assert "stayed above maintenance margin in all 10 runs of 5 scenarios" in printed
    assert str(out / "scenarios.html") in printed


def test_every_picture_is_drawn_in_a_browser_without_the_network(finished, tmp_path):
    out = finished[3]

    async def look():
        async with browser_page(tmp_path) as page:
            await page.open(out / "scenarios.html")
            for key in CHOSEN.split(","):
                await page.ask(f"document.querySelector('[data-figure=\"{key}\"]').scrollIntoView()")
                await page.wait(
                    f"document.querySelector('[data-figure=\"{key}\"]').dataset.state === 'drawn'"
                )
            lines = await page.ask("document.querySelectorAll('.scatterlayer path.js-line').length")
            return page.errors, page.requests, lines

    errors, requests, lines = asyncio.run(look())
    assert errors == []
    assert all(each.startswith(("file:", "data:", "blob:")) for each in requests)
    assert lines >= 6 * len(CHOSEN.split(","))  # close, two hedge ratios, three values of the book


def test_a_thin_account_survives_an_outage_only_with_the_stress_rail(market, short_model, tmp_path):
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
    only = "outage-squeeze"
    printed, _, rows = run(market, short_model, tmp_path / "with", THIN, only)
    full = rows[only]["full"]
    assert full["solvent"] and full["rails"]["stress"] > 0
    assert full["held_at_onset"] == pytest.approx(0.30 / (0.45 + 0.011 * 1.45 + 0.004 * 1.45), abs=0.05)
    assert "WARNING" not in printed
    printed, result, rows = run(market, short_model, tmp_path / "without", THIN + WITHOUT_STRESS, only)
    assert not rows[only]["full"]["solvent"]
    assert result["stress"]["covers"] is False
    assert "INSOLVENT" in printed and "Exchange outage in a squeeze (full hedge)" in printed


def test_recorded_data_are_used_and_a_model_that_has_seen_them_is_not(tmp_path):
    manifest = write_files(tmp_path / "files", "2024-07-20", "2024-08-10")
    catalog = tmp_path / "catalog"
    succeed("ingest", "files", manifest, "--data", tmp_path / "files", "--catalog", catalog)
    seen = tiny_card(trained_until=1_725_148_800_000_000_000)  # 2024-09-01
    model = write_model(tmp_path / "seen.onnx", seen)
    _, result, rows = run(catalog, model, tmp_path, only="2024-08-05")
    row = rows["2024-08-05"]
    assert row["data"] == "recorded" and result["simulated"] is False
    assert row["onset"].startswith("2024-08-04T12:00")
    assert row["configured"]["policy"] == "open interest rule, as no model given may be used at that time"
    assert row["full"]["held_at_onset"] == 1.0


def test_an_unknown_scenario_is_refused_with_the_known_ones(market):
    message = refuse("scenarios", "--catalog", market, "--only", "1987,outage")
    assert "no scenario 1987; there are: 2020-03" in message
    assert "no scenario named" in refuse("scenarios", "--catalog", market, "--only", ",")


def test_a_catalog_in_which_no_model_is_valid_is_refused(market, tmp_path):
    late = write_model(tmp_path / "late.onnx", tiny_card(trained_until=1_893_456_000_000_000_000))  # 2030
    message = refuse("scenarios", "--catalog", market, "--model", late, "--only", "outage")
    assert "no stretch of 96 hours" in message and "ingest more" in message


def test_a_model_and_a_registry_exclude_one_another(market):
    assert "exclude one another" in refuse("scenarios", "--catalog", market, "--model", "a", "--models", "b")


def test_a_directory_that_is_no_catalog_is_refused(tmp_path):
    assert "is not a catalog" in refuse("scenarios", "--catalog", tmp_path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(market, tmp_path):
    (tmp_path / "file").write_text("")
    message = refuse("scenarios", "--catalog", market, "--out", tmp_path / "file" / "out")
    assert "cannot make the directory" in message and "name another" in message


def test_all_scenarios_are_named_in_the_help():
    printed = oi_hedge("scenarios", "--help").output
    assert all(each.key in printed.replace("\n", "").replace(" ", "") for each in SCENARIOS)
