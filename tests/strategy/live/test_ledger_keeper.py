"""At which price the running ledger values the exposure, bar by bar."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nautilus_trader.model.data import Bar, CustomData
from nautilus_trader.model.identifiers import StrategyId
from support.engine import HEDGE, HELD, HOUR, SECOND, SPOT, START, bar_type, events, run

from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExposureConfig, PolicyConfig
from oi_hedge_strategy.live.ledger import read_ledger
from oi_hedge_strategy.live.ledger_keeper import LedgerKeeper, LedgerKeeperConfig
from oi_hedge_strategy.live.ledger_records import LedgerBar

PRICES = [2000.0, 1900.0, 2100.0, 2050.0, 1980.0]
DEARER = 1.01


def spot_bar(found: Bar, lag: int) -> Bar:
    """Return a bar of a price that is a hundredth higher, known `lag` seconds after its end."""
    row = found.to_dict(found)
    for name in ("open", "high", "low", "close"):
        row[name] = f"{float(row[name]) * DEARER:.2f}"
    return Bar.from_dict(row | {"ts_init": found.ts_event + lag * SECOND})


def kept_bars(data: list[Any], directory: Path) -> list[LedgerBar]:
    config = OIHedgeConfig(
        bar_type=bar_type(HEDGE),
        exposure=ExposureConfig(quantity=10.0),
        policy=PolicyConfig(kind="constant", constant_ratio=0.5),
    )
    kept = {"directory": str(directory), "bar_type": bar_type(HEDGE), "exposure_instrument": SPOT}
    keeper = LedgerKeeper(LedgerKeeperConfig(**kept, strategy_id=StrategyId("OIHedgeStrategy-000")))
    run(data, config, actors=[keeper])
    return read_ledger(directory, LedgerBar)


@pytest.mark.parametrize("lag", [1, 20])
def test_the_exposure_is_valued_at_the_moment_of_the_hedge(tmp_path, lag):
    data = [
        spot_bar(each, lag) if isinstance(each, Bar) and each.bar_type == bar_type(SPOT) else each
        for each in events(PRICES)
    ]
    bars = kept_bars(data, tmp_path)
    assert [each.close for each in bars] == PRICES
    known = slice(None) if lag < 10 else slice(1, None)  # before the first it is not known how much dearer
    expected = DEARER * np.array(PRICES)[known]
    assert [each.exposure_price for each in bars][known] == pytest.approx(expected, rel=1e-9)


def test_open_interest_of_a_feed_that_fell_silent_is_unknown_after_six_hours(tmp_path):
    def is_silent(each: Any) -> bool:
        return isinstance(each, CustomData) and each.data.instrument_id == HELD and each.ts_event > last

    data, last = events([2000.0] * 10), START + 2 * HOUR
    bars = kept_bars([each for each in data if not is_silent(each)], tmp_path)
    assert [len(each.venues) for each in bars] == [2] * 8 + [1] * 2
    assert [bars[-1].venues, bars[-1].open_interest] == [["BINANCE"], [1000.0]]
