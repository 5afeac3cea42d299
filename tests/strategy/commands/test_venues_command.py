import json

import pytest
from click.testing import CliRunner

from oi_hedge_adapters.venues import ROWS
from oi_hedge_strategy.cli import main


def run(*arguments, code=0):
    result = CliRunner().invoke(main, ["venues", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_every_venue_is_a_line_with_its_unit_and_what_it_has():
    *lines, blank, legend = run().splitlines()

    assert len(lines) == 1 + len(ROWS)
    assert (blank, legend) == ("", "O open interest, F funding, L liquidations, R long/short")
    bybit = next(line for line in lines if line.startswith("bybit-linear"))
    assert bybit.split("  ")[0] == "bybit-linear"
    assert "ETHUSDT-LINEAR.BYBIT" in bybit
    assert "base coin, both sides" in bybit
    assert "websocket, 5 s" in bybit
    assert "OFLR" in bybit and "OF.R" in bybit
    assert "history only" in next(line for line in lines if line.startswith("ftx"))


def test_one_venue_is_told_in_full():
    text = run("okx-linear")

    assert "oiCcy: base coin, one side" in text
    assert "oi is contracts, oiCcy is coin; ccxt's amount is the former (recorded)" in text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_table_is_json_on_request(row):
    (fields,) = json.loads(run(row.key, "--json"))

    assert fields["instrument"] == str(row.example)
    assert fields["ccxt symbol"] == row.example_ccxt


def test_unknown_venue_is_one_sentence_and_exit_code_one():
    text = run("binance", code=1)

    assert text.startswith("Error: unknown venue 'binance', expected one of binance-linear, ")
    assert len(text.splitlines()) == 1
