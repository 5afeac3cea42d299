"""A real Ethereum node on the loopback, whose every block a test mines itself."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

GENESIS = 1_700_000_000
ETH = 10**18
_INSTALLED = Path(sys.prefix, "ethereum", "node_modules", ".bin", "anvil")


def find_anvil() -> str:
    """Return the node's program; skip the test where it is not installed, fail where that may not be."""
    found = str(_INSTALLED) if _INSTALLED.exists() else shutil.which("anvil")
    if found:
        return found
    message = (
        f"anvil is neither {_INSTALLED} nor on the PATH; install it with npm, see tests/support/ethereum"
    )
    if "CI" in os.environ:
        pytest.fail(message)
    pytest.skip(message)


@dataclass
class Node:
    """A running node that mines only when it is told to."""

    url: str
    accounts: list[str] = field(default_factory=list)

    def ask(self, method: str, *params: Any) -> Any:
        """Return the result of one call."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            found = json.load(answer)
        assert "error" not in found, found
        return found["result"]

    def send(self, to: str | None, value: int = 0, data: str = "0x") -> str:
        """Put a transaction of the first account into the next block; return its hash."""
        transaction = {"from": self.accounts[0], "value": hex(value), "data": data, "gas": hex(500_000)}
        return str(self.ask("eth_sendTransaction", transaction | ({"to": to} if to else {})))

    def mine(self, timestamp: int) -> None:
        """Mine what was sent into one block of the given UNIX second."""
        self.ask("evm_setNextBlockTimestamp", timestamp)
        self.ask("evm_mine")

    def deploy(self, code: str, timestamp: int) -> str:
        """Deploy a contract in a block of its own and return its address."""
        sent = self.send(None, data=code)
        self.mine(timestamp)
        receipt = self.ask("eth_getTransactionReceipt", sent)
        assert receipt["status"] == "0x1"
        return str(receipt["contractAddress"])


@contextmanager
def running_node(*arguments: str) -> Iterator[Node]:
    """Start a node whose first block is of `GENESIS`, and stop it at the end."""
    command = [
        find_anvil(),
        "--port",
        "0",
        "--no-mining",
        "--chain-id",
        "1",
        "--timestamp",
        str(GENESIS),
        *arguments,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.match(r"Listening on (\S+)", line):
                    node = Node(f"http://{found[1]}")
                    node.accounts = node.ask("eth_accounts")
                    yield node
                    break
            else:
                raise AssertionError(f"{command[0]} ended without listening")
        finally:
            process.terminate()


def token_code(supply: int, decimals: int) -> str:
    """
    Return the creation code of the smallest token that has ERC-20's `decimals`, `balanceOf` and `transfer`.

    It tells the three apart by the length of the call data, and keeps a balance in the slot of its holder.
    """
    runtime = "".join(
        (
            "36600414602157",  # calldatasize == 4: jump to decimals
            "36602414602757",  # calldatasize == 36: jump to balanceOf
            "602435803354033355",  # caller's slot -= amount
            "60043580548201905500",  # receiver's slot += amount; stop
            f"5b60{decimals:02x}602c56",  # decimals: push and jump to answer
            "5b60043554",  # balanceOf: load the slot
            "5b60005260206000f3",  # answer: return the number on the stack
        )
    )
    size = len(runtime) // 2
    head = f"6f{supply:032x}3355"  # caller's slot = supply
    copy = f"60{size:02x}8060{len(head) // 2 + 11:02x}6000396000f3"
    return "0x" + head + copy + runtime
