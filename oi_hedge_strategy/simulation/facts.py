"""Stylised facts of a perpetual market, measured alike on simulated and recorded catalogs."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from numpy.typing import NDArray

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.cascades import remaining_open_interest
from oi_hedge_strategy.history import load_history

Floats = NDArray[np.float64]
TAIL = np.arange(0.5, 12.1, 0.5)
RETURN_LAGS = np.array([1, 2, 3, 6, 12, 24, 48, 72, 120, 168])
FUNDING_LAGS = np.array([1, 2, 3, 6, 9, 15, 21, 30, 45])
RETURN_EDGES = np.array([-np.inf, -8.0, -5.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 5.0, 8.0, np.inf])
_FEWEST = 5
_LEAST_HOURS = 24 * 30


@dataclass(frozen=True, eq=False)
class MarketFacts:
    """
    Hold the stylised facts of one asset.

    Parameters
    ----------
    hours : int
        Number of hourly log returns.
    volatility : float
        Their annual standard deviation.
    kurtosis : float
        Their excess kurtosis.
    return_autocorrelation : float
        Of returns, at one hour.
    tail : Floats, shape (len(TAIL),)
        Share of hours whose absolute return exceeds each number of standard deviations.
    clustering : Floats, shape (len(RETURN_LAGS),)
        Autocorrelation of absolute returns at each lag in hours.
    open_interest_change : Floats, shape (len(RETURN_EDGES) - 1,)
        Median hourly change of aggregate open interest among the hours whose return, in standard deviations,
        lies between two edges; NaN for fewer than five hours.
    funding_mean : float
        Mean rate per eight hours.
    funding_autocorrelation : Floats, shape (len(FUNDING_LAGS),)
        Of funding at each lag in settlements of eight hours.

    """

    hours: int
    volatility: float
    kurtosis: float
    return_autocorrelation: float
    tail: Floats
    clustering: Floats
    open_interest_change: Floats
    funding_mean: float
    funding_autocorrelation: Floats


def market_facts(catalog: ParquetDataCatalog, asset: str) -> MarketFacts:
    """
    Measure an asset's facts on all hours of a catalog.

    Raises
    ------
    CatalogError
        If it has too little of the asset's price, open interest or funding.

    """
    history = load_history(catalog, asset)
    market = history.hourly()
    returns = np.diff(np.log(market.close))
    change = np.log(remaining_open_interest(market.open_interest, 1)[:-1, 0])
    funding = _funding(catalog, asset, history.reference)
    usable = int(np.isfinite(returns).sum())
    if usable < _LEAST_HOURS or funding.size < FUNDING_LAGS[-1] * 2:
        raise CatalogError(
            f"{catalog.path}: {usable} hourly returns and {funding.size} funding rates of {asset}, facts "
            f"need {_LEAST_HOURS} and {FUNDING_LAGS[-1] * 2}; simulate or ingest more"
        )
    known = returns[np.isfinite(returns)]
    deviation = float(known.std())
    scaled = np.abs(known - known.mean()) / deviation
    return MarketFacts(
        hours=known.size,
        volatility=deviation * float(np.sqrt(8760)),
        kurtosis=float((scaled**4).mean()) - 3.0,
        return_autocorrelation=_autocorrelation(returns, 1),
        tail=(scaled[:, None] > TAIL).mean(axis=0),
        clustering=np.array([_autocorrelation(np.abs(returns), int(lag)) for lag in RETURN_LAGS]),
        open_interest_change=_by_return(returns / deviation, change),
        funding_mean=float(funding.mean()),
        funding_autocorrelation=np.array([_autocorrelation(funding, int(lag)) for lag in FUNDING_LAGS]),
    )


def _autocorrelation(values: Floats, lag: int) -> float:
    before, after = values[:-lag], values[lag:]
    both = np.isfinite(before) & np.isfinite(after)
    return float(np.corrcoef(before[both], after[both])[0, 1])


def _by_return(scaled: Floats, change: Floats) -> Floats:
    """Return the median change in each bin of the return."""
    found = np.full(RETURN_EDGES.size - 1, np.nan)
    for at, (low, high) in enumerate(pairwise(RETURN_EDGES)):
        rows = (scaled > low) & (scaled <= high) & np.isfinite(change)
        if rows.sum() >= _FEWEST:
            found[at] = np.median(change[rows])
    return found


def _funding(catalog: ParquetDataCatalog, asset: str, reference: str) -> Floats:
    """Return rates per eight hours, one for each, of the reference or else of the longest series."""
    ids = {each.id for each in store.instruments(catalog) if each.base_currency.code == asset}
    series = {i: store.read_funding(catalog, i) for i in store.funding_ids(catalog) if i in ids}
    if not series:
        raise CatalogError(f"{catalog.path}: no funding of {asset}; ingest some first")
    longest = max(series, key=lambda i: (len(series[i]), str(i)))
    chosen = series.get(InstrumentId.from_str(reference), series[longest])
    chosen = chosen.take(chosen.interval > 0)
    rates = chosen.rate * 480.0 / chosen.interval
    period = chosen.ts_event // (8 * 3_600_000_000_000)
    groups, first = np.unique(period, return_index=True)
    grid = np.full(int(groups[-1] - groups[0]) + 1, np.nan)
    grid[groups - groups[0]] = np.add.reduceat(rates, first) / np.diff(np.append(first, rates.size))
    known: Floats = grid[np.isfinite(grid)]
    return known
