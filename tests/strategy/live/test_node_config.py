"""The settings become a node: which instruments it reads, where orders go, what is never in it."""

import json

import pytest
from nautilus_trader.adapters.binance.common.enums import BinanceEnvironment
from nautilus_trader.model.identifiers import InstrumentId
from support.models import tiny_card, write_model

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.live.node import build_node, instruments_read, node_config
from oi_hedge_strategy.live.sandbox import PaperSandboxConfig
from oi_hedge_strategy.state import StateSchema

SCHEMA = StateSchema(("BINANCE", "BYBIT", "DERIBIT", "GATE", "OKX"))


@pytest.fixture
def settings(tmp_path):
    model = write_model(tmp_path / "eth.onnx", tiny_card(SCHEMA))

    def make(**changes):
        fields = {
            "model": str(model),
            "exposure_quantity": 10.0,
            "paper": {"directory": str(tmp_path / "paper")},
            "live": {"directory": str(tmp_path / "live")},
        }
        return BacktestSettings.parse(json.dumps(fields | changes))

    return make


def strategy(config):
    (found,) = config.strategies
    return found.config


def read(settings):
    return [str(each) for each in instruments_read(settings, SCHEMA)]


def test_the_models_venues_that_can_be_reached_are_read(settings):
    assert read(settings()) == [
        "ETHUSDT-PERP.BINANCE",
        "ETHUSDT-LINEAR.BYBIT",
        "ETH-PERPETUAL.DERIBIT",
        "ETH-USDT-SWAP.OKX",
        "ETHUSDT.BINANCE_SPOT",
    ]


def test_named_venues_are_read_in_place_of_them(settings):
    assert read(settings(venues=["BYBIT"], exposure_instrument="ETHUSDT-LINEAR.BYBIT")) == [
        "ETHUSDT-PERP.BINANCE",
        "ETHUSDT-LINEAR.BYBIT",
    ]


def test_a_named_venue_that_cannot_be_reached_is_refused(settings):
    with pytest.raises(ConfigError, match="no adapter for 'GATE'"):
        read(settings(venues=["GATE"]))


def test_paper_simulates_the_hedge_venue_with_the_costs_of_a_backtest(settings):
    config = node_config(
        settings(latency_ms=150.0, costs={"latency_multiplier": 2.0, "taker_fee": 0.001}), "paper"
    )
    assert config.exec_clients.keys() == {"BINANCE"}
    sandbox = config.exec_clients["BINANCE"]
    assert isinstance(sandbox, PaperSandboxConfig)
    assert sandbox.latency_ms == 300.0
    assert sandbox.starting_balances == ["300000.00 USDT"]
    modules = [each.actor_path.rpartition(":")[2] for each in sandbox.simulation.modules]
    assert modules == ["ImpactStateModule", "FundingModule", "LiquidationModule"]
    assert sandbox.simulation.modules[1].config == {"rates": "predicted"}
    assert sandbox.simulation.fee_model is not None
    assert not sandbox.bar_execution


@pytest.mark.parametrize("mode", ["paper", "live"])
@pytest.mark.parametrize(("costs", "fee"), [({}, None), ({"fee_tier": "vip9"}, 0.00017)])
def test_the_hedge_is_sized_by_the_fee_tier_of_the_account(settings, mode, costs, fee):
    (strategy,) = node_config(settings(costs=costs), mode).strategies
    assert strategy.config["taker_fee"] == fee


def test_live_orders_go_to_the_testnet_and_data_come_from_the_market(settings):
    config = node_config(settings(), "live")
    assert config.exec_clients.keys() == {"BINANCE"}
    assert config.exec_clients["BINANCE"].environment == BinanceEnvironment.TESTNET
    assert config.data_clients["BINANCE"].environment == BinanceEnvironment.LIVE
    assert config.data_clients.keys() == {"BINANCE", "BYBIT", "DERIBIT", "OKX", "BINANCE_SPOT", "OI"}


def test_real_orders_must_be_said_twice(settings):
    real = settings(live={"testnet": False})
    assert node_config(real, "live").exec_clients["BINANCE"].environment == BinanceEnvironment.LIVE
    with pytest.raises(ConfigError, match="--real-orders"):
        build_node(real, "live")


def test_paper_and_live_run_one_strategy_with_one_configuration(settings):
    paper, live = (strategy(node_config(settings(), mode)) for mode in ("paper", "live"))
    assert {name for name in paper if paper[name] != live[name]} == {"state_dir"}
    assert paper["bar_type"] == "ETHUSDT-PERP.BINANCE-1-HOUR-LAST-EXTERNAL"
    assert paper["use_timer"] is True
    assert paper["external_order_claims"] == ["ETHUSDT-PERP.BINANCE"]


@pytest.mark.parametrize(
    ("held", "expected", "accounts"),
    [
        ("ETHUSDT.BINANCE_SPOT", {"balance_venues": ["BINANCE_SPOT"]}, {"BINANCE", "BINANCE_SPOT"}),
        ("ETHUSDT-LINEAR.BYBIT", {"instrument_ids": ["ETHUSDT-LINEAR.BYBIT"]}, {"BINANCE", "BYBIT"}),
    ],
)
def test_the_account_says_what_is_held_where_it_shall(settings, held, expected, accounts):
    fields = settings(exposure_instrument=held)
    live = {"exposure": "account", "directory": fields.live.directory}
    config = node_config(settings(exposure_instrument=held, live=live), "live")
    empty = {"instrument_ids": [], "balance_venues": [], "quantity": 0.0}
    assert strategy(config)["exposure"] == empty | expected
    assert config.exec_clients.keys() == accounts
    assert strategy(node_config(fields, "paper"))["exposure"] == empty | {"quantity": 10.0}


def test_bars_have_the_length_that_the_model_was_trained_on(settings, tmp_path):
    minutes = write_model(
        tmp_path / "minutes.onnx",
        tiny_card(StateSchema(("BINANCE",), bar_seconds=300, resolution_seconds=60)),
    )
    config = node_config(settings(model=str(minutes), node={"bar_source": "internal"}), "paper")
    assert strategy(config)["bar_type"] == "ETHUSDT-PERP.BINANCE-5-MINUTE-LAST-INTERNAL"


def test_redis_is_nautiluss_cache_where_it_is_named(settings):
    assert node_config(settings(), "paper").cache.database is None
    config = node_config(settings(node={"redis_host": "127.0.0.1", "redis_port": 6380}), "paper")
    assert (config.cache.database.type, config.cache.database.port) == ("redis", 6380)
    assert config.load_state


def test_the_node_configuration_is_json_and_holds_no_keys(settings, monkeypatch):
    for name in ("BINANCE_FUTURES_TESTNET_API_KEY", "BINANCE_FUTURES_TESTNET_API_SECRET"):
        monkeypatch.setenv(name, "planted-secret")
    text = node_config(settings(), "live").json().decode()
    assert "planted-secret" not in text
    assert json.loads(text)["trader_id"] == "OIHEDGE-001"


def test_the_run_s_directory_is_the_owner_s_alone(settings, tmp_path):
    node_config(settings(), "paper")
    assert (tmp_path / "paper").stat().st_mode & 0o777 == 0o700


def test_the_hedge_is_always_among_what_is_read():
    settings = BacktestSettings(exposure_instrument=InstrumentId.from_str("ETHUSDT-LINEAR.BYBIT"))
    assert read(settings)[0] == "ETHUSDT-PERP.BINANCE"
