"""Times as configurations write them."""

from datetime import datetime

from oi_hedge_catalog.errors import ConfigError


def parse_time_ns(text: str, field: str) -> int:
    """
    Return an ISO 8601 time as nanoseconds since the epoch.

    Raises
    ------
    ConfigError
        If it is no such time or has no UTC offset; the message names `field`.

    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{field}: expected an ISO 8601 time, was {text!r}") from error
    if time.tzinfo is None:
        raise ConfigError(f"{field}: {text!r} has no UTC offset; write it as {text}+00:00")
    return round(time.timestamp() * 1_000_000) * 1_000
