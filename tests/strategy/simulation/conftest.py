"""A small market and a scripted trader for the simulated venue, run by the real engine."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from nautilus_trader.backtest.config import BacktestEngineConfig, BacktestVenueConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.node import get_fee_model, get_fill_model, get_latency_model, get_margin_model
from nautilus_trader.common.config import ActorFactory, LoggingConfig
from nautilus_trader.model.currencies import ETH, USD, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, TriggerType
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.model.orders import Order
from nautilus_trader.trading.strategy import Strategy

from oi_hedge_strategy.simulation.ledger import SimulationLedger
from oi_hedge_strategy.simulation.venue import hedge_venue_config

HOUR = 3_600_000_000_000
START = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z
LAG = 10_000_000_000
FREE = {"impact_coefficient": 0.0, "half_spread_bps": 0.0, "min_half_spread_bps": 0.0}


def perpetual(inverse: bool = False, fee: str = "0") -> CryptoPerpetual:
    name = "ETHUSD-PERP" if inverse else "ETHUSDT-PERP"
    quote = USD if inverse else USDT
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol(name), Venue("BINANCE")),
        raw_symbol=Symbol(name),
        base_currency=ETH,
        quote_currency=quote,
        settlement_currency=ETH if inverse else quote,
        is_inverse=inverse,
        price_precision=2,
        size_precision=0 if inverse else 3,
        price_increment=Price.from_str("0.01"),
        size_increment=Quantity.from_str("1" if inverse else "0.001"),
        margin_init=Decimal("0.05"),
        margin_maint=Decimal("0.025"),
        maker_fee=Decimal(fee),
        taker_fee=Decimal(fee),
        ts_event=0,
        ts_init=0,
    )


class Script(Strategy):
    """Run `actions[i]` on the i-th bar, and keep the fills."""

    def __init__(self, bar_type: BarType, actions: dict[int, Callable[["Script"], None]]) -> None:
        super().__init__()
        self.bar_type = bar_type
        self.actions = actions
        self.seen = -1
        self.fills: list[Any] = []
        self.events: list[Any] = []
        self.resting: list[Order] = []

    def on_start(self) -> None:
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        if self.seen in self.actions:
            self.actions[self.seen](self)

    def on_order_event(self, event: Any) -> None:
        self.events.append(event)

    def on_order_filled(self, event: Any) -> None:
        self.fills.append(event)

    def _quantity(self, quantity: float) -> Quantity:
        return self.cache.instrument(self.bar_type.instrument_id).make_qty(abs(quantity))

    def market(self, quantity: float) -> None:
        side = OrderSide.BUY if quantity > 0 else OrderSide.SELL
        self.submit_order(
            self.order_factory.market(self.bar_type.instrument_id, side, self._quantity(quantity))
        )

    def stop_market(self, quantity: float, trigger: str, by: TriggerType = TriggerType.LAST_PRICE) -> None:
        side = OrderSide.BUY if quantity > 0 else OrderSide.SELL
        order = self.order_factory.stop_market(
            self.bar_type.instrument_id,
            side,
            self._quantity(quantity),
            Price.from_str(trigger),
            trigger_type=by,
        )
        self.resting.append(order)
        self.submit_order(order)

    def limit(self, quantity: float, price: str) -> None:
        side = OrderSide.BUY if quantity > 0 else OrderSide.SELL
        self.submit_order(
            self.order_factory.limit(
                self.bar_type.instrument_id, side, self._quantity(quantity), Price.from_str(price)
            )
        )


class Market:
    """Build bars, run them with a script, and give access to what came of it."""

    HOUR, START, LAG, FREE, Script = HOUR, START, LAG, FREE, Script

    def __init__(self) -> None:
        self.engines: list[BacktestEngine] = []
        self.instrument = perpetual()

    def use(self, *, inverse: bool = False, fee: str = "0") -> None:
        self.instrument = perpetual(inverse, fee)

    @property
    def bar_type(self) -> BarType:
        return BarType.from_str(f"{self.instrument.id}-1-HOUR-LAST-EXTERNAL")

    def bars(self, *rows: float | tuple[float, float, float, float], volume: float = 1000.0) -> list[Bar]:
        """Return hourly bars, the i-th closing at START + (i + 1) h; a number is a bar of one price."""
        bars = []
        for i, row in enumerate(rows):
            prices = row if isinstance(row, tuple) else (row,) * 4
            ts = START + (i + 1) * HOUR
            quantity = Quantity(volume, self.instrument.size_precision)
            bars.append(Bar(self.bar_type, *(Price(p, 2) for p in prices), quantity, ts, ts + LAG))
        return bars

    def run(
        self,
        bars: list[Bar],
        actions: dict[int, Callable[[Script], None]],
        *,
        data: list[Any] | None = None,
        venue: BacktestVenueConfig | None = None,
        balance: str = "1000000 USDT",
        **values: Any,
    ) -> Script:
        values.setdefault("latency_ms", 0.0)
        values.setdefault("impact", FREE)
        config = venue or hedge_venue_config("BINANCE", [balance], **values)
        engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        self.engines.append(engine)
        engine.add_venue(
            venue=Venue(config.name),
            oms_type=OmsType.NETTING,
            account_type=AccountType.MARGIN,
            starting_balances=[Money.from_str(b) for b in config.starting_balances],
            default_leverage=Decimal(config.default_leverage),
            margin_model=get_margin_model(config),
            modules=[ActorFactory.create(module) for module in config.modules],
            fill_model=get_fill_model(config),
            latency_model=get_latency_model(config),
            fee_model=get_fee_model(config),
        )
        engine.add_instrument(self.instrument)
        engine.add_data(bars)
        if data:
            engine.add_data(data)
        self.ledger = SimulationLedger()
        engine.add_actor(self.ledger)
        script = Script(bars[0].bar_type, actions)
        engine.add_strategy(script)
        engine.run()
        self.engine = engine
        return script

    def balance(self, currency: Any = USDT) -> float:
        return float(self.engine.cache.account_for_venue(Venue("BINANCE")).balance_total(currency))


@pytest.fixture
def market() -> Any:
    built = Market()
    yield built
    for engine in built.engines:
        engine.dispose()
