"""Planted defects in the open interest of three venues of one coin, and the same market without any."""

from dataclasses import replace

import numpy as np
import pytest
from nautilus_trader.model.data import BarType
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog.cross_checks import check_venues
from oi_hedge_catalog.findings import Severity
from oi_hedge_catalog.label_checks import check_against_bars
from oi_hedge_catalog.series import BarSeries, OpenInterestSeries

HOUR = 3_600_000_000_000
START = 1_700_000_000 // 3600 * HOUR
ROWS = 2400
IDS = tuple(
    InstrumentId.from_str(name)
    for name in ("ETHUSDT-PERP.BINANCE", "ETHUSDT-LINEAR.BYBIT", "ETH_USDT-PERP.GATE")
)


@pytest.fixture
def market():
    """Open interest of three venues that share a part of their moves, and bars whose volume causes them."""
    random = np.random.default_rng(11)
    times = START + HOUR * np.arange(1, ROWS + 1)
    price = np.round(2000 * np.exp(np.cumsum(0.005 * random.standard_normal(ROWS))), 2)
    common = 0.006 * random.standard_normal(ROWS)
    interest, bars = [], []
    for name, level in zip(IDS, (1e6, 4e5, 2e5), strict=True):
        volume = np.exp(0.6 * random.standard_normal(ROWS))
        change = common + 0.006 * volume * random.standard_normal(ROWS)
        log = np.zeros(ROWS)
        for row in range(1, ROWS):
            log[row] = 0.99 * log[row - 1] + change[row]
        quantity = level * np.exp(log)
        interest.append(OpenInterestSeries(times, times + 5, name, quantity, quantity * price))
        kind = BarType.from_str(f"{name}-1-HOUR-LAST-EXTERNAL")
        bars.append(
            BarSeries(times, times + 1, kind, 2, 3, price, price + 2, price - 2, price, 1000 * volume)
        )
    return interest, bars


def planted(market, venue, **changes):
    interest, _ = market
    interest[venue] = replace(interest[venue], **changes)
    return found(market)


def found(market):
    interest, bars = market
    findings = list(check_venues("ETH", interest, bars))
    for series, own in zip(interest, bars, strict=True):
        findings += check_against_bars(series, own)
    return [finding for finding in findings if finding.severity is Severity.WARNING]


def test_clean_market_has_no_findings_but_shares(market):
    interest, bars = market

    assert found(market) == []
    notes = [finding for finding in check_venues("ETH", interest, bars) if finding.code == "share"]
    shares = [float(finding.message.split()[2].rstrip("%")) for finding in notes]
    assert [note.series for note in notes] == [str(name) for name in IDS]
    assert 98 < sum(shares) < 102
    assert 50 < shares[0] < 70


@pytest.mark.parametrize("factor", [2.0, 0.5, 10.0, 1000.0])
def test_one_venue_changing_unit_or_side_is_named_and_located(market, factor):
    quantity = market[0][1].quantity.copy()
    quantity[1000:] *= factor

    findings = planted(market, 1, quantity=quantity, notional_usd=quantity * market[1][1].close)

    flips = [finding for finding in findings if finding.code == "venue_flip"]
    assert [(each.series, each.row) for each in flips] == [(str(IDS[1]), 1000)]
    assert "as if unit or side had changed" in flips[0].message
    assert {finding.code for finding in findings} <= {"venue_flip", "share_shift"}


def test_change_of_side_in_a_gap_is_found(market):
    interest, bars = market
    quantity = interest[1].quantity.copy()
    quantity[1000:] *= 2
    keep = np.delete(np.arange(ROWS), np.arange(980, 1000))
    interest[1] = replace(interest[1], quantity=quantity, notional_usd=quantity * bars[1].close).take(keep)

    flips = [finding for finding in found(market) if finding.code == "venue_flip"]

    assert [(each.series, each.time_ns) for each in flips] == [(str(IDS[1]), START + 1001 * HOUR)]


