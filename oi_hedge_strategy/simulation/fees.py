"""Fees by tier: a venue's published schedule, or rates of one's own, in place of the instrument's.

The tables are those of USDT-margined perpetuals without rebates or token discounts: Binance's ten tiers, and
the first tier of the other venues. Venues change them: give `maker_fee` and `taker_fee` where yours differ.
"""

from decimal import Decimal

from nautilus_trader.backtest.config import FeeModelConfig
from nautilus_trader.backtest.models import FeeModel
from nautilus_trader.model.enums import LiquiditySide
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.model.orders import Order

from oi_hedge_catalog.errors import ConfigError

FeeRates = tuple[float, float]
"""Maker and taker fee, fractions of the notional; a negative maker fee is a rebate."""

FEE_TIERS: dict[str, dict[str, FeeRates]] = {
    "BINANCE": {
        "vip0": (0.00020, 0.00050),
        "vip1": (0.00016, 0.00040),
        "vip2": (0.00014, 0.00035),
        "vip3": (0.00012, 0.00032),
        "vip4": (0.00010, 0.00030),
        "vip5": (0.00008, 0.00027),
        "vip6": (0.00006, 0.00025),
        "vip7": (0.00004, 0.00022),
        "vip8": (0.00002, 0.00020),
        "vip9": (0.0, 0.00017),
    },
    "BYBIT": {"vip0": (0.00020, 0.00055)},
    "OKX": {"regular": (0.00020, 0.00050)},
    "HYPERLIQUID": {"tier0": (0.00015, 0.00045)},
}


def fee_rates(venue: str, tier: str) -> FeeRates:
    """
    Return maker and taker fee of a venue's named tier.

    Raises
    ------
    ConfigError
        If the venue or the tier is not in `FEE_TIERS`.

    """
    tiers = FEE_TIERS.get(venue)
    if tiers is None:
        raise ConfigError(
            f"fee_tier {tier!r}: no schedule of venue {venue} is known, only of {', '.join(FEE_TIERS)}; give "
            "maker_fee and taker_fee instead"
        )
    if tier not in tiers:
        raise ConfigError(f"fee_tier {tier!r}: venue {venue} has {', '.join(tiers)}")
    return tiers[tier]


class TierFeeModelConfig(FeeModelConfig, frozen=True):
    """
    Configure a `TierFeeModel`.

    Parameters
    ----------
    maker_fee, taker_fee : float, optional
        Fractions of the notional; the instrument's own where not given.

    """

    maker_fee: float | None = None
    taker_fee: float | None = None


class TierFeeModel(FeeModel):
    """Charge one maker and one taker fee on all of a venue's instruments."""

    def __init__(self, config: TierFeeModelConfig) -> None:
        self._maker = _decimal(config.maker_fee)
        self._taker = _decimal(config.taker_fee)

    def get_commission(
        self, order: Order, fill_qty: Quantity, fill_px: Price, instrument: Instrument
    ) -> Money:
        """Return the commission of a fill, in the currency that the instrument is settled in."""
        notional = instrument.notional_value(fill_qty, fill_px)
        if order.liquidity_side == LiquiditySide.MAKER:
            rate = instrument.maker_fee if self._maker is None else self._maker
        else:
            rate = instrument.taker_fee if self._taker is None else self._taker
        return Money(notional.as_decimal() * rate, notional.currency)


def _decimal(rate: float | None) -> Decimal | None:
    return None if rate is None else Decimal(str(rate))
