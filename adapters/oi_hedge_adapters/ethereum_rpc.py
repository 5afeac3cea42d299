"""Ethereum JSON-RPC in batches, with retries and errors that never show the node's address.

The address may hold an access key, so no message, log or exception that leaves this module carries it.
"""

import asyncio
import os
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from oi_hedge_catalog.errors import ConfigError, OIHedgeError

_RETRIED_STATUS = {408, 425, 429, 500, 502, 503, 504}
_RETRIED_CODES = {-32005, 429}
"""Error codes by which nodes limit the rate (EIP-1474's "limit exceeded", and HTTP's)."""

_QUANTITY = re.compile(r"0x[0-9a-fA-F]+")
_NO_STATE = ("missing trie node", "header not found", "pruned", "not available", "archive", "outofrange")
"""Parts of what nodes say that no longer have the state of a block."""


URL_VARIABLE = "ETHEREUM_RPC_URL"


class RpcError(OIHedgeError):
    """An Ethereum node did not answer, refused, or answered with something else than was asked."""


def node_address() -> str:
    """
    Return the address of the Ethereum node that the environment names.

    Raises
    ------
    ConfigError
        If it names none.
    """
    url = os.environ.get(URL_VARIABLE, "")
    if not url:
        raise ConfigError(
            f"environment variable {URL_VARIABLE} is not set: it names the Ethereum node to ask"
        )
    return url


