"""The report: one HTML file that opens offline."""

from html import escape
from pathlib import Path

from plotly.offline import get_plotlyjs

from oi_hedge_strategy.evaluation import charts, outcome_charts, tables
from oi_hedge_strategy.evaluation.figure_store import FigureStore
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.evaluation.page import BANNER, PAGE, SCRIPT, SECTION, STYLE
from oi_hedge_strategy.evaluation.records import BacktestRecord
from oi_hedge_strategy.evaluation.wording import (
    SIMULATED,
    SIMULATED_SENTENCE,
    Result,
    amount,
    cascade_sentence,
    definition_sentence,
    interval_sentence,
    period,
    reasons,
    title,
    verdict_sentences,
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
    body = "".join(
        SECTION.substitute(heading=heading, content=content)
        for heading, content in (
            ("Verdict", _verdict(result)),
            ("Market and forecast", _market(figures, record, result)),
            ("Hedge", _hedge(figures, record, result)),
            ("Result over time", _outcome(figures, record, result)),
            ("Months", tables.month_table(result)),
            ("Assumptions", _assumptions(result)),
        )
    )
    simulated = bool(result["simulated"])
    banner = BANNER.substitute(word=SIMULATED, sentence=SIMULATED_SENTENCE) if simulated else ""
    heading = title(result)
    return PAGE.substitute(
        title=escape(f"SIMULATED: {heading}" if simulated else heading),
        heading=escape(heading),
        subtitle=escape(_setting(result)),
        banner=banner,
        body=body,
        style=STYLE,
        script=SCRIPT,
        plotly=get_plotlyjs(),
        figures=figures.to_json(),
    )


def _verdict(result: Result) -> str:
    estimates = [figure for figure in result["effectiveness"].values() if "value" in figure]
    remarks = [interval_sentence(result), *reasons(estimates)]
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in verdict_sentences(result))
    return (
        f'<div class="verdict">{sentences}</div>{tables.verdict_table(result)}'
        f"<p>{escape(cascade_sentence(result))}</p><p class='lead'>{escape(' '.join(remarks))}</p>"
        f'<div class="columns">{tables.cascade_table(result)}{tables.cost_table(result)}</div>'
        f"{tables.measures_table(result)}"
    )


def _market(figures: FigureStore, record: BacktestRecord, result: Result) -> str:
    when = period(result)
    parts = (
        figures.add(
            "price",
            f"{record.hedge_instrument}: price and cascades",
            f"Closes. {definition_sentence(result)} {when}.",
            charts.price_chart(record, result),
        ),
        figures.add(
            "open_interest",
            "Open interest by venue",
            f"As known at each bar, in {record.asset}, one-sided. Dotted lines: onsets of cascades. {when}.",
            charts.open_interest_chart(record),
        ),
        figures.add(
            "funding",
            "Funding rate by venue",
            f"Last settled rate as known at each bar, per eight hours; above zero longs pay. {when}.",
            charts.funding_chart(record),
        ),
        figures.add(
            "forecast",
            "Forecast probability of a cascade",
            "Calibrated probabilities at each decision. Shaded: hours in alert. Dotted lines: onsets of "
            f"cascades. {when}.",
            charts.forecast_chart(record),
        ),
    )
    return "".join(parts)


def _hedge(figures: FigureStore, record: BacktestRecord, result: Result) -> str:
    chart = figures.add(
        "hedge",
        "Hedge ratio wanted, allowed and held",
        "Wanted by the policy, allowed by the rails, held by the hedge book; below, the rail that decided. "
        f"{period(result)}.",
        charts.hedge_chart(record),
    )
    if not result["rails"]:
        return f"{chart}<p>No rail changed a decision.</p>"
    return f"{chart}<h3>How often each rail decided</h3>{tables.rail_table(result)}"


def _outcome(figures: FigureStore, record: BacktestRecord, result: Result) -> str:
    setting = _setting(result)
    parts = (
        figures.add(
            "equity", "Profit and loss", f"Exposure and hedge together, net of all costs. {setting}",
            outcome_charts.equity_chart(record),
        ),
        figures.add(
            "drawdown", "Drawdowns",
            "How far the profit and loss stood below its peak. Baselines can be switched on in the legend; "
            f"they show the deepest of each day. {setting}",
            outcome_charts.drawdown_chart(record),
        ),
        figures.add(
            "costs", "Costs of the hedge", f"Paid so far; funding below zero was received. {setting}",
            outcome_charts.cost_chart(record),
        ),
        figures.add(
            "frontier", "Loss avoided against gain kept",
            f"Above the dashed line a hedge has skill, below it has none. Whiskers: intervals. {setting}",
            outcome_charts.frontier_chart(record, result),
        ),
    )  # fmt: skip
    return "".join(parts)


def _assumptions(result: Result) -> str:
    runs, speed = result["runs"]["hedged"], result["on_bar_us"]
    facts = [
        f"Costs: {result['cost_note']}.",
        f"Mean notional of the exposure: {amount(result['exposure']['mean_notional'])} "
        f"{result['exposure']['quote']}; orders {runs['orders']:,}, fills {runs['fills']:,}, "
        f"liquidations of the hedge book {runs['liquidations']:,}.",
        "Loss avoided and gain kept are of UTC days, all profit and loss of a day netted.",
        definition_sentence(result),
        interval_sentence(result),
        f"Speed: {amount(result['bars_per_second'])} bars a second; on_bar takes {amount(speed['p50'])} us "
        f"at the median and {amount(speed['p99'])} us at the 99th percentile.",
        *result["notes"],
    ]
    items = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    return f"<ul>{items}</ul>{tables.mapping_table(result['model'], 'model')}"


def _setting(result: Result) -> str:
    return f"{period(result)}; {result['cost_note']}."
