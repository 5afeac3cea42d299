"""The scenarios as one HTML file that opens offline: the table, and a picture of each."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from oi_hedge_strategy.evaluation.figure_store import FigureStore
from oi_hedge_strategy.evaluation.figures import (
    ALERT,
    HEDGED,
    OTHERS,
    UNHEDGED,
    layout,
    line,
    mark_onsets,
    steps,
)
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.evaluation.page import BANNER, PAGE, SCRIPT, SECTION, STYLE
from oi_hedge_strategy.evaluation.records import Floats, Times
from oi_hedge_strategy.evaluation.tables import Cell, table
from oi_hedge_strategy.evaluation.wording import SIMULATED, SIMULATED_SENTENCE, day
from oi_hedge_strategy.scenarios.result import Result, solvency_sentence, stress_sentence, table_rows
from oi_hedge_strategy.scenarios.run import ScenarioRun
from oi_hedge_strategy.scenarios.text import DATA_EXPLAINED, EXPLAINED

_HEIGHT = 600
_CLEAR = "rgba(0,0,0,0)"
_WORDS = (0, 1, 8)


def write_page(runs: Sequence[ScenarioRun], result: Result, path: Path) -> Path:
    """Write the page, atomically."""
    return write_text(path, render_page(runs, result))


def render_page(runs: Sequence[ScenarioRun], result: Result) -> str:
    """Return the page as HTML without any reference to another file or address."""
    figures = FigureStore()
    head, *rows = table_rows(result)
    cells: list[list[Cell]] = [[(row[0], row[1]), *row[2:]] for row in rows]
    sentences = (solvency_sentence(result), stress_sentence(result))
    verdict = "".join(f"<p>{escape(each)}</p>" for each in sentences)
    explained = f'<p class="lead">{escape(EXPLAINED)} {escape(DATA_EXPLAINED)}</p>'
    overview = (
        f'<div class="verdict">{verdict}</div>{table([head[0], *head[2:]], cells, words=_WORDS)}{explained}'
    )
    sections = [("All scenarios", overview)]
    for run, row in zip(runs, result["scenarios"], strict=True):
        sections.append((row["title"], _section(figures, run, row)))
    heading = "Stress scenarios"
    return PAGE.substitute(
        title=escape(heading),
        heading=escape(heading),
        subtitle=escape(
            f"{result['exposure']}, hedged with {result['hedge_instrument']}; collateral "
            f"{result['collateral']:g} times the exposure"
        ),
        banner=BANNER.substitute(word=SIMULATED, sentence=SIMULATED_SENTENCE) if result["simulated"] else "",
        body="".join(SECTION.substitute(heading=escape(name), content=content) for name, content in sections),
        style=STYLE,
        script=SCRIPT,
        plotly=get_plotlyjs(),
        figures=figures.to_json(),
    )


def _section(figures: FigureStore, run: ScenarioRun, row: Result) -> str:
    when = f"{day(row['start'])} to {day(row['end'])}"
    data = (
        f"Recorded data of {when}."
        if run.recorded
        else f"PARAMETRIC REPLAY, not recorded data: laid over the calm of {when}."
    )
    decided = f"As configured: {run.configured.policy}. Full hedge: {run.full.policy}."
    chart = figures.add(
        row["key"],
        "Price, hedge ratio and value of the book",
        f"{data} {decided} Dotted line: onset of the shock. Value: change since the start, in % of the "
        "exposure's notional, net of all costs.",
        picture(run),
    )
    return f"<p>{escape(row['story'])}</p><p class='lead'>{escape(row['source'])}</p>{chart}"


def picture(run: ScenarioRun) -> go.Figure:
    """Draw the price of the hedge instrument, the hedge ratios, and the value of the book."""
    configured, full = run.configured, run.full
    figure = make_subplots(rows=3, shared_xaxes=True, vertical_spacing=0.05, row_heights=[0.36, 0.24, 0.40])
    ts, gaps = configured.ts, _gaps(configured.ts)
    beside = np.isin(np.arange(ts.size), [*gaps, *(gaps - 1)])
    for bound, fill in ((configured.low, "none"), (configured.high, "tonexty")):
        values, shown = np.where(beside, configured.price, bound), fill == "tonexty"
        edge = line(ts, values, "low to high", _CLEAR, showlegend=shown, fill=fill, hoverinfo="skip")
        figure.add_trace(edge.update(fillcolor=ALERT), row=1, col=1)
    figure.add_trace(line(*_broken(ts, configured.price, gaps), "close", OTHERS[0]), row=1, col=1)
    for outcome, name, color in ((full, "full hedge", OTHERS[1]), (configured, "as configured", HEDGED)):
        ratio = steps(outcome.ts, 100.0 * outcome.ratio, name, color, legendgroup=name)
        figure.add_trace(ratio, row=2, col=1)
        value = _broken(ts, 100.0 * outcome.hedged, gaps)
        figure.add_trace(line(*value, name, color, legendgroup=name, showlegend=False), row=3, col=1)
    unhedged = _broken(ts, 100.0 * configured.unhedged, gaps)
    figure.add_trace(line(*unhedged, "unhedged", UNHEDGED), row=3, col=1)
    layout(figure, "price", ts, _HEIGHT)
    figure.update_yaxes(title_text="hedge ratio, %", row=2, col=1)
    figure.update_yaxes(title_text="value of the book, %", row=3, col=1)
    figure.update_layout(meta={"linked": False})
    return mark_onsets(figure, np.array([run.onset_ns], np.int64))


def _gaps(ts: Times) -> Times:
    """Return the rows before which bars are missing."""
    return np.flatnonzero(np.diff(ts) > 1.5 * np.median(np.diff(ts))) + 1


def _broken(ts: Times, values: Floats, gaps: Times) -> tuple[Times, Floats]:
    """Return a series with a value that is not a number in each gap, so that no line crosses it."""
    return np.insert(ts, gaps, ts[gaps] - 1), np.insert(values, gaps, np.nan)
