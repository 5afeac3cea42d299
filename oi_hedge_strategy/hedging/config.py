"""Configuration of exposure, policy, rails and execution; valid in Python, JSON and TOML alike."""

from math import inf
from typing import Literal

from nautilus_trader.common.config import NautilusConfig
from nautilus_trader.model.identifiers import InstrumentId, Venue

from oi_hedge_catalog.errors import ConfigError

FailState = Literal["hold", "flatten", "full"]
StopTrigger = Literal["last", "mark"]
MAX_LEVERAGE = 5.0


class ExposureConfig(NautilusConfig, frozen=True):
    """
    Name the exposure that is hedged: the sum of the parts that are set.

    Parameters
    ----------
    instrument_ids : tuple of InstrumentId
        Positions of other strategies in these instruments; they must share the hedge's base coin.
    balance_venues : tuple of Venue
        Spot balances of the base coin at these venues.
    quantity : float
        A fixed signed quantity of the base coin, held elsewhere.

    """

    instrument_ids: tuple[InstrumentId, ...] = ()
    balance_venues: tuple[Venue, ...] = ()
    quantity: float = 0.0


class PolicyConfig(NautilusConfig, frozen=True):
    """
    Say how a forecast becomes a hedge ratio.

    Parameters
    ----------
    kind : str
        "kelly" or "log_growth" (need a model), or one of the rules "constant", "open_interest_rule",
        "stop_loss".
    max_hedge_ratio : float
        Upper bound of the hedge ratio, within [0, 1].
    knots : tuple of (probability, multiplier)
        Confidence multiplier, piecewise linear, ascending from probability zero.
    max_kelly : float
        Cap of the Kelly fraction, in units of the exposure.
    loss_aversion : float
        How much more an avoided loss is worth than a kept gain of the same size, at least 1: how much to
        hedge, which no forecast can say. The odds of a cascade are multiplied by it before they are sized.
    exposure_over_equity : float
        The exposure over the whole book's equity; "log_growth" needs it, no other kind.
    slippage : float
        Half-spread and impact that one fill is expected to cost, as a fraction of its notional. To open and
        close the hedge costs it twice, and the hedge venue's taker fee twice.
    constant_ratio : float
        Hedge ratio of the "constant" policy.
    rule_open_interest_rise : float
        "open_interest_rule" hedges fully while open interest has risen by this fraction within a day and
        funding shows that the exposure's side is crowded.
    stop_fall : float
        "stop_loss" hedges fully while the price is this fraction beyond its best of the last three days.

    """

    kind: Literal["kelly", "log_growth", "constant", "open_interest_rule", "stop_loss"] = "kelly"
    max_hedge_ratio: float = 1.0
    knots: tuple[tuple[float, float], ...] = ((0.0, 0.0), (0.5, 0.25), (0.8, 0.60))
    max_kelly: float = 2.0
    loss_aversion: float = 1.0
    exposure_over_equity: float = 1.0
    slippage: float = 0.0002
    constant_ratio: float = 0.0
    rule_open_interest_rise: float = 0.05
    stop_fall: float = 0.05

    @property
    def needs_model(self) -> bool:
        """Return whether the policy sizes by a forecast."""
        return self.kind in ("kelly", "log_growth")

    def check(self) -> None:
        """Raise ConfigError for the first value out of range."""
        _within("policy.max_hedge_ratio", self.max_hedge_ratio, 0.0, 1.0)
        _within("policy.constant_ratio", self.constant_ratio, 0.0, self.max_hedge_ratio)
        _within("policy.slippage", self.slippage, 0.0, 0.05)
        _positive("policy.max_kelly", self.max_kelly)
        _within("policy.loss_aversion", self.loss_aversion, 1.0, 1e6)
        _within("policy.exposure_over_equity", self.exposure_over_equity, 0.01, 100.0)
        _positive("policy.rule_open_interest_rise", self.rule_open_interest_rise)
        _within("policy.stop_fall", self.stop_fall, 0.001, 0.999)
        probabilities = [p for p, _ in self.knots]
        if len(self.knots) < 2 or probabilities[0] != 0.0 or sorted(set(probabilities)) != probabilities:
            raise ConfigError(f"policy.knots must ascend from probability 0, was {self.knots}")
        for _, multiplier in self.knots:
            _within("policy.knots multiplier", multiplier, 0.0, 1.0)


class DrawdownTier(NautilusConfig, frozen=True):
    """From `drawdown` of the hedge book's peak on, keep the share `scale` of the wanted hedge."""

    name: str
    drawdown: float
    scale: float


