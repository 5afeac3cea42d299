"""Small drawings of several lines over one axis of time, as SVG that takes the page's colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from oi_hedge_strategy.evaluation.records import Floats, Times

WIDTH, LEFT, RIGHT, TOP = 300, 58, 8, 5
GAP, AXIS = 8, 17
HEIGHT = 44.0
HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class Track:
    """
    Hold one line of a drawing.

    Parameters
    ----------
    name : str
        What it shows; also the class of its line, for its colour.
    ts : int64 array, shape (n,)
        Times, nanoseconds.
    values : float64 array, shape (n,)
        Values, NaN where there is none.
    low, high : float
        Ends of its scale.
    low_text, high_text : str
        How the ends are written.
    height : float
        Of the track.
    stepped : bool
        Whether a value holds until the next.
    shaded : sequence of (int, int), optional
        Stretches of time to shade.

    """

    name: str
    ts: Times
    values: Floats
    low: float
    high: float
    low_text: str
    high_text: str
    height: float = HEIGHT
    stepped: bool = False
    shaded: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """
    Draw tracks below one another around a moment.

    Parameters
    ----------
    moment_ns, until_ns : int
        What is marked: the moment by a line, the time until `until_ns` by shade.
    before_hours, after_hours : int
        How much time is drawn.

    """

    moment_ns: int
    until_ns: int
    before_hours: int
    after_hours: int

    @property
    def window(self) -> tuple[int, int]:
        """Return first and last time drawn."""
        return (
            self.moment_ns - self.before_hours * HOUR_NS,
            self.moment_ns + self.after_hours * HOUR_NS,
        )

    def x(self, ts: Times | int) -> Floats:
        """Return the horizontal place of times, cut at the edges."""
        start, stop = self.window
        share = np.clip((np.asarray(ts, np.float64) - start) / (stop - start), 0.0, 1.0)
        return np.asarray(LEFT + (WIDTH - LEFT - RIGHT) * share)

    def svg(self, tracks: Sequence[Track], name: str) -> str:
        """Return the drawing, `name` being what it is called to those who cannot see it."""
        bottom = TOP + sum(track.height for track in tracks) + GAP * (len(tracks) - 1)
        at = float(self.x(self.moment_ns))
        parts = [
            self._box("move", self.moment_ns, self.until_ns, TOP, bottom - TOP),
            f'<line class="onset" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom:.0f}"/>',
        ]
        y = float(TOP)
        for track in tracks:
            parts += [self._box("alert", *ends, y, track.height) for ends in track.shaded]
            parts.append(self._track(track, y))
            y += track.height + GAP
        parts += self._ticks(bottom + AXIS - 5)
        size = f"0 0 {WIDTH} {bottom + AXIS:.0f}"
        return f'<svg viewBox="{size}" role="img" aria-label="{escape(name)}">{"".join(parts)}</svg>'

    def _track(self, track: Track, y: float) -> str:
        share = np.clip((track.values - track.low) / (track.high - track.low), 0.0, 1.0)
        x, heights = self.x(track.ts), y + track.height * (1.0 - share)
        known = np.isfinite(heights)
        pieces: list[str] = []
        for i in np.flatnonzero(known):
            if i == 0 or not known[i - 1]:
                pieces.append(f"M{x[i]:.1f} {heights[i]:.1f}")
            elif track.stepped:
                pieces.append(f"H{x[i]:.1f}V{heights[i]:.1f}")
            else:
                pieces.append(f"L{x[i]:.1f} {heights[i]:.1f}")
        base, middle = y + track.height, y + track.height / 2
        return (
            f'<line class="base" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base:.1f}" y2="{base:.1f}"/>'
            f'<text class="name" x="2" y="{middle + 3:.1f}">{escape(track.name)}</text>'
            f'<text x="{LEFT - 4}" y="{y + 8:.1f}" text-anchor="end">{escape(track.high_text)}</text>'
            f'<text x="{LEFT - 4}" y="{base:.1f}" text-anchor="end">{escape(track.low_text)}</text>'
            f'<path class="line {escape(track.name)}" d="{"".join(pieces)}"/>'
        )

    def _box(self, kind: str, start: int, end: int, y: float, height: float) -> str:
        left, right = float(self.x(start)), float(self.x(end))
        wide = max(right - left, 1.5)
        return f'<rect class="{kind}" x="{left:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{height:.1f}"/>'

    def _ticks(self, y: float) -> list[str]:
        shifts = (-self.before_hours, -self.before_hours // 2, 0, self.after_hours)
        ticks = []
        for shift in shifts:
            x = float(self.x(self.moment_ns + shift * HOUR_NS))
            anchor = "end" if shift == self.after_hours else "middle"
            text = f"{shift:+d} h" if shift else "onset"
            ticks.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>')
        return ticks


def scaled(name: str, ts: Times, values: Floats, form: str, height: float = HEIGHT) -> Track:
    """Return a track that fills its height, its ends written in the format `form`."""
    known = values[np.isfinite(values)]
    if not known.size:
        return Track(name, ts, values, 0.0, 1.0, "", "not known", height)
    low, high = float(known.min()), float(known.max())
    top = high if high > low else low + 1.0
    return Track(name, ts, values, low, top, form.format(low), form.format(high), height)
