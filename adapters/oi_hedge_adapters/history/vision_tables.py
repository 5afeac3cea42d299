"""Bars and funding of Binance's archive as catalog sources."""

from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from nautilus_trader.model.instruments import Instrument

from oi_hedge_adapters.history.archive_csv import read_zip, to_ns
from oi_hedge_adapters.history.bars import external_bar_type, require_precision
from oi_hedge_adapters.history.metrics import day_ns
from oi_hedge_adapters.history.spec import parse_duration
from oi_hedge_adapters.history.vision_request import INTERVALS, Request
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.findings import Finding
from oi_hedge_catalog.ingest import Loaded
from oi_hedge_catalog.premium import PremiumSeries
from oi_hedge_catalog.series import BarSeries, FundingSeries

_MINUTE_NS = 60 * 10**9
_PRICES = ("open", "high", "low", "close")
_KLINE = (
    *("open_time", *_PRICES, "volume", "close_time", "quote_volume", "count"),
    *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)


@dataclass(frozen=True)
class ArchiveSource:
    """
    Files of one dataset of one instrument.

    Parameters
    ----------
    request : Request
        What was asked for.
    files : dict of date to Path
        The zip of each day, or of each month.
    absent : tuple of Finding
        What is known of days or months without a file.
    """

    dataset: ClassVar[str]
    request: Request
    files: dict[date, Path]
    absent: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        """Archive, dataset and instrument."""
        return f"binance-vision {self.dataset} of {self.instrument.id}"

    @property
    def instrument(self) -> Instrument:
        """The instrument asked for."""
        return self.request.instrument


class KlineSource(ArchiveSource):
    """Bars from ``klines`` files."""

    dataset = "klines"

    def load(self) -> Loaded:
        """Read every file."""
        series = self.load_bars()
        return Loaded(series, self._period_ns, self.absent)

    @property
    def _period_ns(self) -> int:
        return parse_duration(INTERVALS[self.request.interval])

    def load_bars(self) -> BarSeries:
        """
        Return the bars; `ts_event` is the close.

        Raises
        ------
        DataError
            If a file is damaged or a price has more decimals than the instrument.
        """
        volume = "quote_volume" if self.request.row.inverse else "volume"
        numbers = (*_PRICES, volume)
        parts, opened = [], []
        for path in self.files.values():
            table = read_zip(path, ("open_time",), numbers, layout=_KLINE)
            part = np.stack([table[name].to_numpy(zero_copy_only=False) for name in numbers])
            prices = dict(zip(_PRICES, part, strict=False))
            require_precision(prices, self.instrument, partial("{} row {}".format, path))
            opened.append(to_ns(path, table["open_time"]))
            parts.append(part)
        columns = dict(zip((*_PRICES, "volume"), np.concatenate(parts, axis=1), strict=True))
        event = np.concatenate(opened) + self._period_ns
        return BarSeries(
            ts_event=event,
            ts_init=event + self.request.lag,
            bar_type=external_bar_type(self.instrument.id, self._period_ns),
            price_precision=self.instrument.price_precision,
            size_precision=self.instrument.size_precision,
            **columns,
        )


class FundingSource(ArchiveSource):
    """Settled rates from ``fundingRate`` files."""

    dataset = "fundingRate"

    def load(self) -> Loaded:
        """
        Read every file; a settlement is stamped a few milliseconds late, which is taken off.

        Raises
        ------
        DataError
            If a file is damaged or a value is empty.
        """
        times, rates, hours = [], [], []
        for path in self.files.values():
            table = read_zip(path, ("calc_time",), ("funding_interval_hours", "last_funding_rate"))
            times.append(to_ns(path, table["calc_time"]))
            rates.append(table["last_funding_rate"].to_numpy(zero_copy_only=False))
            hours.append(table["funding_interval_hours"].to_numpy(zero_copy_only=False))
            if np.isnan(rates[-1]).any() or not (hours[-1] > 0).all():
                raise DataError(f"{path}: a funding rate or interval is empty or not positive")
        stamped, rate, hour = np.concatenate(times), np.concatenate(rates), np.concatenate(hours)
        event = stamped // _MINUTE_NS * _MINUTE_NS
        inside = (event >= day_ns(self.request.start)) & (event < day_ns(self.request.end))
        event, stamped, rate, hour = event[inside], stamped[inside], rate[inside], hour[inside]
        minutes = np.round(hour * 60).astype(np.int64)
        series = FundingSeries(
            ts_event=event,
            ts_init=np.maximum(event + self.request.lag, stamped),
            id=self.instrument.id,
            rate=rate,
            interval=minutes,
            next_funding_ns=event + minutes * _MINUTE_NS,
        )
        return Loaded(series, None, self.absent)


class PremiumSource(ArchiveSource):
    """Premium index from ``premiumIndexKlines`` files: the last of each step, known at its end."""

    dataset = "premiumIndexKlines"

    def load(self) -> Loaded:
        """Read every file."""
        step = parse_duration(INTERVALS[self.request.interval])
        opened, premium = [], []
        for path in self.files.values():
            table = read_zip(path, ("open_time",), ("close",), layout=_KLINE)
            opened.append(to_ns(path, table["open_time"]))
            premium.append(table["close"].to_numpy(zero_copy_only=False))
        event = np.concatenate(opened) + step
        series = PremiumSeries(event, event + self.request.lag, self.instrument.id, np.concatenate(premium))
        return Loaded(series, step, self.absent)
