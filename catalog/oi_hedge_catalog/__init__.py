"""Open interest as Nautilus data: types, storage and quality checks."""

from oi_hedge_catalog.funding_codec import register as _register_funding_codec
from oi_hedge_catalog.premium import PremiumIndexUpdate
from oi_hedge_catalog.types import (
    CatalogData,
    LiquidationRecord,
    LongShortRatio,
    OpenInterestUpdate,
    OptionsOpenInterest,
    WalletConcentration,
)

_register_funding_codec()

__all__ = [
    "CatalogData",
    "LiquidationRecord",
    "LongShortRatio",
    "OpenInterestUpdate",
    "OptionsOpenInterest",
    "PremiumIndexUpdate",
    "WalletConcentration",
]
