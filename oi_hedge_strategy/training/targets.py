"""What else followed a sample: targets that help the network to learn, but are not forecast."""

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.cascades import (
    CascadeDefinition,
    HourlyMarket,
    following,
    hourly_volatility,
    remaining_open_interest,
)

Floats = NDArray[np.float64]
_CLIP = 6.0
_LEAST_VARIANCE = 1e-8


def auxiliary_targets(market: HourlyMarket, definition: CascadeDefinition) -> Floats:
    """
    Return what followed each hour besides cascades, in units of volatility.

    Returns
    -------
    float64 array, shape (n, 4, horizons)
        Deepest fall and highest rise of the log price over the volatility of the horizon; log of realised
        over known volatility; deepest fall of open interest, in twentieths over the root of the horizon in
        hours. NaN where not known.

    """
    horizons = definition.horizons_hours
    sigma = hourly_volatility(market.close, definition.volatility_hours)
    returns = np.diff(np.log(market.close), prepend=np.nan)
    out = np.full((market.close.size, 4, len(horizons)), np.nan)
    remaining = remaining_open_interest(market.open_interest, horizons[-1])
    for h, hours in enumerate(horizons):
        spread = sigma * np.sqrt(hours)
        out[:, 0, h] = _extreme(market.low, market.close, hours, np.fmin) / spread
        out[:, 1, h] = _extreme(market.high, market.close, hours, np.fmax) / spread
        squares = following(returns, hours) ** 2
        variance = np.nansum(squares, axis=1) / np.maximum(np.isfinite(squares).sum(axis=1), 1)
        out[:, 2, h] = 0.5 * np.log(variance + _LEAST_VARIANCE) - np.log(sigma)
        lowest = np.fmin.reduce(remaining[:, :hours], axis=1)
        out[:, 3, h] = (1.0 - lowest) * 20.0 / np.sqrt(hours)
        out[max(0, market.close.size - hours) :, :, h] = np.nan
    return np.clip(out, -_CLIP, _CLIP)


def _extreme(prices: Floats, close: Floats, hours: int, choose: np.ufunc) -> Floats:
    return np.log(choose.reduce(following(prices, hours), axis=1) / close)
