"""The liquidation map through time, as it was known."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.records import Floats, LiquidationLevels, Times
from oi_hedge_strategy.history import AssetHistory
from oi_hedge_strategy.state import LiquidationMap, LiquidationMapConfig, StateSchema, Stream

BAND = 0.002
ROWS = 120
MARGIN = 1.25


def liquidation_levels(
    history: AssetHistory, schema: StateSchema, times: Times, low: float, high: float
) -> LiquidationLevels:
    """
    Replay the model's venues and read their liquidation maps, summed, at each time.

    Parameters
    ----------
    history : AssetHistory
        The events, from which on the maps are built.
    schema : StateSchema
        Its venues and its map's parameters; only the bands are finer.
    times : int64 array, shape (n,)
        When to read, ascending, nanoseconds; nothing known later enters.
    low, high : float
        The prices to cover, which are widened by a quarter either way.

    """
    edges = np.geomspace(low / MARGIN, high * MARGIN, ROWS + 1)
    bands = np.arange(round(schema.liquidation_map.bands[-1] / BAND) + 1) * BAND
    config = replace(schema.liquidation_map, bands=tuple(bands.tolist()))
    total = np.zeros((2, times.size, ROWS))
    for venue in schema.venues:
        if venue in history.venues:
            total += _of_venue(history, history.venues.index(venue), config, times, np.log(edges))
    return LiquidationLevels(times, edges, *total.astype(np.float32))


def spread_over(density: Floats, bands: Floats, price: float, log_edges: Floats) -> Floats:
    """
    Return a density by distance from the price as one over fixed price bins.

    What lies in a band counts as even over the logarithm of its prices.

    Parameters
    ----------
    density : float64 array, shape (2, bands)
        Longs below and shorts above the price, nearest band first.
    bands : float64 array, shape (bands + 1,)
        Edges of the bands, fractions of the price, ascending from zero.
    price : float
        The price they are distances from.
    log_edges : float64 array, shape (bins + 1,)
        Logarithms of the bins' edges, ascending.

    Returns
    -------
    float64 array, shape (2, bins)

    """
    out = np.zeros((2, log_edges.size - 1))
    for side, sign in enumerate((-1.0, 1.0)):
        at = np.log(price) + np.log1p(sign * bands)
        below = np.concatenate([[0.0], np.cumsum(density[side])])
        order = slice(None, None, int(sign))
        out[side] = sign * np.diff(np.interp(log_edges, at[order], below[order]))
    return out


def _of_venue(
    history: AssetHistory, venue: int, config: LiquidationMapConfig, times: Times, log_edges: Floats
) -> Floats:
    levels, bands = LiquidationMap(config), np.asarray(config.bands)
    chosen = (history.venue == venue) & np.isin(history.stream, (Stream.PERPETUAL, Stream.OPEN_INTEREST))
    columns = (history.ts, history.stream, history.fields)
    ts, stream, fields = (column[chosen].tolist() for column in columns)
    out = np.zeros((2, times.size, log_edges.size - 1))
    until: NDArray[np.int64] = np.searchsorted(history.ts[chosen], times, side="right")
    row, price = 0, 0.0
    for at, stop in enumerate(until.tolist()):
        for i in range(row, stop):
            if stream[i] == Stream.PERPETUAL:
                levels.update_bar(*fields[i][:3])
                price = fields[i][2]
            else:
                levels.update_open_interest(ts[i], fields[i][0])
        row = stop
        if price > 0.0:
            out[:, at] = spread_over(levels.density(), bands, price, log_edges)
    return out
