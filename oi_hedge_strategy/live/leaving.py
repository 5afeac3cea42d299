"""Let what can wait do so while an order is about to leave the node."""

from nautilus_trader.model.events import OrderEvent, OrderInitialized
from nautilus_trader.model.identifiers import ClientOrderId


class Leaving:
    """
    Tell whether an order was made that has not left: work of the node's thread would hold it up.

    It passes through the queues of risk engine and execution engine, which share that thread with timers.
    """

    def __init__(self) -> None:
        self._orders: set[ClientOrderId] = set()
        self._waited = False

    def note(self, event: OrderEvent) -> None:
        """Take in an event of an order."""
        if isinstance(event, OrderInitialized):
            self._orders.add(event.client_order_id)
        else:
            self._orders.discard(event.client_order_id)

    def must_wait(self) -> bool:
        """Return whether a timer's work is left to its next time; never twice in a row."""
        self._waited = bool(self._orders) and not self._waited
        return self._waited
