"""What a live run demands before anything connects."""

import json
import os

import pytest
from support.command import refuse
from support.models import tiny_card, write_model

from oi_hedge_catalog.errors import ConfigError, StateError
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.live.checks import account_key, check_keys, check_paper, check_stop
from oi_hedge_strategy.live.lock import lock_account
from oi_hedge_strategy.live.run import run_node

TEST_KEYS = ("BINANCE_FUTURES_TESTNET_API_KEY", "BINANCE_FUTURES_TESTNET_API_SECRET")
REAL_KEYS = ("BINANCE_API_KEY", "BINANCE_API_SECRET")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_API_SECRET", "_PK")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OI_HEDGE_LOCK_DIR", str(tmp_path / "locks"))


@pytest.fixture
def fields(tmp_path):
    return {
        "model": str(write_model(tmp_path / "eth.onnx", tiny_card())),
        "exposure_instrument": "ETHUSDT-LINEAR.BYBIT",
        "paper": {"directory": str(tmp_path / "paper")},
        "live": {"directory": str(tmp_path / "live")},
    }


def parse(fields, **live):
    return BacktestSettings.parse(json.dumps(fields | {"live": fields["live"] | live}))


def write_verdict(tmp_path, answer):
    where = tmp_path / "paper" / "report"
    where.mkdir(parents=True)
    (where / "verdict.json").write_text(json.dumps({"answer": answer, "reasons": [], "comparisons": []}))


def test_missing_keys_are_named_and_only_those(fields, monkeypatch):
    monkeypatch.setenv(TEST_KEYS[0], "planted-secret")
    with pytest.raises(ConfigError) as caught:
        check_keys(parse(fields))
    assert TEST_KEYS[1] in str(caught.value)
    assert TEST_KEYS[0] not in str(caught.value)
    assert "planted-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("hedge", "asked", "known"),
    [
        ("ETHUSDT-LINEAR.BYBIT", "mark", "last"),
        ("ETH-USD-PERP.HYPERLIQUID", "last", "mark"),
        ("ETHUSDT-PERP.BINANCE", "mark", None),
        ("ETH-USDT-SWAP.OKX", "mark", None),
    ],
)
def test_a_stop_that_an_adapter_would_set_off_by_another_price_is_refused(fields, hedge, asked, known):
    fields |= {"hedge_instrument": hedge, "rails": {"stop_trigger": asked}}
    if known is None:
        check_stop(parse(fields))
        return
    with pytest.raises(ConfigError, match=f'set off by the {known} price alone: set it to "{known}"'):
        check_stop(parse(fields))
    check_stop(parse(fields | {"rails": {"stop_trigger": asked, "hard_stop": 0.0}}))


def test_the_exposure_s_account_wants_keys_where_it_is_read(fields, monkeypatch):
    for name in TEST_KEYS:
        monkeypatch.setenv(name, "x")
    check_keys(parse(fields))
    with pytest.raises(ConfigError, match="BINANCE and BYBIT.*BYBIT_TESTNET_API_KEY"):
        check_keys(parse(fields, exposure="account"))


def test_the_own_account_wants_other_keys_than_the_testnet(fields, monkeypatch):
    for name in TEST_KEYS:
        monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError, match=", ".join(REAL_KEYS)):
        check_keys(parse(fields, testnet=False))


def test_live_refuses_without_keys_before_it_connects(fields):
    with pytest.raises(ConfigError, match=TEST_KEYS[0]):
        run_node(parse(fields), "live")


def test_a_second_instance_on_the_account_is_refused(fields, monkeypatch):
    for name in TEST_KEYS:
        monkeypatch.setenv(name, "planted-secret")
    settings = parse(fields)
    with (
        lock_account("BINANCE", account_key(settings, "BINANCE")),
        pytest.raises(StateError, match="account at BINANCE is in use") as caught,
    ):
        run_node(settings, "live")
    assert "planted-secret" not in str(caught.value)


def test_real_orders_want_the_word_and_then_paper(fields, tmp_path):
    real = parse(fields, testnet=False)
    with pytest.raises(ConfigError, match="--real-orders"):
        run_node(real, "live")
    with pytest.raises(
        ConfigError, match=r"3 months of paper first.*holds no verdict.*--before-paper-is-over"
    ):
        run_node(real, "live", real_orders=True)
    with pytest.raises(ConfigError, match=REAL_KEYS[0]):
        run_node(real, "live", real_orders=True, before_paper=True)


@pytest.mark.parametrize("answer", ["go on with paper", "do not go live"])
def test_a_verdict_that_does_not_say_go_live_holds_real_orders_back(fields, tmp_path, answer):
    write_verdict(tmp_path, answer)
    with pytest.raises(ConfigError, match=f"says: {answer}"):
        check_paper(parse(fields, testnet=False))


def test_a_verdict_that_says_go_live_lets_them_through(fields, tmp_path):
    write_verdict(tmp_path, "go live")
    check_paper(parse(fields, testnet=False))
    with pytest.raises(ConfigError, match=REAL_KEYS[0]):
        run_node(parse(fields, testnet=False), "live", real_orders=True)


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_model_must_be_named(fields, mode):
    with pytest.raises(ConfigError, match="shipped models are of the past"):
        run_node(parse(fields | {"model": ""}), mode)


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_the_commands_want_a_file(mode, tmp_path):
    assert "cannot read" in refuse(mode, "--config", tmp_path / "no.toml")
