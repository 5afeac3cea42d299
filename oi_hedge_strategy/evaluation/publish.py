"""
Put the verdict of a backtest into the documentation.

Run as ``python -m oi_hedge_strategy.evaluation.publish out/result.json docs/verdict.md``.
"""

import json
from pathlib import Path

import click

from oi_hedge_catalog.errors import ConfigError, OIHedgeError
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.evaluation.verdict_page import markdown_verdict

BEGIN = "<!-- measured: begin -->"
END = "<!-- measured: end -->"


def publish(result: Path, page: Path) -> Path:
    """
    Replace what stands between the page's marks by the verdict of a result.

    Parameters
    ----------
    result : Path
        The ``result.json`` of a backtest.
    page : Path
        A Markdown page with the two marks.

    Raises
    ------
    ConfigError
        If the result cannot be read, or the page is missing or does not hold each mark once, in order.

    """
    try:
        figures = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{result}: expected the result.json of a backtest: {error}") from error
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ConfigError(f"{page}: expected the marks {BEGIN} and {END} once each, in this order")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return write_text(page, f"{before}{BEGIN}\n\n{markdown_verdict(figures)}\n\n{END}{after}")


@click.command()
@click.argument("result", type=click.Path(path_type=Path))
@click.argument("page", type=click.Path(path_type=Path))
def main(result: Path, page: Path) -> None:
    """Put the verdict of RESULT into PAGE."""
    try:
        click.echo(f"written: {publish(result, page)}")
    except OIHedgeError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
