"""Decide again on what an earlier run observed: another policy or other costs without another forecast."""

from collections.abc import Mapping, Sequence

import msgspec
from nautilus_trader.model.instruments import CryptoPerpetual

from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import PolicyConfig
from oi_hedge_strategy.hedging.desk import HedgeDesk
from oi_hedge_strategy.hedging.observed import Observed

Policies = Sequence[tuple[int, PolicyConfig]]


class ObservingDesk(HedgeDesk):
    """
    Keep what was observed at each decision.

    Attributes
    ----------
    observed : dict of int to Observed
        By decision time, nanoseconds.

    """

    def __init__(
        self, config: OIHedgeConfig, hedge: CryptoPerpetual, venues: tuple[str, ...], start_ns: int
    ) -> None:
        super().__init__(config, hedge, venues, start_ns)
        self.observed: dict[int, Observed] = {}

    def _observe(self, now: int, long: bool) -> Observed:
        seen = self.observed[now] = super()._observe(now, long)
        return seen


class ReplayDesk(HedgeDesk):
    """
    Decide by observations in place of a market state and a model; rails, sizing and orders stay the same.

    Parameters
    ----------
    observed : mapping of int to Observed
        Of an `ObservingDesk`, by decision time.
    policies : sequence of (int, PolicyConfig)
        Which policy sizes from which moment on, ascending.
    config, hedge, venues, start_ns
        As for `HedgeDesk`.

    Attributes
    ----------
    decided : int
        Decisions so far.

    """

    def __init__(
        self,
        observed: Mapping[int, Observed],
        policies: Policies,
        config: OIHedgeConfig,
        hedge: CryptoPerpetual,
        venues: tuple[str, ...],
        start_ns: int,
    ) -> None:
        rule = msgspec.structs.replace(config.policy, kind="constant")
        super().__init__(msgspec.structs.replace(config, policy=rule), hedge, venues, start_ns)
        self._observed = observed
        self._policies = policies
        self.decided = 0

    def on_bar(
        self, venue: str, spot: bool, ts: int, high: float, low: float, close: float, volume: float
    ) -> None:
        """Take the hedge instrument's price from what was observed."""
        seen = self._observed.get(self.known_at(ts))
        if seen is not None:
            self.price = seen.price

    def on_funding(self, venue: str, ts: int, rate: float, interval_minutes: float | None) -> None:
        """Leave it: funding was observed."""

    def _observe(self, now: int, long: bool) -> Observed:
        self.decided += 1
        return self._observed[now]

    def _policy(self, now: int) -> PolicyConfig:
        return next(policy for since, policy in reversed(self._policies) if since <= now)
