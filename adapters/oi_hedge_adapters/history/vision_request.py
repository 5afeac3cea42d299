"""What to take from Binance's archive, and where it is kept there."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import Instrument

from oi_hedge_adapters.history.metrics import Label
from oi_hedge_adapters.venues import VenueError, VenueRow, find_row, row_of

INTERVALS = {"1m": "1min", "5m": "5min", "15m": "15min", "30m": "30min", "1h": "1h", "4h": "4h", "1d": "1d"}
"""Lengths of bars by the archive's name."""


class Dataset(StrEnum):
    """A directory of the archive."""

    METRICS = "metrics"
    KLINES = "klines"
    FUNDING = "fundingRate"
    PREMIUM = "premiumIndexKlines"


USUAL = (Dataset.METRICS, Dataset.KLINES, Dataset.FUNDING)
"""What is taken unless something else is asked for."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """
    What to take from the archive for one instrument.

    Parameters
    ----------
    instrument : Instrument
        A perpetual of Binance.
    start, end : date
        First day, and the day after the last.
    datasets : tuple of Dataset
        Directories to take.
    interval : str, default "5m"
        Length of the bars and steps of the premium, one of `INTERVALS`.
    label : Label, optional
        What the times in ``metrics`` mean; by default found out for each file.
    lag_ns : int, optional
        How long after it was true a value could be known; by default as the venue table says.
    """

    instrument: Instrument
    start: date
    end: date
    datasets: tuple[Dataset, ...] = USUAL
    interval: str = "5m"
    label: Label | None = None
    lag_ns: int | None = None

    @property
    def row(self) -> VenueRow:
        """The row of the venue table."""
        return row_of(self.instrument.id)

    @property
    def lag(self) -> int:
        """`lag_ns`, or what the venue table says."""
        return round(self.row.publication_lag_secs * 1e9) if self.lag_ns is None else self.lag_ns

    @property
    def symbol(self) -> str:
        """The archive's name of the instrument, ``ETHUSDT`` or ``ETHUSD_PERP``."""
        symbol = str(self.instrument.id.symbol).removesuffix("-PERP")
        return f"{symbol}_PERP" if self.row.inverse else symbol

    def files(self, dataset: Dataset) -> dict[date, str]:
        """Return the path of each file below the base URL, by the first day that it holds."""
        market = "cm" if self.row.inverse else "um"
        if dataset is Dataset.FUNDING:
            root = f"data/futures/{market}/monthly/{dataset}/{self.symbol}"
            months = dict.fromkeys(day.replace(day=1) for day in self.days())
            return {month: f"{root}/{self.symbol}-{dataset}-{month:%Y-%m}.zip" for month in months}
        root = f"data/futures/{market}/daily/{dataset}/{self.symbol}"
        name = dataset.value
        if dataset in (Dataset.KLINES, Dataset.PREMIUM):
            root, name = f"{root}/{self.interval}", self.interval
        return {day: f"{root}/{self.symbol}-{name}-{day}.zip" for day in self.days()}

    def days(self) -> Iterator[date]:
        """Yield each day."""
        for number in range((self.end - self.start).days):
            yield self.start + timedelta(days=number)


def instrument_id(name: str) -> InstrumentId:
    """
    Return the Nautilus id of an instrument named by its id or by the archive's symbol.

    Raises
    ------
    VenueError
        If it is no perpetual of Binance.
    """
    symbol = name.upper()
    text = symbol if "." in symbol else f"{symbol.removesuffix('_PERP')}-PERP.BINANCE"
    row = row_of(text)
    if row.venue != "BINANCE":
        example = find_row("binance-linear").example
        raise VenueError(f"{name}: the archive holds instruments of Binance, such as {example}")
    return InstrumentId.from_str(text)