class Blackout(NautilusConfig, frozen=True):
    """A span of time, ISO 8601 with offset, in which the hedge goes to `state`."""

    start: str
    end: str
    state: FailState = "hold"


class RailsConfig(NautilusConfig, frozen=True):
    """
    Bound the hedge whatever the model says.

    Parameters
    ----------
    on_model_failure, on_stale_data : str
        Where the hedge goes: "hold" as it is, "flatten" to nothing, or "full".
    max_price_age_minutes, max_open_interest_age_minutes : float
        Older data of the hedge venue's price, or of the freshest open interest, are stale; so is everything
        where the clock lies further behind the newest data than a price may be old.
    max_open_interest_jump, open_interest_confirm_hours : float
        Open interest of a venue that is more than `max_open_interest_jump` times its last, or less than that
        fraction of it, is left out, until it is back or has lasted `open_interest_confirm_hours`.
    blackouts : tuple of Blackout
        Times in which the hedge is not steered by the forecast.
    imbalance, imbalance_least_share : float
        One-sided positioning: where the exposure's side holds at least the share `imbalance` of the
        liquidation map within 10 % of the price, and that is at least `imbalance_least_share` of open
        interest, the hedge goes to its maximum.
    funding_spike, funding_max_ratio : float
        Where the hedge would pay at least `funding_spike` per eight hours, its ratio is at most
        `funding_max_ratio`.
    max_leverage : float
        Of the hedge account; at most 5.
    min_liquidation_distance : float
        Least distance of the hedge's liquidation price, as a fraction of the price.
    stress_rise, stress_fall : float
        The hedge stays above maintenance margin if the price rises (against a short hedge) or falls (against
        a long one) by this fraction before anything can be changed. The defaults are the worst within a day
        of all scenarios of `oi-hedge scenarios`: the rebound of 13 March 2020, and the fall of 12 March 2020.
    stress_carry : float
        Funding that it pays meanwhile, as a fraction of its notional; by default a day of three settlements
        at the lowest rate that Binance's ETHUSDT had, that of 19 May 2021.
    drawdown_tiers : tuple of DrawdownTier
        Ascending; the last one starts the cooldown.
    cooldown_hours : float
        How long the last tier, or a hard stop that was hit, keeps the hedge closed.
    hard_stop : float
        Distance of the resting stop order from the hedge's average entry, as a fraction; 0 for none.
    stop_trigger : "last" or "mark"
        The price that sets off the stop: the venue's last trade, or its mark price, by which it liquidates.
        Bybit's adapter knows "last" alone, Hyperliquid "mark" alone; a live run says so.
    max_daily_turnover : float
        Traded over exposure, within 24 hours.
    max_daily_orders : int
        Orders within 24 hours, those that reduce the hedge excepted.

    """

    on_model_failure: FailState = "flatten"
    on_stale_data: FailState = "hold"
    max_price_age_minutes: float = 150.0
    max_open_interest_age_minutes: float = 360.0
    max_open_interest_jump: float = 10.0
    open_interest_confirm_hours: float = 24.0
    blackouts: tuple[Blackout, ...] = ()
    imbalance: float = 0.95
    imbalance_least_share: float = 0.20
    funding_spike: float = 0.002
    funding_max_ratio: float = 0.25
    max_leverage: float = 3.0
    min_liquidation_distance: float = 0.20
    stress_rise: float = 0.45
    stress_fall: float = 0.55
    stress_carry: float = 0.011
    drawdown_tiers: tuple[DrawdownTier, ...] = (
        DrawdownTier("yellow", 0.10, 0.75),
        DrawdownTier("orange", 0.20, 0.50),
        DrawdownTier("red", 0.30, 0.0),
    )
    cooldown_hours: float = 72.0
    hard_stop: float = 0.10
    stop_trigger: StopTrigger = "last"
    max_daily_turnover: float = 6.0
    max_daily_orders: int = 24

    def check(self) -> None:
        """Raise ConfigError for the first value out of range."""
        if not 0.0 < self.max_leverage <= MAX_LEVERAGE:
            raise ConfigError(
                f"rails.max_leverage must be above 0 and at most {MAX_LEVERAGE:g}, was {self.max_leverage}"
            )
        _within("rails.min_liquidation_distance", self.min_liquidation_distance, 0.0, 0.9)
        _within("rails.stress_rise", self.stress_rise, 0.0, 10.0)
        _within("rails.stress_fall", self.stress_fall, 0.0, 1.0)
        _within("rails.stress_carry", self.stress_carry, 0.0, 1.0)
        _within("rails.funding_max_ratio", self.funding_max_ratio, 0.0, 1.0)
        _within("rails.hard_stop", self.hard_stop, 0.0, 1.0)
        _within("rails.imbalance", self.imbalance, 0.5, 1.0)
        _within("rails.max_open_interest_jump", self.max_open_interest_jump, 2.0, 1e12)
        for name in ("funding_spike", "max_price_age_minutes", "max_open_interest_age_minutes",
                     "open_interest_confirm_hours", "max_daily_turnover", "max_daily_orders"):  # fmt: skip
            _positive(f"rails.{name}", getattr(self, name))
        falls = [tier.drawdown for tier in self.drawdown_tiers]
        scales = [tier.scale for tier in self.drawdown_tiers]
        if falls != sorted(set(falls)) or scales != sorted(scales, reverse=True):
            raise ConfigError(
                "rails.drawdown_tiers must ascend in drawdown and not in scale, was "
                f"{[(t.name, t.drawdown, t.scale) for t in self.drawdown_tiers]}"
            )
        for tier in self.drawdown_tiers:
            _within(f"rails.drawdown_tiers {tier.name} drawdown", tier.drawdown, 0.0, 1.0)
            _within(f"rails.drawdown_tiers {tier.name} scale", tier.scale, 0.0, 1.0)
        if scales and scales[-1] != 0.0:
            raise ConfigError(
                f"rails.drawdown_tiers: the last tier, {self.drawdown_tiers[-1].name}, must have scale 0, "
                f"was {scales[-1]}: it closes the hedge for the cooldown"
            )


