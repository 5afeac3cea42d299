"""From a finished engine to plain records: positions, profit and loss, costs, decisions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import InstrumentId, StrategyId
from numpy.typing import NDArray

from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.series import BarSeries
from oi_hedge_strategy.backtest.market import as_of
from oi_hedge_strategy.backtest.node_config import HEDGE_ID, HOLDER_ID
from oi_hedge_strategy.backtest.plan import BacktestPlan
from oi_hedge_strategy.backtest.recorder import DecisionRecorder
from oi_hedge_strategy.evaluation.records import RunRecord
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision
from oi_hedge_strategy.simulation.ledger import SimulationLedger
from oi_hedge_strategy.simulation.records import SimulationRecord
from oi_hedge_strategy.strategy import OIHedgeStrategy

Floats = NDArray[np.float64]
_TOLERANCE = 1e-6
_DECIMALS = 9
_LAST = np.array([np.iinfo(np.int64).max])


@dataclass(frozen=True, slots=True)
class _Fills:
    """Hold one strategy's fills: times, signed base coin, prices, commissions, shape (n,) each."""

    ts: NDArray[np.int64]
    quantity: Floats
    price: Floats
    commission: Floats

    def position(self, at: NDArray[np.int64]) -> Floats:
        """Return the signed position at each time, freed of the sum's round-off."""
        return np.round(cumulative(self.ts, self.quantity, at), _DECIMALS)

    def pnl(self, at: NDArray[np.int64], price: Floats) -> Floats:
        """Return profit and loss before commissions, marked at `price`, at each time."""
        return cumulative(self.ts, -self.quantity * self.price, at) + self.position(at) * price


def cumulative(ts: NDArray[np.int64], amounts: Floats, at: NDArray[np.int64]) -> Floats:
    """Return the sum of all amounts up to each time, shape of `at`."""
    total = np.concatenate([[0.0], np.cumsum(amounts)])
    return total[np.searchsorted(ts, at, side="right")]


def collect_run(
    name: str, engine: BacktestEngine, plan: BacktestPlan, hedge_bars: BarSeries, exposure_bars: BarSeries
) -> RunRecord:
    """
    Return the record of a finished run.

    Parameters
    ----------
    name : str
        The run's name.
    engine : BacktestEngine
        The engine, not yet disposed.
    plan : BacktestPlan
        The plan.
    hedge_bars, exposure_bars : BarSeries
        The bars of both instruments from warm-up to end.

    Raises
    ------
    DataError
        If the engine ended early, or its account does not agree with the fills.

    """
    _check_complete(name, engine, hedge_bars)
    hedge = _fills(engine, plan.settings.hedge_instrument, HEDGE_ID)
    own = _fills(engine, plan.settings.exposure_instrument, HOLDER_ID)
    ledger = SimulationLedger.of(engine.trader.actors())
    ts = hedge_bars.ts_init[hedge_bars.ts_init >= plan.recorded_from_ns]
    close = _seen(ledger, hedge_bars)[hedge_bars.ts_init >= plan.recorded_from_ns]
    exposure_seen = _seen(ledger, exposure_bars)
    exposure_close = as_of(exposure_bars.ts_init, exposure_seen, ts)
    before = np.array([plan.recorded_from_ns - 1])
    earlier = own.pnl(before, as_of(exposure_bars.ts_init, exposure_seen, before))[0]
    funding = [p for p in ledger.funding_payments if p.strategy_id == HEDGE_ID]
    received = cumulative(_times(funding), np.array([p.amount for p in funding]), ts)
    fees = cumulative(hedge.ts, hedge.commission, ts)
    pnl = hedge.pnl(ts, close) - fees + received
    if plan.settings.exposure_instrument.venue != plan.settings.hedge_instrument.venue:
        paid = hedge.commission.sum() - sum(p.amount for p in funding)
        final = plan.collateral + float(hedge.pnl(_LAST, close[-1:])[0] - paid)
        _check_account(name, engine, plan, final, float(close[-1]))
    orders = engine.cache.orders(strategy_id=StrategyId(HEDGE_ID))
    return RunRecord(
        name=name,
        ts=ts,
        exposure_quantity=own.position(ts),
        hedge_quantity=hedge.position(ts),
        exposure_pnl=own.pnl(ts, exposure_close) - float(earlier),
        hedge_pnl=pnl,
        fees=fees,
        slippage=_slippage(ledger, plan, ts),
        funding=-received,
        hedge_equity=plan.collateral + pnl,
        orders=len(orders),
        fills=int(hedge.ts.size),
        liquidations=sum(1 for each in ledger.liquidations if each.strategy_id == HEDGE_ID),
    )


def collect_decisions(engine: BacktestEngine, plan: BacktestPlan) -> pd.DataFrame:
    """Return the decisions with their forecasts as `BacktestRecord.decisions` wants them."""
    recorder = find_recorder(engine)
    hours = plan.card.cascade.horizons_hours
    return decision_table(recorder.decisions, recorder.forecasts, hours, plan.long)


