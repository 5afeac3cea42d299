import pytest

from oi_hedge_adapters.history import load_manifest
from oi_hedge_adapters.history.spec import parse_duration
from oi_hedge_catalog.errors import ManifestError

INSTRUMENT = """
[[instrument]]
id = "ETHUSDT-LINEAR.BYBIT"
market = "perp"
base = "ETH"
quote = "USDT"
price_precision = 2
size_precision = 2
maker_fee = "0.0002"
taker_fee = "0.00055"
"""
INTEREST = """
[[series]]
file = "eth.parquet"
kind = "open_interest"
instrument = "ETHUSDT-LINEAR.BYBIT"
time = "ts"
columns = { value = "oi", price = "open" }
unit = "coin"
sides = "both"
label = "snapshot"
"""
BARS = """
[[series]]
file = "eth.parquet"
kind = "bars"
instrument = "ETHUSDT-LINEAR.BYBIT"
time = "ts"
columns = { open = "open", high = "high", low = "low", close = "close", volume = "volume" }
unit = "coin"
period = "1h"
"""


@pytest.fixture
def load(tmp_path):
    def load_text(text):
        path = tmp_path / "manifest.toml"
        path.write_text(text)
        return load_manifest(path)

    return load_text


def test_manifest_with_an_instrument_and_two_series(load):
    manifest = load('[catalog]\ndescription = "made up"\n' + INSTRUMENT + INTEREST + BARS)

    assert list(manifest.instruments) == ["ETHUSDT-LINEAR.BYBIT"]
    assert str(manifest.instruments["ETHUSDT-LINEAR.BYBIT"].taker_fee) == "0.00055"
    assert [spec.kind for spec in manifest.series] == ["open_interest", "bars"]
    assert manifest.catalog.description == "made up"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (INSTRUMENT, r"there is no \[\[series\]\] table"),
        (INSTRUMENT + "[[serie]]\n", "unknown table 'serie'"),
        (INSTRUMENT + "[series]\nfile = 'x'\n", r"write \[\[series\]\] with double brackets"),
        (
            INSTRUMENT + INTEREST + "side = 'one'\n",
            r"\[\[series\]\] 1 \(eth.parquet\): .*unknown field `side`",
        ),
        (
            INSTRUMENT + "margin = 1\n" + INTEREST,
            r"\[\[instrument\]\] 1 \(ETHUSDT-LINEAR.BYBIT\): .*`margin`",
        ),
        (INSTRUMENT.replace("0.0002", "cheap") + INTEREST, "maker_fee 'cheap' is not a decimal number"),
        (INSTRUMENT.replace("0.0002", "2") + INTEREST, "maker_fee 2 is not a fraction"),
        (INSTRUMENT.replace("ETHUSDT-LINEAR.BYBIT", "ETHUSDT") + INTEREST, "not of the form SYMBOL.VENUE"),
        (INSTRUMENT + INSTRUMENT + INTEREST, r"\[\[instrument\]\] 2 .*id is there twice"),
        (INTEREST, "instrument 'ETHUSDT-LINEAR.BYBIT' is not defined"),
        (INSTRUMENT + INTEREST.replace('sides = "both"\n', ""), "sides is required for open_interest"),
        (INSTRUMENT + INTEREST.replace('unit = "coin"', 'unit = "contracts"'), "contract_size is needed"),
        (INSTRUMENT + INTEREST.replace("snapshot", "start"), "period is required with label = 'start'"),
        (
            INSTRUMENT + INTEREST.replace(', price = "open"', "").replace('"coin"', '"usd"'),
            "columns lacks 'price'",
        ),
        (INSTRUMENT + INTEREST.replace("value =", "oi ="), "columns lacks 'value'"),
        (INSTRUMENT + INTEREST + "style = 'settlements'\n", "style has no meaning for open_interest"),
        (INSTRUMENT + INTEREST + "publication_lag = '5'\n", "publication_lag: '5' is not a duration"),
        (INSTRUMENT + INTEREST + "from = 2024-01-01T00:00:00\n", "from has no time zone"),
        (INSTRUMENT + BARS.replace('"1h"', '"0h"'), "period must not be zero"),
        (
            INSTRUMENT + BARS + INTEREST.replace('price = "open"', 'price = "close"'),
            r"2 \(eth.parquet\): price col",
        ),
        ("[[series]", "is not valid TOML"),
    ],
)
def test_wrong_manifest_names_table_and_key(load, text, message):
    with pytest.raises(ManifestError, match=message):
        load(text)


def test_all_errors_are_listed(load):
    broken = INTEREST.replace("ETHUSDT", "XRPUSDT") + BARS.replace('unit = "coin"\n', "")

    with pytest.raises(ManifestError) as caught:
        load(INSTRUMENT + broken)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "[[series]] 1 (eth.parquet): instrument 'XRPUSDT-LINEAR.BYBIT' is not defined" in lines[0]
    assert lines[1].endswith("[[series]] 2 (eth.parquet): unit is required for bars")


def test_missing_manifest_is_named(tmp_path):
    with pytest.raises(ManifestError, match=r"manifest .*nothing\.toml does not exist"):
        load_manifest(tmp_path / "nothing.toml")


@pytest.mark.parametrize(("text", "seconds"), [("5s", 5), ("15min", 900), ("8h", 28_800), ("1d", 86_400)])
def test_durations(text, seconds):
    assert parse_duration(text) == seconds * 1_000_000_000
