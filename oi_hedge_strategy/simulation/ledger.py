"""An actor that keeps every record of the simulated venues, for the evaluation after a run."""

from typing import Any

import numpy as np
from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorConfig
from nautilus_trader.model.identifiers import InstrumentId
from numpy.typing import NDArray

from oi_hedge_catalog.types import CatalogData
from oi_hedge_strategy.simulation.records import (
    RECORD_TYPES,
    FillCost,
    FundingIntervalChange,
    FundingPayment,
    PositionLiquidated,
    PriceShift,
    topic,
)


class SimulationLedgerConfig(ActorConfig, frozen=True):
    """Configure a `SimulationLedger`; add it to the engine's `actors`."""


class SimulationLedger(Actor):
    """
    Keep the records of all venues in the order in which they happened.

    Attributes
    ----------
    fill_costs : list of FillCost
    funding_payments : list of FundingPayment
    liquidations : list of PositionLiquidated
    price_shifts : list of PriceShift
    interval_changes : list of FundingIntervalChange

    Examples
    --------
    >>> ledger = SimulationLedger.of(engine.trader.actors())  # doctest: +SKIP
    >>> slippage = sum(cost.amount for cost in ledger.fill_costs)  # doctest: +SKIP
    """

    def __init__(self, config: SimulationLedgerConfig | None = None) -> None:
        super().__init__(config or SimulationLedgerConfig())
        self.fill_costs: list[FillCost] = []
        self.funding_payments: list[FundingPayment] = []
        self.liquidations: list[PositionLiquidated] = []
        self.price_shifts: list[PriceShift] = []
        self.interval_changes: list[FundingIntervalChange] = []
        self._kept: dict[type[CatalogData], list[Any]] = {
            FillCost: self.fill_costs,
            FundingPayment: self.funding_payments,
            PositionLiquidated: self.liquidations,
            PriceShift: self.price_shifts,
            FundingIntervalChange: self.interval_changes,
        }

    @classmethod
    def of(cls, actors: list[Actor]) -> "SimulationLedger":
        """Return the ledger among `actors`, such as ``engine.trader.actors()``."""
        ledger = next((actor for actor in actors if isinstance(actor, cls)), None)
        if ledger is None:
            raise LookupError("no SimulationLedger among the actors: add it to the engine's `actors`")
        return ledger

    def on_start(self) -> None:
        """Subscribe to the records of every venue."""
        for record_type in RECORD_TYPES:
            self.msgbus.subscribe(topic(record_type), self._keep)

    def _keep(self, record: CatalogData) -> None:
        self._kept[type(record)].append(record)

    def close_of(
        self, instrument_id: InstrumentId, ts_init: NDArray[np.int64], close: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """
        Return bars' closes as the simulation saw them, own trades included.

        Parameters
        ----------
        instrument_id : InstrumentId
            The bars' instrument.
        ts_init : int64 array, shape (n,)
            When each bar was known, ascending.
        close : float64 array, shape (n,)
            As recorded.

        """
        shifts = [each for each in self.price_shifts if each.instrument_id == instrument_id]
        if not shifts:
            return close
        seen = close.copy()
        at = np.searchsorted(ts_init, np.array([each.ts_init for each in shifts], np.int64))
        for row, each in zip(at, shifts, strict=True):
            if row < ts_init.size and ts_init[row] == each.ts_init and close[row] == each.recorded_close:
                seen[row] = each.close
        return seen

    def on_reset(self) -> None:
        """Forget all records."""
        for records in self._kept.values():
            records.clear()
