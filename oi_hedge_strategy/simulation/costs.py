"""What trading costs in a backtest, beyond the parameters of spread and impact themselves."""

from nautilus_trader.common.config import NautilusConfig

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.fees import fee_rates


class CostsConfig(NautilusConfig, frozen=True):
    """
    Configure execution costs.

    Parameters
    ----------
    impact_multiplier : float, default 1
        Times half-spread and market impact of every fill; for sweeps.
    latency_multiplier : float, default 1
        Times every latency; for sweeps.
    fee_tier : str
        Name of a tier of the hedge venue's schedule, such as "vip3" (see `FEE_TIERS`); the instrument's own
        fees when empty.
    maker_fee, taker_fee : float, optional
        Fees of the hedge venue, fractions of the notional, in place of the tier's or the instrument's.

    """

    impact_multiplier: float = 1.0
    latency_multiplier: float = 1.0
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
