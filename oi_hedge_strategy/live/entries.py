"""What a session's journal holds: every input, forecast, decision and order event, as JSON and back."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from nautilus_trader.model.data import Bar, FundingRateUpdate, InstrumentStatus
from nautilus_trader.model.events import (
    OrderDenied,
    OrderFilled,
    OrderInitialized,
    OrderRejected,
    OrderSubmitted,
)
from nautilus_trader.model.instruments import CryptoFuture, CryptoPerpetual, CurrencyPair

from oi_hedge_adapters.feed_status import FeedStatus
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.types import CatalogData, OpenInterestUpdate
from oi_hedge_strategy.inputs import INPUTS
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision, SessionEntry

MARKET_KINDS: tuple[type, ...] = (
    Bar,
    OpenInterestUpdate,
    FundingRateUpdate,
    InstrumentStatus,
    FeedStatus,
    *INPUTS,
)
"""What the strategy is given."""

OUTPUT_KINDS: tuple[type, ...] = (CascadeForecast, HedgeDecision)
"""What it says."""

ORDER_KINDS: tuple[type, ...] = (
    OrderInitialized,
    OrderSubmitted,
    OrderFilled,
    OrderRejected,
    OrderDenied,
)
"""What becomes of its orders."""

BEGAN = "Began"
"""Kind of the entry from which on the strategy decided; what came before is in the desk kept then."""

INSTRUMENT_KINDS: tuple[type, ...] = (CryptoPerpetual, CryptoFuture, CurrencyPair)

_ALL = frozenset((*MARKET_KINDS, *OUTPUT_KINDS, *ORDER_KINDS, *INSTRUMENT_KINDS))
_KINDS: dict[str, Any] = {each.__name__: each for each in _ALL}
_REVIVED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "FundingRateUpdate": lambda values: {**values, "rate": Decimal(values["rate"])},
}


def kind_of(value: object) -> Any:
    """Return the kind that a value is of, None where it is of none: an adapter's bars are bars too."""
    return next((each for each in type(value).__mro__ if each in _ALL), None)


def is_market_data(value: object) -> bool:
    """Return whether a value is something that the strategy is given."""
    return kind_of(value) in MARKET_KINDS


def pack(value: Any) -> tuple[str, str]:
    """Return kind and payload of a value of one of the kinds, exact to the last bit."""
    kind = kind_of(value)
    values = value.to_dict() if issubclass(kind, CatalogData) else kind.to_dict(value)
    return kind.__name__, json.dumps(values, default=str)


def unpack(entry: SessionEntry) -> Any:
    """
    Return the value that an entry holds.

    Raises
    ------
    DataError
        If its kind is unknown or its payload is not of that kind.

    """
    kind = _KINDS.get(entry.kind)
    if kind is None:
        raise DataError(f"entry {entry.sequence} of the session is a {entry.kind}, which this version lacks")
    try:
        values = json.loads(entry.payload)
        return kind.from_dict(_REVIVED.get(entry.kind, dict)(values))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"entry {entry.sequence} of the session is no whole {entry.kind}: {error!r}"
        ) from error
