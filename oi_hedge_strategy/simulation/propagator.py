"""How a price comes back after one's own trade: a permanent and a decaying part; knows no framework.

A trade that moves the price by its impact ``I`` leaves, a time ``t`` later, the shift

    P + (I - P) * (sqrt(1 + t / T) - sqrt(t / T))

The decaying part is the relaxation of the square-root law in the linear order book (Donier, Bonart,
Mastromatteo and Bouchaud 2015, arXiv 1412.0141, with `T` the time over which the order was executed), which
falls as ``t**-0.5`` and so allows no profit from pushing the price (Gatheral 2010). Measured impact decays
to about two thirds of its peak within the day (Bucci et al. 2019, arXiv 1901.05332), and, freed of the orders
that follow, slowly towards zero (Brokmann et al. 2015, arXiv 1407.3390). The permanent part is linear in the
quantity, ``P = gamma * sigma * q / V`` with gamma 0.314 (Almgren et al. 2005), as a round trip would pay
otherwise (Huberman and Stanzl 2004): buying back what was sold undoes it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from oi_hedge_catalog.errors import ConfigError

PERMANENT_COEFFICIENT = 0.314


def permanent_share(quantity: float, volatility: float, volume: float, coefficient: float) -> float:
    """
    Return the linear, permanent impact of a trade, a fraction of the price.

    Parameters
    ----------
    quantity, volume : float
        Of the trade and of a day, in the same unit.
    volatility : float
        Daily, a fraction.
    coefficient : float
        Almgren's gamma.

    """
    if coefficient == 0.0:
        return 0.0
    return coefficient * volatility * quantity / volume if volume > 0.0 else math.inf


def relaxation(elapsed: float) -> float:
    """
    Return what is left of decaying impact, between 1 and 0.

    Parameters
    ----------
    elapsed : float
        Time since the trade over the relaxation time; 0 or more.

    Examples
    --------
    >>> round(relaxation(0.0), 3), round(relaxation(1.0), 3), round(relaxation(24.0), 3)
    (1.0, 0.414, 0.101)

    """
    return math.sqrt(1.0 + elapsed) - math.sqrt(elapsed)


class ImpactTrail:
    """
    Remember own trades in one instrument and tell how far they have moved its price.

    Parameters
    ----------
    relaxation_ns : float
        T, nanoseconds.

    """

    def __init__(self, relaxation_ns: float) -> None:
        if not relaxation_ns > 0.0:
            raise ConfigError(f"market impact: the relaxation time must be positive, was {relaxation_ns}.")
        self._relaxation_ns = relaxation_ns
        self._ts: NDArray[np.float64] = np.empty(0)
        self._permanent: NDArray[np.float64] = np.empty(0)
        self._decaying: NDArray[np.float64] = np.empty(0)

    def add(self, ts: int, impact: float, permanent: float) -> None:
        """
        Add a trade.

        Parameters
        ----------
        ts : int
            Its time, UNIX ns; not before the last one's.
        impact : float
            Signed move of the price by the trade, a fraction.
        permanent : float
            What of it stays.

        """
        self._ts = np.append(self._ts, float(ts))
        self._permanent = np.append(self._permanent, permanent)
        self._decaying = np.append(self._decaying, impact - permanent)

    def shift(self, ts: int) -> float:
        """Return the sum of all own trades' impact left at `ts`, a signed fraction of the price."""
        past = int(np.searchsorted(self._ts, float(ts), side="right"))
        if past == 0:
            return 0.0
        elapsed = (float(ts) - self._ts[:past]) / self._relaxation_ns
        left = np.sqrt(1.0 + elapsed) - np.sqrt(elapsed)
        return float(self._permanent[:past].sum() + self._decaying[:past] @ left)
