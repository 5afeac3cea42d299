"""Further inputs in the real engine: they move a model that has seen them, and no other."""

from dataclasses import replace

import numpy as np
import pytest
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.model.data import CustomData, DataType
from support.engine import FREE, HEDGE, HELD, HOUR, LAGS, SECOND, START, bar_type, events, run, specs
from support.models import SHORT_SCHEMA, tiny_card, write_model

from oi_hedge_catalog import LiquidationRecord, LongShortRatio, OptionsOpenInterest, WalletConcentration
from oi_hedge_catalog.input_series import wallet_series
from oi_hedge_catalog.instruments import build_instrument
from oi_hedge_catalog.positioning import LongShortSeries
from oi_hedge_catalog.series import BarSeries, OpenInterestSeries
from oi_hedge_catalog.store import open_catalog
from oi_hedge_catalog.types import options_id, wallet_id
from oi_hedge_catalog.writer import plan_append, write, write_instrument
from oi_hedge_strategy.backtest.collect import find_recorder
from oi_hedge_strategy.backtest.node_config import run_config
from oi_hedge_strategy.backtest.plan import iso, make_plan
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExecutionConfig, ExposureConfig, PolicyConfig, RailsConfig

ROWS = [2000.0, 2010.0, 1990.0, 2005.0, 2020.0, 2000.0, 1995.0, 2015.0, 2000.0, 1980.0]
SCHEMA = replace(SHORT_SCHEMA, venues=("BINANCE", "BYBIT", "DERIBIT", "ETHEREUM"))
CHANNELS = {
    LongShortRatio: "log_long_short_ratio",
    LiquidationRecord: "log_long_liquidations",
    OptionsOpenInterest: "log_put_call_ratio",
    WalletConcentration: "wallet_concentration",
}
ALL = ("log_price", *CHANNELS.values())


def record(kind, hour):
    ts = START + hour * HOUR + 10 * 60 * SECOND
    times = (ts, ts + SECOND)
    if kind is LongShortRatio:
        return LongShortRatio(HEDGE, 0.5 + 0.02 * hour, *times)
    if kind is LiquidationRecord:
        return LiquidationRecord(HEDGE, 1.0 + hour, 0.5, 2000.0, *times)
    if kind is OptionsOpenInterest:
        lists = ([1800.0, 2200.0], [ts + HOUR] * 2, [False, True], [4.0 + hour, 10.0])
        return OptionsOpenInterest(options_id("ETH"), 2000.0, *lists, *times)
    return WalletConcentration(wallet_id("ETH"), 5, 100.0, 1, 0.5, 0.2 + 0.01 * hour, 0.2, None, *times)


def stream(kind):
    return [CustomData(DataType(kind), record(kind, hour)) for hour in range(1, 9)]


def forecasts(tmp_path, channels, data):
    card = tiny_card(SCHEMA, channels_seen=channels)
    model = write_model(tmp_path / "model.onnx", card, probability=0.5, sensitivity=0.3)
    config = OIHedgeConfig(
        bar_type=bar_type(HEDGE), model=str(model), exposure=ExposureConfig(instrument_ids=(HELD,))
    )
    found = run(events(ROWS) + data, config, [(10.0, iso(START))]).forecasts
    return [each.to_dict() | {"model_sha256": ""} for each in found]


@pytest.mark.parametrize("kind", CHANNELS)
def test_an_input_moves_the_forecast_of_a_model_that_has_seen_it(tmp_path, kind):
    without = forecasts(tmp_path, ALL, [])
    with_it = forecasts(tmp_path, ALL, stream(kind))

    assert len(with_it) == len(without) == len(ROWS)
    assert with_it[0] == without[0]  # the first record comes ten minutes after the first bar
    assert all(a != b for a, b in zip(with_it[2:], without[2:], strict=True))


@pytest.mark.parametrize("kind", CHANNELS)
def test_a_model_that_has_not_seen_an_input_is_not_given_it(tmp_path, kind):
    others = tuple(name for name in ALL if name != CHANNELS[kind])

    assert forecasts(tmp_path, others, stream(kind)) == forecasts(tmp_path, others, [])


def test_absent_inputs_change_nothing(tmp_path):
    assert forecasts(tmp_path, ALL, []) == forecasts(tmp_path, ("log_price",), [])


def test_an_other_coins_wallets_are_not_read(tmp_path):
    other = wallet_id("WBTC")
    ts = START + HOUR
    rows = [WalletConcentration(other, 5, 100.0, 1, 0.5, 0.9, 0.2, None, ts, ts)]
    data = [CustomData(DataType(WalletConcentration), each) for each in rows]

    assert forecasts(tmp_path, ALL, data) == forecasts(tmp_path, ALL, [])


def fill(catalog, with_inputs):
    hours = np.arange(1, 31)
    ts = START + hours * HOUR
    price = 2000.0 + 10.0 * (hours % 5)
    for spec in specs():
        instrument = build_instrument(spec)
        write_instrument(catalog, instrument)
        bars = BarSeries(
            ts, ts + LAGS[instrument.id], bar_type(instrument.id), 2, 3, *[price] * 4, np.full(30, 1e6)
        )
        write(catalog, plan_append(catalog, bars))
    series = [OpenInterestSeries(ts, ts + 5 * SECOND, HELD, np.full(30, 1000.0), 1000.0 * price)]
    if with_inputs:
        wallets, other = wallet_id("ETH"), wallet_id("ETH", "whale")
        series += [
            LongShortSeries(ts, ts + SECOND, HELD, 0.5 + 0.01 * hours),
            *(
                wallet_series(
                    each,
                    [
                        WalletConcentration(
                            each,
                            5,
                            9.0,
                            1,
                            0.5,
                            0.01 * at,
                            0.2,
                            at,
                            START + at * HOUR,
                            START + at * HOUR + SECOND,
                        )
                        for at in range(1, 31)
                    ],
                )
                for each in (wallets, other)
            ),
        ]
    for each in series:
        write(catalog, plan_append(catalog, each))
    return catalog


def backtest(tmp_path, with_inputs, channels):
    catalog = fill(open_catalog(tmp_path / f"catalog-{with_inputs}", create=True), with_inputs)
    card = tiny_card(SCHEMA, channels_seen=channels)
    model = write_model(tmp_path / "model.onnx", card, probability=0.5, sensitivity=0.3)
    settings = BacktestSettings(exposure_quantity=10.0, latency_ms=0.0, impact=FREE)
    plan = make_plan(catalog, settings, model, card, None, None)
    config = run_config(plan, PolicyConfig(), RailsConfig(), ExecutionConfig())
    node = BacktestNode([config])
    node.run()
    engine = node.get_engine(config.id)
    found = [each.to_dict() | {"model_sha256": ""} for each in find_recorder(engine).forecasts]
    engine.dispose()
    return found


def test_a_backtest_reads_from_the_catalog_what_the_model_has_seen(tmp_path):
    unseen = backtest(tmp_path, True, ("log_price",))

    assert backtest(tmp_path, False, ALL) == unseen
    accounts, wallets = (backtest(tmp_path, True, ("log_price", name)) for name in (ALL[1], ALL[4]))
    assert len(accounts) == len(wallets) == len(unseen) > 15
    assert all(a != b != c != a for a, b, c in zip(unseen, accounts, wallets, strict=True))
