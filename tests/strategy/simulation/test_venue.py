"""Venues built from configuration alone, through the backtest node."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from nautilus_trader.backtest.config import BacktestDataConfig, BacktestEngineConfig, BacktestRunConfig
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.common.config import ImportableActorConfig, LoggingConfig
from nautilus_trader.model.data import FundingRateUpdate
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from oi_hedge_catalog import funding_codec
from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.fill_state import ImpactStateModule, ImpactStateModuleConfig
from oi_hedge_strategy.simulation.ledger import SimulationLedger
from oi_hedge_strategy.simulation.records import FillCost, FundingPayment, PositionLiquidated
from oi_hedge_strategy.simulation.venue import data_venue_config, hedge_venue_config, spot_venue_config

LEDGER = ImportableActorConfig(
    actor_path="oi_hedge_strategy.simulation.ledger:SimulationLedger",
    config_path="oi_hedge_strategy.simulation.ledger:SimulationLedgerConfig",
    config={},
)


def run_config(path: str, market: Any, chunk_size: int | None = None) -> BacktestRunConfig:
    venue = hedge_venue_config(
        "BINANCE",
        ["2000 USDT"],
        leverage=10.0,
        latency_ms=200.0,
        impact={"default_volatility": 0.04, "default_volume": 100_000.0, "warmup_days": 1000.0},
        liquidation={"fee_rate": 0.001},
    )
    instrument_id = market.instrument.id
    return BacktestRunConfig(
        venues=[venue, spot_venue_config("BINANCE_SPOT", ["1000 USDT", "0 ETH"]), data_venue_config("BYBIT")],
        data=[
            BacktestDataConfig(
                path, "nautilus_trader.model.data:Bar", instrument_id=instrument_id, bar_spec="1-HOUR-LAST"
            ),
            BacktestDataConfig(
                path, "nautilus_trader.model.data:FundingRateUpdate", instrument_id=instrument_id
            ),
        ],
        engine=BacktestEngineConfig(actors=[LEDGER], logging=LoggingConfig(bypass_logging=True)),
        chunk_size=chunk_size,
        raise_exception=True,
        dispose_on_completion=False,
    )


@pytest.fixture
def catalog(tmp_path: Path, market: Any) -> str:
    """Write ten quiet hours, a funding settlement at 8 h, and a crash in the eleventh hour."""
    funding_codec.register()
    catalog = ParquetDataCatalog(str(tmp_path))
    catalog.write_data([market.instrument])
    catalog.write_data(market.bars(*[2000.0] * 10, (2000.0, 2000.0, 1600.0, 1900.0), 1900.0))
    ts = market.START + 8 * market.HOUR
    catalog.write_data(
        [FundingRateUpdate(market.instrument.id, Decimal("0.0001"), ts, ts + 2 * 10**9, interval=480)]
    )
    return str(tmp_path)


@pytest.mark.parametrize("chunk_size", [None, 5])
def test_run_configured_by_json_alone_has_every_cost(
    market: Any, catalog: str, chunk_size: int | None, request: pytest.FixtureRequest
) -> None:
    config = BacktestRunConfig.parse(run_config(catalog, market, chunk_size).json())
    node = BacktestNode(configs=[config])
    request.addfinalizer(node.dispose)
    node.build()
    engine = node.get_engine(config.id)
    script = market.Script(market.bar_type, {1: lambda s: s.market(10.0)})
    engine.add_strategy(script)
    node.run()
    ledger = SimulationLedger.of(engine.trader.actors())
    (cost,) = ledger.fill_costs
    # 10 of 100,000 ETH at 4 %: 4 bps and 1 bp of spread on 2000 are 1.00
    assert float(script.fills[0].last_px) == 2001.0
    assert script.fills[0].ts_event == market.START + 2 * market.HOUR + market.LAG + 200_000_000
    assert cost.amount == pytest.approx(10.0)
    (payment,) = ledger.funding_payments
    assert payment.amount == pytest.approx(-2.0)
    (liquidation,) = ledger.liquidations
    # 10 ETH, wallet 1998: (20010 - 1998) / (10 * 0.996)
    assert liquidation.reference_price == pytest.approx((20_010.0 - 1_998.0) / 9.96)
    account = engine.cache.account_for_venue(Venue("BINANCE"))
    expected = 1_998.0 + 10.0 * (liquidation.price - 2001.0) - liquidation.fee
    assert float(account.balance_total(market.instrument.quote_currency)) == pytest.approx(expected)


def test_run_configuration_survives_json(market: Any) -> None:
    config = run_config("somewhere", market)
    assert BacktestRunConfig.parse(config.json()).json() == config.json()


def test_watched_venue_does_not_match_its_bars() -> None:
    venue = data_venue_config("BYBIT")
    assert (venue.bar_execution, venue.modules, venue.fill_model) == (False, None, None)


def test_hedge_venue_takes_its_order_management_from_the_configuration() -> None:
    assert hedge_venue_config("BINANCE", ["1 USDT"]).oms_type == "NETTING"
    assert hedge_venue_config("BINANCE", ["1 USDT"], oms_type="HEDGING").oms_type == "HEDGING"


def test_negative_latency_is_refused() -> None:
    with pytest.raises(ConfigError, match="latency_ms"):
        hedge_venue_config("BINANCE", ["1 USDT"], latency_ms=-1.0)


def test_module_without_its_fill_model_is_refused(market: Any) -> None:
    from nautilus_trader.backtest.engine import BacktestEngine
    from nautilus_trader.model.enums import AccountType, OmsType
    from nautilus_trader.model.objects import Money

    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    market.engines.append(engine)
    with pytest.raises(ConfigError, match="ImpactFillModel"):
        engine.add_venue(
            Venue("BINANCE"),
            OmsType.NETTING,
            AccountType.MARGIN,
            [Money.from_str("1 USDT")],
            modules=[ImpactStateModule(ImpactStateModuleConfig())],
        )


def test_ledger_is_asked_for_in_words_when_missing() -> None:
    with pytest.raises(LookupError, match="actors"):
        SimulationLedger.of([])


@pytest.mark.parametrize("record_type", [FillCost, FundingPayment, PositionLiquidated])
def test_records_survive_arrow(record_type: Any, market: Any) -> None:
    samples = {"string": "x", "double": 1.5, "int8": -1, "bool": True}
    values = [samples[str(field.type)] for field in list(record_type.schema())[1:-2]]
    record = record_type(market.instrument.id, *values, 1, 2)
    assert record_type.decode(record_type.encode([record])) == [record]
