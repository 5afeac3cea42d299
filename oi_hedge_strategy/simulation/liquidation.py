"""Forced liquidation of positions whose margin is gone, which Nautilus 1.231 does not do in backtests.

What is assumed:

- Where the venue's mark prices come as data, at least two within a bar, they decide when a position is
  closed, and the market's own price decides at what. A mark price stands for `max_mark_age_minutes`.
- Else a bar's own prices decide, also between open and close. Once the bar has been matched (so that resting
  stops have had their chance) and before any strategy sees it, the account is checked from the open towards
  the low and towards the high. A position whose last fill lies within the bar is checked at the close only,
  since bars do not tell what came first. The mark price wicks less: this is conservative.
- Between bars the account is checked when its balance changes (fees, funding), on marks, quotes and trades.
- While an instrument is halted, nothing whose margin answers for a position in it is closed.
- Resting orders of the liquidated instruments are cancelled first. Then each position closes in one fill at
  the price where equity met maintenance margin, or at the open if the market gapped beyond it, with spread
  and impact of the venue's fill model on top. The liquidation fee is the fill's commission.
- A fill that would lose more than the margin is made at the bankruptcy price instead, where nothing is left.
  The difference is the venue's insurance fund's loss and is recorded; the fee is charged only from what
  remains. So an account never ends below zero.
- In cross mode the whole account (one settlement currency) answers for all its positions and they are closed
  together; in isolated mode each position answers with ``entry notional / leverage``.
"""

from collections import deque
from typing import Literal

from nautilus_trader.backtest.config import SimulationModuleConfig
from nautilus_trader.backtest.modules import SimulationModule
from nautilus_trader.core.data import Data
from nautilus_trader.model.data import Bar, MarkPriceUpdate, QuoteTick, TradeTick
from nautilus_trader.model.events import AccountState, PositionClosed, PositionEvent
from nautilus_trader.model.identifiers import InstrumentId, PositionId
from nautilus_trader.model.objects import Money, Price
from nautilus_trader.model.position import Position

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.margin import BINANCE_ETHUSDT_TIERS, MarginSchedule, TierRow, breach_price
from oi_hedge_strategy.simulation.bars import ExecutionBars
from oi_hedge_strategy.simulation.closing import LIQUIDATION_TAG, cancel_orders, force_close
from oi_hedge_strategy.simulation.fill_state import MATCHED_PRIORITY
from oi_hedge_strategy.simulation.fills import CostQuote, ImpactFillModel
from oi_hedge_strategy.simulation.impact import worse_price
from oi_hedge_strategy.simulation.margin_group import (
    MarginGroup,
    MarkPrices,
    cross_groups,
    isolated_groups,
    margin_position,
)
from oi_hedge_strategy.simulation.records import PositionLiquidated, publish

NS_PER_MINUTE = 60_000_000_000


class LiquidationModuleConfig(SimulationModuleConfig, frozen=True):
    """
    Configure a `LiquidationModule`.

    Parameters
    ----------
    tiers : list of (notional up to, rate, cumulative amount)
        Maintenance margin table in settlement currency; Binance's ETHUSDT by default.
    instrument_tiers : dict of str to such a list
        Tables of single instruments, by instrument ID.
    margin_mode : "cross" or "isolated", default "cross"
        Whether the account or each position's own initial margin answers for losses.
    max_mark_age_minutes : float, default 5
        How long a mark price stands; after it the last price does.
    fee_rate : float, default 0.0125
        Liquidation fee on the closed notional; 1.25 % is Binance's for ETHUSDT.
    keep_records : int, default 100_000
        How many of the latest records the module itself keeps.

    """

    tiers: list[TierRow] | None = None
    instrument_tiers: dict[str, list[TierRow]] | None = None
    margin_mode: Literal["cross", "isolated"] = "cross"
    max_mark_age_minutes: float = 5.0
    fee_rate: float = 0.0125
    keep_records: int = 100_000


