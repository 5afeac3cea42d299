"""One exchange through ccxt: opened on first use, errors turned into one sentence, closed without rest."""

import asyncio
import importlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential

from oi_hedge_adapters.own_socket import own_socket
from oi_hedge_adapters.venues import VenueError, VenueRow

_STREAM_SCHEMES = ("ws", "wss")
UNEXPECTED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What reading a payload of another form than documented raises."""
_DENIED, _LIMITED = frozenset({401, 403, 451}), frozenset({418, 429})
_ATTEMPTS = 5
_FIRST_PAUSE_SECS, _LONGEST_PAUSE_SECS, _PATIENCE_SECS = 0.25, 10.0, 60.0


class UnreachableError(VenueError):
    """
    A venue did not answer, or not as it should; asking again later may help.

    Parameters
    ----------
    message : str
        What happened.
    retry_after : float, default 0
        Seconds that the venue asks to wait.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RefusedError(VenueError):
    """A venue will not give what was asked, however often."""


class Throttle:
    """
    ccxt's rate limit, request after request, without its background task that outlives a cancelled one.

    Parameters
    ----------
    interval_secs : float
        Between two requests of unit cost.
    """

    def __init__(self, interval_secs: float) -> None:
        self._interval_secs = interval_secs
        self._free_at = 0.0

    async def __call__(self, cost: float | None = None) -> None:
        """Wait until a request of `cost` may go."""
        now = time.monotonic()
        start = max(now, self._free_at)
        self._free_at = start + (1.0 if cost is None else cost) * self._interval_secs
        if start > now:
            await asyncio.sleep(start - now)


