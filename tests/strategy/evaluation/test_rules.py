"""Rules by hand, blind to the future, and with parameters from the past only."""

from itertools import pairwise

import numpy as np
import pytest

from oi_hedge_strategy.evaluation.operating import choose, tune_periods
from oi_hedge_strategy.evaluation.periods import tuning_periods
from oi_hedge_strategy.evaluation.records import MarketRecord, RunRecord
from oi_hedge_strategy.evaluation.rules import (
    RULES,
    Rule,
    follow,
    funding_rule,
    open_interest_rule,
    stop_loss,
    trailing_stop,
    trend_rule,
)

HOUR, DAY = 3_600_000_000_000, 86_400_000_000_000
START = np.datetime64("2023-01-01", "ns").astype(np.int64)


def market(close, interest=None, funding=None):
    close = np.asarray(close, float)
    n = close.size
    return MarketRecord(
        START + HOUR * np.arange(1, n + 1), close, close, close, close,
        {"BINANCE": np.full(n, 1000.0) if interest is None else np.asarray(interest, float)},
        {"BINANCE": np.zeros(n) if funding is None else np.asarray(funding, float)},
    )  # fmt: skip


def random_market(days=400, seed=3):
    rng = np.random.default_rng(seed)
    n = days * 24
    close = 2000.0 * np.exp(np.cumsum(rng.normal(0.0, 0.006, n)))
    interest = 1e6 * np.exp(np.cumsum(rng.normal(0.0, 0.004, n)))
    return market(close, interest, rng.normal(1e-4, 2e-4, n))


def test_stop_loss_by_hand():
    found = stop_loss(market([100, 96, 95, 96, 100, 94]), True, 0.05)
    assert found.tolist() == [0, 0, 1, 0, 0, 1]
    assert stop_loss(market([100] + [94] * 80), True, 0.05).tolist() == [0] + [1] * 72 + [0] * 8


def test_stop_loss_of_a_short_exposure_fears_the_rise():
    assert stop_loss(market([100, 104, 105, 104]), False, 0.05).tolist() == [0, 0, 1, 0]


def test_trailing_stop_turns_on_after_a_fall_and_off_after_a_rise():
    # 120 to 107 is 10.8 %, 100 to 111 is 11 %, 125 to 112 is 10.4 %
    closes = [100, 120, 109, 107, 100, 109, 111, 125, 112]
    assert trailing_stop(market(closes), True, 0.10).tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 1]


def test_trailing_stop_of_a_short_exposure_mirrors():
    closes = [100, 90, 98, 100, 105, 95, 94]  # 90 to 100 is 11 %, 105 to 94 is 10.5 %
    assert trailing_stop(market(closes), False, 0.10).tolist() == [0, 0, 0, 1, 1, 1, 0]


def test_open_interest_rule_needs_rise_and_crowded_side():
    interest = np.concatenate([np.full(24, 100.0), [104.0, 105.0, 106.0]])
    rising = market(np.full(27, 100.0), interest, np.full(27, 1e-4))
    assert open_interest_rule(rising, True, 0.05)[-3:].tolist() == [0, 1, 1]
    assert not open_interest_rule(rising, False, 0.05).any()


def test_open_interest_rule_compares_venues_known_at_both_times():
    one = np.full(30, 100.0)
    late = np.concatenate([np.full(25, np.nan), np.full(5, 900.0)])
    found = market(np.full(30, 100.0), one, np.full(30, 1e-4))
    joined = MarketRecord(**{
        name: getattr(found, name) for name in ("ts", "open", "high", "low", "close", "funding")
    } | {"open_interest": {"BINANCE": one, "BYBIT": late}})  # fmt: skip
    assert not open_interest_rule(joined, True, 0.05).any()


def test_funding_rule_by_hand():
    paid = market([100] * 4, funding=[np.nan, 2e-4, 3e-4, -3e-4])
    assert funding_rule(paid, True, 3e-4).tolist() == [0, 0, 1, 0]
    assert funding_rule(paid, False, 3e-4).tolist() == [0, 0, 0, 1]


def test_trend_rule_waits_for_its_window():
    found = trend_rule(market([101] * 23 + [100, 99, 103]), True, 1.0)
    assert found.tolist() == [0] * 23 + [1, 1, 0]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("long", [True, False])
def test_no_rule_sees_the_future(rule, long):
    whole = random_market(120)
    part = MarketRecord(
        *(getattr(whole, name)[:1500] for name in ("ts", "open", "high", "low", "close")),
        *({"BINANCE": values["BINANCE"][:1500]} for values in (whole.open_interest, whole.funding)),
    )
    signal = rule.signal(whole, long, rule.default)
    np.testing.assert_array_equal(signal[:1500], rule.signal(part, long, rule.default))
    assert 0.0 < signal.mean() < 1.0


