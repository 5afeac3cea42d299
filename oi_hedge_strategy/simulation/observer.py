"""The observer effect: own trades move the market that everything in the simulation then sees.

Data pass through a venue's modules before anything else, so a bar, quote or trade is moved here, in place, by
what own trades have left of their impact. Matching, stops, marks, equity, liquidation, indicators and the
strategy all see the moved price; the recorded one is kept in a `PriceShift`. Between two prices the fill
model asks how far the market has moved since the last.

Prices of one coin are tied together by arbitrage within minutes: `cross_impact` of a shift is seen on every
other instrument of the same base coin, at whatever venue. With less than 1 a hedge could mark itself up
against the exposure that it hedges. Not moved: mark and index prices that come as data, order books, open
interest, funding rates; volumes; and how others would have reacted to the moved price.
"""

from nautilus_trader.backtest.config import SimulationModuleConfig
from nautilus_trader.backtest.modules import SimulationModule
from nautilus_trader.core.data import Data
from nautilus_trader.model.data import Bar, BarType, QuoteTick, TradeTick
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.objects import Price

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.simulation.fills import ImpactFillModel
from oi_hedge_strategy.simulation.impact import BPS
from oi_hedge_strategy.simulation.propagator import ImpactTrail
from oi_hedge_strategy.simulation.records import FillCost, PositionLiquidated, PriceShift, publish, topic

NS_PER_MINUTE = 60_000_000_000
_OPEN, _HIGH, _LOW, _CLOSE = 5, 6, 7, 8
_TICK_PRICE, _BID, _ASK = 1, 1, 2


class PriceShiftModuleConfig(SimulationModuleConfig, frozen=True):
    """
    Configure a `PriceShiftModule`.

    Parameters
    ----------
    relaxation_minutes : float, default 60
        Time T of the impact's decay: at T 41 % of it are left, after a day 10 %.
    cross_impact : float, default 1
        Share of a shift that other instruments of the same base coin see.
    bystanders : list of str
        Strategies whose trades leave the market where it is, such as one that only stands for what is held.
    publishes : bool, default True
        Whether a `PriceShift` is published for each bar moved.

    """

    relaxation_minutes: float = 60.0
    cross_impact: float = 1.0
    bystanders: list[str] = []  # noqa: RUF012 - msgspec copies defaults
    publishes: bool = True


