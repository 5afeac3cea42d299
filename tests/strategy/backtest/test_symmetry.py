"""What must not change a backtest's figures: mirrored prices, and how a contract counts its coins."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from nautilus_trader.model.data import BarType
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import CryptoPerpetual
from support.models import SHORT_SCHEMA, tiny_card, write_model

from oi_hedge_catalog.instruments import InstrumentSpec, build_instrument
from oi_hedge_catalog.series import BarSeries, FundingSeries, OpenInterestSeries
from oi_hedge_catalog.store import open_catalog, write_info
from oi_hedge_catalog.writer import exclusive, plan_append, write, write_instrument
from oi_hedge_strategy.backtest.collect import collect_run
from oi_hedge_strategy.backtest.market import market_record
from oi_hedge_strategy.backtest.plan import BacktestPlan, make_plan
from oi_hedge_strategy.backtest.run import observe
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.backtest.variants import WITHOUT_RAILS, execute, held_bars, run_variants, scheduled
from oi_hedge_strategy.evaluation.daily import calendar
from oi_hedge_strategy.evaluation.effectiveness import skill
from oi_hedge_strategy.evaluation.records import RunRecord
from oi_hedge_strategy.hedging.observed import Observed
from oi_hedge_strategy.simulation.costs import CostsConfig
from oi_hedge_strategy.simulation.ledger import SimulationLedger

HOUR, SECOND = 3_600_000_000_000, 1_000_000_000
START = 1_711_929_600_000_000_000  # 2024-04-01T00:00Z
HOURS, FIRST, RATE = 240, 72, 0.0001
HEDGE, HELD = (InstrumentId.from_str(each) for each in ("ETHUSDT-PERP.BINANCE", "ETHUSDT-PERP.BYBIT"))
CARD = tiny_card(replace(SHORT_SCHEMA, venues=("BINANCE", "BYBIT")))
PATH = 2000.0 + np.round(np.cumsum(np.random.default_rng(3).normal(0.0, 12.0, HOURS)), 2)
FREE = BacktestSettings(
    hedge_instrument=HEDGE,
    exposure_instrument=HELD,
    latency_ms=0.0,
    impact={
        "impact_coefficient": 0.0,
        "half_spread_bps": 0.0,
        "min_half_spread_bps": 0.0,
        "permanent_coefficient": 0.0,
    },
    costs=CostsConfig(taker_fee=0.0, feed_ms=0.0, response_ms=0.0, latency_jitter=0.0, moves_market=False),
)


def perpetual(instrument_id: InstrumentId, multiplier: str) -> CryptoPerpetual:
    fees = {"maker_fee": "0", "taker_fee": "0"}
    terms = {"base": "ETH", "quote": "USDT", "price_precision": 2, "size_precision": 3}
    found = build_instrument(InstrumentSpec(id=str(instrument_id), market="perp", **terms, **fees))
    return CryptoPerpetual.from_dict(CryptoPerpetual.to_dict(found) | {"multiplier": multiplier})


def plan_of(
    path: Path,
    close: np.ndarray,
    settings: BacktestSettings,
    rate: float,
    coins: dict[InstrumentId, str] | None = None,
    interest_hours: dict[InstrumentId, int] | None = None,
) -> tuple[BacktestPlan, dict[int, Observed]]:
    """Return the plan of a small market, and what its hedged run observed."""
    path.mkdir()
    catalog = open_catalog(path / "catalog", create=True)
    opened, ts = np.concatenate([close[:1], close[:-1]]), START + np.arange(HOURS) * HOUR
    with exclusive(catalog):
        write_info(catalog, {"simulated": True})
        for each, lag in ((HEDGE, 10), (HELD, 5)):
            write_instrument(catalog, perpetual(each, (coins or {}).get(each, "1")))
            kind = BarType.from_str(f"{each}-1-HOUR-LAST-EXTERNAL")
            prices = (opened, np.maximum(opened, close), np.minimum(opened, close), close)
            bars = BarSeries(ts, ts + lag * SECOND, kind, 2, 3, *prices, np.full(HOURS, 5e4))
            interest = np.full(HOURS, 1e6)
            reported = (interest_hours or {}).get(each, HOURS)
            due = ts[::8]
            paid = np.full(due.size, rate), np.full(due.size, 480), due + 8 * HOUR
            for series in (
                bars,
                OpenInterestSeries(ts, ts + SECOND, each, interest, interest * close).take(slice(reported)),
                FundingSeries(due, due + 15 * SECOND, each, *paid),
            ):
                write(catalog, plan_append(catalog, series))
    model = write_model(path / "model.onnx", CARD)
    plan = make_plan(catalog, settings, model, CARD, START + FIRST * HOUR, START + (HOURS - 1) * HOUR)
    engine, _, observed = observe(plan)
    engine.dispose()
    return plan, observed


def runs(
    path: Path, close: np.ndarray, quantity: float, rate: float, coins: dict[InstrumentId, str] | None = None
) -> dict[str, RunRecord]:
    """Run no hedge, a constant half and one that comes and goes, without costs but funding."""
    settings = msgspec.structs.replace(FREE, exposure_quantity=quantity)
    plan, observed = plan_of(path, close, settings, rate, coins)
    count = len(observed)
    ratios = {"none": np.zeros(count), "half": np.full(count, 0.5), "turns": np.arange(count) // 13 % 2 * 0.6}
    variants = [scheduled(name, each, settings.policy) for name, each in ratios.items()]
    return run_variants(plan, observed, variants, workers=1)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return runs(tmp_path_factory.mktemp("plain") / "run", PATH, 10.0, RATE)


def test_a_mirrored_price_and_exposure_give_the_same_profit(tmp_path):
    long = runs(tmp_path / "long", PATH, 10.0, 0.0)
    short = runs(tmp_path / "short", 4000.0 - PATH, -10.0, 0.0)
    for name, run in long.items():
        np.testing.assert_allclose(short[name].total_pnl, run.total_pnl, atol=1e-9)
        np.testing.assert_array_equal(short[name].hedge_quantity, -run.hedge_quantity)


def test_a_constant_hedge_has_no_skill_and_receives_the_funding_counted_by_hand(plain):
    days = calendar(plain["none"].ts)
    alone, half = plain["none"], plain["half"]
    before_funding = days.net(half.total_pnl + half.funding)
    assert skill(before_funding, days.net(alone.total_pnl)) == pytest.approx(0.0, abs=1e-12)
    due = np.arange(0, HOURS, 8)
    by_hand = 5.0 * RATE * PATH[due[due > FIRST]].sum()
    assert -half.funding[-1] == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("instrument_id", [HEDGE, HELD])
def test_a_contract_of_a_tenth_of_a_coin_changes_no_figure(plain, tmp_path, instrument_id):
    found = runs(tmp_path / "run", PATH, 10.0, RATE, {instrument_id: "0.1"})
    for name, run in plain.items():
        for field in ("exposure_quantity", "hedge_quantity", "exposure_pnl", "hedge_pnl", "funding"):
            np.testing.assert_allclose(getattr(found[name], field), getattr(run, field), atol=1e-6)


def test_a_forced_close_pays_slippage_too(tmp_path):
    price = np.where(np.arange(HOURS) < 2 * FIRST, 2000.0, 4500.0)
    costs = {"half_spread_bps": 5.0, "impact_coefficient": 0.0, "permanent_coefficient": 0.0}
    settings = msgspec.structs.replace(FREE, exposure_quantity=10.0, impact=costs)
    plan, observed = plan_of(tmp_path / "run", price, settings, 0.0)
    rails = msgspec.structs.replace(WITHOUT_RAILS, min_liquidation_distance=0.0)
    full = replace(scheduled("full", np.ones(len(observed)), settings.policy), rails=rails)
    engine = execute(plan, observed, full)
    (closed,) = SimulationLedger.of(engine.trader.actors()).liquidations
    run = collect_run("full", engine, plan, *held_bars(plan))
    engine.dispose()
    assert closed.price > closed.reference_price == pytest.approx(40_000.0 / 10.04, rel=1e-3)
    before_costs = run.hedge_pnl[-1] + run.fees[-1] + run.slippage[-1]
    assert before_costs == pytest.approx(-10.0 * (closed.reference_price - 2000.0), abs=1e-6)


def test_open_interest_of_a_venue_that_fell_silent_is_unknown_after_six_hours(tmp_path):
    plan, _ = plan_of(tmp_path / "run", PATH, FREE, 0.0, interest_hours={HELD: 100})
    market = market_record(plan, held_bars(plan)[0])
    known = np.isfinite(market.open_interest["BYBIT"])
    assert known.sum() == 99 + 6 - FIRST
    assert known[: known.sum()].all()
    assert np.isfinite(market.open_interest["BINANCE"]).all()
