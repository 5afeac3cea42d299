"""The report: one HTML file that opens offline."""

from html import escape
from pathlib import Path

from plotly.offline import get_plotlyjs

from oi_hedge_strategy.evaluation import breakdown_tables, report_parts, tables
from oi_hedge_strategy.evaluation.figure_store import FigureStore
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.evaluation.page import BANNER, NAVIGATION, PAGE, PART, SCRIPT, STYLE
from oi_hedge_strategy.evaluation.records import BacktestRecord
from oi_hedge_strategy.evaluation.wording import (
    SIMULATED,
    SIMULATED_SENTENCE,
    Result,
    amount,
    definition_sentence,
    interval_sentence,
    spoken,
    title,
)

PARTS = (
    ("verdict", "Verdict", report_parts.verdict),
    ("tradeoff", "Loss avoided against gain kept", report_parts.tradeoff),
    ("costs", "Costs", report_parts.costs),
    ("outcome", "Result over time", report_parts.outcome),
    ("forecast", "Forecast", report_parts.forecast),
    ("cascades", "Cascades one by one", report_parts.cascades),
    ("market", "Market", report_parts.market),
    ("hedge", "Hedge and rails", report_parts.hedge),
)


def write_report(record: BacktestRecord, result: Result, path: Path) -> Path:
    """
    Write the report of a backtest, atomically.

    Parameters
    ----------
    record : BacktestRecord
        What the charts are drawn from.
    result : mapping
        Its figures, of `build_result`.
    path : Path
        The HTML file.

    """
    return write_text(path, render_report(record, result))


def render_report(record: BacktestRecord, result: Result) -> str:
    """Return the report as HTML without any reference to another file or address."""
    figures = FigureStore()
    parts = [(key, heading, write(figures, record, result)) for key, heading, write in PARTS]
    parts.append(("assumptions", "Assumptions", _assumptions(result)))
    body = "".join(
        PART.substitute(key=key, heading=heading, content=content) for key, heading, content in parts
    )
    links = "".join(f'<a href="#{key}">{heading}</a>' for key, heading, _ in parts)
    simulated = bool(result["simulated"])
    banner = BANNER.substitute(word=SIMULATED, sentence=SIMULATED_SENTENCE) if simulated else ""
    heading = title(result)
    return PAGE.substitute(
        title=escape(f"SIMULATED: {heading}" if simulated else heading),
        heading=escape(heading),
        subtitle=escape(report_parts.setting(result)),
        banner=banner,
        body=NAVIGATION.substitute(links=links) + body,
        style=STYLE,
        script=SCRIPT,
        plotly=get_plotlyjs(),
        figures=figures.to_json(),
    )


def _assumptions(result: Result) -> str:
    runs, speed = result["runs"]["hedged"], result["on_bar_us"]
    facts = [
        f"Costs: {result['cost_note']}.",
        f"Mean notional of the exposure: {amount(result['exposure']['mean_notional'])} "
        f"{result['exposure']['quote']}; orders {runs['orders']:,}, fills {runs['fills']:,}, "
        f"liquidations of the hedge book {runs['liquidations']:,}.",
        report_parts.NETTED,
        definition_sentence(result),
        interval_sentence(result),
        f"Speed: {amount(result['bars_per_second'])} bars a second; on_bar takes {amount(speed['p50'])} us "
        f"at the median and {amount(speed['p99'])} us at the 99th percentile.",
        *result["notes"],
    ]
    model = {key: value for key, value in result["model"].items() if key != "metrics"}
    metrics = result["model"].get("metrics") or {}
    own = breakdown_tables.metric_table(metrics) if metrics else ""
    folded = f"<details><summary>The model's own metrics, out of sample</summary>{own}</details>"
    parts = [report_parts.sentence_list(facts), tables.mapping_table(model, "model"), folded if own else ""]
    return "".join(parts) + _rules(result)


def _rules(result: Result) -> str:
    """Return which parameter each baseline had when."""
    found = result.get("rule_parameters") or {}
    return "".join(
        f"<details><summary>Parameters of {escape(spoken(name))}, chosen on the past</summary>"
        f"{breakdown_tables.period_table(rows)}</details>"
        for name, rows in found.items()
    )
