"""The one CSV file inside each zip of an archive, as Arrow columns."""

import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.series import Times

_NULLS = ["", "NaN", "nan", "null", "None"]
_MICROSECONDS = 10**14
"""A larger number of milliseconds lies beyond the year 5000: it is microseconds."""


def read_zip(
    path: Path, text: Sequence[str], numbers: Sequence[str], layout: Sequence[str] | None = None
) -> pa.Table:
    """
    Read columns of the CSV file in the zip at `path`.

    Parameters
    ----------
    path : Path
        A zip with one CSV file.
    text, numbers : sequence of str
        Columns to read as text and as floats; null where empty.
    layout : sequence of str, optional
        All that a row has, in order, if the file may lack its header, as older ones do.

    Raises
    ------
    DataError
        If the zip is damaged, holds something else, lacks a column, or a value is no number.
    """
    body = _body(path)
    first = next(csv.reader(io.StringIO(body[:4096].decode("utf-8-sig", errors="replace"))), [])
    columns = (*text, *numbers)
    bare = layout is not None and bool(first) and first[0].isdigit()
    if not bare and (missing := [name for name in columns if name not in first]):
        raise DataError(f"{path}: the CSV inside has no column {missing[0]!r}, its first line is {first}")
    options = pa_csv.ConvertOptions(
        include_columns=list(columns),
        column_types={name: pa.float64() if name in numbers else pa.string() for name in columns},
        strings_can_be_null=True,
        null_values=_NULLS,
    )
    reading = pa_csv.ReadOptions(use_threads=False, column_names=list(layout) if bare and layout else None)
    try:
        return pa_csv.read_csv(io.BytesIO(body), read_options=reading, convert_options=options)
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: the CSV inside is not readable: {error}") from error


def _body(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as file:
            names = [name for name in file.namelist() if name.endswith(".csv")]
            if len(names) != 1:
                raise DataError(f"{path}: expected one CSV file inside, found {file.namelist()}")
            return file.read(names[0])
    except (zipfile.BadZipFile, EOFError) as error:
        raise DataError(
            f"{path} is not a complete zip file ({error}), delete it to have it downloaded again"
        ) from error


def to_ns(path: Path, column: pa.ChunkedArray) -> Times:
    """
    Return times as UNIX nanoseconds: text in UTC, or milli- or microseconds since 1970.

    Raises
    ------
    DataError
        If a value is no time.
    """
    text = column.combine_chunks()
    if text.null_count:
        raise DataError(f"{path}: the time of row {pc.index(text.is_null(), True).as_py()} is empty")
    try:
        if len(text) and pc.all(pc.utf8_is_digit(text)).as_py():
            number = text.cast(pa.int64()).to_numpy()
            return np.where(number >= _MICROSECONDS, number * 1_000, number * 1_000_000).astype(np.int64)
        return text.cast(pa.timestamp("ns")).cast(pa.int64()).to_numpy()
    except (pa.ArrowInvalid, ValueError) as error:
        raise DataError(f"{path}: a time is neither a UTC date nor milliseconds: {error}") from error
