import numpy as np
import pytest
from nautilus_trader.model.data import BarType
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog.findings import Severity
from oi_hedge_catalog.quality import Report, check_series, clean, report_text
from oi_hedge_catalog.series import BarSeries, FundingSeries, OpenInterestSeries

HOUR = 3_600_000_000_000
START = 1_600_000_000 // 3600 * HOUR
ETH = InstrumentId.from_str("ETHUSDT-LINEAR.BYBIT")
BAR_TYPE = BarType.from_str(f"{ETH}-1-HOUR-LAST-EXTERNAL")
ROWS = 400


def hours(count=ROWS):
    return START + np.arange(count) * HOUR


def interest(quantity=None, times=None):
    if quantity is None:
        quantity = 1000.0 + np.arange(ROWS)
    times = hours(len(quantity)) if times is None else times
    return OpenInterestSeries(times, times + 5, ETH, quantity, quantity * 2000)


def funding(rate):
    times = hours(len(rate))
    return FundingSeries(times, times + 2, ETH, rate, np.full(len(rate), 60), times + HOUR)


def bars(**changes):
    price = 2000.0 + np.arange(ROWS) % 7
    columns = {
        "open": price.copy(),
        "high": price + 2,
        "low": price - 2,
        "close": price.copy(),
        "volume": 50.0 + np.arange(ROWS) % 5,
    }
    for name, (row, value) in changes.items():
        columns[name][row] = value
    return BarSeries(hours(), hours() + 1, BAR_TYPE, 2, 3, **columns)


def found(series, **kwargs):
    return {finding.code: finding for finding in check_series(series, **kwargs).findings}


@pytest.mark.parametrize("series", [interest(), funding(np.full(ROWS, 1e-4)), bars()])
def test_clean_series_is_ok(series):
    report = check_series(series)

    assert report.findings == ()
    assert report.verdict == "ok"
    assert clean(series) == (series, [])


def test_gaps_are_counted_and_the_longest_is_located():
    keep = np.delete(np.arange(ROWS), [*range(100, 459 - 100), 399 - 5])
    report = check_series(interest().take(keep))

    finding = next(item for item in report.findings if item.code == "gap")
    assert finding.severity is Severity.WARNING
    assert finding.count == 2
    assert finding.row == 99
    assert finding.time_ns == START + 99 * HOUR
    assert finding.message.startswith(
        "2 gaps, 260 rows missing; longest: 259 h after 2020-09-17 15:00, 1 h after"
    )
    assert report.summaries[0].gaps == 2
    assert report.summaries[0].longest_gap_ns == 259 * HOUR


def test_equal_duplicates_are_dropped_and_counted():
    series = interest().take(np.array([0, 1, 1, 2, 3, 3]))

    cleaned, findings = clean(series)

    np.testing.assert_array_equal(cleaned.quantity, [1000, 1001, 1002, 1003])
    assert [(item.severity, item.code, item.count, item.row) for item in findings] == [
        (Severity.WARNING, "duplicate", 2, 2)
    ]


def test_conflicting_duplicates_are_an_error():
    series = interest().take(np.array([0, 1, 1, 2]))
    series.quantity[2] = 7.0

    _, findings = clean(series)

    assert [(item.severity, item.code, item.row) for item in findings] == [(Severity.ERROR, "conflict", 2)]


def test_rows_out_of_order_are_sorted_and_reported():
    cleaned, findings = clean(interest().take(np.array([0, 2, 1, 3])))

    np.testing.assert_array_equal(cleaned.quantity, [1000, 1001, 1002, 1003])
    assert [(item.code, item.count, item.row) for item in findings] == [("unsorted", 1, 2)]


def test_zero_and_negative_open_interest():
    quantity = interest().quantity
    quantity[10:13] = 0.0
    quantity[20] = -1.0
    report = found(interest(quantity))

    assert (report["zero"].severity, report["zero"].count, report["zero"].row) == (Severity.WARNING, 3, 10)
    assert (report["negative"].severity, report["negative"].row) == (Severity.ERROR, 20)


def test_not_a_number_is_an_error():
    quantity = interest().quantity
    quantity[7] = np.nan

    assert found(interest(quantity))["not_a_number"].row == 7


