"""What a simulated account must not forget over a restart: its balance and its positions."""

import os
from pathlib import Path

import msgspec

from oi_hedge_catalog.errors import StateError


class HeldPosition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    Hold one open position.

    Parameters
    ----------
    instrument_id : str
        The instrument.
    quantity : str
        Signed, as decimal text, so that it is exact.
    average_price : str
        Average price at which it was opened, as decimal text.

    """

    instrument_id: str
    quantity: str
    average_price: str


class AccountRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    Hold a simulated account.

    Parameters
    ----------
    balances : tuple of str
        Such as ``"100000.00000000 USDT"``.
    positions : tuple of HeldPosition
        What is open.
    ts : int
        When it was so.

    """

    balances: tuple[str, ...]
    positions: tuple[HeldPosition, ...]
    ts: int


def read_account(path: Path) -> AccountRecord | None:
    """
    Return the account of an earlier run, None if there was none.

    Raises
    ------
    StateError
        If the file is damaged.

    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=AccountRecord)
    except msgspec.DecodeError as error:
        raise StateError(
            f"{path} does not hold a simulated account ({error}); put back a copy, or move it away to begin "
            "with the configured balance"
        ) from error


def write_account(path: Path, account: AccountRecord) -> None:
    """Write the account for its owner alone, whole or not at all."""
    staged = path.with_suffix(".tmp")
    file = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(msgspec.json.encode(account))
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(staged, path)
