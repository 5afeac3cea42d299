"""Reliability curves of a walk-forward: as data and as a picture for the documentation."""

from html import escape

import numpy as np

from oi_hedge_strategy.training.metrics import Reliability, reliability
from oi_hedge_strategy.training.predictions import Predictions
from oi_hedge_strategy.training.score import Scores
from oi_hedge_strategy.training.score_words import output_title, title

Curves = dict[str, dict[str, Reliability]]
_COLUMNS = 3
_PANEL, _PLOT, _LEFT, _TOP = 270, 200, 44, 34
_STYLE = """
text { font: 11px system-ui, sans-serif; fill: #57606a; } .title { font-size: 12px; fill: #24292f; }
.axis { stroke: #8b949e; } .even { stroke: #8b949e; stroke-dasharray: 4 3; }
.curve { stroke: #3b82f6; stroke-width: 1.8; fill: none; } .dot { fill: #3b82f6; }
.whisker { stroke: #3b82f6; }
@media (prefers-color-scheme: dark) { text { fill: #9aa4af; } .title { fill: #e4e7eb; } }
"""


def reliability_curves(predictions: Predictions, scores: Scores) -> Curves:
    """
    Return the reliability curve of every output and forecaster, all assets pooled.

    Of several seeds the first is taken: the mean of their probabilities is another forecaster.
    """
    curves: Curves = {}
    for output, index in predictions.outputs():
        outcome = predictions.cascade[:, *index].astype(np.float64)
        for name, values in predictions.probability.items():
            probability = values[0][:, *index].astype(np.float64)
            known = np.isfinite(outcome) & np.isfinite(probability)
            if known.any():
                curves.setdefault(output, {})[name] = reliability(
                    probability[known], outcome[known], predictions.ts[known], scores.bootstrap
                )
    return curves


def reliability_svg(curves: Curves, forecaster: str) -> str:
    """Return one forecaster's reliability curves as an SVG picture that reads on light and dark."""
    found = {output: each[forecaster] for output, each in curves.items() if forecaster in each}
    rows = -(-len(found) // _COLUMNS)
    width, height = _PANEL * min(_COLUMNS, len(found)), (_PANEL + 10) * rows
    panels = "".join(
        f'<g transform="translate({_PANEL * (at % _COLUMNS)} {(_PANEL + 10) * (at // _COLUMNS)})">'
        f"{_panel(output_title(output), curve)}</g>"
        for at, (output, curve) in enumerate(found.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img"><title>Reliability of {escape(title(forecaster))}</title>'
        f"<style>{_STYLE}</style>{panels}</svg>\n"
    )


def _panel(heading: str, curve: Reliability) -> str:
    highest = float(max(curve.forecast.max(), np.nanmax(curve.high), 1e-6))
    step = _tick(highest)
    top = step * float(np.ceil(highest / step))
    right, bottom = _LEFT + _PLOT, _TOP + _PLOT

    def at(forecast: float, observed: float) -> tuple[float, float]:
        return round(_LEFT + _PLOT * forecast / top, 1), round(bottom - _PLOT * observed / top, 1)

    points = [at(x, y) for x, y in zip(curve.forecast, curve.observed, strict=True)]
    whiskers = "".join(
        f'<line class="whisker" x1="{x}" x2="{x}" y1="{at(0, low)[1]}" y2="{at(0, high)[1]}"/>'
        for (x, _), low, high in zip(points, curve.low, curve.high, strict=True)
    )
    dots = "".join(f'<circle class="dot" cx="{x}" cy="{y}" r="2.6"/>' for x, y in points)
    path = " ".join(f"{x},{y}" for x, y in points)
    labels = [
        (round(_PLOT * at * step / top, 1), f"{100 * at * step:.3g}</text>")
        for at in range(round(top / step) + 1)
    ]
    ticks = "".join(
        f'<text x="{_LEFT + along}" y="{bottom + 15}" text-anchor="middle">{text}'
        f'<text x="{_LEFT - 6}" y="{bottom - along + 4}" text-anchor="end">{text}'
        for along, text in labels
    )
    samples = f"{curve.samples.size} bins of {int(np.median(curve.samples)):,}"
    return (
        f'<text class="title" x="{_LEFT}" y="14">{escape(heading)}</text>'
        f'<text x="{_LEFT}" y="28">observed %, {samples}</text>'
        f'<line class="axis" x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>'
        f'<line class="axis" x1="{_LEFT}" y1="{_TOP}" x2="{_LEFT}" y2="{bottom}"/>'
        f'<line class="even" x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{_TOP}"/>'
        f'{ticks}{whiskers}<polyline class="curve" points="{path}"/>{dots}'
        f'<text x="{right}" y="{bottom + 29}" text-anchor="end">forecast %</text>'
    )


def _tick(top: float) -> float:
    """Return a round distance between three to six marks up to `top`."""
    power = 10.0 ** np.floor(np.log10(top / 3.0))
    return float(max(step * power for step in (1.0, 2.0, 5.0) if step * power <= top / 3.0))