class PriceShiftModule(SimulationModule):
    """Move the data of one venue by own trades' impact at all venues; the first of its modules."""

    def __init__(self, config: PriceShiftModuleConfig) -> None:
        super().__init__(config)
        if not 0.0 <= config.cross_impact <= 1.0:
            raise ConfigError(f"market impact: cross_impact must be in [0, 1], was {config.cross_impact}.")
        ImpactTrail(config.relaxation_minutes)
        self._durations: dict[BarType, int] = {}
        self._trails: dict[InstrumentId, ImpactTrail] = {}
        self._applied: dict[InstrumentId, float] = {}
        self._now = 0
        self._recorded: list[tuple[Data, tuple[object, ...]]] = []

    def register_venue(self, exchange: object) -> None:
        """Bind to the venue and watch the fills and liquidations of every venue."""
        super().register_venue(exchange)
        if isinstance(self.exchange.fill_model, ImpactFillModel):
            self.exchange.fill_model.follow(self._moved_since)
        self.msgbus.subscribe(topic(FillCost), self._on_fill)
        self.msgbus.subscribe(topic(PositionLiquidated), self._on_liquidation)

    def _on_fill(self, cost: FillCost) -> None:
        if cost.strategy_id not in self.config.bystanders:
            self._add(cost.instrument_id, cost.side, cost.impact_bps, cost.permanent_bps, cost.ts_init)

    def _on_liquidation(self, record: PositionLiquidated) -> None:
        if record.strategy_id in self.config.bystanders:
            return
        side = -1 if record.quantity > 0.0 else 1
        self._add(record.instrument_id, side, record.impact_bps, record.permanent_bps, record.ts_init)

    def _add(self, instrument_id: InstrumentId, side: int, impact: float, permanent: float, ts: int) -> None:
        trail = self._trails.get(instrument_id)
        if trail is None:
            trail = self._trails[instrument_id] = ImpactTrail(self.config.relaxation_minutes * NS_PER_MINUTE)
        trail.add(ts, side * impact * BPS, side * permanent * BPS)
        self._now = max(self._now, ts)

    def shift(self, instrument_id: InstrumentId, ts: int) -> float:
        """Return how far own trades have moved an instrument's price at `ts`, a signed fraction."""
        return sum(
            self._weight(instrument_id, other) * trail.shift(ts) for other, trail in self._trails.items()
        )

    def _weight(self, instrument_id: InstrumentId, other: InstrumentId) -> float:
        if instrument_id == other:
            return 1.0
        here, there = self.cache.instrument(instrument_id), self.cache.instrument(other)
        same = here is not None and here.get_base_currency() == there.get_base_currency()
        return float(self.config.cross_impact) if same else 0.0

    def _moved_since(self, instrument_id: InstrumentId) -> float:
        """Return how far the market has moved since the price that the engine knows."""
        if not self._trails:
            return 0.0
        now = self.shift(instrument_id, max(self._now, self.clock.timestamp_ns()))
        return (1.0 + now) / (1.0 + self._applied.get(instrument_id, 0.0)) - 1.0

    def pre_process(self, data: Data) -> None:
        """Move a bar, quote or trade."""
        if not self._trails:
            return
        if isinstance(data, Bar):
            self._move_bar(data)
        elif isinstance(data, QuoteTick):
            self._move_tick(data, (_BID, _ASK))
        elif isinstance(data, TradeTick):
            self._move_tick(data, (_TICK_PRICE,))

    def _move_bar(self, bar: Bar) -> None:
        instrument_id, duration = bar.bar_type.instrument_id, self._duration(bar.bar_type)
        ends = bar.ts_event
        opened, middle, closed = (
            self.shift(instrument_id, ts) for ts in (ends - duration, ends - duration // 2, ends)
        )
        self._applied[instrument_id] = closed
        recorded = bar.close
        prices = {
            _OPEN: _moved(bar.open, opened),
            _HIGH: _moved(bar.high, middle),
            _LOW: _moved(bar.low, middle),
            _CLOSE: _moved(bar.close, closed),
        }
        prices[_HIGH] = max(prices.values())
        prices[_LOW] = min(prices.values())
        if (
            self._replace(bar, {field: price.raw for field, price in prices.items()})
            and self.config.publishes
        ):
            shift = PriceShift(
                instrument_id=instrument_id,
                recorded_close=float(recorded),
                close=float(bar.close),
                shift_bps=closed / BPS,
                bar_seconds=duration // 1_000_000_000,
                ts_event=bar.ts_event,
                ts_init=bar.ts_init,
            )
            publish(self, shift)

    def _move_tick(self, tick: QuoteTick | TradeTick, fields: tuple[int, ...]) -> None:
        shift = self._applied[tick.instrument_id] = self.shift(tick.instrument_id, tick.ts_event)
        prices = [tick.price] if isinstance(tick, TradeTick) else [tick.bid_price, tick.ask_price]
        self._replace(tick, {at: _moved(p, shift).raw for at, p in zip(fields, prices, strict=True)})

    def _replace(self, data: Data, raws: dict[int, int]) -> bool:
        """Write raw prices into `data`, and remember what was there; return whether any differed."""
        state = data.__getstate__()
        if all(state[field] == raw for field, raw in raws.items()):
            return False
        self._recorded.append((data, state))
        data.__setstate__(tuple(raws.get(field, value) for field, value in enumerate(state)))
        return True

    def _duration(self, bar_type: BarType) -> int:
        duration = self._durations.get(bar_type)
        if duration is None:
            spec = bar_type.spec
            duration = int(spec.get_interval_ns()) if spec.is_time_aggregated() else 0
            self._durations[bar_type] = duration
        return duration

    def process(self, ts_now: int) -> None:
        """Keep the time, over which the impact decays."""
        self._now = ts_now

    def log_diagnostics(self, logger: object) -> None:
        """Log how many data were moved."""
        logger.info(f"Own impact moved {len(self._recorded)} prices at {self.exchange.id}")  # type: ignore[attr-defined]

    def reset(self) -> None:
        """Forget all trades and give the data back their recorded prices."""
        for data, state in self._recorded:
            data.__setstate__(state)
        for memory in (self._recorded, self._trails, self._applied):
            memory.clear()
        self._now = 0


def _moved(price: Price, shift: float) -> Price:
    """Return `price` moved, in its own precision; never below one of its smallest steps."""
    step = 10.0**-price.precision
    return Price(max(float(price) * (1.0 + shift), step), price.precision)
