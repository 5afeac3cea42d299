"""The verdict on series: duplicates taken out, every check run, a report that people can read."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from oi_hedge_catalog import checks
from oi_hedge_catalog.findings import Finding, Severity, duration, when
from oi_hedge_catalog.input_series import OptionsSeries, WalletSeries
from oi_hedge_catalog.positioning import LiquidationSeries, LongShortSeries
from oi_hedge_catalog.premium import PremiumSeries
from oi_hedge_catalog.series import BarSeries, FundingSeries, OpenInterestSeries, Series

Verdict = Literal["ok", "warnings", "errors"]


@dataclass(frozen=True)
class Summary:
    """
    One line of the report.

    Attributes
    ----------
    series, kind : str
        Instrument id or bar type; ``bars``, ``open_interest`` or ``funding``.
    rows : int
        Rows that are kept.
    first_ns, last_ns : int
        `ts_event` of the first and last row.
    step_ns : int
        Regular distance of rows.
    gaps, longest_gap_ns : int
        Number of gaps, and what the longest of them misses.
    """

    series: str
    kind: str
    rows: int
    first_ns: int
    last_ns: int
    step_ns: int
    gaps: int
    longest_gap_ns: int


@dataclass(frozen=True)
class Report:
    """Summaries and findings of any number of series."""

    summaries: tuple[Summary, ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """``errors`` if anything may not be stored, ``warnings`` if anything deserves a look, else ``ok``."""
        severities = {finding.severity for finding in self.findings}
        if Severity.ERROR in severities:
            return "errors"
        return "warnings" if Severity.WARNING in severities else "ok"

    def __add__(self, other: "Report") -> "Report":
        return Report(self.summaries + other.summaries, self.findings + other.findings)


def clean(series: Series) -> tuple[Series, list[Finding]]:
    """
    Put `series` in the order of time and drop rows that are there twice.

    Returns
    -------
    Series
        Ordered by `ts_event`; of rows with one `ts_event` the first.
    list of Finding
        What was done, and an error for rows of one time with different values.
    """
    findings = []
    unsorted = np.flatnonzero(np.diff(series.ts_event) < 0) + 1
    if len(unsorted):
        text = "is earlier than the row before it; the rows were sorted"
        findings.append(_finding(series, int(unsorted[0]), Severity.WARNING, "unsorted", text, len(unsorted)))
        series = series.take(np.argsort(series.ts_event, kind="stable"))
    twice = np.flatnonzero(np.diff(series.ts_event) == 0) + 1
    if not len(twice):
        return series, findings
    differs = np.zeros(len(twice), bool)
    for column in series.values().values():
        differs |= ~np.isclose(column[twice], column[twice - 1], rtol=1e-12, atol=0.0, equal_nan=True)
    if differs.any():
        rows = twice[differs]
        text = "is there twice with different values"
        findings.append(_finding(series, int(rows[0]), Severity.ERROR, "conflict", text, len(rows)))
    if not differs.all():
        rows = twice[~differs]
        text = "is there twice with equal values; one was kept"
        findings.append(_finding(series, int(rows[0]), Severity.WARNING, "duplicate", text, len(rows)))
    return series.take(np.delete(np.arange(len(series)), twice)), findings


def _finding(series: Series, row: int, severity: Severity, code: str, text: str, count: int) -> Finding:
    time_ns = int(series.ts_event[row])
    more = f" ({count} such rows, the first here)" if count > 1 else ""
    message = f"row {row}, {when(time_ns)}, {text}{more}"
    return Finding(severity, code, series.identifier, "ts_event", message, row, time_ns, count)


def regular_step(series: Series) -> int:
    """Return the step of `series` in ns: of its bar type, else the most frequent distance of rows.

    Liquidations come as they happen and have none, 0.
    """
    if isinstance(series, BarSeries):
        return int(series.bar_type.spec.timedelta.total_seconds()) * 1_000_000_000
    if len(series) < 2 or isinstance(series, LiquidationSeries):
        return 0
    steps, counts = np.unique(np.diff(series.ts_event), return_counts=True)
    return int(steps[np.argmax(counts)])


def check_series(series: Series, step_ns: int | None = None, now_ns: int | None = None) -> Report:
    """
    Run every check on a cleaned `series`.

    Parameters
    ----------
    series : Series
        As `clean` returns it.
    step_ns : int, optional
        Regular distance of rows; by default `regular_step`.
    now_ns : int, optional
        The present, beyond which no time may lie; by default the clock's.
    """
    if not len(series):
        message = "no row is left"
        return Report(
            (), (Finding(Severity.ERROR, "empty", series.identifier, "ts_event", message, count=0),)
        )
    step = regular_step(series) if step_ns is None else step_ns
    findings = list(checks.check_times(series, time.time_ns() if now_ns is None else now_ns))
    findings += checks.check_finite(series)
    if step > 0:
        findings += checks.check_gaps(series, step)
    match series:
        case OpenInterestSeries():
            findings += checks.check_open_interest(series)
        case FundingSeries():
            findings += checks.check_funding(series)
        case BarSeries():
            findings += checks.check_bars(series)
        case LongShortSeries():
            findings += checks.check_long_short(series)
        case LiquidationSeries():
            findings += checks.check_liquidations(series)
        case PremiumSeries():
            findings += checks.check_premium(series)
        case OptionsSeries():
            findings += checks.check_options(series)
        case WalletSeries():
            findings += checks.check_wallets(series)
    return Report((_summary(series, step),), tuple(findings))


def _summary(series: Series, step: int) -> Summary:
    missing = np.diff(series.ts_event) - step
    rows = checks.gaps(series.ts_event, step) if step > 0 else np.array([], int)
    return Summary(
        series.identifier,
        series.KIND,
        len(series),
        int(series.ts_event[0]),
        int(series.ts_event[-1]),
        step,
        len(rows),
        int(missing[rows].max()) if len(rows) else 0,
    )


def report_text(report: Report, notes: bool = True) -> str:
    """Return `report` for a terminal: an aligned table, the findings as sentences, the verdict."""
    parts = [_table(report.summaries)] if report.summaries else []
    order = {severity: place for place, severity in enumerate(Severity)}
    shown = (finding for finding in report.findings if notes or finding.severity is not Severity.NOTE)
    ranked = sorted(shown, key=lambda finding: (order[finding.severity], finding.series))
    if ranked:
        parts.append("\n".join(f"{item.severity:<7}  {item.series}: {item.message}." for item in ranked))
    parts.append(_verdict_text(report))
    return "\n\n".join(parts)


def _verdict_text(report: Report) -> str:
    counts = []
    for severity in Severity:
        number = sum(finding.severity == severity for finding in report.findings)
        counts.append(f"{number} {severity}" + ("" if number == 1 else "s"))
    rows = sum(summary.rows for summary in report.summaries)
    return f"{report.verdict}: {len(report.summaries)} series, {rows:,} rows; {', '.join(counts)}"


def _table(summaries: Sequence[Summary]) -> str:
    header = ("series", "kind", "rows", "from (UTC)", "to (UTC)", "step", "gaps", "longest")
    lines = [header, *(_cells(summary) for summary in summaries)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(_row(line, widths) for line in lines)


def _cells(summary: Summary) -> tuple[str, ...]:
    return (
        summary.series,
        summary.kind,
        f"{summary.rows:,}",
        when(summary.first_ns),
        when(summary.last_ns),
        duration(summary.step_ns) if summary.step_ns else "-",
        str(summary.gaps),
        duration(summary.longest_gap_ns) if summary.gaps else "-",
    )


def _row(cells: Iterable[str], widths: Sequence[int]) -> str:
    right = {2, 5, 6, 7}
    padded = (
        cell.rjust(width) if column in right else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()
