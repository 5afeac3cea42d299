import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

from oi_hedge_strategy.evaluation.figures import span_lines, steps
from oi_hedge_strategy.evaluation.report import render_report, write_report
from oi_hedge_strategy.evaluation.result import build_result
from oi_hedge_strategy.evaluation.wording import amount, percent, signed

HOSTILE = '<script>alert("x")</script><img src=x onerror=y>$style'


class Page(HTMLParser):
    """Collect tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def html(year_record: Any, year_result: dict[str, Any]) -> str:
    return render_report(year_record, year_result)


def figures_of(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', text, re.S)
    assert found
    store: dict[str, Any] = json.loads(found[1])
    return store


def test_report_loads_nothing_from_anywhere(html: str) -> None:
    own = html.replace(get_plotlyjs(), "")
    assert len(own) < len(html)
    assert not re.search(r"https?://|url\(|@import", own)
    page = Page(own)
    assert not {"link", "iframe", "object", "embed", "img", "base"} & set(page.tags)
    links = [value for name, value in page.attributes if name == "href"]
    assert links and all(value.startswith("#") for value in links)
    assert {value[1:] for value in links} <= {value for name, value in page.attributes if name == "id"}
    assert not [pair for pair in page.attributes if pair[0] in {"src", "srcset", "action"}]
    assert "default-src 'none'" in own


def test_plotly_is_inlined_once(html: str) -> None:
    assert html.count(get_plotlyjs()) == 1
    assert Page(html.replace(get_plotlyjs(), "")).tags.count("script") == 3


def test_report_shows_the_figures_of_the_result(html: str, year_result: dict[str, Any]) -> None:
    text = " ".join(Page(html.replace(get_plotlyjs(), "")).text)
    for figures in (year_result["verdict"], *year_result["baselines"].values()):
        for name, show in (("loss_avoided", percent), ("gain_kept", percent), ("skill", signed)):
            assert show(figures[name]["value"]) in text
            assert f"{show(figures[name]['low'])} to {show(figures[name]['high'])}" in text
    for month in year_result["months"]:
        assert amount(month["hedged"]) in text
    for cost in year_result["costs"].values():
        assert amount(cost["amount"]) in text
    for rail in year_result["rails"]:
        assert rail["rail"] in text
        assert rail["reason"] in text


def test_every_chart_of_the_page_has_its_data(html: str) -> None:
    store = figures_of(html)
    places = re.findall(r'data-figure="(\w+)"', html)
    assert places == [
        "frontier",
        "sensitivity",
        "costs",
        "equity",
        "drawdown",
        "price",
        "forecast",
        "calibration",
        "open_interest",
        "funding",
        "liquidation_map",
        "hedge",
        "account",
    ]
    assert set(places) == set(store["figures"])
    assert all(figure["data"] for figure in store["figures"].values())
    text = json.dumps(store["figures"])
    shared = [int(index) for index in re.findall(r'"array\$": (\d+)', text)]
    assert set(shared) == set(range(len(store["arrays"])))
    assert len(shared) > len(store["arrays"])


@pytest.mark.parametrize("simulated", [True, False])
def test_banner_and_title_say_simulated_only_when_it_is(record_factory: Any, simulated: bool) -> None:
    record = record_factory(days=12, simulated=simulated)
    own = render_report(record, build_result(record)).replace(get_plotlyjs(), "")
    assert ("SIMULATED MARKET" in own) is simulated
    assert ("<title>SIMULATED" in own) is simulated
    assert ('class="banner"' in own) is simulated


def test_text_from_data_is_escaped(record_factory: Any) -> None:
    record = record_factory(days=12)
    decisions = record.decisions.assign(rail=HOSTILE, reason=HOSTILE)
    market = replace(
        record.market, open_interest={HOSTILE: record.market.close}, funding={HOSTILE: record.market.close}
    )
    hostile = replace(
        record, market=market, decisions=decisions, asset=HOSTILE, hedge_instrument=HOSTILE, exposure=HOSTILE,
        exposure_instrument=HOSTILE, cost_note=HOSTILE, quote=HOSTILE, notes=(HOSTILE,),
        model={HOSTILE: HOSTILE}, runs={**record.runs, HOSTILE: record.runs["momentum"]},
    )  # fmt: skip
    own = render_report(hostile, build_result(hostile)).replace(get_plotlyjs(), "")
    assert "<script>alert" not in own
    assert "<img" not in own
    assert Page(own).tags.count("script") == 3
    names = [
        trace.get("name", "") for figure in figures_of(own)["figures"].values() for trace in figure["data"]
    ]
    assert sum("&lt;script&gt;" in name for name in names) >= 4
    assert not any("<" in name for name in names)


def test_report_of_two_years_stays_small_enough_to_open(record_factory: Any, tmp_path: Path) -> None:
    record = record_factory(days=730)
    path = write_report(record, build_result(record), tmp_path / "out" / "report.html")
    assert path.stat().st_size < 8_000_000
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_report_of_a_run_without_cascades_rails_or_baselines_is_written(record_factory: Any) -> None:
    record = record_factory(days=12)
    runs = {name: record.runs[name] for name in ("hedged", "unhedged")}
    bare = replace(record, runs=runs, events=(), decisions=record.decisions.assign(rail="", alert=False))
    text = render_report(bare, build_result(bare))
    assert "No rail changed a decision." in text
    assert "No baseline was run beside it." in text
    assert "There was no cascade to catch in the period." in text


def test_report_without_forecasts_outcomes_or_map_leaves_their_charts_out(record_factory: Any) -> None:
    record = record_factory(days=40)
    silent = record.decisions.assign(p_down_4h=np.nan, p_down_18h=np.nan, alert=False)
    market = replace(record.market, open_interest={}, funding={})
    for bare in (
        replace(record, outcomes=None, levels=None),
        replace(record, decisions=silent, market=market, levels=None),
    ):
        text = render_report(bare, build_result(bare))
        assert not {"calibration", "liquidation_map"} & set(figures_of(text)["figures"])
        assert "Cascades one by one" in text


def test_stepped_lines_leave_out_only_repeats() -> None:
    ts = np.arange(7) * 3_600_000_000_000
    trace = steps(ts, np.array([np.nan, np.nan, 1.0, 1.0, 2.0, 2.0, 2.0]), "x", "red")
    assert trace.x.tolist() == [0.0, 7.2e6, 14.4e6, 21.6e6]
    assert np.isnan(trace.y[0])
    assert trace.y.tolist()[1:] == [1.0, 2.0, 2.0]


def test_spans_end_where_the_next_row_begins() -> None:
    ts = np.array([0, 10, 20, 30], dtype=np.int64)
    assert list(span_lines(ts, np.array([True, True, False, True]))) == [(0, 20), (30, 40)]
