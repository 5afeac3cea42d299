"""Reading named columns of Parquet and CSV files, with errors that say what is wrong where."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.series import Floats, Times

TimeUnit = Literal["s", "ms", "us", "ns"]

_NULLS = ["", "NaN", "nan", "NA", "null", "None"]
_EARLIEST = pd.Timestamp("2009-01-03", tz="UTC")
"""Bitcoin's first block: an earlier time means a wrong unit."""


def read_table(path: Path, columns: Sequence[str]) -> pa.Table:
    """
    Read `columns` of a Parquet or CSV file; of CSV all as text.

    Raises
    ------
    DataError
        If the file is missing, cut off, of another format, or lacks a column.
    """
    if not path.is_file():
        raise DataError(f"file {path} does not exist")
    if path.suffix == ".parquet":
        return _read_parquet(path, columns)
    if path.suffix == ".csv":
        return _read_csv(path, columns)
    raise DataError(f"{path}: expected a .parquet or .csv file, found {path.suffix or 'no suffix'}")


def _read_parquet(path: Path, columns: Sequence[str]) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            _require_columns(path, columns, file.schema_arrow.names)
            return file.read(columns=list(columns))
    except (pa.ArrowInvalid, OSError) as error:
        reason = f"{path} is not a complete Parquet file (cut off?), copy it again: {error}"
        raise DataError(reason) from error


def _read_csv(path: Path, columns: Sequence[str]) -> pa.Table:
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        header = next(csv.reader(file), [])
    _require_columns(path, columns, header)
    options = pa_csv.ConvertOptions(
        include_columns=list(columns),
        column_types=dict.fromkeys(columns, pa.string()),
        strings_can_be_null=True,
        null_values=_NULLS,
    )
    try:
        table = pa_csv.read_csv(path, convert_options=options)
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} has a broken line (cut off?), copy it again: {error}") from error
    if len(table) and not _ends_with_newline(path):
        raise DataError(
            f"{path} does not end with a newline: its last row may be cut off; copy it again or add it"
        )
    return table


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def _require_columns(path: Path, columns: Sequence[str], present: Sequence[str]) -> None:
    if missing := [name for name in columns if name not in present]:
        raise DataError(f"{path} has no column {missing[0]!r}; it has: {', '.join(present) or 'none'}")


def to_floats(path: Path, name: str, column: pa.ChunkedArray) -> Floats:
    """
    Return `column` as float64, NaN where empty.

    Raises
    ------
    DataError
        Naming the first row that is not a number.
    """
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except pa.ArrowInvalid as error:
        values = column.to_pylist()
        row = next(place for place, value in enumerate(values) if not _is_number(value))
        raise DataError(f"{path} row {row}, column {name!r}: {values[row]!r} is not a number") from error


def _is_number(value: Any) -> bool:
    if value is None:
        return True
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def to_times(
    path: Path, name: str, column: pa.ChunkedArray, zone: str | None, unit: TimeUnit | None
) -> Times:
    """
    Return `column` as UNIX nanoseconds.

    Parameters
    ----------
    path, name : Path, str
        For errors.
    column : ChunkedArray
        Timestamps, ISO 8601 text, or numbers.
    zone : str, optional
        Time zone of values that carry none.
    unit : {"s", "ms", "us", "ns"}, optional
        Unit of numbers since 1970-01-01 UTC.

    Raises
    ------
    DataError
        If a value is no time, has no zone and none is named, or lies before there was a market.
    """
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py()
        raise DataError(f"{path} row {row}, column {name!r}: the time is empty")
    stamps = _numeric_times(path, name, column, unit) if unit else _parsed_times(path, name, column)
    if stamps.dt.tz is None:
        stamps = _localized(path, name, stamps, zone)
    elif zone is not None and not unit:
        raise DataError(f"{path}, column {name!r}: times carry a zone already, remove time_zone = {zone!r}")
    if len(stamps) and stamps.min() < _EARLIEST:
        row = int(stamps.argmin())
        unit_hint = f"is time_unit = {unit!r} right?" if unit else "is this the time column?"
        raise DataError(f"{path} row {row}, column {name!r}: {stamps.iloc[row]} is before 2009, {unit_hint}")
    return np.asarray(stamps.dt.tz_convert("UTC").dt.as_unit("ns").astype("int64"), np.int64)


def _numeric_times(path: Path, name: str, column: pa.ChunkedArray, unit: TimeUnit) -> Any:
    if pa.types.is_temporal(column.type):
        raise DataError(
            f"{path}, column {name!r}: holds timestamps, not numbers; remove time_unit = {unit!r}"
        )
    try:
        numbers = column.cast(pa.int64()).to_numpy()
        return pd.Series(pd.to_datetime(numbers, unit=unit, utc=True))
    except (pa.ArrowInvalid, ValueError) as error:
        raise DataError(f"{path}, column {name!r}: not whole {unit} since 1970: {error}") from error


def _parsed_times(path: Path, name: str, column: pa.ChunkedArray) -> Any:
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        raise DataError(f"{path}, column {name!r}: holds numbers, name time_unit = 's', 'ms', 'us' or 'ns'")
    values = column.to_pandas()
    if pa.types.is_timestamp(column.type):
        return values
    try:
        return pd.to_datetime(values, format="ISO8601")
    except ValueError as error:
        hint = "times must be ISO 8601, or numbers with time_unit"
        raise DataError(f"{path}, column {name!r}: {hint}: {error}") from error


def _localized(path: Path, name: str, stamps: Any, zone: str | None) -> Any:
    if zone is None:
        raise DataError(f"{path}, column {name!r}: times have no time zone, name it: time_zone = 'UTC'")
    try:
        return stamps.dt.tz_localize(zone)
    except Exception as error:  # zoneinfo, pytz and pandas each raise their own
        raise DataError(f"{path}, column {name!r}: times do not fit time_zone = {zone!r}: {error}") from error
