"""Records appended to a file, each whole or not there at all when it is read again."""

import os
import struct
import zlib
from collections.abc import Generator
from pathlib import Path

_HEADER = struct.Struct("<IB")
_CHECK = struct.Struct("<I")
OWNER_ONLY = 0o600


class Journal:
    """
    Append records to a file; what was appended survives the process at once.

    A record goes to the operating system in one write, so that killing the process loses at most the one
    being written; `sync` brings all to the disk, so that a loss of power does not lose them either.

    Parameters
    ----------
    path : Path
        The file, made for the owner alone; records are added where it exists.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, OWNER_ONLY)
        os.fchmod(self._file, OWNER_ONLY)

    def append(self, kind: int, payload: bytes) -> None:
        """
        Append a record of a kind within 0 to 255.

        Raises
        ------
        OSError
            If the disk is full or gone.

        """
        record = _HEADER.pack(len(payload), kind) + payload
        record += _CHECK.pack(zlib.crc32(record))
        written = os.write(self._file, record)
        if written != len(record):
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(f"{self.path}: {written} of {len(record)} bytes were written: the disk is full")
        self.records += 1

    def sync(self) -> None:
        """Wait until all that was appended is on the disk."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_journal(path: Path) -> Generator[tuple[int, bytes], None, int]:
    """
    Yield kind and payload of each record up to the first that is damaged or incomplete.

    The generator's return value is how many bytes at the end are no whole records.
    """
    content = path.read_bytes()
    at, size = 0, len(content)
    while at + _HEADER.size + _CHECK.size <= size:
        length, kind = _HEADER.unpack_from(content, at)
        end = at + _HEADER.size + length
        if end + _CHECK.size > size or zlib.crc32(content[at:end]) != _CHECK.unpack_from(content, end)[0]:
            break
        yield kind, content[at + _HEADER.size : end]
        at = end + _CHECK.size
    return size - at
