"""What a simulated market leaves behind: the series a trader would see, and the truth behind them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PriceBars:
    """Bars of one instrument, each array of shape (bars,): prices in USDT, volume in the base coin."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


@dataclass(frozen=True, eq=False)
class VenueSeries:
    """
    What one venue publishes about its perpetual.

    Parameters
    ----------
    bars : PriceBars
        The perpetual's bars.
    open_interest, notional : Floats, shape (bars,)
        One-sided open interest at each bar's close, in the base coin and in USD.
    funding : Floats, shape (settlements,)
        Rates settled, a fraction of the notional per 8 hours; positive when longs pay.
    traded, reports : bool array, shape (bars,)
        Whether the venue traded within the bar, and at its close; no bar and no open interest is published
        where it did not.

    """

    bars: PriceBars
    open_interest: Floats
    notional: Floats
    funding: Floats
    traded: NDArray[np.bool_]
    reports: NDArray[np.bool_]


@dataclass(frozen=True)
class LiquidationCascade:
    """One true cascade: close of its first bar (UNIX nanoseconds), side, share of open interest."""

    ts: int
    side: Literal["long", "short"]
    share: float


@dataclass(frozen=True, eq=False)
class CascadeOutlook:
    """
    What was truly to be expected, by continuing the market many times from moments on its way.

    Parameters
    ----------
    definition : CascadeDefinition
        What counts as a cascade, and the horizons.
    paths : int
        Continuations from each moment.
    times : Times, shape (moments,)
        UNIX nanoseconds; each the close of an hourly bar.
    probability : Floats, shape (moments, sides, horizons)
        Share of the continuations in which a cascade to the side (down, up) came within the horizon.
    adverse, favourable : Floats, shape (moments, sides, horizons)
        Mean change to the side at the end of the horizon where one came, and to the other side where none
        did, as fractions of the price, not negative.

    """

    definition: CascadeDefinition
    paths: int
    times: Times
    probability: Floats
    adverse: Floats
    favourable: Floats


@dataclass(frozen=True, eq=False)
class MarketTruth:
    """
    What no trader sees. Quantities in the base coin; axis 1 is the side (longs, shorts).

    Parameters
    ----------
    initial_open_interest : Floats, shape (venues,)
        Open interest before the first bar.
    open_interest : Floats, shape (bars, 2, venues)
        Open positions of longs and of shorts at each bar's close.
    opened, closed, liquidated : Floats, shape (bars, 2, venues)
        Flows within each bar, dealers and hedgers included.
    levels : Floats, shape (bars, 2, bands)
        Leveraged quantity by distance of its liquidation price from spot at each bar's close, in the
        bands of `market_config.BANDS`.
    entered, forced : Floats, shape (bars, leverages)
        What leveraged traders opened within each bar, and what of their positions the mark price liquidated,
        both sides and all venues, by the configuration's menu of leverages.
    insurance : Floats, shape (bars, venues)
        Balance of each venue's insurance fund at each bar's close, USDT; infinite where it is unlimited.
    cascades : tuple of LiquidationCascade
        In order of time.
    outlook : CascadeOutlook, optional
        What was to be expected; None where it was not asked for.

    """

    initial_open_interest: Floats
    open_interest: Floats
    opened: Floats
    closed: Floats
    liquidated: Floats
    levels: Floats
    entered: Floats
    forced: Floats
    insurance: Floats
    cascades: tuple[LiquidationCascade, ...]
    outlook: CascadeOutlook | None = None


@dataclass(frozen=True, eq=False)
class AssetSeries:
    """One asset: spot bars, what each venue publishes, and the truth."""

    spot: PriceBars
    venues: dict[str, VenueSeries]
    truth: MarketTruth


@dataclass(frozen=True, eq=False)
class SimulatedMarket:
    """
    A simulated market.

    Parameters
    ----------
    config : SimulatedMarketConfig
        What was simulated.
    times : Times, shape (bars,)
        UNIX nanoseconds of each bar's close and of each open interest snapshot.
    funding_times : Times, shape (settlements,)
        UNIX nanoseconds of each funding settlement.
    assets : dict
        Base coin to `AssetSeries`.

    """

    config: SimulatedMarketConfig
    times: Times
    funding_times: Times
    assets: dict[str, AssetSeries]
