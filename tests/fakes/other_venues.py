"""What the smaller exchanges send, after their documentation and what was recorded of them."""

import json
from collections.abc import Iterator
from typing import Any

from fakes.state import HOUR_MS, FakeState, FakeVenue, iso, level, newest, steps

# Kraken Futures


def _kraken_instruments(state: FakeState, query: dict[str, Any]) -> Any:
    common = {"tickSize": 0.1, "contractSize": 1, "tradeable": not state.halted, "impactMidSize": 1}
    margins = [{"contracts": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01}]
    linear = {
        **common,
        "symbol": "PF_ETHUSD",
        "type": "flexible_futures",
        "base": "ETH",
        "quote": "USD",
        "contractValueTradePrecision": 3,
        "marginLevels": margins,
    }
    inverse = {
        **common,
        "symbol": "PI_ETHUSD",
        "type": "futures_inverse",
        "underlying": "rr_ethusd",
        "base": "ETH",
        "quote": "USD",
        "contractValueTradePrecision": 0,
        "marginLevels": margins,
    }
    return {"result": "success", "instruments": [linear, inverse], "serverTime": "2026-01-01T00:00:00.000Z"}


def _kraken_funding(state: FakeState, query: dict[str, Any]) -> Any:
    times = steps({}, "since", "until", "limit", HOUR_MS, 1000)
    rate, price = state.rate, state.price
    rows = [{"timestamp": iso(at), "fundingRate": rate * price, "relativeFundingRate": rate} for at in times]
    return {"result": "success", "serverTime": iso(times[-1]), "rates": rows}


def _kraken_push(state: FakeState, asked: str, path: str) -> Iterator[Any]:
    request = json.loads(asked)
    for name in request.get("product_ids", []):
        inverse = name.startswith("PI_")
        yield {
            "time": state.now(),
            "product_id": name,
            "funding_rate": state.rate * state.price,
            "funding_rate_prediction": 0.0,
            "relative_funding_rate": state.rate,
            "relative_funding_rate_prediction": 0.0,
            "next_funding_rate_time": state.due(),
            "feed": "ticker",
            "bid": state.price,
            "ask": state.price,
            "bid_size": 1.0,
            "ask_size": 1.0,
            "volume": 1.0,
            "dtm": 0,
            "leverage": "50x",
            "index": state.price,
            "premium": 0.0,
            "last": state.price,
            "change": 0.0,
            "suspended": False,
            "tag": "perpetual",
            "pair": "ETH:USD",
            "openInterest": state.coins * (state.price if inverse else 1.0),
            "markPrice": state.price,
            "maturityTime": 0,
            "post_only": False,
        }


_KRAKEN = FakeVenue(
    {
        "/derivatives/api/v3/instruments": _kraken_instruments,
        "/derivatives/api/v3/historical-funding-rates": _kraken_funding,
        "/derivatives/api/v4/historicalfundingrates": _kraken_funding,
    },
    _kraken_push,
    lambda asked: [{"event": "subscribed", "feed": "ticker", "product_ids": []}],
)

# Bitget


def _bitget(data: Any, state: FakeState) -> Any:
    return {"code": "00000", "msg": "success", "requestTime": state.now(), "data": data}


def _bitget_contracts(state: FakeState, query: dict[str, Any]) -> Any:
    if query["productType"] != "USDT-FUTURES":
        return _bitget([], state)
    contract = {
        "symbol": "ETHUSDT",
        "baseCoin": "ETH",
        "quoteCoin": "USDT",
        "supportMarginCoins": ["USDT"],
        "makerFeeRate": "0.0002",
        "takerFeeRate": "0.0006",
        "minTradeNum": "0.01",
        "priceEndStep": "1",
        "volumePlace": "2",
        "pricePlace": "2",
        "sizeMultiplier": "0.01",
        "symbolType": "perpetual",
        "minTradeUSDT": "5",
        "symbolStatus": "maintain" if state.halted else "normal",
        "fundInterval": "8",
        "minLever": "1",
        "maxLever": "125",
        "deliveryTime": "",
        "launchTime": "",
    }
    return _bitget([contract], state)


def _bitget_ratio(state: FakeState, query: dict[str, Any]) -> Any:
    long = state.long_share
    row = {"longAccountRatio": str(long), "shortAccountRatio": str(1 - long)}
    return _bitget([{**row, "longShortAccountRatio": str(long / (1 - long)), "ts": str(state.now())}], state)


