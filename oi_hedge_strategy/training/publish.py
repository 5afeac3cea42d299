"""
Put the measured table and the reliability curve of a walk-forward into the documentation.

Run as ``python -m oi_hedge_strategy.training.publish PREDICTIONS docs/forecast.md``.
"""

from pathlib import Path

import click

from oi_hedge_catalog.errors import ConfigError, OIHedgeError
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.training.predictions import Predictions
from oi_hedge_strategy.training.reliability import reliability_curves, reliability_svg
from oi_hedge_strategy.training.score import REFERENCE, score
from oi_hedge_strategy.training.score_text import markdown_tables

BEGIN = "<!-- measured: begin -->"
END = "<!-- measured: end -->"
PICTURE = "reliability.svg"


def publish(predictions: Path, page: Path, reference: str = REFERENCE) -> Path:
    """
    Replace what stands between the page's marks by the table, and write the picture beside the page.

    Parameters
    ----------
    predictions : Path
        The .npz file of `Predictions`.
    page : Path
        A Markdown page with the two marks.
    reference : str
        The forecaster that the others are compared with, and whose reliability is drawn.

    Raises
    ------
    ConfigError
        If the page is missing or does not hold each mark once, in order.
    DataError
        If the predictions cannot be read.

    """
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ConfigError(f"{page}: expected the marks {BEGIN} and {END} once each, in this order")
    data = Predictions.read(predictions)
    scores = score(data, reference)
    write_text(page.with_name(PICTURE), reliability_svg(reliability_curves(data, scores), reference))
    measured = f"{BEGIN}\n\n{markdown_tables(scores)}\n![Reliability of the forecast]({PICTURE})\n\n{END}"
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return write_text(page, f"{before}{measured}{after}")


@click.command()
@click.argument("predictions", type=click.Path(path_type=Path))
@click.argument("page", type=click.Path(path_type=Path))
@click.option("--reference", default=REFERENCE, show_default=True, help="What the others are compared with.")
def main(predictions: Path, page: Path, reference: str) -> None:
    """Put the table of PREDICTIONS into PAGE, and the reliability curve beside it."""
    try:
        click.echo(f"wrote {publish(predictions, page, reference)}")
    except OIHedgeError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
