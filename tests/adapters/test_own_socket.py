"""A connection that is cancelled while it is being made closes no file of anybody else."""

import asyncio
import gc
import os
import socket

import pytest
from fakes.server import FakeExchanges

from oi_hedge_adapters.connection import VenueConnection
from oi_hedge_adapters.own_socket import OwnSocket, own_socket
from oi_hedge_adapters.venues import find_row

uvloop = pytest.importorskip("uvloop")


def run(scenario):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(scenario())


async def cancelled():
    """Return the socket of a connection that was cancelled in the last moment."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    made = own_socket((socket.AF_INET, socket.SOCK_STREAM, 0))
    made.setblocking(False)
    await loop.sock_connect(made, listener.getsockname())
    task = loop.create_task(loop.create_connection(asyncio.Protocol, sock=made))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    listener.close()
    await asyncio.sleep(0.05)
    return made


def test_a_file_that_took_over_the_number_of_a_cancelled_connection_stays_open(tmp_path):
    async def scenario():
        made = await cancelled()
        number = made.fileno()
        assert number >= 0, "uvloop closes it behind the socket's back no more: this module can go"
        files = []
        while not files or files[-1] < number:
            files.append(os.open(tmp_path / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND))
        assert files[-1] == number
        del made
        gc.collect()
        for each in files:
            os.write(each, b"record")
            os.close(each)

    run(scenario)


def test_a_socket_that_is_its_own_is_closed_by_hand_and_when_it_is_collected():
    for forget in (False, True):
        made = OwnSocket(socket.AF_INET, socket.SOCK_STREAM)
        number = made.fileno()
        if not forget:
            made.close()
        del made
        gc.collect()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)


def test_a_venue_is_asked_over_such_sockets(monkeypatch):
    pytest.importorskip("ccxt")
    made = []
    keep = OwnSocket.__init__
    monkeypatch.setattr(OwnSocket, "__init__", lambda self, *values: made.append(keep(self, *values)))

    async def scenario():
        exchanges = FakeExchanges()
        await exchanges.start()
        row = find_row("binance-linear")
        connection = VenueConnection(row, 5.0, exchanges.urls["binanceusdm"])
        await connection.market(row.ccxt_symbol(row.example))
        await connection.close()
        await exchanges.stop()

    run(scenario)
    assert made
