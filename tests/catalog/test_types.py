import pickle

import pyarrow as pa
import pytest
from nautilus_trader.model.data import CustomData
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from oi_hedge_catalog.types import CatalogData, OpenInterestUpdate

ETH = InstrumentId.from_str("ETHUSDT-LINEAR.BYBIT")
BTC = InstrumentId.from_str("BTCUSDT-LINEAR.BYBIT")


class EveryFieldKind(CatalogData):
    FIELDS = (
        ("number", pa.float64(), False),
        ("text", pa.string(), True),
        ("flag", pa.bool_(), False),
        ("numbers", pa.list_(pa.float64()), False),
    )


def test_open_interest_is_built_by_position_and_by_name():
    by_position = OpenInterestUpdate(ETH, 250.0, None, 1, 2)
    by_name = OpenInterestUpdate(instrument_id=ETH, quantity=250.0, notional_usd=None, ts_event=1, ts_init=2)

    assert by_position == by_name
    assert hash(by_position) == hash(by_name)
    assert repr(by_position) == (
        "OpenInterestUpdate(instrument_id=ETHUSDT-LINEAR.BYBIT, quantity=250.0, notional_usd=None, "
        "ts_event=1, ts_init=2)"
    )


@pytest.mark.parametrize(
    "other",
    [
        OpenInterestUpdate(BTC, 250.0, None, 1, 2),
        OpenInterestUpdate(ETH, 251.0, None, 1, 2),
        OpenInterestUpdate(ETH, 250.0, 1.0, 1, 2),
        OpenInterestUpdate(ETH, 250.0, None, 0, 2),
        OpenInterestUpdate(ETH, 250.0, None, 1, 3),
    ],
)
def test_updates_that_differ_in_one_value_are_unequal(other):
    assert OpenInterestUpdate(ETH, 250.0, None, 1, 2) != other


def test_missing_field_is_refused():
    with pytest.raises(TypeError, match="ts_init"):
        OpenInterestUpdate(ETH, 250.0, None, 1)


def test_values_cannot_be_changed():
    update = OpenInterestUpdate(ETH, 250.0, None, 1, 2)

    with pytest.raises(AttributeError, match="OpenInterestUpdate is immutable"):
        update.quantity = 1.0
    with pytest.raises(AttributeError, match="OpenInterestUpdate is immutable"):
        del update.quantity


def test_dict_and_pickle_give_the_same_value_back():
    update = OpenInterestUpdate(ETH, 250.0, 500_000.0, 1, 2)

    assert OpenInterestUpdate.from_dict(update.to_dict()) == update
    assert pickle.loads(pickle.dumps(update)) == update


def test_every_field_kind_survives_arrow():
    items = [
        EveryFieldKind(ETH, 1.5, None, True, [0.1, 0.2], 1, 2),
        EveryFieldKind(BTC, 2.5, "x", False, [], 3, 4),
    ]

    assert EveryFieldKind.decode(EveryFieldKind.encode(items)) == items
    assert EveryFieldKind.schema().names == [
        "instrument_id", "number", "text", "flag", "numbers", "ts_event", "ts_init"
    ]  # fmt: skip


def test_catalog_gives_updates_of_two_instruments_back(tmp_path):
    catalog = ParquetDataCatalog(tmp_path)
    eth = [OpenInterestUpdate(ETH, float(n), None if n % 2 else n * 2.0, n, n + 1) for n in range(1, 5)]
    btc = [OpenInterestUpdate(BTC, float(n), None, n, n + 1) for n in range(1, 3)]

    catalog.write_data([*eth, *btc])
    stored = catalog.query(OpenInterestUpdate, identifiers=[ETH.value])

    assert all(isinstance(item, CustomData) for item in stored)
    assert [item.data for item in stored] == eth
    assert [item.data for item in catalog.query(OpenInterestUpdate, identifiers=[BTC.value])] == btc
