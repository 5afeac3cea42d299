import numpy as np
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog import PremiumIndexUpdate, store
from oi_hedge_catalog.ingest import Loaded, check_catalog, ingest
from oi_hedge_catalog.premium import PremiumSeries
from oi_hedge_catalog.quality import check_series

ETH = InstrumentId.from_str("ETHUSDT-PERP.BINANCE")
TIMES = 1_700_000_000_000_000_000 + 300 * 10**9 * np.arange(50)


class InMemory:
    name, instrument = "premium", None

    def load(self):
        return Loaded(PremiumSeries(TIMES, TIMES + 5, ETH, 1e-4 * np.sin(np.arange(50.0))))


def test_premium_comes_back_as_columns_and_as_nautilus_data(tmp_path):
    ingest([InMemory()], tmp_path)
    catalog = store.open_catalog(tmp_path)

    stored = store.read_premium_index(catalog, ETH)

    np.testing.assert_array_equal(stored.premium, 1e-4 * np.sin(np.arange(50.0)))
    found = catalog.query(PremiumIndexUpdate, identifiers=[str(ETH)])
    assert found[3].data == PremiumIndexUpdate(ETH, stored.premium[3], int(TIMES[3]), int(TIMES[3]) + 5)
    assert check_catalog(catalog).verdict == "ok"


def test_absurd_and_frozen_premium_is_found():
    premium = 1e-4 * np.sin(np.arange(50.0))
    premium[3] = -0.2
    premium[10:40] = premium[10]

    codes = {each.code: each.row for each in check_series(PremiumSeries(TIMES, TIMES, ETH, premium)).findings}

    assert codes == {"absurd_premium": 3, "stale": 10}
