"""The liquidation map through time."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.figures import INK, OTHERS, UNHEDGED, layout, line, milliseconds
from oi_hedge_strategy.evaluation.records import Floats, LiquidationLevels, MarketRecord

HEIGHT = 520
SATURATED = 99.0
MILLION = 1e6
ONE_PERCENT = 0.01


def heat_map_chart(market: MarketRecord, levels: LiquidationLevels, quote: str) -> go.Figure:
    """
    Draw where positions would be liquidated, as it was known, with the price that ran through them.

    Parameters
    ----------
    market : MarketRecord
        The closes.
    levels : LiquidationLevels
        The map.
    quote : str
        Name of the quote currency.

    """
    figure = go.Figure()
    found = [notional_per_percent(side, levels.edges) for side in (levels.longs, levels.shorts)]
    top = _saturation(found)
    unit = f"million {quote} a 1 % of price"
    for place, (name, color, values) in enumerate(
        (("longs", OTHERS[0], found[0]), ("shorts", OTHERS[5], found[1]))
    ):
        figure.add_heatmap(
            x=milliseconds(levels.ts),
            y=levels.edges.round(2),
            z=np.where(values > 0.0, values, np.nan).astype(np.float32).T,
            zmin=0.0,
            zmax=top,
            colorscale=_fading(color),
            colorbar={
                "title": {"text": name, "side": "top"},
                "thickness": 11,
                "len": 0.48,
                "y": 0.24 if place == 0 else 0.76,
                "outlinewidth": 0,
            },
            name=name,
            hoverongaps=False,
            hovertemplate=f"%{{x}}, %{{y:,.0f}} {quote}: %{{z:,.1f}} {unit}<extra>{name}</extra>",
        )
    close = line(market.ts, market.close, "close", UNHEDGED, 1.3, meta=INK, showlegend=False)
    figure.add_trace(close)
    layout(figure, f"price, {quote}", market.ts, HEIGHT)
    figure.update_xaxes(showgrid=False)
    return figure.update_layout(
        hovermode="closest",
        yaxis={"showgrid": False, "range": np.log10(levels.edges[[0, -1]]).tolist(), "type": "log"},
        margin_r=80,
    )


def notional_per_percent(quantity: NDArray[np.float32], edges: Floats) -> Floats:
    """
    Return positions by price bin as notional for each per cent of the price.

    Parameters
    ----------
    quantity : float32 array, shape (n, bins)
        Base coin.
    edges : float64 array, shape (bins + 1,)
        Of the bins.

    Returns
    -------
    float64 array, shape (n, bins)
        Millions of quote currency.

    """
    price = np.sqrt(edges[1:] * edges[:-1])
    width = np.diff(np.log(edges)) / ONE_PERCENT
    return quantity * price / width / MILLION


def _saturation(found: list[Floats]) -> float:
    """Return the value from which on the colour is full: only the highest hundredth lies above."""
    held = np.concatenate([each[each > 0.0] for each in found])
    return float(np.percentile(held, SATURATED)) if held.size else 1.0


def _fading(color: str) -> list[list[object]]:
    """Return a colour scale from nothing to the colour, so that it reads on a light and on a dark page."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    stops = ((0.0, 0.0), (0.15, 0.25), (0.5, 0.65), (1.0, 1.0))
    return [[at, f"rgba({red},{green},{blue},{alpha})"] for at, alpha in stops]
