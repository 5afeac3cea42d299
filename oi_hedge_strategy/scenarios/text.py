"""The scenarios' table for the terminal and for a Markdown page."""

from collections.abc import Sequence

from oi_hedge_strategy.scenarios.result import Result, solvency_sentence, stress_sentence, table_rows

EXPLAINED = (
    "Losses, the deepest at hourly closes since the start a day before the shock, and costs are fractions of "
    "the exposure's notional then. The hedged book includes its collateral. Worst margin: least equity of "
    "the hedge account over its position, which is liquidated below the maintenance rate of 0.4 % and more. "
    "Rails: decisions that each decided, or in which it stood with nothing to change."
)
DATA_EXPLAINED = (
    "Data: recorded, or a parametric replay, calibrated to published figures and laid over a calm stretch of "
    "the catalog."
)
_NUMBERS = range(3, 9)


def format_result(result: Result) -> str:
    """Return the table with its explanation, for the terminal."""
    rows = table_rows(result)
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["  ".join(_pad(cell, widths[at], at) for at, cell in enumerate(row)).rstrip() for row in rows]
    ruled = [lines[0], "-" * max(map(len, lines)), *lines[1:]]
    return "\n".join([*ruled, "", solvency_sentence(result), stress_sentence(result)])


def format_markdown(result: Result) -> str:
    """Return the table with its explanation, as Markdown."""
    head, *rows = table_rows(result)
    rule = ["---:" if at in _NUMBERS else "---" for at in range(len(head))]
    table = "\n".join(_row(each) for each in (head, rule, *rows))
    return "\n\n".join((_setting(result), table, solvency_sentence(result), stress_sentence(result))) + "\n"


def _setting(result: Result) -> str:
    return (
        f"Exposure: {result['exposure']}; hedge: {result['hedge_instrument']}; collateral: "
        f"{result['collateral']:g} times the exposure. {EXPLAINED} {DATA_EXPLAINED}"
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _pad(cell: str, width: int, at: int) -> str:
    return cell.rjust(width) if at in _NUMBERS else cell.ljust(width)
