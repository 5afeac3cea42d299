"""Standard error that a full disk cannot make fail."""

import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STDERR, _CHUNK, _LAST_SECS = 2, 65_536, 1.0


@contextmanager
def steady_stderr() -> Iterator[None]:
    """
    Write what goes to standard error from a thread that drops what the disk does not take.

    Nautilus's logger ends the process where an error cannot be written there, and a full disk is no reason
    to leave a hedge alone. Only a regular file is relayed: pipes, terminals and sockets do not fill a disk.
    """
    if not stat.S_ISREG(os.fstat(_STDERR).st_mode):
        yield
        return
    file, (read, write) = os.dup(_STDERR), os.pipe()
    os.dup2(write, _STDERR)
    os.close(write)
    relay = threading.Thread(target=_relay, args=(read, file), name="stderr", daemon=True)
    relay.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(file, _STDERR)
        relay.join(_LAST_SECS)


def _relay(read: int, file: int) -> None:
    while chunk := os.read(read, _CHUNK):
        with suppress(OSError):
            os.write(file, chunk)
    os.close(read)
    os.close(file)
