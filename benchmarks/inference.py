"""What a prediction and a sample of the market state take, beside an empty graph of the same inputs."""

from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np

from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.state import MarketState

_HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class InferenceSpeed:
    """
    Hold medians and 99th percentiles in microseconds, and what feeding one event takes.

    `predict` is of a prediction after the state was fed and sampled, as the strategy makes it; `again` of the
    same prediction at once once more, when the caches hold the model, and `loop` of ``sum(range(1000))``
    beside it.
    """

    sample: tuple[float, float]
    predict: tuple[float, float]
    again: tuple[float, float]
    loop: tuple[float, float]
    feed: float


def measure_inference(forecaster: Forecaster, hours: int = 2_600) -> InferenceSpeed:
    """Feed a market of all of the model's venues hour by hour; sample and predict after each."""
    state = MarketState(forecaster.card.schema)
    rng = np.random.default_rng(0)
    sampled, predicted, again, loop, fed, events = [], [], [], [], 0, 0
    for hour in range(hours):
        ts, price = hour * _HOUR_NS, 2000.0 + float(rng.normal(0, 20))
        started = perf_counter_ns()
        for venue in forecaster.card.schema.venues:
            state.update_bar(venue, False, ts, price + 10, price - 10, price, 100.0)
            state.update_open_interest(venue, ts, 1000.0 + price / 10)
            if hour % 8 == 0:
                state.update_funding(venue, ts, 1e-4, 480)
        fed += perf_counter_ns() - started
        events += len(forecaster.card.schema.venues) * 2
        started = perf_counter_ns()
        snapshot = state.sample(ts)
        middle = perf_counter_ns()
        forecaster.predict(snapshot)
        first = perf_counter_ns()
        forecaster.predict(snapshot)
        second = perf_counter_ns()
        sum(range(1000))
        if hour >= hours // 2:
            sampled.append(middle - started)
            predicted.append(first - middle)
            again.append(second - first)
            loop.append(perf_counter_ns() - second)
    times = (_percentiles(each) for each in (sampled, predicted, again, loop))
    return InferenceSpeed(*times, feed=fed / events / 1e3)


def _percentiles(durations: list[int]) -> tuple[float, float]:
    p50, p99 = np.percentile(np.array(durations) / 1e3, [50, 99])
    return float(p50), float(p99)
