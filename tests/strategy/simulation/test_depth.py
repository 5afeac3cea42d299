"""Order-book snapshots bound the cost of a fill from below."""

from typing import Any

import pytest
from nautilus_trader.model.data import BookOrder, OrderBookDepth10
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.objects import Price, Quantity

from oi_hedge_strategy.simulation.depth import BookSnapshot
from oi_hedge_strategy.simulation.impact import ImpactParameters, execution_cost

BOOK = BookSnapshot(0, bids=[(1999.0, 5.0), (1990.0, 5.0)], asks=[(2001.0, 5.0), (2010.0, 5.0)])
IMPACT = {"default_volatility": 0.04, "default_volume": 1e6, "warmup_days": 1e3, "participation": 1.0}


@pytest.mark.parametrize(
    ("quantity", "bps"),
    [
        (5.0, 5.0),  # 1 of 2000
        (10.0, 27.5),  # (5 * 1 + 5 * 10) / 10 of 2000
        (40.0, 55.0),  # four times what is on display: twice as much
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_cost_of_walking_the_book_by_hand(side: int, quantity: float, bps: float) -> None:
    assert BOOK.cost_bps(side, quantity) == pytest.approx(bps)


def test_book_counts_only_where_it_is_dearer_than_the_law() -> None:
    parameters = ImpactParameters()
    law = execution_cost(parameters, 100.0, 0.04, 10_000.0)
    assert law.total_bps == pytest.approx(41.0)
    assert execution_cost(parameters, 100.0, 0.04, 10_000.0, book_cost_bps=30.0) == law
    dear = execution_cost(parameters, 100.0, 0.04, 10_000.0, book_cost_bps=60.0)
    assert (dear.half_spread_bps, dear.impact_bps) == (1.0, pytest.approx(59.0))


def depth(market: Any, hours: float, size: str) -> OrderBookDepth10:
    """Return a book with a level at every 0.05 % from the middle at 2000."""
    ts = market.START + int(hours * market.HOUR)

    def side(which: OrderSide, sign: int) -> list[BookOrder]:
        quantity = Quantity.from_str(size)
        return [BookOrder(which, Price(2000.0 + sign * (1.0 + i), 2), quantity, i) for i in range(10)]

    return OrderBookDepth10(
        market.instrument.id,
        side(OrderSide.BUY, -1),
        side(OrderSide.SELL, 1),
        [1] * 10,
        [1] * 10,
        0,
        0,
        ts,
        ts,
    )


def test_fill_pays_what_a_thin_book_asks(market: Any) -> None:
    script = market.run(
        market.bars(*[2000.0] * 3),
        {1: lambda s: s.market(10.0)},
        data=[depth(market, 1.9, "1.000")],
        impact=IMPACT,
    )
    # one at 2001 and so on to 2010: 5.50 on average
    assert float(script.fills[0].last_px) == pytest.approx(2005.50)
    (cost,) = market.ledger.fill_costs
    assert cost.half_spread_bps + cost.impact_bps == pytest.approx(27.5)


def test_deep_book_does_not_make_a_fill_cheaper_than_the_law(market: Any) -> None:
    def impact_of(data: list[Any]) -> float:
        market.run(market.bars(*[2000.0] * 3), {1: lambda s: s.market(10.0)}, data=data, impact=IMPACT)
        (cost,) = market.ledger.fill_costs
        return float(cost.impact_bps)

    assert impact_of([depth(market, 1.9, "100000.000")]) >= impact_of([]) == pytest.approx(1.264911)


def test_book_of_two_hours_ago_no_longer_counts(market: Any) -> None:
    market.run(
        market.bars(*[2000.0] * 4),
        {2: lambda s: s.market(10.0)},
        data=[depth(market, 0.9, "1.000")],
        impact=IMPACT,
    )
    (cost,) = market.ledger.fill_costs
    assert cost.impact_bps == pytest.approx(1.264911)


def test_snapshot_neither_moves_the_market_nor_fires_a_stop_inside_its_ten_levels(market: Any) -> None:
    def orders(s: Any) -> None:
        s.market(1.0)
        s.stop_market(-1.0, "1992.00")
        s.limit(1.0, "1991.00")

    script = market.run(
        market.bars(*[2000.0] * 4),
        {0: orders, 2: lambda s: s.market(1.0)},
        data=[depth(market, 1.5, "1000.000"), depth(market, 2.9, "1000.000")],
        impact=IMPACT | {"impact_coefficient": 0.0, "half_spread_bps": 0.0, "min_half_spread_bps": 0.0},
    )
    # the second purchase takes the first level, 5 bps from the middle
    assert [float(fill.last_px) for fill in script.fills] == [2000.0, 2001.0]
