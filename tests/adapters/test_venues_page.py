"""docs/venues.md says what the venue table says."""

from pathlib import Path

import pytest

from oi_hedge_adapters.venues import ROWS, Feed

PAGE = (Path(__file__).parents[2] / "docs" / "venues.md").read_text().splitlines()
LINES = {line.split("`")[1]: line for line in PAGE if line.startswith("| `")}


def test_page_has_every_row_in_the_order_of_the_table():
    assert list(LINES) == [row.key for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_page_marks_what_the_row_offers(row):
    marks = [cell.strip() != "–" for cell in LINES[row.key].split("|")[2:-1]]

    assert marks == [
        Feed.OPEN_INTEREST in row.live,
        Feed.OPEN_INTEREST in row.history_of,
        Feed.FUNDING in row.live,
        Feed.FUNDING in row.history_of,
        Feed.LIQUIDATIONS in row.live,
        Feed.LONG_SHORT in row.live,
    ]
