"""A ledger of months as a run writes it: hourly bars, a hedge on alternate days, cascades now and then."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_strategy.live.ledger import Ledger
from oi_hedge_strategy.live.ledger_records import LedgerBar, LedgerFill
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision

HOUR = 3_600_000_000_000
LAG = 2_000_000_000
START = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z
HEDGE = InstrumentId.from_str("ETHUSDT-PERP.BINANCE")
FEE = 1.0


def write_ledger(
    directory: Path, days: int, seed: int = 1, crashes: bool = True, gap: tuple[int, int] = (0, 0)
) -> None:
    """
    Write a ledger whose hedge holds half of ten ETH on every other day, at a fee of one for each change.

    Every 37 hours the price falls by 5 % within an hour and open interest by a tenth.

    Parameters
    ----------
    directory : Path
        The ledger's.
    days : int
        Its length.
    seed : int
        Of the prices.
    crashes : bool
        Whether there are any.
    gap : (int, int)
        Hours that it lacks, from and until.

    """
    rng = np.random.default_rng(seed)
    ledger, price, equity, held = Ledger(directory), 2000.0, 50_000.0, 0.0
    for hour in range(days * 24 + 1):
        ts = START + hour * HOUR + LAG
        crash = crashes and hour % 37 == 36
        before, price = price, price * (0.95 if crash else np.exp(rng.normal(0.0014, 0.004)))
        equity += held * (price - before)
        interest = 900.0 if crash else 1000.0
        if not gap[0] <= hour < gap[1]:
            high, low = max(before, price), min(before, price)
            bar = (before, high, low, price, price, 10.0, held, equity)
            ledger.append(LedgerBar(HEDGE, *bar, ["BINANCE"], [interest], [0.0001], ts, ts))
            target = -5.0 if hour // 24 % 2 else 0.0
            decided = (10.0, price, -held / 10.0, 0.5, 0.5, -target / 10.0, "", "", target - held)
            ledger.append(HedgeDecision(HEDGE, *decided, "", held, equity, False, "bar", ts, ts))
            moves = ([0.05] * 2,) * 4
            both = [0.1] * 2
            ledger.append(CascadeForecast(HEDGE, [4.0, 18.0], both, both, *moves, False, False, "", ts, ts))
        if target != held:
            side = 1 if target > held else -1
            fill = (f"O-{hour}", f"T-{hour}", side, abs(target - held), price, FEE, "USDT")
            ledger.append(LedgerFill(HEDGE, *fill, ts + 1, ts + 1))
            equity, held = equity - FEE, target
    ledger.close()
    ledger.move_days(before=f"{datetime.fromtimestamp(ts / 1e9, UTC):%Y-%m-%d}")
