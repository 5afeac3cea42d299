"""Deribit's options: from the book summaries of one coin to its open interest by strike, expiry and side."""

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import aiohttp

from oi_hedge_adapters.connection import UnreachableError
from oi_hedge_adapters.normalise import PayloadError
from oi_hedge_catalog.types import OptionsOpenInterest, options_id

DERIBIT_URL = "https://www.deribit.com/api/v2"
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAME = re.compile(
    r"(?P<coin>[A-Z0-9]+)-(?P<day>\d{1,2})(?P<month>[A-Z]{3})(?P<year>\d\d)-(?P<strike>\d+)-(?P<side>[CP])"
)
_EXPIRY_HOUR = 8
_MILLISECOND_NS = 1_000_000


def parse_option_name(name: str) -> tuple[str, int, float, bool]:
    """
    Return coin, expiry, strike and whether it is a call, of a name such as ``ETH-27JUN25-2500-C``.

    Deribit's options expire at 08:00 UTC of the day in their name.

    Raises
    ------
    PayloadError
        If the name is that of no option settled in a coin.
    """
    found = _NAME.fullmatch(name)
    if found is None or found["month"] not in _MONTHS:
        raise PayloadError(f"Deribit: {name!r} is no option such as ETH-27JUN25-2500-C")
    month = _MONTHS.index(found["month"]) + 1
    try:
        expiry = datetime(2000 + int(found["year"]), month, int(found["day"]), _EXPIRY_HOUR, tzinfo=UTC)
    except ValueError as error:
        raise PayloadError(f"Deribit: {name!r} names a day that does not exist") from error
    since = expiry - datetime(1970, 1, 1, tzinfo=UTC)
    return (
        found["coin"],
        since // timedelta(microseconds=1) * 1000,
        float(found["strike"]),
        found["side"] == "C",
    )


def options_open_interest(
    coin: str, summaries: Sequence[Mapping[str, Any]], ts_init: int
) -> OptionsOpenInterest:
    """
    Return the open interest of all options of a coin.

    A contract of an option settled in its coin is one coin, counted once. The underlying's price is the index
    price that every summary carries as ``estimated_delivery_price``; ``underlying_price`` is the forward of
    the option's own expiry.

    Parameters
    ----------
    coin : str
        Base coin.
    summaries : sequence of mapping
        The result of ``public/get_book_summary_by_currency`` with ``kind=option``.
    ts_init : int
        UNIX nanoseconds of the receipt.

    Raises
    ------
    PayloadError
        If there is no summary, or one is not of an option of `coin`, or a number is missing or impossible.
    """
    if not summaries:
        raise PayloadError(f"Deribit sent no options of {coin}; does it list any?")
    strikes, expiries, calls, quantities, prices, times = [], [], [], [], [], []
    for each in summaries:
        name = str(each.get("instrument_name"))
        found, expiry, strike, call = parse_option_name(name)
        if found != coin:
            raise PayloadError(f"Deribit sent {name} among the options of {coin}")
        strikes.append(strike)
        expiries.append(expiry)
        calls.append(call)
        quantities.append(_number(each, "open_interest", name, least=0.0))
        prices.append(_number(each, "estimated_delivery_price", name, least=math.ulp(0.0)))
        times.append(int(_number(each, "creation_timestamp", name, least=1.0)) * _MILLISECOND_NS)
    return OptionsOpenInterest(
        options_id(coin), median(prices), strikes, expiries, calls, quantities, max(times), ts_init
    )


def _number(summary: Mapping[str, Any], field: str, name: str, least: float) -> float:
    value = summary.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
        raise PayloadError(
            f"Deribit: {name}: expected {field} to be a number of at least {least:g}, was {value!r}"
        )
    return float(value)


async def fetch_options_open_interest(
    session: aiohttp.ClientSession,
    coin: str,
    *,
    base_url: str = DERIBIT_URL,
    timeout_secs: float = 10.0,
    clock: Callable[[], int] = time.time_ns,
) -> OptionsOpenInterest:
    """
    Ask Deribit once for the open interest of all options of `coin`.

    Parameters
    ----------
    session : ClientSession
        Its connections are used; it stays open.
    coin : str
        Base and settlement coin, such as ``ETH``.
    base_url : str
        Where the API is.
    timeout_secs : float
        For the whole request.
    clock : callable
        Gives UNIX nanoseconds, for `ts_init`.

    Raises
    ------
    UnreachableError
        If the venue does not answer in time or not readably.
    PayloadError
        If it refuses, or sends something else than it documents.
    """
    url = f"{base_url}/public/get_book_summary_by_currency"
    where = f"Deribit options of {coin}"
    timeout = aiohttp.ClientTimeout(total=timeout_secs)
    try:
        async with session.get(url, params={"currency": coin, "kind": "option"}, timeout=timeout) as answer:
            if answer.status not in (200, 400):  # 400 carries the reason as JSON
                raise UnreachableError(f"{where}: the venue answered with HTTP {answer.status}")
            body = await answer.json(content_type=None)
    except TimeoutError as error:
        raise UnreachableError(f"{where}: no answer within {timeout_secs:g} s") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise UnreachableError(
            f"{where}: the answer could not be read ({type(error).__name__}: {error})"
        ) from error
    if not isinstance(body, dict) or not isinstance(body.get("result"), list):
        reason = body.get("error") if isinstance(body, dict) else None
        raise PayloadError(f"{where}: expected a list of summaries, was {reason or type(body).__name__}")
    return options_open_interest(coin, body["result"], clock())
