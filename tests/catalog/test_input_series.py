"""Options open interest and wallet concentration: derived numbers, storage as columns, streaming."""

import pickle

import numpy as np
import pytest
from nautilus_trader.backtest.config import (
    BacktestDataConfig,
    BacktestEngineConfig,
    BacktestRunConfig,
    BacktestVenueConfig,
)
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.data import DataType
from nautilus_trader.model.identifiers import ClientId
from nautilus_trader.trading.strategy import Strategy

from oi_hedge_catalog import OptionsOpenInterest, WalletConcentration, store, writer
from oi_hedge_catalog.errors import CatalogError, DataError
from oi_hedge_catalog.findings import Severity
from oi_hedge_catalog.ingest import check_catalog
from oi_hedge_catalog.input_series import options_series, wallet_series
from oi_hedge_catalog.quality import check_series
from oi_hedge_catalog.types import options_id, wallet_id

HOUR = 3_600_000_000_000
START = 1_700_000_000 // 3600 * HOUR
OPTIONS, WALLETS = options_id("ETH"), wallet_id("ETH")
EXPIRY = START + 1000 * HOUR


@pytest.fixture
def catalog(tmp_path):
    return store.open_catalog(tmp_path / "catalog", create=True)


def options(hour=0, price=2000.0, rows=((1800.0, False, 30.0), (2200.0, True, 50.0), (2000.0, True, 20.0))):
    strikes, calls, quantities = ([*column] for column in zip(*rows, strict=True)) if rows else ([], [], [])
    ts = START + hour * HOUR
    return OptionsOpenInterest(
        OPTIONS, price, strikes, [EXPIRY] * len(strikes), calls, quantities, ts, ts + 7
    )


def wallets(hour=0, herfindahl=0.38, block=100, total=10.0):
    ts = START + hour * HOUR
    return WalletConcentration(WALLETS, 3, total, 1, 0.5, herfindahl, 0.3, block, ts, ts + 12)


def append(catalog, series):
    with writer.exclusive(catalog):
        plan = writer.plan_append(catalog, series)
        writer.write(catalog, plan)
    return plan.rows


def test_ids_name_coin_place_and_group():
    assert str(OPTIONS) == "ETH-OPTIONS.DERIBIT"
    assert str(WALLETS) == "ETH.ETHEREUM"
    assert str(wallet_id("ETH", "whale")) == "ETH-WHALE.ETHEREUM"


def test_the_put_call_ratio_is_puts_over_calls():
    update = options()

    assert (update.put_quantity, update.call_quantity) == (30.0, 70.0)
    assert update.put_call_ratio == pytest.approx(3 / 7)
    assert options(rows=[(1800.0, False, 30.0)]).put_call_ratio is None
    assert options(rows=[(2200.0, True, 30.0)]).put_call_ratio == 0.0


def test_the_mass_is_in_the_fewest_strikes_that_hold_the_share():
    update = options()

    assert update.mass_distance(0.5) == pytest.approx(0.1)  # 2200 alone holds half
    assert update.mass_distance(0.51) == pytest.approx((50 * 0.1 - 30 * 0.1) / 80)
    assert update.mass_distance(1.0) == pytest.approx((50 * 0.1 - 30 * 0.1) / 100)
    assert options(rows=[]).mass_distance() is None
    assert options(rows=[(2000.0, True, 0.0)]).mass_distance() is None
    with pytest.raises(ValueError, match="above 0 and at most 1, was 0"):
        update.mass_distance(0.0)


def test_strikes_are_summed_over_expiries_and_sides_and_ties_go_to_the_nearer():
    rows = [(1500.0, False, 30.0), (1900.0, False, 15.0), (1900.0, True, 15.0), (2300.0, True, 5.0)]

    assert options(rows=rows).mass_distance(0.4) == pytest.approx(-0.05)


def test_values_survive_dict_and_pickle():
    for update in (options(), options(rows=[]), wallets(), wallets(block=None)):
        assert type(update).from_dict(update.to_dict()) == update
        assert pickle.loads(pickle.dumps(update)) == update


def test_what_is_stored_reads_back_as_columns_and_as_data(catalog):
    updates = [options(0), options(1, 2100.0, [(1800.0, False, 1.0)]), options(2, rows=[])]
    append(catalog, options_series(OPTIONS, updates))

    found = store.read_options_open_interest(catalog, OPTIONS)
    assert found.to_data() == updates
    np.testing.assert_allclose(found.put_call_ratio, [3 / 7, np.nan, np.nan])
    np.testing.assert_allclose(found.mean_strike, [(54000 + 110000 + 40000) / 100, 1800.0, 0.0])
    np.testing.assert_allclose(found.mass_distance(), [0.1, 1800 / 2100 - 1, np.nan])
    queried = catalog.query(OptionsOpenInterest, identifiers=[str(OPTIONS)])
    assert [each.data for each in queried] == updates
    assert store.options_ids(catalog) == [OPTIONS]
    late = store.read_options_open_interest(catalog, OPTIONS, start_ns=START + HOUR)
    assert late.to_data() == updates[1:]


