"""The strategy in a replay: the same, but told by a recording what a venue told it then."""

from collections.abc import Sequence
from pathlib import Path

from nautilus_trader.core.data import Data
from nautilus_trader.model.data import DataType, InstrumentStatus
from nautilus_trader.model.events import OrderDenied, OrderFilled, OrderRejected, PositionClosed
from nautilus_trader.model.identifiers import ClientOrderId

from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.book import HedgeBook
from oi_hedge_strategy.hedging.desk import Decision
from oi_hedge_strategy.live.entries import unpack
from oi_hedge_strategy.live.state_store import read_checkpoint
from oi_hedge_strategy.records import HedgeDecision, SessionEntry
from oi_hedge_strategy.strategy import OIHedgeStrategy

KILL_SWITCH = "kill switch"


class RecordedAccount:
    """
    Answer for the account what it had said at each decision.

    Parameters
    ----------
    decisions : sequence of HedgeDecision
        As recorded, not empty.

    """

    def __init__(self, decisions: Sequence[HedgeDecision]) -> None:
        self._decisions = decisions
        self.made = 0

    @property
    def now(self) -> HedgeDecision:
        """Return the recorded decision whose turn it is; the last one after all have had theirs."""
        return self._decisions[min(self.made, len(self._decisions) - 1)]

    def read(self, price: float) -> float:
        """Return the exposure, as `ExposureReader` does."""
        return self.now.exposure


class RecordedBook(HedgeBook):
    """Send orders as the hedge book does, from the position that was recorded; rest no stops."""

    account: RecordedAccount
    stop_ids: frozenset[str]

    def quantity(self, price: float) -> float:
        """Return the hedge position that the account had."""
        return self.account.now.hedge_quantity

    def equity(self, price: float) -> float:
        """Return the equity that it had."""
        return self.account.now.equity

    def is_busy(self) -> bool:
        """Return whether an order was still on its way."""
        return self.account.now.waiting

    def protect(self) -> None:
        """Leave the stops to the recording."""

    def is_stop(self, client_order_id: ClientOrderId) -> bool:
        """Return whether an order of the recording was a hard stop."""
        return client_order_id.value in self.stop_ids


class ReplayedStrategy(OIHedgeStrategy):
    """
    Run the strategy over a recording.

    Parameters
    ----------
    config : OIHedgeConfig
        As recorded, without its timer.
    decisions : sequence of HedgeDecision
        As recorded.
    stops : frozenset of str
        Client order ids of the recorded hard stops.
    desk : Path
        What the desk knew when it began to decide.

    """

    def __init__(
        self,
        config: OIHedgeConfig,
        decisions: Sequence[HedgeDecision],
        stops: frozenset[str],
        desk: Path,
    ) -> None:
        super().__init__(config)
        self._begun = desk
        self._account = RecordedAccount(decisions)
        self._stops = stops

    def on_start(self) -> None:
        """Start as ever, but with the recorded account."""
        super().on_start()
        hedge = self.cache.instrument(self.config.bar_type.instrument_id)
        book = RecordedBook(self, hedge, self.config.rails)
        book.account, book.stop_ids = self._account, self._stops
        self._book, self._exposure = book, self._account  # type: ignore[assignment]
        self._desk.restore(*read_checkpoint(self._begun))
        kind = DataType(SessionEntry)
        self.subscribe_data(kind, client_id=self.config.open_interest_client, instrument_id=hedge.id)

    def on_data(self, data: Data) -> None:
        """Take in data; act on what the recording says of the timer, of orders and of the venue."""
        if not isinstance(data, SessionEntry):
            super().on_data(data)
            return
        value = unpack(data)
        if isinstance(value, HedgeDecision) and value.trigger != "bar":
            self._decide(value.ts_event, value.trigger)
        elif isinstance(value, InstrumentStatus):
            super().on_instrument_status(value)
        elif isinstance(value, OrderFilled):
            super().on_order_filled(value)
        elif isinstance(value, OrderRejected):
            super().on_order_rejected(value)
        elif isinstance(value, OrderDenied):
            super().on_order_denied(value)

    def on_order_filled(self, event: OrderFilled) -> None:
        """Leave fills of the fill model out of the decisions."""

    def on_order_rejected(self, event: OrderRejected) -> None:
        """Likewise rejections."""

    def on_order_denied(self, event: OrderDenied) -> None:
        """Likewise orders that were not sent."""

    def on_position_closed(self, event: PositionClosed) -> None:
        """Likewise positions."""

    def _decide(self, asked: int, trigger: str) -> None:
        recorded = self._account.now
        order = recorded.reason.rpartition("; ")[2] if recorded.rail == KILL_SWITCH else ""
        self._desk.stopped = order
        super()._decide(asked, trigger)

    def _publish(
        self, decision: Decision, ordered: float, asked: int, now: int, waiting: bool, trigger: str
    ) -> None:
        super()._publish(decision, ordered, asked, now, waiting, trigger)
        self._account.made += 1
