"""What OKX, Deribit and Gate send, after their documentation and what was recorded of them."""

import json
from collections.abc import Iterator
from typing import Any

from fakes.state import HOUR_MS, FakeState, FakeVenue, level, newest, steps

# OKX: 0.1 coins a linear contract, 10 USD an inverse one


def _okx(data: Any) -> Any:
    return {"code": "0", "msg": "", "data": data}


def _okx_instruments(state: FakeState, query: dict[str, Any]) -> Any:
    common = {
        "alias": "",
        "baseCcy": "",
        "category": "1",
        "ctMult": "1",
        "expTime": "",
        "instType": "SWAP",
        "lever": "100",
        "listTime": "1611916828000",
        "lotSz": "1",
        "minSz": "1",
        "optType": "",
        "quoteCcy": "",
        "state": "suspend" if state.halted else "live",
        "stk": "",
        "tickSz": "0.01",
    }
    linear = {
        **common,
        "instId": "ETH-USDT-SWAP",
        "uly": "ETH-USDT",
        "ctType": "linear",
        "ctVal": "0.1",
        "ctValCcy": "ETH",
        "settleCcy": "USDT",
    }
    inverse = {
        **common,
        "instId": "ETH-USD-SWAP",
        "uly": "ETH-USD",
        "ctType": "inverse",
        "ctVal": "10",
        "ctValCcy": "USD",
        "settleCcy": "ETH",
    }
    return _okx([linear, inverse])


def _okx_contracts(price: float, name: str, coins: float) -> float:
    return coins / 0.1 if name == "ETH-USDT-SWAP" else coins * price / 10


def _okx_interest(state: FakeState, query: dict[str, Any]) -> Any:
    name = query["instId"]
    return _okx(
        [
            {
                "instId": name,
                "instType": "SWAP",
                "oi": str(_okx_contracts(state.price, name, state.coins)),
                "oiCcy": str(state.coins),
                "oiUsd": str(state.coins * state.price),
                "ts": str(state.now()),
            }
        ]
    )


def _okx_history(state: FakeState, query: dict[str, Any]) -> Any:
    name = query["instId"]
    times = steps(query, "begin", "end", "limit", HOUR_MS, 100)
    return _okx(
        [
            [
                str(at),
                str(_okx_contracts(state.price, name, level(at))),
                str(level(at)),
                str(level(at) * state.price),
            ]
            for at in reversed(times)
        ]
    )


def _okx_funding(state: FakeState, query: dict[str, Any]) -> Any:
    return _okx(
        [
            {
                "fundingRate": str(state.rate),
                "fundingTime": str(state.due()),
                "instId": query["instId"],
                "instType": "SWAP",
                "method": "current_period",
                "maxFundingRate": "0.00375",
                "minFundingRate": "-0.00375",
                "nextFundingRate": "",
                "nextFundingTime": str(state.due() + state.funding_hours * HOUR_MS),
                "ts": str(state.now()),
            }
        ]
    )


def _okx_past_funding(state: FakeState, query: dict[str, Any]) -> Any:
    times = newest(query, "before", "after", "limit", 8 * HOUR_MS, 100)
    rate = str(state.rate)
    return _okx(
        [
            {"fundingRate": rate, "realizedRate": rate, "fundingTime": str(at), "instId": query["instId"]}
            for at in reversed(times)
            if at >= state.listed_ms
        ]
    )


def _okx_ratio(state: FakeState, query: dict[str, Any]) -> Any:
    times = steps(query, "begin", "end", "limit", HOUR_MS, 100) if "begin" in query else [state.now()]
    ratio = str(state.long_share / (1 - state.long_share))
    return _okx([[str(at), ratio] for at in reversed(times)])


def _okx_push(state: FakeState, asked: str, path: str) -> Iterator[Any]:
    if state.liquidations:
        for name in ("ETH-USDT-SWAP", "ETH-USD-SWAP"):
            details = [
                {
                    "bkLoss": "0",
                    "bkPx": str(price),
                    "ccy": "",
                    "posSide": "long" if is_long else "short",
                    "side": "sell" if is_long else "buy",
                    "sz": str(_okx_contracts(price, name, coins)),
                    "ts": str(at),
                }
                for is_long, coins, price, at in state.liquidations
            ]
            yield {
                "arg": {"channel": "liquidation-orders", "instType": "SWAP"},
                "data": [{"details": details, "instFamily": name[:-5], "instId": name, "instType": "SWAP"}],
            }


