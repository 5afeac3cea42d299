"""What a check reports: one defect of one series, as data and as a sentence."""

from dataclasses import dataclass
from enum import StrEnum

import pandas as pd


class Severity(StrEnum):
    """How bad a finding is: only an error keeps a series out of the catalog."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """
    One defect of one series.

    Attributes
    ----------
    severity : Severity
        Errors stop an ingest, warnings and notes do not.
    code : str
        Stable short name, for example ``gap``.
    series : str
        Instrument id or bar type.
    field : str
        The column concerned.
    message : str
        A plain sentence without the name of the series.
    row : int, optional
        First row concerned, counted from 0 in the order of time.
    time_ns : int, optional
        UNIX nanoseconds (`ts_event`) of that row.
    count : int
        Rows concerned.
    """

    severity: Severity
    code: str
    series: str
    field: str
    message: str
    row: int | None = None
    time_ns: int | None = None
    count: int = 1


def when(time_ns: int) -> str:
    """Return a time to the minute, in UTC, as the reports print it."""
    return str(pd.Timestamp(time_ns, tz="UTC").strftime("%Y-%m-%d %H:%M"))


def duration(ns: int) -> str:
    """Return a length of time in its natural unit, for example ``359 h``."""
    for unit, size in (("h", 3_600_000_000_000), ("min", 60_000_000_000), ("s", 1_000_000_000)):
        if ns % size == 0:
            return f"{ns // size} {unit}"
    return f"{ns} ns"
