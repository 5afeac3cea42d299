"""Where leveraged positions opened at past prices would be liquidated."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, log
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.margin import liquidation_price

_LOWEST, _HIGHEST = 1e-6, 1e7
_LEAST_SCALE = 1e-100
_GATHERED_NS = 3_600_000_000_000

_Cell = tuple[int, int, float]
"""Row (longs, shorts), bin and share of a cohort's positions at one leverage."""


@dataclass(frozen=True, slots=True)
class LiquidationMapConfig:
    """
    Configure the liquidation map.

    Parameters
    ----------
    leverage : tuple of (float, float)
        The distribution of leverage among new positions: (leverage, share), shares summing to one.
    maintenance_margin_rate : float
        As a fraction of the position's notional.
    bands : tuple of float
        Edges of the distance bands from the price, fractions, ascending from zero.
    bin_width : float
        Width of the bins in log price.
    memory_days : float
        Positions older than this are taken as closed.

    """

    leverage: tuple[tuple[float, float], ...] = (
        (5.0, 0.15),
        (10.0, 0.30),
        (25.0, 0.25),
        (50.0, 0.20),
        (100.0, 0.10),
    )
    maintenance_margin_rate: float = 0.005
    bands: tuple[float, ...] = (0.0, 0.02, 0.05, 0.10, 0.15, 0.20, 0.30)
    bin_width: float = 0.001
    memory_days: float = 90.0

    def __post_init__(self) -> None:
        if abs(sum(share for _, share in self.leverage) - 1.0) > 1e-9:
            raise ValueError(f"leverage shares must sum to one, was {self.leverage}")
        if self.bands[0] != 0 or (np.diff(self.bands) <= 0).any() or self.bands[-1] >= 1:
            raise ValueError(f"bands must ascend from zero and stay below one, was {self.bands}")

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the configuration from its JSON fields."""
        fields = dict(fields)
        fields["leverage"] = tuple((float(x), float(share)) for x, share in fields["leverage"])
        fields["bands"] = tuple(float(edge) for edge in fields["bands"])
        return cls(**fields)


class LiquidationMap:
    """
    Estimate one venue's liquidation levels from its open interest and price.

    A rise of open interest opens as many longs as shorts at the traded price, spread over the leverage
    distribution, each with its isolated-margin liquidation price. A bar that trades through a level consumes
    it. A fall of open interest closes positions pro rata. Every step is linear in the positions, so what was
    opened before `memory_days` has no influence at all.

    Parameters
    ----------
    config : LiquidationMapConfig
        The parameters.

    """

    def __init__(self, config: LiquidationMapConfig) -> None:
        self._config = config
        self._first_bin = floor(log(_LOWEST) / config.bin_width)
        bins = floor(log(_HIGHEST) / config.bin_width) - self._first_bin + 1
        self._levels = np.zeros((2, bins))
        self._nearest = [-1, bins]
        self._consumed_at = np.zeros((2, bins), dtype=np.int64)
        self._step = self._bar_step = 0
        self._scale = 1.0
        self._cohorts: deque[tuple[int, int, float, float]] = deque()
        self._memory_ns = int(config.memory_days * 86_400e9)
        mmr = config.maintenance_margin_rate
        self._ladder = [
            (row, log(liquidation_price(1.0, leverage, mmr, side)), share)
            for row, side in enumerate((1, -1))
            for leverage, share in config.leverage
        ]
        edges = np.asarray(config.bands)
        below, above = np.log(1.0 - edges[::-1]), np.log(1.0 + edges)
        self._edges = [np.rint(side / config.bin_width).astype(np.int64) for side in (below, above)]
        self._traded = 0.0
        self._price = 0.0
        self._open_interest = 0.0

    @property
    def open_interest(self) -> float:
        """Return the last open interest, base coin; zero before the first."""
        return self._open_interest

    def update_bar(self, high: float, low: float, close: float) -> None:
        """Consume the levels that a bar traded through; its mean price prices the positions opened next."""
        self._step += 1
        self._bar_step = self._step
        self._traded = (high + low + close) / 3.0
        self._price = close
        self._consume(self._bin(log(low)), self._bin(log(high)))

    def update_open_interest(self, ts: int, quantity: float) -> None:
        """Open positions on a rise and close them pro rata on a fall of open interest in base coin."""
        before = self._move_to(ts, quantity)
        if quantity < before:
            self._scale_by(quantity / before)
        elif quantity > before > 0.0 and self._traded > 0.0:
            self._open(ts, (quantity - before) / self._scale)

    def rebase(self, ts: int, quantity: float) -> None:
        """Take open interest of another scale: every position keeps its share, none is opened or closed."""
        before = self._move_to(ts, quantity)
        if before > 0.0:
            self._scale_by(quantity / before)

    def density(self) -> NDArray[np.float64]:
        """
        Return the positions that would be liquidated, by side and distance from the price.

        Returns
        -------
        float64 array, shape (2, bands)
            Base coin; row 0 longs below the price, row 1 shorts above it, nearest band first. Band edges are
            met to one bin.

        """
        out = np.zeros((2, len(self._config.bands) - 1))
        if self._price <= 0.0:
            return out
        now = self._bin(log(self._price))
        for side, edges in enumerate(self._edges):
            part = self._levels[side, now + edges[0] : now + edges[-1]]
            totals = np.add.reduceat(part, edges[:-1] - edges[0])
            out[side] = totals[::-1] if side == 0 else totals
        return np.maximum(out, 0.0) * self._scale

    def save(self) -> dict[str, NDArray[Any]]:
        """Return copies of all positions and what they were opened by, for `restore`."""
        held, consumed = np.flatnonzero(self._levels), np.flatnonzero(self._consumed_at)
        steps, times, units, traded = zip(*self._cohorts, strict=True) if self._cohorts else ((),) * 4
        return {
            "held": held,
            "levels": self._levels.reshape(-1)[held],
            "consumed": consumed,
            "consumed_at": self._consumed_at.reshape(-1)[consumed],
            "cohorts": np.array([steps, times], np.int64),
            "opened": np.array([units, traded], np.float64),
            "counts": np.array([self._step, self._bar_step, *self._nearest], np.int64),
            "numbers": np.array([self._scale, self._traded, self._price, self._open_interest]),
        }

    def restore(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Become the map that `save` was called on; the configuration must be the same."""
        self._levels[:], self._consumed_at[:] = 0.0, 0
        self._levels.reshape(-1)[saved["held"]] = saved["levels"]
        self._consumed_at.reshape(-1)[saved["consumed"]] = saved["consumed_at"]
        self._cohorts = deque(zip(*saved["cohorts"].tolist(), *saved["opened"].tolist(), strict=True))
        self._step, self._bar_step, *self._nearest = saved["counts"].tolist()
        self._scale, self._traded, self._price, self._open_interest = saved["numbers"].tolist()

    def _bin(self, log_price: float) -> int:
        return floor(log_price / self._config.bin_width) - self._first_bin

    def _cells(self, traded: float) -> tuple[_Cell, ...]:
        """Return where positions opened at a price are liquidated."""
        entry = log(traded)
        return tuple((row, self._bin(entry + distance), share) for row, distance, share in self._ladder)

    def _open(self, ts: int, units: float) -> None:
        cells = self._cells(self._traded)
        for row, at, share in cells:
            self._levels[row, at] += units * share
        self._nearest[0] = max(self._nearest[0], *(at for row, at, _ in cells if row == 0))
        self._nearest[1] = min(self._nearest[1], *(at for row, at, _ in cells if row == 1))
        self._remember(ts, units)
        self._step += 1
        now = self._bin(log(self._price))
        self._consume(now, now)

    def _remember(self, ts: int, units: float) -> None:
        """Note what was opened; what opens between two bars, within an hour, opens and leaves together."""
        if self._cohorts:
            step, since, before, traded = self._cohorts[-1]
            if step > self._bar_step and ts - since < _GATHERED_NS:
                self._cohorts[-1] = step, since, before + units, traded
                return
        self._cohorts.append((self._step, ts, units, self._traded))

    def _consume(self, low: int, high: int) -> None:
        """Empty the levels of longs from bin `low` upwards and of shorts from bin `high` downwards."""
        longs, shorts = self._nearest
        if longs >= low:
            self._levels[0, low : longs + 1] = 0.0
            self._consumed_at[0, low : longs + 1] = self._step
            self._nearest[0] = low - 1
        if shorts <= high:
            self._levels[1, shorts : high + 1] = 0.0
            self._consumed_at[1, shorts : high + 1] = self._step
            self._nearest[1] = high + 1

    def _move_to(self, ts: int, quantity: float) -> float:
        """Note open interest and return what it was."""
        self._step += 1
        self._forget(ts)
        before, self._open_interest = self._open_interest, quantity
        return before

    def _scale_by(self, factor: float) -> None:
        self._scale *= factor
        if self._scale < _LEAST_SCALE:
            self._rescale()

    def _forget(self, ts: int) -> None:
        """Take out positions older than the memory, unless their level was consumed since."""
        while self._cohorts and self._cohorts[0][1] < ts - self._memory_ns:
            step, _, units, traded = self._cohorts.popleft()
            for row, at, share in self._cells(traded):
                if self._consumed_at[row, at] <= step:
                    self._levels[row, at] -= units * share

    def _rescale(self) -> None:
        self._levels *= self._scale
        self._cohorts = deque(
            (step, ts, units * self._scale, traded) for step, ts, units, traded in self._cohorts
        )
        self._scale = 1.0
