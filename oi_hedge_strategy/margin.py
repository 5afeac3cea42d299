"""Maintenance margin by tier and the prices at which positions are liquidated; knows no framework.

Formulas: Binance USDⓈ-M "How to calculate liquidation price" for the tiered form; the fresh isolated position
follows from it with a margin of ``entry * quantity / leverage`` and no cumulative amount.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from oi_hedge_catalog.errors import ConfigError

TierRow = tuple[float, float, float]

BINANCE_ETHUSDT_TIERS: tuple[TierRow, ...] = (
    (300_000.0, 0.0040, 0.0),
    (800_000.0, 0.0050, 300.0),
    (3_000_000.0, 0.0065, 1_500.0),
    (12_000_000.0, 0.01, 12_000.0),
    (50_000_000.0, 0.02, 132_000.0),
    (65_000_000.0, 0.025, 382_000.0),
    (150_000_000.0, 0.05, 2_007_000.0),
    (320_000_000.0, 0.10, 9_507_000.0),
    (400_000_000.0, 0.125, 17_507_000.0),
    (530_000_000.0, 0.15, 27_507_000.0),
    (800_000_000.0, 0.25, 80_507_000.0),
    (1_200_000_000.0, 0.50, 280_507_000.0),
)
"""Notional up to (USDT), maintenance margin rate, cumulative amount (USDT) of ETHUSDT on Binance."""


@dataclass(frozen=True, slots=True)
class MarginSchedule:
    """
    Hold a venue's maintenance margin table.

    Maintenance margin of a notional is ``notional * rate - amount`` of its tier; beyond the last tier's
    notional that tier still applies.

    Parameters
    ----------
    rows : sequence of (notional up to, rate, cumulative amount)
        Ascending, in settlement currency.

    Raises
    ------
    ConfigError
        If the table is empty, does not ascend, or jumps where two tiers meet.

    """

    rows: tuple[TierRow, ...] = BINANCE_ETHUSDT_TIERS

    def __post_init__(self) -> None:
        if not self.rows:
            raise ConfigError("margin tiers: expected at least one row (notional, rate, amount), found none.")
        for cap, rate, amount in self.rows:
            if cap <= 0.0 or not 0.0 < rate < 1.0 or amount < 0.0:
                raise ConfigError(
                    f"margin tier {(cap, rate, amount)}: expected notional > 0, 0 < rate < 1 and amount >= 0."
                )
        for (cap, rate, amount), (next_cap, next_rate, next_amount) in pairwise(self.rows):
            if next_cap <= cap or next_rate <= rate:
                raise ConfigError(f"margin tiers: expected ascending rows, found {next_cap} after {cap}.")
            expected = amount + cap * (next_rate - rate)
            if not math.isclose(next_amount, expected, rel_tol=1e-6, abs_tol=1e-6):
                raise ConfigError(
                    f"margin tier up to {next_cap}: expected cumulative amount {expected:.10g} so that the "
                    f"margin is continuous at {cap}, found {next_amount}."
                )

    @classmethod
    def of(cls, rows: Iterable[Sequence[float]]) -> "MarginSchedule":
        """Build from rows as JSON gives them."""
        return cls(tuple((float(cap), float(rate), float(amount)) for cap, rate, amount in rows))

    @classmethod
    def flat(cls, rate: float) -> "MarginSchedule":
        """Build the schedule of one `rate` for every notional."""
        return cls(((math.inf, rate, 0.0),))

    def tier(self, notional: float) -> TierRow:
        """Return the row that applies to `notional`."""
        for row in self.rows:
            if notional <= row[0]:
                return row
        return self.rows[-1]

    def maintenance(self, notional: float) -> float:
        """Return the maintenance margin of `notional`, both in settlement currency."""
        _, rate, amount = self.tier(notional)
        return notional * rate - amount


@dataclass(frozen=True, slots=True)
class MarginPosition:
    """
    Hold what decides the margin of one perpetual position.

    Parameters
    ----------
    quantity : float
        Signed; base coin if linear, quote value if inverse (contracts times multiplier).
    entry : float
        Average entry price.
    schedule : MarginSchedule
        Its venue's maintenance table.
    inverse : bool
        True if the contract is settled in the base coin.

    """

    quantity: float
    entry: float
    schedule: MarginSchedule
    inverse: bool = False

    def notional(self, price: float) -> float:
        """Return the unsigned value at `price` in settlement currency."""
        return abs(self.quantity) / price if self.inverse else abs(self.quantity) * price

    def unrealized_pnl(self, price: float) -> float:
        """Return profit and loss at `price` in settlement currency."""
        if self.inverse:
            return self.quantity * (1.0 / self.entry - 1.0 / price)
        return self.quantity * (price - self.entry)

    def excess(self, price: float) -> float:
        """Return unrealized profit and loss less maintenance margin at `price`."""
        return self.unrealized_pnl(price) - self.schedule.maintenance(self.notional(price))

    def price_for_pnl(self, pnl: float) -> float:
        """Return the price at which the unrealized profit and loss is `pnl`; infinite if there is none."""
        if not self.inverse:
            return self.entry + pnl / self.quantity
        reciprocal = 1.0 / self.entry - pnl / self.quantity
        return 1.0 / reciprocal if reciprocal > 0.0 else math.inf


def liquidation_price(entry: float, leverage: float, mmr: float, side: int, inverse: bool = False) -> float:
    """
    Return the liquidation price of a fresh isolated position within one maintenance tier.

    Linear: long ``entry * (1 - 1/L) / (1 - mmr)``, short ``entry * (1 + 1/L) / (1 + mmr)``. Inverse: long
    ``entry * (1 + mmr) / (1 + 1/L)``, short ``entry * (1 - mmr) / (1 - 1/L)``.

    Parameters
    ----------
    entry : float
        Entry price.
    leverage : float
        Notional over margin, at least 1.
    mmr : float
        Maintenance margin rate.
    side : int
        1 for long, -1 for short.
    inverse : bool
        True if the contract is settled in the base coin.

    Returns
    -------
    float
        0 for a linear long that no price can liquidate, infinity for such an inverse short.

    Raises
    ------
    ConfigError
        If an argument is out of range, or the margin is below maintenance from the start.

    """
    if side not in (1, -1) or entry <= 0.0 or leverage < 1.0 or not 0.0 <= mmr < 1.0:
        raise ConfigError(
            "liquidation price: expected entry > 0, leverage >= 1, 0 <= mmr < 1 and side 1 or -1, "
            f"found entry={entry}, leverage={leverage}, mmr={mmr}, side={side}."
        )
    if 1.0 / leverage <= mmr:
        raise ConfigError(f"liquidation price: leverage {leverage} gives less margin than maintenance {mmr}.")
    if not inverse:
        return entry * (1.0 - side / leverage) / (1.0 - side * mmr)
    margin = 1.0 + side / leverage
    return entry * (1.0 + side * mmr) / margin if margin > 0.0 else math.inf


def tiered_liquidation_price(quantity: float, entry: float, margin: float, schedule: MarginSchedule) -> float:
    """
    Return the price at which `margin` plus unrealized profit and loss falls to tiered maintenance margin.

    Solves ``(margin + amount - quantity * entry) / (|quantity| * rate - quantity)`` in the tier that holds
    its own solution; linear contracts.

    Parameters
    ----------
    quantity : float
        Signed base-coin quantity, not zero.
    entry : float
        Average entry price.
    margin : float
        Isolated margin, or the wallet balance in cross mode with no other position.
    schedule : MarginSchedule
        The maintenance table.

    Returns
    -------
    float
        0 for a long that no price above zero liquidates.

    """
    if quantity == 0.0 or entry <= 0.0:
        raise ConfigError(
            f"liquidation price: expected a position, found quantity={quantity}, entry={entry}."
        )
    lower = 0.0
    price = 0.0
    for cap, rate, amount in schedule.rows:
        price = (margin + amount - quantity * entry) / (abs(quantity) * rate - quantity)
        if lower <= abs(quantity) * price <= cap:
            break
        lower = cap
    return max(price, 0.0)


def breach_price(excess: Callable[[float], float], safe: float, worst: float) -> float | None:
    """
    Return the first price on the way from `safe` to `worst` at which `excess` is not positive.

    Parameters
    ----------
    excess : callable
        Equity less maintenance margin at a price; monotonic between the two prices.
    safe, worst : float
        Where the price came from and how far it went.

    Returns
    -------
    float or None
        ``None`` if `excess` is positive at `worst`; `safe` itself if it is not positive even there.

    """
    if excess(worst) > 0.0:
        return None
    if excess(safe) <= 0.0:
        return safe
    while abs(worst - safe) > 1e-12 * max(safe, worst):
        middle = 0.5 * (safe + worst)
        if middle in (safe, worst):
            break
        if excess(middle) > 0.0:
            safe = middle
        else:
            worst = middle
    return worst
