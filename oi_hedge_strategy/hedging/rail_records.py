"""What the rails look at, what they did, and what they remember."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RailInput:
    """
    Hold what the rails look at.

    Parameters
    ----------
    now : int
        Nanoseconds since the epoch.
    exposure : float
        Signed base coin.
    held : float
        The hedge ratio held now, within [0, 1] as far as it is a hedge.
    price : float
        Of the hedge instrument.
    equity : float
        Of the hedge account, quote currency.
    model_problem : str
        Why there is no usable forecast; empty when there is one.
    price_age_minutes, open_interest_age_minutes : float
        Of the hedge venue's price and of the freshest open interest; infinite when never seen.
    halted : bool
        Whether the hedge venue has halted trading.
    side_at_risk, share_at_risk : float
        Share of the exposure's side in the liquidation map within 10 %, and that side over open interest.
    funding_8h : float
        What the hedge pays per eight hours, as a fraction.
    behind_minutes : float
        How far the clock lies before the newest time seen: nothing says how old data are then.

    """

    now: int
    exposure: float
    held: float
    price: float
    equity: float
    model_problem: str
    price_age_minutes: float
    open_interest_age_minutes: float
    halted: bool
    side_at_risk: float
    share_at_risk: float
    funding_8h: float
    behind_minutes: float = 0.0


@dataclass(frozen=True, slots=True)
class RailAction:
    """Record that a rail changed the hedge ratio, or stands with nothing to change, and why."""

    rail: str
    before: float
    after: float
    reason: str
    standing: bool = False


@dataclass(frozen=True, slots=True)
class RailVerdict:
    """Hold the ratio that all rails allow and what each that acted did."""

    ratio: float
    actions: tuple[RailAction, ...]

    @property
    def decided_by(self) -> str:
        """Return the last rail that changed the ratio, else the last that stands, empty when none does."""
        acted = [each for each in self.actions if not each.standing] or self.actions
        return acted[-1].rail if acted else ""

    @property
    def reason(self) -> str:
        """Return all reasons in order."""
        return "; ".join(f"{a.rail}: {a.reason}" for a in self.actions)


@dataclass(slots=True)
class RailState:
    """
    Keep what the rails remember; a plain record, so that it can be stored and restored.

    Parameters
    ----------
    peak_equity : float
        Highest equity of the hedge account since the last cooldown.
    closed_until : int
        The hedge stays closed until then: cooldown of the last drawdown tier or of a hard stop.
    drawn_down : bool
        Whether the last drawdown tier began the cooldown; the peak starts anew after it.
    trades : deque of (time, traded over exposure)
        The last 24 hours.

    """

    peak_equity: float = 0.0
    closed_until: int = 0
    drawn_down: bool = False
    trades: deque[tuple[int, float]] = field(default_factory=deque)