def test_wallets_read_back_with_and_without_a_block(catalog):
    updates = [wallets(0), wallets(1, 0.4, None)]
    append(catalog, wallet_series(WALLETS, updates))

    found = store.read_wallet_concentration(catalog, WALLETS)
    assert found.to_data() == updates
    np.testing.assert_array_equal(found.block, [100, -1])
    np.testing.assert_array_equal(found.herfindahl, [0.38, 0.4])
    assert store.wallet_ids(catalog) == [WALLETS]
    with pytest.raises(CatalogError, match=r"no WalletConcentration for BTC.ETHEREUM; it has: ETH.ETHEREUM"):
        store.read_wallet_concentration(catalog, "BTC.ETHEREUM")


def test_only_new_rows_are_added_and_other_values_are_refused(catalog):
    series = options_series(OPTIONS, [options(hour) for hour in (0, 1, 4)])
    assert append(catalog, series) == 3
    assert append(catalog, series) == 0
    between = options_series(OPTIONS, [options(hour) for hour in (2, 3, 5)])
    assert append(catalog, between) == 3
    assert store.read_options_open_interest(catalog, OPTIONS).to_data() == [options(h) for h in range(6)]

    shifted = [(1850.0, False, 30.0), (2200.0, True, 50.0), (2000.0, True, 20.0)]
    with pytest.raises(DataError, match=r"mean_strike is stored as 2040.0 but the new data says 2055.0"):
        append(catalog, options_series(OPTIONS, [options(0, rows=shifted)]))
    append(catalog, wallet_series(WALLETS, [wallets()]))
    with pytest.raises(DataError, match=r"herfindahl is stored as 0.38 but the new data says 0.39"):
        append(catalog, wallet_series(WALLETS, [wallets(herfindahl=0.39)]))


@pytest.mark.parametrize(
    ("series", "code", "field"),
    [
        (options_series(OPTIONS, [options(price=0.0)]), "price", "underlying_price"),
        (options_series(OPTIONS, [options(rows=[(1.0, True, -1.0)])]), "negative", "quantity"),
        (options_series(OPTIONS, [options(rows=[(0.0, True, 1.0)])]), "negative", "strike"),
        (wallet_series(WALLETS, [wallets(herfindahl=1.1)]), "share", "herfindahl"),
        (wallet_series(WALLETS, [wallets(total=0.0)]), "negative", "total"),
        (wallet_series(WALLETS, [wallets(herfindahl=float("nan"))]), "not_a_number", "herfindahl"),
    ],
)
def test_impossible_values_are_errors(series, code, field):
    errors = [each for each in check_series(series).findings if each.severity is Severity.ERROR]

    assert [(each.code, each.field) for each in errors] == [(code, field)]


def test_another_set_of_addresses_is_reported():
    ts = START + HOUR
    other = WalletConcentration(WALLETS, 4, 10.0, 1, 0.5, 0.38, 0.3, 100, ts, ts)

    findings = check_series(wallet_series(WALLETS, [wallets(), other])).findings

    assert [(each.code, each.row) for each in findings] == [("address_set", 1)]


def test_check_covers_options_and_wallets(catalog):
    append(catalog, options_series(OPTIONS, [options(hour) for hour in range(3)]))
    append(catalog, wallet_series(WALLETS, [wallets(hour) for hour in range(3)]))

    report = check_catalog(catalog)

    assert report.verdict == "ok"
    assert [(each.kind, each.rows) for each in report.summaries] == [
        ("options_open_interest", 3),
        ("wallet_concentration", 3),
    ]


class Recorder(Strategy):
    def __init__(self):
        super().__init__()
        self.events = []

    def on_start(self):
        for kind, instrument_id in ((OptionsOpenInterest, OPTIONS), (WalletConcentration, WALLETS)):
            self.subscribe_data(DataType(kind), client_id=ClientId("OI"), instrument_id=instrument_id)

    def on_data(self, data):
        self.events.append(data)


def streamed(catalog, chunk_size):
    config = BacktestRunConfig(
        venues=[
            BacktestVenueConfig(
                name="DERIBIT", oms_type="NETTING", account_type="MARGIN", starting_balances=["1 BTC"]
            )
        ],
        data=[
            BacktestDataConfig(catalog_path=catalog.path, data_cls=kind, client_id="OI")
            for kind in (OptionsOpenInterest, WalletConcentration)
        ],
        chunk_size=chunk_size,
        engine=BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)),
        raise_exception=True,
        dispose_on_completion=False,
    )
    node = BacktestNode([config])
    node.build()
    recorder = Recorder()
    node.get_engine(config.id).add_strategy(recorder)
    node.run()
    node.dispose()
    return recorder.events


@pytest.mark.parametrize("chunk_size", [None, 7, 1000])
def test_the_engine_delivers_what_is_stored_whole_and_in_chunks(catalog, chunk_size):
    chains = [options(hour, rows=[(1800.0, False, 1.0 + hour)]) for hour in range(30)]
    sets = [wallets(hour, block=None if hour % 3 else hour) for hour in range(30)]
    append(catalog, options_series(OPTIONS, chains))
    append(catalog, wallet_series(WALLETS, sets))
    other = wallet_id("ETH", "whale")
    append(
        catalog, wallet_series(other, [WalletConcentration(other, 1, 1.0, 1, 1.0, 1.0, 0.0, 1, START, START)])
    )

    assert streamed(catalog, chunk_size) == sorted([*chains, *sets], key=lambda each: each.ts_init)