class DriftConfig(NautilusConfig, frozen=True):
    """
    Say when a model is demoted because the market no longer looks as it did in training.

    With these limits no healthy quarter demoted a model: in windows of 56 days the population stability
    index (PSI) of ETH's inputs, against all assets before, was at most 0.62 in the 13 recorded quarters from
    October 2021 on, and in four simulated ones; that of the probabilities, against the half year to year
    before, was at most 2.72. In windows of 28 days, which hold too few independent samples, an input reached
    1.39.

    Parameters
    ----------
    window_days : float
        The rolling window, at least 28 days; nothing is judged before it is full.
    max_input_psi, max_output_psi : float
        PSI above which an input, or a probability, demotes the model.
    ignored : tuple of str
        Inputs that never demote: a venue that dies is masked, stale data have a rail of their own, and the
        liquidation map remembers longer than the window.
    on_drift : str
        What hedges while the model is demoted: "rule" (as policy kind "open_interest_rule"), "flatten"
        (nothing), or "ignore" (the model all the same; drift is only logged).

    """

    window_days: float = 56.0
    max_input_psi: float = 1.0
    max_output_psi: float = 3.0
    ignored: tuple[str, ...] = ("venues_present", "mean_age", "liquidations_below", "liquidations_near")
    on_drift: Literal["rule", "flatten", "ignore"] = "rule"

    def check(self) -> None:
        """Raise ConfigError for the first value out of range."""
        _within("drift.window_days", self.window_days, 28.0, 366.0)
        _positive("drift.max_input_psi", self.max_input_psi)
        _positive("drift.max_output_psi", self.max_output_psi)

    def limit(self, name: str) -> float:
        """Return the PSI above which an input or output (``p_...``) demotes, infinite where it is ignored."""
        if name in self.ignored:
            return inf
        return self.max_output_psi if name.startswith("p_") else self.max_input_psi


class ExecutionConfig(NautilusConfig, frozen=True):
    """
    Say when an order is worth sending.

    Parameters
    ----------
    min_adjustment : float
        Least change of the hedge ratio; a flickering forecast does not churn. Going to zero is always done.
    release_ratio : float
        A hedge is reduced only where the allowed ratio falls to this share of the held one.

    """

    min_adjustment: float = 0.05
    release_ratio: float = 0.5

    def check(self) -> None:
        """Raise ConfigError for the first value out of range."""
        _within("execution.min_adjustment", self.min_adjustment, 0.0, 1.0)
        _within("execution.release_ratio", self.release_ratio, 0.0, 1.0)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} must lie within {low:g} and {high:g}, was {value}")


def _positive(name: str, value: float) -> None:
    if not value > 0.0:
        raise ConfigError(f"{name} must be above 0, was {value}")
