"""Positions that answer for each other's losses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nautilus_trader.accounting.accounts.margin import MarginAccount
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.objects import Currency
from nautilus_trader.model.position import Position

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.margin import MarginPosition, MarginSchedule

Prices = Mapping[InstrumentId, float]


@dataclass(frozen=True, slots=True)
class MarginGroup:
    """
    Hold positions and the margin that answers for them, in one settlement currency.

    Parameters
    ----------
    positions : sequence of Position
        All of the account's in that currency, or a single isolated one.
    margins : sequence of MarginPosition
        The same positions for the arithmetic.
    wallet : float
        Margin before unrealized profit and loss.

    """

    positions: Sequence[Position]
    margins: Sequence[MarginPosition]
    wallet: float

    def equity(self, prices: Prices) -> float:
        """Return wallet and unrealized profit and loss at `prices`."""
        pairs = zip(self.positions, self.margins, strict=True)
        return self.wallet + sum(m.unrealized_pnl(prices[p.instrument_id]) for p, m in pairs)

    def excess(self, prices: Prices) -> float:
        """Return equity less maintenance margin at `prices`."""
        pairs = zip(self.positions, self.margins, strict=True)
        return self.wallet + sum(m.excess(prices[p.instrument_id]) for p, m in pairs)

    def settle(self, closes: Sequence[float]) -> tuple[list[float], float, list[float]]:
        """
        Return what closing all positions leaves, the worst one at its bankruptcy price if need be.

        Parameters
        ----------
        closes : sequence of float
            The price that the market gives for each position.

        Returns
        -------
        closes : list of float
            With the price of the position that loses most moved so far that the margin just lasts.
        left : float
            What is left of the margin, not negative.
        insurance : list of float
            Loss beyond the margin, by position.

        """
        pnls = [m.unrealized_pnl(price) for m, price in zip(self.margins, closes, strict=True)]
        left = self.wallet + sum(pnls)
        prices, insurance = list(closes), [0.0] * len(closes)
        if left < 0.0:
            worst = min(range(len(pnls)), key=pnls.__getitem__)
            prices[worst] = self.margins[worst].price_for_pnl(pnls[worst] - left)
            insurance[worst] = -left
        return prices, max(left, 0.0), insurance


class MarkPrices:
    """
    Keep an instrument's last mark price, and when the one before it was.

    Attributes
    ----------
    ts : int
        Time of the last, UNIX ns.
    price : float
        The last.

    """

    def __init__(self) -> None:
        self.ts = self._before = 0
        self.price = 0.0

    def add(self, ts: int, price: float) -> None:
        """Take in a mark price; one older than the last is late and changes nothing."""
        if ts > self.ts:
            self._before, self.ts, self.price = self.ts, ts, price

    def are_within(self, since: int) -> bool:
        """Return whether the last two are after `since`."""
        return self._before > since


def margin_position(position: Position, schedule: MarginSchedule) -> MarginPosition:
    """Return what decides the margin of `position`."""
    quantity = position.signed_qty * float(position.multiplier)
    return MarginPosition(quantity, position.avg_px_open, schedule, position.is_inverse)


def cross_groups(
    account: MarginAccount, positions: Sequence[Position], margins: Sequence[MarginPosition]
) -> list[MarginGroup]:
    """
    Group positions by settlement currency, each group backed by all of the account's balance.

    Raises
    ------
    ConfigError
        If the account has no balance in a settlement currency.

    """
    by_currency: dict[Currency, list[int]] = {}
    for i, position in enumerate(positions):
        by_currency.setdefault(position.settlement_currency, []).append(i)
    groups = []
    for currency, rows in by_currency.items():
        balance = account.balance_total(currency)
        if balance is None:
            raise ConfigError(
                f"liquidation: account {account.id} holds positions settled in {currency} but has no "
                f"{currency} balance; add it to the venue's starting balances."
            )
        groups.append(MarginGroup([positions[i] for i in rows], [margins[i] for i in rows], float(balance)))
    return groups


def isolated_groups(
    account: MarginAccount, positions: Sequence[Position], margins: Sequence[MarginPosition]
) -> list[MarginGroup]:
    """Return each position alone, backed by its notional at entry over the account's leverage."""
    groups = []
    for position, margin in zip(positions, margins, strict=True):
        wallet = margin.notional(margin.entry) / float(account.leverage(position.instrument_id))
        groups.append(MarginGroup([position], [margin], wallet))
    return groups
