"""Alerts at a fixed threshold against labelled samples: what was caught, how early, and false alarms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.evaluation.daily import WEEK_NS
from oi_hedge_strategy.evaluation.detection import HOUR_NS, alert_episodes
from oi_hedge_strategy.training.metrics import DayWeights, Reals

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
NAMES = ("caught_share", "median_lead_hours", "false_alarms_per_week", "share_of_time_in_alert")


@dataclass(frozen=True, slots=True)
class LabelledEvents:
    """
    Hold the separate cascades behind one asset's labelled samples.

    Parameters
    ----------
    row : int64 array, shape (positives,)
        The samples that a cascade followed.
    event : int64 array, shape (positives,)
        The cascade that each of them belongs to.
    sample_ns : int64 array, shape (events,)
        The time of each cascade's first sample.
    complete_ns : int64 array, shape (events,), optional
        When each cascade's move was complete for the first time, None where onsets are not known.

    """

    row: Ints
    event: Ints
    sample_ns: Ints
    complete_ns: Ints | None

    def __len__(self) -> int:
        return int(self.sample_ns.size)


def labelled_events(
    ts: Ints, outcome: Floats, horizon_hours: int, onset_hours: Reals | None = None
) -> LabelledEvents:
    """
    Merge labelled samples into separate cascades, as `cascade_events` merges labelled hours.

    Samples whose moves complete within one horizon of the cascade before belong to that cascade; where onsets
    are not known, samples within one horizon of each other do. Samples of several assets may be given
    together: their moves merge into cascades of the whole market.

    Parameters
    ----------
    ts : int64 array, shape (n,)
        Decision times, ascending.
    outcome : float64 array, shape (n,)
        1 where a cascade followed.
    horizon_hours : int
        The horizon.
    onset_hours : float64 array, shape (n,), optional
        Hours until each cascade's move was complete.

    """
    row = np.flatnonzero(outcome == 1.0)
    at = ts[row]
    if onset_hours is not None:
        at = at + (onset_hours[row] * HOUR_NS).astype(np.int64)
    order = np.lexsort((row, at))
    row, at = row[order], at[order]
    first = np.diff(at, prepend=np.iinfo(np.int64).min // 2) > horizon_hours * HOUR_NS
    event = np.cumsum(first) - 1
    sample_ns = np.full(int(first.sum()), np.iinfo(np.int64).max)
    np.minimum.at(sample_ns, event, ts[row])
    return LabelledEvents(row, event, sample_ns, None if onset_hours is None else at[first])


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """
    Hold how alerts met cascades, in time, so that days can be drawn.

    Parameters
    ----------
    event_ns : int64 array, shape (events,)
        The time of each cascade's first sample.
    caught : bool array, shape (events,)
        Whether an alert stood at a sample that the cascade followed, before its move was complete.
    lead_hours : float64 array, shape (events,)
        Hours from the first such alert to the completed move; NaN where there was none or onsets are unknown.
    false_ns : int64 array, shape (false alarms,)
        When each false alarm began.
    alert_ns : int64 array, shape (alerts,)
        The samples with an alert.
    step_ns : int
        Time between neighbouring samples.

    """

    event_ns: Ints
    caught: Bools
    lead_hours: Floats
    false_ns: Ints
    alert_ns: Ints
    step_ns: int


def match_alerts(
    ts: Ints, alert: Bools, outcome: Floats, events: LabelledEvents, step_ns: int
) -> AlertRecord:
    """
    Match one asset's alerts with its cascades.

    An episode of alerts is a false alarm when no cascade followed any of its samples within the horizon and
    what followed all of them is known; gaps of one sample within an episode are bridged.

    Parameters
    ----------
    ts : int64 array, shape (n,)
        Decision times, ascending.
    alert : bool array, shape (n,)
        Where the forecast reached the threshold.
    outcome : float64 array, shape (n,)
        1, 0, or NaN where not known.
    events : LabelledEvents
        The cascades among these samples.
    step_ns : int
        Time between neighbouring samples.

    """
    row, event = events.row, events.event
    chosen = alert[row]
    if events.complete_ns is not None:
        chosen = chosen & (ts[row] < events.complete_ns[event])
    earliest = np.full(len(events), np.iinfo(np.int64).max)
    np.minimum.at(earliest, event[chosen], ts[row[chosen]])
    caught = earliest < np.iinfo(np.int64).max
    lead = np.full(len(events), np.nan)
    if events.complete_ns is not None:
        lead[caught] = (events.complete_ns[caught] - earliest[caught]) / HOUR_NS
    false_ns = _false_alarms(ts, alert, outcome, step_ns)
    return AlertRecord(events.sample_ns, caught, lead, false_ns, ts[alert], step_ns)


def alert_metrics(records: Sequence[AlertRecord], weights: DayWeights, weeks: Floats) -> dict[str, Floats]:
    """
    Return the share of cascades caught, median lead time, false alarms a week and share of time in alert.

    An alert that is always on catches every cascade without a false alarm: only the share of time shows it.

    Parameters
    ----------
    records : sequence of AlertRecord
        One for each asset.
    weights : DayWeights
        The days of the period; what lies outside them is left out.
    weeks : float64 array, shape (1 + resamples,)
        Weeks with forecasts, those of all assets added up: false alarms are those of an asset.

    Returns
    -------
    dict of str to float64 array, shape (1 + resamples,)
        By the names in `NAMES`; NaN where not defined.

    """
    event_ns = np.concatenate([each.event_ns for each in records])
    caught = np.concatenate([each.caught for each in records])
    lead = np.concatenate([each.lead_hours for each in records])
    false_ns = np.concatenate([each.false_ns for each in records])
    inside, event_day = _within(event_ns, weights)
    _, false_day = _within(false_ns, weights)
    alert_weeks = np.zeros_like(weeks)
    for each in records:
        _, day = _within(each.alert_ns, weights)
        alert_weeks += weights.total(np.full(day.size, each.step_ns / WEEK_NS), day)
    events = weights.total(np.ones(event_day.size), event_day)
    known = np.isfinite(lead[inside])
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (
            weights.total(caught[inside].astype(np.float64), event_day) / events,
            _weighted_median(lead[inside][known], weights.counts[event_day[known]]),
            weights.total(np.ones(false_day.size), false_day) / weeks,
            alert_weeks / weeks,
        )
    return dict(zip(NAMES, found, strict=True))


def _false_alarms(ts: Ints, alert: Bools, outcome: Floats, step_ns: int) -> Ints:
    """Return when each false alarm began."""
    episodes = np.array(alert_episodes(alert, (ts - ts[0]) // step_ns), np.int64).reshape(-1, 2)
    harmless = np.concatenate([[0], np.cumsum(alert & (outcome != 0.0))])
    true_or_unknown = harmless[episodes[:, 1] + 1] - harmless[episodes[:, 0]]
    return ts[episodes[true_or_unknown == 0, 0]]


def _within(times: Ints, weights: DayWeights) -> tuple[Bools, Ints]:
    """Return which times fall on the days of `weights`, and their days."""
    day = weights.day_of(times)
    inside = (day >= 0) & (day < weights.days)
    return inside, day[inside]


def _weighted_median(values: Floats, counts: Floats) -> Floats:
    """Return the median of values repeated `counts` times, shape (columns,), for counts (values, columns)."""
    if not values.size:
        return np.full(counts.shape[1], np.nan)
    order = np.argsort(values, kind="stable")
    reached, values = np.cumsum(counts[order], axis=0), values[order]
    total = reached[-1]
    lower = values[(reached >= np.floor((total + 1) / 2)).argmax(axis=0)]
    upper = values[(reached >= np.floor(total / 2) + 1).argmax(axis=0)]
    return np.where(total > 0, (lower + upper) / 2, np.nan)