class VenueConnection:
    """
    One ccxt exchange and the errors of its calls.

    Parameters
    ----------
    row : VenueRow
        A row of the exchange; rows that share the exchange share the connection.
    timeout_secs : float
        How long a request may take.
    base_url : str, optional
        Asked in place of the exchange's own hosts, with the same paths below it.
    """

    def __init__(self, row: VenueRow, timeout_secs: float, base_url: str | None = None) -> None:
        if row.ccxt_id is None:
            raise RefusedError(f"{row.title} is closed: it has recorded history only")
        self.row = row
        try:
            self._errors = importlib.import_module("ccxt.base.errors")
            kind = getattr(importlib.import_module("ccxt.pro"), row.ccxt_id)
        except ImportError as error:
            raise RefusedError(f"{row.title} is read through ccxt, install it: pip install ccxt") from error
        self.exchange: Any = kind(
            {"enableRateLimit": True, "timeout": round(timeout_secs * 1000), "newUpdates": True}
        )
        self.exchange.throttle = Throttle(self.exchange.rateLimit / 1000.0)
        self.exchange.on_rest_response = self._require_json
        self._open, self.exchange.open = self.exchange.open, self._open_on_own_sockets
        self._configure(base_url)
        self._timeout_secs = timeout_secs
        self._loading = asyncio.Lock()
        self._listed: set[str] = set()
        self._status = 0

    def _configure(self, base_url: str | None) -> None:
        """Load no more markets than needed, and from `base_url`."""
        self.exchange.has["fetchCurrencies"] = False
        wanted = self.row.market_types
        options = self.exchange.options.setdefault("fetchMarkets", {})
        kinds = options.get("types")
        options["types"] = {name: name in wanted for name in kinds} if isinstance(kinds, dict) else [*wanted]
        if base_url is not None:
            self.exchange.urls["api"] = _rebase(self.exchange.urls["api"], base_url.rstrip("/"))

    def _open_on_own_sockets(self, lazy: bool = False) -> None:
        """Open as ccxt does; a request that is cancelled while it connects must not close others' files."""
        self._open(lazy)
        self.exchange.tcp_connector._socket_factory = own_socket

    def _require_json(
        self, code: int, reason: str, url: str, method: str, headers: Any, body: str, *_: Any
    ) -> str:
        """Note the status; refuse an answer that is cut off, which ccxt would pass on as an empty one."""
        self._status = code
        if 200 <= code < 300:
            try:
                json.loads(body)
            except ValueError as error:
                raise self._errors.BadResponse(f"the answer is not complete JSON: {body[:80]!r}") from error
        return body

    async def market(self, symbol: str) -> dict[str, Any]:
        """
        Return ccxt's market of `symbol`, loading the markets first if need be.

        Raises
        ------
        RefusedError
            If the symbol is not listed.
        UnreachableError
            If the markets cannot be loaded, or none or a known one is missing in what the venue sent.
        """
        async with self._loading:
            if not self.exchange.markets:
                await self.call("load_markets", True)
        listed = self.exchange.markets
        if not listed or (symbol in self._listed and symbol not in listed):
            raise UnreachableError(f"{self.row.title} sent a list of contracts without {symbol}")
        found = listed.get(symbol)
        if found is None:
            raise RefusedError(
                f"{self.row.title}: {symbol} is not listed; the exchange lists "
                f"{len(self.exchange.markets)} contracts of this kind"
            )
        self._listed.add(symbol)
        return dict(found)

    async def reload(self) -> None:
        """Load the markets again, for what trades and what is halted."""
        async with self._loading:
            await self.call("load_markets", True)

    async def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """
        Call a method of the exchange.

        Raises
        ------
        RefusedError
            If the symbol is not listed, the venue denies access or ccxt has no such method.
        UnreachableError
            For everything that may be another at the next attempt: no connection, limits, bans, bad answers.
        """
        return await self._guard(getattr(self.exchange, method), method, *arguments, **named)

    async def call_patiently(self, method: str, *arguments: Any) -> Any:
        """
        Call a method, and again after a failure that may pass, a few times with growing pauses.

        A venue that asks to wait is given that time, up to a minute; who asks for more is not asked again.

        Raises
        ------
        RefusedError, UnreachableError
            As `call`, the latter after the last attempt.
        """
        growing = wait_exponential(multiplier=_FIRST_PAUSE_SECS, max=_LONGEST_PAUSE_SECS)
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=lambda state: max(growing(state), asked_pause(state)),
            retry=retry_if_exception(_may_pass_soon),
            reraise=True,
        )
        return await retrying(self.call, method, *arguments)

    async def watch(self, method: str, symbol: str, timeout_secs: float) -> Any:
        """
        Wait for the next message of a stream that never rests.

        After `timeout_secs` without one, the sockets of the exchange are closed, so that the next call opens
        them again.

        Raises
        ------
        RefusedError, UnreachableError
            As `call`.
        """
        task = await self._wait(method, symbol, timeout_secs)
        if task.done():
            return task.result()
        await self.drop_streams()
        await asyncio.gather(task, return_exceptions=True)
        raise UnreachableError(
            f"{self.row.title}: {symbol}: no message within {timeout_secs:g} s, connecting again"
        )

    async def watch_events(self, method: str, symbol: str, timeout_secs: float) -> None:
        """
        Wait for the next event of a stream that may rest, at most `timeout_secs`.

        Raises
        ------
        RefusedError, UnreachableError
            As `call`, and if nothing came because there is no connection.
        """
        task = await self._wait(method, symbol, timeout_secs)
        if task.done():
            task.result()
            return
        await self._abandon(task)
        sockets = [client.connection for client in self.exchange.clients.values()]
        if not sockets or any(socket is None or socket.closed for socket in sockets):
            raise UnreachableError(f"{self.row.title}: {symbol}: the stream is not connected")

    async def _wait(self, method: str, symbol: str, timeout_secs: float) -> "asyncio.Task[Any]":
        task = asyncio.ensure_future(self.call(method, symbol))
        try:
            await asyncio.wait({task}, timeout=timeout_secs)
        except asyncio.CancelledError:
            await self._abandon(task)
            raise
        return task

    async def _abandon(self, task: "asyncio.Task[Any]") -> None:
        """Cancel a reader, and drop the futures it leaves behind so that a later one waits for live ones."""
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for client in self.exchange.clients.values():
            for name in [name for name, future in client.futures.items() if future.cancelled()]:
                del client.futures[name]

    async def drop_streams(self) -> None:
        """Close the sockets of the exchange; who waits for a message gets an error."""
        clients = list(self.exchange.clients.values())
        self.exchange.clients.clear()
        for client in clients:
            client.reset(self._errors.NetworkError("the stream was silent"))
            await client.close()

    async def close(self) -> None:
        """Close sockets and sessions."""
        await self.exchange.close()

    async def _guard(
        self, method: Callable[..., Awaitable[Any]], name: str, *arguments: Any, **named: Any
    ) -> Any:
        self._status = 0
        try:
            return await method(*arguments, **named)
        except (self._errors.BaseError, OSError, *UNEXPECTED) as error:
            raise self._translate(error, name) from error

    def _translate(self, error: Exception, name: str) -> VenueError:
        """Return what a failure of a call means."""
        errors, title, status = self._errors, self.row.title, self._status
        if isinstance(error, errors.BadSymbol):
            return RefusedError(f"{title}: symbol is not listed ({_short(error)})")
        if isinstance(error, (errors.AuthenticationError, errors.NotSupported, errors.ArgumentsRequired)):
            return RefusedError(f"{title} refuses {name}: {_short(error)}")
        if isinstance(error, errors.RequestTimeout):
            return UnreachableError(f"{title} did not answer {name} within {self._timeout_secs:g} s")
        if status in _DENIED:
            text = f"{title} denies {name} with HTTP {status}, for a ban or for where we ask from"
            return UnreachableError(f"{text}: {_short(error)}", self._retry_after())
        if status in _LIMITED or isinstance(error, (errors.RateLimitExceeded, errors.DDoSProtection)):
            wait = self._retry_after()
            text = f"{title} limits our requests ({_short(error)}), waiting"
            return UnreachableError(text + (f" {wait:g} s" if wait else ""), wait)
        if isinstance(error, (errors.NetworkError, OSError)):
            return UnreachableError(f"{title} is not available: {_short(error)}")
        return UnreachableError(f"{title} answered {name} with something unexpected: {_short(error)}")

    def _retry_after(self) -> float:
        headers = self.exchange.last_response_headers or {}
        text = next((value for key, value in headers.items() if key.lower() == "retry-after"), "")
        return float(text) if str(text).isdigit() else 0.0


def asked_pause(state: RetryCallState) -> float:
    """Return the seconds that the venue asked to wait at the last attempt."""
    error = state.outcome.exception() if state.outcome is not None else None
    return error.retry_after if isinstance(error, UnreachableError) else 0.0


def _may_pass_soon(error: BaseException) -> bool:
    return isinstance(error, UnreachableError) and error.retry_after <= _PATIENCE_SECS


def _rebase(urls: Any, base: str) -> Any:
    """Replace scheme and host of every address in a tree of ccxt's."""
    if isinstance(urls, dict):
        return {name: _rebase(part, base) for name, part in urls.items()}
    if not isinstance(urls, str) or "://" not in urls:
        return urls
    parts = urlsplit(urls)
    host = base.split("://", 1)
    scheme = host[0].replace("http", "ws") if parts.scheme in _STREAM_SCHEMES else host[0]
    return f"{scheme}://{host[1]}{parts.path}"


def _short(error: BaseException) -> str:
    """Return the first line of an error, without what it quotes at length."""
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:200]
