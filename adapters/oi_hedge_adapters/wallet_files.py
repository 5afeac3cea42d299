"""Wallet concentration from files of balances, for those who have them without a node."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from oi_hedge_adapters.history.tables import read_table, to_floats, to_times
from oi_hedge_adapters.wallets import Moment, WalletSet, concentrations
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.findings import when
from oi_hedge_catalog.series import Floats, Times
from oi_hedge_catalog.types import WalletConcentration

_COLUMNS = ("time", "address", "balance")


def read_balance_file(path: Path, wallets: WalletSet) -> list[WalletConcentration]:
    """
    Return the concentration at each time of a CSV or Parquet file, in the order of time.

    The file has the columns ``time`` (with its zone), ``address`` and ``balance`` (in coins), one row for
    each address of the set at each time. Addresses that are not of the set are left out. Balances are known
    `publication_lag` after their time.

    Raises
    ------
    DataError
        If the file cannot be read, or an address of the set is missing or there twice at a time.
    """
    table = read_table(path, _COLUMNS)
    if not len(table):
        raise DataError(f"{path} has no row")
    times = _times(path, table["time"])
    balances = to_floats(path, "balance", table["balance"])
    addresses = [str(each).lower() for each in table["address"].to_pylist()]
    place = {address: at for at, address in enumerate(wallets.addresses)}
    moments = np.unique(times)
    held = np.full((moments.size, len(place)), np.nan)
    for row, (moment, address) in enumerate(
        zip(np.searchsorted(moments, times).tolist(), addresses, strict=True)
    ):
        at = place.get(address)
        if at is None:
            continue
        if not np.isnan(held[moment, at]):
            raise DataError(f"{path} row {row}: {address} is there twice at {when(int(moments[moment]))}")
        if np.isnan(balances[row]):
            raise DataError(f"{path} row {row}, column 'balance': the balance is empty")
        held[moment, at] = balances[row]
    _require_all(path, wallets, moments, held)
    return [
        each
        for time, row in zip(moments.tolist(), held.tolist(), strict=True)
        for each in concentrations(wallets, row, Moment(time, time + wallets.lag_ns))
    ]


def _require_all(path: Path, wallets: WalletSet, moments: Times, held: Floats) -> None:
    missing = np.argwhere(np.isnan(held))
    if len(missing):
        moment, at = missing[0]
        time, address = when(int(moments[moment])), wallets.addresses[at]
        raise DataError(
            f"{path} has no balance of {address} at {time} ({len(missing)} such balances are missing); give "
            "every address of the set at every time, 0 where it holds nothing"
        )


def _times(path: Path, column: pa.ChunkedArray) -> Times:
    try:
        return to_times(path, "time", column, None, None)
    except DataError as error:
        form = "files of balances have times such as 2024-01-31T12:00:00Z"
        raise DataError(f"{error}; {form}") from error
