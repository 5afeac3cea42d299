"""The parts of the report: what is drawn in each, with its caption."""

from html import escape

from oi_hedge_strategy.evaluation import breakdown_tables, charts, outcome_charts, tables
from oi_hedge_strategy.evaluation.calibration_chart import calibration_chart
from oi_hedge_strategy.evaluation.cascade_panels import AFTER_HOURS, BEFORE_HOURS, SHOWN, cascade_gallery
from oi_hedge_strategy.evaluation.downsample import thinning_sentence
from oi_hedge_strategy.evaluation.figure_store import FigureStore
from oi_hedge_strategy.evaluation.heat_map import heat_map_chart
from oi_hedge_strategy.evaluation.rail_audit import rail_audit_table
from oi_hedge_strategy.evaluation.records import BacktestRecord
from oi_hedge_strategy.evaluation.tradeoff_charts import frontier_chart, sensitivity_chart
from oi_hedge_strategy.evaluation.tradeoff_words import (
    baseline_sentences,
    break_even_sentence,
    calibration_sentence,
    capacity_sentence,
    multiplicity_sentence,
    operating_sentences,
    sensitivity_sentences,
)
from oi_hedge_strategy.evaluation.wording import (
    Result,
    amount,
    cascade_sentence,
    definition_sentence,
    interval_sentence,
    percent_level,
    period,
    reasons,
    verdict_sentences,
)

NETTED = "Loss avoided and gain kept are of UTC days, all profit and loss of a day netted."


def verdict(figures: FigureStore, record: BacktestRecord, result: Result) -> str:
    """Return the verdict in three sentences, then in figures beside the baselines."""
    estimates = [figure for figure in result["effectiveness"].values() if "value" in figure]
    remarks = [NETTED, interval_sentence(result), *reasons(estimates)]
    events = result.get("independent_events")
    counted = [f"{events['words'].rstrip('.')}."] if events else []
    return (
        f'<div class="verdict">{paragraphs(verdict_sentences(result))}</div>{tables.verdict_table(result)}'
        f"{paragraphs([*counted, *filter(None, [multiplicity_sentence(result)])])}"
        f"<p class='lead'>{escape(' '.join(remarks))}</p>"
    )


def tradeoff(figures: FigureStore, record: BacktestRecord, result: Result) -> str:
    """Return the operating point with its target, the frontier, and every baseline in words."""
    chart = figures.add(
        "frontier",
        "Frontier",
        f"Above the dashed diagonal a hedge has skill, below it has none. Whiskers: {percent_level(result)} "
        f"intervals. {setting(result)}",
        frontier_chart(result),
    )
    beside = sentence_list(baseline_sentences(result))
    listed = f"<h3>The hedge beside its baselines</h3>{beside}" if beside else ""
    sentences = [*operating_sentences(result), *filter(None, [capacity_sentence(result)])]
    said = f"{paragraphs(sentences)}{chart}{listed}"
    found = result.get("operating_point")
    if not found:
        return said
    periods = breakdown_tables.period_table(found["periods"])
    against = breakdown_tables.difference_table(found.get("differences") or [], "the tuned hedge")
    return (
        f"{said}<h3>The tuned hedge beside the baselines</h3>{against}"
        f"<details><summary>What each period used, chosen on which past</summary>{periods}</details>"
    )


def costs(figures: FigureStore, record: BacktestRecord, result: Result) -> str:
    """Return what the hedge cost, and at which cost its edge vanishes."""
    sentences = paragraphs([break_even_sentence(result), *sensitivity_sentences(result)])
    chart = figures.add(
        "sensitivity",
        "Skill against cost",
        "Impact and latency: whole runs with one multiplied. All costs: fees, slippage and funding of the "
        f"same trades multiplied. Whiskers: {percent_level(result)} intervals. {setting(result)}",
        sensitivity_chart(result),
    )
    several = result.get("cost_sensitivity")
    table = breakdown_tables.sensitivity_table(result) if several else ""
    paid = figures.add(
        "costs",
        "Costs of the hedge",
        f"Paid so far; funding below zero was received. {setting(result)}",
        outcome_charts.cost_chart(record),
    )
    return f"{sentences}{tables.cost_table(result)}{chart}{table}{paid}"


