"""Recorded files as catalog sources: every venue's unit, side and label turned into one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from nautilus_trader.model.data import BarType
from nautilus_trader.model.instruments import Instrument

from oi_hedge_adapters.history.bars import external_bar_type, require_precision
from oi_hedge_adapters.history.manifest import Manifest
from oi_hedge_adapters.history.spec import SeriesSpec
from oi_hedge_adapters.history.tables import read_table, to_floats, to_times
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.findings import Finding, Severity, when
from oi_hedge_catalog.ingest import Loaded
from oi_hedge_catalog.series import BarSeries, Floats, FundingSeries, OpenInterestSeries, Series, Times

_MINUTE_NS = 60 * 10**9


@dataclass(frozen=True)
class _Rows:
    """Time and float columns of the rows that have values, by role, and their places in the file."""

    path: Path
    place: npt.NDArray[np.intp]
    time: Times
    columns: dict[str, Floats]

    def take(self, rows: npt.NDArray[Any]) -> "_Rows":
        columns = {role: column[rows] for role, column in self.columns.items()}
        return _Rows(self.path, self.place[rows], self.time[rows], columns)

    def where(self, row: int) -> str:
        return f"{self.path} row {self.place[row]} ({when(int(self.time[row]))})"


@dataclass(frozen=True)
class FileSource:
    """
    One ``[[series]]`` of a manifest.

    Parameters
    ----------
    spec : SeriesSpec
        What the file holds.
    instrument : Instrument
        The instrument of `spec`.
    data : Path
        Directory that `spec.file` is below.
    """

    spec: SeriesSpec
    instrument: Instrument
    data: Path

    @property
    def name(self) -> str:
        """File, kind and instrument."""
        return f"{self.spec.file} ({self.spec.kind} of {self.spec.instrument})"

    def load(self) -> Loaded:
        """
        Read the file and convert it.

        Raises
        ------
        DataError
            If the file is missing, cut off, or not what the manifest says.
        """
        rows, findings = self._read()
        match self.spec.kind:
            case "bars":
                series: Series = self._bars(rows)
            case "open_interest":
                series, dropped = self._open_interest(rows)
                findings += dropped
            case "funding":
                series = self._funding(rows)
        return Loaded(series, self.spec.period_ns or self.spec.interval_ns or None, tuple(findings))

    def _read(self) -> tuple[_Rows, list[Finding]]:
        spec, path = self.spec, self.data / self.spec.file
        try:
            table = read_table(path, [spec.time, *dict.fromkeys(spec.columns.values())])
        except DataError as error:
            raise DataError(f"[[series]] {self.name}: {error}") from error
        time = to_times(path, spec.time, table[spec.time], spec.time_zone, spec.time_unit)
        columns = {role: to_floats(path, name, table[name]) for role, name in spec.columns.items()}
        rows = _Rows(path, np.arange(len(time)), time, columns)
        return self._drop_empty(self._within(rows))

    def _within(self, rows: _Rows) -> _Rows:
        keep = np.ones(len(rows.time), bool)
        if self.spec.from_ is not None:
            keep &= rows.time >= int(self.spec.from_.timestamp()) * 10**9
        if self.spec.until is not None:
            keep &= rows.time < int(self.spec.until.timestamp()) * 10**9
        return rows.take(np.flatnonzero(keep))

    def _drop_empty(self, rows: _Rows) -> tuple[_Rows, list[Finding]]:
        """Leave out rows in which every needed column is empty; one that is partly empty is an error."""
        needed = {role: np.isnan(column) for role, column in rows.columns.items() if role != "price"}
        empty = np.logical_and.reduce(list(needed.values()))
        for role, missing in needed.items():
            partly = np.flatnonzero(missing & ~empty)
            if len(partly) or (len(missing) and missing.any() and not self.spec.drop_na):
                row = int(partly[0] if len(partly) else np.flatnonzero(missing)[0])
                raise DataError(f"{rows.where(row)}: column {self.spec.columns[role]!r} is empty")
        if not empty.any():
            return rows, []
        leading = len(empty) if empty.all() else int(np.argmin(empty))
        text = f"rows without values left out: {int(empty.sum())}, {leading} of them before the first value"
        finding = self._finding(rows, empty, Severity.NOTE, "empty_rows", text)
        return rows.take(np.flatnonzero(~empty)), [finding]

    def _finding(
        self, rows: _Rows, mask: npt.NDArray[np.bool_], severity: Severity, code: str, text: str
    ) -> Finding:
        row = int(np.argmax(mask))
        series = str(self._bar_type() if self.spec.kind == "bars" else self.instrument.id)
        field = self.spec.columns.get("value") or self.spec.columns.get("rate") or "open"
        place, time = int(rows.place[row]), int(rows.time[row])
        return Finding(
            severity, code, series, field, f"{text} ({rows.path.name})", place, time, int(mask.sum())
        )

    def _times(self, rows: _Rows) -> tuple[Times, Times]:
        """Return when each value was true and when it could be known."""
        event = rows.time + self.spec.delay_ns
        return event, event + self.spec.lag_ns

    def _open_interest(self, rows: _Rows) -> tuple[OpenInterestSeries, list[Finding]]:
        findings = []
        price = rows.columns.get("price", np.full(len(rows.time), np.nan))
        unpriced = ~(price > 0)
        if self.spec.unit == "usd" and unpriced.any():
            text = f"rows in USD left out for want of a price to convert them: {int(unpriced.sum())}"
            findings.append(self._finding(rows, unpriced, Severity.WARNING, "no_price", text))
            rows, price = rows.take(np.flatnonzero(~unpriced)), price[~unpriced]
        value = rows.columns["value"] / (2.0 if self.spec.sides == "both" else 1.0)
        if self.spec.unit == "usd":
            quantity, notional = value / price, value
        else:
            quantity = value * (self.spec.contract_size or 1.0)
            notional = quantity * np.where(price > 0, price, np.nan)
        series = OpenInterestSeries(*self._times(rows), self.instrument.id, quantity, notional)
        return series, findings

    def _funding(self, rows: _Rows) -> FundingSeries:
        interval = self.spec.interval_ns
        if self.spec.style == "forward_filled":
            rate = rows.columns["rate"]
            changed = np.append(False, rate[1:] != rate[:-1])[: len(rate)]
            rows = rows.take(np.flatnonzero(changed | (rows.time % interval == 0)))
            following = (rows.time // interval + 1) * interval
        else:
            following = rows.time + interval
        minutes = np.full(len(rows.time), interval // _MINUTE_NS)
        return FundingSeries(*self._times(rows), self.instrument.id, rows.columns["rate"], minutes, following)

    def _bars(self, rows: _Rows) -> BarSeries:
        precision = self.instrument.price_precision
        event, init = self._times(rows)
        prices = {role: rows.columns[role] for role in ("open", "high", "low", "close")}
        require_precision(prices, self.instrument, rows.where)
        volume = rows.columns["volume"] * (self.spec.contract_size or 1.0)
        if self.spec.unit == "usd":
            volume = volume / rows.columns["close"]
        return BarSeries(
            bar_type=self._bar_type(),
            price_precision=precision,
            size_precision=self.instrument.size_precision,
            open=rows.columns["open"],
            high=rows.columns["high"],
            low=rows.columns["low"],
            close=rows.columns["close"],
            volume=volume,
            ts_event=event,
            ts_init=init,
        )

    def _bar_type(self) -> BarType:
        return external_bar_type(self.instrument.id, self.spec.period_ns)


def file_sources(manifest: Manifest, data: Path) -> list[FileSource]:
    """Return a source for each series of `manifest`, with files below `data`."""
    return [FileSource(spec, manifest.instruments[spec.instrument], data) for spec in manifest.series]
