"""What the status shows, in words and numbers, for the terminal and the page alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.live.status import read_status
from oi_hedge_strategy.live.timing import STAGES

ALERTS = "Alerts"
_SILENT_SECS = 10.0
_OLD_SECS = 300.0
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Hold one table: its heading, the names of its columns, its rows, and which rows want attention."""

    heading: str
    columns: Row
    rows: tuple[Row, ...]
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class View:
    """
    Hold what is shown of a session.

    Parameters
    ----------
    title : str
        Mode and instrument.
    state : str
        Whether it runs.
    is_alright : bool
        Whether it runs and nothing is wrong, or it ended as it should.
    tables : tuple of Table
        The first one says what is held and wanted.

    """

    title: str
    state: str
    is_alright: bool
    tables: tuple[Table, ...]


def view_of(session: Session, now_ns: int) -> View:
    """Return what is shown of a session at a time."""
    status = read_status(session) or {}
    state, runs = _state(session, status, now_ns)
    alerts = status.get("alerts", [])
    as_of = now_ns if runs else last_heard(session, now_ns)
    title = f"{session.info['mode']} · {session.strategy.bar_type.instrument_id}"
    tables = (
        _hedge(status.get("decision")),
        _forecast(status.get("forecast")),
        Table(
            ALERTS,
            ("condition", "since, UTC", "what"),
            tuple((a["condition"], clock(a["ts"])[5:-4], a["message"]) for a in alerts),
            frozenset(range(len(alerts))),
        ),
        _feeds(status.get("feeds", []), as_of),
        _orders(status.get("orders", [])),
        _timing(status.get("timing", {})),
    )
    ended = session.info["ended"] is not None
    return View(title, state, ended or (runs and not alerts), tables)


def last_heard(session: Session, now_ns: int) -> int:
    """Return now while the session runs, and when it was last heard of after it."""
    written: int = (read_status(session) or {}).get("written", now_ns)
    return now_ns if session.is_running else written


def _state(session: Session, status: dict[str, Any], now_ns: int) -> tuple[str, bool]:
    """Return in words whether the session runs, and whether it does."""
    if session.info["ended"] is not None:
        return f"ended {session.info['ended'][:19].replace('T', ' ')} UTC", False
    if not session.is_running:
        last = clock(status["written"]) if status else "before it began"
        return f"its process is gone and did not end it; last heard of {last}", False
    if not status:
        return "starting", True
    silent = (now_ns - status["written"]) / 1e9
    if silent > _SILENT_SECS:
        return f"its process is alive, but silent for {duration(silent)}", False
    alerts = len(status["alerts"])
    return f"running, {alerts} alert{'s' if alerts > 1 else ''}" if alerts else "running", True


def _hedge(decision: dict[str, Any] | None) -> Table:
    if decision is None:
        return Table("Hedge", ("", ""), (("decision", "none yet"),))
    rail = decision["rail"] or "none acts"
    rows = (
        ("decided", f"{clock(decision['ts_init'])} by the {decision['trigger']}"),
        ("exposure", f"{decision['exposure']:+,.4f}"),
        ("hedge position", f"{decision['hedge_quantity']:+,.4f}"),
        ("price", f"{decision['price']:,.2f}"),
        ("equity of the hedge account", f"{decision['equity']:,.2f}"),
        ("hedge ratio held", f"{decision['held']:.1%}"),
        ("wanted by the policy", f"{decision['wanted']:.1%}"),
        ("allowed by the rails", f"{decision['allowed']:.1%}"),
        ("gone for", f"{decision['target']:.1%}"),
        ("rail", rail),
        ("reason", decision["reason"] or "the policy's"),
        ("model", decision["model_sha256"][:12] or "none, a rule decides"),
    )
    return Table("Hedge", ("", ""), rows, frozenset({9, 10}) if decision["rail"] else frozenset())


def _forecast(forecast: dict[str, Any] | None) -> Table:
    columns = ("probability of a cascade within", "down", "up")
    if forecast is None:
        return Table("Forecast", columns, ())
    sides = zip(forecast["horizons_hours"], forecast["down"], forecast["up"], strict=True)
    rows = tuple((f"{hours:g} h", f"{down:.1%}", f"{up:.1%}") for hours, down, up in sides)
    alert = forecast["alert_down"] or forecast["alert_up"]
    return Table("Forecast", columns, rows, frozenset(range(len(rows))) if alert else frozenset())


def _feeds(feeds: Sequence[dict[str, Any]], as_of: int) -> Table:
    ages = [max(as_of - feed["ts"], 0) / 1e9 for feed in feeds]
    shown = ("InstrumentStatus", "FeedStatus")
    rows = tuple((f["instrument"], f["kind"], duration(age)) for f, age in zip(feeds, ages, strict=True))
    old = (
        at
        for at, (feed, age) in enumerate(zip(feeds, ages, strict=True))
        if feed["kind"] not in shown and age > _OLD_SECS
    )
    return Table("Feeds", ("instrument", "data", "age"), rows, frozenset(old))


def _orders(orders: Sequence[dict[str, Any]]) -> Table:
    newest = list(reversed(orders))
    rows = tuple(
        (
            clock(each["ts"])[5:-4],
            each["event"],
            each["side"],
            each["quantity"],
            each["price"],
            ", ".join(each["tags"]).replace("_", " ").lower(),
            each["reason"],
        )
        for each in newest
    )
    refused = (at for at, each in enumerate(newest) if each["event"] in ("Rejected", "Denied"))
    columns = ("time", "event", "side", "quantity", "price", "order", "reason")
    return Table("Last orders, UTC", columns, rows, frozenset(refused))


def _timing(timing: dict[str, dict[str, float]]) -> Table:
    rows = tuple(
        (stage, *(f"{timing[stage][key]:.3f}" for key in ("p50", "p99", "max")), f"{timing[stage]['count']}")
        for stage in STAGES
        if stage in timing
    )
    return Table("Stages of the last decisions, ms", ("stage", "p50", "p99", "max", "count"), rows)


def clock(ts: int) -> str:
    """Return a time in nanoseconds as date and time of day, UTC."""
    return f"{datetime.fromtimestamp(ts / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration(secs: float) -> str:
    """Return seconds in the unit that reads best."""
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if secs >= 2.0 * size:
            return f"{secs / size:.1f} {unit}"
    return f"{secs:.1f} s"