def outcome(figures: FigureStore, record: BacktestRecord, result: Result) -> str:
    """Return profit and loss through time, by year, regime and month."""
    said = setting(result) + thinning_sentence(record.market.ts.size)
    parts = [
        figures.add(
            "equity",
            "Profit and loss",
            "Exposure and hedge together, net of all costs; further baselines can be switched on in the "
            f"legend. Dotted lines: onsets of cascades. {said}",
            outcome_charts.equity_chart(record),
        ),
        figures.add(
            "drawdown",
            "Drawdowns",
            "How far the profit and loss stood below its peak. Baselines can be switched on in the legend; "
            f"they show the deepest of each day. {said}",
            outcome_charts.drawdown_chart(record),
        ),
        f"<h3>Further measures</h3>{tables.measures_table(result)}",
    ]
    for key, heading, name in (
        ("years", "Years", "year"),
        ("regimes", "Regimes", "regime"),
        ("netting", "Netted over other periods than the day", "netting"),
    ):
        if result.get(key):
            parts.append(f"<h3>{heading}</h3>{breakdown_tables.split_table(result[key], name)}")
    parts.append(f"<h3>Months</h3>{breakdown_tables.month_table(result)}")
    return "".join(parts)


def forecast(figures: FigureStore, record: BacktestRecord, result: Result) -> str:
    """Return the forecast: probabilities, alerts against cascades, calibration."""
    when = period(result) + "." + thinning_sentence(record.market.ts.size)
    price = figures.add(
        "price",
        f"{record.hedge_instrument}: price and cascades",
        f"Closes. {definition_sentence(result)} {when}",
        charts.price_chart(record, result),
    )
    probabilities = figures.add(
        "forecast",
        "Forecast probability of a cascade",
        "Calibrated probabilities at each decision. Shaded: hours in alert. Dotted lines: onsets of "
        f"cascades. {when}",
        charts.forecast_chart(record),
    )
    alerts = f"<p>{escape(cascade_sentence(result))}</p>{tables.cascade_table(result)}"
    return alerts + price + probabilities + _calibration(figures, record, result)


def cascades(figures: FigureStore, record: BacktestRecord, result: Result) -> str:
    """Return the cascades one by one."""
    gallery = cascade_gallery(record, result)
    if not record.events:
        return gallery
    folded = f" Shown are the {SHOWN} deepest, the others below." if len(record.events) > SHOWN else ""
    return (
        f"<p class='lead'>From {BEFORE_HOURS} hours before each cascade's onset to {AFTER_HOURS} after it, "
        f"UTC: close in {escape(record.quote)}; open interest of all venues, change since the left edge; "
        f"probability of a cascade within {record.event_hours} hours, orange while in alert; hedge ratio "
        "held. The line is the onset, the hour in which the move was complete; the shade reaches to the "
        f"cascade's end. Profit and loss: from {record.event_hours} hours before the onset to that end, net "
        f"of all costs.{folded}</p>{_windows(result)}{gallery}"
    )


def market(figures: FigureStore, record: BacktestRecord, result: Result) -> str:
    """Return open interest, funding and the liquidation map."""
    when = period(result) + "." + thinning_sentence(record.market.ts.size)
    parts = [
        figures.add(
            "open_interest",
            "Open interest by venue",
            f"As known at each bar, in {record.asset}, one-sided. Dotted lines: onsets of cascades. {when}",
            charts.open_interest_chart(record),
        ),
        figures.add(
            "funding",
            "Funding rate by venue",
            f"Last settled rate as known at each bar, per eight hours; above zero longs pay. {when}",
            charts.funding_chart(record),
        ),
    ]
    if record.levels is not None:
        parts.append(
            figures.add(
                "liquidation_map",
                "Liquidation map through time",
                "Where the positions that open interest shows would be liquidated, estimated from the prices "
                "at which they were opened: longs below the price, shorts above. Each of the "
                f"{record.levels.ts.size} columns is the map as it was known at its time; the line is the "
                f"close. In million {record.quote} for each 1 % of price; full colour: the densest "
                f"hundredth. {when}",
                heat_map_chart(record.market, record.levels, record.quote),
            )
        )
    return "".join(parts)


