"""Every unit, side and label by hand-computed numbers, and every kind of bad file by its message."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_adapters.history import file_sources, load_manifest
from oi_hedge_catalog import OpenInterestUpdate, store
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.ingest import ingest
from oi_hedge_strategy.commands import data as cli_data

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
T0 = pd.Timestamp("2024-01-01", tz="UTC")
ETH = "ETHUSDT-LINEAR.BYBIT"
INSTRUMENT = f"""
[[instrument]]
id = "{ETH}"
market = "perp"
base = "ETH"
quote = "USDT"
price_precision = 2
size_precision = 3
maker_fee = "0.0002"
taker_fee = "0.00055"
"""
HEAD = '[[series]]\nfile = "{file}"\nkind = "{kind}"\ninstrument = "' + ETH + '"\ntime = "ts"\n'
BARS = 'columns = { open = "o", high = "h", low = "l", close = "c", volume = "v" }\nperiod = "1h"\n'
INTEREST = 'columns = { value = "oi", price = "o" }\n'
SNAPSHOT = INTEREST + 'unit = "coin"\nsides = "both"\nlabel = "snapshot"\n'


def frame(rows=3):
    price = 2000.0 + 10 * np.arange(rows)
    return pd.DataFrame(
        {
            "ts": pd.date_range(T0, periods=rows, freq="h").as_unit("ms"),
            "o": price,
            "h": price + 5,
            "l": price - 5,
            "c": price + 1,
            "v": 100.0,
            "oi": 6000.0 + np.arange(rows),
            "rate": np.round(1e-4 + 5e-5 * np.arange(rows), 8),
        }
    )


@pytest.fixture
def sources(tmp_path):
    def make(keys, kind="open_interest", data=None, file="eth.parquet"):
        path = tmp_path / "data" / file
        path.parent.mkdir(exist_ok=True)
        if isinstance(data, bytes):
            path.write_bytes(data)
        elif file.endswith(".csv"):
            path.write_text((frame() if data is None else data).to_csv(index=False))
        elif data is not False:
            (frame() if data is None else data).to_parquet(path)
        manifest = tmp_path / "manifest.toml"
        manifest.write_text(INSTRUMENT + HEAD.format(file=file, kind=kind) + keys)
        return file_sources(load_manifest(manifest), tmp_path / "data")

    return make


@pytest.fixture
def load(sources):
    return lambda *args, **kwargs: sources(*args, **kwargs)[0].load()


def ns(hours):
    return T0.value + hours * HOUR


def test_coins_of_both_sides_are_halved_and_priced_at_the_open(load):
    series = load(SNAPSHOT + 'publication_lag = "5s"\n').series

    np.testing.assert_array_equal(series.quantity, [3000.0, 3000.5, 3001.0])
    np.testing.assert_array_equal(series.notional_usd, [6_000_000.0, 3000.5 * 2010, 3001.0 * 2020])
    np.testing.assert_array_equal(series.ts_event, [ns(0), ns(1), ns(2)])
    np.testing.assert_array_equal(series.ts_init, series.ts_event + 5 * SECOND)


def test_contracts_are_multiplied_by_their_size(load):
    keys = INTEREST + 'unit = "contracts"\ncontract_size = 0.01\nsides = "one"\nlabel = "snapshot"\n'
    series = load(keys).series

    np.testing.assert_allclose(series.quantity, [60.0, 60.01, 60.02], rtol=1e-15)


def test_usd_at_the_end_of_the_bar_is_divided_by_the_close_and_known_an_hour_later(load):
    keys = 'columns = { value = "oi", price = "c" }\nunit = "usd"\nsides = "one"\nlabel = "start"\n'
    series = load(keys + 'period = "1h"\npublication_lag = "5s"\n').series

    np.testing.assert_array_equal(series.notional_usd, [6000.0, 6001.0, 6002.0])
    np.testing.assert_array_equal(series.quantity, [6000 / 2001, 6001 / 2011, 6002 / 2021])
    np.testing.assert_array_equal(series.ts_event, [ns(1), ns(2), ns(3)])
    assert series.ts_init[0] == ns(1) + 5 * SECOND


def test_value_labelled_at_the_end_of_its_period_is_not_moved(load):
    keys = INTEREST + 'unit = "coin"\nsides = "one"\nlabel = "end"\nperiod = "1h"\n'

    np.testing.assert_array_equal(load(keys).series.ts_event, [ns(0), ns(1), ns(2)])


def test_coins_without_a_price_have_no_notional(load):
    data = frame()
    data.loc[1, "o"] = np.nan

    series = load(SNAPSHOT, data=data).series

    np.testing.assert_array_equal(np.isnan(series.notional_usd), [False, True, False])
    assert [item.notional_usd for item in series.to_data()] == [6_000_000.0, None, 3001.0 * 2020]


def test_usd_without_a_price_is_left_out_and_reported(load):
    data = frame()
    data.loc[1, "o"] = np.nan

    loaded = load(INTEREST + 'unit = "usd"\nsides = "one"\nlabel = "snapshot"\n', data=data)

    assert len(loaded.series) == 2
    assert [(item.code, item.count, item.row) for item in loaded.findings] == [("no_price", 1, 1)]


def test_bars_labelled_at_their_start_are_known_at_their_close(load):
    series = load(BARS + 'unit = "coin"\npublication_lag = "10s"\n', kind="bars").series

    assert str(series.bar_type) == f"{ETH}-1-HOUR-LAST-EXTERNAL"
    np.testing.assert_array_equal(series.ts_event, [ns(1), ns(2), ns(3)])
    np.testing.assert_array_equal(series.ts_init, series.ts_event + 10 * SECOND)
    bar = series.to_data()[0]
    assert str(bar) == f"{ETH}-1-HOUR-LAST-EXTERNAL,2000.00,2005.00,1995.00,2001.00,100.000,{ns(1)}"


def test_bars_labelled_at_their_end_are_not_moved(load):
    series = load(BARS + 'unit = "coin"\nlabel = "end"\n', kind="bars").series

    np.testing.assert_array_equal(series.ts_event, [ns(0), ns(1), ns(2)])


@pytest.mark.parametrize(
    ("unit", "volume"),
    [
        ('unit = "coin"', [100.0, 100.0, 100.0]),
        ('unit = "contracts"\ncontract_size = 0.1', [10.0, 10.0, 10.0]),
        ('unit = "usd"', [0.05, 0.05, 0.049]),  # 100/2001, 100/2011, 100/2021 to three decimals
    ],
)
def test_volume_becomes_coins(load, unit, volume):
    np.testing.assert_array_equal(load(BARS + unit + "\n", kind="bars").series.volume, volume)


def test_fifteen_minutes_make_a_minute_bar_type(load):
    series = load(BARS.replace("1h", "15min") + 'unit = "coin"\n', kind="bars").series

    assert str(series.bar_type) == f"{ETH}-15-MINUTE-LAST-EXTERNAL"


def test_price_with_more_decimals_than_the_instrument_is_refused(load):
    data = frame()
    data.loc[2, "h"] = 2025.125

    with pytest.raises(
        DataError, match=r"row 2 \(2024-01-01 02:00\): high .*2025\.125.* more than the 2 decimals"
    ):
        load(BARS + 'unit = "coin"\n', kind="bars", data=data)


def test_settlements_are_rates_of_their_interval(load):
    loaded = load('columns = { rate = "rate" }\ninterval = "1h"\npublication_lag = "2s"\n', kind="funding")

    updates = loaded.series.to_data()
    assert [str(update.rate) for update in updates] == ["0.0001", "0.00015", "0.0002"]
    assert updates[0].interval == 60
    assert updates[0].next_funding_ns == ns(1)
    assert updates[0].ts_init == ns(0) + 2 * SECOND


def test_forward_filled_rates_become_settlements_and_changes(load):
    data = frame(20)
    data["rate"] = [1e-4] * 11 + [2e-4] * 9
    data.loc[0, "rate"] = np.nan

    loaded = load(
        'columns = { rate = "rate" }\ninterval = "8h"\nstyle = "forward_filled"\n', kind="funding", data=data
    )

    np.testing.assert_array_equal(loaded.series.ts_event, [ns(8), ns(11), ns(16)])
    np.testing.assert_array_equal(loaded.series.rate, [1e-4, 2e-4, 2e-4])
    np.testing.assert_array_equal(loaded.series.next_funding_ns, [ns(16), ns(16), ns(24)])


def test_from_and_until_select_a_half_open_range(load):
    series = load(SNAPSHOT + "from = 2024-01-01T01:00:00Z\nuntil = 2024-01-01T02:00:00Z\n").series

    np.testing.assert_array_equal(series.ts_event, [ns(1)])


def test_empty_rows_are_left_out_and_counted(load):
    data = frame(5)
    data.loc[[0, 1, 3], "oi"] = np.nan

    loaded = load(SNAPSHOT, data=data)

    assert len(loaded.series) == 2
    assert [(item.code, item.count) for item in loaded.findings] == [("empty_rows", 3)]
    assert "3, 2 of them before the first value" in loaded.findings[0].message


def test_empty_rows_are_an_error_when_asked_to_be(load):
    data = frame()
    data.loc[1, "oi"] = np.nan

    with pytest.raises(DataError, match=r"row 1 \(2024-01-01 01:00\): column 'oi' is empty"):
        load(SNAPSHOT + "drop_na = false\n", data=data)


def test_partly_empty_bar_is_an_error(load):
    data = frame()
    data.loc[1, "h"] = np.nan

    with pytest.raises(DataError, match=r"row 1 \(2024-01-01 01:00\): column 'h' is empty"):
        load(BARS + 'unit = "coin"\n', kind="bars", data=data)


@pytest.mark.parametrize(
    ("convert", "keys"),
    [
        (lambda ts: ts.dt.tz_localize(None), 'time_zone = "UTC"\n'),
        (lambda ts: ts.dt.tz_convert("Asia/Tokyo"), ""),
        (lambda ts: ts.dt.tz_convert("Asia/Tokyo").dt.tz_localize(None), 'time_zone = "Asia/Tokyo"\n'),
        (lambda ts: ts.dt.as_unit("s").astype("int64"), 'time_unit = "s"\n'),
        (lambda ts: ts.dt.as_unit("ms").astype("int64"), 'time_unit = "ms"\n'),
        (lambda ts: ts.dt.as_unit("ns").astype("int64"), 'time_unit = "ns"\n'),
    ],
)
@pytest.mark.parametrize("file", ["eth.parquet", "eth.csv"])
def test_times_in_every_form_mean_the_same(load, convert, keys, file):
    data = frame()
    data["ts"] = convert(data["ts"])

    np.testing.assert_array_equal(
        load(SNAPSHOT + keys, data=data, file=file).series.ts_event, [ns(0), ns(1), ns(2)]
    )


def test_csv_gives_what_parquet_gives(load):
    from_csv, from_parquet = load(SNAPSHOT, file="eth.csv").series, load(SNAPSHOT).series

    np.testing.assert_array_equal(from_csv.quantity, from_parquet.quantity)
    np.testing.assert_array_equal(from_csv.notional_usd, from_parquet.notional_usd)


def parquet_bytes(data=None):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(frame() if data is None else data), sink)
    return sink.getvalue().to_pybytes()


def csv_bytes():
    return frame().to_csv(index=False).encode()


def changed(column, values):
    return frame().assign(**{column: values})


NAIVE = changed("ts", frame()["ts"].dt.tz_localize(None))
EPOCH = changed("ts", frame()["ts"].dt.as_unit("s").astype("int64"))
BAD = {
    "missing file": (
        "eth.parquet",
        False,
        "",
        r"\[\[series\]\] eth\.parquet \(open_interest of .*does not exist",
    ),
    "cut parquet": ("eth.parquet", parquet_bytes()[:-40], "", r"eth\.parquet is not a complete Parquet file"),
    "empty parquet": ("eth.parquet", b"", "", r"eth\.parquet is not a complete Parquet file"),
    "cut csv line": ("eth.csv", csv_bytes()[:-30], "", r"eth\.csv has a broken line \(cut off\?\)"),
    "cut csv number": ("eth.csv", csv_bytes()[:-2], "", r"eth\.csv does not end with a newline"),
    "empty csv": ("eth.csv", b"", "", r"eth\.csv has no column 'ts'; it has: none"),
    "no column": (
        "eth.parquet",
        frame().drop(columns="oi"),
        "",
        r"has no column 'oi'; it has: ts, o, h, l, c, v",
    ),
    "text value": (
        "eth.csv",
        csv_bytes().replace(b"6001.0", b"many"),
        "",
        r"row 1, column 'oi': 'many' is not a n",
    ),
    "naive times": ("eth.parquet", NAIVE, "", r"'ts': times have no time zone, name it: time_zone = 'UTC'"),
    "zone twice": ("eth.parquet", None, 'time_zone = "UTC"\n', r"carry a zone already, remove time_zone"),
    "unknown zone": ("eth.parquet", NAIVE, 'time_zone = "Mars"\n', r"do not fit time_zone = 'Mars'"),
    "bare numbers": ("eth.parquet", EPOCH, "", r"holds numbers, name time_unit"),
    "wrong unit": (
        "eth.parquet",
        EPOCH,
        'time_unit = "ms"\n',
        r"is before 2009, is time_unit = 'ms' right\?",
    ),
    "no times": (
        "eth.csv",
        csv_bytes().replace(b"2024-01-01 01:00:00+00:00", b""),
        "",
        r"row 1, column 'ts': the time",
    ),
    "no dates": (
        "eth.csv",
        csv_bytes().replace(b"2024-01-01 01:00:00+00:00", b"noon"),
        "",
        r"must be ISO 8601",
    ),
    "future": (
        "eth.parquet",
        changed("ts", frame()["ts"] + pd.Timedelta(36500, "D")),
        "",
        r"lies in the future",
    ),
    "negative": ("eth.parquet", changed("oi", [1.0, -1.0, 1.0]), "", r"quantity at row 1.* is negative"),
    "conflict": ("eth.parquet", changed("ts", [T0, T0, T0]), "", r"is there twice with different values"),
    "all empty": ("eth.parquet", changed("oi", np.nan), "", r"no row is left"),
    "other format": ("eth.feather", b"", "", r"expected a \.parquet or \.csv file, found \.feather"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_and_leaves_the_catalog_as_it_was(sources, tmp_path, case):
    file, data, keys, message = BAD[case]
    path = tmp_path / "catalog"
    ingest(
        sources(SNAPSHOT, file="good.parquet", data=frame().assign(ts=frame()["ts"] - pd.Timedelta("9D"))),
        path,
    )
    before = {item: item.read_bytes() for item in path.rglob("*") if item.is_file()}
    bad = sources(SNAPSHOT + keys, file=file, data=data)

    with pytest.raises(DataError, match=message):
        ingest(bad, path)
    assert {item: item.read_bytes() for item in path.rglob("*") if item.is_file()} == before
    with pytest.raises(DataError, match=message):
        ingest(bad, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_commands_store_report_and_judge(sources, tmp_path):
    data = frame(30)
    data.loc[10, "oi"] = 0.0
    sources(SNAPSHOT, data=data.drop(index=[4, 5]))
    arguments = ["--data", str(tmp_path / "data"), "--catalog", str(tmp_path / "catalog")]

    first = CliRunner().invoke(cli_data.ingest, ["files", str(tmp_path / "manifest.toml"), *arguments])
    assert first.exit_code == 0, first.output
    assert f"warning  {ETH}: 1 gap, 2 rows missing; longest: 2 h after 2024-01-01 03:00." in first.output
    assert "added 28 rows" in first.output
    again = CliRunner().invoke(cli_data.ingest, ["files", str(tmp_path / "manifest.toml"), *arguments])
    assert "added 0 rows" in again.output

    check = CliRunner().invoke(cli_data.check, [str(tmp_path / "catalog")])
    assert check.exit_code == 0
    assert "is zero" in check.output
    assert "warnings: 1 series, 28 rows" in check.output


def test_check_fails_on_a_catalog_with_errors(tmp_path):
    catalog = store.open_catalog(tmp_path, create=True)
    catalog.write_data([OpenInterestUpdate(InstrumentId.from_str(ETH), -1.0, None, ns(0), ns(0))])

    check = CliRunner().invoke(cli_data.check, [str(tmp_path)])

    assert check.exit_code == 1
    assert "error    ETHUSDT-LINEAR.BYBIT: quantity at row 0, 2024-01-01 00:00, is negative." in check.output
