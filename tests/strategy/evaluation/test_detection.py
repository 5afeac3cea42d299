import numpy as np
import pytest

from oi_hedge_strategy.cascades import CascadeEvent
from oi_hedge_strategy.evaluation.detection import alert_episodes, caught_by_shift, judge_alerts, wilson

HOUR = 3_600_000_000_000


def hours(n: int) -> np.ndarray:
    return HOUR * np.arange(n)


def alerts(drawing: str) -> np.ndarray:
    return np.array([mark == "x" for mark in drawing])


def event(onset: int, end: int | None = None) -> CascadeEvent:
    return CascadeEvent("down", onset * HOUR, (onset if end is None else end) * HOUR, 0.05)


def judge(drawing: str, onsets: list[int], horizon: int = 4, known_from: int = 0):
    n, events = len(drawing), [event(onset) for onset in onsets]
    return judge_alerts(hours(n), alerts(drawing), events, horizon, (known_from * HOUR, (n - 1) * HOUR))


def test_alerts_drawn_by_hand_give_the_counts_counted_by_hand() -> None:
    #         0         1         2         3
    #         0123456789012345678901234567890123456789
    drawn = "...xx.......x.x..........xx............."
    found = judge(drawn, [6, 15, 23])
    assert [outcome.lead_hours for outcome in found.outcomes] == [3.0, 3.0, None]
    assert (found.caught, found.judged) == (2, 3)
    assert found.recall.value == pytest.approx(2 / 3)
    assert found.median_lead_hours == 3.0
    assert found.episodes == 3
    assert found.false_alarms == 1
    assert found.false_alarms_per_week == pytest.approx(1 / (40 / 168))
    assert found.share_of_time_in_alert == pytest.approx(6 / 40)


@pytest.mark.parametrize(("alert_at", "lead"), [(5, None), (6, 4.0), (9, 1.0), (10, None)])
def test_only_an_alert_within_the_horizon_and_before_the_onset_catches(
    alert_at: int, lead: float | None
) -> None:
    drawn = "".join("x" if i == alert_at else "." for i in range(20))
    assert judge(drawn, [10]).outcomes[0].lead_hours == lead


def test_an_alert_that_only_follows_the_onset_is_a_false_alarm() -> None:
    found = judge("..........xx........", [10])
    assert (found.caught, found.false_alarms) == (0, 1)


def test_an_onset_during_a_long_episode_makes_it_no_false_alarm() -> None:
    assert judge("xxxxxxxxxxxx..........", [8]).false_alarms == 0


def test_one_bar_without_alert_does_not_split_an_episode_two_do() -> None:
    assert alert_episodes(alerts("xx.x..x")) == [(0, 3), (6, 6)]
    assert alert_episodes(alerts(".......")) == []


def test_an_episode_too_near_the_end_is_neither_true_nor_false() -> None:
    found = judge("..................x.", [])
    assert (found.false_alarms, found.undecided) == (0, 1)


def test_an_episode_before_cascades_are_known_is_neither_true_nor_false() -> None:
    found = judge("..xx......xx........", [], known_from=5)
    assert (found.episodes, found.false_alarms, found.undecided) == (2, 1, 1)
    assert found.false_alarms_per_week == pytest.approx(1 / (15 / 168))


def test_a_cascade_before_the_first_decision_is_not_judged() -> None:
    ts = hours(40)[20:]
    found = judge_alerts(ts, np.zeros(20, dtype=bool), [event(10), event(30)], 4, (0, 39 * HOUR))
    assert [outcome.judged for outcome in found.outcomes] == [False, True]
    assert found.judged == 1


def test_no_cascade_leaves_recall_undefined() -> None:
    found = judge("..xx......", [])
    assert found.recall.value is None
    assert found.recall.reason
    assert (found.p_value, found.chance_recall, found.median_lead_hours) == (None, None, None)


def test_shifts_count_what_a_slow_loop_counts() -> None:
    rng = np.random.default_rng(2)
    alert = rng.random(60) < 0.1
    starts, stops = np.array([0, 10, 50]), np.array([3, 16, 60])
    expected = [
        sum(np.roll(alert, shift)[a:b].any() for a, b in zip(starts, stops, strict=True))
        for shift in range(60)
    ]
    assert caught_by_shift(alert, starts, stops).tolist() == expected


def test_an_alert_that_is_always_on_is_no_better_than_chance() -> None:
    found = judge("x" * 500, [100, 200, 300])
    assert found.recall.value == 1.0
    assert (found.chance_recall, found.p_value, found.share_of_time_in_alert) == (1.0, 1.0, 1.0)


def test_perfect_alerts_have_a_low_p_value() -> None:
    onsets = [500, 1130, 2210, 3690]
    alert = np.zeros(5000, dtype=bool)
    for onset in onsets:
        alert[onset - 6 : onset] = True
    found = judge_alerts(hours(5000), alert, [event(onset) for onset in onsets], 18, (0, 4999 * HOUR))
    assert found.recall.value == 1.0
    assert found.p_value is not None and found.p_value < 0.01
    assert found.chance_recall is not None and found.chance_recall < 0.05


def test_random_alerts_have_p_values_spread_over_the_unit_interval() -> None:
    rng = np.random.default_rng(4)
    p_values = []
    for _ in range(60):
        alert = np.repeat(rng.random(500) < 0.15, 6)
        onsets = np.sort(rng.choice(np.arange(50, 2990), 12, replace=False))
        found = judge_alerts(
            hours(3000), alert, [event(int(onset)) for onset in onsets], 18, (0, 2999 * HOUR)
        )
        p_values.append(found.p_value)
    assert np.mean(p_values) > 0.4
    assert np.mean(np.array(p_values) < 0.05) < 0.15


def test_wilson_interval_is_the_published_one() -> None:
    found = wilson(8, 10)
    assert found.low == pytest.approx(0.4901625, abs=1e-6)
    assert found.high == pytest.approx(0.9433178, abs=1e-6)
    assert wilson(0, 10).low == 0.0
    assert wilson(10, 10).high == pytest.approx(1.0)