def hedge(figures: FigureStore, record: BacktestRecord, result: Result) -> str:
    """Return the hedge ratio, and what the rails did."""
    chart = figures.add(
        "hedge",
        "Hedge ratio wanted, allowed and held",
        "Wanted by the policy, allowed by the rails, held by the hedge book; below, the rail that decided. "
        f"{period(result)}.{thinning_sentence(record.market.ts.size)}",
        charts.hedge_chart(record),
    ) + figures.add(
        "account",
        "Hedge account",
        "What the hedge account is worth, net of all costs, and the notional that a full hedge has to cover. "
        f"{setting(result)}{thinning_sentence(record.market.ts.size)}",
        outcome_charts.account_chart(record),
    )
    if not result["rails"]:
        return f"{chart}<p>No rail changed a decision.</p>"
    return (
        f"{chart}<h3>How often each rail decided</h3>{tables.rail_table(result)}"
        f"<details><summary>Every time a rail decided</summary>{rail_audit_table(record)}</details>"
    )


def setting(result: Result) -> str:
    """Return period and costs, for captions."""
    return f"{period(result)}; {result['cost_note']}."


def paragraphs(sentences: list[str] | tuple[str, ...]) -> str:
    """Return each sentence as a paragraph, escaped."""
    return "".join(f"<p>{_unbroken(sentence)}</p>" for sentence in sentences)


def sentence_list(sentences: list[str]) -> str:
    """Return sentences as a list, escaped; nothing where there is none."""
    items = "".join(f"<li>{_unbroken(sentence)}</li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""


def _unbroken(sentence: str) -> str:
    """Return a sentence escaped, no number parted from its per cent sign."""
    return escape(sentence).replace(" %", "&nbsp;%")


def _calibration(figures: FigureStore, record: BacktestRecord, result: Result) -> str:
    curves = [
        each for each in result.get("calibration") or [] if each["side"] in _sides(result) and each["bins"]
    ]
    if not curves:
        return ""
    said = [calibration_sentence(each) for each in curves]
    chart = figures.add(
        "calibration",
        "Calibration in this backtest",
        "Share of decisions that a cascade followed against the probability forecast, in tenths of the "
        f"decisions, the highest cut once more at 95 % and 98 %; whiskers: {percent_level(result)} intervals "
        "from whole days, as neighbouring decisions share most of what follows. On the dashed line forecasts "
        "are as good as their word. Below: how many "
        f"decisions had which forecast. {period(result)}.",
        calibration_chart(record, curves),
    )
    bins = "".join(
        f"<details><summary>Bins: {each['side']} within {each['hours']} h</summary>"
        f"{breakdown_tables.reliability_table(each, result)}</details>"
        for each in curves
    )
    return sentence_list(said) + chart + bins


def _windows(result: Result) -> str:
    windows = result["cascades"].get("effectiveness")
    if not windows or not windows["windows"]:
        return ""
    quote = result["exposure"]["quote"]
    lead = result["cascades"]["event_hours"]
    said = (
        f"Within the {windows['windows']:,} stretches from {lead} hours before an onset to the cascade's end "
        f"the exposure made {amount(windows['unhedged_pnl'])} {quote}, with the hedge "
        f"{amount(windows['hedged_pnl'])}."
    )
    return f"<p>{escape(said)}</p>{breakdown_tables.window_table(windows)}"


def _sides(result: Result) -> tuple[str, ...]:
    side = result["cascades"]["side"]
    return (side,) if side in ("down", "up") else ("down", "up")
