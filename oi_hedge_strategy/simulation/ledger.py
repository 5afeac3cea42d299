"""An actor that keeps every record of the simulated venues, for the evaluation after a run."""

from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorConfig

from oi_hedge_strategy.simulation.records import (
    RECORD_TYPES,
    FillCost,
    FundingPayment,
    PositionLiquidated,
    SimulationRecord,
    topic,
)


class SimulationLedgerConfig(ActorConfig, frozen=True):
    """Configure a `SimulationLedger`; add it to the engine's `actors`."""


class SimulationLedger(Actor):
    """
    Keep fill costs, funding payments and liquidations of all venues in the order in which they happened.

    Attributes
    ----------
    fill_costs : list of FillCost
    funding_payments : list of FundingPayment
    liquidations : list of PositionLiquidated

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

    def _keep(self, record: SimulationRecord) -> None:
        if isinstance(record, FillCost):
            self.fill_costs.append(record)
        elif isinstance(record, FundingPayment):
            self.funding_payments.append(record)
        elif isinstance(record, PositionLiquidated):
            self.liquidations.append(record)

    def on_reset(self) -> None:
        """Forget all records."""
        self.fill_costs.clear()
        self.funding_payments.clear()
        self.liquidations.clear()
