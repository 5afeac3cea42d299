"""Open interest and long/short ratios of Binance's ``metrics`` files as catalog sources."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from nautilus_trader.model.instruments import Instrument

from oi_hedge_adapters.history.metrics import (
    ROWS,
    STEP_NS,
    Day,
    Label,
    Reason,
    day_ns,
    label_days,
    read_day,
)
from oi_hedge_adapters.venues import Unit, VenueRow
from oi_hedge_catalog.findings import Finding, Severity
from oi_hedge_catalog.ingest import Loaded
from oi_hedge_catalog.positioning import LongShortSeries
from oi_hedge_catalog.series import BarSeries, Floats, OpenInterestSeries, Times

_CONTRACT_USD, _OTHER_CONTRACT_USD = {"BTC": 100.0}, 10.0
"""USD of a COIN-M contract."""
_NOTED = ("there twice",)
"""Reasons for leaving out rows that lose nothing."""


@dataclass(frozen=True, kw_only=True)
class MetricsFiles:
    """
    The ``metrics`` files of one instrument.

    Parameters
    ----------
    instrument : Instrument
        The instrument.
    row : VenueRow
        Its row of the venue table.
    symbol : str
        Its name in the files.
    files : dict of date to Path
        The zip of each day, in order.
    label : Label, optional
        What the times mean; by default found out for each file.
    lag_ns : int
        How long after its time a snapshot could be known.
    bars : BarSeries, optional
        Five-minute bars to find out the labels with.
    """

    instrument: Instrument
    row: VenueRow
    symbol: str
    files: dict[date, Path]
    label: Label | None
    lag_ns: int
    bars: BarSeries | None

    @cached_property
    def days(self) -> list[Day]:
        """The files, read."""
        return [read_day(path, day, self.symbol) for day, path in self.files.items()]

    @cached_property
    def labels(self) -> list[tuple[Label, Reason]]:
        """What the times of each day mean."""
        prices = [self._usd(day) / self._coins(day) for day in self.days]
        return label_days(self.days, prices, self.bars, self.label)

    @cached_property
    def times(self) -> list[Times]:
        """When the snapshots of each day were taken, UNIX nanoseconds."""
        pairs = zip(self.days, self.labels, strict=True)
        return [day.label_ns + (STEP_NS if label is Label.START else 0) for day, (label, _) in pairs]

    def open_interest(self) -> OpenInterestSeries:
        """Return all days in coins and USD."""
        event = _join(self.times)
        return OpenInterestSeries(
            ts_event=event,
            ts_init=event + self.lag_ns,
            id=self.instrument.id,
            quantity=_join([self._coins(day) for day in self.days]),
            notional_usd=_join([self._usd(day) for day in self.days]),
        )

    def long_short(self) -> LongShortSeries:
        """Return the part of accounts that is long, of the rows that have it."""
        event, ratio = _join(self.times), _join([day.ratio for day in self.days])
        known = ratio >= 0
        share = ratio[known] / (1.0 + ratio[known])
        return LongShortSeries(event[known], event[known] + self.lag_ns, self.instrument.id, share)

    def _coins(self, day: Day) -> Floats:
        return self._column(day, Unit.BASE) if self.row.inverse else day.quantity

    def _usd(self, day: Day) -> Floats:
        if not self.row.inverse:
            return self._column(day, Unit.USD)
        coin = str(self.instrument.base_currency)
        return self._column(day, Unit.CONTRACTS) * _CONTRACT_USD.get(coin, _OTHER_CONTRACT_USD)

    def _column(self, day: Day, unit: Unit) -> Floats:
        """Return the column that the venue table says counts `unit`."""
        path = next(each.path for each in self.row.open_interest if each.unit is unit and each.path in _PATHS)
        return day.value if _PATHS[path] == "value" else day.quantity

    def findings(self) -> tuple[Finding, ...]:
        """Return what is wrong with the files, one finding a kind."""
        return (*self._short_days(), *self._left_out(), *self._label_findings())

    def _short_days(self) -> list[Finding]:
        short = [day for day in self.days if len(day.label_ns) < ROWS]
        if not short:
            return []
        shown = ", ".join(
            f"{day.date} ({len(day.label_ns)} of {ROWS} rows, last {day.last})" for day in short[:5]
        )
        text = f"metrics: days that are not complete: {shown}{_more(len(short) - 5)}"
        return [self._finding("short_day", text, short[0], len(short))]

    def _left_out(self) -> list[Finding]:
        found = []
        reasons = dict.fromkeys(reason for day in self.days for reason in day.left_out)
        for reason in reasons:
            days = [day for day in self.days if day.left_out.get(reason)]
            if not days:
                continue
            rows = sum(day.left_out[reason] for day in days)
            shown = ", ".join(f"{day.date} ({day.left_out[reason]})" for day in days[:5])
            text = f"metrics: rows {reason} left out: {rows}, on {shown}{_more(len(days) - 5)}"
            severity = Severity.NOTE if reason in _NOTED else Severity.WARNING
            found.append(self._finding("left_out", text, days[0], rows, severity))
        return found

    def _label_findings(self) -> list[Finding]:
        counts = Counter(self.labels)
        parts = [f"{number} days by period {label} {reason}" for (label, reason), number in counts.items()]
        turns = [
            (before, after, day)
            for (before, _), (after, _), day in zip(self.labels, self.labels[1:], self.days[1:], strict=False)
            if before is not after
        ]
        text = f"metrics: labels read on {', '.join(parts)}"
        if turns:
            text += "; they move on " + ", ".join(f"{day.date} to {after}" for _, after, day in turns[:5])
            text += _more(len(turns) - 5)
        unsure = sum(number for (_, reason), number in counts.items() if reason is Reason.CAUTION)
        if unsure:
            text += (
                f"; on {unsure} days nothing proves it, and the later reading was taken: add klines of 5m, "
                "whose prices decide it"
            )
        severity = Severity.WARNING if unsure or turns else Severity.NOTE
        return [self._finding("label", text, self.days[0], len(self.days), severity)]

    def _finding(
        self, code: str, text: str, day: Day, count: int, severity: Severity = Severity.WARNING
    ) -> Finding:
        name = str(self.instrument.id)
        return Finding(severity, code, name, "create_time", text, None, day_ns(day.date), count)


_PATHS = {"sumOpenInterest": "quantity", "sumOpenInterestValue": "value"}
"""Columns of `Day` by the REST names that the venue table has."""


def _join[T: np.generic](parts: Sequence[npt.NDArray[T]]) -> npt.NDArray[T]:
    return np.concatenate(parts)


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""


@dataclass(frozen=True)
class OpenInterestSource:
    """Open interest of `reading`; `absent` are findings about days without a file."""

    reading: MetricsFiles
    absent: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        """Archive, dataset and instrument."""
        return f"binance-vision metrics of {self.instrument.id}"

    @property
    def instrument(self) -> Instrument:
        """The instrument of the files."""
        return self.reading.instrument

    def load(self) -> Loaded:
        """Read every file."""
        return Loaded(self.reading.open_interest(), STEP_NS, (*self.absent, *self.reading.findings()))


@dataclass(frozen=True)
class LongShortSource:
    """Long/short ratios of accounts of `reading`, where the files have them."""

    reading: MetricsFiles

    @property
    def name(self) -> str:
        """Archive, dataset and instrument."""
        return f"binance-vision metrics (long/short) of {self.instrument.id}"

    @property
    def instrument(self) -> Instrument:
        """The instrument of the files."""
        return self.reading.instrument

    def load(self) -> Loaded:
        """Take the ratios of the files read for open interest."""
        return Loaded(self.reading.long_short(), STEP_NS)