_OKX = FakeVenue(
    {
        "/api/v5/public/instruments": _okx_instruments,
        "/api/v5/public/open-interest": _okx_interest,
        "/api/v5/public/funding-rate-history": _okx_past_funding,
        "/api/v5/public/funding-rate": _okx_funding,
        "/api/v5/rubik/stat/contracts/open-interest-history": _okx_history,
        "/api/v5/rubik/stat/contracts/long-short-account-ratio-contract": _okx_ratio,
    },
    _okx_push,
    lambda asked: [{"event": "subscribe", "arg": json.loads(asked)["args"][0], "connId": "1"}],
)

# Deribit


def _rpc(result: Any) -> Any:
    return {"jsonrpc": "2.0", "id": 1, "result": result, "testnet": False}


def _deribit_instruments(state: FakeState, query: dict[str, Any]) -> Any:
    common = {
        "price_index": "eth_usd",
        "max_leverage": 50,
        "maker_commission": 0.0,
        "taker_commission": 0.0005,
        "creation_timestamp": 1534167754000,
        "is_active": not state.halted,
        "base_currency": "ETH",
        "settlement_currency": "ETH",
        "tick_size": 0.05,
        "min_trade_amount": 1.0,
    }
    perpetual = {
        **common,
        "kind": "future",
        "instrument_name": "ETH-PERPETUAL",
        "instrument_type": "reversed",
        "settlement_period": "perpetual",
        "expiration_timestamp": 32503708800000,
        "contract_size": 1.0,
        "counter_currency": "USD",
        "quote_currency": "USD",
    }
    option = {
        **common,
        "kind": "option",
        "instrument_name": "ETH-27DEC24-3000-C",
        "instrument_type": "reversed",
        "option_type": "call",
        "strike": 3000.0,
        "settlement_period": "month",
        "expiration_timestamp": 1735286400000,
        "contract_size": 1.0,
        "counter_currency": "USD",
        "quote_currency": "ETH",
    }
    return _rpc([perpetual, option])


def _deribit_summary(state: FakeState, query: dict[str, Any]) -> Any:
    return _rpc(
        [
            {
                "instrument_name": query["instrument_name"],
                "open_interest": state.coins,
                "underlying_price": state.price,
                "mark_price": 0.05,
                "base_currency": "ETH",
                "quote_currency": "ETH",
                "creation_timestamp": state.now(),
            }
        ]
    )


def _deribit_funding(state: FakeState, query: dict[str, Any]) -> Any:
    times = steps(query, "start_timestamp", "end_timestamp", "count", HOUR_MS, 744)
    return _rpc(
        [
            {
                "timestamp": at,
                "index_price": state.price,
                "prev_index_price": state.price,
                "interest_8h": state.rate,
                "interest_1h": state.rate / 8,
            }
            for at in times
        ]
    )


def _deribit_push(state: FakeState, asked: str, path: str) -> Iterator[Any]:
    for channel in json.loads(asked).get("params", {}).get("channels", []):
        data = {
            "timestamp": state.now(),
            "state": "open",
            "instrument_name": channel.split(".")[1],
            "open_interest": state.coins * state.price,
            "mark_price": state.price,
            "index_price": state.price,
            "last_price": state.price,
            "current_funding": state.rate,
            "funding_8h": 0.00001742,
            "stats": {"high": 1.0, "low": 1.0, "price_change": 0.0, "volume": 1.0, "volume_usd": 1.0},
        }
        params = {"channel": channel, "data": data}
        yield {"jsonrpc": "2.0", "method": "subscription", "params": params}


_DERIBIT = FakeVenue(
    {
        "/api/v2/public/get_instruments": _deribit_instruments,
        "/api/v2/public/get_book_summary_by_instrument": _deribit_summary,
        "/api/v2/public/get_funding_rate_history": _deribit_funding,
    },
    _deribit_push,
    lambda asked: [{"jsonrpc": "2.0", "id": json.loads(asked)["id"], "result": []}],
)

# Gate: 0.01 coins a contract


