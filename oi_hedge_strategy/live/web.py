"""The status as a page that can only be read: GET, on the loopback interface unless told otherwise."""

import json
import time
from dataclasses import asdict
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from string import Template
from threading import Lock
from typing import Any, ClassVar
from urllib.parse import urlsplit

from plotly.offline import get_plotlyjs

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.evaluation.figure_store import FigureStore
from oi_hedge_strategy.evaluation.page import SCRIPT, STYLE
from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.live.view import ALERTS, Table, View, clock, last_heard, view_of
from oi_hedge_strategy.live.web_charts import add_charts, week_of

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data: blob:; "
    "connect-src 'self'; frame-ancestors 'none'"
)
_CHARTS_SECS = 60.0

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<main>
<header><h1>${title}</h1><p class="lead" id="state">${state}</p></header>
<div id="tables" class="columns">${tables}</div>
<h2>The last week</h2>
<p class="lead">Until ${until}; load the page again for what came since.</p>
${charts}
</main>
<script type="application/json" id="figures">${figures}</script>
<script type="text/plain" id="plotly"></script>
<script src="/plotly.js"></script>
<script src="/page.js"></script>
</body>
</html>
""")

_STYLE = (
    STYLE
    + """
#state::before { content: ""; display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%;
  margin-right: 0.5em; background: #00a37a; }
#state.wrong::before { background: var(--warn); }
tr.marked td { font-weight: 600; }
tr.marked td:first-child { border-left: 3px solid var(--warn); padding-left: 8px; }
#tables h3 { margin-top: 18px; }
#tables section { min-width: 0; }
#tables section.whole { flex-basis: 100%; }
@media (max-width: 480px) { #tables td { overflow-wrap: anywhere; } }
td { text-align: left; }
th { text-align: left; }
"""
)

_REFRESH = """
(function () {
  function refresh() {
    fetch('/tables').then(function (answer) { return answer.json(); }).then(function (found) {
      document.getElementById('tables').innerHTML = found.tables;
      const state = document.getElementById('state');
      state.textContent = found.state;
      state.className = found.alright ? 'lead' : 'lead wrong';
    }).catch(function () {
      const state = document.getElementById('state');
      state.textContent = 'this page cannot reach oi-hedge status any more';
      state.className = 'lead wrong';
    });
  }
  refresh();
  setInterval(refresh, 2000);
})();
"""


class StatusServer(ThreadingHTTPServer):
    """
    Serve the page of one session.

    Parameters
    ----------
    session : Session
        While it runs, or after it.
    host : str
        The interface.
    port : int
        Where it listens; a free one where 0.

    Raises
    ------
    ConfigError
        If it cannot listen there.

    """

    daemon_threads = True

    def __init__(self, session: Session, host: str, port: int) -> None:
        self._directory = session.directory
        self._host = host
        self._lock = Lock()
        self._charts: tuple[float, str, str, str] = (-_CHARTS_SECS, "", "", "")
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
            ) from error

    @property
    def address(self) -> str:
        """Return the page's address."""
        return f"http://{self._host}:{self.server_port}/"

    def is_known(self, host: str) -> bool:
        """Return whether a request names this machine: no other page can then ask through a browser."""
        name = urlsplit(f"//{host}").hostname
        return name in LOOPBACK or name == self._host

    def page(self) -> str:
        """Return the whole page."""
        session = Session(self._directory)
        view = view_of(session, time.time_ns())
        until, charts, figures = self._drawn(session)
        return PAGE.substitute(
            title=escape(f"OI hedge · {view.title}"),
            style=_STYLE,
            state=escape(view.state),
            tables=_tables(view),
            until=until,
            charts=charts,
            figures=figures,
        )

    def tables(self) -> str:
        """Return what changes from second to second, as JSON."""
        view = view_of(Session(self._directory), time.time_ns())
        return json.dumps({"tables": _tables(view), "state": view.state, "alright": view.is_alright})

    def status(self) -> str:
        """Return what is shown as data."""
        view = asdict(view_of(Session(self._directory), time.time_ns()))
        return json.dumps(view, default=sorted)

    def _drawn(self, session: Session) -> tuple[str, str, str]:
        """Return until when the charts go, their places and their figures; drawn anew once a minute."""
        with self._lock:
            if time.monotonic() - self._charts[0] >= _CHARTS_SECS:
                store, heard = FigureStore(), last_heard(session, time.time_ns())
                places = add_charts(store, *week_of(session, heard))
                charts = "\n".join(places) or "<p>There are no two decisions yet.</p>"
                self._charts = time.monotonic(), clock(heard), charts, store.to_json()
            return self._charts[1:]


class _Handler(BaseHTTPRequestHandler):
    """Answer GET; refuse everything else."""

    server: StatusServer
    server_version = "oi-hedge"
    sys_version = ""
    _PLOTLY: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        """Answer one of the few paths there are."""
        if not self.server.is_known(self.headers.get("Host", "")):
            self._answer(403, "text/plain", b"this page is only for the machine that it runs on\n")
            return
        match urlsplit(self.path).path:
            case "/":
                self._answer(200, "text/html", self.server.page().encode())
            case "/tables":
                self._answer(200, "application/json", self.server.tables().encode())
            case "/status.json":
                self._answer(200, "application/json", self.server.status().encode())
            case "/page.js":
                self._answer(200, "text/javascript", (SCRIPT + _REFRESH).encode())
            case "/plotly.js":
                _Handler._PLOTLY = _Handler._PLOTLY or get_plotlyjs().encode()
                self._answer(200, "text/javascript", _Handler._PLOTLY, keep=True)
            case _:
                self._answer(404, "text/plain", b"there is nothing here\n")

    def _refuse(self) -> None:
        self._answer(405, "text/plain", b"this page can only be read\n", Allow="GET")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = do_TRACE = do_CONNECT = _refuse  # noqa: N815

    def _answer(self, code: int, kind: str, body: bytes, keep: bool = False, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "max-age=86400" if keep else "no-store")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep requests out of the terminal."""


def _tables(view: View) -> str:
    return "".join(_table(each) for each in view.tables)


def _table(table: Table) -> str:
    section = '<section class="whole">' if table.heading == ALERTS else "<section>"
    if not table.rows:
        return f"{section}<h3>{escape(table.heading)}</h3><p>none</p></section>"
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    head = f"<thead><tr>{head}</tr></thead>" if any(table.columns) else ""
    rows = "".join(
        f"<tr{' class="marked"' if at in table.marked else ''}>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for at, row in enumerate(table.rows)
    )
    body = f'<div class="scroll"><table>{head}<tbody>{rows}</tbody></table></div>'
    return f"{section}<h3>{escape(table.heading)}</h3>{body}</section>"
