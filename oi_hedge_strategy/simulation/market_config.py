"""Configuration of the simulated market: who trades, where, and how they behave."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from oi_hedge_catalog.errors import ConfigError

STEP_MINUTES = 5
STEPS_PER_HOUR = 60 // STEP_MINUTES
STEPS_PER_DAY = 24 * STEPS_PER_HOUR
FUNDING_HOURS = 8
FUNDING_STEPS = FUNDING_HOURS * STEPS_PER_HOUR
WARM_UP_DAYS = 25
BANDS = ((0.0, 0.02), (0.02, 0.05), (0.05, 0.10), (0.10, 0.15), (0.15, 0.20), (0.20, 0.30))
"""Price distance bands of the true liquidation levels, as fractions of the price."""


@dataclass(frozen=True)
class AssetScale:
    """Size of one asset's market: first price in USDT, normal open interest and hourly volume in coin."""

    price: float
    open_interest: float
    hourly_volume: float
    price_decimals: int
    volatility: float = 1.0


ASSET_SCALES = {
    "ETH": AssetScale(2_000.0, 2_500_000.0, 300_000.0, 2),
    "BTC": AssetScale(40_000.0, 160_000.0, 14_000.0, 1, 0.85),
    "SOL": AssetScale(60.0, 20_000_000.0, 5_000_000.0, 3, 1.25),
}


@dataclass(frozen=True)
class VenueReport:
    """How a venue reports its open interest.

    Parameters
    ----------
    lag_seconds : float
        How long after the moment of the value it can be known.
    unit : str
        ``coin``, ``usd`` or ``contracts``, in which files are written; a catalog holds base coin.
    sides : str
        ``one``, or ``both`` where longs and shorts are added up.
    contract_size : float
        With ``contracts``: base coins in one; what is reported are whole contracts.

    """

    lag_seconds: float = 5.0
    unit: Literal["coin", "usd", "contracts"] = "coin"
    sides: Literal["one", "both"] = "one"
    contract_size: float = 0.1


@dataclass(frozen=True)
class VenueProfile:
    """One venue's part in the market.

    Parameters
    ----------
    share : float
        Share of the agents and of the open interest; the shares of all venues sum to 1.
    arbitrage_minutes : float
        Half-life after which arbitrage has halved a price difference to the other venues.
    noise : float
        Standard deviation of the venue's own price noise, as a log price.
    report : VenueReport
        How it reports open interest.

    """

    share: float
    arbitrage_minutes: float
    noise: float
    report: VenueReport = VenueReport()


@dataclass(frozen=True)
class VenueHalt:
    """
    Halt one venue: nobody trades there, and its liquidation engine waits.

    Positions that the mark price reaches meanwhile are sold when it opens again. The venue publishes neither
    bars nor open interest while it is halted.

    Parameters
    ----------
    venue : str
        Which.
    start_hour, hours : float
        From when on, counted from the start of the market, and how long; multiples of 5 minutes.

    """

    venue: str
    start_hour: float
    hours: float


def default_venues() -> dict[str, VenueProfile]:
    """Return the four venues with shares near those of 2024."""
    return {
        "BINANCE": VenueProfile(0.45, 4.0, 0.00008),
        "BYBIT": VenueProfile(0.25, 6.0, 0.00012, VenueReport(sides="both")),
        "OKX": VenueProfile(0.20, 6.0, 0.00012, VenueReport(unit="contracts")),
        "GATE": VenueProfile(0.10, 10.0, 0.00020, VenueReport(unit="usd")),
    }


