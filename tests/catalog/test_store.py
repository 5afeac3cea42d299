from itertools import pairwise

import numpy as np
import pytest
from nautilus_trader.model.data import Bar, BarType, FundingRateUpdate
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.serialization.arrow.serializer import ArrowSerializer

from oi_hedge_catalog import OpenInterestUpdate, store, writer
from oi_hedge_catalog.errors import CatalogError, DataError
from oi_hedge_catalog.series import BarSeries, FundingSeries, OpenInterestSeries

HOUR = 3_600_000_000_000
ETH = InstrumentId.from_str("ETHUSDT-LINEAR.BYBIT")
BAR_TYPE = BarType.from_str(f"{ETH}-1-HOUR-LAST-EXTERNAL")


@pytest.fixture
def catalog(tmp_path):
    return store.open_catalog(tmp_path / "catalog", create=True)


def interest(hours, lag=5):
    times = np.array(hours, np.int64) * HOUR
    quantity = np.array(hours, float) * 10
    return OpenInterestSeries(
        times, times + lag, ETH, quantity, np.where(quantity > 20, quantity * 2000, np.nan)
    )


def funding(hours):
    times = np.array(hours, np.int64) * HOUR
    rate = np.array(hours, float) / 1e6 + 1e-5
    return FundingSeries(times, times + 2, ETH, rate, np.full(len(times), 480), times + 8 * HOUR)


def bars(hours):
    times = np.array(hours, np.int64) * HOUR
    price = np.array(hours, float) + 2000.07
    return BarSeries(times, times + 1, BAR_TYPE, 2, 3, price, price + 0.1, price - 0.1, price, price / 7)


def append(catalog, series):
    with writer.exclusive(catalog):
        plan = writer.plan_append(catalog, series)
        writer.write(catalog, plan)
    return plan.rows


def snapshot(catalog):
    root = store.data_directory(catalog, OpenInterestUpdate, "").parents[1]
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_missing_directory_is_not_a_catalog(tmp_path):
    with pytest.raises(CatalogError, match="is not a catalog: it does not exist"):
        store.open_catalog(tmp_path / "nowhere")


def test_directory_without_data_is_not_a_catalog(tmp_path):
    with pytest.raises(CatalogError, match="has no data/ directory"):
        store.open_catalog(tmp_path)


