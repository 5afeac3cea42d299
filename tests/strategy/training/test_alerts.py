import numpy as np
import pytest

from oi_hedge_strategy.cascades import CascadeDefinition, HourlyMarket, cascade_events, label_cascades
from oi_hedge_strategy.training.alerts import alert_metrics, labelled_events, match_alerts
from oi_hedge_strategy.training.metrics import DAY_NS, DayWeights

HOUR = 3_600_000_000_000


def marks(drawing: str) -> np.ndarray:
    return np.array([{"x": 1.0, ".": 0.0, "?": np.nan}[mark] for mark in drawing])


def judge(outcome: str, alert: str, onset: dict[int, float], horizon: int = 4, step: int = 1):
    ts = np.arange(len(outcome)) * step * HOUR
    onset_hours = np.full(len(outcome), np.nan)
    for row, hours in onset.items():
        onset_hours[row] = hours
    events = labelled_events(ts, marks(outcome), horizon, onset_hours if onset else None)
    return match_alerts(ts, marks(alert) == 1.0, marks(outcome), events, step * HOUR)


def test_alerts_drawn_by_hand_give_the_counts_counted_by_hand() -> None:
    """The first cascade completes at hour 7, seen at 4; the second, at hour 17, is not seen."""
    outcome = "...xxxx......xxxx.......??"
    alert = "....xx..xx.......xx..x..x."
    onset = {3: 4, 4: 3, 5: 2, 6: 1, 13: 4, 14: 3, 15: 2, 16: 1}
    found = judge(outcome, alert, onset)
    assert found.event_ns.tolist() == [3 * HOUR, 13 * HOUR]
    assert found.caught.tolist() == [True, False]
    assert found.lead_hours[0] == 3.0 and np.isnan(found.lead_hours[1])
    assert (found.false_ns / HOUR).tolist() == [8.0, 17.0, 21.0]


def test_an_alert_after_the_move_was_complete_does_not_catch_it() -> None:
    """The fall goes on, so hour 5 is labelled too, but the cascade was complete at hour 5."""
    found = judge("..xxxx....", ".....x....", {2: 3, 3: 2, 4: 1, 5: 4})
    assert found.caught.tolist() == [False]
    assert found.false_ns.size == 0


def test_without_onsets_cascades_are_caught_but_lead_times_unknown() -> None:
    found = judge("..xxx.....", "...x......", {})
    assert found.caught.tolist() == [True]
    assert np.isnan(found.lead_hours).all()


def test_an_episode_of_unknown_outcome_is_no_false_alarm() -> None:
    assert judge("......??", ".....xx.", {}).false_ns.size == 0
    assert judge("......??", "...x....", {}).false_ns.size == 1


def test_alerts_on_both_sides_of_a_hole_in_time_are_two_episodes() -> None:
    ts = np.array([0, 1, 2, 50, 51]) * HOUR
    outcome, alert = np.zeros(5), np.array([False, False, True, True, False])
    events = labelled_events(ts, outcome, 4)
    assert match_alerts(ts, alert, outcome, events, HOUR).false_ns.size == 2


def test_samples_merge_into_the_cascades_that_hourly_labels_merge_into() -> None:
    rng = np.random.default_rng(1)
    n = 3_000
    close = 100 * np.exp(np.cumsum(rng.standard_t(3, n) * 0.01))
    interest = 1e6 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))[:, None]
    market = HourlyMarket(np.arange(n) * HOUR, close * 1.001, close * 0.999, close, interest)
    definition = CascadeDefinition(horizons_hours=(4, 18), open_interest_fall=0.01)
    labels = label_cascades(market, definition)
    for side, index in (("down", 0), ("up", 1)):
        events = cascade_events(market, labels, side, definition)
        found = labelled_events(market.ts, labels.cascade[:, index, 1], 18, labels.onset_hours[:, index, 1])
        assert found.complete_ns is not None
        assert found.complete_ns.tolist() == [event.onset_ns for event in events]
        assert len(events) >= 10


def test_metrics_of_two_assets_are_those_counted_by_hand() -> None:
    ts = np.arange(48) * HOUR
    first = judge("." * 10 + "xxx" + "." * 35, "." * 11 + "x" + "." * 36, {10: 3, 11: 2, 12: 1})
    second = judge("." * 30 + "xxx" + "." * 15, "." * 5 + "x" + "." * 42, {30: 3, 31: 2, 32: 1})
    weights = DayWeights(0, np.array([[1.0, 2.0, 0.0], [1.0, 0.0, 2.0]]))
    weeks = weights.total(np.full(96, 1 / 168), np.concatenate([ts, ts]) // DAY_NS)
    found = alert_metrics([first, second], weights, weeks)
    assert found["caught_share"].tolist() == [0.5, 1.0, 0.0]
    assert found["false_alarms_per_week"].tolist() == pytest.approx([1 / (96 / 168), 2 / (96 / 168), 0.0])
    assert found["share_of_time_in_alert"].tolist() == pytest.approx([2 / 96, 4 / 96, 0.0])
    assert found["median_lead_hours"][:2].tolist() == [2.0, 2.0]
    assert np.isnan(found["median_lead_hours"][2])


def test_the_median_lead_weighs_each_cascade_by_its_day() -> None:
    first_hours = ("x" + "." * 23) * 3
    record = judge(first_hours, first_hours, {0: 1, 24: 2, 48: 4})
    counts = np.array([[1, 1, 3, 0], [1, 1, 0, 0], [1, 0, 1, 0]], np.float64)
    found = alert_metrics([record], DayWeights(0, counts), np.ones(4))["median_lead_hours"]
    assert found[:3].tolist() == [2.0, 1.5, 1.0]
    assert np.isnan(found[3])
