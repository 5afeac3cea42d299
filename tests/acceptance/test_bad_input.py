"""Bad input: one clear sentence, a non-zero exit code, and the catalog as it was."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from msgspec import structs
from nautilus_trader.model.data import Bar
from support.command import digest, oi_hedge, refuse
from support.models import SHORT_SCHEMA, model_bytes, tiny_card

from oi_hedge_catalog import store
from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.backtest import run as backtest_run
from oi_hedge_strategy.state import StateSchema

HEDGE, SPOT = "ETHUSDT-PERP.BINANCE", "ETHUSDT.BINANCE_SPOT"
VENUES = ("BINANCE", "BYBIT", "GATE", "OKX")
PERIOD = ("--start", "2024-04-01", "--end", "2024-04-03")
DAY = 86_400_000_000_000
MANIFEST = """
[[instrument]]
id = "ETHUSDT-LINEAR.BYBIT"
market = "perp"
base = "ETH"
quote = "USDT"
price_precision = 2
size_precision = 3
maker_fee = "0.0002"
taker_fee = "0.00055"

[[series]]
file = "{file}"
kind = "open_interest"
instrument = "ETHUSDT-LINEAR.BYBIT"
time = "time"
columns = {{ value = "{column}" }}
unit = "{unit}"
sides = "one"
label = "snapshot"
"""


@pytest.fixture
def catalog(market, tmp_path):
    """Return a copy of the market that a test may damage."""
    return shutil.copytree(market, tmp_path / "catalog")


@pytest.fixture
def run(market, short_model, tmp_path):
    """Return a function that requires `oi-hedge backtest` to refuse, and to write nothing."""

    def refused(catalog=market, model=short_model, settings="", period=PERIOD):
        out, config = tmp_path / "out", tmp_path / "settings.toml"
        config.write_text(settings)
        before = digest(catalog)
        arguments = ("--catalog", catalog, "--model", model, "--config", config, *period)
        sentence = refuse("backtest", *arguments, "--out", out)
        assert not out.exists()
        assert digest(catalog) == before
        return sentence

    return refused


@pytest.fixture
def ingest(tmp_path):
    """Return a function that requires `oi-hedge ingest files` to refuse, with an older catalog unharmed."""
    times = pd.date_range("2024-01-01", periods=200, freq="h", tz="UTC")
    frame = pd.DataFrame({"time": times, "oi": 6000.0 + np.arange(200) % 7})
    data, catalog, manifest = tmp_path / "data", tmp_path / "catalog", tmp_path / "manifest.toml"
    data.mkdir()

    def write(name, table):
        table.to_csv(data / name, index=False) if name.endswith(".csv") else table.to_parquet(data / name)

    def refused(file="later.csv", table=None, cut=0, column="oi", unit="coin"):
        write("first.csv", frame)
        manifest.write_text(MANIFEST.format(file="first.csv", column="oi", unit="coin"))
        done = oi_hedge("ingest", "files", manifest, "--data", data, "--catalog", catalog)
        assert done.exit_code == 0, done.output
        before = digest(catalog)
        later = frame.assign(time=frame["time"] + pd.Timedelta(hours=200))
        if table is not False:
            write(file, later if table is None else table(later))
        if cut:
            (data / file).write_bytes((data / file).read_bytes()[:-cut])
        manifest.write_text(MANIFEST.format(file=file, column=column, unit=unit))
        sentence = refuse("ingest", "files", manifest, "--data", data, "--catalog", catalog)
        assert digest(catalog) == before
        return sentence

    return refused


def mentions(sentence, *words):
    for word in words:
        assert word in sentence, sentence


def test_wrong_column(ingest):
    mentions(ingest(column="open_interest"), "later.csv", "no column 'open_interest'", "it has: time, oi")


def test_unknown_unit(ingest):
    mentions(ingest(unit="lots"), "manifest.toml", "[[series]] 1 (later.csv)", "'lots'", "unit")


def test_naive_time_stamps(ingest):
    sentence = ingest(table=lambda frame: frame.assign(time=frame["time"].dt.tz_localize(None)))
    mentions(sentence, "later.csv", "'time'", "no time zone", "time_zone = 'UTC'")


@pytest.mark.parametrize(("file", "cut"), [("later.csv", 3), ("later.parquet", 1000)])
def test_a_file_cut_in_the_middle(ingest, file, cut):
    mentions(ingest(file=file, cut=cut), file, "copy it again")


def test_a_manifest_naming_a_missing_file(ingest):
    mentions(ingest(file="nowhere.csv", table=False), "nowhere.csv", "does not exist")


def test_an_onnx_file_of_another_schema(run, tmp_path):
    path, card = tmp_path / "other.onnx", tiny_card(replace(SHORT_SCHEMA, venues=VENUES))
    text = json.loads(card.to_json())
    text["schema"]["channels"].append("mood")
    path.write_bytes(model_bytes(card, card_text=json.dumps(text)))
    mentions(run(model=path), "other.onnx", "schema", "train it anew")


def test_an_onnx_graph_whose_shapes_are_not_those_of_its_card(run, tmp_path):
    path, card = tmp_path / "other.onnx", tiny_card(replace(SHORT_SCHEMA, venues=VENUES))
    path.write_bytes(model_bytes(card, graph_schema=StateSchema(VENUES)))
    mentions(run(model=path), "other.onnx", "expected inputs", "train it anew")


def test_an_expired_onnx_file(run, tmp_path):
    expired = pd.Timestamp("2024-03-31", tz="UTC").value
    path = tmp_path / "old.onnx"
    path.write_bytes(model_bytes(tiny_card(replace(SHORT_SCHEMA, venues=VENUES), expires=expired)))
    mentions(run(model=path), "old.onnx", "expired on 2024-03-31", "oi-hedge train")


def test_a_model_that_has_seen_the_period(run, tmp_path):
    until = pd.Timestamp("2024-06-01", tz="UTC").value
    path = tmp_path / "new.onnx"
    path.write_bytes(model_bytes(tiny_card(replace(SHORT_SCHEMA, venues=VENUES), trained_until=until)))
    mentions(run(model=path), "new.onnx", "until 2024-06-01", "starts on 2024-04-01")


def test_no_onnx_file_at_all(run, tmp_path):
    path = tmp_path / "model.onnx"
    mentions(run(model=path), "model.onnx", "No such file", "train one")
    path.write_text("not a model")
    mentions(run(model=path), "model.onnx", "not an ONNX model", "oi-hedge train")


def test_a_model_for_other_venues(run, tmp_path):
    path = tmp_path / "far.onnx"
    path.write_bytes(model_bytes(tiny_card(replace(SHORT_SCHEMA, venues=("KRAKEN", "HTX")))))
    mentions(run(model=path), "far.onnx", "KRAKEN, HTX", "BINANCE", "train a model")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("leverage = 20.0", ("leverage", "20", "at most", "3")),
        ("leverage = 20.0\n[rails]\nmax_leverage = 20.0", ("rails.max_leverage", "at most 5", "20")),
        ("[policy]\nmax_hedge_ratio = -1.0", ("policy.max_hedge_ratio", "within 0 and 1", "-1")),
        ('[policy]\nkind = "constant"\nconstant_ratio = -1.0', ("policy.constant_ratio", "-1")),
        ("[policy]\nmax_hedge_ration = 0.5", ("max_hedge_ration", "policy")),
        ("levrage = 2.0", ("levrage",)),
        ("[impact]\ncoefficient = 1.0", ("coefficient", "impact")),
        ("[impact]\nimpact_coefficient = -1.0", ("impact: coefficient", "negative", "-1")),
        ("exposure_quantity = 0.0", ("exposure_quantity", "zero")),
        ("exposure_quantity = inf", ("finite", "inf")),
        ('exposure_quantity = "many"', ("exposure_quantity", "float")),
        ("collateral = 0.0", ("collateral", "above 0")),
        ("latency_ms = -1.0", ("latency_ms", "negative")),
        ("leverage = = 3", ("valid TOML", "line 1")),
    ],
)
def test_settings_out_of_range(run, settings, words):
    mentions(run(settings=settings), "settings.toml", *words)


def test_missing_settings(market, short_model, tmp_path):
    sentence = refuse(
        "backtest", "--catalog", market, "--model", short_model, "--config", tmp_path / "no.toml"
    )
    mentions(sentence, "no.toml", "cannot read")


def test_an_exposure_instrument_that_does_not_exist(run):
    sentence = run(settings='exposure_instrument = "ETHUSDC.BINANCE_SPOT"')
    mentions(sentence, "exposure_instrument ETHUSDC.BINANCE_SPOT does not exist", SPOT)


def test_an_instrument_id_that_is_none(run):
    mentions(run(settings='exposure_instrument = "ETH"'), "settings.toml", "exposure_instrument", "ETH")


def test_a_short_position_in_spot(run):
    mentions(run(settings="exposure_quantity = -5.0"), "exposure_quantity -5", SPOT, "short")


def test_an_exposure_in_the_hedge_instrument(run):
    mentions(run(settings=f'exposure_instrument = "{HEDGE}"'), HEDGE, "both", "hedge in another")


def test_a_catalog_without_open_interest(run, catalog):
    shutil.rmtree(store.data_directory(store.open_catalog(catalog), OpenInterestUpdate, ""))
    mentions(run(catalog=catalog), str(catalog), "no open interest of ETH", "ingest")


def test_a_catalog_without_the_bars_of_the_exposure(run, catalog):
    shutil.rmtree(store.data_directory(store.open_catalog(catalog), Bar, f"{SPOT}-1-HOUR-LAST-EXTERNAL"))
    mentions(run(catalog=catalog), str(catalog), "no hourly bars", SPOT, "ingest")


def test_a_catalog_that_does_not_exist(short_model, tmp_path):
    sentence = refuse("backtest", "--catalog", tmp_path / "nowhere", "--model", short_model)
    mentions(sentence, "nowhere", "does not exist", "oi-hedge ingest")
    assert not (tmp_path / "nowhere").exists()


def test_a_catalog_without_instruments(run, tmp_path):
    empty = tmp_path / "empty"
    store.open_catalog(empty, create=True)
    mentions(run(catalog=empty), str(empty), HEDGE, "none")


@pytest.mark.parametrize(
    "period",
    [("--start", "2026-01-01"), ("--end", "2023-01-01"), ("--start", "2022-01-01", "--end", "2022-02-01")],
)
def test_no_overlap_of_data_and_dates(run, period):
    mentions(run(period=period), "from 2024-01-01 to 2024-04-24", "no overlap")


def test_a_start_after_the_end(run):
    sentence = run(period=("--start", "2024-04-05", "--end", "2024-04-03"))
    mentions(sentence, "2024-04-05", "2024-04-03")


def test_a_start_before_the_look_back_is_filled(run, model):
    sentence = run(model=model, period=("--start", "2024-02-01"))
    mentions(sentence, "look-back", "2024-03-31", "start there")


def test_a_date_that_is_none(market, short_model):
    result = oi_hedge("backtest", "--catalog", market, "--model", short_model, "--start", "tomorrow")
    assert result.exit_code == 2
    mentions(result.stderr, "--start", "'tomorrow'", "2024-01-31")
    assert "Traceback" not in result.stderr


def cut_after(catalog, instrument_id, time):
    """Take all bars after `time` out of a catalog."""
    opened = store.open_catalog(catalog)
    identifier = f"{instrument_id}-1-HOUR-LAST-EXTERNAL"
    until = pd.Timestamp(time, tz="UTC").value
    for first, _, path in store.data_files(opened, Bar, identifier):
        table = pq.read_table(path)
        kept = table.filter(pc.less_equal(table["ts_init"], pa.scalar(until, pa.uint64())))
        path.unlink()
        if len(kept):
            last = int(kept["ts_init"].to_numpy()[-1])
            pq.write_table(kept, path.with_name(store.file_name(first, last)))


def test_bars_of_the_exposure_that_end_before_the_run(run, catalog):
    cut_after(catalog, SPOT, "2024-04-01 12:00")
    mentions(run(catalog=catalog), SPOT, "to 2024-04-01", "2024-04-03", "ingest")


def test_bars_of_the_hedge_that_end_before_the_run(run, catalog):
    cut_after(catalog, HEDGE, "2024-04-01 12:00")
    mentions(run(catalog=catalog), HEDGE, "to 2024-04-01", "run to 2024-04-03", "ingest")


def test_training_on_less_than_two_years(market, tmp_path):
    before = digest(market)
    out = tmp_path / "model.onnx"
    sentence = refuse("train", "--catalog", market, "--until", "2024-04-20", "--out", out)
    mentions(sentence, "110 days of open interest", "730", "too few cascades", "--allow-short-history")
    assert not out.exists()
    assert digest(market) == before


def test_training_on_a_coin_that_is_not_there(market, tmp_path):
    out = tmp_path / "model.onnx"
    sentence = refuse("train", "--catalog", market, "--assets", "DOGE", "--until", "2024-04-20", "--out", out)
    mentions(sentence, "DOGE")
    assert not out.exists()


def test_an_engine_that_ends_early_is_noticed(run, monkeypatch):
    whole = backtest_run.run_config

    def cut_short(*arguments):
        config = whole(*arguments)
        return structs.replace(config, end=config.end - DAY)

    monkeypatch.setattr(backtest_run, "run_config", cut_short)
    mentions(run(), "'hedged' ended early", HEDGE)
