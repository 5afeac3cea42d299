import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from oi_hedge_strategy.cascades import CascadeEvent
from oi_hedge_strategy.evaluation.cascade_panels import cascade_gallery, money, total_interest
from oi_hedge_strategy.evaluation.small_multiples import HOUR_NS, LEFT, RIGHT, TOP, WIDTH, Drawing, Track


def track(values: list[float], **settings: Any) -> Track:
    ts = HOUR_NS * np.arange(-2, len(values) - 2)
    return Track("price", ts, np.array(values), 0.0, 10.0, "0", "10", height=40.0, **settings)


def path_of(svg: str) -> str:
    found = re.search(r'<path class="line price" d="([^"]*)"', svg)
    assert found
    return found[1]


def test_a_track_fills_its_scale_from_edge_to_edge() -> None:
    drawing = Drawing(0, HOUR_NS, before_hours=2, after_hours=2)
    right, middle = WIDTH - RIGHT, (LEFT + WIDTH - RIGHT) / 2
    path = path_of(drawing.svg([track([0.0, 5.0, 10.0, 5.0, 0.0])], "x"))
    points = [tuple(map(float, pair.split())) for pair in re.split("[ML]", path)[1:]]
    assert points[0] == pytest.approx((LEFT, TOP + 40.0), abs=0.1)
    assert points[2] == pytest.approx((middle, TOP), abs=0.1)
    assert points[4] == pytest.approx((right, TOP + 40.0), abs=0.1)


def test_gaps_break_the_line() -> None:
    drawing = Drawing(0, HOUR_NS, before_hours=2, after_hours=2)
    path = path_of(drawing.svg([track([1.0, np.nan, 3.0, 4.0, np.nan])], "x"))
    assert path.count("M") == 2
    assert path.count("L") == 1


def test_a_stepped_track_moves_along_the_axes_only() -> None:
    path = path_of(Drawing(0, 0, 2, 2).svg([track([1.0, 2.0, 3.0], stepped=True)], "x"))
    assert re.fullmatch(r"M[\d. ]+(H[\d.]+V[\d.]+){2}", path)


def test_names_are_escaped() -> None:
    assert "<b>" not in Drawing(0, 0, 2, 2).svg([track([1.0, 2.0])], "<b>")


def test_open_interest_is_the_sum_of_the_venues_that_are_known(year_record: Any) -> None:
    market = replace(
        year_record.market,
        open_interest={
            "A": np.full(year_record.market.ts.size, 2.0),
            "B": np.concatenate([[np.nan], np.full(year_record.market.ts.size - 1, 3.0)]),
        },
    )
    total = total_interest(replace(year_record, market=market))
    assert total[:3].tolist() == [2.0, 5.0, 5.0]


def test_money_is_of_the_hours_from_one_horizon_before_to_the_end(year_record: Any) -> None:
    run, at = year_record.runs["hedged"], 500
    event = CascadeEvent("down", int(run.ts[at]), int(run.ts[at + 5]), 0.1)
    exposure, hedge = money(year_record, event)
    before = at - year_record.event_hours
    assert exposure == pytest.approx(run.exposure_pnl[at + 5] - run.exposure_pnl[before])
    assert hedge == pytest.approx(run.hedge_pnl[at + 5] - run.hedge_pnl[before])


def test_every_cascade_is_drawn_and_the_less_deep_are_folded_away(record_factory: Any) -> None:
    from oi_hedge_strategy.evaluation.result import build_result

    record = record_factory(days=730)
    assert len(record.events) > 24
    html = cascade_gallery(record, build_result(record))
    shown, folded = html.split("<details>")
    assert shown.count("<svg") == 24
    assert folded.count("<svg") == len(record.events) - 24
    depths = [float(each) for each in re.findall(r"<strong>-([\d.]+) %", shown)]
    left = [float(each) for each in re.findall(r"<strong>-([\d.]+) %", folded)]
    assert min(depths) >= max(left)
    assert "nan" not in html


def test_a_cascade_at_the_start_of_the_record_is_drawn(year_record: Any, year_result: Any) -> None:
    ts = year_record.market.ts
    event = CascadeEvent("down", int(ts[1]), int(ts[4]), 0.1)
    outcome = {"judged": False, "caught": False, "lead_hours": None}
    result = {**year_result, "cascades": {**year_result["cascades"], "events": [outcome]}}
    html = cascade_gallery(replace(year_record, events=(event,)), result)
    assert "no decision before it" in html
    assert "nan" not in html
