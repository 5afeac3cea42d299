import numpy as np
import pytest

from oi_hedge_strategy.evaluation.daily import calendar, hedge_ratio, mean_notional, net_daily
from oi_hedge_strategy.evaluation.records import RunRecord

HOUR = 3_600_000_000_000
MIDNIGHT = np.datetime64("2023-03-01", "ns").astype(np.int64)


def run(ts: np.ndarray, exposure: np.ndarray, hedge: np.ndarray, pnl: np.ndarray) -> RunRecord:
    zeros = np.zeros(ts.size)
    fees = np.arange(ts.size, dtype=float)
    return RunRecord("hedged", ts, exposure, hedge, pnl, zeros, fees, zeros, zeros, zeros)


@pytest.mark.parametrize("lag_seconds", [0, 10, 600])
def test_a_bar_known_after_midnight_belongs_to_the_day_before(lag_seconds: int) -> None:
    ts = MIDNIGHT + HOUR * np.arange(1, 49) + lag_seconds * 1_000_000_000
    days = calendar(ts)
    assert days.days.astype(str).tolist() == ["2023-03-01", "2023-03-02"]
    assert days.starts.tolist() == [0, 24]
    assert days.span_ns == 48 * HOUR


def test_a_missing_day_is_no_day_and_its_result_falls_to_the_next_bar() -> None:
    ts = MIDNIGHT + HOUR * np.concatenate([np.arange(1, 25), np.arange(49, 73)])
    days = calendar(ts)
    assert days.days.astype(str).tolist() == ["2023-03-01", "2023-03-03"]
    cumulative = np.concatenate([np.full(24, 5.0), np.full(24, 12.0)])
    assert days.net(cumulative).tolist() == [5.0, 7.0]


def test_days_net_profit_costs_turnover_and_hedge_ratio() -> None:
    ts = MIDNIGHT + 12 * HOUR * np.arange(1, 5)
    book = run(
        ts,
        np.array([2.0, 2.0, 0.0, -1.0]),
        np.array([-1.0, -2.0, 0.0, 0.5]),
        np.array([10.0, -5.0, -5.0, 20.0]),
    )
    close = np.array([100.0, 110.0, 120.0, 130.0])
    daily = net_daily(book, close, calendar(ts))
    assert daily.pnl.tolist() == [-5.0, 25.0]
    assert daily.costs.tolist() == [1.0, 2.0]
    assert daily.turnover.tolist() == [1 * 100 + 1 * 110, 2 * 120 + 0.5 * 130]
    assert daily.hedge_ratio_sum.tolist() == [1.5, 0.5]
    assert daily.exposed_bars.tolist() == [2.0, 1.0]
    assert hedge_ratio(book)[[0, 1, 3]].tolist() == [0.5, 1.0, 0.5]
    assert np.isnan(hedge_ratio(book)[2])
    assert mean_notional(book, close) == pytest.approx((200 + 220 + 0 + 130) / 4)
