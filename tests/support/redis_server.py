"""A real Redis server on a free port of the loopback interface."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_STARTS, _LOOK_SECS = 30.0, 0.05


class RedisServer:
    """
    Look into a server.

    Parameters
    ----------
    port : int
        Where it listens.

    """

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, *words: str) -> str:
        """Return what the server answers to a command."""
        command = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30.0).stdout.strip()

    def value(self, key_end: str) -> Any:
        """Return the JSON that is kept under the only key that ends so, None where there is none."""
        keys = self.ask("--scan", "--pattern", f"*{key_end}").split()
        return json.loads(self.ask("GET", keys[0])) if keys else None


@contextmanager
def redis_server(directory: Path) -> Iterator[RedisServer]:
    """Run a server that keeps its files below `directory`; skip the test where none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory), "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        server, deadline = RedisServer(port), time.monotonic() + _STARTS
        while server.ask("PING") != "PONG":
            assert process.poll() is None and time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(_LOOK_SECS)
        yield server
    finally:
        process.terminate()
        process.wait(30.0)