def _gate_contracts(state: FakeState, query: dict[str, Any]) -> Any:
    if "/usdt/" not in query["path"]:
        return []
    contract = {
        "name": "ETH_USDT",
        "type": "direct",
        "quanto_multiplier": "0.01",
        "leverage_min": "1",
        "leverage_max": "100",
        "maintenance_rate": "0.005",
        "mark_type": "index",
        "mark_price": str(state.price),
        "index_price": str(state.price),
        "last_price": str(state.price),
        "maker_fee_rate": "-0.00025",
        "taker_fee_rate": "0.00075",
        "order_price_round": "0.05",
        "mark_price_round": "0.01",
        "funding_rate": str(state.rate),
        "funding_rate_indicative": "0.000219",
        "funding_interval": state.funding_hours * 3600,
        "funding_next_apply": state.due() // 1000,
        "interest_rate": "0.0003",
        "order_size_min": 1,
        "order_size_max": 1000000,
        "order_price_deviate": "0.5",
        "trade_size": 1,
        "position_size": round(state.coins / 0.01),
        "in_delisting": False,
        "status": "suspend" if state.halted else "trading",
        "create_time": 1546300800,
        "config_change_time": 1609899548,
    }
    return contract if query["path"].endswith("ETH_USDT") else [contract]


def _gate_stats(state: FakeState, query: dict[str, Any]) -> Any:
    times = steps(query, "from_ms", "to", "limit", HOUR_MS, 100)
    if query.get("from"):
        times = steps({**query, "from_ms": int(query["from"]) * 1000}, "from_ms", "to", "limit", HOUR_MS, 100)
    return [
        {
            "time": at // 1000,
            "lsr_account": state.long_share / (1 - state.long_share),
            "lsr_taker": 0.7,
            "mark_price": state.price,
            "open_interest": round(level(at + HOUR_MS) / 0.01),
            "open_interest_usd": level(at + HOUR_MS) * state.price,
            "long_liq_size": 0,
            "short_liq_size": 0,
            "long_liq_usd": 0,
            "short_liq_usd": 0,
            "top_lsr_account": 1.17,
            "top_lsr_size": 0.91,
        }
        for at in times
    ]


def _gate_liquidations(state: FakeState, query: dict[str, Any]) -> Any:
    return [
        {
            "contract": "ETH_USDT",
            "left": 0,
            "size": round((2 if is_long else -2) * coins / 0.01),
            "order_size": round((-1 if is_long else 1) * coins / 0.01),
            "fill_price": str(price),
            "order_price": str(price),
            "time": at // 1000,
        }
        for is_long, coins, price, at in state.liquidations
    ]


def _gate_funding(state: FakeState, query: dict[str, Any]) -> Any:
    wanted = {"since": int(query["from"]) * 1000, "until": int(query["to"]) * 1000}
    times = steps(wanted, "since", "until", "limit", 8 * HOUR_MS, 1000)
    return [{"t": at // 1000, "r": str(state.rate)} for at in reversed(times)]


def _gate_push(state: FakeState, asked: str, path: str) -> Iterator[Any]:
    request = json.loads(asked)
    if request.get("channel") == "futures.tickers":
        result = {
            "contract": "ETH_USDT",
            "last": str(state.price),
            "change_percentage": "0",
            "funding_rate": str(state.rate),
            "funding_rate_indicative": "0.0001",
            "mark_price": str(state.price),
            "index_price": str(state.price),
            "total_size": str(round(state.coins / 0.01)),
            "volume_24h": "1",
        }
        at = state.now()
        common = {"time": at // 1000, "time_ms": at, "channel": "futures.tickers"}
        yield {**common, "event": "update", "result": [result]}


def _gate_acknowledge(asked: str) -> list[Any]:
    request = json.loads(asked)
    found = {"time": request["time"], "channel": request["channel"], "event": "subscribe"}
    return [{**found, "id": request.get("id"), "error": None, "result": {"status": "success"}}]


_GATE = FakeVenue(
    {
        "/api/v4/futures/usdt/contract_stats": _gate_stats,
        "/api/v4/futures/usdt/contracts": _gate_contracts,
        "/api/v4/futures/btc/contracts": _gate_contracts,
        "/api/v4/futures/usdt/liq_orders": _gate_liquidations,
        "/api/v4/futures/usdt/funding_rate": _gate_funding,
    },
    _gate_push,
    _gate_acknowledge,
)

MIDDLE = {
    "okx": _OKX,
    "deribit": _DERIBIT,
    "gate": _GATE,
}
