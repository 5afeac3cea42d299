"""Store Nautilus's own ``FundingRateUpdate`` exactly, fast, and so that it can be streamed in chunks.

Nautilus 1.231 reads a stored rate back as text, labels the rows of several instruments with the first one's
id, encodes row by row, and cannot stream the type at all. `register` replaces the codec in Nautilus's
registries, for the whole process.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import nautilus_trader.backtest.node as backtest_node
import pyarrow as pa
from nautilus_trader.core.nautilus_pyo3.model import register_custom_data_class
from nautilus_trader.model.data import CustomData, FundingRateUpdate
from nautilus_trader.model.data import pyo3_list_to_data_list as _nautilus_conversion
from nautilus_trader.serialization.arrow.serializer import register_arrow

from oi_hedge_catalog.types import parse_instrument_id

SCHEMA = pa.schema(
    [
        pa.field("instrument_id", pa.string(), nullable=False),
        pa.field("rate", pa.string(), nullable=False),
        pa.field("interval", pa.uint16()),
        pa.field("next_funding_ns", pa.uint64()),
        pa.field("ts_event", pa.uint64(), nullable=False),
        pa.field("ts_init", pa.uint64(), nullable=False),
    ]
)
"""The rate is text, so that every digit the venue published survives."""


def encode(items: Iterable[FundingRateUpdate]) -> pa.RecordBatch:
    """Encode funding rate updates as one Arrow record batch of `SCHEMA`."""
    items = list(items)
    columns = [
        [item.instrument_id.value for item in items],
        [str(item.rate) for item in items],
        [item.interval for item in items],
        [item.next_funding_ns for item in items],
        [item.ts_event for item in items],
        [item.ts_init for item in items],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def decode(table: pa.Table | pa.RecordBatch) -> list[FundingRateUpdate]:
    """Decode a table or record batch of `SCHEMA`."""
    columns = {name: table.column(name).to_pylist() for name in SCHEMA.names}
    return list(
        map(
            FundingRateUpdate,
            map(parse_instrument_id, columns["instrument_id"]),
            map(Decimal, columns["rate"]),
            columns["ts_event"],
            columns["ts_init"],
            columns["interval"],
            columns["next_funding_ns"],
        )
    )


class _SessionCodec:
    """What Nautilus's Rust registry asks of a class, answered for ``FundingRateUpdate``."""

    _schema = SCHEMA

    @classmethod
    def type_name_static(cls) -> str:
        return "FundingRateUpdate"

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FundingRateUpdate:
        return FundingRateUpdate.from_dict({**values, "rate": Decimal(values["rate"])})

    @classmethod
    def decode_record_batch_py(
        cls, metadata: dict[str, str], batch: pa.RecordBatch
    ) -> list[FundingRateUpdate]:
        return decode(batch)

    def encode_record_batch_py(self, items: list[FundingRateUpdate]) -> pa.RecordBatch:
        return encode(items)


def _unwrapping_conversion(items: list[Any]) -> list[Any]:
    """
    Convert a chunk as Nautilus does, then take the funding updates out of their ``CustomData`` wrapper.

    Wrapped, they would not reach ``on_funding_rate``; bare, the data engine publishes and caches them as it
    does in an unchunked run.
    """
    return [
        item.data if isinstance(item, CustomData) and isinstance(item.data, FundingRateUpdate) else item
        for item in _nautilus_conversion(items)
    ]


def register() -> None:
    """Register the codec with Nautilus's Arrow serializer, its Rust session and its chunked backtest."""
    register_arrow(
        FundingRateUpdate,
        SCHEMA,
        encoder=lambda item: encode([item]),
        decoder=decode,
        batch_encoder=encode,
    )
    register_custom_data_class(_SessionCodec)
    setattr(backtest_node, "pyo3_list_to_data_list", _unwrapping_conversion)  # noqa: B010
