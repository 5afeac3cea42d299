from typing import Any

import numpy as np
import pytest

from oi_hedge_strategy.evaluation.calibration_chart import calibration_chart
from oi_hedge_strategy.evaluation.figures import HEDGED, UNHEDGED, series_style, whiskers
from oi_hedge_strategy.evaluation.heat_map import heat_map_chart, notional_per_percent

PAPERS = ("#ffffff", "#14171b")


def luminance(color: str) -> float:
    """Return the relative luminance of the Web Content Accessibility Guidelines."""
    parts = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255.0
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("paper", PAPERS)
def test_every_series_colour_stands_out_from_both_papers(paper: str) -> None:
    for color in {HEDGED, UNHEDGED, *(series_style(at)["color"] for at in range(16))}:
        low, high = sorted((luminance(color), luminance(paper)))
        assert (high + 0.05) / (low + 0.05) >= 3.0, color


def test_sixteen_series_differ_in_colour_or_dash() -> None:
    assert len({tuple(series_style(at).values()) for at in range(16)}) == 16


def test_positions_become_notional_for_each_per_cent_of_price() -> None:
    edges = np.array([100.0, 100.0 * np.exp(0.02), 100.0 * np.exp(0.06)])
    found = notional_per_percent(np.array([[10.0, 40.0]], np.float32), edges)
    middle = 100.0 * np.exp([0.01, 0.04])
    assert found[0].tolist() == pytest.approx([10.0 * middle[0] / 2.0 / 1e6, 40.0 * middle[1] / 4.0 / 1e6])


def test_the_map_has_one_column_for_each_time_and_nothing_where_nobody_stands(year_record: Any) -> None:
    levels = year_record.levels
    longs, shorts, close = heat_map_chart(year_record.market, levels, "USDT").data
    assert np.shape(longs.z) == np.shape(shorts.z) == (levels.edges.size - 1, levels.ts.size)
    assert np.isnan(np.asarray(longs.z)).T[levels.longs == 0].all()
    assert np.isfinite(np.asarray(shorts.z)).T[levels.shorts > 0].all()
    assert list(longs.x) == (levels.ts / 1e6).tolist()
    assert close.meta == {"ink": True}


def test_calibration_counts_every_decision_with_a_forecast(year_record: Any, year_result: Any) -> None:
    curves = year_result["calibration"]
    figure = calibration_chart(year_record, curves)
    counts = [sum(trace.y) for trace in figure.data if trace.type == "bar"]
    forecasts = [year_record.decisions[f"p_down_{hours}h"].notna().sum() for hours in (4, 18)]
    assert counts == forecasts
    observed = [trace for trace in figure.data if trace.name == "observed"]
    for trace, curve in zip(observed, curves, strict=True):
        assert list(trace.customdata) == [each["samples"] for each in curve["bins"]]


def test_whiskers_reach_from_low_to_high_and_are_nothing_without_an_interval() -> None:
    found = whiskers(
        [{"value": 0.5, "low": 0.2, "high": 0.6}, {"value": 0.5, "low": None, "high": None}], 100.0
    )
    assert found["array"] == pytest.approx([10.0, 0.0])
    assert found["arrayminus"] == pytest.approx([30.0, 0.0])
