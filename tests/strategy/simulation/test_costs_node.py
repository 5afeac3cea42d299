"""Every cost at once, from a catalog and a JSON configuration through the backtest node."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from nautilus_trader.backtest.config import BacktestDataConfig, BacktestEngineConfig, BacktestRunConfig
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.common.config import ImportableActorConfig, LoggingConfig
from nautilus_trader.model.data import Bar, BarType, FundingRateUpdate, InstrumentStatus, MarkPriceUpdate
from nautilus_trader.model.enums import MarketStatusAction, OrderStatus
from nautilus_trader.model.identifiers import InstrumentId, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Price
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from oi_hedge_catalog import funding_codec
from oi_hedge_strategy.simulation.costs import CostsConfig
from oi_hedge_strategy.simulation.ledger import SimulationLedger
from oi_hedge_strategy.simulation.venue import data_venue_config, hedge_venue_config

WATCHED = InstrumentId.from_str("ETHUSDT-PERP.BYBIT")
COSTS = CostsConfig(
    feed_ms=50.0,
    response_ms=25.0,
    latency_jitter=0.0,
    latency_exponent=0.0,
    cross_impact=0.5,
    fee_tier="vip3",
    liquidation_fee=0.0,
)
IMPACT = {"default_volatility": 0.04, "default_volume": 10_000.0, "warmup_days": 1000.0}
LEDGER = ImportableActorConfig(
    actor_path="oi_hedge_strategy.simulation.ledger:SimulationLedger",
    config_path="oi_hedge_strategy.simulation.ledger:SimulationLedgerConfig",
    config={},
)


@pytest.fixture
def catalog(tmp_path: Path, market: Any) -> str:
    """Write twelve hours at 2000 on two venues, a halt from 3:30 to 5:30, two settlements and mark prices."""
    funding_codec.register()
    catalog = ParquetDataCatalog(str(tmp_path))
    there = CryptoPerpetual.from_dict(CryptoPerpetual.to_dict(market.instrument) | {"id": str(WATCHED)})
    catalog.write_data([market.instrument, there])
    bars = market.bars(*[2000.0] * 12)
    other = BarType.from_str(f"{WATCHED}-1-HOUR-LAST-EXTERNAL")
    catalog.write_data(bars)
    catalog.write_data(
        [Bar(other, b.open, b.high, b.low, b.close, b.volume, b.ts_event, b.ts_init) for b in bars]
    )

    def at(hours: float) -> int:
        return int(market.START + int(hours * market.HOUR))

    name = market.instrument.id
    halt, trading = MarketStatusAction.HALT, MarketStatusAction.TRADING
    catalog.write_data(
        [InstrumentStatus(name, halt, at(3.5), at(3.5)), InstrumentStatus(name, trading, at(5.5), at(5.5))]
    )
    catalog.write_data([MarkPriceUpdate(name, Price(1990.0, 2), at(h), at(h)) for h in (6.9, 8.0)])
    catalog.write_data(
        [
            FundingRateUpdate(name, Decimal("0.0001"), at(h), at(h) + 1, interval=minutes)
            for h, minutes in ((4, 240), (8, 240), (9, 60))
        ]
    )
    return str(tmp_path)


def run_config(path: str, market: Any) -> BacktestRunConfig:
    here = market.instrument.id
    kinds = ("Bar", "FundingRateUpdate", "InstrumentStatus", "MarkPriceUpdate")
    data = [
        BacktestDataConfig(
            path,
            f"nautilus_trader.model.data:{kind}",
            instrument_id=each,
            bar_spec="1-HOUR-LAST" if kind == "Bar" else None,
        )
        for each in (here, WATCHED)
        for kind in (kinds if each == here else kinds[:1])
    ]
    hedge = hedge_venue_config(
        "BINANCE",
        ["1000000 USDT"],
        latency_ms=200.0,
        impact=IMPACT,
        costs=COSTS,
        fee_rates=COSTS.fees("BINANCE"),
    )
    return BacktestRunConfig(
        venues=[hedge, data_venue_config("BYBIT", costs=COSTS)],
        data=data,
        engine=BacktestEngineConfig(actors=[LEDGER], logging=LoggingConfig(bypass_logging=True)),
        raise_exception=True,
        dispose_on_completion=False,
    )


def test_costs_of_a_run_configured_by_json_add_up(
    market: Any, catalog: str, request: pytest.FixtureRequest
) -> None:
    config = BacktestRunConfig.parse(run_config(catalog, market).json())
    node = BacktestNode(configs=[config])
    request.addfinalizer(node.dispose)
    node.build()
    engine = node.get_engine(config.id)
    watched: list[float] = []

    def look(s: Any) -> None:
        watched.append(float(s.cache.bar(BarType.from_str(f"{WATCHED}-1-HOUR-LAST-EXTERNAL")).close))

    def look_and_sell(s: Any) -> None:
        look(s)
        s.market(-1.0)

    script = market.Script(market.bar_type, {1: lambda s: s.market(-150.0), 3: look_and_sell, 9: look})
    engine.add_strategy(script)
    node.run()
    ledger = SimulationLedger.of(engine.trader.actors())
    known = market.START + 2 * market.HOUR + market.LAG

    # a tenth of the bar's 1000 ETH at once, the rest at the next close
    first, second = script.fills
    assert (float(first.last_qty), float(second.last_qty)) == (100.0, 50.0)
    assert first.ts_event == known + 250 * 1_000_000
    assert second.ts_event == known + market.HOUR
    # 40 bps of impact, 1 of spread, and 4 % a day over a quarter of a second against it
    cost = ledger.fill_costs[0]
    late = 1e4 * 0.04 * math.sqrt(0.25 / 86_400.0) / math.sqrt(2.0 * math.pi)
    assert (cost.impact_bps, cost.latency_bps) == (pytest.approx(40.0), pytest.approx(late))
    assert cost.price == math.floor(200_000.0 * (1.0 - 41e-4 - 1e-4 * late)) / 100.0

    # the other venue's bar of that hour sees half of the shift, 3589.75 s of 3600 after the fill
    elapsed = (3600.0 - 10.25) / 3600.0
    left = 1.256e-4 + (40e-4 - 1.256e-4) * (math.sqrt(1.0 + elapsed) - math.sqrt(elapsed))
    assert watched[0] == round(2000.0 * (1.0 - 0.5 * left), 2)
    assert 1996.0 < watched[0] < watched[1] < 2000.0

    # the halt: bars go on, the order does not fill
    assert [order.status for order in script.cache.orders()] == [OrderStatus.FILLED, OrderStatus.REJECTED]
    assert script.seen == 11

    # funding at changing intervals, at the mark price where that is known
    payments = ledger.funding_payments
    assert [(p.ts_event - market.START) // market.HOUR for p in payments] == [4, 8, 9]
    assert payments[1].amount == pytest.approx(0.0001 * 150.0 * 1990.0)
    assert [(c.previous_minutes, c.minutes) for c in ledger.interval_changes] == [(240, 60)]

    fees = sum(float(fill.commission) for fill in script.fills)
    assert fees == pytest.approx(0.00032 * (100.0 * float(first.last_px) + 50.0 * float(second.last_px)))
    account = engine.cache.account_for_venue(Venue("BINANCE"))
    balance = float(account.balance_total(market.instrument.quote_currency))
    assert balance == pytest.approx(1_000_000.0 - fees + sum(p.amount for p in payments))
    mark = ledger.price_shifts[-1].close
    sold = 100.0 * float(first.last_px) + 50.0 * float(second.last_px)
    unrealized = float(script.portfolio.unrealized_pnl(market.instrument.id))
    assert unrealized == pytest.approx(sold - 150.0 * mark, abs=1e-4)
