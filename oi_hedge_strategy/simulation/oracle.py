"""A forecast that knows the truth of a simulated market: the bound of what any model could reach there."""

import os
from typing import Self

import numpy as np

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.forecast.model import Forecast
from oi_hedge_strategy.simulation.market_result import CascadeOutlook
from oi_hedge_strategy.simulation.market_truth_store import read_outlook

OLDEST_NS = 24 * 3_600_000_000_000
"""A truth older than this says nothing any more; moments lie a day apart at most."""


class Oracle:
    """
    Give the true probabilities and moves as of a moment.

    Between two moments of the truth the earlier one holds, so the oracle never sees what comes.

    Parameters
    ----------
    outlook : CascadeOutlook
        The truth.
    levels : int
        Number of quantiles that a forecast carries; all are the mean, since the truth keeps no others.

    """

    def __init__(self, outlook: CascadeOutlook, levels: int) -> None:
        self._outlook = outlook
        self._levels = levels

    @classmethod
    def load(cls, path: str | os.PathLike[str], definition: CascadeDefinition, levels: int) -> Self:
        """
        Read a table of true probabilities.

        Raises
        ------
        CatalogError
            If the file is missing or is no such table.
        ConfigError
            If its cascades are not those of `definition`.

        """
        outlook = read_outlook(path)
        if outlook.definition != definition:
            raise ConfigError(
                f"{path} holds the truth of {outlook.definition}, the model forecasts {definition}; simulate "
                "the truth of that definition, or use a model of this one"
            )
        return cls(outlook, levels)

    def forecast(self, now: int) -> tuple[Forecast | None, str]:
        """Return the truth as of `now`, nanoseconds since the epoch, or None and why there is none."""
        outlook = self._outlook
        last = int(np.searchsorted(outlook.times, now, side="right")) - 1
        if last < 0 or now - int(outlook.times[last]) > OLDEST_NS:
            return None, "the truth of this moment is not known"
        probability, adverse, favourable = (
            each[last].astype(np.float32)
            for each in (outlook.probability, outlook.adverse, outlook.favourable)
        )
        quantiles = np.repeat(np.stack([adverse, favourable])[:, None], self._levels, axis=1)
        return Forecast(probability, adverse, favourable, quantiles), ""
