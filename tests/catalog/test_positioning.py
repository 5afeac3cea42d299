import numpy as np
import pytest
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.serialization.arrow.serializer import ArrowSerializer

from oi_hedge_catalog import LiquidationRecord, LongShortRatio, quality, store, writer
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.ingest import check_catalog
from oi_hedge_catalog.positioning import LiquidationSeries, LongShortSeries, merge_liquidations

HOUR = 3_600_000_000_000
ETH = InstrumentId.from_str("ETHUSDT-PERP.BINANCE")


@pytest.fixture
def catalog(tmp_path):
    return store.open_catalog(tmp_path / "catalog", create=True)


def ratios(hours):
    times = np.array(hours, np.int64) * HOUR
    return LongShortSeries(times, times + 5, ETH, np.array(hours) / 100.0)


def liquidations(hours):
    times = np.array(hours, np.int64) * HOUR
    size = np.array(hours, float)
    return LiquidationSeries(times, times + 5, ETH, size, size / 2, size + 2000.0)


def append(catalog, series):
    with writer.exclusive(catalog):
        plan = writer.plan_append(catalog, series)
        writer.write(catalog, plan)
    return plan.rows


def test_ratio_is_long_over_short_accounts():
    assert LongShortRatio(ETH, 0.6, 1, 2).ratio == pytest.approx(1.5)
    assert LongShortRatio(ETH, 1.0, 1, 2).ratio == float("inf")


@pytest.mark.parametrize("make", [ratios, liquidations])
def test_table_of_columns_is_the_table_that_nautilus_would_write(make):
    series = make(range(1, 9))

    table = ArrowSerializer.serialize_batch(series.to_data(), data_cls=series.DATA_CLS)

    assert series.to_table().equals(table, check_metadata=True)


@pytest.mark.parametrize(
    ("make", "read"), [(ratios, store.read_long_short), (liquidations, store.read_liquidations)]
)
def test_rows_are_stored_once_and_read_back(catalog, make, read):
    assert append(catalog, make([3, 4, 7])) == 3
    assert append(catalog, make(range(1, 10))) == 6
    assert append(catalog, make(range(1, 10))) == 0

    stored, given = read(catalog, ETH), make(range(1, 10))
    for name, column in given.values().items():
        np.testing.assert_array_equal(getattr(stored, name), column)
    np.testing.assert_array_equal(stored.ts_init, given.ts_init)
    objects = [item.data for item in catalog.query(given.DATA_CLS, identifiers=[str(ETH)])]
    assert objects == given.to_data()


def test_stored_instruments_are_listed_and_checked(catalog):
    append(catalog, ratios([1, 2, 3]))
    append(catalog, liquidations([1, 2, 9]))

    assert store.long_short_ids(catalog) == store.liquidation_ids(catalog) == [ETH]
    report = check_catalog(catalog)
    assert [summary.kind for summary in report.summaries] == ["long_short", "liquidations"]
    assert report.verdict == "ok"


def test_other_value_for_a_stored_row_is_a_conflict(catalog):
    append(catalog, ratios([1, 2]))
    changed = ratios([1, 2])
    changed.long_share[1] = 0.5

    with pytest.raises(DataError, match=r"long_share is stored as 0\.02 but the new data says 0\.5"):
        append(catalog, changed)


def test_share_above_one_and_quantity_below_zero_are_errors():
    share, closed = ratios([1, 2]), liquidations([1, 2])
    share.long_share[0] = 1.2
    closed.short_quantity[1] = -1.0

    found = quality.check_series(share).findings + quality.check_series(closed).findings

    assert [(finding.code, finding.field) for finding in found] == [
        ("share", "long_share"),
        ("negative", "short_quantity"),
    ]


def test_orders_of_one_moment_are_added_up():
    records = [
        LiquidationRecord(ETH, 2.0, 0.0, 2000.0, 1000, 1500),
        LiquidationRecord(ETH, 1.0, 0.0, 2030.0, 1000, 1700),
        LiquidationRecord(ETH, 0.0, 4.0, 2010.0, 1000, 1600),
        LiquidationRecord(ETH, 0.0, 1.0, 1990.0, 900, 1700),
    ]

    merged = merge_liquidations(ETH, records)

    np.testing.assert_array_equal(merged.ts_event, [900, 1000])
    np.testing.assert_array_equal(merged.ts_init, [1700, 1701])
    np.testing.assert_array_equal(merged.long_quantity, [0.0, 3.0])
    np.testing.assert_array_equal(merged.short_quantity, [1.0, 4.0])
    np.testing.assert_allclose(merged.price, [1990.0, (2 * 2000 + 2030 + 4 * 2010) / 7])
