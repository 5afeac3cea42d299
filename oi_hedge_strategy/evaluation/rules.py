"""Rules a trader could follow without a forecast; their parameters are chosen on the past only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.daily import calendar
from oi_hedge_strategy.evaluation.effectiveness import skill
from oi_hedge_strategy.evaluation.periods import LEAST_PAST_DAYS
from oi_hedge_strategy.evaluation.records import Floats, MarketRecord, RuleChoice

DAY = 24
STOP_WINDOW = 3 * DAY
FUNDING_HOURS = 8.0


@dataclass(frozen=True, slots=True)
class Rule:
    """
    Hold a rule that hedges fully or not at all.

    Parameters
    ----------
    name : str
        Of the baseline.
    signal : callable
        Takes an hourly market, whether the exposure is long, and the parameter; returns the wanted hedge
        ratio at each row, from that row and those before it.
    default : float
        The parameter before there is a past to choose on.
    choices : tuple of float
        What is chosen from; empty where the parameter is fixed.

    """

    name: str
    signal: Callable[[MarketRecord, bool, float], Floats]
    default: float
    choices: tuple[float, ...] = ()


def stop_loss(market: MarketRecord, long: bool, fall: float) -> Floats:
    """Hedge while the price is the fraction `fall` beyond its best close of the last three days."""
    recent = pd.Series(market.close).rolling(STOP_WINDOW + 1, min_periods=1)
    best = recent.max() if long else recent.min()
    change = market.close / best.to_numpy() - 1.0
    return _where((-change if long else change) >= fall)


def trailing_stop(market: MarketRecord, long: bool, distance: float) -> Floats:
    """
    Hedge from a move against the exposure by `distance` on, until an equal move back.

    The first is taken from the best close since the hedge was off, the second from the worst since it was on.
    """
    closes, on = market.close.tolist(), False
    extreme, wanted = closes[0], np.zeros(len(closes))
    for row, now in enumerate(closes):
        peak = long != on  # the extreme that a fall is measured from
        extreme = max(extreme, now) if peak else min(extreme, now)
        change = now / extreme - 1.0
        if (-change if peak else change) >= distance:
            on, extreme = not on, now
        wanted[row] = float(on)
    return wanted


def open_interest_rule(market: MarketRecord, long: bool, rise: float) -> Floats:
    """Hedge while open interest is up by `rise` within a day and funding shows the side as crowded."""
    now, before = np.zeros((2, market.ts.size))
    for values in market.open_interest.values():
        past = np.concatenate([np.full(DAY, np.nan), values])[: values.size]
        both = np.isfinite(values) & np.isfinite(past)
        now += np.where(both, values, 0.0)
        before += np.where(both, past, 0.0)
    rate = _mean_funding(market)
    crowded = rate > 0.0 if long else rate < 0.0
    return _where((before > 0.0) & (now >= (1.0 + rise) * before) & crowded)


def funding_rule(market: MarketRecord, long: bool, rate: float) -> Floats:
    """Hedge while the exposure's side pays at least `rate` per eight hours, on average over the venues."""
    paid = _mean_funding(market)
    return _where((paid if long else -paid) >= rate)


def trend_rule(market: MarketRecord, long: bool, days: float) -> Floats:
    """Hedge while the price is beyond its mean of the last `days` on the losing side."""
    mean = pd.Series(market.close).rolling(int(days * DAY)).mean().to_numpy()
    return _where(market.close < mean if long else market.close > mean)


RULES = (
    Rule("stop_loss", stop_loss, 0.05, (0.03, 0.05, 0.08, 0.12)),
    Rule("trailing_stop", trailing_stop, 0.10, (0.05, 0.10, 0.15, 0.20)),
    Rule("open_interest_rule", open_interest_rule, 0.05, (0.02, 0.05, 0.10, 0.15)),
    Rule("funding_rule", funding_rule, 3e-4, (1.5e-4, 2e-4, 3e-4, 5e-4)),
    *(Rule(f"trend_{days}d", trend_rule, float(days)) for days in (7, 14, 28, 56)),
)


def follow(
    rule: Rule, market: MarketRecord, long: bool, periods: Sequence[tuple[int, int]], cost: float
) -> tuple[Floats, list[RuleChoice]]:
    """
    Return what a rule wants at each row, each period with the parameter that had been best before it.

    Best is the highest skill by day over all the past that the market holds, net of cost and funding.

    Parameters
    ----------
    rule : Rule
        The rule.
    market : MarketRecord
        Hourly, with the past before the first period.
    long : bool
        Whether the exposure loses when the price falls.
    periods : sequence of (int, int)
        Start and end of each, ascending.
    cost : float
        Of a change of the hedge by the whole exposure, as a fraction of its notional.

    Returns
    -------
    tuple of float64 array of shape (n,), list of RuleChoice
        Rows before the first period have the first one's parameter.

    """
    if not rule.choices:
        wanted = rule.signal(market, long, rule.default)
        return wanted, [RuleChoice(*period, rule.default, 0) for period in periods]
    signals = np.stack([rule.signal(market, long, each) for each in rule.choices])
    day, daily, unhedged = _daily(market, long, signals, cost)
    wanted, choices = np.zeros(market.ts.size), []
    for at, (start, end) in enumerate(periods):
        past = int(np.searchsorted(day, np.datetime64(int(start), "ns").astype("datetime64[D]")))
        best, used = rule.choices.index(rule.default), 0
        if past >= LEAST_PAST_DAYS:
            scores = np.nan_to_num(skill(daily[:, :past], unhedged[:past]), nan=-np.inf)
            best, used = int(np.argmax(scores)), past
        rows = (market.ts >= start) & (market.ts <= end) if at else market.ts <= end
        wanted[rows] = signals[best, rows]
        choices.append(RuleChoice(start, end, rule.choices[best], used))
    return wanted, choices


def _daily(
    market: MarketRecord, long: bool, ratios: Floats, cost: float
) -> tuple[NDArray[np.datetime64], Floats, Floats]:
    """Return days, the P&L by day of one coin under each of `ratios`, and that of the coin alone."""
    days = calendar(market.ts)
    sign = 1.0 if long else -1.0
    move = sign * np.diff(market.close, prepend=market.close[0])
    held = np.concatenate([np.zeros((len(ratios), 1)), ratios[:, :-1]], axis=1)
    traded = np.abs(np.diff(ratios, axis=1, prepend=0.0)) * market.close * cost
    hours = np.diff(market.ts, prepend=market.ts[0]) / 3.6e12
    received = sign * held * np.nan_to_num(_mean_funding(market)) * hours / FUNDING_HOURS * market.close
    net = (1.0 - held) * move - traded + received
    daily: Floats = np.add.reduceat(net, days.starts, axis=1)
    return days.days, daily, days.sum(move)


def _mean_funding(market: MarketRecord) -> Floats:
    """Return the mean rate per eight hours over the venues, NaN where none is known."""
    rates = np.stack([*market.funding.values()]) if market.funding else np.full((1, market.ts.size), np.nan)
    known = np.isfinite(rates)
    count = known.sum(axis=0)
    total = np.where(known, rates, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(market.ts.size, np.nan), where=count > 0)


def _where(acts: NDArray[np.bool_]) -> Floats:
    return acts.astype(np.float64)
