"""Settings of a paper run: real node, loopback venues, bars of one second."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from fakes.binance_feed import BinanceFeed
from fakes.server import FakeExchanges
from support.models import SHORT_SCHEMA, tiny_card, write_model

from oi_hedge_strategy.backtest.settings import BacktestSettings

SECOND_SCHEMA = replace(
    SHORT_SCHEMA, venues=("BINANCE",), bar_seconds=1, offsets_hours=(0.0, 1 / 3600), resolution_seconds=1.0
)


def paper_fields(
    directory: Path, feed: BinanceFeed, exchanges: FakeExchanges, **changes: Any
) -> dict[str, Any]:
    """Return settings of a paper run that hedges ten ETH, its files below `directory`."""
    model = directory / "second.onnx"
    if not model.exists():
        write_model(model, tiny_card(SECOND_SCHEMA), probability=0.9)
    urls = {"http": feed.http, "ws": feed.ws}
    fields: dict[str, Any] = {
        "model": str(model),
        "exposure_quantity": 10.0,
        "latency_ms": 10.0,
        "paper": {"directory": str(directory / "paper"), "balance": 50_000.0},
        "node": {
            "forecast_interval_secs": 0.5,
            "log_level": "ERROR",
            "timeout_secs": 10.0,
            "request_look_back": False,
            "urls": {"BINANCE": urls, "BINANCE_SPOT": urls},
            "open_interest": {"base_urls": exchanges.urls, "funding_secs": 0.5},
        },
    }
    return fields | changes


def paper_settings(
    directory: Path, feed: BinanceFeed, exchanges: FakeExchanges, **changes: Any
) -> BacktestSettings:
    """Return `paper_fields` as settings."""
    parsed: BacktestSettings = BacktestSettings.parse(
        json.dumps(paper_fields(directory, feed, exchanges, **changes))
    )
    return parsed
