"""From market data to a decision: state, forecast, policy, rails, target."""

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from time import perf_counter_ns
from typing import Any

import msgspec
from nautilus_trader.model.instruments import CryptoPerpetual
from numpy.typing import NDArray

from oi_hedge_catalog.errors import ConfigError, StateError
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import PolicyConfig
from oi_hedge_strategy.hedging.decision import Decision
from oi_hedge_strategy.hedging.model_in_use import ModelInUse
from oi_hedge_strategy.hedging.observed import Observed
from oi_hedge_strategy.hedging.policy import RulePolicy, Wish, forecast_policy
from oi_hedge_strategy.hedging.rail_records import RailAction, RailInput, RailVerdict
from oi_hedge_strategy.hedging.rails import Rails, ratio_to_quantity
from oi_hedge_strategy.hedging.target import with_hysteresis, worth_trading
from oi_hedge_strategy.history import feed
from oi_hedge_strategy.margin import MarginSchedule
from oi_hedge_strategy.state import InterestLimits, MarketState, Snapshot, StateSchema, Stream

__all__ = ["Decision", "HedgeDesk"]

_MINUTE_NS = 60_000_000_000
_NEAR = 0.10


class HedgeDesk:
    """
    Decide on the hedge ratio; knows data and numbers, but neither orders nor the message bus.

    Parameters
    ----------
    config : OIHedgeConfig
        The configuration.
    hedge : CryptoPerpetual
        The hedge instrument.
    venues : tuple of str
        Venue slots of a market state that no model prescribes.
    start_ns : int
        When decisions begin, for the model's validity.

    Raises
    ------
    ModelError
        If the model cannot be loaded, does not match, is not calibrated, or is not valid at `start_ns`.

    Attributes
    ----------
    listener : callable, optional
        Is told every event before it is taken in: stream, venue, when it was known, fields.
    halted : bool
        Whether the hedge venue has halted trading.
    stopped : str
        What the kill switch orders, ``hold`` or ``flatten``; empty while it orders nothing.
    price : float
        The last of the hedge instrument.
    hedge_venue : str
        Its venue.
    taker_fee : float
        That venue's, a fraction of the notional: the configured one, or the instrument's own.

    """

    def __init__(
        self, config: OIHedgeConfig, hedge: CryptoPerpetual, venues: tuple[str, ...], start_ns: int
    ) -> None:
        self._config = config
        self.hedge_venue = hedge.id.venue.value
        self.taker_fee = float(hedge.taker_fee) if config.taker_fee is None else config.taker_fee
        self._step = hedge.size_increment.as_double() * hedge.multiplier.as_double()
        self._model = ModelInUse(config, start_ns) if config.policy.needs_model else None
        self.schema = self._model.schema if self._model is not None else StateSchema(venues)
        _check_bars(config, self.schema)
        rails = config.rails
        limits = InterestLimits(rails.max_open_interest_jump, rails.open_interest_confirm_hours)
        self._state = MarketState(self.schema, limits)
        known = self.hedge_venue in self.schema.venues
        self._rule = RulePolicy(_rule(config), self.schema, self.hedge_venue) if known else None
        self.rails = Rails(config.rails, config.policy.max_hedge_ratio, MarginSchedule())
        self.listener: Callable[[Stream, str, int, tuple[float, ...]], None] | None = None
        self.halted = False
        self.stopped = ""
        self.price = 0.0
        self._price_ts = -1
        self._newest = 0
        self._funding_8h = 0.0
        self._near = sum(1 for edge in self.schema.liquidation_map.bands[1:] if edge <= _NEAR + 1e-12)

    def on_bar(
        self, venue: str, spot: bool, ts: int, high: float, low: float, close: float, volume: float
    ) -> None:
        """Take in a bar; one with a price that cannot be is left out, and ages the feed."""
        high, low, close, ts = float(high), float(low), float(close), self.known_at(ts)
        self._tell(Stream.SPOT if spot else Stream.PERPETUAL, venue, ts, high, low, close, float(volume))
        if not (0.0 < low <= close <= high and isfinite(high)):
            return
        self._state.update_bar(venue, spot, ts, high, low, close, float(volume))
        if venue == self.hedge_venue and not spot:
            self.price, self._price_ts = close, ts

    def on_open_interest(self, venue: str, ts: int, quantity: float) -> None:
        """Take in open interest; the market state leaves out what cannot be, by which the feed ages."""
        ts = self.known_at(ts)
        self._tell(Stream.OPEN_INTEREST, venue, ts, quantity)
        self._state.update_open_interest(venue, ts, quantity)

    def on_funding(self, venue: str, ts: int, rate: float, interval_minutes: float | None) -> None:
        """Take in a funding rate; one without its interval says nothing about cost and is left out."""
        ts = self.known_at(ts)
        self._tell(Stream.FUNDING, venue, ts, rate, interval_minutes or 0.0)
        if interval_minutes and isfinite(rate):
            self._state.update_funding(venue, ts, rate, interval_minutes)
            if venue == self.hedge_venue:
                self._funding_8h = rate * 480.0 / interval_minutes

    def on_input(self, stream: Stream, venue: str, ts: int, fields: Sequence[float]) -> None:
        """Take in a further input; liquidations that cannot be are left out, other unknown values masked."""
        ts = self.known_at(ts)
        self._tell(stream, venue, ts, *fields)
        if stream is not Stream.LIQUIDATIONS or all(isfinite(each) and each >= 0.0 for each in fields):
            feed(self._state, stream, venue, ts, fields)

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return the market state's arrays, and what else the desk remembers as JSON can hold it."""
        drift = self.save_drift()
        return self._state.save(), {
            "schema": self.schema.to_json(),
            "market": [self.price, self._price_ts, self._newest, self._funding_8h],
            "rails": self.rails.save().decode(),
            "drift": drift.decode() if drift is not None else None,
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """
        Become the desk that `save` was called on.

        Raises
        ------
        StateError
            If the saved market state is of another input schema.

        """
        if facts["schema"] != self.schema.to_json():
            raise StateError(
                "the saved market state has other inputs (venues, look-back or bars) than the model in use; "
                "move the state directory away, and the look-back is filled anew"
            )
        self._state.restore(arrays)
        self.price, self._price_ts, self._newest, self._funding_8h = facts["market"]
        self.remember(facts["rails"], facts["drift"])

    def remember(self, rails: str, drift: str | None) -> None:
        """Take up what the rails and the drift monitor remembered."""
        self.rails.restore(rails.encode())
        if drift is not None:
            self.restore_drift(drift.encode())

    @property
    def drift_revision(self) -> int:
        """Return a number that changes whenever the drift monitor's memory does."""
        return self._model.drift_revision if self._model is not None else 0

    def replay(self, stream: Stream, venue: str, ts: int, fields: Sequence[float]) -> None:
        """Take in an event as `listener` was told it."""
        if stream in (Stream.PERPETUAL, Stream.SPOT):
            high, low, close, volume = fields
            self.on_bar(venue, stream is Stream.SPOT, ts, high, low, close, volume)
        elif stream is Stream.OPEN_INTEREST:
            self.on_open_interest(venue, ts, fields[0])
        elif stream is Stream.FUNDING:
            self.on_funding(venue, ts, fields[0], fields[1])
        else:
            self.on_input(stream, venue, ts, fields)

    def look(self, now: int) -> Snapshot:
        """Sample the market state as a decision does, without one."""
        return self._state.sample(self.known_at(now))

    @property
    def newest(self) -> int:
        """Return the newest time seen, nanoseconds since the epoch; 0 before the first event."""
        return self._newest

    def _tell(self, stream: Stream, venue: str, ts: int, *fields: float) -> None:
        if self.listener is not None:
            self.listener(stream, venue, ts, fields)

    def known_at(self, ts: int) -> int:
        """Return `ts`, or the newest time seen: an event that comes late is known from then on."""
        self._newest = max(self._newest, ts)
        return self._newest

    @property
    def channels_seen(self) -> tuple[str, ...]:
        """Channels that the model saw in training; none without a model."""
        return self._model.channels_seen if self._model is not None else ()

    def record_order(self, now: int, ordered: float, exposure: float) -> None:
        """Count an order towards the turnover and order-rate rails."""
        self.rails.record_trade(now, abs(ordered / exposure) if exposure else 0.0)

    def decide(self, asked: int, exposure: float, hedge_quantity: float, equity: float) -> Decision:
        """
        Decide on the hedge of `exposure`.

        Parameters
        ----------
        asked : int
            What the clock says, nanoseconds since the epoch; where it lies before the newest time seen, the
            decision is of that time.
        exposure, hedge_quantity : float
            Signed base coin.
        equity : float
            Of the hedge account, quote currency.

        """
        now = self.known_at(asked)
        behind = (now - asked) / _MINUTE_NS
        long = exposure >= 0.0
        seen = self._observe(now, long)
        started = perf_counter_ns()
        ratio = -hedge_quantity / exposure if exposure else 0.0
        held = min(max(ratio, 0.0), self._config.policy.max_hedge_ratio)
        pays = -seen.funding_8h if long else seen.funding_8h
        wish = self._wish(seen, now, exposure, pays)
        smooth = with_hysteresis(wish.ratio, held, self._config.execution)
        verdict = self.rails.apply(smooth, self._rail_input(seen, now, exposure, held, equity, pays, behind))
        if self.stopped:
            verdict = _stop(verdict, held, self.stopped)
        forced = any(action.after < action.before for action in verdict.actions)
        moves = worth_trading(verdict.ratio, held, forced, self._config.execution)
        target = verdict.ratio if moves else held
        quantity = ratio_to_quantity(target, exposure, self._step)
        misplaced = hedge_quantity != 0.0 and (exposure == 0.0 or ratio < 0.0)
        excessive = ratio - held > 0.0 and ratio - held >= self._config.execution.min_adjustment
        return Decision(
            exposure, seen.price, held, wish, verdict, target, quantity,
            (moves or misplaced or excessive) and not self.stopped,
            seen.forecast, seen.alerts, seen.horizons_hours, seen.model_sha256, hedge_quantity, equity,
            (*seen.took_ns, perf_counter_ns() - started),
        )  # fmt: skip

    @property
    def held_back(self) -> dict[str, str]:
        """Return in words, by venue, which open interest is not believed yet."""
        hours = self._config.rails.open_interest_confirm_hours
        return {
            venue: f"{quantity:,.1f} after {last:,.1f}; left out until it is back, or has lasted {hours:g} h"
            for venue, (quantity, last) in self._state.held_back.items()
        }

    def take_notices(self) -> list[str]:
        """Return what the model has to say once: a swap, a fall back, drift."""
        return self._model.take_notices() if self._model is not None else []

    @property
    def model_trouble(self) -> str:
        """Return why the registry's newest model is not the one in use, empty when it is."""
        return self._model.trouble if self._model is not None else ""

    def save_drift(self) -> bytes | None:
        """Return what the drift monitor remembers, None without a model."""
        return self._model.save() if self._model is not None else None

    def restore_drift(self, saved: bytes) -> None:
        """Take up what `save_drift` returned."""
        if self._model is not None:
            self._model.restore(saved)

    def _observe(self, now: int, long: bool) -> Observed:
        """Return what the market and the model say now, and the rule for the exposure's side."""
        started, model = perf_counter_ns(), self._model
        snapshot = self._state.sample(now)
        sampled = perf_counter_ns()
        below, above = snapshot.liquidation_map[0, :, : self._near].sum(axis=1).tolist()
        market = (
            self.price, _age(now, self._price_ts), _age(now, self._state.open_interest_ts), (below, above),
            self._funding_8h,
        )  # fmt: skip
        if model is None:
            assert self._rule is not None
            return Observed(*market, rule=self._rule.wish(snapshot, long), took_ns=(sampled - started, 0))
        forecast, problem = model.forecast(snapshot, now)
        predicted = perf_counter_ns()
        return Observed(
            *market,
            rule=self._rule.wish(snapshot, long) if self._rule is not None and model.demoted else None,
            forecast=forecast,
            problem=problem,
            demoted=model.demoted,
            alerts=model.alerts(forecast),
            horizons_hours=model.card.cascade.horizons_hours,
            model_sha256=model.sha256,
            took_ns=(sampled - started, predicted - sampled),
        )

    def _policy(self, now: int) -> PolicyConfig:
        """Return the policy in force."""
        return self._config.policy

    def _wish(self, seen: Observed, now: int, exposure: float, pays: float) -> Wish:
        if exposure == 0.0:
            return Wish(0.0, "no exposure")
        if seen.model_sha256:
            if seen.forecast is None:
                return Wish(0.0, seen.problem)
            if not seen.demoted:
                policy = forecast_policy(self._policy(now), seen.horizons_hours, self.taker_fee)
                return policy.wish(seen.forecast, exposure > 0.0, pays)
            if self._config.drift.on_drift == "flatten":
                return Wish(0.0, f"model demoted, {seen.demoted}; flatten")
        assert seen.rule is not None
        if not seen.model_sha256:
            return seen.rule
        return Wish(seen.rule.ratio, f"model demoted, {seen.demoted}; {seen.rule.reason}")

    def _rail_input(
        self,
        seen: Observed,
        now: int,
        exposure: float,
        held: float,
        equity: float,
        pays: float,
        behind: float,
    ) -> RailInput:
        risk, total = seen.near[0 if exposure >= 0.0 else 1], sum(seen.near)
        return RailInput(
            now=now,
            exposure=exposure,
            held=held,
            price=seen.price,
            equity=equity,
            model_problem=seen.problem,
            price_age_minutes=seen.price_age_minutes,
            open_interest_age_minutes=seen.open_interest_age_minutes,
            halted=self.halted,
            side_at_risk=risk / total if total > 0.0 else 0.0,
            share_at_risk=risk,
            funding_8h=pays,
            behind_minutes=behind,
        )


def _stop(verdict: RailVerdict, held: float, order: str) -> RailVerdict:
    """Return the verdict under the kill switch, which no rail overrules."""
    after = 0.0 if order == "flatten" else held
    return RailVerdict(
        after, (*verdict.actions, RailAction("kill switch", verdict.ratio, after, f"stopped; {order}"))
    )


def _rule(config: OIHedgeConfig) -> PolicyConfig:
    """Return the policy of the rule: the configured one, or what takes over from a demoted model."""
    if not config.policy.needs_model:
        return config.policy
    return msgspec.structs.replace(config.policy, kind="open_interest_rule")


def _age(now: int, ts: int) -> float:
    return (now - ts) / _MINUTE_NS if ts >= 0 else inf


def _check_bars(config: OIHedgeConfig, schema: StateSchema) -> None:
    seconds = config.bar_type.spec.timedelta.total_seconds()
    if seconds != schema.bar_seconds:
        raise ConfigError(
            f"bar_type {config.bar_type}: the model was trained on bars of {schema.bar_seconds} s, these "
            f"have {seconds:.0f} s; name bars of that length, forecasts in between come from the timer"
        )
