"""What a scenario did to the book: losses, cost, margin and rails of one run."""

from collections.abc import Mapping
from dataclasses import dataclass
from re import findall

import numpy as np
import pandas as pd

from oi_hedge_catalog.series import BarSeries
from oi_hedge_strategy.evaluation.records import Floats, RunRecord, Times
from oi_hedge_strategy.hedging.rails import RAIL_NAMES
from oi_hedge_strategy.margin import MarginSchedule

_NAMED = rf"(?:^|; )({'|'.join(RAIL_NAMES)}): "
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    Hold what one run of a scenario gave; money is a fraction of the exposure's notional at the start.

    Parameters
    ----------
    policy : str
        What decided on the hedge, in words.
    held_at_onset : float
        Hedge ratio just before the shock.
    most_held : float
        Largest hedge ratio of the run.
    loss_unhedged, loss_hedged : float
        Deepest fall of the book's value below that at the start, at the bars' closes; at least zero.
    end_unhedged, end_hedged : float
        Profit and loss at the end.
    cost : float
        Fees, slippage and funding; negative when more funding was received.
    worst_margin : float, optional
        Least equity of the hedge account over its position's notional, at the bars' worst prices; none where
        nothing was ever held.
    maintenance : float, optional
        Maintenance margin over notional at that moment.
    liquidations, stops : int
        Liquidations of the hedge, and hard stops that were filled.
    rails : mapping of str to int
        Decisions in which each rail acted.
    ts : int64 array, shape (n,)
        Times of the series.
    price, high, low : float64 array, shape (n,)
        Close, high and low of the hedge instrument.
    ratio, unhedged, hedged, equity : float64 array, shape (n,)
        Hedge ratio, profit and loss, and equity of the hedge account.

    """

    policy: str
    held_at_onset: float
    most_held: float
    loss_unhedged: float
    loss_hedged: float
    end_unhedged: float
    end_hedged: float
    cost: float
    worst_margin: float | None
    maintenance: float | None
    liquidations: int
    stops: int
    rails: Mapping[str, int]
    ts: Times
    price: Floats
    high: Floats
    low: Floats
    ratio: Floats
    unhedged: Floats
    hedged: Floats
    equity: Floats

    @property
    def solvent(self) -> bool:
        """Return whether the hedge was never liquidated, nor at or below maintenance margin."""
        if self.worst_margin is None or self.maintenance is None:
            return self.liquidations == 0
        return self.liquidations == 0 and self.worst_margin > self.maintenance


def measure(
    run: RunRecord,
    bars: BarSeries,
    decisions: pd.DataFrame,
    stops: int,
    *,
    onset_ns: int,
    start_price: float,
    collateral: float,
    quote: Floats,
    policy: str,
) -> Outcome:
    """
    Return the outcome of a run.

    Parameters
    ----------
    run : RunRecord
        The run.
    bars : BarSeries
        The hedge instrument's bars at the run's times.
    decisions : DataFrame
        As `collect_decisions` returns them.
    stops : int
        Hard stops that were filled.
    onset_ns : int
        When the shock began.
    start_price : float
        Of the exposure at the start.
    collateral : float
        Balance of the hedge account at the start.
    quote : float64 array, shape (n,)
        Price of the quote currency in US dollars: profit and loss are in dollars, those on the collateral
        included for the hedged book.
    policy : str
        What decided.

    """
    notional = start_price * abs(float(run.exposure_quantity[-1]))
    exposure_value = start_price * float(run.exposure_quantity[-1])
    unhedged = ((exposure_value + run.exposure_pnl) * quote - exposure_value) / notional
    account = (run.hedge_equity * quote - collateral) / notional
    hedged = unhedged + account
    exposed = run.exposure_quantity != 0.0
    held = (
        -np.divide(run.hedge_quantity, run.exposure_quantity, out=np.zeros(run.ts.size), where=exposed).round(
            9
        )
        + 0.0
    )
    before = held[run.ts <= onset_ns]
    worst, maintenance = _worst_margin(run, bars)
    paid = (run.fees + run.slippage + run.funding)[-1]
    return Outcome(
        policy=policy,
        held_at_onset=float(before[-1]) if before.size else 0.0,
        most_held=float(held.max()),
        loss_unhedged=max(0.0, -float(unhedged.min())),
        loss_hedged=max(0.0, -float(hedged.min())),
        end_unhedged=float(unhedged[-1]),
        end_hedged=float(hedged[-1]),
        cost=float(paid) / notional,
        worst_margin=worst,
        maintenance=maintenance,
        liquidations=run.liquidations,
        stops=stops,
        rails=rails_that_acted(decisions["reason"]),
        ts=run.ts,
        price=bars.close,
        high=bars.high,
        low=bars.low,
        ratio=held,
        unhedged=unhedged,
        hedged=hedged,
        equity=run.hedge_equity / notional,
    )


def rails_that_acted(reasons: pd.Series) -> dict[str, int]:
    """Return in how many decisions each rail acted, in the order of the rails."""
    counts = dict.fromkeys(RAIL_NAMES, 0)
    for reason in reasons.astype(str):
        for name in set(findall(_NAMED, reason)):
            counts[name] += 1
    return {name: count for name, count in counts.items() if count}


def _worst_margin(run: RunRecord, bars: BarSeries) -> tuple[float | None, float | None]:
    """
    Return the least equity over notional, with the maintenance margin over notional there.

    A position that stood through a bar is valued at the bar's worst price; one that was changed in it, at
    the bar's open and what is left of it at the close.
    """
    held, before = run.hedge_quantity, np.concatenate([[0.0], run.hedge_quantity[:-1]])
    last = np.concatenate([bars.open[:1], bars.close[:-1]])
    equity_before = np.concatenate([run.hedge_equity[:1], run.hedge_equity[:-1]])
    worst = np.where(held < 0.0, bars.high, bars.low)
    price = np.where(held == before, worst, bars.close)
    quantity = np.concatenate([held, before])
    prices = np.concatenate([price, bars.open])
    equity = np.concatenate(
        [run.hedge_equity + held * (price - bars.close), equity_before + before * (bars.open - last)]
    )
    notional = np.abs(quantity) * prices
    rows = np.flatnonzero(notional > _LEAST)
    if not rows.size:
        return None, None
    at = int(rows[np.argmin(equity[rows] / notional[rows])])
    least = MarginSchedule().maintenance(float(notional[at])) / float(notional[at])
    return float(equity[at] / notional[at]), least
