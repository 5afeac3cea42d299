"""What Binance and Bybit send, after their documentation and what was recorded of them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from fakes.state import HOUR_MS, Answer, FakeState, FakeVenue, level, steps

# Binance


def _binance_info(inverse: bool) -> Answer:
    def answer(state: FakeState, query: dict[str, Any]) -> Any:
        quote, size = ("USD", "10") if inverse else ("USDT", "1")
        trading = "BREAK" if state.halted else "TRADING"
        return {
            "timezone": "UTC",
            "serverTime": state.now(),
            "symbols": [
                {
                    "symbol": "ETHUSD_PERP" if inverse else "ETHUSDT",
                    "pair": f"ETH{quote}",
                    "contractType": "PERPETUAL",
                    "deliveryDate": 4133404800000,
                    "onboardDate": 1569398400000,
                    "status": trading,
                    "contractStatus": trading,
                    "contractSize": int(size),
                    "baseAsset": "ETH",
                    "quoteAsset": quote,
                    "marginAsset": "ETH" if inverse else quote,
                    "pricePrecision": 2,
                    "quantityPrecision": 3,
                    "underlyingType": "COIN",
                    "filters": [
                        {"filterType": "PRICE_FILTER", "tickSize": "0.01", "minPrice": "1", "maxPrice": "99"},
                        {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "9999"},
                    ],
                    "orderTypes": ["LIMIT", "MARKET"],
                    "timeInForce": ["GTC"],
                }
            ],
        }

    return answer


def _binance_symbol(inverse: bool) -> str:
    return "ETHUSD_PERP" if inverse else "ETHUSDT"


def _binance_interest(inverse: bool) -> Answer:
    def answer(state: FakeState, query: dict[str, Any]) -> Any:
        amount = state.coins * state.price / 10 if inverse else state.coins
        found = {"symbol": _binance_symbol(inverse), "openInterest": str(amount), "time": state.now()}
        return {**found, "pair": "ETHUSD", "contractType": "PERPETUAL"} if inverse else found

    return answer


def _binance_premium(inverse: bool) -> Answer:
    def answer(state: FakeState, query: dict[str, Any]) -> Any:
        found = {
            "symbol": _binance_symbol(inverse),
            "markPrice": str(state.price),
            "indexPrice": str(state.price),
            "lastFundingRate": str(state.rate),
            "interestRate": "0.00010000",
            "nextFundingTime": state.due(),
            "time": state.now(),
        }
        return [found] if inverse else found

    return answer


def _binance_history(inverse: bool) -> Answer:
    def answer(state: FakeState, query: dict[str, Any]) -> Any:
        rows = []
        for at in steps(query, "startTime", "endTime", "limit", HOUR_MS, 500):
            amount = level(at) * state.price / 10 if inverse else level(at)
            value = level(at) if inverse else level(at) * state.price
            rows.append(
                {
                    "symbol": _binance_symbol(inverse),
                    "sumOpenInterest": str(amount),
                    "sumOpenInterestValue": str(value),
                    "timestamp": at,
                }
            )
        return rows

    return answer


def _binance_ratio(state: FakeState, query: dict[str, Any]) -> Any:
    long = state.long_share
    past = "startTime" in query
    times = steps(query, "startTime", "endTime", "limit", HOUR_MS, 500) if past else [state.now()]
    return [
        {
            "symbol": "ETHUSDT",
            "pair": "ETHUSD",
            "longAccount": str(long),
            "shortAccount": str(1 - long),
            "longShortRatio": str(long / (1 - long)),
            "timestamp": at,
        }
        for at in times
    ]


def _binance_intervals(inverse: bool) -> Answer:
    """Answer with the contracts whose interval is not the usual one."""

    def answer(state: FakeState, query: dict[str, Any]) -> Any:
        row = {
            "symbol": _binance_symbol(inverse),
            "adjustedFundingRateCap": "0.02500000",
            "adjustedFundingRateFloor": "-0.02500000",
            "fundingIntervalHours": state.funding_hours,
            "disclaimer": False,
        }
        return [] if state.funding_hours == 8 else [row]

    return answer


def _binance_funding(inverse: bool) -> Answer:
    def answer(state: FakeState, query: dict[str, Any]) -> Any:
        times = steps(query, "startTime", "endTime", "limit", 8 * HOUR_MS, 1000)
        name = _binance_symbol(inverse)
        return [{"symbol": name, "fundingRate": str(state.rate), "fundingTime": at} for at in times]

    return answer


def _binance_push(inverse: bool) -> Callable[[FakeState, str, str], Iterator[Any]]:
    def push(state: FakeState, asked: str, path: str) -> Iterator[Any]:
        for is_long, coins, price, at in state.liquidations:
            amount = coins * price / 10 if inverse else coins
            yield {
                "e": "forceOrder",
                "E": at,
                "o": {
                    "s": _binance_symbol(inverse),
                    "S": "SELL" if is_long else "BUY",
                    "o": "LIMIT",
                    "f": "IOC",
                    "q": str(amount),
                    "p": str(price),
                    "ap": str(price),
                    "X": "FILLED",
                    "l": str(amount / 2),
                    "z": str(amount),
                    "T": at,
                },
            }

    return push


def _binance(inverse: bool) -> FakeVenue:
    root = "/dapi/v1" if inverse else "/fapi/v1"
    data = "/futures/data"
    return FakeVenue(
        {
            f"{root}/exchangeInfo": _binance_info(inverse),
            f"{root}/openInterest": _binance_interest(inverse),
            f"{root}/premiumIndex": _binance_premium(inverse),
            f"{root}/fundingRate": _binance_funding(inverse),
            f"{root}/fundingInfo": _binance_intervals(inverse),
            f"{data}/openInterestHist": _binance_history(inverse),
            f"{data}/globalLongShortAccountRatio": _binance_ratio,
        },
        _binance_push(inverse),
        lambda asked: [{"result": None, "id": json.loads(asked)["id"]}],
    )


# Bybit


def _bybit_answer(result: Any) -> Any:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1}


def _bybit_instruments(state: FakeState, query: dict[str, Any]) -> Any:
    inverse = query["category"] == "inverse"
    listed = {
        "symbol": "ETHUSD" if inverse else "ETHUSDT",
        "contractType": "InversePerpetual" if inverse else "LinearPerpetual",
        "status": "Closed" if state.halted else "Trading",
        "baseCoin": "ETH",
        "quoteCoin": "USD" if inverse else "USDT",
        "settleCoin": "ETH" if inverse else "USDT",
        "launchTime": "1584230400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.05", "maxPrice": "199999.90", "tickSize": "0.05"},
        "lotSizeFilter": {"maxOrderQty": "100", "minOrderQty": "0.01", "qtyStep": "0.01"},
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
    }
    return _bybit_answer({"category": query["category"], "list": [listed], "nextPageCursor": ""})


def _bybit_both_sides(state: FakeState, coins: float, inverse: bool) -> str:
    return str(2 * coins * (state.price if inverse else 1.0))


def _bybit_history(state: FakeState, query: dict[str, Any]) -> Any:
    inverse = query["category"] == "inverse"
    times = steps(query, "startTime", "endTime", "limit", HOUR_MS, 200)
    rows = [
        {"openInterest": _bybit_both_sides(state, level(at), inverse), "timestamp": str(at)}
        for at in reversed(times)
    ]
    found = {"symbol": query["symbol"], "category": query["category"], "list": rows, "nextPageCursor": ""}
    return _bybit_answer(found)


def _bybit_bars(state: FakeState, query: dict[str, Any]) -> Any:
    price = str(state.price)
    times = steps(query, "start", "end", "limit", HOUR_MS, 200)
    rows = [[str(at), price, price, price, price, "1", "1"] for at in reversed(times)]
    return _bybit_answer({"symbol": query["symbol"], "category": query["category"], "list": rows})


def _bybit_ratio(state: FakeState, query: dict[str, Any]) -> Any:
    if query["period"] not in ("5min", "15min", "30min", "1h", "4h", "1d"):
        return {**_bybit_answer({}), "retCode": 10001, "retMsg": "params error: period invalid"}
    long = state.long_share
    row = {"symbol": query["symbol"], "buyRatio": str(long), "sellRatio": str(1 - long)}
    past = "startTime" in query
    times = steps(query, "startTime", "endTime", "limit", HOUR_MS, 500) if past else [state.now()]
    return _bybit_answer({"list": [{**row, "timestamp": str(at)} for at in reversed(times)]})


def _bybit_funding(state: FakeState, query: dict[str, Any]) -> Any:
    times = steps(query, "startTime", "endTime", "limit", 8 * HOUR_MS, 200)
    rate = str(state.rate)
    rows = [
        {"symbol": query["symbol"], "fundingRate": rate, "fundingRateTimestamp": str(at)}
        for at in reversed(times)
    ]
    return _bybit_answer({"category": query["category"], "list": rows})


def _bybit_push(state: FakeState, asked: str, path: str) -> Iterator[Any]:
    inverse = "inverse" in path
    for topic in json.loads(asked).get("args", []):
        symbol = topic.rpartition(".")[2]
        if topic.startswith("tickers."):
            at = state.now()
            yield {
                "topic": topic,
                "type": "snapshot",
                "data": {
                    "symbol": symbol,
                    "lastPrice": str(state.price),
                    "markPrice": str(state.price),
                    "indexPrice": str(state.price),
                    "openInterest": _bybit_both_sides(state, state.coins, inverse),
                    "openInterestValue": _bybit_both_sides(state, state.coins, not inverse),
                    "fundingRate": str(state.rate),
                    "nextFundingTime": str(state.due()),
                    "fundingIntervalHour": str(state.funding_hours),
                },
                "cs": 24987956059,
                "ts": at,
            }
        elif topic.startswith("allLiquidation."):
            rows = [
                {
                    "T": at,
                    "s": symbol,
                    "S": "Buy" if is_long else "Sell",
                    "v": str(coins * (price if inverse else 1.0)),
                    "p": str(price),
                }
                for is_long, coins, price, at in state.liquidations
            ]
            if rows:
                yield {"topic": topic, "type": "snapshot", "ts": state.now(), "data": rows}


_BYBIT = FakeVenue(
    {
        "/v5/market/instruments-info": _bybit_instruments,
        "/v5/market/open-interest": _bybit_history,
        "/v5/market/account-ratio": _bybit_ratio,
        "/v5/market/funding/history": _bybit_funding,
        "/v5/market/kline": _bybit_bars,
    },
    _bybit_push,
    lambda asked: [{"success": True, "ret_msg": "", "op": "subscribe", "conn_id": "1"}],
)

LARGE = {
    "binanceusdm": _binance(inverse=False),
    "binancecoinm": _binance(inverse=True),
    "bybit": _BYBIT,
}
