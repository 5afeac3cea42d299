"""The table of further inputs and the page about them."""

import tomllib
from pathlib import Path

import pytest

from oi_hedge_catalog.types import LiquidationRecord, LongShortRatio, OptionsOpenInterest, options_id
from oi_hedge_strategy.inputs import INPUTS, inputs_seen
from oi_hedge_strategy.state import CHANNELS, Stream

PAGE = (Path(__file__).parents[2] / "docs" / "inputs.md").read_text()


def test_the_page_names_every_channel_and_type():
    for name in [channel.name for channel in CHANNELS] + [kind.__name__ for kind in INPUTS]:
        assert f"`{name}`" in PAGE


def test_the_pages_wallet_file_is_toml_of_the_documented_fields():
    text = PAGE.split("```toml")[1].split("```")[0]
    assert tomllib.loads(text).keys() == {"coin", "top", "publication_lag", "groups"}
    assert tomllib.loads(text.replace("# token", "token").replace("# decimals", "decimals"))["decimals"] == 6


def test_a_model_asks_for_the_inputs_of_its_channels():
    assert inputs_seen(()) == inputs_seen(("log_price", "funding_8h")) == []
    assert [each.kind for each in inputs_seen(("log_short_liquidations",))] == [LiquidationRecord]
    assert {each.stream for each in inputs_seen([c.name for c in CHANNELS])} == {
        Stream.LONG_SHORT_RATIO,
        Stream.LIQUIDATIONS,
        Stream.OPTIONS_OPEN_INTEREST,
        Stream.WALLET_CONCENTRATION,
    }


def test_a_chain_without_calls_and_accounts_without_shorts_have_no_ratio():
    options = OptionsOpenInterest(options_id("ETH"), 2000.0, [1800.0], [1], [False], [5.0], 0, 0)
    (ratio,) = INPUTS[OptionsOpenInterest].fields(options)
    assert ratio != ratio
    (ratio,) = INPUTS[LongShortRatio].fields(LongShortRatio(options_id("ETH"), 1.0, 0, 0))
    assert ratio == pytest.approx(float("inf"))