@dataclass(frozen=True, slots=True)
class Call:
    """One JSON-RPC call, and what to call it in errors."""

    method: str
    params: tuple[Any, ...]
    about: str


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its number, its UNIX time in seconds, its hash."""

    number: int
    timestamp: int
    hash: str


class EthereumRpc:
    """
    Talk to one Ethereum node.

    Parameters
    ----------
    session : ClientSession
        Its connections are used; it stays open.
    url : str
        The node's HTTP address.
    batch_size : int, default 100
        Most calls in one request; 1 for a node that takes no batches.
    attempts : int, default 5
        How often a request is sent before it has failed.
    timeout_secs : float, default 30
        For one request.
    first_wait_secs : float, default 0.5
        Before the second attempt; doubled before each further one, with jitter.
    sleep : callable
        Waits between attempts.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        batch_size: int = 100,
        attempts: int = 5,
        timeout_secs: float = 30.0,
        first_wait_secs: float = 0.5,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise RpcError("the address of the Ethereum node must begin with http:// or https://")
        if batch_size < 1 or attempts < 1:
            raise RpcError(f"batch_size and attempts must be at least 1, were {batch_size} and {attempts}")
        self._session = session
        self._url = url
        self._batch_size = batch_size
        self._attempts = attempts
        self._timeout = aiohttp.ClientTimeout(total=timeout_secs)
        self._first_wait_secs = first_wait_secs
        self._sleep = sleep

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """
        Return the results of `calls` in their order.

        Raises
        ------
        RpcError
            If a call fails, naming the first and how many did; no result is returned then.
        """
        results: list[Any] = []
        for start in range(0, len(calls), self._batch_size):
            results += await self._chunk(calls[start : start + self._batch_size])
        return results

    async def block(self, number: int | str) -> Block:
        """
        Return a block by its number or tag, such as ``latest``.

        Raises
        ------
        RpcError
            If the node does not have it.
        """
        tag = hex(number) if isinstance(number, int) else number
        (found,) = await self.batch([Call("eth_getBlockByNumber", (tag, False), f"block {number}")])
        if not isinstance(found, dict):
            raise RpcError(f"the Ethereum node has no block {number}")
        what = f"block {number}"
        return Block(
            quantity(found.get("number"), what),
            quantity(found.get("timestamp"), what),
            str(found.get("hash")),
        )

    async def _chunk(self, calls: Sequence[Call]) -> list[Any]:
        """Send `calls` together, and those again that the node asks to wait with."""
        results: dict[int, Any] = {}
        problem = ""
        for attempt in range(self._attempts):
            pending = [at for at in range(len(calls)) if at not in results]
            if attempt:
                await self._sleep(self._first_wait_secs * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
            answers, problem = await self._post([(at, calls[at]) for at in pending])
            if not problem:
                found, problem = _sort_answers(answers, {at: calls[at] for at in pending})
                results |= found
            if len(results) == len(calls):
                return [results[at] for at in range(len(calls))]
        raise RpcError(f"the Ethereum node failed {self._attempts} times, at last: {problem}")

    async def _post(self, calls: Sequence[tuple[int, Call]]) -> tuple[Any, str]:
        """Return the parsed answer, or why another attempt is worth it."""
        requests = [
            {"jsonrpc": "2.0", "id": at, "method": call.method, "params": call.params} for at, call in calls
        ]
        body = requests if len(requests) > 1 else requests[0]
        try:
            async with self._session.post(
                self._url, json=body, timeout=self._timeout, allow_redirects=False
            ) as answer:
                if answer.status in _RETRIED_STATUS:
                    return None, f"HTTP {answer.status}"
                if answer.status != 200:
                    hint = "; is the access key right?" if answer.status in (401, 403) else ""
                    raise RpcError(f"the Ethereum node answered with HTTP {answer.status}{hint}")
                return await answer.json(content_type=None), ""
        except aiohttp.InvalidURL:
            raise RpcError("the address of the Ethereum node is no URL") from None
        except TimeoutError:
            return None, f"no answer within {self._timeout.total:g} s"
        except (aiohttp.ClientError, ValueError) as error:
            return None, f"the connection or the answer was broken ({type(error).__name__})"


def _sort_answers(answers: Any, calls: dict[int, Call]) -> tuple[dict[int, Any], str]:
    """Return results by call and, where some are to be asked for again, why; raise on calls that failed."""
    entries = [answers] if isinstance(answers, dict) else answers
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise RpcError(f"the Ethereum node sent a {type(answers).__name__}, expected JSON-RPC answers")
    if isinstance(answers, dict) and len(calls) > 1:
        raise RpcError(
            f"the Ethereum node does not take {len(calls)} calls in one request "
            f"({_reason(answers.get('error'))}); use a smaller batch size, or 1"
        )
    results, failed, waiting = {}, [], ""
    for each in entries:
        at, error = each.get("id"), each.get("error")
        if at not in calls:
            raise RpcError(f"the Ethereum node answered a call that was not made (id {at!r})")
        if error is None and "result" in each:
            results[at] = each["result"]
        elif isinstance(error, dict) and error.get("code") in _RETRIED_CODES:
            waiting = f"{calls[at].about}: {_reason(error)}"
        else:
            failed.append(f"{calls[at].about}: {_reason(error)}")
    if failed:
        number = "" if len(calls) == 1 else f" ({len(failed)} of {len(calls)} calls of the batch failed)"
        raise RpcError(f"the Ethereum node refused {failed[0]}{number}")
    missing = sorted(calls.keys() - results.keys())
    if missing and not waiting:
        waiting = (
            f"{len(missing)} of {len(calls)} answers are missing, the first is {calls[missing[0]].about}"
        )
    return results, waiting


def _reason(error: Any) -> str:
    """Return what the node says, and what to do where it has no state of an old block."""
    if not isinstance(error, dict):
        return f"neither result nor error, but {error!r}"
    message = str(error.get("message"))
    hint = (
        "; an old block needs an archive node" if any(text in message.lower() for text in _NO_STATE) else ""
    )
    return f"{message} (code {error.get('code')}){hint}"


def quantity(value: Any, about: str) -> int:
    """
    Return the number that a node sent in hexadecimal.

    Raises
    ------
    RpcError
        If it is no such number.
    """
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise RpcError(f"the Ethereum node sent {value!r} for {about}, expected a hexadecimal number")
    return int(value, 16)
