"""The charts of a page, as JSON inside it."""

import json
from html import escape
from typing import Any

import plotly.graph_objects as go

from oi_hedge_strategy.evaluation.page import FIGURE

SHARED_FROM = 400


class FigureStore:
    """Collect the charts, holding every array once however many traces use it."""

    def __init__(self) -> None:
        self.figures: dict[str, Any] = {}
        self._arrays: dict[str, int] = {}

    def add(self, key: str, heading: str, caption: str, figure: go.Figure) -> str:
        """Keep a chart and return its place in the page."""
        self.figures[key] = self._share(json.loads(figure.to_json()))
        return FIGURE.substitute(
            key=key, heading=escape(heading), caption=escape(caption), height=figure.layout.height
        )

    def to_json(self) -> str:
        """Return charts and arrays as JSON that may stand inside a script element."""
        arrays = [json.loads(text) for text in self._arrays]
        text = json.dumps({"figures": self.figures, "arrays": arrays}, allow_nan=False, separators=(",", ":"))
        return text.replace("<", "\\u003c")

    def _share(self, value: Any) -> Any:
        if isinstance(value, dict):
            if len(value.get("bdata", "")) >= SHARED_FROM:
                return {"array$": self._arrays.setdefault(json.dumps(value), len(self._arrays))}
            return {key: self._share(item) for key, item in value.items()}
        return [self._share(item) for item in value] if isinstance(value, list) else value
