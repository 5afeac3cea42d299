"""The report in a real browser: nothing fails, every chart is drawn, both colour schemes can be read."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.browser import Page, browser_page
from support.full_result import with_sweeps

from oi_hedge_strategy.evaluation.report import write_report
from oi_hedge_strategy.evaluation.result import build_result

CHARTS = (
    "frontier", "sensitivity", "costs", "equity", "drawdown", "price", "forecast", "calibration",
    "open_interest", "funding", "liquidation_map", "hedge", "account",
)  # fmt: skip
READABLE, VISIBLE = 4.5, 3.0
PATIENCE = 100
DEFINE = """
window.tell = {
  colour(text) {
    const parts = (text.match(/[\\d.]+/g) || []).map(Number);
    return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
  },
  light(rgb) {
    const linear = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  },
  contrast(one, other) {
    const [low, high] = [this.light(one), this.light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  },
  ground(element) {
    for (let at = element; at; at = at.parentElement) {
      const found = this.colour(getComputedStyle(at).backgroundColor);
      if (found.alpha === 1 && found.rgb.length === 3) { return found.rgb; }
    }
    return [255, 255, 255];
  },
  shown(element) { return element.checkVisibility() && element.getBoundingClientRect().width > 0; },
  texts() {
    const own = e => Array.from(e.childNodes).some(n => n.nodeType === 3 && n.textContent.trim());
    return Array.from(document.querySelectorAll('body *'))
      .filter(e => !['SCRIPT', 'STYLE'].includes(e.tagName) && own(e) && this.shown(e));
  },
  pale() {
    return this.texts().map(e => {
      const style = getComputedStyle(e), svg = e instanceof SVGElement;
      const ratio = this.contrast(this.colour(svg ? style.fill : style.color).rgb, this.ground(e));
      return { text: e.textContent.slice(0, 40), ratio };
    });
  },
  lines() {
    return Array.from(document.querySelectorAll('.scatterlayer path.js-line, .cascade path.line'))
      .filter(e => this.shown(e) && getComputedStyle(e).strokeWidth !== '0px')
      .map(e => ({ stroke: getComputedStyle(e).stroke,
        ratio: this.contrast(this.colour(getComputedStyle(e).stroke).rgb, this.ground(e)) }));
  },
  drawn() {
    const marks = '.scatterlayer path, .barlayer path, .heatmaplayer image';
    return Object.fromEntries(Array.from(document.querySelectorAll('.chart')).map(
      e => [e.dataset.figure, e.dataset.state === 'drawn' ? e.querySelectorAll(marks).length : 0]));
  },
};
"""
SCROLL = "document.querySelector('[data-figure={name}]').scrollIntoView()"
STATE = "!!document.querySelector('[data-figure={name}]').dataset.state"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
ZOOM = """
Plotly.relayout(document.querySelector('[data-figure=price]'),
  { 'xaxis.range': ['2023-06-01', '2023-07-01'] })
  .then(() => new Promise(done => setTimeout(done, 300)))
  .then(() => ['equity', 'liquidation_map', 'hedge'].map(name => document
    .querySelector(`[data-figure=${name}]`).layout.xaxis.range.map(at => new Date(at + 'Z').getTime())))
"""


@dataclass
class Seen:
    """What the browser found."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    schemes: dict[str, dict[str, Any]] = field(default_factory=dict)
    narrow_overflow: int = -1
    drawings: int = -1
    zoomed: list[list[float]] = field(default_factory=list)


async def look(path: Path, profile: Path) -> Seen:
    """Open the report, draw every chart, then read it in light, in dark and on a narrow screen."""
    seen = Seen()
    async with browser_page(profile) as page:
        await page.prefer("light")
        started = time.perf_counter()
        await page.open(path)
        loaded = time.perf_counter() - started
        await page.ask(SCROLL.format(name=CHARTS[0]))
        await page.wait(STATE.format(name=CHARTS[0]))
        first = time.perf_counter() - started
        for name in CHARTS:
            await page.ask(SCROLL.format(name=name))
            await page.wait(STATE.format(name=name))
        drawn = time.perf_counter() - started
        size = path.stat().st_size / 1e6
        print(f"\nreport of two years, {size:.1f} MB: text after {loaded:.2f} s, first chart after "
              f"{first:.2f} s, all charts after {drawn:.2f} s")  # fmt: skip
        await page.ask("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        await page.ask(DEFINE)
        seen.schemes["light"] = await read(page)
        await page.prefer("dark")
        await page.wait("getComputedStyle(document.body).backgroundColor === 'rgb(20, 23, 27)'")
        await page.ask("new Promise(done => setTimeout(done, 500))")
        seen.schemes["dark"] = await read(page)
        seen.drawings = await page.ask("document.querySelectorAll('.cascade svg').length")
        seen.zoomed = await page.ask(ZOOM)
        await page.resize(390, 800)
        for _ in range(PATIENCE):
            if (narrow := await page.ask(OVERFLOW)) == 0:
                break
            await asyncio.sleep(0.1)
        seen.narrow_overflow = narrow
        seen.errors, seen.requests = page.errors, page.requests
    return seen


async def read(page: Page) -> dict[str, Any]:
    """Return what the page shows in the colour scheme of the moment."""
    names = {"pale": "tell.pale()", "lines": "tell.lines()", "drawn": "tell.drawn()", "overflow": OVERFLOW}
    return {name: await page.ask(script) for name, script in names.items()}


@pytest.fixture(scope="module")
def report(record_factory: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Write a report of two years of hours; return it and the number of its cascades."""
    record = record_factory(days=730)
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(record, with_sweeps(build_result(record)), path), len(record.events)


@pytest.fixture(scope="module")
def seen(report: tuple[Path, int], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return asyncio.run(look(report[0], tmp_path_factory.mktemp("browser")))


def test_nothing_fails_and_nothing_is_asked_of_the_network(seen: Seen) -> None:
    assert seen.errors == []
    assert all(address.startswith(("file:", "data:", "blob:")) for address in seen.requests)
    assert sum(address.startswith("file:") for address in seen.requests) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn(seen: Seen, scheme: str) -> None:
    drawn = seen.schemes[scheme]["drawn"]
    assert set(drawn) == set(CHARTS)
    assert [name for name, marks in drawn.items() if marks == 0] == []
    assert drawn["liquidation_map"] >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(seen: Seen, scheme: str) -> None:
    found = seen.schemes[scheme]["pale"]
    assert len(found) > 500
    assert [each for each in found if each["ratio"] < READABLE] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_line_stands_out_from_the_page(seen: Seen, scheme: str) -> None:
    found = seen.schemes[scheme]["lines"]
    assert len(found) > 50
    assert [each for each in found if each["ratio"] < VISIBLE] == []


def test_the_price_over_the_map_takes_the_colour_of_the_text(seen: Seen) -> None:
    inks = {scheme: {each["stroke"] for each in found["lines"]} for scheme, found in seen.schemes.items()}
    assert "rgb(27, 31, 36)" in inks["light"] - inks["dark"]
    assert "rgb(228, 231, 235)" in inks["dark"] - inks["light"]


def test_every_cascade_has_its_drawing(seen: Seen, report: tuple[Path, int]) -> None:
    assert seen.drawings == report[1] > 24


def test_the_page_does_not_scroll_sideways(seen: Seen) -> None:
    assert seen.schemes["light"]["overflow"] == 0
    assert seen.narrow_overflow == 0


def test_zooming_one_chart_zooms_the_others(seen: Seen) -> None:
    june = [1_685_577_600_000.0, 1_688_169_600_000.0]
    assert seen.zoomed == [june] * 3
