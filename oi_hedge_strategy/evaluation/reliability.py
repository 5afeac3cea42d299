"""How good the forecast's word was in a backtest: reliability curves, Brier skill and bias."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap, Estimate, estimate
from oi_hedge_strategy.evaluation.daily import DAY_NS
from oi_hedge_strategy.evaluation.records import BacktestRecord, Floats, Times

OUTCOME = re.compile(r"(down|up)_(\d+)h")
CUTS = (*(tenth / 10 for tenth in range(1, 10)), 0.95, 0.98)
"""Between which shares of the decisions, by forecast, the bins lie: the high ones are what is acted upon."""
NO_FORECAST = "no forecast fell into the bin"
NO_CASCADE = "either no cascade or nothing but cascades followed"


@dataclass(frozen=True, slots=True)
class _Days:
    """Sum values of single decisions over UTC days, and draw such days."""

    position: NDArray[np.int64]
    count: int
    bootstrap: BlockBootstrap
    drawn: NDArray[np.int64]

    def sum(self, values: Floats) -> Floats:
        """Return the sums, shape (days,)."""
        return np.bincount(self.position, weights=values, minlength=self.count)

    def mean(self, values: Floats, weights: Floats, undefined: str) -> Estimate:
        """Return a mean over decisions with its interval."""
        series = self.sum(values * weights), self.sum(weights)
        return estimate(_ratio, series, self.bootstrap, self.drawn, undefined)


def reliability(record: BacktestRecord, bootstrap: BlockBootstrap) -> list[dict[str, Any]]:
    """
    Compare every probability with what followed it.

    Decisions without a forecast, or whose outcome is not known, are left out. Neighbouring decisions share
    most of their outcome, so that intervals come from whole days drawn in blocks.

    Parameters
    ----------
    record : BacktestRecord
        With outcomes, or the list is empty.
    bootstrap : BlockBootstrap
        How the intervals are made.

    Returns
    -------
    list of dict
        One for each probability with ``side``, ``hours``, ``samples``, ``followed`` (decisions that a cascade
        followed), ``mean_forecast``, ``observed``, ``bias`` (mean forecast less observed share),
        ``brier_skill`` (against the observed share as constant forecast), ``words`` and ``bins``: tenths by
        forecast, the highest cut once more at 95 and 98 %, fewer where forecasts repeat, each with
        ``from``, ``to``, ``forecast``, ``observed`` and ``samples``.

    """
    outcomes = record.outcomes
    if outcomes is None:
        return []
    ts = record.decisions["ts"].to_numpy(np.int64)
    found = []
    for name in outcomes.columns:
        match, column = OUTCOME.fullmatch(str(name)), f"p_{name}"
        if match is None or column not in record.decisions:
            continue
        forecast = record.decisions[column].to_numpy(np.float64)
        followed = outcomes[name].to_numpy(np.float64)
        known = np.isfinite(forecast) & np.isfinite(followed)
        if known.any():
            days = _days(ts[known], bootstrap)
            curve = _curve(forecast[known], followed[known], days)
            found.append({"side": match[1], "hours": int(match[2]), **curve})
    return found


def quantile_bins(forecast: Floats) -> NDArray[np.int64]:
    """Return each forecast's bin, shape (n,), cut at `CUTS`: equal forecasts together, no bin empty."""
    edges = np.unique(np.quantile(forecast, CUTS))
    raw = np.searchsorted(edges, forecast, side="left")
    return np.unique(raw, return_inverse=True)[1].astype(np.int64)


def _days(ts: Times, bootstrap: BlockBootstrap) -> _Days:
    day = ts // DAY_NS
    count = int(day[-1] - day[0]) + 1
    return _Days(day - day[0], count, bootstrap, bootstrap.draw(count))


def _curve(forecast: Floats, followed: Floats, days: _Days) -> dict[str, Any]:
    bins = quantile_bins(forecast)
    bias = days.mean(forecast - followed, np.ones_like(forecast), NO_FORECAST)
    series = tuple(days.sum(v) for v in ((forecast - followed) ** 2, followed, np.ones_like(forecast)))
    skill = estimate(_brier_skill, series, days.bootstrap, days.drawn, NO_CASCADE)
    return {
        "samples": forecast.size,
        "followed": int(followed.sum()),
        "mean_forecast": forecast.mean(),
        "observed": days.mean(followed, np.ones_like(forecast), NO_FORECAST).to_dict(),
        "bias": bias.to_dict(),
        "brier_skill": skill.to_dict(),
        "words": _words(bias),
        "bins": [_bin(forecast, followed, bins == at, days) for at in range(int(bins.max()) + 1)],
    }


def _bin(forecast: Floats, followed: Floats, chosen: NDArray[np.bool_], days: _Days) -> dict[str, Any]:
    return {
        "from": forecast[chosen].min(),
        "to": forecast[chosen].max(),
        "forecast": forecast[chosen].mean(),
        "observed": days.mean(followed, chosen.astype(np.float64), NO_FORECAST).to_dict(),
        "samples": int(chosen.sum()),
    }


def _words(bias: Estimate) -> str:
    if bias.low is None or bias.high is None:
        return "too few days to judge"
    if bias.low > 0.0:
        return "too high on average"
    return "too low on average" if bias.high < 0.0 else "right on average"


def _ratio(total: Floats, weight: Floats) -> Floats:
    """Return ``sum(total) / sum(weight)`` over the last axis, NaN without weight."""
    above, below = total.sum(axis=-1), weight.sum(axis=-1)
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _brier_skill(squared: Floats, followed: Floats, samples: Floats) -> Floats:
    """Return one less the Brier score over that of the observed share as forecast (Brier, 1950)."""
    share = _ratio(followed, samples)
    reference = share * (1.0 - share)
    score = _ratio(squared, samples)
    return 1.0 - np.divide(score, reference, out=np.full_like(score, np.nan), where=reference > 0)
