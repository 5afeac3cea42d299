"""Times as the command line takes them."""

from datetime import UTC, datetime

import click


class UtcTime(click.ParamType[int]):
    """A date or ISO 8601 time, UTC where it has no offset; nanoseconds since the epoch."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the time in nanoseconds."""
        if isinstance(value, int):
            return value
        try:
            time = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"expected a date such as 2024-01-31, was {value!r}", param, ctx)
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        return int(time.timestamp()) * 1_000_000_000


UTC_TIME = UtcTime()
