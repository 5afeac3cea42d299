"""The tables of an ingest manifest as typed values."""

import datetime as dt
import re
from typing import Literal

import msgspec

from oi_hedge_catalog.errors import ManifestError

Kind = Literal["bars", "open_interest", "funding"]

_UNITS_NS = {"s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9}


class SeriesSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """
    One column set of one file as one series of one instrument.

    Parameters
    ----------
    file : str
        Path below the data directory; ``.parquet`` or ``.csv``.
    kind : {"bars", "open_interest", "funding"}
        What the rows are.
    instrument : str
        Id of an ``[[instrument]]``.
    time : str
        Name of the time column.
    columns : dict of str to str
        Role to column name. Bars: ``open``, ``high``, ``low``, ``close``, ``volume``; open interest:
        ``value`` and, to convert between coin and USD, ``price``, which must be known at the time of the
        value; funding: ``rate``.
    time_zone : str, optional
        Of times without zone, for example ``UTC``.
    time_unit : {"s", "ms", "us", "ns"}, optional
        Of times given as numbers since 1970.
    from_, until : datetime, optional
        Only rows with ``from`` <= time < ``until`` are read.
    unit : {"coin", "usd", "contracts"}, optional
        Of the open interest, or of the volume of bars.
    contract_size : float, optional
        Base coins a contract, with ``unit = "contracts"``.
    sides : {"one", "both"}, optional
        Whether open interest counts each contract once or, as long plus short, twice.
    label : {"snapshot", "start", "end"}, optional
        What `time` is: the moment of the value, or the start or end of the `period` at whose end it is known.
    period : str, optional
        Length of a bar, ``1h``, ``15min``.
    publication_lag : str, default "0s"
        How long after the value was true it could be known.
    interval : str, optional
        Time between funding payments.
    style : {"settlements", "forward_filled"}, optional
        Whether each row is a payment, or each hour carries the last rate.
    drop_na : bool, default True
        Whether rows without any value are left out, rather than an error.
    """

    file: str
    kind: Kind
    instrument: str
    time: str
    columns: dict[str, str]
    time_zone: str | None = None
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    from_: dt.datetime | None = msgspec.field(default=None, name="from")
    until: dt.datetime | None = None
    unit: Literal["coin", "usd", "contracts"] | None = None
    contract_size: float | None = None
    sides: Literal["one", "both"] | None = None
    label: Literal["snapshot", "start", "end"] | None = None
    period: str | None = None
    publication_lag: str = "0s"
    interval: str | None = None
    style: Literal["settlements", "forward_filled"] | None = None
    drop_na: bool = True

    @property
    def period_ns(self) -> int:
        """Length of `period` in nanoseconds, 0 if there is none."""
        return parse_duration(self.period) if self.period else 0

    @property
    def interval_ns(self) -> int:
        """Length of `interval` in nanoseconds, 0 if there is none."""
        return parse_duration(self.interval) if self.interval else 0

    @property
    def lag_ns(self) -> int:
        """Publication lag in nanoseconds."""
        return parse_duration(self.publication_lag)

    @property
    def delay_ns(self) -> int:
        """What to add to `time` to have the time at which the value was true."""
        label = self.label or ("start" if self.kind == "bars" else "snapshot")
        return self.period_ns if label == "start" else 0


class CatalogSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to remember about the catalog as a whole."""

    description: str = ""


def parse_duration(text: str) -> int:
    """
    Return the nanoseconds of `text`, a whole number and ``s``, ``min``, ``h`` or ``d``.

    Raises
    ------
    ManifestError
        If `text` is something else.
    """
    match = re.fullmatch(r"(\d+)\s*(s|min|h|d)", text)
    if not match:
        raise ManifestError(f"{text!r} is not a duration such as '5s', '15min', '8h' or '1d'")
    return int(match[1]) * _UNITS_NS[match[2]]
