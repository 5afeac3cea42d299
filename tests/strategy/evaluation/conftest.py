"""A year of hourly ETH with injected cascades, and the runs a backtest would leave behind."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from oi_hedge_strategy.cascades import (
    CascadeDefinition,
    CascadeEvent,
    HourlyMarket,
    cascade_events,
    label_cascades,
)
from oi_hedge_strategy.evaluation.records import BacktestRecord, LiquidationLevels, MarketRecord, RunRecord
from oi_hedge_strategy.evaluation.result import build_result

HOUR = 3_600_000_000_000
LAG = 10_000_000_000
START = np.datetime64("2023-01-01T00:00", "ns").astype(np.int64)
ETH = 100.0
EVENT_HOURS = 18
RecordFactory = Callable[..., BacktestRecord]


def _market(hours: int, rng: np.random.Generator) -> MarketRecord:
    returns = rng.standard_t(4, hours) * 0.0035
    leverage = 1.0 + 0.12 * np.sin(np.arange(hours) / 90.0) + np.cumsum(rng.normal(0, 0.0015, hours))
    for start in rng.choice(np.arange(hours // 4, hours - 40), size=max(2, hours // 340), replace=False):
        length = int(rng.integers(3, 9))
        returns[start : start + length] -= rng.uniform(0.05, 0.12) / length
        returns[start + length : start + length + 40] += 0.0009
        shape = np.concatenate([np.linspace(1.0, 0.9, length), np.linspace(0.9, 1.0, 200)])
        leverage[start : start + shape.size] *= shape[: hours - start]
    close = 1800.0 * np.exp(np.cumsum(returns - returns.mean() + 2e-5))
    opened = np.concatenate([[close[0]], close[:-1]])
    wick = np.abs(rng.normal(0, 0.0012, (2, hours)))
    shares = {"BINANCE": 1.6e6, "BYBIT": 0.9e6, "OKX": 0.5e6}
    interest = {
        venue: base * np.maximum(leverage, 0.2) * (1 + rng.normal(0, 0.001, hours))
        for venue, base in shares.items()
    }
    interest["OKX"][: hours // 10] = np.nan
    rate = np.repeat(rng.normal(1e-4, 1.2e-4, hours // 8 + 1), 8)[:hours]
    return MarketRecord(
        ts=START + HOUR * np.arange(1, hours + 1) + LAG,
        open=opened,
        high=np.maximum(opened, close) * (1 + wick[0]),
        low=np.minimum(opened, close) * (1 - wick[1]),
        close=close,
        open_interest=interest,
        funding={venue: rate + rng.normal(0, 1e-6) for venue in shares},
    )


def _events(market: MarketRecord, definition: CascadeDefinition) -> tuple[CascadeEvent, ...]:
    hourly = HourlyMarket(
        market.ts - LAG,
        market.high,
        market.low,
        market.close,
        np.column_stack(list(market.open_interest.values())),
    )
    return tuple(cascade_events(hourly, label_cascades(hourly, definition), "down", definition))


def _run(name: str, market: MarketRecord, ratio: NDArray[np.float64], fee: float = 5e-4) -> RunRecord:
    """Hold `ratio` from each bar's close on, paying fee, slippage and funding."""
    n = market.ts.size
    exposure = np.full(n, ETH)
    hedge = -ratio * exposure
    move = np.diff(market.close, prepend=market.close[0])
    held = np.concatenate([[0.0], hedge[:-1]])
    traded = np.abs(np.diff(hedge, prepend=0.0)) * market.close
    settles = np.arange(n) % 8 == 7
    fees, slippage = np.cumsum(traded * fee), np.cumsum(traded * fee * 0.4)
    funding = np.cumsum(np.where(settles, held * market.close * market.funding["BINANCE"], 0.0))
    hedge_pnl = np.cumsum(held * move) - fees - slippage - funding
    changes = int(np.count_nonzero(traded))
    return RunRecord(
        name, market.ts, exposure, hedge, np.cumsum(ETH * move), hedge_pnl, fees, slippage, funding,
        100_000.0 + hedge_pnl, changes, changes, 0,
    )  # fmt: skip