def test_unknown_notional_is_no_defect():
    series = interest()
    series.notional_usd[:100] = np.nan

    assert found(series) == {}


@pytest.mark.parametrize("factor", [2.0, 0.5, 10.0, 0.01, 1e6])
def test_lasting_change_by_a_unit_factor_is_a_flip(factor):
    quantity = interest().quantity
    quantity[200:] *= factor

    report = found(interest(quantity))

    assert report["unit_flip"].row == 200
    assert "as if unit or side had changed" in report["unit_flip"].message
    assert "jump" not in report


def test_spike_of_a_unit_factor_is_a_jump_not_a_flip():
    quantity = interest().quantity
    quantity[200] *= 2

    report = found(interest(quantity))

    assert "unit_flip" not in report
    assert report["jump"].count == 2
    assert "+100% at 2020-09-21 20:00" in report["jump"].message


def test_lasting_change_by_another_factor_is_a_jump():
    quantity = interest().quantity
    quantity[200:] *= 1.54

    report = found(interest(quantity))

    assert set(report) == {"jump"}
    assert "+54%" in report["jump"].message


def test_frozen_open_interest_is_stale():
    quantity = interest().quantity
    quantity[50:80] = quantity[50]

    finding = found(interest(quantity))["stale"]

    assert (finding.row, finding.count) == (50, 30)


def test_constant_funding_is_normal_and_absurd_funding_is_not():
    rate = np.full(ROWS, 1e-4)
    assert found(funding(rate)) == {}
    rate[33] = -0.06

    finding = found(funding(rate))["absurd_funding"]

    assert (finding.severity, finding.row) == (Severity.WARNING, 33)
    assert "-6.0000%" in finding.message


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"high": (9, 1999.0)}, "high"),
        ({"low": (9, 2003.5)}, "low"),
        ({"low": (9, 0.0)}, "price"),
        ({"volume": (9, -1.0)}, "negative"),
    ],
)
def test_impossible_bars_are_errors(changes, code):
    finding = found(bars(**changes))[code]

    assert (finding.severity, finding.row) == (Severity.ERROR, 9)


def test_flash_print_is_a_warning():
    report = found(bars(high=(9, 3100.0)))

    assert set(report) == {"violent_bar"}
    assert report["violent_bar"].severity is Severity.WARNING


def test_bar_without_trades_is_reported():
    assert found(bars(volume=(9, 0.0)))["no_trade"].row == 9


def test_volume_in_contracts_from_some_row_on_is_reported():
    series = bars()
    series.volume[200:] *= 100

    finding = found(series)["volume_level"]

    assert abs(finding.row - 200) <= 24
    assert "factor of 100" in finding.message


def test_times_in_the_future_and_before_their_event_are_errors():
    series = interest()
    report = found(series, now_ns=int(series.ts_event[390]))
    assert (report["future"].row, report["future"].count) == (391, 9)

    early = OpenInterestSeries(
        series.ts_event, series.ts_event - 1, ETH, series.quantity, series.notional_usd
    )
    assert found(early)["look_ahead"].count == ROWS


def test_empty_series_is_an_error():
    assert check_series(interest().take(slice(0, 0))).verdict == "errors"


def test_report_aligns_the_table_and_ends_with_the_verdict():
    quantity = interest().quantity
    quantity[20] = 0.0
    text = report_text(check_series(interest(quantity)) + check_series(bars()))

    lines = text.splitlines()
    assert lines[0].split() == [
        "series",
        "kind",
        "rows",
        "from",
        "(UTC)",
        "to",
        "(UTC)",
        "step",
        "gaps",
        "longest",
    ]
    assert lines[1].index("open_interest") == lines[2].index("bars") == lines[0].index("kind")
    assert "warning  ETHUSDT-LINEAR.BYBIT: quantity at row 20, 2020-09-14 08:00, is zero." in lines
    assert lines[-1] == "warnings: 2 series, 800 rows; 0 errors, 1 warning, 0 notes"
    assert report_text(Report()) == "ok: 0 series, 0 rows; 0 errors, 0 warnings, 0 notes"
