"""What is worth an alert, when it begins and when it is over."""

from collections.abc import Mapping
from typing import Any

from oi_hedge_adapters.feed_status import FeedStatus
from oi_hedge_strategy.live.timing import STAGES
from oi_hedge_strategy.records import HedgeDecision, StageTiming

ALERTED_RAILS = frozenset(
    ("model", "freshness", "venue", "funding", "liquidation", "stress", "drawdown", "kill switch")
)
_DEMOTED = "model demoted"
_CALM = 20

Change = tuple[str, bool, str]
"""Condition, whether it began, and one sentence."""


class Conditions:
    """
    Tell the beginning and the end of each condition from what is published, once each.

    Parameters
    ----------
    budgets_ms : mapping of str to float
        By stage; a stage without one is not judged.

    """

    def __init__(self, budgets_ms: Mapping[str, float]) -> None:
        self._budgets = dict(budgets_ms)
        self._active: dict[str, str] = {}
        self._calm: dict[str, int] = {}
        self._sources: dict[str, set[str]] = {}

    @property
    def active(self) -> dict[str, str]:
        """Return what is the case now: sentence by condition."""
        return dict(self._active)

    def set(self, condition: str, active: bool, message: str) -> list[Change]:
        """Note whether a condition holds; return the change, if it is one."""
        if active == (condition in self._active):
            return []
        if active:
            self._active[condition] = message
        else:
            self._active.pop(condition)
        return [(condition, active, message)]

    def trouble(self, condition: str, source: str, active: bool, message: str) -> list[Change]:
        """Note what one of several sources says of a condition, which holds while it does for any of them."""
        sources = self._sources.setdefault(condition, set())
        if active:
            sources.add(source)
        else:
            sources.discard(source)
        return self.set(condition, bool(sources), message)

    def decided(self, decision: HedgeDecision) -> list[Change]:
        """Look at what rail decided, and at the model."""
        changes: list[Change] = []
        acting = dict(part.split(": ", 1) for part in decision.reason.split("; ") if ": " in part)
        for rail in sorted(ALERTED_RAILS):
            message = acting.get(rail, "it acts no more")
            changes += self.set(f"rail {rail}", rail in acting, message)
        demoted = decision.reason.startswith(_DEMOTED)
        return changes + self.set("model demoted", demoted, decision.reason if demoted else "it is back")

    def timed(self, timing: StageTiming) -> list[Change]:
        """Look at the budgets; a stage is within its own again after twenty timings that were."""
        changes: list[Change] = []
        for stage in STAGES:
            took, budget = getattr(timing, stage), self._budgets.get(stage)
            if took is None or budget is None:
                continue
            condition, ms = f"stage {stage} over budget", took / 1e6
            if ms > budget:
                self._calm[stage] = 0
                changes += self.set(condition, True, f"{stage} took {ms:.2f} ms, its budget is {budget:g} ms")
                continue
            self._calm[stage] = self._calm.get(stage, 0) + 1
            if self._calm[stage] >= _CALM:
                changes += self.set(condition, False, f"{stage} takes {ms:.2f} ms again")
        return changes

    def feed(self, status: FeedStatus) -> list[Change]:
        """Look at a feed."""
        return self.set(f"feed {status.feed} of {status.instrument_id}", status.stale, status.reason)

    def order(self, event: Any) -> list[Change]:
        """Look at what became of an order: a refusal holds until the next fill."""
        kind = type(event).__name__
        if kind in ("OrderRejected", "OrderDenied"):
            return self.set("order refused", True, f"{event.client_order_id}: {event.reason}")
        return self.set("order refused", False, "an order was filled") if kind == "OrderFilled" else []
