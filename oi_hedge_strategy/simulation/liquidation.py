"""Forced liquidation of positions whose margin is gone, which Nautilus 1.231 does not do in backtests.

What is assumed:

- A bar's own prices decide, also between open and close. Once the bar has been matched (so that resting stops
  have had their chance) and before any strategy sees it, the account is checked from the open towards the
  low and towards the high. A position whose last fill lies within the bar is checked at the close only, since
  bars do not tell what came first. Real venues use the mark price, which wicks less: this is conservative.
- Between bars the account is checked when its balance changes (fees, funding) and on quotes and trades.
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
from collections.abc import Sequence
from typing import Literal

from nautilus_trader.backtest.config import SimulationModuleConfig
from nautilus_trader.backtest.modules import SimulationModule
from nautilus_trader.core.data import Data
from nautilus_trader.model.data import Bar, QuoteTick, TradeTick
from nautilus_trader.model.events import AccountState
from nautilus_trader.model.identifiers import InstrumentId, PositionId
from nautilus_trader.model.objects import Currency, Money, Price
from nautilus_trader.model.position import Position
from oi_hedge_catalog.errors import ConfigError, DataError

from oi_hedge_strategy.margin import (
    BINANCE_ETHUSDT_TIERS,
    MarginPosition,
    MarginSchedule,
    TierRow,
    breach_price,
)
from oi_hedge_strategy.simulation.closing import LIQUIDATION_TAG, cancel_orders, force_close
from oi_hedge_strategy.simulation.fill_state import MATCHED_PRIORITY
from oi_hedge_strategy.simulation.fills import ImpactFillModel
from oi_hedge_strategy.simulation.impact import worse_price
from oi_hedge_strategy.simulation.records import PositionLiquidated, publish

Prices = dict[InstrumentId, float]


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
    fee_rate : float, default 0.0125
        Liquidation fee on the closed notional; 1.25 % is Binance's for ETHUSDT.
    keep_records : int, default 100_000
        How many of the latest records the module itself keeps.

    """

    tiers: list[TierRow] | None = None
    instrument_tiers: dict[str, list[TierRow]] | None = None
    margin_mode: Literal["cross", "isolated"] = "cross"
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
        self._isolated = config.margin_mode == "isolated"
        self._fee_rate = config.fee_rate
        self._stale = False
        self._count = 0
        self.liquidations: deque[PositionLiquidated] = deque(maxlen=config.keep_records)

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
        self.msgbus.subscribe(f"events.account.{venue}-*", self._on_account)

    def pre_process(self, data: Data) -> None:
        """Take note of quotes and trades, so that the account is checked after them."""
        if isinstance(data, QuoteTick | TradeTick):
            self._stale = True

    def _on_account(self, event: AccountState) -> None:
        self._stale = True

    def process(self, ts_now: int) -> None:
        """Check the account at current prices if it or a quote has changed."""
        if not self._stale:
            return
        self._stale = False
        for group in self._groups(self.cache.positions_open(venue=self.exchange.id)):
            prices = self._current_prices(group)
            if self._excess(group, prices) <= 0.0:
                self._liquidate(group, prices, ts_now)

    def _on_matched(self, bar: Bar) -> None:
        instrument_id = bar.bar_type.instrument_id
        for group in self._groups(self.cache.positions_open(venue=self.exchange.id)):
            inside = [p for p in group if p.instrument_id == instrument_id]
            if any(p.last_event.ts_event == bar.ts_init for p in inside):
                self._check_path(group, instrument_id, bar, (bar.close, bar.close))
            elif inside:
                self._check_path(group, instrument_id, bar, (bar.open, bar.low, bar.high))

    def _check_path(
        self, group: Sequence[Position], instrument_id: InstrumentId, bar: Bar, path: tuple[Price, ...]
    ) -> None:
        """Liquidate a group at its first breach between the path's first price and each of the others."""
        prices = self._current_prices(group)
        start, *extremes = map(float, path)
        for extreme in extremes:
            breach = breach_price(lambda p: self._excess(group, {**prices, instrument_id: p}), start, extreme)
            if breach is not None:
                self._liquidate(group, {**prices, instrument_id: breach}, bar.ts_init)
                return

    def _groups(self, positions: Sequence[Position]) -> list[list[Position]]:
        """Return the positions that answer for each other."""
        if self._isolated:
            return [[position] for position in positions]
        groups: dict[Currency, list[Position]] = {}
        for position in positions:
            groups.setdefault(position.settlement_currency, []).append(position)
        return list(groups.values())

    def _wallet(self, group: Sequence[Position]) -> float:
        """Return the margin that answers for a group, before unrealized profit and loss."""
        first = group[0]
        account = self.exchange.get_account()
        if self._isolated:
            leverage = float(account.leverage(first.instrument_id))
            return self._margin_position(first).notional(first.avg_px_open) / leverage
        balance = account.balance_total(first.settlement_currency)
        if balance is None:
            raise ConfigError(
                f"liquidation of {first.instrument_id}: the account at {self.exchange.id} has no "
                f"{first.settlement_currency} balance; add it to the venue's starting balances."
            )
        return float(balance)

    def _margin_position(self, position: Position) -> MarginPosition:
        schedule = self._schedules.get(position.instrument_id, self._schedule)
        quantity = position.signed_qty * float(position.multiplier)
        return MarginPosition(quantity, position.avg_px_open, schedule, position.is_inverse)

    def _excess(self, group: Sequence[Position], prices: Prices) -> float:
        """Return equity less maintenance margin of a group."""
        terms = (self._margin_position(p).excess(prices[p.instrument_id]) for p in group)
        return self._wallet(group) + sum(terms)

    def _current_prices(self, group: Sequence[Position]) -> Prices:
        prices: Prices = {}
        for position in group:
            middle = self.exchange.get_book(position.instrument_id).midpoint()
            if middle is None:
                raise DataError(
                    f"liquidation of {position.instrument_id}: a position is open but the venue has no "
                    "price; load bars that the venue executes on, or quotes."
                )
            prices[position.instrument_id] = float(middle)
        return prices

    def _liquidate(self, group: Sequence[Position], prices: Prices, ts: int) -> None:
        for instrument_id in prices:
            cancel_orders(self.exchange, instrument_id)
        wallet = self._wallet(group)
        margins = {p.id: self._margin_position(p) for p in group}
        equity = wallet + sum(margins[p.id].unrealized_pnl(prices[p.instrument_id]) for p in group)
        maintenance = equity - self._excess(group, prices)
        closes, left, insurance = self._closing_prices(group, prices, wallet)
        for position in group:
            fee = min(self._fee_rate * margins[position.id].notional(closes[position.id]), left)
            left -= fee
            self._count += 1
            name = f"{LIQUIDATION_TAG}-{self.exchange.id}-{self._count}"
            fee_paid = Money(fee, position.settlement_currency)
            record = PositionLiquidated(
                instrument_id=position.instrument_id,
                strategy_id=position.strategy_id.value,
                position_id=position.id.value,
                client_order_id=name,
                quantity=position.signed_qty,
                reference_price=prices[position.instrument_id],
                price=closes[position.id],
                equity=equity,
                maintenance=maintenance,
                fee=float(fee_paid),
                insurance=insurance.get(position.id, 0.0),
                currency=position.settlement_currency.code,
                ts_event=ts,
                ts_init=ts,
            )
            force_close(self.exchange, position, closes[position.id], fee_paid, name, ts)
            self.liquidations.append(record)
            publish(self, record)

    def _closing_prices(
        self, group: Sequence[Position], prices: Prices, wallet: float
    ) -> tuple[dict[PositionId, float], float, dict[PositionId, float]]:
        """Return each position's fill price, what is left of the margin, and the insurance fund's losses."""
        closes: dict[PositionId, float] = {}
        pnls: dict[PositionId, float] = {}
        for position in group:
            instrument = self.exchange.instruments[position.instrument_id]
            side = -1 if position.signed_qty > 0.0 else 1
            reference = prices[position.instrument_id]
            quote = self.exchange.fill_model.quote(instrument, side, float(position.quantity), reference)
            closes[position.id] = quote.price
            pnls[position.id] = self._margin_position(position).unrealized_pnl(quote.price)
        left = wallet + sum(pnls.values())
        if left >= 0.0:
            return closes, left, {}
        worst = min(group, key=lambda p: pnls[p.id])
        bankruptcy = self._margin_position(worst).price_for_pnl(pnls[worst.id] - left)
        tick = float(self.exchange.instruments[worst.instrument_id].price_increment)
        closes[worst.id] = worse_price(bankruptcy, 0.0, 1 if worst.signed_qty > 0.0 else -1, tick)
        return closes, 0.0, {worst.id: -left}

    def log_diagnostics(self, logger: object) -> None:
        """Log how many positions were liquidated."""
        logger.info(f"Liquidations at {self.exchange.id}: {self._count}")  # type: ignore[attr-defined]

    def reset(self) -> None:
        """Forget all liquidations."""
        self._stale = False
        self._count = 0
        self.liquidations.clear()
