"""Custom Nautilus data that a Parquet catalog stores fast and streams in chunks.

A type is declared once, by its ``FIELDS``; the Arrow schema, the constructor, the codecs and both
registrations (Nautilus's Python catalog and its Rust session, which ``chunk_size`` streaming needs) follow.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, ClassVar, Self

import pyarrow as pa
from nautilus_trader.core.data import Data
from nautilus_trader.core.nautilus_pyo3.model import register_custom_data_class
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.serialization.arrow.serializer import register_arrow
from nautilus_trader.serialization.base import register_serializable_type

Field = tuple[str, pa.DataType, bool]
"""Name, Arrow type and whether ``None`` is allowed."""

parse_instrument_id = lru_cache(maxsize=4096)(InstrumentId.from_str)

_ID: Field = ("instrument_id", pa.string(), False)
_ROUNDING = 1e-12
_TIMES: tuple[Field, ...] = (("ts_event", pa.uint64(), False), ("ts_init", pa.uint64(), False))


def _constructor(cls: Any) -> Any:
    """Compile ``__init__(self, instrument_id, <fields>, ts_event, ts_init)`` without a loop at call time."""
    body = "\n".join(f"    set_value(self, {name!r}, {name})" for name in cls._names)
    scope: dict[str, Any] = {"set_value": object.__setattr__}
    exec(f"def __init__(self, {', '.join(cls._names)}):\n{body}\n", scope)
    init = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


class CatalogData(Data):
    """
    Base of the custom data kept in a catalog: an immutable record of one instrument at one time.

    A subclass lists its ``FIELDS`` as ``(name, pyarrow type, nullable)``; it is then built with
    ``Type(instrument_id, <fields in order>, ts_event, ts_init)``, by position or by name, and compares by
    value, timestamps included. Naming the fields in ``__slots__`` too saves memory where a type has millions
    of rows. Class names must be distinctive: Nautilus keys its registries by the bare name.

    Attributes
    ----------
    instrument_id : InstrumentId
        The instrument that the record is about.
    ts_event : int
        UNIX nanoseconds when the venue says that the values were true.
    ts_init : int
        UNIX nanoseconds when the values could first be known.

    Examples
    --------
    >>> class StakedSupply(CatalogData):
    ...     FIELDS = (("quantity", pa.float64(), False),)
    """

    FIELDS: ClassVar[tuple[Field, ...]] = ()

    _schema: ClassVar[pa.Schema]
    _names: ClassVar[tuple[str, ...]] = ()

    __slots__ = ("instrument_id", "ts_event", "ts_init")

    instrument_id: InstrumentId
    ts_event: int
    ts_init: int

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        fields = (_ID, *cls.FIELDS, *_TIMES)
        cls._schema = pa.schema([pa.field(name, kind, nullable) for name, kind, nullable in fields])
        cls._names = tuple(name for name, _, _ in fields)
        cls.__init__ = _constructor(cls)  # type: ignore[method-assign]
        register_serializable_type(cls, cls.to_dict, cls.from_dict)
        register_arrow(
            cls,
            cls._schema,
            encoder=lambda item: cls.encode([item]),
            decoder=cls.decode,
            batch_encoder=cls.encode,
        )
        register_custom_data_class(cls)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable, cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable, cannot delete {name!r}")

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._names)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((self.instrument_id, self.ts_event, self.ts_init))

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        return type(self), self._values()

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value}" for name, value in zip(self._names, self._values(), strict=True))
        return f"{type(self).__name__}({values})"

    @classmethod
    def schema(cls) -> pa.Schema:
        """Return the Arrow schema: ``instrument_id``, the fields, ``ts_event``, ``ts_init``."""
        return cls._schema

    def to_dict(self) -> dict[str, Any]:
        """Return the values as plain Python, with the class name under ``type``."""
        values = dict(zip(self._names, self._values(), strict=True))
        values["instrument_id"] = self.instrument_id.value
        return {"type": type(self).__name__, **values}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from what `to_dict` returns."""
        fields = {name: values[name] for name in cls._names}
        fields["instrument_id"] = parse_instrument_id(fields["instrument_id"])
        return cls(**fields)

    @classmethod
    def encode(cls, items: Iterable[Self]) -> pa.RecordBatch:
        """Encode `items` as one Arrow record batch of the class's schema."""
        items = list(items)
        columns = [pa.array([item.instrument_id.value for item in items], pa.string())]
        for field in list(cls._schema)[1:]:
            columns.append(pa.array([getattr(item, field.name) for item in items], field.type))
        return pa.RecordBatch.from_arrays(columns, schema=cls._schema)

    @classmethod
    def decode(cls, table: pa.Table | pa.RecordBatch) -> list[Self]:
        """Decode a table or record batch that has at least the columns of the class's schema."""
        ids = map(parse_instrument_id, table.column("instrument_id").to_pylist())
        rest = (table.column(name).to_pylist() for name in cls._names[1:])
        return list(map(cls, ids, *rest))

    # The five names below are what Nautilus's Rust registry looks up.

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Build from the parsed JSON of `to_json`."""
        return cls.from_dict(values)

    @classmethod
    def type_name_static(cls) -> str:
        """Return the name under which the Rust registry knows the class."""
        return cls.__name__

    def encode_record_batch_py(self, items: list[Self]) -> pa.RecordBatch:
        """Encode `items` for the Rust session."""
        return type(self).encode(items)

    @classmethod
    def decode_record_batch_py(cls, metadata: dict[str, str], batch: pa.RecordBatch) -> list[Self]:
        """Decode a batch that the Rust session read."""
        return cls.decode(batch)


class OpenInterestUpdate(CatalogData):
    """
    Open interest of one instrument, one-sided, in one unit for every venue.

    Parameters
    ----------
    instrument_id : InstrumentId
        The instrument.
    quantity : float
        Open interest in the base coin, each contract counted once (long side = short side).
    notional_usd : float, optional
        `quantity` at a price known at `ts_init`, in USD; ``None`` where no such price was known.
    ts_event : int
        UNIX nanoseconds of the venue's snapshot.
    ts_init : int
        UNIX nanoseconds when the snapshot could first be known.
    """

    FIELDS = (("quantity", pa.float64(), False), ("notional_usd", pa.float64(), True))

    __slots__ = ("notional_usd", "quantity")

    quantity: float
    notional_usd: float | None


class LongShortRatio(CatalogData):
    """
    Part of the accounts with a position in an instrument that is long.

    Parameters
    ----------
    long_share : float
        Accounts that are net long over all with a position, from 0 to 1.
    """

    FIELDS = (("long_share", pa.float64(), False),)

    __slots__ = ("long_share",)

    long_share: float

    @property
    def ratio(self) -> float:
        """Long accounts over short accounts; infinite where none is short."""
        return self.long_share / (1.0 - self.long_share) if self.long_share < 1.0 else float("inf")


class LiquidationRecord(CatalogData):
    """
    Positions of one instrument that a venue closed by force at one moment.

    Parameters
    ----------
    long_quantity, short_quantity : float
        Long and short positions closed, in the base coin; one of them is 0 for a single order.
    price : float
        Mean price of the closing, in USD.
    """

    FIELDS = tuple((name, pa.float64(), False) for name in ("long_quantity", "short_quantity", "price"))

    __slots__ = ("long_quantity", "price", "short_quantity")

    long_quantity: float
    short_quantity: float
    price: float


class OptionsOpenInterest(CatalogData):
    """
    Open interest of all options of one underlying at one moment, one-sided, by strike, expiry and side.

    The four lists belong together: entry i of each describes one option.

    Parameters
    ----------
    instrument_id : InstrumentId
        ``<coin>-OPTIONS.<venue>``, as `options_id` gives it.
    underlying_price : float
        Price of the underlying in USD, known at `ts_init`.
    strikes : list of float
        Strike in USD.
    expiries : list of int
        UNIX nanoseconds at which the option expires.
    calls : list of bool
        Whether it is a call; otherwise a put.
    quantities : list of float
        Open interest in the base coin.
    ts_event : int
        UNIX nanoseconds of the venue's snapshot.
    ts_init : int
        UNIX nanoseconds when the snapshot could first be known.
    """

    FIELDS = (
        ("underlying_price", pa.float64(), False),
        ("strikes", pa.list_(pa.float64()), False),
        ("expiries", pa.list_(pa.int64()), False),
        ("calls", pa.list_(pa.bool_()), False),
        ("quantities", pa.list_(pa.float64()), False),
    )

    __slots__ = ("calls", "expiries", "quantities", "strikes", "underlying_price")

    underlying_price: float
    strikes: list[float]
    expiries: list[int]
    calls: list[bool]
    quantities: list[float]

    @property
    def call_quantity(self) -> float:
        """Open interest in calls, base coin."""
        return sum(quantity for quantity, call in zip(self.quantities, self.calls, strict=True) if call)

    @property
    def put_quantity(self) -> float:
        """Open interest in puts, base coin."""
        return sum(quantity for quantity, call in zip(self.quantities, self.calls, strict=True) if not call)

    @property
    def put_call_ratio(self) -> float | None:
        """Open interest in puts over that in calls; ``None`` where no call is open."""
        calls = self.call_quantity
        return self.put_quantity / calls if calls > 0.0 else None

    def mass_distance(self, share: float = 0.5) -> float | None:
        """
        Return how far from the underlying the strikes lie that hold the mass.

        Open interest is summed over expiries and sides by strike. The fewest strikes that together hold at
        least `share` of it are taken, the largest first, of equal ones the nearer to the price.

        Parameters
        ----------
        share : float, default 0.5
            Part of all open interest, above 0 and at most 1.

        Returns
        -------
        float or None
            Mean of ``strike / underlying_price - 1`` over those strikes, weighted by open interest: below
            zero where the mass lies under the price. ``None`` where nothing is open.
        """
        if not 0.0 < share <= 1.0:
            raise ValueError(f"expected a share above 0 and at most 1, was {share}")
        by_strike: dict[float, float] = {}
        for strike, quantity in zip(self.strikes, self.quantities, strict=True):
            by_strike[strike] = by_strike.get(strike, 0.0) + quantity
        distances = {strike: strike / self.underlying_price - 1.0 for strike in by_strike}
        ranked = sorted(by_strike, key=lambda strike: (-by_strike[strike], abs(distances[strike]), strike))
        wanted = share * sum(by_strike.values()) * (1.0 - _ROUNDING)
        mass = moment = 0.0
        for strike in ranked:
            mass += by_strike[strike]
            moment += by_strike[strike] * distances[strike]
            if mass >= wanted:
                break
        return moment / mass if mass > 0.0 else None


class WalletConcentration(CatalogData):
    """
    How concentrated a coin is over a set of addresses at one block.

    Parameters
    ----------
    instrument_id : InstrumentId
        ``<coin>.<chain>`` for the whole configured set, ``<coin>-<GROUP>.<chain>`` for one group of it, as
        `wallet_id` gives it.
    addresses : int
        How many addresses the set has.
    total : float
        What they hold together, in coins.
    top : int
        How many of the largest holders `top_share` counts; not more than `addresses`.
    top_share : float
        Part of `total` that the `top` largest hold.
    herfindahl : float
        Herfindahl index: the sum of squared shares, from 1/`addresses` to 1.
    gini : float
        Gini coefficient, from 0 (all hold the same) to 1 - 1/`addresses`.
    block : int, optional
        Block at which the balances were read; ``None`` where a file did not say.
    ts_event : int
        UNIX nanoseconds of the block.
    ts_init : int
        UNIX nanoseconds when the balances could first be known.
    """

    FIELDS = (
        ("addresses", pa.int64(), False),
        ("total", pa.float64(), False),
        ("top", pa.int64(), False),
        ("top_share", pa.float64(), False),
        ("herfindahl", pa.float64(), False),
        ("gini", pa.float64(), False),
        ("block", pa.int64(), True),
    )

    __slots__ = ("addresses", "block", "gini", "herfindahl", "top", "top_share", "total")

    addresses: int
    total: float
    top: int
    top_share: float
    herfindahl: float
    gini: float
    block: int | None


def options_id(coin: str, venue: str = "DERIBIT") -> InstrumentId:
    """Return the id of the options of `coin` at `venue`, such as ``ETH-OPTIONS.DERIBIT``."""
    return parse_instrument_id(f"{coin}-OPTIONS.{venue}")


def wallet_id(coin: str, group: str = "", chain: str = "ETHEREUM") -> InstrumentId:
    """Return the id of a set of addresses: ``ETH.ETHEREUM``, or ``ETH-WHALE.ETHEREUM`` for a group of it."""
    return parse_instrument_id(f"{coin}-{group.upper()}.{chain}" if group else f"{coin}.{chain}")
