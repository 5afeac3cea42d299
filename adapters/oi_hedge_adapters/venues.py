"""The venue table: what every venue calls its instruments, what its open interest means, what it offers."""

from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_adapters.payload_fields import (
    FundingFields,
    LiquidationFields,
    LongShortField,
    OpenInterestField,
    TimeField,
    Unit,
)
from oi_hedge_adapters.venue_rows import LARGE_VENUES
from oi_hedge_adapters.venue_rows_other import OTHER_VENUES
from oi_hedge_adapters.venue_types import Feed, FundingRule, History, Quirk, Transport, VenueError, VenueRow

__all__ = [
    "ROWS",
    "Feed",
    "FundingFields",
    "FundingRule",
    "History",
    "LiquidationFields",
    "LongShortField",
    "OpenInterestField",
    "Quirk",
    "TimeField",
    "Transport",
    "Unit",
    "VenueError",
    "VenueRow",
    "find_row",
    "row_of",
]

ROWS = (*LARGE_VENUES, *OTHER_VENUES)

_BY_KEY = {row.key: row for row in ROWS}


def find_row(key: str) -> VenueRow:
    """
    Return the row of `key`, ``binance-linear``.

    Raises
    ------
    VenueError
        If there is none, naming those that there are.
    """
    if key not in _BY_KEY:
        raise VenueError(f"unknown venue {key!r}, expected one of {', '.join(_BY_KEY)}")
    return _BY_KEY[key]


def row_of(instrument_id: InstrumentId | str) -> VenueRow:
    """
    Return the row that an instrument belongs to.

    Raises
    ------
    VenueError
        If its venue is unknown, or its symbol has none of the venue's forms.
    """
    symbol, _, venue = str(instrument_id).rpartition(".")
    rows = [row for row in ROWS if row.venue == venue]
    if not rows:
        venues = ", ".join(dict.fromkeys(row.venue for row in ROWS))
        raise VenueError(f"{instrument_id}: unknown venue {venue!r}, expected one of {venues}")
    for row in rows:
        if row.parts(symbol) is not None:
            return row
    forms = ", ".join(str(row.example) for row in rows)
    raise VenueError(f"{instrument_id}: {venue} has no instruments of this form, expected such as {forms}")