@dataclass(frozen=True)
class AgentBehaviour:
    """How leveraged traders enter, leave and are liquidated.

    Quantities are fractions of the asset's normal open interest, returns are log returns.

    Parameters
    ----------
    leverage, leverage_shares : tuple of float
        The nominal leverage menu and the share of entries at each.
    margin_buffer : tuple of float
        Margin that holders add, in initial margins: effective leverage is ``L / (1 + buffer)``.
    mmr : float
        Maintenance margin rate.
    long_capacity, short_capacity : float
        Speculative open interest by side in a neutral mood.
    hold_days : float
        Mean time until a position is closed voluntarily.
    mood_gain, mood_cap : float
        Log change of the entry rate per unit of mood (longs up, shorts down); mood saturates at the cap.
    trend_weight, trend_scale, trend_days : float
        Trend following: mood added by ``tanh(return over trend_days / trend_scale)``.
    sentiment_sd, sentiment_days, sentiment_mean : float
        Mood that does not come from price: standard deviation, half-life and mean.
    stop_gain, profit_gain : float
        Rise of the closing rate of losers and winners per 1 % move over the last hour.
    funding_exit : float
        Share of the paying side that closes at a settlement per 0.01 % of funding beyond the base rate.
    fear_gain, fear_hours : float
        Entries are divided by ``1 + fear_gain * fear``; fear is the liquidated share, with this half-life.
    hedged, hedged_sd, hedged_days : float
        Unleveraged two-sided open interest (carry, options hedges): level, log standard deviation, half-life.

    """

    leverage: tuple[float, ...] = (5.0, 10.0, 25.0, 50.0, 100.0)
    leverage_shares: tuple[float, ...] = (0.15, 0.30, 0.25, 0.20, 0.10)
    margin_buffer: tuple[float, ...] = (0.25, 0.5, 0.8, 1.2, 2.2)
    mmr: float = 0.005
    long_capacity: float = 0.55
    short_capacity: float = 0.48
    hold_days: float = 2.0
    mood_gain: float = 1.0
    mood_cap: float = 1.4
    trend_weight: float = 0.8
    trend_scale: float = 0.08
    trend_days: float = 3.0
    sentiment_sd: float = 1.1
    sentiment_days: float = 7.0
    sentiment_mean: float = 0.15
    stop_gain: float = 1.5
    profit_gain: float = 1.5
    funding_exit: float = 0.004
    fear_gain: float = 30.0
    fear_hours: float = 18.0
    hedged: float = 1.2
    hedged_sd: float = 0.04
    hedged_days: float = 15.0


@dataclass(frozen=True)
class PriceFormation:
    """How news and order flow make the price.

    Parameters
    ----------
    annual_volatility : float
        Volatility of the fundamental value without jumps.
    slow_volatility_sd, slow_volatility_days, fast_volatility_sd, fast_volatility_hours : float
        Log volatility is the sum of two mean-reverting parts: regimes of weeks and spells of hours.
    small_news_per_day, small_news, large_news_per_day, large_news : float
        Rates and scales (Laplace, log return) of jumps.
    common : float
        Correlation of the assets' fundamental news.
    trade_impact : float
        Log price per unit of voluntary net flow.
    forced_impact, forced_depth : float
        Log price per unit of forced net flow; beyond ``forced_depth`` a step it grows as the square root.
    stress_volatility, stress_hours : float
        Rise of fundamental volatility per unit of stress (the liquidated share), and the half-life of stress.
    permanent : float
        Share of the impact that stays in the fundamental value; the rest reverts.
    recovery_hours : float
        Half-life of the reverting part.
    liquidation_rate : float
        Share of the liquidation engine's backlog that is sold each 5 minutes.
    crowd_premium : float
        Perpetual premium over spot when all speculators stand on one side.
    premium_lead : float
        Part of each impact by which the perpetual leads spot.
    drift, anchor_days : float
        Annual drift of the long-run anchor and half-life of the pull towards it.

    """

    annual_volatility: float = 0.42
    slow_volatility_sd: float = 0.42
    slow_volatility_days: float = 25.0
    fast_volatility_sd: float = 0.3
    fast_volatility_hours: float = 8.0
    small_news_per_day: float = 0.6
    small_news: float = 0.004
    large_news_per_day: float = 0.05
    large_news: float = 0.012
    common: float = 0.8
    trade_impact: float = 0.06
    forced_impact: float = 0.48
    forced_depth: float = 0.003
    stress_volatility: float = 5.0
    stress_hours: float = 10.0
    permanent: float = 0.55
    recovery_hours: float = 3.0
    liquidation_rate: float = 0.8
    crowd_premium: float = 0.0014
    premium_lead: float = 0.30
    drift: float = 0.08
    anchor_days: float = 250.0


