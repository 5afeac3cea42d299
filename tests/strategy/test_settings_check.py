"""A settings file with many faults is explained at once, and editors know its fields."""

import json
import tomllib

import jsonschema
import pytest
from support.command import oi_hedge, refuse, succeed
from support.scripts import ROOT

from oi_hedge_strategy.backtest.settings import BacktestSettings, load_settings
from oi_hedge_strategy.commands.init import TEMPLATE
from oi_hedge_strategy.settings_check import find_problems
from oi_hedge_strategy.settings_schema import settings_schema

FAULTY = """
modle = "eth.onnx"
exposure_quantity = "100"
hedge_instrument = "ETHUSDT.BINANCE"
venues = ["BINANCE", "MTGOX"]
leverage = 9.0
[policy]
kind = "kely"
max_kelly = -1.0
stop_fall = 5
[rails]
drawdown_tiers = [{ name = "red", drawdon = 0.1, scale = 0.0 }]
hard_stop = 2.0
imbalance = 0.2
[impact]
warmup = 3.0
[node]
trader_id = "X"
urls = { BINANCE = { http = "ftp://host" } }
[node.open_interest]
timeout_secs = -1.0
[paper]
months = 0.0
"""
EXPLAINED = {
    "modle": ("not a field", "'model'"),
    "exposure_quantity": ("expected a number", "found '100'", "without quotes"),
    "policy.kind": ("kelly", "found 'kely'", "did you mean 'kelly'"),
    "rails.drawdown_tiers[0].drawdon": ("not a field", "'drawdown'"),
    "rails.drawdown_tiers[0].drawdown": ("missing",),
    "impact.warmup": ("not a field", "'warmup_days'"),
    "node.open_interest.timeout_secs": ("> 0", "found -1.0"),
    "policy.max_kelly": ("above 0", "-1.0"),
    "policy.stop_fall": ("within 0.001 and 0.999", "5"),
    "rails.hard_stop": ("within 0 and 1", "2.0"),
    "rails.imbalance": ("within 0.5 and 1", "0.2"),
    "node.trader_id": ("OIHEDGE-001", "'X'"),
    "node.urls.BINANCE.http": ("http://", "'ftp://host'"),
    "paper.months": ("above 0", "0.0"),
    "leverage": ("at most rails.max_leverage 3", "9"),
    "hedge_instrument": ("no instruments of this form", "ETHUSDT-PERP.BINANCE"),
    "venues": ("BINANCE", "'MTGOX'"),
}


@pytest.fixture
def write(tmp_path):
    def write_settings(text):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return write_settings


def test_every_problem_is_explained_at_once(write):
    path = write(FAULTY)
    result = oi_hedge("config", "check", path)
    assert result.exit_code == 1
    *lines, count = result.stderr.splitlines()
    assert not result.stdout
    assert {line.split(": ")[1] for line in lines} == EXPLAINED.keys()
    for field, words in EXPLAINED.items():
        (line,) = [each for each in lines if each.startswith(f"{path}: {field}: ")]
        for word in words:
            assert word in line
    assert count == f"{path}: {len(EXPLAINED)} problems"


def test_the_shipped_file_has_none_and_says_so():
    assert succeed("config", "check", ROOT / "examples" / "settings.toml").endswith(": no problems\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("leverage = = 3", ("valid TOML", "line 1")),
        ("leverage = inf", ("finite",)),
        ('policy = "kelly"', ("policy", "expected a table", "'kelly'")),
        ("[policy]\nknots = [[0.0, 'a']]", ("policy.knots", "float", "'a'")),
        ('exposure_instrument = "ETHUSDT-PERP.BINANCE"', ("exposure_instrument", "differ")),
        ('hedge_instrument = "ETHUSD-PERP.BINANCE"', ("hedge_instrument", "linear")),
        ('model = "a.onnx"\nmodels = "b"', ("models", "name one")),
        ('model = "no/such.onnx"', ("model", "found no no/such.onnx")),
        ("[live]\ndirectory = ''", ("live.directory", "empty")),
        ("[node]\nredis_port = 0", ("node.redis_port", "1 and 65535", "0")),
    ],
)
def test_one_problem(write, text, words):
    found = " | ".join(map(str, find_problems(write(text))))
    for word in words:
        assert word in found


def test_a_missing_file_is_one_problem(tmp_path):
    (problem,) = find_problems(tmp_path / "no.toml")
    assert "cannot read" in problem.text


def test_dates_may_be_written_as_toml_has_them(write):
    text = "[rails]\nblackouts = [{ start = 2024-09-15T00:00:00Z, end = 2024-09-16T00:00:00Z }]"
    path = write(text)
    assert find_problems(path) == []
    assert load_settings(path).rails.blackouts[0].start == "2024-09-15T00:00:00+00:00"


def test_init_writes_a_file_that_is_sound_and_never_overwrites(tmp_path):
    path = tmp_path / "mine.toml"
    assert "mine.toml" in succeed("init", path)
    assert find_problems(path) == []
    assert load_settings(path).json_primitives() | {"impact": {}} == BacktestSettings().json_primitives()
    path.write_text("leverage = 2.0\n")
    assert "exists already" in refuse("init", path)
    assert path.read_text() == "leverage = 2.0\n"


def test_init_says_where_it_cannot_write(tmp_path):
    assert "cannot write" in refuse("init", tmp_path / "no" / "mine.toml")


def test_the_example_is_the_file_that_init_writes():
    assert (ROOT / "examples" / "settings.toml").read_text() == TEMPLATE.read_text()


@pytest.mark.parametrize("section", ["node", "observe", "paper", "live"])
def test_the_file_names_every_key_of_a_run(section):
    named = tomllib.loads(TEMPLATE.read_text())[section]
    assert named.keys() == set(getattr(BacktestSettings(), section).__struct_fields__)


def test_the_schema_accepts_what_is_sound_and_rejects_what_is_not():
    schema = json.loads(succeed("config", "schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(tomllib.loads(TEMPLATE.read_text()))) == []
    errors = {error.json_path for error in validator.iter_errors(tomllib.loads(FAULTY))}
    assert errors == {
        *("$", "$.exposure_quantity", "$.policy.kind", "$.rails.drawdown_tiers[0]", "$.impact"),
        "$.node.open_interest.timeout_secs",
    }


def test_the_schema_knows_default_and_meaning_of_every_field():
    properties = settings_schema()["properties"]
    assert properties.keys() == set(BacktestSettings.__struct_fields__)
    assert properties["leverage"]["default"] == 3.0
    for name in ("policy", "rails", "paper", "live", "node"):
        for field, found in properties[name]["properties"].items():
            if field not in ("handle_revised_bars", "instrument_provider", "routing"):
                assert found.get("description"), f"{name}.{field}"
