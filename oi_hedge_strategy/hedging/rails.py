"""Hard risk rails: each can only make the book safer, and says what it did."""

from collections import deque
from collections.abc import Callable
from math import floor

import msgspec

from oi_hedge_strategy.hedging.config import FailState, RailsConfig
from oi_hedge_strategy.hedging.rail_records import RailAction, RailInput, RailState, RailVerdict
from oi_hedge_strategy.hedging.stress import Stress, solvent_ratio
from oi_hedge_strategy.margin import MarginSchedule, tiered_liquidation_price
from oi_hedge_strategy.times import parse_time_ns

_DAY_NS = 86_400_000_000_000
_HOUR_NS = 3_600_000_000_000
RAIL_NAMES = (
    "model", "freshness", "venue", "positioning", "funding", "leverage", "liquidation", "stress", "drawdown",
    "turnover",
)  # fmt: skip
"""In the order in which they act."""
_STANDING = ("model", "freshness", "venue", "drawdown")
"""Rails whose reason lasts whatever is wanted: they say so even where they need not change the ratio."""
_ROUNDING = 1e-12


class Rails:
    """
    Apply the rails in their order to a wanted hedge ratio.

    Order: model health, data freshness, venue status, one-sided positioning, funding spike, leverage and
    liquidation distance, stress, drawdown and cooldown, turnover and order rate. Stale data, a halt and a
    blackout also silence one-sided positioning, but never the rails that bound funding, leverage, stress and
    drawdown.

    Parameters
    ----------
    config : RailsConfig
        The rails.
    max_ratio : float
        The largest hedge ratio.
    margin : MarginSchedule
        The hedge venue's maintenance margin.

    """

    def __init__(self, config: RailsConfig, max_ratio: float, margin: MarginSchedule) -> None:
        config.check()
        self._config = config
        self._max = max_ratio
        self._margin = margin
        self._worst = Stress(config.stress_rise, config.stress_fall, config.stress_carry)
        self._blackouts = [
            (parse_time_ns(b.start, "rails.blackouts"), parse_time_ns(b.end, "rails.blackouts"), b.state)
            for b in config.blackouts
        ]
        self.state = RailState()
        self._chain: tuple[tuple[str, Callable[[RailInput, float], tuple[float, str]]], ...] = tuple(
            (name, getattr(self, f"_{name}")) for name in RAIL_NAMES
        )

    def apply(self, wanted: float, given: RailInput) -> RailVerdict:
        """Return the ratio that is allowed, and which rails acted or stand."""
        ratio, actions = wanted, []
        for name, rail in self._chain:
            after, reason = rail(given, ratio)
            if reason and (after != ratio or name in _STANDING):
                actions.append(RailAction(name, ratio, after, reason, standing=after == ratio))
            ratio = after
        return RailVerdict(ratio, tuple(actions))

    def record_trade(self, now: int, traded_over_exposure: float) -> None:
        """Count an order towards turnover and order rate."""
        self.state.trades.append((now, traded_over_exposure))

    def forget_trade(self) -> None:
        """Take back the last order that was counted: it never left."""
        self.state.trades.pop()

    def save(self) -> bytes:
        """Return what the rails remember as JSON."""
        fields = {name: getattr(self.state, name) for name in RailState.__slots__}
        return msgspec.json.encode(fields | {"trades": list(self.state.trades)})

    def restore(self, saved: bytes) -> None:
        """Take up what `save` returned."""
        fields = msgspec.json.decode(saved)
        fields["trades"] = deque((int(ts), float(traded)) for ts, traded in fields["trades"])
        self.state = RailState(**fields)

    def close_until_cooled(self, now: int) -> None:
        """Keep the hedge closed for the cooldown, after a hard stop was hit."""
        self.state.closed_until = now + int(self._config.cooldown_hours * _HOUR_NS)

    def _fail(self, state: FailState, held: float) -> float:
        return {"hold": held, "flatten": 0.0, "full": self._max}[state]

    def _fail_after_model(self, state: FailState, given: RailInput, ratio: float) -> float:
        """Return where a fail state puts the hedge; "hold" brings back nothing that a model failure took."""
        return self._fail(state, min(given.held, ratio) if given.model_problem else given.held)

    def _model(self, given: RailInput, ratio: float) -> tuple[float, str]:
        if not given.model_problem:
            return ratio, ""
        state = self._config.on_model_failure
        return self._fail(state, given.held), f"{given.model_problem}; {state}"

    def _freshness(self, given: RailInput, ratio: float) -> tuple[float, str]:
        stale, state = self._stale(given), self._config.on_stale_data
        return (
            (self._fail_after_model(state, given, ratio), f"{', '.join(stale)}; {state}")
            if stale
            else (ratio, "")
        )

    def _stale(self, given: RailInput) -> list[str]:
        config = self._config
        found = [
            f"{name} is {age:.0f} min old, at most {limit:.0f}"
            for name, age, limit in (
                ("price", given.price_age_minutes, config.max_price_age_minutes),
                ("open interest", given.open_interest_age_minutes, config.max_open_interest_age_minutes),
            )
            if age > limit
        ]
        if given.behind_minutes > config.max_price_age_minutes:
            found.append(f"the clock is {given.behind_minutes:.0f} min behind what was seen")
        return found

    def _venue(self, given: RailInput, ratio: float) -> tuple[float, str]:
        if given.halted:
            return given.held, "venue halted; hold"
        state = self._blackout(given.now)
        return (
            (ratio, "")
            if state is None
            else (self._fail_after_model(state, given, ratio), f"blackout; {state}")
        )

    def _blackout(self, now: int) -> FailState | None:
        return next((state for start, end, state in self._blackouts if start <= now < end), None)

    def _positioning(self, given: RailInput, ratio: float) -> tuple[float, str]:
        config = self._config
        known = not self._stale(given) and not given.halted and self._blackout(given.now) is None
        extreme = (
            given.side_at_risk >= config.imbalance and given.share_at_risk >= config.imbalance_least_share
        )
        if not (known and extreme):
            return ratio, ""
        return self._max, f"{given.side_at_risk:.0%} of near liquidations on the exposure's side"

    def _funding(self, given: RailInput, ratio: float) -> tuple[float, str]:
        config = self._config
        if given.funding_8h < config.funding_spike or ratio <= config.funding_max_ratio:
            return ratio, ""
        return config.funding_max_ratio, f"hedge would pay {given.funding_8h:.2%} per 8 h"

    def _leverage(self, given: RailInput, ratio: float) -> tuple[float, str]:
        notional = abs(given.exposure) * given.price
        limit = max(0.0, given.equity) * self._config.max_leverage / notional if notional > 0.0 else 0.0
        if ratio <= limit:
            return ratio, ""
        return limit, f"equity {given.equity:.0f} at leverage {self._config.max_leverage:g}"

    def _liquidation(self, given: RailInput, ratio: float) -> tuple[float, str]:
        least = self._config.min_liquidation_distance
        if ratio <= 0.0 or self._distance(given, ratio) >= least:
            return ratio, ""
        low, high = 0.0, ratio
        for _ in range(40):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self._distance(given, middle) >= least else (low, middle)
        return low, f"liquidation price must stay {least:.0%} away"

    def _distance(self, given: RailInput, ratio: float) -> float:
        """Return how far the liquidation price of a hedge opened now lies, as a fraction of the price."""
        quantity = -ratio * given.exposure
        if quantity == 0.0 or given.equity <= 0.0:
            return float("inf") if quantity == 0.0 else 0.0
        price = tiered_liquidation_price(quantity, given.price, given.equity, self._margin)
        away = price / given.price - 1.0
        return away if quantity < 0.0 else -away

    def _stress(self, given: RailInput, ratio: float) -> tuple[float, str]:
        allowed = solvent_ratio(ratio, given.exposure, given.price, given.equity, self._worst, self._margin)
        if allowed >= ratio:
            return ratio, ""
        return allowed, f"must survive {self._worst.move(-given.exposure):+.0%} on equity {given.equity:.0f}"

    def _drawdown(self, given: RailInput, ratio: float) -> tuple[float, str]:
        state, config = self.state, self._config
        if given.now < state.closed_until:
            return 0.0, "cooling down"
        if state.drawn_down:
            state.drawn_down, state.peak_equity = False, given.equity
        state.peak_equity = max(state.peak_equity, given.equity)
        fall = 1.0 - given.equity / state.peak_equity if state.peak_equity > 0.0 else 0.0
        reached = [tier for tier in config.drawdown_tiers if fall >= tier.drawdown - _ROUNDING]
        if not reached:
            return ratio, ""
        tier = reached[-1]
        if tier is config.drawdown_tiers[-1]:
            self.close_until_cooled(given.now)
            state.drawn_down = True
        return ratio * tier.scale, f"{tier.name}: hedge book {fall:.1%} below its peak"

    def _turnover(self, given: RailInput, ratio: float) -> tuple[float, str]:
        trades, config = self.state.trades, self._config
        while trades and trades[0][0] <= given.now - _DAY_NS:
            trades.popleft()
        if ratio <= given.held:
            return ratio, ""
        if len(trades) >= config.max_daily_orders:
            return given.held, f"{len(trades)} orders within a day"
        left = max(0.0, config.max_daily_turnover - sum(traded for _, traded in trades))
        if ratio - given.held > left:
            return given.held + left, f"turnover {config.max_daily_turnover - left:.1f} within a day"
        return ratio, ""


def ratio_to_quantity(ratio: float, exposure: float, step: float) -> float:
    """Return the signed hedge position for a ratio, rounded towards zero to the instrument's step."""
    size = floor(abs(ratio * exposure) / step + 1e-9) * step
    return -size if exposure > 0.0 else size
