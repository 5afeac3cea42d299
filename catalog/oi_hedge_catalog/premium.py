"""Premium index: how far a perpetual trades from its index, of which a venue makes its funding rate."""

from dataclasses import dataclass

import pyarrow as pa

from oi_hedge_catalog.positioning import FloatSeries
from oi_hedge_catalog.series import Floats
from oi_hedge_catalog.types import CatalogData


class PremiumIndexUpdate(CatalogData):
    """
    Premium of a perpetual over its index.

    Parameters
    ----------
    premium : float
        Fraction of the index price, positive where the perpetual is the dearer, as the venue defines it.
    """

    FIELDS = (("premium", pa.float64(), False),)

    __slots__ = ("premium",)

    premium: float


@dataclass(frozen=True, eq=False)
class PremiumSeries(FloatSeries):
    """
    Premium of a perpetual over its index.

    Attributes
    ----------
    id : InstrumentId
        The instrument.
    premium : ndarray of float64, shape (rows,)
        Fraction of the index price.
    """

    premium: Floats

    KIND = "premium_index"
    DATA_CLS = PremiumIndexUpdate
    VALUES = ("premium",)
