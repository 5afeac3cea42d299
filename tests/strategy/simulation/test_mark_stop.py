"""A stop on the mark price is set off by mark prices where the data have them, else by the market's own."""

from typing import Any

import pytest
from nautilus_trader.model.data import MarkPriceUpdate
from nautilus_trader.model.enums import OrderStatus, TriggerType
from nautilus_trader.model.objects import Price

SPIKE = (2000.0, 2400.0, 2000.0, 2000.0)
CALM = (2000.0, 2010.0, 1990.0, 2000.0)
STILL = ((2.2, 2001.0), (2.5, 2002.0), (2.8, 2000.0))
RISEN = ((2.2, 2001.0), (2.5, 2120.0), (2.8, 2000.0))


def run(market: Any, third: tuple[float, ...], marks: Any, by: TriggerType = TriggerType.MARK_PRICE) -> Any:
    """Short at the first bar, stop at 2100 from the second on, and return the script after the third."""
    data = []
    for hours, price in marks:
        ts = market.START + int(hours * market.HOUR)
        data.append(MarkPriceUpdate(market.instrument.id, Price(price, 2), ts, ts))
    return market.run(
        market.bars(2000.0, 2000.0, third, 2000.0),
        {0: lambda s: s.market(-1.0), 1: lambda s: s.stop_market(1.0, "2100.00", by)},
        data=data,
    )


def fills_of(script: Any) -> list[tuple[float, float]]:
    return [(float(each.last_qty), float(each.last_px)) for each in script.fills]


def test_a_spike_of_the_last_price_that_the_mark_does_not_follow_leaves_the_stop_alone(market: Any) -> None:
    script = run(market, SPIKE, STILL)
    assert fills_of(script) == [(1.0, 2000.0)]
    assert script.resting[0].status == OrderStatus.ACCEPTED


def test_the_same_spike_fills_a_stop_on_the_last_price(market: Any) -> None:
    assert fills_of(run(market, SPIKE, STILL, TriggerType.LAST_PRICE)) == [(1.0, 2000.0), (1.0, 2100.0)]


@pytest.mark.parametrize("third", [CALM, SPIKE])
def test_the_mark_sets_the_stop_off_when_it_comes_and_at_what_it_says(market: Any, third: Any) -> None:
    script = run(market, third, RISEN)
    assert fills_of(script) == [(1.0, 2000.0), (1.0, 2120.0)]
    assert script.fills[1].ts_event == market.START + int(2.5 * market.HOUR)


@pytest.mark.parametrize("marks", [(), ((2.5, 2001.0),)])
def test_without_mark_prices_in_the_bar_the_last_price_decides(market: Any, marks: Any) -> None:
    assert fills_of(run(market, SPIKE, marks)) == [(1.0, 2000.0), (1.0, 2100.0)]


def test_a_mark_price_leaves_a_stop_on_the_last_price_alone(market: Any) -> None:
    assert fills_of(run(market, CALM, RISEN, TriggerType.LAST_PRICE)) == [(1.0, 2000.0)]
