"""The figures of a scenario, by hand."""

import numpy as np
import pandas as pd
import pytest
from nautilus_trader.model.data import BarType

from oi_hedge_catalog.series import BarSeries
from oi_hedge_strategy.evaluation.records import RunRecord
from oi_hedge_strategy.hedging.rails import RAIL_NAMES
from oi_hedge_strategy.scenarios.measures import measure, rails_that_acted

HOUR = 3_600_000_000_000
TS = np.arange(1, 5) * HOUR


def series(*values):
    return np.array(values, np.float64)


def bars(high=(100.0, 100.0, 100.0, 130.0), low=(100.0, 100.0, 80.0, 80.0)):
    return BarSeries(
        ts_event=TS,
        ts_init=TS,
        bar_type=BarType.from_str("ETHUSDT-PERP.BINANCE-1-HOUR-LAST-EXTERNAL"),
        price_precision=2,
        size_precision=3,
        open=series(100.0, 100.0, 100.0, 80.0),
        high=series(*high),
        low=series(*low),
        close=series(100.0, 100.0, 80.0, 110.0),
        volume=np.ones(4),
    )


def record(hedge=(0.0, -10.0, -10.0, -10.0), hedge_pnl=(0.0, -1.0, 199.0, -101.0), liquidations=0):
    """Return ten coins long at 100; the price falls to 80 and rises to 110."""
    exposure_pnl = 10.0 * (series(100.0, 100.0, 80.0, 110.0) - 100.0)
    return RunRecord(
        name="full",
        ts=TS,
        exposure_quantity=np.full(4, 10.0),
        hedge_quantity=series(*hedge),
        exposure_pnl=exposure_pnl,
        hedge_pnl=series(*hedge_pnl),
        fees=series(0.0, 0.5, 0.5, 0.5),
        slippage=series(0.0, 0.3, 0.3, 0.3),
        funding=series(0.0, 0.2, 0.2, 0.2),
        hedge_equity=500.0 + series(*hedge_pnl),
        liquidations=liquidations,
    )


def outcome(run=None, quote=(1.0, 1.0, 1.0, 1.0), reasons=(), **values):
    return measure(
        run or record(),
        values.pop("bars", bars()),
        pd.DataFrame({"reason": list(reasons)}),
        0,
        onset_ns=2 * HOUR,
        start_price=100.0,
        collateral=500.0,
        quote=series(*quote),
        policy="constant",
    )


def test_losses_are_the_deepest_fall_below_the_start():
    found = outcome()
    assert found.loss_unhedged == pytest.approx(0.2)  # 200 of 1000
    assert found.loss_hedged == pytest.approx(0.001)
    assert (found.end_unhedged, found.end_hedged) == (pytest.approx(0.1), pytest.approx(-0.001))
    assert found.cost == pytest.approx(0.001)
    assert found.held_at_onset == 1.0 and found.solvent


def test_a_book_that_only_gains_has_no_loss():
    run = record(hedge=(0.0,) * 4, hedge_pnl=(0.0,) * 4)
    run.exposure_pnl[:] = series(1.0, 2.0, 3.0, 4.0)
    found = outcome(run)
    assert found.loss_unhedged == found.loss_hedged == 0.0
    assert found.worst_margin is None and found.maintenance is None


def test_the_worst_margin_is_taken_at_the_bars_worst_price():
    # short 10 at the last bar's high of 130: equity 399 - 10 x 20 = 199 over 1300
    found = outcome()
    assert found.worst_margin == pytest.approx(199.0 / 1300.0)
    assert found.maintenance == pytest.approx(0.004)


def test_a_long_hedge_has_its_worst_at_the_low():
    run = record(hedge=(0.0, 10.0, 10.0, 10.0), hedge_pnl=(0.0, 0.0, -200.0, 100.0))
    found = outcome(run, bars=bars(low=(100.0, 100.0, 60.0, 80.0)))
    assert found.worst_margin == pytest.approx((300.0 - 200.0) / 600.0)


def test_a_position_closed_in_a_bar_is_valued_at_its_open():
    # the venue reopens at 140 after a close of 80: equity 699 - 10 x 60 = 99 over 1400
    gap = bars(high=(100.0, 100.0, 100.0, 145.0))
    gap.open[3] = 140.0
    run = record(hedge=(0.0, -10.0, -10.0, 0.0), hedge_pnl=(0.0, -1.0, 199.0, -401.0))
    assert outcome(run, bars=gap).worst_margin == pytest.approx(99.0 / 1400.0)


def test_a_quote_currency_that_falls_takes_the_collateral_with_it():
    found = outcome(quote=(1.0, 1.0, 1.0, 0.9))
    # coins: 10 x 110 x 0.9 = 990; account: 399 x 0.9 = 359.1 against 500
    assert found.end_unhedged == pytest.approx(-0.01)
    assert found.end_hedged == pytest.approx(-0.01 + (359.1 - 500.0) / 1000.0)


def test_a_liquidation_is_not_solvent():
    assert not outcome(record(liquidations=1)).solvent


@pytest.mark.parametrize(("high", "solvent"), [(149.0, True), (149.3, True), (149.31, False), (160.0, False)])
def test_equity_at_or_below_maintenance_margin_is_not_solvent(high, solvent):
    # 399 - 10 (h - 110) = 0.004 x 10 h where h = 1499 / 10.04 = 149.303
    found = outcome(bars=bars(high=(100.0, 100.0, 100.0, high)))
    assert found.solvent is solvent


def test_each_rail_is_counted_once_a_decision_and_only_by_its_name():
    reasons = pd.Series(
        [
            "constant; funding: hedge would pay 0.36% per 8 h; drawdown: yellow: hedge book 11% down",
            "drawdown: cooling down",
            "p=0.3 in 4 h, gain 2% against cost 1%; no rail: nothing",
            "",
        ]
    )
    assert rails_that_acted(reasons) == {"funding": 1, "drawdown": 2}
    assert list(rails_that_acted(reasons)) == [name for name in RAIL_NAMES if name in ("funding", "drawdown")]
