"""An explained forecast as one HTML file that opens offline."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from oi_hedge_strategy.evaluation.breakdown import iso
from oi_hedge_strategy.evaluation.figure_store import FigureStore
from oi_hedge_strategy.evaluation.figures import HEDGED, OTHERS, UNHEDGED, label, plain_layout
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.evaluation.page import BANNER, PAGE, SCRIPT, SECTION, STYLE
from oi_hedge_strategy.evaluation.tables import table
from oi_hedge_strategy.evaluation.wording import SIMULATED, SIMULATED_SENTENCE
from oi_hedge_strategy.forecast.card import outputs
from oi_hedge_strategy.training.explain import Explanation, Floats
from oi_hedge_strategy.training.explain_text import (
    VENUES_MEANING,
    contribution_rows,
    forecast_rows,
    groups_meaning,
)
from oi_hedge_strategy.training.score_words import output_title

PAGE_NAME = "explanation.html"
_MAP_HEIGHT, _ROW_HEIGHT = 560, 46


def write_explanation(found: Explanation, out: Path) -> Path:
    """Write the page into a directory, atomically, and return its path."""
    return write_text(out / PAGE_NAME, render_explanation(found))


def render_explanation(found: Explanation) -> str:
    """Return the page as HTML without any reference to another file or address."""
    figures = FigureStore()
    forecast = forecast_rows(found)
    sections = [
        ("Forecast", table(forecast[0], forecast[1:]) + "".join(f"<p>{escape(n)}</p>" for n in found.notes)),
        ("Liquidation map", figures.add("map", "Where leverage would be liquidated", _MAP, map_chart(found))),
    ]
    for key, meaning, contributions in (
        ("Venues", VENUES_MEANING, found.venues),
        ("Inputs", groups_meaning(found), found.groups),
    ):
        rows = contribution_rows(found, contributions)
        chart = contribution_chart(found, contributions)
        heading = f"Contribution to {_title(found)}"
        content = figures.add(key, heading, meaning, chart) + table(rows[0], rows[1:])
        sections.append((key, content))
    simulated = found.card.simulated
    heading = f"{found.asset} at {iso(found.at_ns)}"
    return PAGE.substitute(
        title=escape(heading),
        heading=escape(heading),
        subtitle=escape(f"{found.card.name}, SHA-256 {found.sha256[:12]}; price {found.price:,.2f} USD"),
        banner=BANNER.substitute(word=SIMULATED, sentence=SIMULATED_SENTENCE) if simulated else "",
        body="".join(SECTION.substitute(heading=escape(name), content=content) for name, content in sections),
        style=STYLE,
        script=SCRIPT,
        plotly=get_plotlyjs(),
        figures=figures.to_json(),
    )


_MAP = (
    "An estimate from open interest and prices: where positions opened in the past would be liquidated, by "
    "venue. Longs lie below the price, shorts above it; the dashed line is the price."
)


def map_chart(found: Explanation) -> go.Figure:
    """Draw the liquidation map by price and venue, notional in million USD."""
    figure = go.Figure()
    for at, (venue, density) in enumerate(found.levels.items()):
        bands = density.shape[1]
        middle = [(band + 0.5) * found.band for band in range(bands)]
        prices = [found.price * (1.0 - each) for each in middle[::-1]]
        prices += [found.price * (1.0 + each) for each in middle]
        figure.add_bar(
            x=[*(density[0, ::-1] * found.price / 1e6), *(density[1] * found.price / 1e6)],
            y=prices,
            orientation="h",
            name=label(venue),
            marker={"color": OTHERS[at % len(OTHERS)]},
            width=0.9 * found.band * found.price,
            hovertemplate="%{y:,.0f} USD: %{x:,.1f} M<extra>" + label(venue) + "</extra>",
        )
    plain_layout(figure, "price, USD", _MAP_HEIGHT)
    figure.update_xaxes(title_text="would be liquidated, million USD", rangemode="tozero")
    figure.add_hline(y=found.price, line={"color": UNHEDGED, "dash": "dash", "width": 1.5})
    return figure.update_layout(barmode="stack", showlegend=True)


def contribution_chart(found: Explanation, contributions: Mapping[str, Floats]) -> go.Figure:
    """Draw the contributions to the middle horizon by side."""
    horizon = found.card.cascade.event_index
    names = sorted(contributions, key=lambda each: float(abs(contributions[each][:, horizon]).sum()))
    figure = go.Figure()
    for side, (name, color) in enumerate((("down", OTHERS[3]), ("up", HEDGED))):
        figure.add_bar(
            x=[float(contributions[each][side, horizon]) for each in names],
            y=[label(each) for each in names],
            orientation="h",
            name=name,
            marker={"color": color},
            hovertemplate="%{y}: %{x:+.2f}<extra>" + name + "</extra>",
        )
    plain_layout(figure, "", 130 + _ROW_HEIGHT * max(len(names), 1))
    figure.update_xaxes(title_text="log-odds", zeroline=True)
    return figure.update_layout(barmode="group")


def _title(found: Explanation) -> str:
    middle = found.card.cascade.event_index
    return " and ".join(
        output_title(key) for key, (_, at) in outputs(found.card.cascade.horizons_hours) if at == middle
    )
