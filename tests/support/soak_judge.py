"""What a soak left on the disk, against what it was given."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nautilus_trader.model.data import FundingRateUpdate
from support.soak_rotation import Outcome

from oi_hedge_catalog.types import OpenInterestUpdate
from oi_hedge_strategy.live.config import ACCOUNT_FILE, LEDGER
from oi_hedge_strategy.live.ledger import read_ledger
from oi_hedge_strategy.live.ledger_records import LedgerFill
from oi_hedge_strategy.live.recording import read_recorded
from oi_hedge_strategy.live.sandbox_account import read_account
from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.records import Alert, HedgeDecision, SessionEntry
from oi_hedge_strategy.simulation.records import FundingPayment

REAL = ("BINANCE", "BINANCE_SPOT")
"""Venues whose bars come through Nautilus's adapter."""
ADAPTER_BARS, OTHER_BARS = "bars of Binance's adapter", "bars of the others"
NAMES: dict[type, str] = {
    OpenInterestUpdate: "open interest",
    FundingRateUpdate: "funding",
    HedgeDecision: "decisions",
}
BALANCE = 200_000.0


@dataclass(frozen=True, slots=True)
class Soak:
    """
    Hold what a soak found.

    Parameters
    ----------
    served, recorded : dict of str to int
        Bars, open interest, funding and decisions that were handed over, and that the recording holds.
    samples : array of shape (samples, 3)
        Seconds since the start, events so far, resident memory in MiB.
    bar_secs : float
        Time between two bars of each instrument, as it was in the end.
    balance, balance_of_ledger : float
        Of the simulated account, and by the ledger's fills, fees and funding.
    position, position_of_ledger : float
        Of the hedge, likewise.
    fills, payments : int
        In the ledger.
    alerts : dict of str to int
        How often each condition began.
    faults : dict of str to Outcome
        What came of each fault of the venues.
    uncaught : list of str
        Exceptions that nobody caught.

    """

    served: dict[str, int]
    recorded: dict[str, int]
    samples: np.ndarray
    bar_secs: float
    balance: float
    balance_of_ledger: float
    position: float
    position_of_ledger: float
    fills: int
    payments: int
    alerts: dict[str, int]
    faults: dict[str, Outcome]
    uncaught: list[str]


@dataclass(frozen=True, slots=True)
class Ran:
    """Hold what was seen of a soak while it ran; the fields are `Soak`'s."""

    session: Session
    served: dict[str, int]
    samples: np.ndarray
    bar_secs: float
    faults: dict[str, Outcome]
    uncaught: list[str]


def judge(directory: Path, ran: Ran) -> Soak:
    """Compare what a run left in its directory with what it was given."""
    fills = read_ledger(directory / LEDGER, LedgerFill)
    payments = read_ledger(directory / LEDGER, FundingPayment)
    account = read_account(directory / ACCOUNT_FILE)
    assert account is not None
    balance, position = _booked(BALANCE, fills, payments)
    alerts = Counter(each.condition for each in read_recorded(ran.session, Alert).rows if each.active)
    return Soak(
        served=ran.served,
        recorded=_recorded(ran.session),
        samples=ran.samples,
        bar_secs=ran.bar_secs,
        balance=float(account.balances[0].split()[0]),
        balance_of_ledger=balance,
        position=sum(float(each.quantity) for each in account.positions),
        position_of_ledger=position,
        fills=len(fills),
        payments=len(payments),
        alerts=dict(alerts),
        faults=ran.faults,
        uncaught=ran.uncaught,
    )


def _recorded(session: Session) -> dict[str, int]:
    found: Counter[str] = Counter()
    names = {kind.__name__: name for kind, name in NAMES.items()}
    for entry in read_recorded(session, SessionEntry).rows:
        if entry.kind == "Bar":
            real = any(f".{venue}-1-" in entry.payload for venue in REAL)
            found[ADAPTER_BARS if real else OTHER_BARS] += 1
        elif entry.kind in names:
            found[names[entry.kind]] += 1
    return dict(found)


def _booked(balance: float, fills: list[LedgerFill], payments: list[FundingPayment]) -> tuple[float, float]:
    """Return balance and position by the books: gains at average cost, fees and funding."""
    position = average = 0.0
    for fill in fills:
        signed = fill.side * fill.quantity
        balance -= fill.commission
        if position * signed >= 0.0:
            average = (average * abs(position) + fill.price * fill.quantity) / (abs(position) + fill.quantity)
        else:
            closed = min(abs(position), fill.quantity)
            balance += closed * (fill.price - average) * (1.0 if position > 0.0 else -1.0)
            if fill.quantity > abs(position):
                average = fill.price
        position = round(position + signed, 9)
    return balance + sum(each.amount for each in payments), position