def test_market_wide_move_is_no_finding_against_other_venues(market):
    interest, bars = market
    for number, series in enumerate(interest):
        quantity = series.quantity.copy()
        quantity[1000:] *= 0.5
        interest[number] = replace(series, quantity=quantity, notional_usd=quantity * bars[number].close)

    assert found(market) == []


def test_jump_by_another_factor_is_told_from_a_spike(market):
    quantity = market[0][0].quantity.copy()
    quantity[700] *= 3
    quantity[1500:] *= 1.6

    findings = planted(market, 0, quantity=quantity, notional_usd=quantity * market[1][0].close)

    messages = [finding.message for finding in findings if finding.code == "venue_jump"]
    assert ["comes back" in message for message in messages] == [True, True, False]
    assert "and stays 1." in messages[2]


def test_venue_that_freezes_while_others_move_is_found(market):
    quantity = market[0][2].quantity.copy()
    quantity[500:506] = quantity[500]
    quantity[900:903] = quantity[900]

    findings = planted(market, 2, quantity=quantity, notional_usd=quantity * market[1][2].close)

    assert [(each.code, each.series, each.count) for each in findings] == [("frozen", str(IDS[2]), 6)]
    assert "does not change for 6 rows" in findings[0].message
    assert "(1 such runs)" in findings[0].message


def test_share_that_moves_within_a_day_is_found(market):
    ramp = np.exp(np.clip((np.arange(ROWS) - 1200) / 20, 0, 1) * np.log(1.8))
    quantity = market[0][0].quantity * ramp

    findings = planted(market, 0, quantity=quantity, notional_usd=quantity * market[1][0].close)

    assert str(IDS[0]) in {finding.series for finding in findings if finding.code == "share_shift"}
    located = next(finding for finding in findings if finding.series == str(IDS[0]))
    assert abs(located.row - 1210) < 24


@pytest.mark.parametrize(
    ("shift", "words"), [(-1, "before they were true, a look-ahead"), (1, "after they were")]
)
def test_label_shift_is_found_by_volume(market, shift, words):
    times = market[0][1].ts_event + shift * HOUR

    findings = planted(market, 1, ts_event=times, notional_usd=np.full(ROWS, np.nan))

    shifts = [finding for finding in findings if finding.code == "label_shift"]
    assert [each.series for each in shifts] == [str(IDS[1])]
    assert f"stamped one step {words}" in shifts[0].message
    assert "correlation with volume" in shifts[0].message


def test_label_shift_from_some_row_on_is_located(market):
    interest, _ = market
    series = interest[1]
    rows = np.arange(ROWS) >= 1000
    times = np.where(rows, series.ts_event - HOUR, series.ts_event)
    keep = np.append(np.delete(np.arange(1000), 999), np.arange(1000, ROWS))
    interest[1] = replace(series, ts_event=times, notional_usd=np.full(ROWS, np.nan)).take(keep)

    shifts = [finding for finding in found(market) if finding.code == "label_shift"]

    assert len(shifts) == 1
    assert abs(shifts[0].row - 1000) < 10


def test_label_shift_is_found_by_the_price_within(market):
    findings = planted(market, 1, ts_event=market[0][1].ts_event - HOUR)

    assert {"price within it" in each.message for each in findings if each.code == "label_shift"} == {
        True,
        False,
    }


def test_price_apart_from_the_other_venues_is_found(market):
    bars = market[1]
    bars[0].low[300] = 84.23
    bars[0].high[300] = 2 * bars[0].high[300]

    findings = {finding.field: finding for finding in found(market)}

    assert set(findings) == {"low", "high"}
    assert all(finding.series == str(bars[0].bar_type) for finding in findings.values())
    assert findings["high"].row == 300
    assert "in 1 bar, most at" in findings["low"].message


def test_open_interest_without_bars_at_its_beginning_is_found(market):
    interest, bars = market
    late = bars[0].take(slice(240, None))

    findings = list(check_against_bars(interest[0], late))

    assert [finding.code for finding in findings] == ["coverage"]
    assert "10 days without a price" in findings[0].message