def _bitget_funding(state: FakeState, query: dict[str, Any]) -> Any:
    number, size = int(query.get("pageNo") or 1), int(query["pageSize"])
    times = newest({"count": number * size}, "", "", "count", 8 * HOUR_MS, 1000)
    times = times[: len(times) - (number - 1) * size][-size:]
    rows = [
        {"symbol": "ETHUSDT", "fundingRate": str(state.rate), "fundingTime": str(at)}
        for at in reversed(times)
    ]
    return _bitget(rows, state)


def _bitget_push(state: FakeState, asked: str, path: str) -> Iterator[Any]:
    for wanted in json.loads(asked).get("args", []):
        at = str(state.now())
        data = {
            "instId": wanted["instId"],
            "lastPr": str(state.price),
            "bidPr": str(state.price),
            "askPr": str(state.price),
            "bidSz": "1",
            "askSz": "1",
            "open24h": "2000",
            "high24h": "2000",
            "low24h": "2000",
            "change24h": "0",
            "fundingRate": str(state.rate),
            "nextFundingTime": str(state.due()),
            "markPrice": str(state.price),
            "indexPrice": str(state.price),
            "holdingAmount": str(state.coins),
            "baseVolume": "1",
            "quoteVolume": "1",
            "openUtc": "2000",
            "symbolType": "1",
            "symbol": wanted["instId"],
            "ts": at,
        }
        yield {"action": "snapshot", "arg": wanted, "data": [data], "ts": int(at)}


def _bitget_rate(state: FakeState, query: dict[str, Any]) -> Any:
    row = {
        "symbol": query["symbol"],
        "fundingRate": str(state.rate),
        "fundingRateInterval": str(state.funding_hours),
        "nextUpdate": str(state.due()),
        "minFundingRate": "-0.003",
        "maxFundingRate": "0.003",
    }
    return _bitget([row], state)


_BITGET = FakeVenue(
    {
        "/api/v2/mix/market/current-fund-rate": _bitget_rate,
        "/api/v2/mix/market/contracts": _bitget_contracts,
        "/api/v2/mix/market/account-long-short": _bitget_ratio,
        "/api/v2/mix/market/history-fund-rate": _bitget_funding,
    },
    _bitget_push,
    lambda asked: [{"event": "subscribe", "arg": wanted} for wanted in json.loads(asked)["args"]],
)

# KuCoin Futures: 0.01 coins a contract


def _kucoin(data: Any) -> Any:
    return {"code": "200000", "data": data}


def _kucoin_contracts(state: FakeState, query: dict[str, Any]) -> Any:
    return _kucoin(
        [
            {
                "symbol": "ETHUSDTM",
                "rootSymbol": "USDT",
                "type": "FFWCSX",
                "firstOpenDate": 1585555200000,
                "expireDate": None,
                "settleDate": None,
                "baseCurrency": "ETH",
                "quoteCurrency": "USDT",
                "settleCurrency": "USDT",
                "maxOrderQty": 1000000,
                "maxPrice": 1000000.0,
                "lotSize": 1,
                "tickSize": 0.01,
                "multiplier": 0.01,
                "initialMargin": 0.01,
                "maintainMargin": 0.005,
                "makerFeeRate": 0.0002,
                "takerFeeRate": 0.0006,
                "isInverse": False,
                "isQuanto": True,
                "status": "Paused" if state.halted else "Open",
                "openInterest": str(round(state.coins / 0.01)),
                "markPrice": state.price,
                "maxLeverage": 100,
                "fundingFeeRate": state.rate,
                "fundingRateGranularity": 28800000,
                "nextFundingRateTime": 1000,
                "nextFundingRateDateTime": state.due(),
                "indexPrice": state.price,
                "lastTradePrice": state.price,
                "maxRiskLimit": 2000000,
            }
        ]
    )


def _kucoin_interest(state: FakeState, query: dict[str, Any]) -> Any:
    if "interval" in query:
        times = steps(query, "startAt", "endAt", "pageSize", HOUR_MS, 200)
        rows = [{"openInterest": str(round(level(at) / 0.01)), "ts": at} for at in reversed(times)]
        return _kucoin([{"symbol": "ETHUSDTM", **row} for row in rows])
    row = {"symbol": "ETHUSDTM", "openInterest": str(round(state.coins / 0.01))}
    return _kucoin([{**row, "ts": state.now()}])


def _kucoin_rate(state: FakeState, query: dict[str, Any]) -> Any:
    return _kucoin(
        {
            "symbol": ".ETHUSDTMFPI8H",
            "granularity": state.funding_hours * HOUR_MS,
            "timePoint": state.due() - 8 * HOUR_MS,
            "value": state.rate,
            "nextFundingRate": state.rate,
            "currentGranularity": state.funding_hours * HOUR_MS,
            "dailyInterestRate": 0.0003,
            "fundingTime": state.due(),
        }
    )


