"""From what a venue sends to one-sided open interest in base coin and USD: the only place that converts.

Every function takes the payload as the venue sends it (ccxt keeps it under ``info``) and the row that says
what its fields mean.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from nautilus_trader.model.data import FundingRateUpdate
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_adapters.venues import LiquidationFields, TimeField, Unit, VenueError, VenueRow
from oi_hedge_catalog.types import LiquidationRecord, LongShortRatio, OpenInterestUpdate

Payload = Mapping[str, Any] | Sequence[Any]

_HOUR_NS = 3600 * 10**9


class PayloadError(VenueError):
    """A venue sent something else than it documents."""


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One payload about one instrument, and what is known beside it.

    Parameters
    ----------
    row : VenueRow
        The venue.
    instrument_id : InstrumentId
        The instrument.
    payload : mapping or sequence
        As the venue sends it.
    ts_init : int
        UNIX nanoseconds of the receipt.
    contract_size : float, optional
        Base coins (linear) or USD (inverse) a contract, of the instrument; the row's own has precedence.
    price : float, optional
        A price in USD that was known at `ts_init`, used where the payload has none.
    time_ns : int, optional
        The venue's time where it stands outside the payload.
    """

    row: VenueRow
    instrument_id: InstrumentId
    payload: Payload
    ts_init: int
    contract_size: float | None = None
    price: float | None = None
    time_ns: int | None = None

    def error(self, text: str) -> PayloadError:
        """Return an error that names venue and instrument."""
        return PayloadError(f"{self.row.title}: {self.instrument_id}: {text}")


def open_interest(reading: Reading) -> OpenInterestUpdate:
    """
    Return the open interest of a payload.

    Quantity and notional are each taken from the best field of the row that has them; what is missing is had
    from the other by the price. A USD stablecoin counts as one USD.

    Raises
    ------
    PayloadError
        If no field of the row is there, a number is none or below zero, or a price is needed and unknown.
    """
    row = reading.row
    price = _price(reading)
    quantity = _first(reading, Unit.BASE)
    notional = _first(reading, Unit.USD)
    worth = _contracts_worth(reading, required=quantity is None and notional is None)
    if row.inverse:
        notional = worth if notional is None else notional
    else:
        quantity = worth if quantity is None else quantity
    if quantity is None:
        if price is None:
            raise reading.error("open interest is in USD and no price is known to convert it")
        quantity = (notional or 0.0) / price
    if notional is None and price is not None:
        notional = quantity * price
    return OpenInterestUpdate(reading.instrument_id, quantity, notional, _time(reading), reading.ts_init)


