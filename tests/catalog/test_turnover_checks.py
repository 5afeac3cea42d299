"""Open interest against what was traded: the only check that sees a level that was always wrong."""

import numpy as np
import pytest
from nautilus_trader.model.data import BarType
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog.series import BarSeries, OpenInterestSeries
from oi_hedge_catalog.turnover_checks import check_turnover

HOUR = 3_600_000_000_000
ROWS = 2000
TIMES = 1_700_000_000 // 3600 * HOUR + HOUR * np.arange(1, ROWS + 1)
NAME = InstrumentId.from_str("ETH_USDT-PERP.GATE")


def series(sides=1.0):
    """Return open interest of which up to nine tenths of the volume are opened or closed, and its bars."""
    random = np.random.default_rng(3)
    volume = 1000.0 * np.exp(0.6 * random.standard_normal(ROWS))
    change = volume * random.uniform(-0.9, 0.9, ROWS)
    change[0] = 0.0
    quantity = sides * (1e6 + np.cumsum(change))
    price = np.full(ROWS, 2000.0)
    kind = BarType.from_str(f"{NAME}-1-HOUR-LAST-EXTERNAL")
    bars = BarSeries(TIMES, TIMES + 1, kind, 2, 3, price, price, price, price, volume)
    return OpenInterestSeries(TIMES, TIMES + 5, NAME, quantity, quantity * price), bars


def test_one_side_never_changes_by_more_than_was_traded():
    assert list(check_turnover(*series())) == []


@pytest.mark.parametrize(("sides", "most"), [(2.0, "1.8"), (10.0, "9.0")])
def test_both_sides_and_a_wrong_size_of_contracts_are_found_without_another_venue(sides, most):
    (finding,) = check_turnover(*series(sides))

    assert (finding.code, finding.series) == ("beyond_volume", str(NAME))
    assert f"of {ROWS - 1:,} rows, {most} times at" in finding.message
    assert finding.count > 0.2 * ROWS


def test_a_few_snapshots_that_come_late_are_no_finding():
    interest, bars = series()
    interest.quantity[500] += 20_000.0

    assert list(check_turnover(interest, bars)) == []


def test_bars_of_other_times_prove_nothing():
    interest, bars = series(sides=2.0)

    assert list(check_turnover(interest.take(slice(0, 100)), bars.take(slice(500, None)))) == []
