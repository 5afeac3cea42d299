"""A mirror of Binance's archive on the loopback interface, which can be told to fail."""

import asyncio
import hashlib
import io
import threading
import zipfile
from collections import Counter
from datetime import date

import numpy as np
import pandas as pd
from aiohttp import web

METRICS = (
    "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
    "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio"
)
KLINES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)
FUNDING = "calc_time,funding_interval_hours,last_funding_rate"


def zipped(name: str, text: str) -> bytes:
    """Return a zip with one file."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return body.getvalue()


class Archive:
    """
    Files by path, each with its checksum file, served from a thread.

    A test may put into `faults` for a path a list of what to do at each request in turn: an HTTP status,
    ``"break"`` to send half and drop the connection. `requests` counts what was asked for.
    """

    def __init__(self, delay_secs: float = 0.0):
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[int | str]] = {}
        self.requests: Counter[str] = Counter()
        self.delay_secs = delay_secs
        self.url = ""

    def put(self, path: str, text: str, checksum: str | None = None) -> bytes:
        """Add a zip of a CSV file with `text`, and its checksum unless another is given."""
        name = path.rsplit("/", 1)[-1]
        return self.put_bytes(path, zipped(name.replace(".zip", ".csv"), text), checksum)

    def put_day(self, market: "Market", day: date, label: str = "end", **changes: int) -> None:
        """Add a day of metrics of `market`."""
        self.put(metrics_path(day), csv(METRICS, market.metrics(day, label, **changes)))

    def put_bytes(self, path: str, body: bytes, checksum: str | None = None) -> bytes:
        """Add a file as it is."""
        self.files[path] = body
        digest = checksum or hashlib.sha256(body).hexdigest()
        self.files[path + ".CHECKSUM"] = f"{digest}  {path.rsplit('/', 1)[-1]}\n".encode()
        return body

    def __enter__(self) -> "Archive":
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        started.set()
        self._loop.run_forever()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.requests[path] += 1
        await asyncio.sleep(self.delay_secs)
        faults = self.faults.get(path)
        fault = faults.pop(0) if faults else None
        if isinstance(fault, int):
            return web.Response(status=fault)
        body = self.files.get(path)
        if body is None:
            return web.Response(status=404)
        if fault == "break":
            response = web.StreamResponse(headers={"Content-Length": str(len(body))})
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
            request.transport.abort()
            return response
        return web.Response(body=body)


def metrics_path(day: date, symbol: str = "ETHUSDT") -> str:
    """Return where the archive keeps the metrics of a day."""
    return f"data/futures/um/daily/metrics/{symbol}/{symbol}-metrics-{day}.zip"


def klines_path(day: date, symbol: str = "ETHUSDT", interval: str = "5m") -> str:
    """Return where the archive keeps the bars of a day."""
    return f"data/futures/um/daily/klines/{symbol}/{interval}/{symbol}-{interval}-{day}.zip"


def funding_path(month: str, symbol: str = "ETHUSDT") -> str:
    """Return where the archive keeps the funding of a month."""
    return f"data/futures/um/monthly/fundingRate/{symbol}/{symbol}-fundingRate-{month}.zip"


class Market:
    """A price and open interest every five minutes from a day on, of which both files are made."""

    def __init__(self, start: date, days: int, seed: int = 5):
        random = np.random.default_rng(seed)
        count = days * 288 + 2
        self.start = pd.Timestamp(start)
        self.price = np.round(2000 * np.exp(np.cumsum(0.001 * random.standard_normal(count))), 2)
        self.interest = np.round(1e6 * np.exp(np.cumsum(0.0005 * random.standard_normal(count))), 3)

    def metrics(self, day: date, label: str, first: int | None = None, rows: int = 288) -> list[str]:
        """
        Return the lines of a day's metrics, the snapshots of 00:05 to 24:00, under the given label.

        `first` is the number of the first snapshot, counted from 00:00 of the day; by default 1.
        """
        lines = []
        offset = int((pd.Timestamp(day) - self.start) / pd.Timedelta(minutes=5))
        begin = 1 if first is None else first
        for number in range(begin, begin + rows):
            taken = pd.Timestamp(day) + number * pd.Timedelta(minutes=5)
            time = taken if label == "end" else taken - pd.Timedelta(minutes=5)
            interest, price = self.interest[offset + number], self.price[offset + number]
            lines.append(
                f"{time:%Y-%m-%d %H:%M:%S},ETHUSDT,{interest:.3f},{interest * price * 1.0002:.4f},1,1,1.5,1"
            )
        return lines

    def klines(self, day: date) -> list[str]:
        """Return the lines of a day's five-minute bars."""
        lines = []
        offset = int((pd.Timestamp(day) - self.start) / pd.Timedelta(minutes=5))
        for number in range(288):
            opened = (pd.Timestamp(day) + number * pd.Timedelta(minutes=5)).value // 10**6
            open_, close = self.price[offset + number : offset + number + 2]
            prices = f"{open_:.2f},{max(open_, close):.2f},{min(open_, close):.2f},{close:.2f}"
            lines.append(f"{opened},{prices},10.5,{opened + 299999},21000,7,5,10000,0")
        return lines


def csv(header: str, lines: list[str]) -> str:
    """Return the text of a CSV file."""
    return "\n".join([header, *lines]) + "\n"
