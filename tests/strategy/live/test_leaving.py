"""What the node's thread leaves for later: writing while an order leaves, and collecting garbage."""

import asyncio
import gc
import weakref

from nautilus_trader.core.uuid import UUID4
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.events import OrderDenied, OrderSubmitted
from nautilus_trader.model.identifiers import AccountId, ClientOrderId, StrategyId, TraderId
from nautilus_trader.model.objects import Quantity
from nautilus_trader.model.orders import MarketOrder
from support.engine import HEDGE
from support.live_node import until

from oi_hedge_strategy.live import collector
from oi_hedge_strategy.live.leaving import Leaving

TRADER, STRATEGY = TraderId("T-1"), StrategyId("S-1")


def made(name):
    return MarketOrder(
        TRADER, STRATEGY, HEDGE, ClientOrderId(name), OrderSide.SELL, Quantity(1.0, 3), UUID4(), 1
    ).init_event


def submitted(name):
    return OrderSubmitted(TRADER, STRATEGY, HEDGE, ClientOrderId(name), AccountId("BINANCE-1"), UUID4(), 2, 2)


def test_writing_waits_while_an_order_leaves_and_never_twice_in_a_row():
    leaving = Leaving()
    assert not leaving.must_wait()
    leaving.note(made("A"))
    assert [leaving.must_wait() for _ in range(4)] == [True, False, True, False]
    leaving.note(made("B"))
    leaving.note(submitted("A"))
    assert leaving.must_wait()
    leaving.note(submitted("B"))
    assert [leaving.must_wait() for _ in range(2)] == [False, False]


def test_an_order_that_is_denied_is_waited_for_no_longer():
    leaving = Leaving()
    leaving.note(made("A"))
    leaving.note(OrderDenied(TRADER, STRATEGY, HEDGE, ClientOrderId("A"), "no", UUID4(), 2))
    assert not leaving.must_wait()


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self):
        self.itself = self


def test_garbage_is_collected_in_turn_and_as_before_afterwards(monkeypatch):
    monkeypatch.setattr(collector, "_YOUNG_SECS", 0.01)

    async def scenario():
        collecting = asyncio.create_task(collector.collect_in_turn())
        await until(lambda: not gc.isenabled())
        assert gc.get_freeze_count() > 0
        knot = weakref.ref(Knot())
        await until(lambda: knot() is None)
        collecting.cancel()
        await asyncio.wait([collecting])

    asyncio.run(scenario())
    assert gc.isenabled() and gc.get_freeze_count() == 0