@dataclass(frozen=True)
class SimulatedMarketConfig:
    """What to simulate.

    Parameters
    ----------
    seed : int
        Seed of every random stream; the same seed gives the same market.
    assets : tuple of str
        Base coins, each of `ASSET_SCALES`.
    start : datetime
        First midnight, UTC.
    days : int
        Length; a longer run of the same seed begins with the shorter one.
    bar_minutes : int
        Length of the bars and spacing of open interest snapshots, of 5 minutes to 8 hours.
    venues : dict
        Venue name to `VenueProfile`; BINANCE must be among them (it also trades spot).
    halts : tuple of VenueHalt
        Outages of venues; none by default.
    insurance : float
        Each venue's insurance fund at the start, over the value of its share of the normal open interest; a
        venue whose fund is used up deleverages its winners. Unlimited by default.
    informative : bool
        False reports open interest and funding of an independent market, so that they say nothing.
    agents : AgentBehaviour
    prices : PriceFormation
    cascade_share : float
        Open interest liquidated on one side within an hour that counts as a cascade.

    """

    seed: int = 7
    assets: tuple[str, ...] = ("ETH",)
    start: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    days: int = 120
    bar_minutes: int = 60
    venues: dict[str, VenueProfile] = field(default_factory=default_venues)
    halts: tuple[VenueHalt, ...] = ()
    insurance: float = math.inf
    informative: bool = True
    agents: AgentBehaviour = field(default_factory=AgentBehaviour)
    prices: PriceFormation = field(default_factory=PriceFormation)
    cascade_share: float = 0.02

    def __post_init__(self) -> None:
        """Raise `ConfigError` for a value out of its range."""
        _require(self.days >= 1, f"days must be at least 1, was {self.days}")
        _require(len(self.assets) > 0, "assets must name at least one base coin")
        unknown = sorted(set(self.assets) - set(ASSET_SCALES))
        _require(not unknown, f"assets must be among {sorted(ASSET_SCALES)}, found {unknown}")
        _require(len(set(self.assets)) == len(self.assets), f"assets must differ, was {self.assets}")
        minutes = self.bar_minutes
        fits = minutes >= STEP_MINUTES and minutes % STEP_MINUTES == 0
        fits = fits and (60 % minutes == 0 or (minutes % 60 == 0 and FUNDING_HOURS * 60 % minutes == 0))
        _require(fits, f"bar_minutes must be 5, 10, 15, 20, 30, 60, 120, 240 or 480, was {minutes}")
        midnight = self.start.tzinfo is not None and self.start.timestamp() % 86_400 == 0
        _require(midnight, f"start must be a midnight in UTC, was {self.start.isoformat()}")
        _require("BINANCE" in self.venues, f"venues must contain BINANCE, was {sorted(self.venues)}")
        shares = sum(venue.share for venue in self.venues.values())
        _require(abs(shares - 1.0) < 1e-9, f"venue shares must sum to 1, was {shares}")
        _require(self.insurance >= 0.0, f"insurance must not be negative, was {self.insurance}")
        for name, venue in self.venues.items():
            report = venue.report
            sane = report.lag_seconds >= 0.0 and report.contract_size > 0.0
            _require(
                sane, f"{name}: the report's lag must not be negative and its contract above 0, was {report}"
            )
        for halt in self.halts:
            _require(halt.venue in self.venues, f"halts must name a venue, was {halt.venue!r}")
            steps = halt.start_hour * STEPS_PER_HOUR, halt.hours * STEPS_PER_HOUR
            whole = all(step == round(step) for step in steps) and steps[0] >= 0 and steps[1] >= 1
            _require(whole, f"halts must last whole steps of 5 minutes after the start, was {halt}")
        menu = (len(self.agents.leverage), len(self.agents.leverage_shares), len(self.agents.margin_buffer))
        _require(
            len(set(menu)) == 1,
            f"leverage, leverage_shares and margin_buffer must be of one length, was {menu}",
        )
        total = sum(self.agents.leverage_shares)
        _require(abs(total - 1.0) < 1e-9, f"leverage_shares must sum to 1, was {total}")

    def trading(self, first_step: int, steps: int) -> NDArray[np.float64]:
        """Return 1 where a venue trades and 0 where it is halted, shape (steps, venues)."""
        found = np.ones((steps, len(self.venues)))
        _require(self.insurance >= 0.0, f"insurance must not be negative, was {self.insurance}")
        for halt in self.halts:
            begin = round(halt.start_hour * STEPS_PER_HOUR) - first_step
            end = begin + round(halt.hours * STEPS_PER_HOUR)
            found[max(0, begin) : max(0, end), list(self.venues).index(halt.venue)] = 0.0
        return found

    @property
    def start_ns(self) -> int:
        """Return the first instant in UNIX nanoseconds."""
        return int(self.start.timestamp()) * 1_000_000_000


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(f"Simulated market: {message}")


def half_life_decay(steps: float) -> float:
    """Return the factor per step that halves a value after `steps` steps."""
    return float(np.exp2(-1.0 / steps))
