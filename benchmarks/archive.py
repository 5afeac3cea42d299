"""A year of five-minute metrics from a loopback mirror into a catalog, beside pandas reading the zips."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import Instrument

from oi_hedge_adapters.history.binance_vision import Dataset, Request, vision_sources
from oi_hedge_adapters.history.download import Mirror
from oi_hedge_adapters.history.known import find_instruments
from oi_hedge_catalog.ingest import Loaded, ingest
from oi_hedge_catalog.series import OpenInterestSeries

YEAR = (date(2023, 1, 1), date(2024, 1, 1))
ROWS = 1_000_000
_HEADER = (
    "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
    "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n"
)


@dataclass(frozen=True, slots=True)
class ArchiveSpeed:
    """Hold seconds for a year of metrics, plain and resumed, and rows of open interest a second."""

    year: float
    again: float
    plain: float
    rows_per_second: float


@dataclass(frozen=True)
class _Rows:
    """Rows that are in memory."""

    instrument: Instrument
    series: OpenInterestSeries
    name: str = "rows"

    def load(self) -> Loaded:
        """Return them."""
        return Loaded(self.series)


def measure_archive(directory: Path) -> ArchiveSpeed:
    """Ingest a year from a mirror, then again from what was kept, and a million rows from memory."""
    (instrument,) = find_instruments([InstrumentId.from_str("ETHUSDT-PERP.BINANCE")], directory / "none")
    request = Request(instrument=instrument, start=YEAR[0], end=YEAR[1], datasets=(Dataset.METRICS,))
    files = {path: _day_zip(day) for day, path in request.files(Dataset.METRICS).items()}
    with _serve(files) as url:
        mirror = Mirror(base_url=url, cache=directory / "cache")
        started = perf_counter()
        result = ingest(vision_sources(request, mirror), directory / "year")
        year = perf_counter() - started
    assert result.rows == 2 * 288 * len(files)
    started = perf_counter()
    assert ingest(vision_sources(request, mirror), directory / "year").rows == 0
    again = perf_counter() - started
    started = perf_counter()
    for path in files:
        with zipfile.ZipFile(mirror.cache / path) as file:
            pd.read_csv(io.BytesIO(file.read(file.namelist()[0])), parse_dates=["create_time"])
    plain = perf_counter() - started
    started = perf_counter()
    ingest([_Rows(instrument, _walk(instrument.id))], directory / "rows")
    return ArchiveSpeed(year, again, plain, ROWS / (perf_counter() - started))


def _day_zip(day: date) -> bytes:
    times = pd.date_range(day, periods=288, freq="5min") + pd.Timedelta(minutes=5)
    interest = 1e6 * np.exp(np.random.default_rng(day.toordinal()).normal(0, 1e-4, 288).cumsum())
    lines = (
        f"{time:%Y-%m-%d %H:%M:%S},ETHUSDT,{value:.3f},{value * 2000:.6f},1.9151,3.2748,1.4674,1.0873\n"
        for time, value in zip(times, interest, strict=True)
    )
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"ETHUSDT-metrics-{day}.csv", _HEADER + "".join(lines))
    return body.getvalue()


@contextmanager
def _serve(files: dict[str, bytes]) -> Iterator[str]:
    """Serve files and their checksums on the loopback interface."""
    bodies = dict(files)
    for path, body in files.items():
        name = path.rsplit("/", 1)[-1]
        bodies[f"{path}.CHECKSUM"] = f"{hashlib.sha256(body).hexdigest()}  {name}\n".encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = bodies[self.path.lstrip("/")]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _walk(instrument_id: InstrumentId) -> OpenInterestSeries:
    ts = np.arange(ROWS, dtype=np.int64) * 5_000_000_000 + 1_600_000_000_000_000_000
    walk = 1e6 * np.exp(np.random.default_rng(0).normal(0, 1e-4, ROWS).cumsum())
    return OpenInterestSeries(ts, ts + 5, instrument_id, walk, 2000 * walk)
