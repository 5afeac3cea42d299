"""The strategy in the real engine: what it trades, what it never touches, and what it says about it."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from nautilus_trader.backtest.config import BacktestRunConfig
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.model.data import InstrumentStatus
from nautilus_trader.model.enums import MarketStatusAction, OrderSide, OrderStatus, OrderType
from nautilus_trader.model.identifiers import InstrumentId, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from support.engine import FREE, HEDGE, HELD, HOUR, LAGS, SECOND, SPOT, START, bar_type, events, run, specs
from support.models import SHORT_SCHEMA, tiny_card, write_model

from oi_hedge_catalog.errors import ConfigError, ModelError
from oi_hedge_catalog.instruments import InstrumentSpec, build_instrument
from oi_hedge_catalog.series import BarSeries, FundingSeries, OpenInterestSeries
from oi_hedge_catalog.store import open_catalog
from oi_hedge_catalog.writer import plan_append, write, write_instrument
from oi_hedge_strategy.backtest.collect import find_recorder
from oi_hedge_strategy.backtest.node_config import run_config
from oi_hedge_strategy.backtest.plan import iso, make_plan
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import (
    DriftConfig,
    ExecutionConfig,
    ExposureConfig,
    PolicyConfig,
    RailsConfig,
)
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision

LONG = (10.0, iso(START))
CALM = [2000.0] * 12


@pytest.fixture
def model(tmp_path):
    return str(write_model(tmp_path / "model.onnx"))


def config(model="", *, most=1.0, exposure=None, **values):
    values.setdefault("policy", PolicyConfig(max_hedge_ratio=most))
    values.setdefault("exposure", ExposureConfig(instrument_ids=(HELD,)) if exposure is None else exposure)
    return OIHedgeConfig(bar_type=bar_type(HEDGE), model=model, **values)


def at(hour):
    return iso(START + hour * HOUR)


def walk(hours, seed=1):
    rng = np.random.default_rng(seed)
    rows = 2000.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, hours)))
    return rows.round(2).tolist(), rng.uniform(900.0, 1100.0, hours).tolist()


@pytest.mark.parametrize(("exposure", "hedge"), [(10.0, -5.0), (-10.0, 5.0)])
def test_the_hedge_opposes_the_position_held_elsewhere_by_its_ratio(model, exposure, hedge):
    found = run(events(CALM), config(model, most=0.5), [(exposure, iso(START))])
    assert found.position() == hedge
    assert found.hedges() == [hedge]
    assert [d.held for d in found.decisions[:2]] == [0.0, 0.5]


def test_only_the_strategys_own_position_moves(model):
    found = run(events(CALM), config(model), [LONG])
    assert found.position(HELD) == 10.0
    assert {o.instrument_id for o in found.engine.cache.orders(strategy_id=found.strategy.id)} == {HEDGE}


@pytest.mark.parametrize(
    ("exposure", "hedge"),
    [
        (ExposureConfig(quantity=4.0), -4.0),
        (ExposureConfig(balance_venues=(Venue("BINANCE_SPOT"),)), -3.0),
        (ExposureConfig((HELD,), (Venue("BINANCE_SPOT"),), -5.0), -8.0),
    ],
)
def test_exposure_is_the_sum_of_positions_balances_and_what_is_held_elsewhere(model, exposure, hedge):
    assert run(events(CALM), config(model, exposure=exposure), [LONG], spot=3.0).position() == hedge


def test_a_reduction_is_reduce_only_and_an_increase_is_not(model):
    rows = events([2000.0] * 7) + events([2000.0] * 5, funding=-0.003, first=8)  # the short side pays
    found = run(rows, config(model), [LONG])
    opened, reduced = found.orders("HEDGE")
    assert (opened.side, opened.quantity, opened.is_reduce_only) == (OrderSide.SELL, 10, False)
    assert (reduced.side, reduced.quantity, reduced.is_reduce_only) == (OrderSide.BUY, 7.5, True)
    assert found.position() == -2.5
    assert found.decisions[7].rail == "funding"
    assert "funding: hedge would pay" not in found.decisions[6].reason


def test_funding_that_the_hedge_receives_reduces_nothing(model):
    rows = events([2000.0] * 7) + events([2000.0] * 5, funding=0.003, first=8)
    assert run(rows, config(model), [LONG]).position() == -10.0
    assert run(rows, config(model), [(-10.0, iso(START))]).position() == 2.5


def open_stops(found):
    return [o for o in found.orders("HARD_STOP") if o.status == OrderStatus.ACCEPTED]


def test_the_hard_stop_rests_reduce_only_and_moves_with_the_position(model):
    rows = [2000.0] * 5 + [2100.0] * 5
    found = run(events(rows), config(model), [LONG, (20.0, at(6))])
    (stop,) = open_stops(found)
    assert (stop.order_type, stop.side, stop.is_reduce_only) == (OrderType.STOP_MARKET, OrderSide.BUY, True)
    assert stop.quantity == 30
    average = (10 * 2000 + 20 * 2100) / 30
    assert stop.trigger_price.as_double() == pytest.approx(average * 1.1, abs=0.01)
    assert found.position() == -30.0


def test_the_stop_of_a_long_hedge_lies_below_its_entry(model):
    (stop,) = open_stops(run(events(CALM), config(model), [(-10.0, iso(START))]))
    assert (stop.side, stop.trigger_price, stop.quantity) == (OrderSide.SELL, 1800, 10)


def test_without_a_hard_stop_none_rests(model):
    found = run(events(CALM), config(model, rails=RailsConfig(hard_stop=0.0)), [LONG])
    assert found.orders("HARD_STOP") == []


def test_a_stop_that_is_hit_keeps_the_hedge_closed_for_the_cooldown(model):
    rows = [*CALM[:4], (2000.0, 2250.0, 1990.0, 2100.0), *[2100.0] * 8]
    found = run(events(rows), config(model, rails=RailsConfig(cooldown_hours=5.0)), [LONG])
    stop = next(o for o in found.orders("HARD_STOP") if o.status == OrderStatus.FILLED)
    assert stop.avg_px == pytest.approx(2200.0)
    cooling = [d.rail == "drawdown" and "cooling down" in d.reason for d in found.decisions]
    hit = stop.ts_last
    assert cooling == [hit <= d.ts_init < hit + 5 * HOUR for d in found.decisions]
    assert sum(cooling) == 5
    assert found.hedges() == [-10.0, -10.0]
    assert found.position() == -10.0
    assert len(open_stops(found)) == 1


def test_a_closed_hedge_leaves_no_stop_behind(model):
    found = run(events(CALM), config(model), [LONG, (-10.0, at(5))])
    assert found.position() == 0.0
    assert found.engine.cache.orders_open() == []
    assert found.hedges() == [-10.0, 10.0]


def test_an_exposure_that_changes_sides_is_closed_first_then_opened(model):
    found = run(events(CALM), config(model), [LONG, (-25.0, at(5))])
    close, reopen = found.orders("HEDGE")[1:]
    assert (close.side, close.quantity, close.is_reduce_only) == (OrderSide.BUY, 10, True)
    assert (reopen.side, reopen.quantity, reopen.is_reduce_only) == (OrderSide.BUY, 15, False)
    assert reopen.ts_init - close.ts_init == HOUR
    assert found.position() == 15.0


def test_a_hedge_larger_than_a_shrunken_exposure_is_cut_to_it(model):
    # wanted 0.6: within hysteresis of the held 1.0 that is left of 6 over 3
    policy = PolicyConfig(max_kelly=1.0)
    found = run(events(CALM), config(model, policy=policy), [LONG, (-7.0, at(5))])
    assert found.hedges()[0] == pytest.approx(-6.0, abs=0.001)
    assert found.position() == -3.0


def test_a_largest_ratio_below_one_holds_when_the_exposure_shrinks(model):
    found = run(events(CALM), config(model, most=0.5), [LONG, (-4.0, at(5))])
    assert found.position() == -3.0


@pytest.mark.parametrize("quantity", [0.043, 5.02, 0.086])
def test_closing_leaves_no_dust(tmp_path, quantity):
    card = tiny_card(expires=START + 6 * HOUR)
    path = write_model(tmp_path / "model.onnx", card)
    found = run(events(CALM), config(str(path), exposure=ExposureConfig(quantity=quantity)))
    assert found.hedges() == [-quantity, quantity]
    assert found.position() == 0.0


def test_a_model_that_expires_in_the_middle_goes_to_its_fail_state(tmp_path):
    path = str(write_model(tmp_path / "model.onnx", tiny_card(expires=START + 6 * HOUR)))
    found = run(events(CALM), config(path), [LONG])
    assert [d.allowed for d in found.decisions] == [1.0] * 5 + [0.0] * 7
    assert found.decisions[5].order_quantity == 10.0
    assert "model expired" in found.decisions[5].reason
    held = run(events(CALM), config(path, rails=RailsConfig(on_model_failure="hold")), [LONG])
    assert (held.position(), held.decisions[-1].rail) == (-10.0, "model")
    assert held.decisions[-1].reason == "model expired; model: model expired; hold"


@pytest.mark.parametrize(("state", "hedge"), [("flatten", 0.0), ("hold", 0.0), ("full", -10.0)])
def test_a_model_that_returns_no_number_fails_safe_and_says_so(tmp_path, state, hedge):
    path = str(write_model(tmp_path / "model.onnx", probability=float("nan")))
    found = run(events(CALM), config(path, rails=RailsConfig(on_model_failure=state)), [LONG])
    assert found.position() == hedge
    assert all("model returned an impossible number" in d.reason for d in found.decisions)
    assert found.forecasts == []


def status(hour, action):
    ts = START + hour * HOUR + 30 * SECOND
    return InstrumentStatus(HEDGE, action, ts, ts)


def test_a_halted_instrument_is_not_traded_until_it_resumes(model):
    halts = [status(0, MarketStatusAction.HALT), status(5, MarketStatusAction.TRADING)]
    found = run(events(CALM) + halts, config(model), [LONG])
    assert [d.order_quantity for d in found.decisions] == [0.0] * 5 + [-10.0] + [0.0] * 6
    assert all(d.rail == "venue" and "halted" in d.reason for d in found.decisions[:5])


def test_a_halt_of_another_instrument_is_none_of_its_business(model):
    ts = START + 3 * HOUR
    halt = InstrumentStatus(HELD, MarketStatusAction.HALT, ts, ts)
    assert run([*events(CALM), halt], config(model), [LONG]).position() == -10.0


def test_data_that_stop_arriving_hold_the_hedge(model):
    rows = [e for e in events(CALM) if not (hasattr(e, "data") and e.ts_init > START + 3 * HOUR + HOUR // 2)]
    found = run(rows, config(model), [LONG])
    assert found.position() == -10.0
    flat = run(rows, config(model, rails=RailsConfig(on_stale_data="flatten")), [LONG])
    stale = [d.rail == "freshness" for d in flat.decisions]
    assert stale == [False] * 8 + [True] * 4  # from hour 9 on, 360 minutes and 5 s after the last
    assert flat.position() == 0.0


def test_leverage_is_bounded_by_the_accounts_equity(model):
    found = run(events(CALM), config(model, rails=RailsConfig(stress_rise=0.0)), [LONG], collateral=4000.0)
    assert found.position() == -6.0  # 3 x 4000 / 2000
    assert found.decisions[0].rail == "leverage"


def test_a_thin_account_hedges_no_more_than_it_would_survive(model):
    found = run(events(CALM), config(model), [LONG], collateral=4000.0)
    assert found.position() == -4.239  # 4000 / 2000 / (0.45 + 0.011 x 1.45 + 0.004 x 1.45)
    assert found.decisions[0].rail == "stress"
    assert found.decisions[0].reason.endswith("stress: must survive +45% on equity 4000")


def test_every_decision_and_forecast_is_published_and_survives_a_catalog(model, tmp_path):
    found = run(events(CALM), config(model), [LONG])
    bars = [START + (h + 1) * HOUR + LAGS[HEDGE] for h in range(len(CALM))]
    assert [d.ts_init for d in found.decisions] == [f.ts_init for f in found.forecasts] == bars
    first = found.forecasts[0]
    assert first.down == pytest.approx([0.9, 0.9])
    assert (first.horizons_hours, first.alert_down) == ([4.0, 18.0], True)
    catalog = ParquetDataCatalog(str(tmp_path / "out"))
    catalog.write_data([*found.forecasts, *found.decisions])
    for kind, records in ((HedgeDecision, found.decisions), (CascadeForecast, found.forecasts)):
        assert [getattr(each, "data", each) for each in catalog.query(kind)] == records


def test_a_timer_decides_between_bars(model):
    values = {"use_timer": True, "forecast_interval_secs": 1800.0}
    found = run(events(CALM[:4]), config(model, **values), [LONG])
    assert len(found.decisions) > 2 * 3
    assert found.hedges() == [-10.0]


def test_nothing_is_decided_before_it_is_active(model):
    found = run(events(CALM), config(model, active_from=at(6)), [LONG])
    assert found.decisions[0].ts_init == START + 6 * HOUR + LAGS[HEDGE]
    assert found.hedges() == [-10.0]


def sensitive(tmp_path):
    card = tiny_card(SHORT_SCHEMA)
    values = {"probability": 0.5, "adverse": 0.05, "favourable": 0.03, "sensitivity": 0.45}
    return str(write_model(tmp_path / "model.onnx", card, **values))


@pytest.mark.parametrize("cut", [20, 41])
def test_cutting_off_the_future_changes_no_decision(tmp_path, cut):
    settings = config(sensitive(tmp_path), execution=ExecutionConfig(0.01, 0.9))
    rows, interest = walk(60)
    whole = run(events(rows, interest, 0.0001), settings, [LONG])
    part = run(events(rows[:cut], interest[:cut], 0.0001), settings, [LONG])
    assert part.decisions == whole.decisions[:cut]
    assert part.forecasts == whole.forecasts[:cut]
    assert len(whole.hedges()) > 10


def test_history_before_the_look_back_changes_no_decision(tmp_path):
    # eight hours of look-back, twelve of memory: forty and seventy hours before the first decision are alike
    values = {"active_from": at(80), "execution": ExecutionConfig(0.01, 0.9)}
    settings = config(sensitive(tmp_path), **values)
    rows, interest = walk(120)
    runs = []
    for first in (10, 40):
        data = events(rows[first - 1 :], interest[first - 1 :], 0.0001, first)
        runs.append(run(data, settings, [(10.0, at(79))]))
    for one, other in zip(*(each.forecasts for each in runs), strict=True):
        assert one.down == pytest.approx(other.down, abs=2e-3)
    for one, other in zip(*(each.decisions for each in runs), strict=True):
        assert one.order_quantity == pytest.approx(other.order_quantity, abs=0.1)
    assert len(runs[0].hedges()) > 10


def test_contracts_of_several_coins_are_counted_in_coins(model):
    plain = build_instrument(specs()[0])
    tens = CryptoPerpetual.from_dict(CryptoPerpetual.to_dict(plain) | {"multiplier": "10"})
    found = run(events(CALM), config(model), [(40.0, iso(START))], collateral=1e6, instruments=[tens])
    assert found.position() == -4.0
    assert found.hedges() == [-40.0]


def test_two_perpetuals_at_one_venue_must_be_told_apart(model):
    spec = msgspec.structs.replace(specs()[0], id="ETHUSDC-PERP.BINANCE", quote="USDC")
    other = build_instrument(spec)
    with pytest.raises(ConfigError, match="ETHUSDC-PERP.BINANCE .*two instruments .* name in instrument_ids"):
        run(events(CALM), config(model), [LONG], instruments=[other])
    named = config(model, instrument_ids=(HEDGE, HELD, SPOT))
    assert run(events(CALM), named, [LONG], instruments=[other]).position() == -10.0


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"expires": START}, ModelError, "expired on 2024-01-01"),
        ({"trained_until": START + 99 * HOUR}, ModelError, "trained on data until 2024-01-05"),
        ({"schema": replace(SHORT_SCHEMA, venues=("OKX",))}, ConfigError, "not know the hedge venue"),
        ({"schema": replace(SHORT_SCHEMA, bar_seconds=300)}, ConfigError, "trained on bars of 300 s"),
    ],
)
def test_a_model_that_does_not_fit_stops_the_run_before_the_first_bar(tmp_path, values, error, message):
    path = str(write_model(tmp_path / "model.onnx", tiny_card(**values)))
    with pytest.raises(error, match=message):
        run(events(CALM), config(path), [LONG])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": ""}, "model must name an ONNX file, or models a registry: policy.kind is kelly"),
        ({"models": "models"}, "are both set: name one file or one registry"),
        ({"model": "", "models": "none"}, "models none is not a registry: it holds no registry.json"),
        ({"drift": DriftConfig(window_days=7.0)}, "drift.window_days must lie within 28 and 366"),
        ({"model": "none.onnx"}, "model none.onnx does not exist"),
        ({"exposure": ExposureConfig()}, "exposure names nothing to hedge"),
        ({"rails": RailsConfig(max_leverage=20.0)}, "rails.max_leverage must be above 0 and at most 5"),
        ({"policy": PolicyConfig(max_hedge_ratio=-1.0)}, "policy.max_hedge_ratio must lie within 0 and 1"),
        ({"forecast_interval_secs": 0.0}, "forecast_interval_secs must be above 0"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(model, values, message):
    with pytest.raises(ConfigError, match=message):
        msgspec.structs.replace(config(model), **values).check()


@pytest.mark.parametrize(
    ("exposure", "message"),
    [
        ("ETHUSDT.NOWHERE", "exposure instrument ETHUSDT.NOWHERE does not exist; there are: BTCUSDT"),
        ("BTCUSDT.BINANCE_SPOT", "BTCUSDT.BINANCE_SPOT is of base BTC, the hedge of ETH"),
    ],
)
def test_an_exposure_that_cannot_be_hedged_is_refused(model, exposure, message):
    shared = {"base": "BTC", "quote": "USDT", "price_precision": 2, "size_precision": 3}
    btc = InstrumentSpec(id="BTCUSDT.BINANCE_SPOT", market="spot", maker_fee="0", taker_fee="0", **shared)
    named = ExposureConfig(instrument_ids=(InstrumentId.from_str(exposure),))
    with pytest.raises(ConfigError, match=message):
        run(events(CALM), config(model, exposure=named), [LONG], instruments=[build_instrument(btc)])


def tiny_catalog(path, rows):
    catalog = open_catalog(path, create=True)
    ts = START + np.arange(1, len(rows) + 1) * HOUR
    price, ones = np.array(rows), np.ones(len(rows))
    for spec in specs():
        instrument = build_instrument(spec)
        write_instrument(catalog, instrument)
        bars = BarSeries(
            ts_event=ts, ts_init=ts + LAGS[instrument.id], bar_type=bar_type(instrument.id),
            price_precision=2, size_precision=3, open=price,
            high=price, low=price, close=price, volume=1e6 * ones,
        )  # fmt: skip
        write(catalog, plan_append(catalog, bars))
    interest = OpenInterestSeries(
        ts_event=ts, ts_init=ts + 5 * SECOND, id=HELD, quantity=1000.0 * ones, notional_usd=1000.0 * price
    )
    funding = FundingSeries(
        ts_event=ts[7::8], ts_init=ts[7::8] + 2 * SECOND, id=HEDGE, rate=0.0001 * ones[7::8],
        interval=np.full(ts[7::8].size, 480), next_funding_ns=ts[7::8] + 8 * HOUR,
    )  # fmt: skip
    write(catalog, plan_append(catalog, interest))
    write(catalog, plan_append(catalog, funding))
    return catalog


def test_a_run_written_as_json_hedges_through_the_backtest_node(tmp_path):
    path = write_model(tmp_path / "model.onnx")
    settings = BacktestSettings(exposure_quantity=10.0, latency_ms=0.0, impact=FREE)
    catalog = tiny_catalog(tmp_path / "catalog", [2000.0] * 48)
    plan = make_plan(catalog, settings, path, tiny_card(), None, None)
    text = run_config(plan, PolicyConfig(max_hedge_ratio=0.5), RailsConfig(), ExecutionConfig()).json()
    parsed = BacktestRunConfig.parse(text)
    node = BacktestNode([parsed])
    node.run()
    engine = node.get_engine(parsed.id)
    (position,) = engine.cache.positions_open(venue=Venue("BINANCE"))
    assert position.signed_qty == -5.0
    decisions = find_recorder(engine).decisions
    assert len(decisions) == 48 - 8  # the first eight hours fill the look-back
    assert {d.exposure for d in decisions} == {10.0}
    engine.dispose()
