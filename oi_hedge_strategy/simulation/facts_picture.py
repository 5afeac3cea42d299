"""The stylised facts of a simulated and of a recorded market side by side, as an SVG picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from oi_hedge_strategy.simulation.facts import (
    FUNDING_LAGS,
    RETURN_EDGES,
    RETURN_LAGS,
    TAIL,
    Floats,
    MarketFacts,
)

_WIDTH, _HEIGHT, _LEFT, _TOP, _PLOT_X, _PLOT_Y = 400, 300, 52, 40, 320, 205
_STYLE = """
text { font: 11px system-ui, sans-serif; fill: #57606a; } .title { font-size: 13px; fill: #24292f; }
.axis { stroke: #8b949e; } .zero { stroke: #8b949e; stroke-dasharray: 3 3; }
.line { stroke-width: 1.8; fill: none; }
.c0 { stroke: #3b82f6; } .c1 { stroke: #d97706; } .d0 { fill: #3b82f6; } .d1 { fill: #d97706; }
@media (prefers-color-scheme: dark) { text { fill: #9aa4af; } .title { fill: #e4e7eb; } }
"""


@dataclass(frozen=True)
class _Panel:
    """One chart: where its curves lie, and the marks of both axes (value in axis units, text)."""

    title: str
    below: str
    x: Floats
    curves: Sequence[Floats]
    x_marks: Sequence[tuple[float, str]]
    y_marks: Sequence[tuple[float, str]]
    zero: bool = False


def facts_svg(facts: Mapping[str, MarketFacts]) -> str:
    """
    Draw four facts of one or two markets; the picture reads on light and dark.

    Parameters
    ----------
    facts : mapping of str to MarketFacts
        By the name in the legend, at most two.

    """
    found = list(facts.values())
    centres = np.clip((RETURN_EDGES[:-1] + RETURN_EDGES[1:]) / 2.0, -10.0, 10.0)
    lags = [(float(np.log(lag)), str(lag)) for lag in (1, 3, 12, 48, 168)]
    panels = [
        _tails(found),
        _plain(
            "volatility clusters",
            "autocorrelation of |return|, lag in hours",
            np.log(RETURN_LAGS),
            [each.clustering for each in found],
            lags,
        ),
        _plain(
            "open interest falls in crashes",
            "hourly change of open interest %, by return in standard deviations",
            centres,
            [each.open_interest_change for each in found],
            _integers(-10, -5, 0, 5, 10),
            100.0,
        ),
        _plain(
            "funding lasts",
            "autocorrelation of funding, lag in settlements",
            FUNDING_LAGS.astype(np.float64),
            [each.funding_autocorrelation for each in found],
            _integers(1, 15, 30, 45),
        ),
    ]
    drawn = "".join(
        f'<g transform="translate({_WIDTH * (at % 2)} {24 + _HEIGHT * (at // 2)})">{_draw(panel)}</g>'
        for at, panel in enumerate(panels)
    )
    legend = "".join(
        f'<rect class="d{at}" x="{_LEFT + _WIDTH * at}" y="8" width="12" height="12"/>'
        f'<text x="{_LEFT + _WIDTH * at + 18}" y="18">{escape(name)}: {escape(_summary(each))}</text>'
        for at, (name, each) in enumerate(facts.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _WIDTH} {2 * _HEIGHT + 24}" '
        f'width="{2 * _WIDTH}" height="{2 * _HEIGHT + 24}" role="img">'
        f"<title>Stylised facts of {escape(' and '.join(facts))}</title><style>{_STYLE}</style>"
        f"{legend}{drawn}</svg>\n"
    )


def _summary(facts: MarketFacts) -> str:
    years = facts.hours / 8760
    return f"volatility {facts.volatility:.0%}, excess kurtosis {facts.kurtosis:.0f}, {years:.1f} years"


def _tails(found: Sequence[MarketFacts]) -> _Panel:
    """Return the distribution's tails on a logarithmic axis, zero shares left out."""
    curves = [np.log10(np.where(each.tail > 0.0, each.tail, np.nan)) for each in found]
    lowest = int(np.floor(min(np.nanmin(curve) for curve in curves)))
    marks = [(float(at), f"{10.0 ** (at + 2):g}") for at in range(lowest, 1)]
    below = "hours with |return| above so many standard deviations, %"
    return _Panel("returns have fat tails", below, TAIL, curves, _integers(2, 4, 6, 8, 10, 12), marks)


def _integers(*values: int) -> list[tuple[float, str]]:
    return [(float(value), str(value)) for value in values]


def _plain(
    title: str,
    below: str,
    x: Floats,
    curves: Sequence[Floats],
    x_marks: Sequence[tuple[float, str]],
    unit: float = 1.0,
) -> _Panel:
    """Return a panel with a linear axis that holds zero, its marks times `unit`."""
    low = min(0.0, *(float(np.nanmin(curve)) for curve in curves))
    high = max(0.0, *(float(np.nanmax(curve)) for curve in curves))
    step = _round_step((high - low) * unit) / unit
    first, last = int(np.floor(low / step + 1e-9)), int(np.ceil(high / step - 1e-9))
    marks = [(at * step, f"{at * step * unit:.3g}") for at in range(first, last + 1)]
    return _Panel(title, below, x, curves, x_marks, marks, zero=True)


def _round_step(span: float) -> float:
    """Return a round distance between four and ten marks over `span`."""
    power = 10.0 ** np.floor(np.log10(span / 4.0))
    return float(max(step * power for step in (1.0, 2.0, 5.0) if step * power <= span / 4.0))


def _draw(panel: _Panel) -> str:
    right, bottom = _LEFT + _PLOT_X, _TOP + _PLOT_Y
    x0, x1 = float(panel.x.min()), float(panel.x.max())
    y0, y1 = panel.y_marks[0][0], panel.y_marks[-1][0]

    def across(x: float) -> float:
        return round(_LEFT + _PLOT_X * (x - x0) / (x1 - x0), 1)

    def up(y: float) -> float:
        return round(bottom - _PLOT_Y * (y - y0) / (y1 - y0), 1)

    marks = "".join(
        f'<text x="{across(at)}" y="{bottom + 16}" text-anchor="middle">{text}</text>'
        for at, text in panel.x_marks
    ) + "".join(
        f'<text x="{_LEFT - 6}" y="{up(at) + 4}" text-anchor="end">{text}</text>'
        for at, text in panel.y_marks
    )
    lines = ""
    for number, curve in enumerate(panel.curves):
        known = [(across(x), up(y)) for x, y in zip(panel.x, curve, strict=True) if np.isfinite(y)]
        points = " ".join(f"{x},{y}" for x, y in known)
        dots = "".join(f'<circle class="d{number}" cx="{x}" cy="{y}" r="2.4"/>' for x, y in known)
        lines += f'<polyline class="line c{number}" points="{points}"/>{dots}'
    zero = f'<line class="zero" x1="{_LEFT}" x2="{right}" y1="{up(0)}" y2="{up(0)}"/>' if panel.zero else ""
    return (
        f'<text class="title" x="{_LEFT}" y="16">{escape(panel.title)}</text>'
        f'<text x="{_LEFT}" y="31">{escape(panel.below)}</text>'
        f'<line class="axis" x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>'
        f'<line class="axis" x1="{_LEFT}" y1="{_TOP}" x2="{_LEFT}" y2="{bottom}"/>{zero}{marks}{lines}'
    )
