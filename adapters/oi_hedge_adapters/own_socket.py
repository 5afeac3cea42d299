"""Sockets that never close a file that is not theirs."""

import os
import socket
from contextlib import suppress
from typing import Any


class OwnSocket(socket.socket):
    """
    Close the descriptor only while it is this socket's.

    uvloop 0.22 closes the descriptor of a connection that is cancelled while it is being made, and leaves the
    socket's object believing that it still has it. Collected later, that object closes whatever has the
    number by then: a journal, or another connection.

    """

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1) -> None:
        super().__init__(family, type, proto)
        self._inode = os.fstat(self.fileno()).st_ino

    def close(self) -> None:
        """Close the socket, or let go of a number that has come to be another's."""
        if self.fileno() >= 0 and not self._is_own():
            self.detach()
        super().close()

    def __del__(self) -> None:
        self.close()

    def _is_own(self) -> bool:
        with suppress(OSError):
            return os.fstat(self.fileno()).st_ino == self._inode
        return False


def own_socket(address: tuple[Any, ...]) -> OwnSocket:
    """Make a socket for an address as ``getaddrinfo`` gives it: aiohttp's `socket_factory`."""
    family, kind, proto, *_ = address
    return OwnSocket(family, kind, proto)
