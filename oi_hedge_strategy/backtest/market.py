"""The market as all runs saw it, and the cascades that happened in it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from nautilus_trader.model.identifiers import InstrumentId
from numpy.typing import NDArray

from oi_hedge_catalog import store
from oi_hedge_catalog.series import BarSeries
from oi_hedge_strategy.backtest.levels import liquidation_levels
from oi_hedge_strategy.backtest.plan import BacktestPlan
from oi_hedge_strategy.cascades import (
    SIDES,
    CascadeDefinition,
    CascadeEvent,
    CascadeLabels,
    HourlyMarket,
    Side,
    cascade_events,
    label_cascades,
)
from oi_hedge_strategy.evaluation.records import LiquidationLevels, MarketRecord
from oi_hedge_strategy.history import MAX_INTEREST_AGE_NS, load_history, venue_slot
from oi_hedge_strategy.state.schema import NANOSECONDS_PER_HOUR

Floats = NDArray[np.float64]
MAP_TIMES = 366


@dataclass(frozen=True, slots=True)
class Hindsight:
    """Hold what is known of a run's market afterwards, named as in `BacktestRecord`."""

    events: tuple[CascadeEvent, ...]
    outcomes: pd.DataFrame
    levels: LiquidationLevels


def market_record(plan: BacktestPlan, bars: BarSeries, from_ns: int | None = None) -> MarketRecord:
    """
    Return prices, open interest and funding as known at each bar of the hedge instrument.

    The record begins with those of the runs, or at `from_ns`.
    """
    rows = bars.ts_init >= (plan.recorded_from_ns if from_ns is None else from_ns)
    ts, ends = bars.ts_init[rows], bars.ts_event[rows]

    def interest(instrument_id: InstrumentId) -> Floats:
        found = store.read_open_interest(plan.catalog, instrument_id, end_ns=plan.end_ns)
        fresh = ends - as_of(found.ts_init, found.ts_init.astype(np.float64), ts) <= MAX_INTEREST_AGE_NS
        return np.where(fresh, as_of(found.ts_init, found.quantity, ts), np.nan)

    def funding(instrument_id: InstrumentId) -> Floats:
        found = store.read_funding(plan.catalog, instrument_id, end_ns=plan.end_ns)
        found = found.take(found.interval > 0)
        return as_of(found.ts_init, found.rate * 480.0 / found.interval, ts)

    return MarketRecord(
        ts=ts,
        open=bars.open[rows],
        high=bars.high[rows],
        low=bars.low[rows],
        close=bars.close[rows],
        open_interest=_by_venue(plan, store.open_interest_ids(plan.catalog), interest),
        funding=_by_venue(plan, store.funding_ids(plan.catalog), funding),
    )


def hindsight(plan: BacktestPlan, decisions: NDArray[np.int64]) -> Hindsight:
    """
    Return the cascades of a run, what followed each decision, and the liquidation map through time.

    Parameters
    ----------
    plan : BacktestPlan
        The plan.
    decisions : int64 array, shape (n,)
        Times of the decisions, ascending.

    """
    history = load_history(plan.catalog, plan.asset, plan.settings.hedge_instrument, plan.end_ns)
    market, definition = history.hourly(), plan.card.cascade
    labels = label_cascades(market, definition)
    side: Side = "down" if plan.long else "up"
    events = cascade_events(market, labels, side, definition, definition.event_index)
    within = (market.ts >= decisions[0] - NANOSECONDS_PER_HOUR) & (market.ts <= decisions[-1])
    prices = market.close[within & np.isfinite(market.close)]
    known = np.linspace(0, decisions.size - 1, min(decisions.size, MAP_TIMES)).astype(np.int64)
    return Hindsight(
        tuple(event for event in events if plan.start_ns <= event.onset_ns <= plan.end_ns),
        outcomes_at(decisions, market, labels, definition),
        liquidation_levels(
            history.since(plan.warm_up_ns), plan.card.schema, decisions[known], prices.min(), prices.max()
        ),
    )


def outcomes_at(
    decisions: NDArray[np.int64], market: HourlyMarket, labels: CascadeLabels, definition: CascadeDefinition
) -> pd.DataFrame:
    """Return what followed the hour of each decision, as `BacktestRecord.outcomes` wants it."""
    rows = np.searchsorted(market.ts, decisions, side="right") - 1
    known = (rows >= 0) & (decisions - market.ts[np.maximum(rows, 0)] < NANOSECONDS_PER_HOUR)
    return pd.DataFrame(
        {
            f"{side}_{hours}h": np.where(known, labels.cascade[rows, s, h], np.nan)
            for s, side in enumerate(SIDES)
            for h, hours in enumerate(definition.horizons_hours)
        }
    )


def _by_venue(
    plan: BacktestPlan,
    ids: list[InstrumentId],
    read: Callable[[InstrumentId], Floats],
) -> dict[str, Floats]:
    known = {each.id for each in plan.instruments}
    found = {}
    for instrument_id in ids:
        if instrument_id in known:
            found[venue_slot(instrument_id)] = read(instrument_id)
    return {venue: values for venue, values in found.items() if np.isfinite(values).any()}


def as_of(times: NDArray[np.int64], values: Floats, at: NDArray[np.int64]) -> Floats:
    """Return the last value known at each time, NaN before the first."""
    last = np.searchsorted(times, at, side="right") - 1
    return (
        np.where(last >= 0, values[np.maximum(last, 0)], np.nan) if times.size else np.full(at.size, np.nan)
    )