def decision_table(
    decisions: Sequence[HedgeDecision],
    forecasts: Sequence[CascadeForecast],
    horizons_hours: Sequence[int],
    long: bool,
) -> pd.DataFrame:
    """Return decisions joined with the forecasts of their times, as `BacktestRecord.decisions` wants them."""
    table = pd.DataFrame(
        [
            (d.ts_init, d.exposure, d.wanted, d.allowed, d.target, d.rail, d.reason, d.held, d.model_sha256)
            for d in decisions
        ],
        columns=["ts", "exposure", "wanted", "allowed", "target", "rail", "reason", "held", "model"],
    )
    heads = [f"p_{side}_{hours}h" for side in ("down", "up") for hours in horizons_hours]
    rows = [(f.ts_init, *f.down, *f.up, f.alert_down if long else f.alert_up) for f in forecasts]
    joined = table.merge(
        pd.DataFrame(rows, columns=["ts", *heads, "alert"]), on="ts", how="left", validate="one_to_one"
    )
    joined["alert"] = joined["alert"].fillna(False).astype(bool)
    return joined


def find_recorder(engine: BacktestEngine) -> DecisionRecorder:
    """Return the engine's decision recorder."""
    return next(a for a in engine.trader.actors() if isinstance(a, DecisionRecorder))


def find_strategy(engine: BacktestEngine) -> OIHedgeStrategy:
    """Return the engine's hedging strategy."""
    return next(s for s in engine.trader.strategies() if isinstance(s, OIHedgeStrategy))


def _fills(engine: BacktestEngine, instrument_id: InstrumentId, strategy_id: str) -> _Fills:
    events = [
        event
        for order in engine.cache.orders(instrument_id=instrument_id, strategy_id=StrategyId(strategy_id))
        for event in order.events
        if isinstance(event, OrderFilled)
    ]
    events.sort(key=lambda event: event.ts_event)
    unit = engine.cache.instrument(instrument_id).multiplier.as_double()
    sign = [unit if event.is_buy else -unit for event in events]
    return _Fills(
        np.array([event.ts_event for event in events], np.int64),
        np.array([s * event.last_qty.as_double() for s, event in zip(sign, events, strict=True)], np.float64),
        np.array([event.last_px.as_double() for event in events], np.float64),
        np.array([event.commission.as_double() for event in events], np.float64),
    )


def _seen(ledger: SimulationLedger, bars: BarSeries) -> Floats:
    """Return the bars' closes as the run saw them, moved by its own trades."""
    return ledger.close_of(bars.instrument_id, bars.ts_init, bars.close)


def _slippage(ledger: SimulationLedger, plan: BacktestPlan, ts: NDArray[np.int64]) -> Floats:
    """Return what the hedge paid beyond the market's price by each time, in forced closes too."""
    unit = plan.hedge.multiplier.as_double()
    paid = [(c.ts_init, c.amount) for c in ledger.fill_costs if c.strategy_id == HEDGE_ID]
    paid += [
        (each.ts_init, each.quantity * unit * (each.reference_price - each.price))
        for each in ledger.liquidations
        if each.strategy_id == HEDGE_ID
    ]
    paid.sort()
    times, amounts = (np.array([row[at] for row in paid]) for at in (0, 1))
    return cumulative(times, amounts, ts)


def _times(records: Sequence[SimulationRecord]) -> NDArray[np.int64]:
    return np.array([each.ts_init for each in records], np.int64)


def _check_complete(name: str, engine: BacktestEngine, hedge_bars: BarSeries) -> None:
    """Refuse a run whose engine stopped before the last bar, which it only says in its log."""
    seen = find_strategy(engine).bars_seen
    if seen != len(hedge_bars):
        raise DataError(
            f"run {name!r} ended early: the strategy saw {seen} of {len(hedge_bars)} bars of "
            f"{hedge_bars.instrument_id}; run it with --log-level INFO to see why the engine stopped"
        )


def _check_account(
    name: str, engine: BacktestEngine, plan: BacktestPlan, expected: float, close: float
) -> None:
    """Compare the hedge account's equity with that computed from fills, fees and funding."""
    account = engine.cache.account_for_venue(plan.settings.hedge_instrument.venue)
    equity = account.balance_total(plan.hedge.settlement_currency).as_double()
    for position in engine.cache.positions_open(venue=plan.settings.hedge_instrument.venue):
        equity += position.unrealized_pnl(plan.hedge.make_price(close)).as_double()
    if abs(equity - expected) > _TOLERANCE * plan.collateral:
        raise DataError(
            f"run {name!r}: the account's equity is {equity:.4f}, fills and costs give {expected:.4f}; "
            "costs would be reported wrongly"
        )