class LiquidationModule(SimulationModule):
    """Liquidate positions of one venue and publish each `PositionLiquidated`."""

    def __init__(self, config: LiquidationModuleConfig) -> None:
        super().__init__(config)
        if not 0.0 <= config.fee_rate < 1.0:
            raise ConfigError(f"liquidation: fee_rate must be in [0, 1), was {config.fee_rate}.")
        self._schedule = MarginSchedule.of(config.tiers or BINANCE_ETHUSDT_TIERS)
        self._schedules = {
            InstrumentId.from_str(key): MarginSchedule.of(rows)
            for key, rows in (config.instrument_tiers or {}).items()
        }
        self._group = isolated_groups if config.margin_mode == "isolated" else cross_groups
        self._fee_rate = config.fee_rate
        self._bars = ExecutionBars()
        self.liquidations: deque[PositionLiquidated] = deque(maxlen=config.keep_records)
        self._clear()

    def _clear(self) -> None:
        self._open: dict[PositionId, Position] = {}
        self._matching: tuple[Bar, int] | None = None
        self._marks: dict[InstrumentId, MarkPrices] = {}
        self._traded: dict[InstrumentId, int] = {}
        self._stale = False
        self._count = 0
        self._bars.reset()
        self.liquidations.clear()

    def register_venue(self, exchange: object) -> None:
        """Bind to the venue; its fill model must be an `ImpactFillModel`."""
        super().register_venue(exchange)
        if not isinstance(self.exchange.fill_model, ImpactFillModel):
            raise ConfigError(
                f"venue {self.exchange.id}: LiquidationModule needs the fill model ImpactFillModel to price "
                f"forced closes, found {type(self.exchange.fill_model).__name__}; set `fill_model`."
            )
        venue = self.exchange.id
        self.msgbus.subscribe(f"data.bars.*.{venue}-*", self._on_matched, priority=MATCHED_PRIORITY + 1)
        self.msgbus.subscribe(f"data.mark_prices.{venue}.*", self._on_mark)
        self.msgbus.subscribe(f"events.account.{venue}-*", self._on_account)
        self.msgbus.subscribe("events.position.*", self._on_position)

    def pre_process(self, data: Data) -> None:
        """Take note of what is about to be matched."""
        if isinstance(data, Bar):
            duration = self._bars.duration(data)
            self._matching = (data, duration) if duration is not None else None
            self._traded[data.bar_type.instrument_id] = data.ts_event
        elif isinstance(data, QuoteTick | TradeTick):
            self._traded[data.instrument_id] = data.ts_event
            self._stale = True

    def _on_mark(self, update: MarkPriceUpdate) -> None:
        self._marks.setdefault(update.instrument_id, MarkPrices()).add(update.ts_event, float(update.value))
        self._stale = True

    def _on_account(self, event: AccountState) -> None:
        self._stale = True

    def _on_position(self, event: PositionEvent) -> None:
        if event.instrument_id.venue != self.exchange.id:
            return
        if isinstance(event, PositionClosed):
            self._open.pop(event.position_id, None)
        else:
            self._open[event.position_id] = self.cache.position(event.position_id)

    def process(self, ts_now: int) -> None:
        """
        Check the account at current prices if it, a mark price or a quote has changed.

        A position that was taken over before the venue gave its first price is checked from then on.
        """
        if not self._stale:
            return
        self._stale = False
        for group in self._groups():
            prices = self._current_prices(group, ts_now)
            if prices is None:
                self._stale = True
            elif group.excess(prices) <= 0.0:
                self._liquidate(group, prices, ts_now)

    def _on_matched(self, bar: Bar) -> None:
        if self._matching is None or bar is not self._matching[0] or not self._open:
            return
        instrument_id, began = bar.bar_type.instrument_id, bar.ts_event - self._matching[1]
        marks = self._marks.get(instrument_id)
        if marks is not None and marks.are_within(began):
            return
        for group in self._groups():
            inside = [p for p in group.positions if p.instrument_id == instrument_id]
            if any(p.last_event.ts_event == bar.ts_init for p in inside):
                self._check_path(group, bar, (bar.close, bar.close))
            elif inside:
                self._check_path(group, bar, (bar.open, bar.low, bar.high))

    def _check_path(self, group: MarginGroup, bar: Bar, path: tuple[Price, ...]) -> None:
        """Liquidate a group at its first breach between the path's first price and each of the others."""
        prices = self._current_prices(group, bar.ts_init)
        if prices is None:
            return
        start, *extremes = map(float, path)

        def excess(price: float) -> float:
            prices[bar.bar_type.instrument_id] = price
            return group.excess(prices)

        for extreme in extremes:
            breach = breach_price(excess, start, extreme)
            if breach is not None:
                prices[bar.bar_type.instrument_id] = breach
                self._liquidate(group, prices, bar.ts_init, bar.bar_type.instrument_id)
                return

    def _groups(self) -> list[MarginGroup]:
        """Return the open positions that can be closed, grouped by the margin that answers for them."""
        if not self._open:
            return []
        positions = list(self._open.values())
        margins = [
            margin_position(p, self._schedules.get(p.instrument_id, self._schedule)) for p in positions
        ]
        groups = self._group(self.exchange.get_account(), positions, margins)
        return [group for group in groups if not any(map(self._is_halted, group.positions))]

    def _is_halted(self, position: Position) -> bool:
        halted: bool = self.exchange.fill_model.market(position.instrument_id).halted
        return halted

    def _current_prices(self, group: MarginGroup, ts: int) -> dict[InstrumentId, float] | None:
        """
        Return the price of each instrument that margin is reckoned at: mark price, else the market's.

        None while the venue has given no price of one of them.
        """
        prices: dict[InstrumentId, float] = {}
        for position in group.positions:
            marks = self._marks.get(position.instrument_id)
            known = marks is not None and ts - marks.ts <= self.config.max_mark_age_minutes * NS_PER_MINUTE
            price = marks.price if marks is not None and known else self._market_price(position.instrument_id)
            if price is None:
                return None
            prices[position.instrument_id] = price
        return prices

    def _market_price(self, instrument_id: InstrumentId) -> float | None:
        if instrument_id not in self.exchange.instruments:
            return None
        middle = self.exchange.get_book(instrument_id).midpoint()
        return float(middle) if middle is not None else None

    def _closing_price(self, instrument_id: InstrumentId, price: float) -> float:
        """Return where the market is as `price` triggers: there, if its own last price is older."""
        marks = self._marks.get(instrument_id)
        if marks is None or marks.price != price or marks.ts > self._traded.get(instrument_id, 0):
            return price
        market = self._market_price(instrument_id)
        return price if market is None else market

    def _liquidate(
        self,
        group: MarginGroup,
        prices: dict[InstrumentId, float],
        ts: int,
        inside: InstrumentId | None = None,
    ) -> None:
        """Close a group's positions; that in `inside` met its price within the bar being matched."""
        for instrument_id in prices:
            cancel_orders(self.exchange, instrument_id)
        market = {i: price if i == inside else self._closing_price(i, price) for i, price in prices.items()}
        equity = group.equity(prices)
        maintenance = equity - group.excess(prices)
        quotes = [self._quote(p, market[p.instrument_id]) for p in group.positions]
        closes, left, insurance = group.settle([float(quote.price) for quote in quotes])
        for i, position in enumerate(group.positions):
            price = closes[i]
            if insurance[i] > 0.0:
                price = self._in_favour(position, price)
            fee = Money(
                min(self._fee_rate * group.margins[i].notional(price), left), position.settlement_currency
            )
            left = max(left - float(fee), 0.0)
            self._count += 1
            record = PositionLiquidated(
                instrument_id=position.instrument_id,
                strategy_id=position.strategy_id.value,
                position_id=position.id.value,
                client_order_id=f"{LIQUIDATION_TAG}-{self.exchange.id}-{self._count}",
                quantity=position.signed_qty,
                reference_price=prices[position.instrument_id],
                price=price,
                equity=equity,
                maintenance=maintenance,
                fee=float(fee),
                insurance=insurance[i],
                impact_bps=quotes[i].cost.impact_bps,
                permanent_bps=quotes[i].permanent_bps,
                currency=position.settlement_currency.code,
                ts_event=ts,
                ts_init=ts,
            )
            force_close(self.exchange, position, price, fee, record.client_order_id, ts)
            self.liquidations.append(record)
            publish(self, record)

    def _quote(self, position: Position, reference: float) -> CostQuote:
        """Return what the market gives for `position`, with spread and impact."""
        instrument = self.exchange.instruments[position.instrument_id]
        side = -1 if position.signed_qty > 0.0 else 1
        quote: CostQuote = self.exchange.fill_model.quote(
            instrument, side, float(position.quantity), reference
        )
        return quote

    def _in_favour(self, position: Position, price: float) -> float:
        """Return `price` rounded to the tick so that closing there does not overdraw the account."""
        tick = float(self.exchange.instruments[position.instrument_id].price_increment)
        return worse_price(price, 0.0, 1 if position.signed_qty > 0.0 else -1, tick)

    def log_diagnostics(self, logger: object) -> None:
        """Log how many positions were liquidated."""
        logger.info(f"Liquidations at {self.exchange.id}: {self._count}")  # type: ignore[attr-defined]

    def reset(self) -> None:
        """Forget all liquidations."""
        self._clear()
