"""Send messages to a webhook from a thread of its own; its address stays in the environment."""

import json
import os
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from time import monotonic

from oi_hedge_catalog.errors import ConfigError

_ATTEMPTS = 3
_TIMEOUT_SECS = 5.0
_FIRST_PAUSE_SECS = 1.0
_WAITING = 100
_HOUR_SECS = 3600.0


class Webhook:
    """
    Post each message as JSON with the key ``text``, as Slack, Mattermost and most relays take it.

    Nothing here blocks or raises into the caller: what cannot be delivered after three attempts is said once
    by `say`, without the address, and dropped.

    Parameters
    ----------
    url : str
        The address.
    per_hour : int
        More messages than that within an hour are counted, and their number told with the next one.
    say : callable
        Takes one sentence of trouble, from the thread.
    pause_secs : float
        Before the second attempt; it doubles.

    Raises
    ------
    ConfigError
        If the address is not one of HTTP.

    """

    def __init__(
        self,
        url: str,
        per_hour: int,
        say: Callable[[str], object],
        pause_secs: float = _FIRST_PAUSE_SECS,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError("the webhook's address must begin with http:// or https://")
        self._url = url
        self._per_hour = per_hour
        self._say = say
        self._pause_secs = pause_secs
        self._sent: list[float] = []
        self._held_back = 0
        self._failing = False
        self._closing = threading.Event()
        self._queue: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    @classmethod
    def from_environment(cls, variable: str, per_hour: int, say: Callable[[str], object]) -> "Webhook | None":
        """
        Return the webhook whose address an environment variable holds, None where it is not set.

        Raises
        ------
        ConfigError
            If it is set to no address; the message names the variable, not what it holds.

        """
        url = os.environ.get(variable, "")
        if not url:
            return None
        try:
            return cls(url, per_hour, say)
        except ConfigError as error:
            raise ConfigError(f"{variable}: {error}") from None

    def send(self, text: str) -> None:
        """Hand a message over."""
        now = monotonic()
        self._sent = [at for at in self._sent if now - at < _HOUR_SECS]
        if len(self._sent) >= self._per_hour or self._queue.full():
            self._held_back += 1
            return
        if self._held_back:
            text += f" ({self._held_back} alerts before it were held back)"
            self._held_back = 0
        self._sent.append(now)
        self._queue.put_nowait(text)

    def close(self, timeout_secs: float = 2.0) -> None:
        """Give what is waiting a last chance, and end the thread."""
        self._closing.set()
        if not self._queue.full():
            self._queue.put_nowait(None)
        self._thread.join(timeout_secs)

    def _run(self) -> None:
        while (text := self._queue.get()) is not None:
            trouble = self._deliver(text)
            if trouble and not self._failing:
                self._say(f"an alert could not be delivered to the webhook: {trouble}")
            self._failing = bool(trouble)

    def _deliver(self, text: str) -> str:
        """Return why the message could not be delivered, empty when it was."""
        body = json.dumps({"text": text}).encode()
        pause = self._pause_secs
        for attempt in range(_ATTEMPTS):
            trouble = self._post(body)
            if not trouble:
                return ""
            if attempt + 1 < _ATTEMPTS and self._closing.wait(pause):
                return trouble
            pause *= 2.0
        return trouble

    def _post(self, body: bytes) -> str:
        headers = {"Content-Type": "application/json", "User-Agent": "oi-hedge"}
        request = urllib.request.Request(self._url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECS):
                return ""
        except urllib.error.HTTPError as error:
            return f"it answered {error.code}"
        except (OSError, ValueError) as error:
            return f"it cannot be reached ({type(error).__name__})"
