"""At which price the running ledger values the exposure, bar by bar."""

import numpy as np
import pytest
from nautilus_trader.model.data import Bar
from nautilus_trader.model.identifiers import StrategyId
from support.engine import HEDGE, SECOND, SPOT, bar_type, events, run

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


@pytest.mark.parametrize("lag", [1, 20])
def test_the_exposure_is_valued_at_the_moment_of_the_hedge(tmp_path, lag):
    data = [
        spot_bar(each, lag) if isinstance(each, Bar) and each.bar_type == bar_type(SPOT) else each
        for each in events(PRICES)
    ]
    config = OIHedgeConfig(
        bar_type=bar_type(HEDGE),
        exposure=ExposureConfig(quantity=10.0),
        policy=PolicyConfig(kind="constant", constant_ratio=0.5),
    )
    kept = {"directory": str(tmp_path), "bar_type": bar_type(HEDGE), "exposure_instrument": SPOT}
    keeper = LedgerKeeper(LedgerKeeperConfig(**kept, strategy_id=StrategyId("OIHedgeStrategy-000")))
    run(data, config, actors=[keeper])
    bars = read_ledger(tmp_path, LedgerBar)
    assert [each.close for each in bars] == PRICES
    known = slice(None) if lag < 10 else slice(1, None)  # before the first it is not known how much dearer
    expected = DEARER * np.array(PRICES)[known]
    assert [each.exposure_price for each in bars][known] == pytest.approx(expected, rel=1e-9)
