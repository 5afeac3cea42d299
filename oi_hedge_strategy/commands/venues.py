"""The command that prints the venue table: ``venues``."""

import json
from typing import Any

import click

from oi_hedge_adapters.venues import ROWS, Feed, Transport, VenueRow, find_row

_FEEDS = (Feed.OPEN_INTEREST, Feed.FUNDING, Feed.LIQUIDATIONS, Feed.LONG_SHORT)
_HEADS = ("venue", "instrument", "open interest", "read by", "funding", "live", "history", "depth")
_SHORT = {Feed.OPEN_INTEREST: "O", Feed.FUNDING: "F", Feed.LIQUIDATIONS: "L", Feed.LONG_SHORT: "R"}


@click.command()
@click.argument("venue", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print every field of the table as JSON.")
def venues(venue: str | None, as_json: bool) -> None:
    """Print what is known of every venue, or everything of VENUE, such as binance-linear.

    Letters under live and history: O open interest, F funding, L liquidations, R long/short ratio.
    """
    rows = (find_row(venue),) if venue else ROWS
    if as_json:
        click.echo(json.dumps([_fields(row) for row in rows], indent=2))
    elif venue:
        click.echo(_details(rows[0]))
    else:
        click.echo(_table([_HEADS, *(_line(row) for row in rows)]))
        click.echo("\n" + ", ".join(f"{_SHORT[feed]} {feed}" for feed in _FEEDS))


def _line(row: VenueRow) -> tuple[str, ...]:
    return (
        row.key,
        str(row.example),
        f"{row.unit}, {'both sides' if row.both_sides else 'one side'}",
        _reading(row),
        f"{row.funding.interval_minutes // 60} h" if row.funding.interval_minutes else "-",
        _letters(row.live),
        _letters(row.history_of),
        row.history.depth if row.history else "-",
    )


def _reading(row: VenueRow) -> str:
    if row.transport is Transport.NONE:
        return str(row.transport)
    return f"{row.transport}, {row.cadence_secs:g} s"


def _letters(feeds: frozenset[Feed]) -> str:
    return "".join(_SHORT[feed] if feed in feeds else "." for feed in _FEEDS)


def _table(lines: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(row.rstrip() for row in rows)


def _fields(row: VenueRow) -> dict[str, Any]:
    """Return a row as plain values."""
    return {
        "key": row.key,
        "title": row.title,
        "venue": row.venue,
        "instrument": str(row.example),
        "ccxt": row.ccxt_id,
        "ccxt symbol": row.example_ccxt,
        "open interest": [
            f"{field.path}: {field.unit}, {'both sides' if field.sides == 2 else 'one side'}"
            for field in row.open_interest
        ],
        "read by": str(row.transport),
        "cadence, s": row.cadence_secs,
        "publication lag, s": row.publication_lag_secs,
        "requests a second": round(row.requests_per_second, 2),
        "funding": row.funding.text,
        "live": sorted(row.live),
        "history": sorted(row.history_of),
        "steps": list(row.history.timeframes) if row.history else [],
        "page": row.history.page_size if row.history else None,
        "depth": row.history.depth if row.history else None,
        "quirks": [f"{quirk.since}: {quirk.text} ({quirk.evidence})" for quirk in row.quirks],
    }


def _details(row: VenueRow) -> str:
    lines = []
    for name, value in _fields(row).items():
        values = value if isinstance(value, list) else [value]
        shown = values if name in ("open interest", "quirks") else [", ".join(map(str, values))]
        texts = [str(each) for each in shown if each not in ("", "None")] or ["-"]
        lines += [f"{name if at == 0 else '':20}{text}" for at, text in enumerate(texts)]
    return "\n".join(lines)
