"""``oi-hedge status``: what a paper or live session does now, or did last."""

import time
import webbrowser
from pathlib import Path

import click
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table as RichTable
from rich.text import Text

from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.live.sessions import find_session
from oi_hedge_strategy.live.view import Table, View, view_of
from oi_hedge_strategy.live.web import StatusServer

_EVERY_SECS = 1.0


@click.command()
@click.argument("session", type=click.Path(path_type=Path), required=False)
@click.option("--once", is_flag=True, help="Print it once instead of again and again.")
@click.option("--web", is_flag=True, help="Serve it as a page, with the last week's charts, until Ctrl-C.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Of the page; loopback by default.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="Of the page.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
def status(session: Path | None, once: bool, web: bool, host: str, port: int, open_page: bool) -> None:
    """Show exposure, hedge, forecast, rails, age of each feed and last orders of a session.

    SESSION is the directory of a session, or one that holds some, of which the newest is shown; by default
    the newest of ./paper and ./live. It is read from its files: nothing here can change what runs.
    """
    found = find_session(session)
    if web:
        serve(found, host, port, open_page)
        return
    console = Console()
    if once or not console.is_terminal:
        console.print(render(view_of(found, time.time_ns())))
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(render(view_of(Session(found.directory), time.time_ns())), refresh=True)
            time.sleep(_EVERY_SECS)


def serve(session: Session, host: str, port: int, open_page: bool) -> None:
    """Serve a session's page until the keyboard interrupts."""
    with StatusServer(session, host, port) as server:
        click.echo(f"the status of {session.directory} is at {server.address}; Ctrl-C ends it")
        if open_page:
            webbrowser.open(server.address)
        server.serve_forever()


def render(view: View) -> Panel:
    """Return a view as the terminal shows it."""
    style = "green" if view.is_alright else "red"
    parts = [Text(view.state, style=style), *(_table(each) for each in view.tables)]
    return Panel(Group(*parts), title=view.title, border_style=style, padding=(0, 1))


def _table(table: Table) -> RichTable | Text:
    if not table.rows:
        return Text(f"\n{table.heading}: none", style="dim")
    made = RichTable(
        title=f"\n{table.heading}",
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=any(table.columns),
        header_style="dim",
        pad_edge=False,
    )
    for name in table.columns:
        made.add_column(name, overflow="fold")
    for at, row in enumerate(table.rows):
        made.add_row(*(Text(cell) for cell in row), style="bold red" if at in table.marked else None)
    return made
