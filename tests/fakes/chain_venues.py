"""What the exchanges on a chain send, after their documentation and what was recorded: no time stamps."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from fakes.state import HOUR_MS, FakeState, FakeVenue, iso, newest, steps

# Hyperliquid: no time stamps


def _hyperliquid_context(state: FakeState) -> dict[str, Any]:
    state.now()
    return {
        "dayNtlVlm": "591989409.94",
        "prevDayPx": "2094.6",
        "markPx": str(state.price),
        "midPx": str(state.price),
        "oraclePx": str(state.price),
        "funding": str(state.rate),
        "openInterest": str(state.coins),
        "premium": "0.0",
        "impactPxs": [str(state.price), str(state.price)],
        "dayBaseVlm": "281686.82",
    }


def _hyperliquid_info(state: FakeState, query: dict[str, Any]) -> Any:
    if query["type"] == "fundingHistory":
        times = steps(query, "startTime", "endTime", "limit", HOUR_MS, 500)
        rate = str(state.rate)
        return [{"coin": "ETH", "fundingRate": rate, "premium": "0.0", "time": at + 76} for at in times]
    market = {"name": "ETH", "szDecimals": 4, "maxLeverage": 25}
    if state.halted:
        market["isDelisted"] = True
    return [{"universe": [market]}, [_hyperliquid_context(state)]]


def _hyperliquid_push(state: FakeState, asked: str, path: str) -> Iterator[Any]:
    if json.loads(asked).get("subscription", {}).get("type") == "activeAssetCtx":
        data = {"coin": "ETH", "ctx": _hyperliquid_context(state)}
        yield {"channel": "activeAssetCtx", "data": data}


_HYPERLIQUID = FakeVenue(
    {"/info": _hyperliquid_info},
    _hyperliquid_push,
    lambda asked: [{"channel": "subscriptionResponse", "data": json.loads(asked)}],
)

# dYdX: no time stamps


def _dydx_markets(state: FakeState, query: dict[str, Any]) -> Any:
    state.now()
    market = {
        "clobPairId": "1",
        "ticker": "ETH-USD",
        "status": "PAUSED" if state.halted else "ACTIVE",
        "oraclePrice": str(state.price),
        "priceChange24H": "97.2",
        "volume24H": "59598032.8897",
        "trades24H": 22916,
        "nextFundingRate": str(state.rate),
        "initialMarginFraction": "0.02",
        "maintenanceMarginFraction": "0.012",
        "openInterest": str(state.coins),
        "atomicResolution": -9,
        "quantumConversionExponent": -9,
        "tickSize": "0.1",
        "stepSize": "0.001",
        "stepBaseQuantums": 1000000,
        "subticksPerTick": 100000,
    }
    return {"markets": {"ETH-USD": market}}


def _dydx_funding(state: FakeState, query: dict[str, Any]) -> Any:
    until = datetime.fromisoformat(query["effectiveBeforeOrAt"]).timestamp()
    bounds = {**query, "before": round(until * 1000) + 1}
    times = newest(bounds, "", "before", "limit", HOUR_MS, 1000)
    rate, price = str(state.rate), str(state.price)
    rows = [
        {"ticker": "ETH-USD", "rate": rate, "price": price, "effectiveAt": iso(at)} for at in reversed(times)
    ]
    return {"historicalFunding": rows}


_DYDX = FakeVenue({"/v4/perpetualMarkets": _dydx_markets, "/v4/historicalFunding/ETH-USD": _dydx_funding})

CHAIN = {"hyperliquid": _HYPERLIQUID, "dydx": _DYDX}
