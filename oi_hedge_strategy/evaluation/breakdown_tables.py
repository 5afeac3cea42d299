"""Tables that break a backtest down: by period, regime, netting, cost, probability."""

from collections.abc import Callable, Mapping, Sequence

from oi_hedge_strategy.evaluation.tables import Cell, plain_text, table
from oi_hedge_strategy.evaluation.wording import (
    Result,
    amount,
    day,
    interval,
    percent,
    percent_level,
    signed,
    signed_percent,
    spoken,
)

Show = Callable[[float | None], str]
HEADLINE: dict[str, Show] = {"loss_avoided": percent, "gain_kept": percent, "skill": signed}
DIFFERENCES: dict[str, Show] = {"loss_avoided": signed_percent, "gain_kept": signed_percent, "skill": signed}


def month_table(result: Result) -> str:
    """Return the months."""
    quote = result["exposure"]["quote"]
    rows = [
        (
            month["month"],
            amount(month["unhedged"]),
            amount(month["hedged"]),
            amount(month["costs"]),
            percent(month["loss_avoided"]) if month["loss_avoided"] is not None else "-",
            percent(month["gain_kept"]) if month["gain_kept"] is not None else "-",
            percent(month["mean_hedge_ratio"]) if month["mean_hedge_ratio"] is not None else "-",
            f"{month['caught']} of {month['cascades']}" if month["cascades"] else "-",
        )
        for month in result["months"]
    ]
    headers = ["month", f"unhedged P&L, {quote}", f"hedged P&L, {quote}", f"costs, {quote}", "loss avoided",
               "gain kept", "mean hedge ratio", "cascades caught"]  # fmt: skip
    return table(headers, rows)


def split_table(rows: Sequence[Result], name: str) -> str:
    """
    Return hedge effectiveness of parts of the data, such as years or regimes.

    Parameters
    ----------
    rows : sequence of mappings
        Each with `name` and the headline figures; what else they hold stands behind those.
    name : str
        What tells the rows apart, such as "year".

    """
    others = [
        key for key in dict.fromkeys(key for row in rows for key in row) if key not in {name, *HEADLINE}
    ]
    return table(
        [name, *map(spoken, HEADLINE), *map(spoken, others)],
        [
            [
                spoken(str(row[name])),
                *(_figure(row[key], show) for key, show in HEADLINE.items()),
                *(_cell(key, row.get(key)) for key in others),
            ]
            for row in rows
        ],
    )


def difference_table(rows: Sequence[Result], less: str) -> str:
    """Return paired differences to baselines; `less` names what they are taken from."""
    return table(
        [f"{less}, less", "loss avoided", "gain kept", "skill", "in words"],
        [
            [
                spoken(row["baseline"]),
                *(_figure(row[key], show) for key, show in DIFFERENCES.items()),
                spoken(row["words"]),
            ]
            for row in rows
        ],
        words=(0, 4),
    )


def window_table(windows: Result) -> str:
    """Return the loss avoided within the cascades, by the hedge and by its baselines."""
    runs = {"the hedge": windows, **windows["baselines"]}
    rows = [(spoken(name), _figure(each["loss_avoided"], percent)) for name, each in runs.items()]
    return table(["within the cascades", "loss avoided"], rows)


def sensitivity_table(result: Result) -> str:
    """Return the skill at multiplied costs."""
    rows = [
        [
            f"{each['impact']:g}",
            f"{each['latency']:g}",
            *(_figure(each[key], show) for key, show in HEADLINE.items()),
        ]
        for each in result["cost_sensitivity"]
    ]
    return table(["impact, times", "latency, times", "loss avoided", "gain kept", "skill"], rows, words=())


def reliability_table(curve: Result, result: Result) -> str:
    """Return the bins of a reliability curve."""
    rows = [
        (
            f"{percent(each['from'])} to {percent(each['to'])}",
            percent(each["forecast"]),
            (percent(each["observed"]["value"]), interval(each["observed"], percent)),
            f"{each['samples']:,}",
        )
        for each in curve["bins"]
    ]
    return table(["forecast", "mean", f"observed, {percent_level(result)} interval", "decisions"], rows)


def metric_table(metrics: Mapping[str, Result]) -> str:
    """Return a model's metrics of each output; those that are no single number are left out."""
    outputs = sorted(metrics, key=lambda output: (output.split("_")[0], len(output), output))
    numbers = {
        output: {name: each for name, each in metrics[output].items() if isinstance(each, int | float)}
        for output in outputs
    }
    names = list(dict.fromkeys(name for found in numbers.values() for name in found))
    return table(
        ["output", *map(spoken, names)],
        [
            [spoken(output), *(f"{found[name]:.4g}" if name in found else "-" for name in names)]
            for output, found in numbers.items()
        ],
    )


def period_table(rows: Sequence[Result]) -> str:
    """Return what holds from a ``start`` to an ``end`` each."""
    keys = list(dict.fromkeys(key for row in rows for key in row if key not in ("start", "end")))
    return table(
        ["from", "to", *map(spoken, keys)],
        [[day(row["start"]), day(row["end"]), *(_cell(key, row.get(key)) for key in keys)] for row in rows],
        words=range(2 + len(keys)),
    )


def _figure(estimate: Result, show: Show) -> Cell:
    return show(estimate["value"]), interval(estimate, show)


def _cell(key: str, value: object) -> Cell:
    """Return any value of a section, shown as its key asks for."""
    show = signed if "skill" in key else percent
    if isinstance(value, Mapping) and "value" in value:
        return _figure(value, show)
    if isinstance(value, float) and any(name in key for name in HEADLINE):
        return show(value)
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return plain_text(value)
