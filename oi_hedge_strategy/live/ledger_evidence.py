"""From the running ledger to the record that the evaluation judges, as it judges a backtest."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oi_hedge_adapters.venues import row_of
from oi_hedge_catalog.errors import DataError
from oi_hedge_strategy.backtest.collect import cumulative, decision_table
from oi_hedge_strategy.backtest.market import outcomes_at
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.cascades import HourlyMarket, Side, cascade_events, label_cascades
from oi_hedge_strategy.evaluation.records import BacktestRecord, Floats, MarketRecord, RunRecord, Times
from oi_hedge_strategy.forecast.card import ModelCard
from oi_hedge_strategy.live.ledger import read_ledger
from oi_hedge_strategy.live.ledger_records import LedgerBar, LedgerFill
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision
from oi_hedge_strategy.simulation.records import FillCost, FundingPayment, PositionLiquidated

_SECOND_NS = 1_000_000_000
_DAY_NS = 86_400 * _SECOND_NS
_EARLY = 60
"""A bar may be known by this part of its length before its end, as a clock that is not exact says."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """
    Hold how much of the time the ledger covers.

    Parameters
    ----------
    start_ns, end_ns : int
        Its first and last bar.
    bars, expected : int
        How many bars it has, and how many the time between has.

    """

    start_ns: int
    end_ns: int
    bars: int
    expected: int

    @property
    def days(self) -> float:
        """Return its length in days."""
        return (self.end_ns - self.start_ns) / _DAY_NS

    @property
    def gap_share(self) -> float:
        """Return the share of bars that are missing."""
        return 1.0 - self.bars / self.expected


def ledger_coverage(ledger: Path, bar_seconds: int) -> Coverage:
    """
    Return how much of the time a ledger covers.

    Raises
    ------
    DataError
        If there is no ledger, or it has fewer than two bars.

    """
    return _coverage(_bars(ledger), bar_seconds)


def ledger_record(ledger: Path, settings: BacktestSettings, card: ModelCard) -> BacktestRecord:
    """
    Return what a ledger says, as the record of a backtest.

    Profit and loss of the hedge are the change of the account's equity since the first bar, so that nothing
    that the account was charged is left out. Decisions are those on bars, as in a backtest; those of the
    timer are in the ledger alone. The first hours, as many as `volatility_hours`, have no outcome.

    Parameters
    ----------
    ledger : Path
        Its directory.
    settings : BacktestSettings
        Of the run.
    card : ModelCard
        Of the model, whose definition of a cascade the outcomes follow.

    Raises
    ------
    DataError
        If there is no ledger, or it cannot be judged.

    """
    bars, definition = _bars(ledger), card.cascade
    ts = np.array([bar.ts_init for bar in bars], np.int64)
    long = settings.exposure_quantity > 0.0
    side: Side = "down" if long else "up"
    known = set(ts.tolist())
    decisions = [d for d in read_ledger(ledger, HedgeDecision) if d.trigger == "bar" and d.ts_init in known]
    forecasts = [f for f in read_ledger(ledger, CascadeForecast) if f.ts_init in known]
    table = decision_table(decisions, forecasts, definition.horizons_hours, long)
    hourly = _on_grid(bars, card.schema.bar_seconds)
    labels = label_cascades(hourly, definition)
    events = cascade_events(hourly, labels, side, definition, definition.event_index)
    parts = row_of(settings.hedge_instrument).parts(settings.hedge_instrument.symbol.value)
    assert parts is not None
    asset = parts["base"]
    span = (ts[-1] - ts[0]) / _SECOND_NS
    return BacktestRecord(
        market=_market(bars, ts),
        runs={"hedged": _hedged(ledger, bars, ts), "unhedged": _unhedged(bars, ts)},
        decisions=table,
        events=tuple(events),
        definition=definition,
        event_hours=definition.event_hours,
        asset=asset,
        hedge_instrument=str(settings.hedge_instrument),
        exposure_instrument=str(settings.exposure_instrument),
        exposure=f"{abs(settings.exposure_quantity):g} {asset} {'long' if long else 'short'}",
        cost_note="as the account was charged",
        model={"name": card.name, "file": Path(settings.model or settings.models).name},
        simulated=False,
        bars_per_second=float(len(bars) / span),
        on_bar_us={"p50": nan, "p99": nan},
        quote=parts["quote"],
        outcomes=outcomes_at(table["ts"].to_numpy(np.int64), hourly, labels, definition),
    )


def _bars(ledger: Path) -> list[LedgerBar]:
    """Return the bars, the last one where a time has several."""
    found = list({bar.ts_init: bar for bar in read_ledger(ledger, LedgerBar)}.values())
    if len(found) < 2:
        raise DataError(f"the ledger {ledger} has {len(found)} bars, expected at least 2; let the run go on")
    return found


def _coverage(bars: Sequence[LedgerBar], bar_seconds: int) -> Coverage:
    rows = _rows(bars, bar_seconds)
    count = int(np.unique(rows).size)
    return Coverage(bars[0].ts_init, bars[-1].ts_init, count, int(rows[-1] - rows[0]) + 1)


def _rows(bars: Sequence[LedgerBar], bar_seconds: int) -> Times:
    """Return on which end of the grid each bar lies; a clock that is a little behind may be before it."""
    step = bar_seconds * _SECOND_NS
    return (np.array([bar.ts_init for bar in bars], np.int64) + step // _EARLY) // step


def _market(bars: Sequence[LedgerBar], ts: Times) -> MarketRecord:
    return MarketRecord(
        ts=ts,
        open=_column(bars, "open"),
        high=_column(bars, "high"),
        low=_column(bars, "low"),
        close=_column(bars, "close"),
        open_interest=_by_venue(bars, "open_interest"),
        funding=_by_venue(bars, "funding_8h"),
    )


def _hedged(ledger: Path, bars: Sequence[LedgerBar], ts: Times) -> RunRecord:
    fills, slippage = read_ledger(ledger, LedgerFill), read_ledger(ledger, FillCost)
    funding, equity = read_ledger(ledger, FundingPayment), _column(bars, "equity")
    return RunRecord(
        name="hedged",
        ts=ts,
        exposure_quantity=_column(bars, "exposure"),
        hedge_quantity=_column(bars, "hedge_quantity"),
        exposure_pnl=_exposure_pnl(bars),
        hedge_pnl=equity - equity[0],
        fees=_sum_until([(f.ts_init, f.commission) for f in fills], ts),
        slippage=_sum_until([(c.ts_init, c.amount) for c in slippage], ts),
        funding=-_sum_until([(p.ts_init, p.amount) for p in funding], ts),
        hedge_equity=equity,
        orders=len({fill.client_order_id for fill in fills}),
        fills=len(fills),
        liquidations=len(read_ledger(ledger, PositionLiquidated)),
    )


def _unhedged(bars: Sequence[LedgerBar], ts: Times) -> RunRecord:
    none, equity = np.zeros(ts.size), _column(bars, "equity")
    return RunRecord(
        name="unhedged",
        ts=ts,
        exposure_quantity=_column(bars, "exposure"),
        hedge_quantity=none,
        exposure_pnl=_exposure_pnl(bars),
        hedge_pnl=none,
        fees=none,
        slippage=none,
        funding=none,
        hedge_equity=np.full(ts.size, equity[0]),
    )


def _exposure_pnl(bars: Sequence[LedgerBar]) -> Floats:
    """Return the profit and loss of what was held from bar to bar."""
    held, price = _column(bars, "exposure"), _column(bars, "exposure_price")
    return np.concatenate([[0.0], np.cumsum(held[:-1] * np.diff(price))])


def _sum_until(amounts: Sequence[tuple[int, float]], ts: Times) -> Floats:
    times = np.array([at for at, _ in amounts], np.int64)
    return cumulative(times, np.array([amount for _, amount in amounts], np.float64), ts)


def _column(bars: Sequence[LedgerBar], name: str) -> NDArray[np.float64]:
    return np.array([getattr(bar, name) for bar in bars], np.float64)


def _by_venue(bars: Sequence[LedgerBar], name: str) -> dict[str, Floats]:
    venues = sorted({venue for bar in bars for venue in bar.venues})
    rows = [dict(zip(bar.venues, getattr(bar, name), strict=True)) for bar in bars]
    return {venue: np.array([row.get(venue, nan) for row in rows], np.float64) for venue in venues}


def _on_grid(bars: Sequence[LedgerBar], bar_seconds: int) -> HourlyMarket:
    """Return the bars on a regular grid of their ends, NaN where the ledger has a gap."""
    step = bar_seconds * _SECOND_NS
    rows = _rows(bars, bar_seconds)
    at, size = rows - rows[0], int(rows[-1] - rows[0]) + 1

    def spread(values: Floats) -> Floats:
        out = np.full((size, *values.shape[1:]), nan)
        out[at] = values
        return out

    interest = _by_venue(bars, "open_interest")
    return HourlyMarket(
        ts=(np.arange(size) + rows[0]) * step,
        high=spread(_column(bars, "high")),
        low=spread(_column(bars, "low")),
        close=spread(_column(bars, "close")),
        open_interest=spread(np.column_stack(list(interest.values()) or [np.full(len(bars), nan)])),
    )