def funding_rate(reading: Reading) -> FundingRateUpdate | None:
    """Return the funding rate in a payload of open interest, if the row has it there."""
    fields = reading.row.funding_fields
    if fields is None:
        return None
    text = _look_up(reading.payload, fields.rate)
    if text in (None, ""):
        return None
    rate = _decimal(reading, fields.rate, text)
    due = fields.next_funding and _time_at(reading, fields.next_funding)
    hours = _number(reading, fields.interval_hours) if fields.interval_hours else None
    minutes = round(hours * 60) if hours else reading.row.funding.interval_minutes
    if not due and minutes <= 60:
        due = (reading.ts_init // _HOUR_NS + 1) * _HOUR_NS
    return FundingRateUpdate(
        reading.instrument_id, rate, _time(reading), reading.ts_init, minutes or None, due or None
    )


def unified_funding_rate(reading: Reading) -> FundingRateUpdate:
    """
    Return ccxt's unified funding rate.

    Raises
    ------
    PayloadError
        If it has no rate.
    """
    structure = reading.payload
    if not isinstance(structure, Mapping) or structure.get("fundingRate") is None:
        raise reading.error("the payload has no funding rate")
    rate = _decimal(reading, "fundingRate", structure["fundingRate"])
    minutes = _minutes(structure.get("interval")) or reading.row.funding.interval_minutes
    due = structure.get("fundingTimestamp")
    event = structure.get("timestamp")
    event_ns = int(event) * 1_000_000 if event else reading.ts_init
    return FundingRateUpdate(
        reading.instrument_id,
        rate,
        event_ns,
        reading.ts_init,
        minutes or None,
        int(due) * 1_000_000 if due else None,
    )


def mark_price(reading: Reading) -> float | None:
    """Return the price in a payload, if it has one."""
    for path in reading.row.price_fields:
        value = _number(reading, path)
        if value:
            return value
    return None


def long_short_ratio(reading: Reading) -> LongShortRatio:
    """
    Return the long share of accounts.

    Raises
    ------
    PayloadError
        If it is not there or not between 0 and 1.
    """
    field = reading.row.long_short
    value = _number(reading, field.path) if field else None
    if field is None or value is None:
        raise reading.error("the payload has no long/short ratio")
    share = value / (1.0 + value) if field.is_ratio else value
    if share > 1.0:
        raise reading.error(f"long share {share} is above 1")
    time_ns = _time_at(reading, field.time) or reading.ts_init
    return LongShortRatio(reading.instrument_id, share, time_ns, reading.ts_init)


def liquidations(reading: Reading) -> list[LiquidationRecord]:
    """
    Return every liquidation of a payload that closed anything.

    Raises
    ------
    PayloadError
        If the venue's row has none, or a field is missing.
    """
    fields = reading.row.liquidation
    if fields is None:
        raise reading.error("the venue has no liquidations")
    found = _look_up(reading.payload, fields.rows) if fields.rows else [reading.payload]
    if not isinstance(found, list):
        raise reading.error(f"expected a list of liquidations at {fields.rows!r}, found {found!r}")
    records = [_liquidation(_part(reading, each), fields) for each in found]
    return [record for record in records if record.long_quantity + record.short_quantity > 0.0]


def _liquidation(reading: Reading, fields: LiquidationFields) -> LiquidationRecord:
    size = _signed(reading, fields.quantity)
    price = _number(reading, fields.price)
    time_ns = _time_at(reading, TimeField(fields.time, fields.unit_ns))
    side = _look_up(reading.payload, fields.side)
    if size is None or not price or not time_ns or side in (None, ""):
        raise reading.error(f"a liquidation lacks size, price, side or time: {reading.payload!r}")
    is_long = float(side) > 0.0 if fields.long_when == "+" else str(side) == fields.long_when
    left = _signed(reading, fields.left) if fields.left else None
    amount = liquidated_coins(reading, fields, abs(size) - abs(left or 0.0), price)
    long, short = (amount, 0.0) if is_long else (0.0, amount)
    return LiquidationRecord(reading.instrument_id, long, short, price, time_ns, reading.ts_init)


def liquidated_coins(reading: Reading, fields: LiquidationFields, size: float, price: float) -> float:
    """Return what `size`, as the venue counts liquidations, is in coins."""
    amount = size
    if fields.unit is Unit.CONTRACTS:
        amount *= _contract_size(reading)
    if fields.unit is Unit.USD or (fields.unit is Unit.CONTRACTS and reading.row.inverse):
        amount /= price
    return amount


def _part(reading: Reading, payload: Payload) -> Reading:
    return Reading(reading.row, reading.instrument_id, payload, reading.ts_init, reading.contract_size)


def _first(reading: Reading, unit: Unit) -> float | None:
    """Return the first number in `unit`, one-sided."""
    for field in reading.row.open_interest:
        if field.unit is not unit:
            continue
        if field.when and str(_look_up(reading.payload, field.when[0])) != field.when[1]:
            continue
        value = _number(reading, field.path)
        if value is not None:
            return value / field.sides
    return None


def _contracts_worth(reading: Reading, required: bool) -> float | None:
    """Return what the contracts of a payload are worth: base coins, or USD where they are inverse."""
    contracts = _first(reading, Unit.CONTRACTS)
    if contracts is not None and (required or reading.row.contract_size or reading.contract_size):
        return contracts * _contract_size(reading)
    if required:
        paths = ", ".join(each.path for each in reading.row.open_interest)
        raise reading.error(f"the payload has no open interest, expected one of {paths}")
    return None


def _price(reading: Reading) -> float | None:
    found = mark_price(reading)
    price = reading.price if found is None else found
    return price if price and price > 0.0 else None


def _contract_size(reading: Reading) -> float:
    size = reading.row.contract_size or reading.contract_size
    if not size:
        raise reading.error("open interest is in contracts and the size of a contract is unknown")
    return size


def _time(reading: Reading) -> int:
    for field in reading.row.time_fields:
        found = _time_at(reading, field)
        if found:
            return found
    return reading.time_ns or reading.ts_init


def _time_at(reading: Reading, field: TimeField) -> int | None:
    value = _look_up(reading.payload, field.path)
    if value in (None, "", 0, "0"):
        return None
    return int(_decimal(reading, field.path, value) * field.unit_ns)


def _number(reading: Reading, path: str) -> float | None:
    """Return the number at `path`, which may not be below zero."""
    value = _signed(reading, path)
    if value is not None and value < 0.0:
        raise reading.error(f"{path} {value} is below zero")
    return value


def _signed(reading: Reading, path: str) -> float | None:
    value = _look_up(reading.payload, path)
    if value is None or value == "":
        return None
    return float(_decimal(reading, path, value))


def _decimal(reading: Reading, path: str, value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise reading.error(f"{path} {value!r} is not a number") from error
    if not math.isfinite(number):
        raise reading.error(f"{path} {value!r} is not a finite number")
    return number


def _look_up(payload: Any, path: str) -> Any:
    """Return what is at a path of keys and positions, ``None`` where it does not exist."""
    for part in path.split("."):
        if isinstance(payload, Mapping):
            payload = payload.get(part)
        elif isinstance(payload, Sequence) and not isinstance(payload, str) and part.isdigit():
            payload = payload[int(part)] if int(part) < len(payload) else None
        else:
            return None
    return payload


def _minutes(interval: Any) -> int | None:
    """Return the minutes of ccxt's interval, ``8h`` or ``30m``, or milliseconds where it knows no name."""
    if not isinstance(interval, str) or not interval[:-1].replace(".", "", 1).isdigit():
        return None
    if interval.isdigit():
        return round(int(interval) / 60_000) or None
    return round(float(interval[:-1]) * {"m": 1, "h": 60, "d": 1440}.get(interval[-1], 0)) or None