def test_directory_with_other_files_is_not_made_a_catalog(tmp_path):
    (tmp_path / "thesis.txt").write_text("x")

    with pytest.raises(CatalogError, match="neither a catalog nor empty"):
        store.open_catalog(tmp_path, create=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_columns_read_back_as_written(catalog):
    hours = range(1, 50)
    append(catalog, interest(hours))
    append(catalog, funding(hours))
    append(catalog, bars(hours))

    stored = store.read_open_interest(catalog, ETH)
    np.testing.assert_array_equal(stored.quantity, interest(hours).quantity)
    np.testing.assert_array_equal(stored.notional_usd, interest(hours).notional_usd)
    np.testing.assert_array_equal(stored.ts_init, interest(hours).ts_init)
    rates = store.read_funding(catalog, str(ETH))
    np.testing.assert_array_equal(rates.rate, funding(hours).rate)
    np.testing.assert_array_equal(rates.interval, 480)
    np.testing.assert_array_equal(rates.next_funding_ns, funding(hours).next_funding_ns)
    prices = store.read_bars(catalog, BAR_TYPE)
    np.testing.assert_array_equal(prices.high, np.round(bars(hours).high, 2))
    np.testing.assert_array_equal(prices.volume, np.round(bars(hours).volume, 3))
    np.testing.assert_array_equal(prices.ts_event, bars(hours).ts_event)


def test_objects_read_back_equal_what_the_columns_say(catalog):
    append(catalog, interest([1, 2, 3]))

    stored = [item.data for item in catalog.query(OpenInterestUpdate, identifiers=[str(ETH)])]

    assert stored[0] == OpenInterestUpdate(ETH, 10.0, None, HOUR, HOUR + 5)
    assert stored[2] == OpenInterestUpdate(ETH, 30.0, 60_000.0, 3 * HOUR, 3 * HOUR + 5)


@pytest.mark.parametrize("make", [interest, funding, bars])
def test_table_of_columns_is_the_table_that_nautilus_would_write(make):
    series = make(range(1, 9))

    table = ArrowSerializer.serialize_batch(series.to_data(), data_cls=series.DATA_CLS)

    assert series.to_table().equals(table, check_metadata=True)


def test_range_is_inclusive_and_by_ts_init(catalog):
    append(catalog, interest(range(1, 10)))
    append(catalog, bars(range(1, 10)))

    stored = store.read_open_interest(catalog, ETH, 3 * HOUR + 5, 5 * HOUR + 5)
    np.testing.assert_array_equal(stored.quantity, [30, 40, 50])
    assert len(store.read_open_interest(catalog, ETH, 3 * HOUR + 6, 4 * HOUR)) == 0
    assert len(store.read_bars(catalog, BAR_TYPE, 3 * HOUR + 1, 5 * HOUR + 1)) == 3


def test_discovery_lists_what_has_rows(catalog):
    assert store.bar_types(catalog) == store.open_interest_ids(catalog) == store.instruments(catalog) == []
    append(catalog, interest([1, 2]))
    append(catalog, funding([8]))
    append(catalog, bars([1]))

    assert store.open_interest_ids(catalog) == store.funding_ids(catalog) == [ETH]
    assert store.bar_types(catalog) == [BAR_TYPE]


def test_reading_an_unknown_instrument_says_what_there_is(catalog):
    append(catalog, interest([1]))

    with pytest.raises(
        CatalogError, match=r"no OpenInterestUpdate for XRP\.X; it has: ETHUSDT-LINEAR\.BYBIT"
    ):
        store.read_open_interest(catalog, "XRP.X")


@pytest.mark.parametrize("make", [interest, funding, bars])
def test_same_rows_again_add_nothing(catalog, make):
    assert append(catalog, make(range(1, 30))) == 29
    before = snapshot(catalog)

    assert append(catalog, make(range(1, 30))) == 0
    assert append(catalog, make(range(5, 9))) == 0
    assert snapshot(catalog) == before


@pytest.mark.parametrize(
    ("make", "cls"), [(interest, OpenInterestUpdate), (funding, FundingRateUpdate), (bars, Bar)]
)
def test_longer_file_adds_its_tail_as_a_file_of_its_own(catalog, make, cls):
    identifier = make([1]).identifier
    append(catalog, make(range(1, 10)))
    first = store.data_files(catalog, cls, identifier)[0][2].read_bytes()

    assert append(catalog, make(range(1, 15))) == 5
    files = store.data_files(catalog, cls, identifier)
    assert len(files) == 2
    assert files[0][2].read_bytes() == first
    assert len(catalog.query(cls, identifiers=[identifier])) == 14


@pytest.mark.parametrize("make", [interest, funding, bars])
def test_rows_before_between_and_within_files_find_their_place(catalog, make):
    identifier, cls = make([1]).identifier, make([1]).DATA_CLS
    append(catalog, make([10, 11, 13, 14]))
    append(catalog, make([20, 22]))

    assert append(catalog, make(range(1, 31))) == 30 - 6
    stored = catalog.query(cls, identifiers=[identifier])
    assert [item.ts_event for item in stored] == [n * HOUR for n in range(1, 31)]
    intervals = catalog.get_intervals(cls, identifier)
    assert all(left[1] < right[0] for left, right in pairwise(intervals))
    assert append(catalog, make(range(1, 31))) == 0


def test_rows_later_than_everything_stored_are_added(catalog):
    append(catalog, interest([1, 2]))

    assert append(catalog, interest([7, 8])) == 2
    np.testing.assert_array_equal(store.read_open_interest(catalog, ETH).quantity, [10, 20, 70, 80])


def test_other_value_for_a_stored_row_is_a_conflict(catalog):
    append(catalog, interest(range(1, 10)))
    before = snapshot(catalog)
    changed = interest(range(1, 12))
    changed.quantity[4] = 51.0

    with pytest.raises(DataError) as caught:
        append(catalog, changed)
    assert str(caught.value) == (
        "ETHUSDT-LINEAR.BYBIT at 1970-01-01 05:00:00 UTC: quantity is stored as 50.0 but the new data says "
        "51.0 (1 such rows); ingest into a new catalog if the new data is right"
    )
    assert snapshot(catalog) == before


def test_other_publication_lag_for_a_stored_row_is_a_conflict(catalog):
    append(catalog, interest([1, 2]))

    with pytest.raises(
        DataError, match="ts_init is stored as 3600000000005 but the new data says 3600000000009"
    ):
        append(catalog, interest([1, 2], lag=9))


def test_leftovers_of_a_killed_writer_are_cleared(catalog, tmp_path):
    leftover = tmp_path / "catalog" / writer.STAGING / "dead" / "half.parquet"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"PAR1")

    append(catalog, interest([1]))

    assert not (tmp_path / "catalog" / writer.STAGING).exists()


def test_second_writer_is_refused(catalog):
    with writer.exclusive(catalog), pytest.raises(CatalogError, match="being written by another process"):
        append(catalog, interest([1]))


def test_info_is_recorded_by_default_and_replaced_as_a_whole(catalog):
    assert store.read_info(catalog) == {"simulated": False, "description": ""}

    store.write_info(catalog, {"simulated": True, "description": "x", "seed": 7})

    assert store.read_info(catalog) == {"simulated": True, "description": "x", "seed": 7}


def test_broken_info_is_named(catalog, tmp_path):
    (tmp_path / "catalog" / store.INFO_FILE).write_text("{")

    with pytest.raises(CatalogError, match=r"oi_hedge_catalog\.json is not valid JSON"):
        store.read_info(catalog)


@pytest.mark.slow
def test_a_million_rows_go_in_and_come_back(catalog):
    times = np.arange(1, 1_000_001) * 60_000_000_000
    quantity = np.sqrt(np.arange(1_000_000))
    append(catalog, OpenInterestSeries(times, times + 5, ETH, quantity, quantity * 2000))

    np.testing.assert_array_equal(store.read_open_interest(catalog, ETH).quantity, quantity)
    stored = catalog.query(OpenInterestUpdate, identifiers=[str(ETH)])
    assert len(stored) == 1_000_000
    last = stored[-1].data
    assert last == OpenInterestUpdate(ETH, quantity[-1], quantity[-1] * 2000, times[-1], times[-1] + 5)
