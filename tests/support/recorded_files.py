"""Files as an archive would have them: bars, open interest and funding of one perpetual, and spot."""

from pathlib import Path

import numpy as np
import pandas as pd

MANIFEST = """
[[instrument]]
id = "ETHUSDT-PERP.BINANCE"
market = "perp"
base = "ETH"
quote = "USDT"
price_precision = 2
size_precision = 3
maker_fee = "0.0002"
taker_fee = "0.0005"
margin_init = "0.05"
margin_maint = "0.025"

[[instrument]]
id = "ETHUSDT.BINANCE_SPOT"
market = "spot"
base = "ETH"
quote = "USDT"
price_precision = 2
size_precision = 3
maker_fee = "0.001"
taker_fee = "0.001"
"""
BARS = """
[[series]]
file = "eth.parquet"
kind = "bars"
instrument = "{instrument}"
time = "ts"
columns = {{ open = "open", high = "high", low = "low", close = "close", volume = "volume" }}
unit = "coin"
label = "start"
period = "1h"
publication_lag = "{lag}"
"""
INTEREST = """
[[series]]
file = "eth.parquet"
kind = "open_interest"
instrument = "ETHUSDT-PERP.BINANCE"
time = "ts"
columns = { value = "open_interest", price = "open" }
unit = "coin"
sides = "one"
label = "snapshot"
publication_lag = "5s"

[[series]]
file = "funding.parquet"
kind = "funding"
instrument = "ETHUSDT-PERP.BINANCE"
time = "ts"
columns = { rate = "rate" }
interval = "8h"
style = "settlements"
publication_lag = "2s"
"""


def write_files(directory: Path, start: str, end: str, seed: int = 3) -> Path:
    """
    Write hourly files from `start` to `end` and return their manifest.

    The price is a random walk whose large moves, down or up, take open interest with them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    times = pd.date_range(start, end, freq="h", tz="UTC", inclusive="left").as_unit("ms")
    change = 0.006 * random.standard_t(4, times.size)
    close = 2000.0 * np.exp(np.cumsum(change - 0.02 * np.cumsum(change - change.mean()) / times.size))
    opened = np.concatenate([[2000.0], close[:-1]])
    spread = 1.0 + 0.002 * random.random((2, times.size))
    closed = 2.0 * np.maximum(0.0, np.abs(change) - 0.01)
    shocks = 0.02 * random.standard_normal(times.size) - closed
    levels = np.zeros(times.size)
    for at in range(1, times.size):
        levels[at] = 0.98 * levels[at - 1] + shocks[at]
    bars = pd.DataFrame(
        {
            "ts": times,
            "open": np.round(opened, 2),
            "high": np.round(np.maximum(opened, close) * spread[0], 2),
            "low": np.round(np.minimum(opened, close) / spread[1], 2),
            "close": np.round(close, 2),
            "volume": np.round(50_000.0 * np.exp(0.3 * random.standard_normal(times.size)), 3),
            "open_interest": 1_000_000.0 * np.exp(levels),
        }
    )
    bars.to_parquet(directory / "eth.parquet")
    settled = times[::8]
    rates = np.round(0.0001 * (1.0 + random.standard_normal(settled.size)), 8)
    pd.DataFrame({"ts": settled, "rate": rates}).to_parquet(directory / "funding.parquet")
    series = [("ETHUSDT.BINANCE_SPOT", "1s"), ("ETHUSDT-PERP.BINANCE", "10s")]
    manifest = directory / "manifest.toml"
    manifest.write_text(
        MANIFEST + "".join(BARS.format(instrument=name, lag=lag) for name, lag in series) + INTEREST
    )
    return manifest
