"""A headless Chromium over the DevTools protocol: enough to open a page and ask it questions."""

import asyncio
import base64
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_SECONDS = 60.0
ANSWER_SECONDS = 60.0
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


def chromium() -> str:
    """Return the browser's path; without one skip the test, or fail it where env CI is set."""
    for name in NAMES:
        if (found := shutil.which(name)) is not None:
            return found
    message = f"no browser was found (looked for {', '.join(NAMES)}); install the system's chromium package"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class Page:
    """
    Drive one page.

    Attributes
    ----------
    errors : list of str
        Exceptions that no one caught, errors on the console, and refused resources.
    requests : list of str
        Addresses of everything that the page asked for.

    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._socket = socket
        self._session = ""
        self._count = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._events: dict[str, asyncio.Event] = {}
        self._reader = asyncio.create_task(self._read())

    async def attach(self, width: int, height: int) -> None:
        """Open an empty tab of a size and listen to it."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.resize(width, height)

    async def resize(self, width: int, height: int) -> None:
        """Set the size of the view."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size)

    async def prefer(self, scheme: str) -> None:
        """Make the system prefer the colour scheme "light" or "dark"."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def open(self, path: Path) -> None:
        """Load a file and wait until it is loaded."""
        loaded = self._events.setdefault("Page.loadEventFired", asyncio.Event())
        loaded.clear()
        await self.call("Page.navigate", url=path.resolve().as_uri())
        await asyncio.wait_for(loaded.wait(), ANSWER_SECONDS)

    async def ask(self, script: str) -> Any:
        """Return what an expression, or the promise that it is, yields."""
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"].get("exception", answer)["description"])
        return answer["result"].get("value")

    async def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while not await self.ask(condition):
                await asyncio.sleep(0.05)

    async def screenshot(self, path: Path, whole: bool = True) -> None:
        """Write a picture of the page."""
        found = await self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to one command."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        answer = self._answers[self._count] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(json.dumps(message))
        return await asyncio.wait_for(answer, ANSWER_SECONDS)

    async def close(self) -> None:
        """Stop listening."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        async for message in self._socket:
            found = json.loads(message.data)
            waiting = self._answers.pop(found.get("id", -1), None)
            if waiting is None:
                self._note(found.get("method", ""), found.get("params", {}))
            elif "error" in found:
                waiting.set_exception(AssertionError(found["error"]["message"]))
            else:
                waiting.set_result(found["result"])

    def _note(self, method: str, event: dict[str, Any]) -> None:
        if method in self._events:
            self._events[method].set()
        if method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and event["entry"]["level"] == "error":
            self.errors.append(event["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and event["type"] == "error":
            self.errors.append(" ".join(str(each.get("description", each)) for each in event["args"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(event["request"]["url"])


@asynccontextmanager
async def browser_page(profile: Path, width: int = 1280, height: int = 900) -> AsyncIterator[Page]:
    """
    Start the browser and yield a page of it.

    Parameters
    ----------
    profile : Path
        An empty directory for what the browser writes.
    width, height : int
        Of the view, pixels.

    """
    process = await asyncio.create_subprocess_exec(
        chromium(),
        *OPTIONS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    drain = None
    try:
        assert process.stderr is not None
        address = await asyncio.wait_for(_address(process.stderr), START_SECONDS)
        drain = asyncio.create_task(process.stderr.read())
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(address, max_msg_size=0) as socket,
        ):
            page = Page(socket)
            try:
                await page.attach(width, height)
                yield page
            finally:
                await page.close()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if drain is not None:
            await drain


async def _address(stderr: asyncio.StreamReader) -> str:
    said = []
    while line := (await stderr.readline()).decode(errors="replace"):
        said.append(line)
        if "DevTools listening on " in line:
            return line.split("DevTools listening on ")[1].strip()
    raise AssertionError(f"the browser ended before it listened: {''.join(said)}")
