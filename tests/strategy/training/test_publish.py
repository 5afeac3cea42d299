from pathlib import Path

import pytest
from support.predictions import make_predictions

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.training.publish import BEGIN, END, publish

PAGE = Path(__file__).resolve().parents[3] / "docs" / "forecast.md"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return make_predictions(days=60, assets=("ETH",)).write(
        tmp_path_factory.mktemp("run") / "predictions.npz"
    )


def test_the_page_of_the_documentation_takes_the_table(tmp_path, stored):
    page = tmp_path / "forecast.md"
    page.write_text(PAGE.read_text())
    publish(stored, page)
    text = page.read_text()
    assert text.startswith(PAGE.read_text().split(BEGIN)[0])
    assert text.endswith(PAGE.read_text().split(END)[1])
    assert "hybrid has the best" in text
    assert "![Reliability of the forecast](reliability.svg)" in text
    assert (tmp_path / "reliability.svg").read_text().startswith("<svg")


def test_publishing_again_replaces_the_table(tmp_path, stored):
    page = tmp_path / "forecast.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    publish(stored, page)
    once = page.read_text()
    publish(stored, page)
    assert page.read_text() == once
    assert "old" not in once


@pytest.mark.parametrize("text", ["no marks", f"{BEGIN}", f"{END}\n{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_page_without_both_marks_is_left_alone(tmp_path, stored, text):
    page = tmp_path / "forecast.md"
    page.write_text(text)
    with pytest.raises(ConfigError, match=r"forecast\.md: expected the marks"):
        publish(stored, page)
    assert page.read_text() == text
    assert [each.name for each in tmp_path.iterdir()] == ["forecast.md"]
