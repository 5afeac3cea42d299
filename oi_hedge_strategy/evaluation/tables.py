"""The report's tables, as HTML."""

from collections.abc import Iterable, Sequence
from html import escape

from oi_hedge_strategy.evaluation.wording import (
    Result,
    amount,
    day,
    hours,
    interval,
    number,
    p_value,
    percent,
    percent_level,
    short_words,
    signed,
    spoken,
    with_interval,
)

Cell = str | tuple[str, str]


def table(headers: Sequence[str], rows: Iterable[Sequence[Cell]], words: Sequence[int] = (0,)) -> str:
    """
    Return an HTML table, all text escaped.

    Parameters
    ----------
    headers : sequence of str
        The column heads.
    rows : iterable of sequences of str or (str, str)
        The cells; the second text of a pair stands small below the first.
    words : sequence of int
        The columns that hold words, which are set to the left.

    """
    classes = ["words" if i in words else "figure" for i in range(len(headers))]
    head = "".join(
        f'<th class="{kind}">{escape(text)}</th>' for text, kind in zip(headers, classes, strict=True)
    )
    body = "".join(
        f"<tr>{''.join(_cell(cell, kind) for cell, kind in zip(row, classes, strict=True))}</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def verdict_table(result: Result) -> str:
    """Return the hedge beside its baselines, with intervals."""
    quote = result["exposure"]["quote"]
    hedge = {**result["effectiveness"], "costs": result["costs"]}
    rows = [_run_row("the hedge", hedge, "", result["verdict"]["words"])]
    for name, baseline in result["baselines"].items():
        difference = (signed(baseline["difference"]["value"]), interval(baseline["difference"], signed))
        rows.append(_run_row(spoken(name), baseline, difference, short_words(baseline["words"])))
    headers = ["", "loss avoided", "gain kept", "skill", "hedge's skill less this", "in words",
               "mean hedge ratio", "costs a year, of notional", f"largest drawdown, {quote}"]  # fmt: skip
    return table(headers, rows, words=(0, 5))


def measures_table(result: Result) -> str:
    """Return the hedge's further measures."""
    figures, quote = result["effectiveness"], result["exposure"]["quote"]
    rows = [
        ("Skill before costs", figures["skill_before_costs"], signed),
        ("Variance reduction (Ederington)", figures["variance_reduction"], percent),
        ("Reduction of the mean loss of the worst 5 % of days (CVaR)", figures["cvar_reduction"], percent),
        (f"Largest drawdown at daily closes, hedged, {quote}", figures["max_drawdown"], amount),
        (f"Largest drawdown at daily closes, unhedged, {quote}", figures["max_drawdown_unhedged"], amount),
        ("Reduction of the largest drawdown", figures["drawdown_reduction"], percent),
        ("Mean hedge ratio", figures["mean_hedge_ratio"], percent),
        (f"Turnover per week, {quote}", figures["turnover_per_week"], amount),
    ]
    return table(
        ["measure", "value", f"{percent_level(result)} interval"],
        [(name, show(estimate["value"]), interval(estimate, show)) for name, estimate, show in rows],
    )


def cost_table(result: Result) -> str:
    """Return the hedge's costs."""
    rows = [
        (name, amount(cost["amount"]), percent(cost["share_per_year"]))
        for name, cost in result["costs"].items()
    ]
    return table(["cost", result["exposure"]["quote"], "of the exposure's mean notional, per year"], rows)


def cascade_table(result: Result) -> str:
    """Return how the alerts met the cascades."""
    found = result["cascades"]
    rows: list[Sequence[Cell]] = [
        ("Cascades that could be caught", f"{found['judged']}"),
        ("Caught", (f"{found['caught']}", with_interval(found["recall"], percent))),
        ("Caught on average by the same alerts shifted in time", percent(found["chance_recall"])),
        ("p-value against shifted alerts", p_value(found["p_value"])),
        ("Median lead time", hours(found["median_lead_hours"])),
        ("Alert episodes", f"{found['alert_episodes']}"),
        ("False alarms", (f"{found['false_alarms']}", f"{number(found['false_alarms_per_week'])} a week")),
        ("Share of time in alert", percent(found["share_of_time_in_alert"])),
    ]
    return table(["alerts", ""], rows)


def rail_table(result: Result) -> str:
    """Return how often each rail decided."""
    rows = [
        (
            rail["rail"],
            f"{rail['decisions']:,}",
            percent(rail["share"]),
            percent(rail["wanted"]),
            percent(rail["allowed"]),
            f"{day(rail['first'])} to {day(rail['last'])}",
            rail["reason"],
        )
        for rail in result["rails"]
    ]
    headers = ["rail", "decisions", "of all", "mean ratio wanted", "mean ratio allowed", "first and last"]
    return table([*headers, "most common reason"], rows, words=(0, 5, 6))


def mapping_table(values: Result, name: str) -> str:
    """Return a mapping as a table of two columns."""
    return table([name, ""], [(str(key), plain_text(value)) for key, value in values.items()], words=(0, 1))


def _run_row(name: str, figures: Result, difference: Cell, words: str) -> list[Cell]:
    shown: list[Cell] = [name]
    for key, show in (("loss_avoided", percent), ("gain_kept", percent), ("skill", signed)):
        shown.append((show(figures[key]["value"]), interval(figures[key], show)))
    ratio, drawdown = figures["mean_hedge_ratio"], figures["max_drawdown"]
    costs = percent(figures["costs"]["total"]["share_per_year"])
    return [*shown, difference, words, percent(ratio["value"]), costs, amount(drawdown["value"])]


def plain_text(value: object) -> str:
    """Return a value of any kind as text."""
    if isinstance(value, list):
        return ", ".join(plain_text(item) for item in value)
    if isinstance(value, dict):
        return "; ".join(f"{key}: {plain_text(item)}" for key, item in value.items())
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _cell(cell: Cell, kind: str) -> str:
    main, small = cell if isinstance(cell, tuple) else (cell, "")
    below = f"<small>{escape(small)}</small>" if small else ""
    return f'<td class="{kind}">{escape(main)}{below}</td>'
