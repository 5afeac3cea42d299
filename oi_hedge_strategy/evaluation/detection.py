"""How well the alerts saw the cascades coming."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.cascades import CascadeEvent
from oi_hedge_strategy.evaluation.bootstrap import Estimate
from oi_hedge_strategy.evaluation.daily import WEEK_NS, bar_step
from oi_hedge_strategy.evaluation.records import Times

HOUR_NS = 3_600_000_000_000
NORMAL_975 = 1.959963984540054
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """
    Hold whether one cascade was seen coming.

    Parameters
    ----------
    event : CascadeEvent
        The cascade.
    judged : bool
        Whether any decision fell into the hours before its onset.
    lead_hours : float, optional
        Hours from the first alert within the horizon to the onset, None when there was none.

    """

    event: CascadeEvent
    judged: bool
    lead_hours: float | None

    @property
    def caught(self) -> bool:
        """Return whether an alert preceded the onset."""
        return self.lead_hours is not None


@dataclass(frozen=True, slots=True)
class Detection:
    """
    Hold how the alerts met the cascades.

    Parameters
    ----------
    outcomes : tuple of EventOutcome
        One for each cascade.
    recall : Estimate
        Share of judged cascades that were caught, with Wilson's 95 % interval.
    chance_recall : float, optional
        Mean recall of the same alerts shifted in time: what a random alert of the same share of time and the
        same episode lengths reaches.
    p_value : float, optional
        Share of all circular shifts, the actual one included, that catch at least as many cascades.
    median_lead_hours : float, optional
        Over the caught cascades.
    episodes, false_alarms, undecided : int
        Alert episodes, those with no onset during or within the horizon after them, and those too near the
        start or the end of what is known to tell.
    false_alarms_per_week : float
        False alarms over the weeks of decisions from when on cascades are known.
    share_of_time_in_alert : float
        Share of decisions with an alert.

    """

    outcomes: tuple[EventOutcome, ...]
    recall: Estimate
    chance_recall: float | None
    p_value: float | None
    median_lead_hours: float | None
    episodes: int
    false_alarms: int
    undecided: int
    false_alarms_per_week: float
    share_of_time_in_alert: float

    @property
    def judged(self) -> int:
        """Return the number of cascades that could have been caught."""
        return sum(outcome.judged for outcome in self.outcomes)

    @property
    def caught(self) -> int:
        """Return the number of cascades that were."""
        return sum(outcome.caught for outcome in self.outcomes)


def judge_alerts(
    ts: Times, alert: Bools, events: Sequence[CascadeEvent], event_hours: int, known: tuple[int, int]
) -> Detection:
    """
    Match alerts with cascades.

    A cascade is caught when an alert stood at a decision within `event_hours` before its onset. An episode of
    alerts (gaps of one decision bridged) is a false alarm when no cascade had its onset after its first alert
    and up to `event_hours` after its last.

    Parameters
    ----------
    ts : int64 array, shape (decisions,)
        Decision times, ascending.
    alert : bool array, shape (decisions,)
        Whether the forecast stood above the alert threshold.
    events : sequence of CascadeEvent
        The cascades.
    event_hours : int
        The horizon.
    known : (int, int)
        From when on and until when cascades are known: what followed an alert before them cannot be told.

    """
    horizon = event_hours * HOUR_NS
    outcomes = tuple(_outcome(ts, alert, event, horizon) for event in events)
    onsets = np.array([outcome.event.onset_ns for outcome in outcomes if outcome.judged], dtype=np.int64)
    leads = [outcome.lead_hours for outcome in outcomes if outcome.lead_hours is not None]
    shifted = caught_by_shift(alert, np.searchsorted(ts, onsets - horizon), np.searchsorted(ts, onsets))
    episodes = alert_episodes(alert)
    false_alarms, undecided = _false_alarms(ts, episodes, events, horizon, known)
    step = bar_step(ts) if ts.size > 1 else HOUR_NS
    weeks = np.count_nonzero(ts >= known[0]) * step / WEEK_NS
    return Detection(
        outcomes=outcomes,
        recall=wilson(len(leads), onsets.size),
        chance_recall=float(shifted.mean() / onsets.size) if onsets.size else None,
        p_value=float(np.mean(shifted >= shifted[0])) if onsets.size else None,
        median_lead_hours=float(np.median(leads)) if leads else None,
        episodes=len(episodes),
        false_alarms=false_alarms,
        undecided=undecided,
        false_alarms_per_week=false_alarms / weeks if weeks else 0.0,
        share_of_time_in_alert=float(alert.mean()),
    )


def alert_episodes(alert: Bools, position: NDArray[np.int64] | None = None) -> list[tuple[int, int]]:
    """
    Return first and last row of each run of alerts, runs one row apart merged.

    Parameters
    ----------
    alert : bool array, shape (n,)
        The alerts.
    position : int64 array, shape (n,), optional
        Where each row stands on a regular grid, for rows that leave some of it out.

    """
    rows = np.flatnonzero(alert)
    if rows.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(rows if position is None else position[rows]) > 2)
    firsts = rows[np.concatenate([[0], breaks + 1])]
    lasts = rows[np.concatenate([breaks, [rows.size - 1]])]
    return [(int(first), int(last)) for first, last in zip(firsts, lasts, strict=True)]


def caught_by_shift(alert: Bools, starts: NDArray[np.intp], stops: NDArray[np.intp]) -> NDArray[np.int64]:
    """
    Return how many windows hold an alert when the alerts are shifted in time, for every circular shift.

    Parameters
    ----------
    alert : bool array, shape (n,)
        The alerts.
    starts, stops : int array, shape (windows,)
        Rows ``starts <= row < stops`` of each window.

    Returns
    -------
    int64 array, shape (n,)
        The first for no shift.

    """
    n = alert.size
    total = np.concatenate([[0], np.cumsum(np.concatenate([alert, alert]))])
    caught = np.zeros(n, dtype=np.int64)
    shift = np.arange(n)
    for start, stop in zip(starts, stops, strict=True):
        first = (start - shift) % n
        caught += total[first + (stop - start)] > total[first]
    return caught


def wilson(successes: int, trials: int) -> Estimate:
    """Return a proportion with Wilson's (1927) 95 % score interval."""
    if trials == 0:
        return Estimate(None, reason="there was no cascade to catch")
    share, z2 = successes / trials, NORMAL_975**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) * NORMAL_975 / (1 + z2 / trials)
    return Estimate(share, max(0.0, centre - spread), min(1.0, centre + spread))


def _outcome(ts: Times, alert: Bools, event: CascadeEvent, horizon: int) -> EventOutcome:
    start, stop = np.searchsorted(ts, [event.onset_ns - horizon, event.onset_ns])
    alerts = np.flatnonzero(alert[start:stop])
    if alerts.size == 0:
        return EventOutcome(event, bool(stop > start), None)
    return EventOutcome(event, True, (event.onset_ns - int(ts[start + alerts[0]])) / HOUR_NS)


def _false_alarms(
    ts: Times,
    episodes: list[tuple[int, int]],
    events: Sequence[CascadeEvent],
    horizon: int,
    known: tuple[int, int],
) -> tuple[int, int]:
    onsets = np.sort(np.array([event.onset_ns for event in events], dtype=np.int64))
    false_alarms = undecided = 0
    for first, last in episodes:
        until = int(ts[last]) + horizon
        after = np.searchsorted(onsets, ts[first], side="right")
        if after < onsets.size and onsets[after] <= until:
            continue
        if ts[first] < known[0] or until > known[1]:
            undecided += 1
        else:
            false_alarms += 1
    return false_alarms, undecided