def _decisions(
    market: MarketRecord, events: tuple[CascadeEvent, ...], rng: np.random.Generator
) -> pd.DataFrame:
    n = market.ts.size
    probability = np.clip(0.08 + np.convolve(rng.normal(0, 0.05, n), np.ones(5) / 5, "same"), 0.0, 0.4)
    for event in events:
        if rng.random() < 0.7:
            before = int(rng.integers(3, 16))
            row = int(np.searchsorted(market.ts, event.onset_ns))
            probability[max(0, row - before) : row + 3] = rng.uniform(0.55, 0.9)
    for row in rng.choice(n - 20, size=max(1, n // 350), replace=False):
        probability[row : row + int(rng.integers(2, 10))] = rng.uniform(0.5, 0.7)
    probability[: min(168, n // 4)] = np.nan
    known = np.nan_to_num(probability)
    recent = pd.Series(known).rolling(24, min_periods=1).max().to_numpy()
    wanted = np.where(recent > 0.5, 0.5 + 0.6 * (recent - 0.5), 0.0)
    rail = np.where(rng.random(n) < 0.004, "data_freshness", "").astype(object)
    rail[(wanted > 0.5) & (rng.random(n) < 0.5)] = "funding_spike"
    rail[n // 2 : n // 2 + 60] = "drawdown"
    allowed = np.where(rail == "funding_spike", 0.4, np.where(rail == "drawdown", 0.0, wanted))
    words = {
        "": "forecast",
        "data_freshness": "open interest of OKX is 3 h old",
        "funding_spike": "funding above 0.1 % per 8 h",
        "drawdown": "hedge book is 12 % below its peak",
    }
    return pd.DataFrame(
        {
            "ts": market.ts, "p_down_4h": probability * 0.6, "p_down_18h": probability, "exposure": ETH,
            "wanted": wanted, "allowed": allowed, "target": allowed, "rail": rail,
            "reason": [words[name] for name in rail], "alert": known > 0.5,
        }
    )  # fmt: skip


def _outcomes(decisions: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Draw what followed from the probabilities, so that they are calibrated; the last day is not known."""
    found = {}
    for hours in (4, 18):
        probability = decisions[f"p_down_{hours}h"].to_numpy()
        found[f"down_{hours}h"] = (rng.random(probability.size) < np.nan_to_num(probability)).astype(float)
        found[f"down_{hours}h"][-24:] = np.nan
    return pd.DataFrame(found)


def _levels(market: MarketRecord) -> LiquidationLevels:
    rows = np.linspace(0, market.ts.size - 1, min(60, market.ts.size)).astype(np.int64)
    edges = np.geomspace(market.low.min() * 0.8, market.high.max() * 1.25, 41)
    middle, price = np.sqrt(edges[1:] * edges[:-1])[None, :], market.close[rows][:, None]
    near = np.exp(-20.0 * np.abs(np.log(middle / price))).astype(np.float32) * 1e4
    return LiquidationLevels(
        market.ts[rows], edges, np.where(middle < price, near, 0), np.where(middle > price, near, 0)
    )


def make_record(days: int = 365, simulated: bool = False, seed: int = 5, **changes: Any) -> BacktestRecord:
    """Return a record of an hourly run of so many days."""
    rng = np.random.default_rng(seed)
    market, definition = _market(days * 24, rng), CascadeDefinition()
    events = _events(market, definition)
    decisions = _decisions(market, events, rng)
    n = market.ts.size
    momentum = np.where(pd.Series(market.close).pct_change(48).fillna(0.0).to_numpy() < -0.02, 0.5, 0.0)
    runs = [
        _run("hedged", market, decisions["target"].to_numpy()),
        _run("unhedged", market, np.zeros(n)),
        _run("constant half", market, np.full(n, 0.5)),
        _run("momentum", market, momentum),
        _run("open interest rule", market, np.where(np.arange(n) // 30 % 5 == 0, 0.4, 0.0)),
    ]
    record = BacktestRecord(
        market=market, runs={run.name: run for run in runs}, decisions=decisions, events=events,
        definition=definition, event_hours=EVENT_HOURS, asset="ETH", hedge_instrument="ETHUSDT-PERP.BINANCE",
        exposure_instrument="ETHUSDT.BINANCE_SPOT", exposure="100 ETH long",
        cost_note="taker fee 5 bp, slippage 2 bp, funding as settled every 8 h",
        model={"name": "cascade-net", "trained": "2020-09-01 to 2022-12-31", "expires": "2024-06-30",
               "metrics": {"down_18h": {"brier": 0.061}}, "venues": ["BINANCE", "BYBIT", "OKX"],
               "drift": float("nan")},
        simulated=simulated, bars_per_second=41_234.0, on_bar_us={"p50": 212.0, "p99": 840.5},
        notes=("Liquidations of the hedge account are modelled with tiered maintenance margin.",),
        quote="USDT", outcomes=_outcomes(decisions, rng), levels=_levels(market),
    )  # fmt: skip
    return replace(record, **changes)


@pytest.fixture(scope="session")
def record_factory() -> RecordFactory:
    """Return the factory of records."""
    return make_record


@pytest.fixture(scope="session")
def year_record() -> BacktestRecord:
    """Return a year of a recorded market."""
    return make_record()


@pytest.fixture(scope="session")
def year_result(year_record: BacktestRecord) -> dict[str, Any]:
    """Return its figures."""
    return build_result(year_record)
