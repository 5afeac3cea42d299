"""The market as all runs saw it, and the cascades that happened in it."""

from collections.abc import Callable

import numpy as np
from nautilus_trader.model.identifiers import InstrumentId
from numpy.typing import NDArray

from oi_hedge_catalog import store
from oi_hedge_catalog.series import BarSeries
from oi_hedge_strategy.backtest.plan import BacktestPlan
from oi_hedge_strategy.cascades import CascadeEvent, Side, cascade_events, label_cascades
from oi_hedge_strategy.evaluation.records import MarketRecord
from oi_hedge_strategy.history import load_history, venue_slot

Floats = NDArray[np.float64]
_Known = tuple[NDArray[np.int64], Floats]


def market_record(plan: BacktestPlan, bars: BarSeries) -> MarketRecord:
    """Return prices, open interest and funding as known at each bar of the hedge instrument."""
    rows = bars.ts_init >= plan.recorded_from_ns
    ts = bars.ts_init[rows]

    def interest(instrument_id: InstrumentId) -> _Known:
        found = store.read_open_interest(plan.catalog, instrument_id, end_ns=plan.end_ns)
        return found.ts_init, found.quantity

    def funding(instrument_id: InstrumentId) -> _Known:
        found = store.read_funding(plan.catalog, instrument_id, end_ns=plan.end_ns)
        found = found.take(found.interval > 0)
        return found.ts_init, found.rate * 480.0 / found.interval

    return MarketRecord(
        ts=ts,
        open=bars.open[rows],
        high=bars.high[rows],
        low=bars.low[rows],
        close=bars.close[rows],
        open_interest=_by_venue(plan, store.open_interest_ids(plan.catalog), interest, ts),
        funding=_by_venue(plan, store.funding_ids(plan.catalog), funding, ts),
    )


def cascades_in(plan: BacktestPlan) -> tuple[CascadeEvent, ...]:
    """Return the cascades against the exposure whose onset lies within the run."""
    history = load_history(plan.catalog, plan.asset, plan.settings.hedge_instrument, plan.end_ns)
    market = history.hourly()
    labels = label_cascades(market, plan.card.cascade)
    definition = plan.card.cascade
    side: Side = "down" if plan.long else "up"
    events = cascade_events(market, labels, side, definition, definition.event_index)
    return tuple(event for event in events if plan.start_ns <= event.onset_ns <= plan.end_ns)


def _by_venue(
    plan: BacktestPlan,
    ids: list[InstrumentId],
    read: Callable[[InstrumentId], _Known],
    ts: NDArray[np.int64],
) -> dict[str, Floats]:
    known = {each.id for each in plan.instruments}
    found = {}
    for instrument_id in ids:
        if instrument_id in known:
            times, values = read(instrument_id)
            found[venue_slot(instrument_id)] = as_of(times, values, ts)
    return {venue: values for venue, values in found.items() if np.isfinite(values).any()}


def as_of(times: NDArray[np.int64], values: Floats, at: NDArray[np.int64]) -> Floats:
    """Return the last value known at each time, NaN before the first."""
    last = np.searchsorted(times, at, side="right") - 1
    return (
        np.where(last >= 0, values[np.maximum(last, 0)], np.nan) if times.size else np.full(at.size, np.nan)
    )
