"""What a backtest leaves behind for its judges: plain arrays, no framework."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oi_hedge_strategy.cascades import CascadeDefinition, CascadeEvent

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """
    Hold one engine run of the same market: hedged, unhedged or a baseline.

    All arrays have shape (n,), one row for each bar of the hedge instrument. Money is in the quote currency,
    cumulative from the start of the run. Costs are positive when paid.

    Parameters
    ----------
    name : str
        "hedged", "unhedged", or the baseline's name.
    ts : int64 array
        When the bar was known, nanoseconds since the epoch.
    exposure_quantity, hedge_quantity : float64 array
        Signed base-coin positions of the trader and of the hedge.
    exposure_pnl : float64 array
        Profit and loss of the trader's own position, marked at the bar's close.
    hedge_pnl : float64 array
        Profit and loss of the hedge book, net of fees, slippage, funding and liquidation losses.
    fees, slippage, funding : float64 array
        What of `hedge_pnl` went into each cost; funding is negative when received.
    hedge_equity : float64 array
        Equity of the hedge account.
    orders, fills, liquidations : int
        How many of each the hedge book had.

    """

    name: str
    ts: Times
    exposure_quantity: Floats
    hedge_quantity: Floats
    exposure_pnl: Floats
    hedge_pnl: Floats
    fees: Floats
    slippage: Floats
    funding: Floats
    hedge_equity: Floats
    orders: int = 0
    fills: int = 0
    liquidations: int = 0

    @property
    def total_pnl(self) -> Floats:
        """Return the profit and loss of exposure and hedge together."""
        return self.exposure_pnl + self.hedge_pnl


@dataclass(frozen=True, slots=True)
class MarketRecord:
    """
    Hold the market that all runs saw; arrays have shape (n,), one row for each bar of the hedge instrument.

    Parameters
    ----------
    ts : int64 array
        When the bar was known.
    open, high, low, close : float64 array
        The hedge instrument's bars.
    open_interest : mapping of str to float64 array
        By venue, one-sided base coin as known at `ts`, NaN before the first value and where the last is more
        than six hours old.
    funding : mapping of str to float64 array
        By venue, the last settled rate per eight hours as known at `ts`, NaN before the first value.

    """

    ts: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    open_interest: Mapping[str, Floats]
    funding: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class LiquidationLevels:
    """
    Hold the liquidation map of all venues through time, each column as it was known at its time.

    Parameters
    ----------
    ts : int64 array, shape (n,)
        When each column was read, nanoseconds since the epoch.
    edges : float64 array, shape (bins + 1,)
        Edges of the price bins, ascending.
    longs, shorts : float32 array, shape (n, bins)
        Base coin of each side that a price in the bin would liquidate.

    """

    ts: Times
    edges: Floats
    longs: NDArray[np.float32]
    shorts: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trial:
    """
    Hold a run beside the hedged one: other aggressiveness, a constant ratio, or other costs.

    Parameters
    ----------
    kind : str
        "strategy", "log_growth", "constant", "impact" or "latency".
    parameter : float
        Loss aversion, hedge ratio, or multiplier of the costs.
    run : RunRecord
        The run; its name is the label.

    """

    kind: str
    parameter: float
    run: RunRecord


@dataclass(frozen=True, slots=True)
class TunedPeriod:
    """
    Hold what was chosen for one period, and on what.

    Parameters
    ----------
    start_ns, end_ns : int
        The period.
    label : str
        Which of the tried configurations was used.
    past_days : int
        How many days it was chosen on; 0 where the configured default was used.
    past_loss_avoided, past_gain_kept : float
        What it had reached on them, NaN without.

    """

    start_ns: int
    end_ns: int
    label: str
    past_days: int
    past_loss_avoided: float
    past_gain_kept: float


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """
    Hold the run that was tuned towards a target, each period on what came before it.

    Parameters
    ----------
    target_loss_avoided : float
        The target.
    periods : tuple of TunedPeriod
        What each period used.
    run : RunRecord
        The run with those parameters.
    constant : RunRecord
        A constant hedge of the same average ratio.

    """

    target_loss_avoided: float
    periods: tuple[TunedPeriod, ...]
    run: RunRecord
    constant: RunRecord


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """
    Hold the parameter of a rule in one period.

    Parameters
    ----------
    start_ns, end_ns : int
        The period.
    parameter : float
        What the rule used in it.
    past_days : int
        How many days it was chosen on; 0 where it is fixed or the documented default was used.

    """

    start_ns: int
    end_ns: int
    parameter: float
    past_days: int


@dataclass(frozen=True, slots=True)
class BacktestRecord:
    """
    Hold all that a report needs.

    Parameters
    ----------
    market : MarketRecord
        The market.
    runs : mapping of str to RunRecord
        By name; "hedged" and "unhedged" are always there, all others are baselines.
    decisions : DataFrame
        The hedged run's decisions in order. Columns: ``ts`` (int64 ns), ``p_<side>_<hours>h`` (probability,
        NaN where the model gave none), ``exposure`` (signed base coin), ``wanted`` (hedge ratio of the
        policy), ``allowed`` (hedge ratio after the rails), ``target`` (hedge ratio after hysteresis),
        ``rail`` (name of the rail that decided, empty when none did), ``reason`` (words), ``alert`` (bool:
        the forecast stood above the card's alert threshold).
    events : sequence of CascadeEvent
        Cascades to the adverse side, by `definition`, known only afterwards.
    definition : CascadeDefinition
        What counts as a cascade.
    event_hours : int
        The horizon of `events`.
    asset, hedge_instrument, exposure_instrument : str
        Names for titles.
    exposure : str
        The exposure in words, such as "100 ETH long".
    cost_note : str
        The cost assumptions in one line, for captions.
    model : mapping
        Model card summary: name, training span, expiry, out-of-sample metrics.
    simulated : bool
        Whether the market is simulated.
    bars_per_second : float
        Bars of all venues over the wall time of the hedged run.
    on_bar_us : mapping of str to float
        Percentiles ``p50`` and ``p99`` of the time in `on_bar`, microseconds.
    notes : tuple of str
        What the reader must know besides, one sentence each.
    quote : str
        Name of the quote currency, such as "USDT".
    outcomes : DataFrame, optional
        What followed each row of `decisions`, known only afterwards. Columns ``<side>_<hours>h``: 1 where a
        cascade followed, 0 where none did, NaN where it is not known.
    levels : LiquidationLevels, optional
        The liquidation map through time.
    trials : tuple of Trial
        Further runs, for frontier and cost sensitivity.
    operating : OperatingPoint, optional
        The run that was tuned towards the target, where there is one.
    rule_choices : mapping of str to tuple of RuleChoice
        By baseline, which parameter it had when.

    """

    market: MarketRecord
    runs: Mapping[str, RunRecord]
    decisions: pd.DataFrame
    events: tuple[CascadeEvent, ...]
    definition: CascadeDefinition
    event_hours: int
    asset: str
    hedge_instrument: str
    exposure_instrument: str
    exposure: str
    cost_note: str
    model: Mapping[str, object]
    simulated: bool
    bars_per_second: float
    on_bar_us: Mapping[str, float]
    notes: tuple[str, ...] = field(default=())
    quote: str = "quote currency"
    outcomes: pd.DataFrame | None = None
    levels: LiquidationLevels | None = None
    trials: tuple[Trial, ...] = ()
    operating: OperatingPoint | None = None
    rule_choices: Mapping[str, tuple[RuleChoice, ...]] = field(default_factory=dict)