def _kucoin_funding(state: FakeState, query: dict[str, Any]) -> Any:
    times = steps(query, "from", "to", "limit", 8 * HOUR_MS, 100)
    symbol = "ETHUSDTM"
    return _kucoin([{"symbol": symbol, "fundingRate": state.rate, "timepoint": at} for at in reversed(times)])


_KUCOIN = FakeVenue(
    {
        "/api/v1/contracts/active": _kucoin_contracts,
        "/api/ua/v1/market/open-interest": _kucoin_interest,
        "/api/v1/funding-rate": _kucoin_rate,
        "/api/ua/v1/market/funding-rate": _kucoin_rate,
        "/api/v1/contract/funding-rates": _kucoin_funding,
    }
)

# HTX: 0.01 coins a contract


def _htx(data: Any, state: FakeState) -> Any:
    return {"status": "ok", "code": 200, "message": "Success", "data": data, "ts": state.now()}


def _htx_contracts(state: FakeState, query: dict[str, Any]) -> Any:
    return _htx(
        [
            {
                "symbol": "ETH",
                "contract_code": "ETH-USDT",
                "contract_size": 0.01,
                "price_tick": 0.01,
                "delivery_date": "",
                "delivery_time": "",
                "create_date": "20201021",
                "contract_status": 3 if state.halted else 1,
                "settlement_date": "1640764800000",
                "support_margin_mode": "all",
                "business_type": "swap",
                "pair": "ETH-USDT",
                "contract_type": "swap",
                "trade_partition": "USDT",
            }
        ],
        state,
    )


def _htx_interest(state: FakeState, query: dict[str, Any]) -> Any:
    both_sides = 2 * state.coins
    row = {
        "amount": str(both_sides),
        "volume": str(round(both_sides / 0.01)),
        "value": str(both_sides * state.price),
        "contract_code": "ETH-USDT",
    }
    return _htx(row, state)


def _htx_history(state: FakeState, query: dict[str, Any]) -> Any:
    times = steps({}, "since", "until", "size", HOUR_MS, 200)
    rows = [
        {"volume": str(2 * level(at)), "amount_type": 2, "ts": at, "value": str(2 * level(at) * state.price)}
        for at in reversed(times)
    ]
    return _htx({"symbol": "ETH", "tick": rows, "contract_code": "ETH-USDT"}, state)


def _htx_rate(state: FakeState, query: dict[str, Any]) -> Any:
    row = {"contract_code": "ETH-USDT", "funding_rate": str(state.rate), "funding_time": str(state.due())}
    return _htx([{**row, "next_funding_time": str(state.due() + state.funding_hours * HOUR_MS)}], state)


def _htx_funding(state: FakeState, query: dict[str, Any]) -> Any:
    times = newest(query, "start_time", "end_time", "limit", 8 * HOUR_MS, 100)
    rows = [
        {
            "funding_rate": str(state.rate),
            "realized_rate": str(state.rate),
            "funding_time": str(at),
            "contract_code": "ETH-USDT",
        }
        for at in reversed(times)
    ]
    page = {"total_page": 1, "current_page": 1, "total_size": len(rows), "data": rows}
    return _htx(rows if "v5" in query["path"] else page, state)


def _htx_liquidations(state: FakeState, query: dict[str, Any]) -> Any:
    rows = [
        {
            "id": str(at),
            "contract_code": "ETH-USDT",
            "liquidation_time": str(at),
            "side": "sell" if is_long else "buy",
            "position_side": "long" if is_long else "short",
            "volume": str(round(coins / 0.01)),
            "amount": str(round(coins / 0.01)),
            "bankrupt_price": str(price),
            "trade_turnover": str(coins * price),
        }
        for is_long, coins, price, at in state.liquidations
    ]
    return _htx(rows, state)


_HTX = FakeVenue(
    {
        "/linear-swap-api/v1/swap_contract_info": _htx_contracts,
        "/v5/market/open_interest": _htx_interest,
        "/linear-swap-api/v1/swap_his_open_interest": _htx_history,
        "/v5/market/funding_rate_history": _htx_funding,
        "/v5/market/funding_rate": _htx_rate,
        "/linear-swap-api/v1/swap_historical_funding_rate": _htx_funding,
        "/v5/market/liquidation_orders": _htx_liquidations,
    }
)

OTHER = {
    "krakenfutures": _KRAKEN,
    "bitget": _BITGET,
    "kucoinfutures": _KUCOIN,
    "htx": _HTX,
}
