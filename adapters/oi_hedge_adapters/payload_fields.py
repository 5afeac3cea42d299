"""Where a venue's payload carries what, and what the numbers there mean.

A path is keys and list positions joined by dots, ``openInterestList.0.size``.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Unit(StrEnum):
    """What a raw number counts."""

    BASE = "base coin"
    CONTRACTS = "contracts"
    USD = "USD"


@dataclass(frozen=True, slots=True)
class OpenInterestField:
    """
    Where a payload carries open interest, and what the number there means.

    Parameters
    ----------
    path : str
        Keys and list positions joined by dots, ``openInterestList.0.size``.
    unit : Unit
        What it counts.
    sides : int, default 1
        2 where long and short positions are added up, so that each contract is counted twice.
    when : (str, str), optional
        A path and the text that must be there for the field to have this meaning.
    """

    path: str
    unit: Unit
    sides: int = 1
    when: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class TimeField:
    """Where a payload carries its time, and how many nanoseconds its unit has."""

    path: str
    unit_ns: int = 1_000_000


@dataclass(frozen=True, slots=True)
class LiquidationFields:
    """
    Where a payload carries a liquidation.

    Parameters
    ----------
    quantity, price, time : str
        Paths of size, price and time.
    side : str
        Path of what tells whose position was closed.
    long_when : str
        The text there when it was a long one; ``+`` where the sign of a number tells.
    unit : Unit, default Unit.BASE
        What `quantity` counts.
    unit_ns : int
        Nanoseconds of the unit of `time`; milliseconds by default.
    rows : str
        Path of a list of liquidations within the payload; the payload itself when empty.
    left : str
        Path of the part of `quantity` that was not filled, where there is one.
    """

    quantity: str
    price: str
    side: str
    long_when: str
    time: str
    unit: Unit = Unit.BASE
    unit_ns: int = 1_000_000
    rows: str = ""
    left: str = ""


@dataclass(frozen=True, slots=True)
class LongShortField:
    """
    Where a payload carries the long share of accounts.

    Parameters
    ----------
    path : str
        Path of the share.
    time : TimeField
        Where its time is.
    is_ratio : bool, default False
        Whether it is long over short instead.
    steps : dict of str to str
        The venue's own names of steps where ccxt does not translate them, ``{"5m": "5min"}``.
    bounds : (str, str), optional
        What the venue calls start and end of a page where ccxt leaves them out.
    """

    path: str
    time: TimeField
    is_ratio: bool = False
    steps: dict[str, str] = field(default_factory=dict)
    bounds: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class FundingFields:
    """Where the payload of open interest carries the funding rate of the running interval, too."""

    rate: str
    next_funding: TimeField | None = None
    interval_hours: str = ""
