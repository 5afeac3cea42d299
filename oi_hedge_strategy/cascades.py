"""The one definition of a liquidation cascade, used to train, to evaluate and to report."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Side = Literal["down", "up"]
SIDES: tuple[Side, Side] = ("down", "up")


@dataclass(frozen=True, slots=True)
class CascadeDefinition:
    """
    Define a cascade: a large move together with a fall of aggregate open interest.

    A cascade to one side begins at `t` for horizon `H` when, within `(t, t + H]`, the price moves from the
    close at `t` by at least ``max(floor, sigma_multiple * sigma(t) * sqrt(H))`` to that side and the open
    interest of the venues known at `t` falls by at least `open_interest_fall`.

    Parameters
    ----------
    horizons_hours : tuple of int
        The horizons, ascending.
    sigma_multiple : float
        The move in standard deviations of the horizon's return.
    floor : float
        The least move, as a fraction of the price.
    open_interest_fall : float
        The least fall of aggregate open interest, as a fraction.
    volatility_hours : int
        The centre of mass of the exponentially weighted volatility, in hours.

    """

    horizons_hours: tuple[int, ...] = (4, 18, 48)
    sigma_multiple: float = 1.5
    floor: float = 0.03
    open_interest_fall: float = 0.03
    volatility_hours: int = 168

    def __post_init__(self) -> None:
        if not self.horizons_hours or list(self.horizons_hours) != sorted(set(self.horizons_hours)):
            raise ValueError(f"horizons_hours must ascend and not be empty, was {self.horizons_hours}")
        if self.horizons_hours[0] < 1:
            raise ValueError(f"horizons_hours must be at least 1, was {self.horizons_hours}")
        if min(self.sigma_multiple, self.floor, self.open_interest_fall) < 0 or self.volatility_hours < 2:
            raise ValueError(f"cascade parameters must not be negative, was {self}")

    @property
    def event_index(self) -> int:
        """Return the index of the middle horizon: by it cascades are told apart, and alerts are given."""
        return len(self.horizons_hours) // 2

    @property
    def event_hours(self) -> int:
        """Return the middle horizon."""
        return self.horizons_hours[self.event_index]


@dataclass(frozen=True, slots=True)
class HourlyMarket:
    """
    Hold one asset's market on a regular hourly grid, NaN where nothing was known.

    Parameters
    ----------
    ts : int64 array, shape (n,)
        The hours, nanoseconds since the epoch, one hour apart.
    high, low, close : float64 array, shape (n,)
        The reference venue's bar that ended in the hour before `ts`, USD.
    open_interest : float64 array, shape (n, venues)
        One-sided open interest as known at `ts`, base coin.

    """

    ts: NDArray[np.int64]
    high: Floats
    low: Floats
    close: Floats
    open_interest: Floats


@dataclass(frozen=True, slots=True)
class CascadeLabels:
    """
    Hold the outcome that followed each hour, NaN where it is not known.

    Parameters
    ----------
    cascade : float64 array, shape (n, sides, horizons)
        1 where a cascade followed, 0 where none did.
    excursion : float64 array, shape (n, sides, horizons)
        The largest move to the side within the horizon, as a fraction of the price, not negative.
    change : float64 array, shape (n, horizons)
        The price at the end of the horizon over that at `t`, less one.
    onset_hours : float64 array, shape (n, sides, horizons)
        Hours from `t` until the move reached its threshold, NaN where no cascade followed.

    """

    cascade: Floats
    excursion: Floats
    change: Floats
    onset_hours: Floats


@dataclass(frozen=True, slots=True)
class CascadeEvent:
    """Name one cascade: its side, the moment its move was complete and how deep it went."""

    side: Side
    onset_ns: int
    end_ns: int
    depth: float


def hourly_volatility(close: Floats, centre_of_mass: int) -> Floats:
    """
    Return the exponentially weighted standard deviation of hourly log returns, known at each hour.

    The first `centre_of_mass` returns only warm the estimate up and give NaN.

    Parameters
    ----------
    close : float64 array, shape (n,)
        Hourly closes, NaN where missing.
    centre_of_mass : int
        The weight of a new squared return is ``1 / (1 + centre_of_mass)``.

    """
    weight = 1.0 / (1.0 + centre_of_mass)
    out = np.full(close.shape, np.nan)
    variance, seen, last = 0.0, 0, np.nan
    for i, price in enumerate(close):
        if np.isfinite(price):
            if np.isfinite(last):
                seen += 1
                variance += max(weight, 1.0 / seen) * (np.log(price / last) ** 2 - variance)
            last = price
        if seen >= centre_of_mass:
            out[i] = np.sqrt(variance)
    return out


def label_cascades(market: HourlyMarket, definition: CascadeDefinition) -> CascadeLabels:
    """
    Label every hour with what followed it.

    An hour has no label where its close, its volatility or every venue's open interest is unknown, or where
    the horizon reaches beyond the data.
    """
    n, horizons = market.close.size, definition.horizons_hours
    shape = (n, len(SIDES), len(horizons))
    cascade, excursion, onset = (np.full(shape, np.nan) for _ in range(3))
    sigma = hourly_volatility(market.close, definition.volatility_hours)
    remaining = remaining_open_interest(market.open_interest, horizons[-1])
    for side, extreme in enumerate((market.low, market.high)):
        sign = -1.0 if SIDES[side] == "down" else 1.0
        moves = sign * (following(extreme, horizons[-1]) / market.close[:, None] - 1.0)
        for h, hours in enumerate(horizons):
            threshold = np.maximum(definition.floor, definition.sigma_multiple * sigma * np.sqrt(hours))
            path = np.maximum.accumulate(np.nan_to_num(moves[:, :hours], nan=-np.inf), axis=1)
            left = np.nanmin(np.where(np.isnan(remaining[:, :hours]), np.inf, remaining[:, :hours]), axis=1)
            moved = path >= threshold[:, None]
            happened = moved[:, -1] & (left <= 1.0 - definition.open_interest_fall)
            known = np.isfinite(path[:, -1]) & np.isfinite(threshold) & np.isfinite(left)
            known[max(0, n - hours) :] = False
            excursion[known, side, h] = np.maximum(path[known, -1], 0.0)
            cascade[known, side, h] = happened[known]
            hit = known & happened
            onset[hit, side, h] = moved[hit].argmax(axis=1) + 1.0
    ahead = following(market.close, horizons[-1])[:, [hours - 1 for hours in horizons]]
    return CascadeLabels(cascade, excursion, ahead / market.close[:, None] - 1.0, onset)


def cascade_events(
    market: HourlyMarket, labels: CascadeLabels, side: Side, definition: CascadeDefinition, horizon: int = -1
) -> list[CascadeEvent]:
    """
    Merge labelled hours into separate cascades.

    Hours whose moves complete within one horizon of the cascade before belong to that cascade.

    Parameters
    ----------
    horizon : int
        Index into `definition.horizons_hours`; the last by default.

    """
    s, hours = SIDES.index(side), definition.horizons_hours[horizon]
    rows = np.flatnonzero(labels.cascade[:, s, horizon] == 1.0)
    completed = rows + labels.onset_hours[rows, s, horizon].astype(np.int64)
    events: list[CascadeEvent] = []
    first = last = -1
    depth = 0.0
    for row, at in sorted(zip(rows, completed, strict=True), key=lambda pair: (pair[1], pair[0])):
        move = float(labels.excursion[row, s, horizon])
        if first >= 0 and at - last <= hours:
            last, depth = at, max(depth, move)
            continue
        if first >= 0:
            events.append(CascadeEvent(side, int(market.ts[first]), int(market.ts[last]), depth))
        first, last, depth = at, at, move
    if first >= 0:
        events.append(CascadeEvent(side, int(market.ts[first]), int(market.ts[last]), depth))
    return events


def following(values: Floats, steps: int) -> Floats:
    """Return the `steps` values after each row, shape (n, steps), NaN beyond the end."""
    padded = np.concatenate([values[1:], np.full(steps, np.nan)])
    return np.lib.stride_tricks.sliding_window_view(padded, steps)[: values.size]


def remaining_open_interest(open_interest: Floats, steps: int) -> Floats:
    """Return open interest after each hour over that at the hour, of venues known at both, (n, steps)."""
    kept = np.zeros((open_interest.shape[0], steps))
    before = np.zeros_like(kept)
    for venue in open_interest.T:
        after = following(venue, steps)
        both = np.isfinite(after) & np.isfinite(venue)[:, None]
        kept += np.where(both, after, 0.0)
        before += np.where(both, venue[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(before > 0, kept / before, np.nan)