def test_parameters_are_chosen_on_the_past_and_blind_to_the_period():
    whole = random_market()
    periods = tuning_periods(START + 100 * DAY, START + 400 * DAY)
    rule = RULES[0]
    wanted, choices = follow(rule, whole, True, periods, 7e-4)
    last = periods[-1][0]
    changed = market(
        np.where(whole.ts >= last, whole.close[::-1], whole.close),
        whole.open_interest["BINANCE"], whole.funding["BINANCE"],
    )  # fmt: skip
    again, others = follow(rule, changed, True, periods, 7e-4)
    assert choices == others
    np.testing.assert_array_equal(wanted[whole.ts < last], again[whole.ts < last])
    assert choices[-1].past_days == (last - START) // DAY


def test_the_choice_is_the_best_of_the_past():
    """A price that falls for a day after each odd signal: the rule with the right parameter is found."""
    hours = 200 * 24
    falls = np.arange(hours) // 24 % 2 == 1
    close = 100.0 * np.exp(np.cumsum(np.where(falls, -0.002, 0.002)))

    def signal(market, long, parameter):
        ahead = np.roll(falls, -1) if parameter == 2.0 else ~np.roll(falls, -1)
        return ahead.astype(float)

    rule = Rule("told", signal, 1.0, (1.0, 2.0))
    periods = [(START, START + 50 * DAY), (START + 50 * DAY, START + 120 * DAY)]
    periods.append((START + 120 * DAY, START + 200 * DAY))
    _, choices = follow(rule, market(close), True, periods, 0.0)
    assert [each.parameter for each in choices] == [1.0, 1.0, 2.0]
    assert [each.past_days for each in choices] == [0, 0, 120]


@pytest.mark.parametrize(
    ("days", "edges"),
    [
        (400, ["2023-02-15", "2023-04-01", "2023-07-01", "2023-10-01", "2024-01-01", "2024-03-21"]),
        (60, ["2023-02-15", "2023-03-01", "2023-04-01", "2023-04-16"]),
    ],
)
def test_periods_are_quarters_or_months(days, edges):
    start = np.datetime64("2023-02-15", "ns").astype(np.int64)
    found = tuning_periods(int(start), int(start + days * DAY))
    told = [
        str(np.datetime64(at, "ns").astype("datetime64[D]")) for at in (found[0][0], *(e for _, e in found))
    ]
    assert told == edges
    assert all(one[1] == other[0] for one, other in pairwise(found))


@pytest.mark.parametrize(
    ("loss", "gain", "at"),
    [
        ([0.1, 0.7, 0.9], [0.95, 0.4, 0.2], 1),  # both of the last reach it, one keeps more
        ([0.1, 0.3, 0.5], [0.95, 0.8, 0.6], 2),  # none reaches it: the nearest
        ([np.nan, 0.3], [np.nan, 0.8], 1),
    ],
)
def test_the_target_is_reached_at_the_most_gain_kept(loss, gain, at):
    assert choose(np.array(loss), np.array(gain), 0.67) == at


def test_each_period_is_tuned_on_the_days_before_it():
    rng = np.random.default_rng(5)
    ts = START + HOUR * np.arange(1, 200 * 24 + 1)
    close = 100.0 + np.cumsum(rng.normal(0.0, 1.0, ts.size))
    zeros, move = np.zeros(ts.size), np.diff(close, prepend=close[0])
    swap = ts > START + 100 * DAY

    def run(name, ratio):
        hedge = np.cumsum(-ratio * move)
        return RunRecord(name, ts, zeros + 1, -ratio, np.cumsum(move), hedge, zeros, zeros, zeros, zeros)

    runs = {
        "none": run("none", zeros),
        "late": run("late", np.where(swap, 0.9, 0.0)),
        "soon": run("soon", np.where(swap, 0.0, 0.9)),
    }
    periods = [(START, START + 50 * DAY), (START + 50 * DAY, START + 100 * DAY)]
    periods += [(START + 100 * DAY, START + 190 * DAY), (START + 190 * DAY, START + 200 * DAY)]
    found = tune_periods(runs, runs["none"], close, periods, 0.67, "none")
    assert [each.label for each in found] == ["none", "none", "soon", "soon"]
    assert [each.past_days for each in found] == [0, 0, 100, 190]
    assert found[2].past_loss_avoided == pytest.approx(0.9)
    assert found[2].past_gain_kept == pytest.approx(0.1)
