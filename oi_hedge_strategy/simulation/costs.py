"""What trading costs in a backtest, beyond the parameters of spread and impact themselves."""

from typing import Literal

from nautilus_trader.common.config import NautilusConfig

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.fees import fee_rates

_STEEPEST = 5.0


class CostsConfig(NautilusConfig, frozen=True):
    """
    Configure execution costs.

    Parameters
    ----------
    impact_multiplier : float, default 1
        Times half-spread and market impact of every fill; for sweeps.
    latency_multiplier : float, default 1
        Times every latency; for sweeps.
    feed_ms, response_ms : float, default 100
        Until the strategy sees the market, and its own fills: medians in ordinary conditions, as `latency_ms`
        of order entry is (see `delays`).
    latency_exponent : float, default 1
        Of the growth of every latency with the bar's volatility over the usual one.
    latency_jitter : float, default 0.5
        Standard deviation of a latency's logarithm.
    max_latency_ms : float, default 60000
        The longest delay of one message.
    seed : int, default 0
        Of the jitter: the same seed gives the same delays.
    moves_market : bool, default True
        Whether own trades move the prices that are seen afterwards.
    relaxation_minutes : float, default 60
        Time of the decay of own impact (see `propagator`).
    cross_impact : float, default 1
        Share of own impact that other instruments of the same coin see (see `observer`).
    margin_mode : "cross" or "isolated", default "cross"
        What answers for the hedge's losses: the account, or each position's initial margin.
    liquidation_fee : float, default 0.0125
        On the notional of a forced close; Binance's for ETHUSDT.
    fee_tier : str
        Name of a tier of the hedge venue's schedule, such as "vip3" (see `FEE_TIERS`); the instrument's own
        fees when empty.
    maker_fee, taker_fee : float, optional
        Fees of the hedge venue, fractions of the notional, in place of the tier's or the instrument's.

    """

    impact_multiplier: float = 1.0
    latency_multiplier: float = 1.0
    feed_ms: float = 100.0
    response_ms: float = 100.0
    latency_exponent: float = 1.0
    latency_jitter: float = 0.5
    max_latency_ms: float = 60_000.0
    seed: int = 0
    moves_market: bool = True
    relaxation_minutes: float = 60.0
    cross_impact: float = 1.0
    margin_mode: Literal["cross", "isolated"] = "cross"
    liquidation_fee: float = 0.0125
    fee_tier: str = ""
    maker_fee: float | None = None
    taker_fee: float | None = None

    def check(self) -> None:
        """
        Check each value.

        Raises
        ------
        ConfigError
            For the first one out of range.

        """
        for name in ("impact_multiplier", "latency_multiplier"):
            if getattr(self, name) < 0.0:
                raise ConfigError(f"costs.{name} must not be negative, was {getattr(self, name):g}")
        for name in ("feed_ms", "response_ms", "latency_exponent", "latency_jitter", "max_latency_ms"):
            if getattr(self, name) < 0.0:
                raise ConfigError(f"costs.{name} must not be negative, was {getattr(self, name):g}")
        for name in ("latency_exponent", "latency_jitter"):
            if getattr(self, name) > _STEEPEST:
                raise ConfigError(f"costs.{name} must be at most {_STEEPEST:g}, was {getattr(self, name):g}")
        if not self.relaxation_minutes > 0.0:
            raise ConfigError(f"costs.relaxation_minutes must be above 0, was {self.relaxation_minutes:g}")
        for name in ("cross_impact", "liquidation_fee"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"costs.{name} must be in [0, 1], was {getattr(self, name):g}")
        if self.maker_fee is not None and not -0.01 <= self.maker_fee < 0.1:
            raise ConfigError(f"costs.maker_fee must be a fraction in [-0.01, 0.1), was {self.maker_fee:g}")
        if self.taker_fee is not None and not 0.0 <= self.taker_fee < 0.1:
            raise ConfigError(f"costs.taker_fee must be a fraction in [0, 0.1), was {self.taker_fee:g}")

    def fees(self, venue: str) -> tuple[float | None, float | None]:
        """
        Return maker and taker fee at `venue`, ``None`` for each that is the instrument's own.

        Raises
        ------
        ConfigError
            If the tier is not the venue's.

        """
        maker, taker = fee_rates(venue, self.fee_tier) if self.fee_tier else (None, None)
        return (
            maker if self.maker_fee is None else self.maker_fee,
            taker if self.taker_fee is None else self.taker_fee,
        )
