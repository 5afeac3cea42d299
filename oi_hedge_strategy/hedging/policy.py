"""From a forecast, or from a rule, to the hedge ratio that is wanted."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from oi_hedge_strategy.cascades import SIDES
from oi_hedge_strategy.forecast.model import Forecast
from oi_hedge_strategy.hedging.config import PolicyConfig
from oi_hedge_strategy.hedging.kelly import averse_probability, confidence_multiplier, kelly_fraction
from oi_hedge_strategy.state import CHANNELS, Snapshot, StateSchema

_CHANNEL = {channel.name: at for at, channel in enumerate(CHANNELS)}


@dataclass(frozen=True, slots=True)
class Wish:
    """Hold a wanted hedge ratio within [0, 1] and why."""

    ratio: float
    reason: str


class KellyPolicy:
    """
    Size the hedge by the Kelly fraction of the forecast, weighted by confidence.

    Each horizon gives a ratio ``min(max_hedge_ratio, m(p) * f)``; the largest is wanted. Both the multiplier
    and the fraction take the probability at the configured loss aversion.

    Parameters
    ----------
    config : PolicyConfig
        The policy.
    horizons_hours : tuple of int
        Of the model.
    taker_fee : float
        Of the hedge venue, a fraction of the notional.

    """

    def __init__(self, config: PolicyConfig, horizons_hours: tuple[int, ...], taker_fee: float) -> None:
        self._config = config
        self._horizons = horizons_hours
        self._round_trip = 2.0 * (taker_fee + config.slippage)

    def wish(self, forecast: Forecast, long_exposure: bool, funding_8h: float) -> Wish:
        """
        Return the wanted hedge ratio.

        Parameters
        ----------
        forecast : Forecast
            Calibrated.
        long_exposure : bool
            Whether the exposure loses when the price falls.
        funding_8h : float
            What the hedge pays per eight hours, as a fraction; negative when it receives.

        """
        side = SIDES.index("down" if long_exposure else "up")
        config, best = self._config, Wish(0.0, "no horizon has an edge after costs")
        for h, hours in enumerate(self._horizons):
            likely = float(forecast.probability[side, h])
            gain = float(forecast.adverse[side, h])
            if gain <= 0.0:
                continue
            carry = max(0.0, funding_8h) * hours / 8.0
            cost = float(forecast.favourable[side, h]) + self._round_trip + carry
            p = averse_probability(likely, config.loss_aversion)
            ratio, fraction = self._size(p, gain, cost)
            if ratio > best.ratio:
                at = f" taken as {p:.3f}" if config.loss_aversion != 1.0 else ""
                terms = f"gain {gain:.2%} against cost {cost:.2%}, f={fraction:.2f}"
                best = Wish(ratio, f"p={likely:.3f}{at} in {hours} h, {terms}")
        return best

    def _size(self, p: float, gain: float, cost: float) -> tuple[float, float]:
        """Return the hedge ratio of one horizon and the Kelly fraction it came from."""
        config = self._config
        fraction = min(config.max_kelly, max(0.0, kelly_fraction(p, gain, cost)))
        return min(config.max_hedge_ratio, confidence_multiplier(p, config.knots) * fraction), fraction


class LogGrowthPolicy(KellyPolicy):
    """
    Hedge so that the net position of the whole book grows fastest in the log.

    With an exposure of ``w`` times equity the Kelly-optimal position to the exposure's adverse side, ``f*``
    times equity and negative where the forecast favours the exposure, is reached by a hedge of ``w + f*``
    times equity: ``h = 1 + f* / w``, within [0, max_hedge_ratio].
    """

    def _size(self, p: float, gain: float, cost: float) -> tuple[float, float]:
        config = self._config
        fraction = min(config.max_kelly, kelly_fraction(p, gain, cost))
        ratio = 1.0 + fraction / config.exposure_over_equity
        return min(config.max_hedge_ratio, max(0.0, ratio)), fraction


@cache
def forecast_policy(config: PolicyConfig, horizons_hours: tuple[int, ...], taker_fee: float) -> KellyPolicy:
    """Return the policy that sizes by a forecast of the horizons."""
    kind = LogGrowthPolicy if config.kind == "log_growth" else KellyPolicy
    return kind(config, horizons_hours, taker_fee)


class RulePolicy:
    """
    Hedge by a fixed rule instead of a forecast: what the model is compared with.

    Parameters
    ----------
    config : PolicyConfig
        The policy; its `kind` names the rule.
    schema : StateSchema
        The market state's schema.
    venue : str
        The hedge venue, whose price the stop-loss rule reads.

    """

    def __init__(self, config: PolicyConfig, schema: StateSchema, venue: str) -> None:
        self._config = config
        self._venue = schema.venues.index(venue)
        offsets = np.asarray(schema.offsets_hours)
        self._day = int(np.abs(offsets - 24.0).argmin())
        self._three_days = int(np.searchsorted(offsets, 72.0, side="right"))

    def wish(self, snapshot: Snapshot, long_exposure: bool) -> Wish:
        """Return the wanted hedge ratio: full, nothing, or the constant."""
        config = self._config
        if config.kind == "constant":
            return Wish(config.constant_ratio, "constant")
        if config.kind == "stop_loss":
            acts = self._beyond_stop(snapshot, long_exposure)
        else:
            acts = self._crowded(snapshot, long_exposure)
        return Wish(config.max_hedge_ratio if acts else 0.0, config.kind if acts else f"no {config.kind}")

    def _beyond_stop(self, snapshot: Snapshot, long_exposure: bool) -> bool:
        at = 0, self._venue, _CHANNEL["log_price"], slice(0, self._three_days)
        prices = snapshot.values[at][snapshot.mask[at] > 0]
        if prices.size < 2:
            return False
        best = prices.max() if long_exposure else prices.min()
        move = 1.0 - np.exp(prices[0] - best) if long_exposure else np.exp(prices[0] - best) - 1.0
        return bool(move >= self._config.stop_fall)

    def _crowded(self, snapshot: Snapshot, long_exposure: bool) -> bool:
        interest, known = self._channel(snapshot, "log_open_interest")
        funding, funded = self._channel(snapshot, "funding_8h")
        both = (known[:, 0] > 0) & (known[:, self._day] > 0)
        if not both.any() or not (funded[:, 0] > 0).any():
            return False
        rise = np.log(np.exp(interest[both, 0]).sum() / np.exp(interest[both, self._day]).sum())
        rate = funding[funded[:, 0] > 0, 0].mean()
        crowded = rate > 0.0 if long_exposure else rate < 0.0
        return bool(rise >= np.log1p(self._config.rule_open_interest_rise) and crowded)

    @staticmethod
    def _channel(snapshot: Snapshot, name: str) -> tuple[np.ndarray, np.ndarray]:
        at = _CHANNEL[name]
        return snapshot.values[0, :, at], snapshot.mask[0, :, at]
